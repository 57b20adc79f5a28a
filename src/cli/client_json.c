/* SPDX-License-Identifier: Apache-2.0 */
/* Admin requests: JSON out, JSON or a sentence back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"

#define ANSWER_MAX (64u * 1024u * 1024u)

struct collected {
    char *data;
    size_t size, room;
};

static int collect(void *arg, const struct client_response *head, const void *data, size_t size,
                   struct err *err)
{
    (void)head;
    struct collected *all = arg;
    if (size > ANSWER_MAX - all->size)
        return err_set(err, EFBIG, "the daemon's answer is longer than 64 MiB");
    if (all->size + size + 1 > all->room) {
        size_t room = (all->size + size + 1) * 2;
        char *grown = realloc(all->data, room);
        if (grown == NULL)
            return err_set(err, ENOMEM, "keep the daemon's answer:");
        all->data = grown;
        all->room = room;
    }
    memcpy(all->data + all->size, data, size);
    all->size += size;
    all->data[all->size] = '\0';
    return 0;
}

/* {"error": "..."} is ours, {"message": "..."} others'. */
static const char *sentence_of(const json_t *json)
{
    const char *sentence = json_string_value(json_object_get(json, "error"));
    return sentence != NULL ? sentence : json_string_value(json_object_get(json, "message"));
}

int client_refused(int status, const char *body, size_t size, struct err *err)
{
    char text[400] = "";
    json_t *json = size > 0 ? json_loadb(body, size, 0, NULL) : NULL;
    const char *sentence = sentence_of(json);
    if (sentence != NULL)
        strncpy(text, sentence, sizeof(text) - 1);
    else if (size > 0)
        memcpy(text, body, size < sizeof(text) ? size : sizeof(text) - 1);
    json_decref(json);
    for (char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == 127)
            *at = ' ';
    }
    size_t length = strlen(text);
    while (length > 0 && text[length - 1] == ' ')
        text[--length] = '\0';
    int code = status == 404 ? ENOENT : status == 409 ? EEXIST : status == 403 ? EACCES : EINVAL;
    if (text[0] == '\0')
        return err_set(err, code, "the daemon refused it with status %d and no reason", status);
    return err_set(err, code, "%s", text);
}

int client_json(const char *state, const char *method, const char *target, const json_t *body,
                json_t **out_json, int *out_status, struct err *err)
{
    char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    if (body != NULL && text == NULL)
        return err_set(err, ENOMEM, "write the request as JSON:");
    struct client_request request = {.state = state,
                                     .socket = CLIENT_ADMIN,
                                     .method = method,
                                     .target = target,
                                     .content_type = text != NULL ? "application/json" : NULL,
                                     .body = text,
                                     .body_size = text != NULL ? strlen(text) : 0,
                                     .body_fd = -1};
    struct client_response response;
    struct collected all = {0};
    int result = client_call(&request, &response, collect, &all, err);
    free(text);
    if (result == 0 && out_status != NULL)
        *out_status = response.status;
    if (result == 0 && (response.status < 200 || response.status > 299))
        result = client_refused(response.status, all.data, all.size, err);
    if (result == 0 && out_json != NULL) {
        json_error_t why;
        json_t *json = NULL;
        if (all.size > 0) {
            json = json_loadb(all.data, all.size, 0, &why);
            if (json == NULL)
                result = err_set(err, EPROTO, "the daemon's answer is no valid JSON: %s", why.text);
        }
        if (result == 0)
            *out_json = json;
    }
    free(all.data);
    return result;
}
