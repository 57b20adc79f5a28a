/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/env.h"

#include <string.h>
#include <strings.h>

#include "gateway/text.h"

struct env {
    struct text text;
    uint32_t count;
};

static void env_span(struct env *env, const char *name, struct http_span value)
{
    text_put(&env->text, name);
    text_char(&env->text, '=');
    if (value.size > 0)
        text_bytes(&env->text, value.at, value.size);
    text_char(&env->text, '\0');
    env->count++;
}

static void env_put(struct env *env, const char *name, const char *value)
{
    env_span(env, name, (struct http_span){value, strlen(value)});
}

static void env_uint(struct env *env, const char *name, uint64_t value)
{
    text_put(&env->text, name);
    text_char(&env->text, '=');
    text_uint(&env->text, value);
    text_char(&env->text, '\0');
    env->count++;
}

/* NAME=decoded text. 0 or -400. */
static int env_decoded(struct env *env, const char *name, struct http_span encoded)
{
    text_put(&env->text, name);
    text_char(&env->text, '=');
    ssize_t size =
        http_percent_decode(encoded, env->text.at, (size_t)(env->text.end - env->text.at));
    if (size == -400)
        return -400;
    if (size < 0)
        env->text.full = true;
    else
        env->text.at += size;
    text_char(&env->text, '\0');
    env->count++;
    return 0;
}

/* Headers that give no variable of either kind. */
static bool is_dropped(struct http_span name)
{
    static const char *const dropped[] = {
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "proxy",
        "content-length",
        "expect",
        "proxy-connection",
        "proxy-authorization",
        "proxy-authenticate",
        "x-call-id",
        "method",
        "path",
        "query",
        "host",
        "contentlength",
    };
    for (size_t i = 0; i < name.size; i++) {
        char c = name.at[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!alnum && c != '-')
            return true;
    }
    for (size_t i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++) {
        if (http_span_is(name, dropped[i]))
            return true;
    }
    return false;
}

static bool same_name(struct http_span a, struct http_span b)
{
    return a.size == b.size && strncasecmp(a.at, b.at, a.size) == 0;
}

/* The values of header `first` and of its repetitions, joined, then the final NUL. */
static void env_values(struct env *env, const struct http_request *request, unsigned int first)
{
    struct http_span name = request->headers[first].name;
    const char *glue = http_span_is(name, "cookie") ? "; " : ", ";
    text_char(&env->text, '=');
    for (unsigned int i = first; i < request->header_count; i++) {
        if (i != first && !same_name(request->headers[i].name, name))
            continue;
        if (i != first)
            text_put(&env->text, glue);
        if (request->headers[i].value.size > 0)
            text_bytes(&env->text, request->headers[i].value.at, request->headers[i].value.size);
    }
    text_char(&env->text, '\0');
    env->count++;
}

static void env_header(struct env *env, const struct http_request *request, unsigned int index)
{
    struct http_span name = request->headers[index].name;
    if (is_dropped(name))
        return;
    for (unsigned int i = 0; i < index; i++) {
        if (same_name(request->headers[i].name, name))
            return; /* joined at its first occurrence */
    }
    text_put(&env->text, "Http_");
    for (size_t i = 0; i < name.size; i++)
        text_char(&env->text, name.at[i] == '-' ? '_' : name.at[i]);
    env_values(env, request, index);
    if (http_span_is(name, "content-type") || http_span_is(name, "authorization"))
        return; /* CONTENT_TYPE stands for the one; the other see env.h */
    text_put(&env->text, "HTTP_");
    for (size_t i = 0; i < name.size; i++) {
        char c = name.at[i];
        text_char(&env->text, c == '-' ? '_' : c >= 'a' && c <= 'z' ? (char)(c - 32) : c);
    }
    env_values(env, request, index);
}

/* SERVER_NAME and SERVER_PORT from the Host, which http_head_parse has validated. */
static void env_server(struct env *env, const struct env_input *input)
{
    struct http_span host = input->request->host;
    struct http_span port = {0};
    const char *colon = host.size > 0 ? memrchr(host.at, ':', host.size) : NULL;
    const char *bracket = host.size > 0 ? memrchr(host.at, ']', host.size) : NULL;
    if (colon != NULL && (bracket == NULL || colon > bracket)) {
        port = (struct http_span){colon + 1, (size_t)(host.at + host.size - colon - 1)};
        host.size = (size_t)(colon - host.at);
    }
    if (host.size == 0)
        env_put(env, "SERVER_NAME", "localhost");
    else
        env_span(env, "SERVER_NAME", host);
    if (input->server_port != 0)
        env_uint(env, "SERVER_PORT", input->server_port);
    else if (port.size > 0)
        env_span(env, "SERVER_PORT", port);
    else
        env_put(env, "SERVER_PORT", "80");
}

static int env_request_line(struct env *env, const struct env_input *input)
{
    const struct http_request *request = input->request;
    struct http_span query = request->query.at != NULL ? request->query : (struct http_span){"", 0};
    env_span(env, "REQUEST_METHOD", request->method);
    env_span(env, "QUERY_STRING", query);
    env_span(env, "REQUEST_URI", request->target);
    env_put(env, "SERVER_PROTOCOL", request->minor == 1 ? "HTTP/1.1" : "HTTP/1.0");
    env_span(env, "Http_Method", request->method);
    env_span(env, "Http_Query", query);
    env_span(env, "Http_Path", request->path);
    if (request->host.at != NULL) {
        env_span(env, "Http_Host", request->host);
        env_span(env, "HTTP_HOST", request->host);
    }
    if (request->type.at != NULL)
        env_span(env, "CONTENT_TYPE", request->type);
    int rc = env_decoded(env, "SCRIPT_NAME", input->route->script);
    return rc == 0 ? env_decoded(env, "PATH_INFO", input->route->rest) : rc;
}

int env_build(const struct env_input *input, char *out, size_t room, uint32_t *out_count,
              uint32_t *out_bytes)
{
    struct env env = {.text = text_over(out, room)};
    env_put(&env, "GATEWAY_INTERFACE", "CGI/1.1");
    env_put(&env, "SERVER_SOFTWARE", "skerry/" SKERRY_VERSION);
    if (env_request_line(&env, input) < 0)
        return 400;
    env_server(&env, input);
    env_put(&env, "REMOTE_ADDR", input->remote_addr);
    if (input->remote_port != 0)
        env_uint(&env, "REMOTE_PORT", input->remote_port);
    if (input->length_known && (input->length > 0 || input->request->has_length)) {
        env_uint(&env, "CONTENT_LENGTH", input->length);
        env_uint(&env, "Http_ContentLength", input->length);
    }
    env_put(&env, "HTTP_X_CALL_ID", input->call_id);
    env_put(&env, "Http_X_Call_Id", input->call_id);
    for (unsigned int i = 0; i < input->request->header_count; i++)
        env_header(&env, input->request, i);
    if (env.text.full)
        return 431;
    *out_count = env.count;
    *out_bytes = (uint32_t)(env.text.at - out);
    return 0;
}
