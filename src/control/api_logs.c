/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /system/logs?name=&namespace=&since=&tail=&follow=: a function's log as one JSON object a
 * line, as OpenFaaS's clients read it.
 *
 * The log file is written by the gateway: "TIME CALL-ID text" lines. It holds what the function
 * wrote to its stderr, so nothing of it is trusted: bytes that are not UTF-8 are replaced, and a
 * line without our beginning is given as text alone. A log is sent in parts, the next one when the
 * client has taken the one before, so that its size does not matter.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/api_core.h"
#include "control/rfc3339.h"

#define PART_SIZE (64u * 1024u) /* of the file; a longer line is cut into several */
#define TIME_SIZE 20            /* of "2026-01-02T03:04:05" and a fraction or 'Z' */

static const struct api_function *log_function(const struct api *api, const struct api_log *log)
{
    const struct api_function *function = api->table.functions[log->index];
    return function != NULL && function->generation == log->generation ? function : NULL;
}

/* The size of the UTF-8 sequence at text, or 0 when it is not one. RFC 3629 section 4. */
static size_t utf8_size(const unsigned char *text, size_t size)
{
    static const struct {
        unsigned char from, to, second_from, second_to, count;
    } rows[] = {
        {0x01, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (text[0] < rows[i].from || text[0] > rows[i].to)
            continue;
        if (rows[i].count > size)
            return 0;
        if (rows[i].count > 1 && (text[1] < rows[i].second_from || text[1] > rows[i].second_to))
            return 0;
        for (size_t k = 2; k < rows[i].count; k++) {
            if ((text[k] & 0xc0) != 0x80)
                return 0;
        }
        return rows[i].count;
    }
    return 0;
}

/* Copies size bytes as UTF-8 without NUL; what is neither becomes U+FFFD. out has 3 * size + 1
 * bytes. */
static void clean(const char *text, size_t size, char *out)
{
    size_t at = 0;
    while (at < size) {
        size_t count = utf8_size((const unsigned char *)text + at, size - at);
        const char *from = count > 0 ? text + at : "\xef\xbf\xbd";
        size_t length = count > 0 ? count : 3;
        memcpy(out, from, length);
        out += length;
        at += count > 0 ? count : 1;
    }
    *out = '\0';
}

/* Splits "TIME ID text" into its parts; the text is the whole line when it does not begin so. */
static const char *split_line(char *line, const char **out_time, const char **out_id)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd";
    *out_time = "1970-01-01T00:00:00Z";
    *out_id = "";
    for (size_t i = 0; form[i] != '\0'; i++) {
        bool digit = line[i] >= '0' && line[i] <= '9';
        if (form[i] == 'd' ? !digit : line[i] != form[i])
            return line;
    }
    char *space = strchr(line, ' ');
    char *second = space == NULL ? NULL : strchr(space + 1, ' ');
    if (second == NULL)
        return line;
    *space = *second = '\0';
    *out_time = line;
    *out_id = space + 1;
    return second + 1;
}

static bool append_line(struct api *api, struct api_conn *conn, const struct api_function *function,
                        const char *text, size_t size)
{
    char *line = malloc(3 * size + 1);
    if (line == NULL)
        return false;
    const char *when, *id;
    clean(text, size, line);
    const char *rest = split_line(line, &when, &id);
    uint64_t when_us = 0;
    rfc3339_parse(when, &when_us);
    if (when_us < conn->log->since_us) {
        free(line);
        return true;
    }
    json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", function->name, "namespace",
                             function->tenant, "instance", id, "timestamp", when, "text", rest);
    char *dumped = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
    bool done = dumped != NULL && api_conn_append(api, conn, dumped, strlen(dumped)) &&
                api_conn_append(api, conn, "\n", 1);
    json_decref(json);
    free(dumped);
    free(line);
    return done;
}

/* Appends the lines of one part of the file. Returns how much of it was used up. */
static size_t append_part(struct api *api, struct api_conn *conn,
                          const struct api_function *function, const char *part, size_t size)
{
    size_t at = 0;
    while (at < size) {
        const char *end = memchr(part + at, '\n', size - at);
        if (end == NULL && (at > 0 || size < PART_SIZE))
            break; /* the line's end is not written yet, or not in this part */
        size_t length = end == NULL ? size - at : (size_t)(end - part) - at;
        if (!append_line(api, conn, function, part + at, length))
            break;
        at += length + (end != NULL);
    }
    return at;
}

bool api_logs_next(struct api *api, struct api_conn *conn)
{
    static char part[PART_SIZE];
    struct api_log *log = conn->log;
    const struct api_function *function = log_function(api, log);
    ssize_t size = 0;
    size_t used = 0;
    if (function != NULL && function->log >= 0) {
        struct stat about;
        if (fstat(function->log, &about) == 0 && (uint64_t)about.st_size < log->at)
            log->at = 0; /* it was rotated: a new one begins */
        size = pread(function->log, part, sizeof(part), (off_t)log->at);
    }
    if (size > 0)
        used = append_part(api, conn, function, part, (size_t)size);
    log->at += used;
    if (conn->state == API_CLOSED)
        return false;
    if (used == 0 && log->follow && function != NULL && size >= 0) {
        api_conn_follow(api, conn, api->now_ns + API_LOG_POLL_MS * NS_PER_MS);
        return false;
    }
    if (used == 0) {
        free(log);
        conn->log = NULL;
    }
    return true;
}

/* The offset of the last `lines` lines, found from the end. */
static uint64_t tail_offset(int fd, uint64_t lines)
{
    static char part[PART_SIZE];
    struct stat about;
    if (fstat(fd, &about) < 0 || about.st_size == 0)
        return 0;
    uint64_t end = (uint64_t)about.st_size;
    if (lines == 0)
        return end;
    uint64_t seen = 0, from = end;
    while (from > 0) {
        size_t size = from < PART_SIZE ? (size_t)from : PART_SIZE;
        from -= size;
        ssize_t n = pread(fd, part, size, (off_t)from);
        if (n != (ssize_t)size)
            return 0;
        for (size_t i = size; i > 0; i--) {
            bool last_byte = from + i == end; /* the last line's own end */
            if (part[i - 1] == '\n' && !last_byte && ++seen == lines)
                return from + i;
        }
    }
    return 0;
}

/* A parameter of true or false. False when it was answered. */
static bool query_bool(struct api *api, struct api_conn *conn, const char *name, bool *out)
{
    char text[API_QUERY_MAX];
    int rc = api_query(api, conn, name, text, sizeof(text));
    if (rc > 0)
        *out = strcmp(text, "1") == 0 || strcmp(text, "true") == 0;
    return rc >= 0;
}

/* The tail parameter: a count of lines; absent or negative means all, as OpenFaaS's clients send
 * it. */
static bool query_tail(struct api *api, struct api_conn *conn, uint64_t *out)
{
    char text[API_QUERY_MAX];
    int rc = api_query(api, conn, "tail", text, sizeof(text));
    *out = UINT64_MAX;
    if (rc <= 0)
        return rc == 0;
    char *end;
    errno = 0;
    long long lines = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0) {
        api_answer_error(api, conn, 400, "tail is '%.40s', not a count of lines", text);
        return false;
    }
    if (lines >= 0)
        *out = (uint64_t)lines;
    return true;
}

/* The since parameter, a time of RFC 3339. False when it was answered. */
static bool query_since(struct api *api, struct api_conn *conn, uint64_t *out_us)
{
    char text[API_QUERY_MAX];
    int rc = api_query(api, conn, "since", text, sizeof(text));
    *out_us = 0;
    if (rc <= 0 || text[0] == '\0')
        return rc >= 0;
    if (rfc3339_parse(text, out_us) == 0)
        return true;
    api_answer_error(api, conn, 400,
                     "since is '%.40s', not a time such as 2026-01-02T03:04:05Z (RFC 3339)", text);
    return false;
}

void api_logs_begin(struct api *api, struct api_conn *conn)
{
    char name[API_QUERY_MAX], tenant[API_QUERY_MAX];
    bool follows = false;
    uint64_t lines, since_us;
    int rc = api_query(api, conn, "name", name, sizeof(name));
    if (rc == 0)
        api_answer_error(api, conn, 400, "say which function: ?name=NAME");
    if (rc <= 0)
        return;
    rc = api_query(api, conn, "namespace", tenant, sizeof(tenant));
    if (rc < 0 || !query_since(api, conn, &since_us) || !query_tail(api, conn, &lines) ||
        !query_bool(api, conn, "follow", &follows))
        return;
    const struct api_function *function =
        api_table_find(&api->table, rc == 0 || tenant[0] == '\0' ? "default" : tenant, name);
    if (function == NULL) {
        api_answer_error(api, conn, 404, "there is no function '%.64s'", name);
        return;
    }
    conn->log = calloc(1, sizeof(*conn->log));
    if (conn->log == NULL) {
        api_answer_error(api, conn, 500, "out of memory");
        return;
    }
    conn->log->index = function->index;
    conn->log->generation = function->generation;
    conn->log->since_us = since_us;
    conn->log->follow = follows && !conn->is_head;
    conn->log->at =
        function->log < 0 || lines == UINT64_MAX ? 0 : tail_offset(function->log, lines);
    api_conn_begin_stream(api, conn, "application/x-ndjson");
    if (conn->is_head) {
        free(conn->log);
        conn->log = NULL;
    }
    api_conn_write(api, conn);
}
