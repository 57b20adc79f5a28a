/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin API's paths: a table of path, method and handler; see api_core.h.
 *
 *   GET, POST, PUT, DELETE /system/functions     OpenFaaS; PUT with ?upsert=1 deploys new or not
 *   GET /system/function/NAME                    OpenFaaS
 *   GET /system/info /system/namespaces /system/logs
 *   GET /system/skerry/describe?name=            everything that is known about a function
 *   GET /healthz                                 no authorization needed
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/packet.h"
#include "control/api_core.h"

typedef void (*handler_fn)(struct api *api, struct api_conn *conn);

int api_query(struct api *api, struct api_conn *conn, const char *name, char *out, size_t room)
{
    struct http_span query = conn->request.query;
    const char *end = query.at == NULL ? NULL : query.at + query.size;
    size_t length = strlen(name);
    for (const char *at = query.at; at != NULL && at < end;) {
        const char *stop = memchr(at, '&', (size_t)(end - at));
        size_t size = stop == NULL ? (size_t)(end - at) : (size_t)(stop - at);
        if (size > length && strncmp(at, name, length) == 0 && at[length] == '=') {
            struct http_span value = {at + length + 1, size - length - 1};
            ssize_t n = http_percent_decode(value, out, room - 1);
            if (n < 0) {
                api_answer_error(api, conn, 400, "the parameter %s is malformed or too long", name);
                return -1;
            }
            out[n] = '\0';
            return 1;
        }
        at = stop == NULL ? end : stop + 1;
    }
    return 0;
}

/* The namespace parameter; "default" when it is not there. False: answered. */
static bool query_tenant(struct api *api, struct api_conn *conn, char *out, size_t room)
{
    int rc = api_query(api, conn, "namespace", out, room);
    if (rc == 0 || (rc > 0 && out[0] == '\0'))
        snprintf(out, room, "default");
    return rc >= 0;
}

static void answer_unknown(struct api *api, struct api_conn *conn, const char *name,
                           const char *tenant)
{
    api_answer_error(api, conn, 404, "there is no function '%.64s' in the namespace '%.64s'", name,
                     tenant);
}

/* Sends *message to the supervisor; the connection waits for its reply. */
static void ask(struct api *api, struct api_conn *conn, struct ctl_message *message, int success)
{
    message->request_id = ++api->last_request;
    struct iovec part = {.iov_base = message, .iov_len = sizeof(*message)};
    int rc = packet_send(api->options.link, &part, 1, NULL, 0, MSG_DONTWAIT);
    if (rc == -EAGAIN) {
        api_answer_error(api, conn, 503, "the daemon is busy with other changes; try again");
        return;
    }
    if (rc < 0) {
        api_answer_error(api, conn, 500, "the daemon cannot be reached: %s", strerror(-rc));
        return;
    }
    api_conn_wait(api, conn, message->request_id, success);
}

static json_t *body_json(struct api *api, struct api_conn *conn)
{
    struct err err;
    json_t *json =
        json_parse_strict(conn->body_size > 0 ? conn->body_text : "", conn->body_size, &err);
    if (json == NULL)
        api_answer_refusal(api, conn, err.code == EFBIG ? 413 : 400, NULL, err.text);
    return json;
}

static void deploy(struct api *api, struct api_conn *conn, enum ctl_kind kind)
{
    json_t *json = body_json(api, conn);
    if (json == NULL)
        return;
    struct err err;
    struct ctl_message *message = calloc(1, sizeof(*message));
    if (message == NULL)
        api_answer_error(api, conn, 500, "out of memory");
    else if (spec_from_json(json, &message->spec, &err) < 0)
        api_answer_refusal(api, conn, 400, NULL, err.text);
    else {
        message->kind = kind;
        ask(api, conn, message, 202);
    }
    json_decref(json);
    free(message);
}

static void functions_post(struct api *api, struct api_conn *conn)
{
    deploy(api, conn, CTL_DEPLOY);
}

static void functions_put(struct api *api, struct api_conn *conn)
{
    char upsert[8];
    int rc = api_query(api, conn, "upsert", upsert, sizeof(upsert));
    if (rc >= 0)
        deploy(api, conn, rc > 0 && strcmp(upsert, "1") == 0 ? CTL_PUT : CTL_UPDATE);
}

static void functions_delete(struct api *api, struct api_conn *conn)
{
    char tenant[API_QUERY_MAX];
    if (!query_tenant(api, conn, tenant, sizeof(tenant)))
        return;
    json_t *json = body_json(api, conn);
    if (json == NULL)
        return;
    const char *name = json_string_value(json_object_get(json, "functionName"));
    const char *inner = json_string_value(json_object_get(json, "namespace"));
    if (inner != NULL && inner[0] != '\0')
        snprintf(tenant, sizeof(tenant), "%s", inner);
    struct ctl_message *message = calloc(1, sizeof(*message));
    if (message == NULL)
        api_answer_error(api, conn, 500, "out of memory");
    else if (name == NULL)
        api_answer_error(api, conn, 400, "functionName, the function to remove, is missing");
    else if (!function_name_valid(name) || !function_name_valid(tenant))
        answer_unknown(api, conn, name, tenant);
    else {
        message->kind = CTL_REMOVE;
        memcpy(message->spec.name, name, strlen(name)); /* valid names fit, with a NUL */
        memcpy(message->spec.tenant, tenant, strlen(tenant));
        ask(api, conn, message, 202);
    }
    json_decref(json);
    free(message);
}

static void functions_get(struct api *api, struct api_conn *conn)
{
    char tenant[API_QUERY_MAX];
    int rc = api_query(api, conn, "namespace", tenant, sizeof(tenant));
    if (rc >= 0)
        api_answer_json(api, conn, 200,
                        api_table_list(&api->table, rc > 0 && tenant[0] != '\0' ? tenant : NULL));
}

static void function_get(struct api *api, struct api_conn *conn)
{
    static const size_t prefix = sizeof("/system/function/") - 1;
    char tenant[API_QUERY_MAX], name[API_QUERY_MAX];
    struct http_span path = conn->request.path;
    if (!query_tenant(api, conn, tenant, sizeof(tenant)))
        return;
    struct http_span last = {path.at + prefix, path.size - prefix};
    ssize_t size = http_percent_decode(last, name, sizeof(name) - 1);
    name[size < 0 ? 0 : size] = '\0';
    const struct api_function *function = api_table_find(&api->table, tenant, name);
    if (function == NULL)
        answer_unknown(api, conn, name, tenant);
    else
        api_answer_json(api, conn, 200, api_function_json(&api->table, function));
}

static void describe_get(struct api *api, struct api_conn *conn)
{
    char tenant[API_QUERY_MAX], name[API_QUERY_MAX];
    int rc = api_query(api, conn, "name", name, sizeof(name));
    if (rc == 0)
        api_answer_error(api, conn, 400, "say which function: ?name=NAME");
    if (rc <= 0 || !query_tenant(api, conn, tenant, sizeof(tenant)))
        return;
    const struct api_function *function = api_table_find(&api->table, tenant, name);
    if (function == NULL)
        answer_unknown(api, conn, name, tenant);
    else
        api_answer_json(api, conn, 200, api_describe_json(&api->table, function));
}

/* A figure of the daemon as a whole, by its place in the statistics page. */
static json_int_t figure(const struct api *api, size_t offset)
{
    const char *page = (const char *)api->options.stats;
    if (page == NULL)
        return 0;
    return (json_int_t)atomic_load_explicit((const _Atomic uint64_t *)(const void *)(page + offset),
                                            memory_order_relaxed);
}

static void info_get(struct api *api, struct api_conn *conn)
{
    /* OpenFaaS's gateway puts the provider's version within provider; its providers, flat */
    json_t *version =
        json_pack("{s:s, s:s, s:s}", "release", SKERRY_VERSION, "sha", "", "commit_message", "");
    json_t *provider = json_pack("{s:s, s:s, s:O, s:s}", "name", "skerry", "provider", "skerry",
                                 "version", version, "orchestration", "skerry");
    json_t *pool = json_pack("{s:I, s:I, s:I}", "memory_limit_bytes",
                             figure(api, offsetof(struct stats_page, pool_limit_bytes)),
                             "memory_bytes", figure(api, offsetof(struct stats_page, pool_bytes)),
                             "sandboxes", figure(api, offsetof(struct stats_page, pool_sandboxes)));
    json_t *info =
        json_pack("{s:o, s:o, s:s, s:s, s:{s:o}}", "provider", provider, "version", version,
                  "orchestration", "skerry", "arch", "x86_64", "skerry", "pool", pool);
    api_answer_json(api, conn, 200, info);
}

static void namespaces_get(struct api *api, struct api_conn *conn)
{
    api_answer_json(api, conn, 200, api_table_tenants(&api->table));
}

static void healthz_get(struct api *api, struct api_conn *conn)
{
    api_answer_text(api, conn, 200, "OK\n");
}

struct route {
    const char *path; /* ends with '/': the rest is the handler's */
    const char *method;
    handler_fn handler;
    bool open; /* needs no authorization */
};

static const struct route routes[] = {
    {"/healthz", "GET", healthz_get, true},
    {"/system/functions", "GET", functions_get, false},
    {"/system/functions", "POST", functions_post, false},
    {"/system/functions", "PUT", functions_put, false},
    {"/system/functions", "DELETE", functions_delete, false},
    {"/system/function/", "GET", function_get, false},
    {"/system/info", "GET", info_get, false},
    {"/system/namespaces", "GET", namespaces_get, false},
    {"/system/logs", "GET", api_logs_begin, false},
    {"/system/skerry/describe", "GET", describe_get, false},
};
#define ROUTE_COUNT (sizeof(routes) / sizeof(routes[0]))

static bool path_matches(const struct route *route, struct http_span path)
{
    size_t length = strlen(route->path);
    bool prefix = route->path[length - 1] == '/';
    return (prefix ? path.size > length : path.size == length) &&
           memcmp(path.at, route->path, length) == 0;
}

static bool method_matches(const struct route *route, const struct http_request *request)
{
    if (request->is_head && strcmp(route->method, "GET") == 0)
        return true;
    return request->method.size == strlen(route->method) &&
           memcmp(request->method.at, route->method, request->method.size) == 0;
}

/* The route of the request, or NULL: answered with 404 or 405. */
static const struct route *find_route(struct api *api, struct api_conn *conn)
{
    char allow[64] = "";
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        if (!path_matches(&routes[i], conn->request.path))
            continue;
        if (method_matches(&routes[i], &conn->request))
            return &routes[i];
        size_t used = strlen(allow);
        snprintf(allow + used, sizeof(allow) - used, "%s%s", used > 0 ? ", " : "",
                 routes[i].method);
    }
    if (allow[0] != '\0')
        api_answer_refusal(api, conn, 405, allow, "this path does not know the method");
    else
        api_answer_error(api, conn, 404, "the admin API has no such path");
    return NULL;
}

static bool authorized(const struct api *api, const struct api_conn *conn)
{
    struct http_span value;
    return conn->trusted || (http_header_find(&conn->request, "authorization", &value) &&
                             auth_basic_valid(value.at, value.size, api->options.password));
}

bool api_request_allowed(struct api *api, struct api_conn *conn)
{
    struct http_span path = conn->request.path;
    bool open = path.size == 8 && memcmp(path.at, "/healthz", 8) == 0;
    if (!open && !authorized(api, conn)) {
        api_answer_error(api, conn, 401,
                         "the admin API needs the user admin and its password, which stands in the "
                         "file admin-password of the state directory");
        return false;
    }
    return find_route(api, conn) != NULL;
}

void api_request(struct api *api, struct api_conn *conn)
{
    api_take_link(api); /* it is answered by what is deployed now, not when the round began */
    const struct route *route = find_route(api, conn);
    if (route != NULL)
        route->handler(api, conn);
}

static int reply_status(const struct ctl_message *message)
{
    switch (message->why.code) {
    case ENOENT:
        return 404;
    case EEXIST:
    case EBUSY:
        return 409;
    case EINVAL:
    case ERANGE:
    case E2BIG:
        return 400;
    case ENOSPC:
    case EAGAIN:
    case ESHUTDOWN:
        return 503;
    default:
        return 500;
    }
}

void api_reply(struct api *api, struct api_conn *conn, const struct ctl_message *message)
{
    if (message->why.code != 0) {
        api_answer_refusal(api, conn, reply_status(message), NULL, message->why.text);
        return;
    }
    api_answer_json(api, conn, conn->success,
                    json_pack("{s:s, s:s, s:I}", "name", message->spec.name, "namespace",
                              message->spec.tenant, "revision",
                              (json_int_t)message->spec.revision));
}
