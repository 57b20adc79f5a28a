/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is written down: one JSON line a request in the access log, and each function's stderr, line
 * by line with time and call id, in its own log. Access log lines are collected for at most 20 ms
 * and written together; nothing here waits and a log that cannot be written loses lines, not
 * requests.
 */
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "gateway/civil.h"
#include "gateway/core.h"
#include "gateway/text.h"

#define RECORD_MAX   2048u           /* one line of the access log */
#define LOG_FILE_MAX (1024u * 1024u) /* a function's log is cut then */
#define LOG_KEEP     (32u * 1024u)   /* and this much of its end is kept */

void call_id_text(const struct gateway *gw, uint64_t id, char out[CALL_ID_TEXT])
{
    struct text text = text_over(out, CALL_ID_TEXT);
    text_hex(&text, gw->epoch, 8);
    text_char(&text, '-');
    text_hex(&text, id, 16);
    text_char(&text, '\0');
}

const char *date_text(struct gateway *gw)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if ((uint64_t)now.tv_sec == gw->date_s)
        return gw->date;
    gw->date_s = (uint64_t)now.tv_sec;
    struct civil civil = civil_of(gw->date_s);
    struct text text = text_over(gw->date, sizeof(gw->date));
    text_bytes(&text, &days[3 * civil.weekday], 3);
    text_put(&text, ", ");
    text_uint_width(&text, civil.day, 2);
    text_char(&text, ' ');
    text_bytes(&text, &months[3 * (civil.month - 1)], 3);
    text_char(&text, ' ');
    text_uint_width(&text, civil.year, 4);
    text_char(&text, ' ');
    text_uint_width(&text, civil.hour, 2);
    text_char(&text, ':');
    text_uint_width(&text, civil.minute, 2);
    text_char(&text, ':');
    text_uint_width(&text, civil.second, 2);
    text_put(&text, " GMT");
    text_char(&text, '\0');
    return gw->date;
}

/* "2026-11-21T01:28:00.123456Z" */
static void text_now(struct text *text)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct civil civil = civil_of((uint64_t)now.tv_sec);
    text_uint_width(text, civil.year, 4);
    text_char(text, '-');
    text_uint_width(text, civil.month, 2);
    text_char(text, '-');
    text_uint_width(text, civil.day, 2);
    text_char(text, 'T');
    text_uint_width(text, civil.hour, 2);
    text_char(text, ':');
    text_uint_width(text, civil.minute, 2);
    text_char(text, ':');
    text_uint_width(text, civil.second, 2);
    text_char(text, '.');
    text_uint_width(text, (uint64_t)now.tv_nsec / 1000, 6);
    text_char(text, 'Z');
}

/* The inside of a JSON string; bytes that are not printable ASCII become \u00XX. */
static void text_json(struct text *text, const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)data[i];
        if (c == '"' || c == '\\') {
            text_char(text, '\\');
            text_char(text, (char)c);
        } else if (c < 0x20 || c >= 0x7f) {
            text_put(text, "\\u00");
            text_hex(text, c, 2);
        } else {
            text_char(text, (char)c);
        }
    }
}

static void field_text(struct text *text, const char *name, const char *data, size_t size)
{
    text_put(text, ",\"");
    text_put(text, name);
    text_put(text, "\":\"");
    text_json(text, data, size);
    text_char(text, '"');
}

static void field_uint(struct text *text, const char *name, uint64_t value)
{
    text_put(text, ",\"");
    text_put(text, name);
    text_put(text, "\":");
    text_uint(text, value);
}

void record_flush(struct gateway *gw)
{
    wheel_clear(&gw->wheel, &gw->log_timer);
    if (gw->log_used == 0)
        return;
    ssize_t ignored = write(gw->access_log, gw->log_text, gw->log_used);
    (void)ignored;
    gw->log_used = 0;
}

static struct text record_begin(struct gateway *gw, uint64_t id)
{
    char id_text[CALL_ID_TEXT];
    if (sizeof(gw->log_text) - gw->log_used < RECORD_MAX)
        record_flush(gw);
    struct text text = text_over(gw->log_text + gw->log_used, RECORD_MAX);
    call_id_text(gw, id, id_text);
    text_put(&text, "{\"time\":\"");
    text_now(&text);
    text_put(&text, "\",\"call\":\"");
    text_put(&text, id_text);
    text_char(&text, '"');
    return text;
}

/* A line that did not fit is dropped whole: half a line would spoil the next. */
static void record_end(struct gateway *gw, struct text *text)
{
    text_put(text, "}\n");
    if (text->full)
        return;
    gw->log_used = (uint32_t)(text->at - gw->log_text);
    if (!timer_is_set(&gw->log_timer))
        wheel_set(&gw->wheel, &gw->log_timer, gw->now_ns + LOG_DELAY_NS);
}

static void record_stages(struct text *text, const struct stage_clock *clock)
{
    text_put(text, ",\"stages_us\":{");
    bool first = true;
    for (enum stage stage = STAGE_QUEUED; stage < STAGE_COUNT; stage++) {
        if (clock->at_ns[stage] == 0)
            continue;
        uint64_t ns = stage_span_ns(clock, stage);
        text_put(text, first ? "\"" : ",\"");
        first = false;
        text_put(text, stage_name(stage));
        text_put(text, "\":");
        text_uint(text, ns / 1000);
        text_char(text, '.');
        text_uint(text, ns / 100 % 10);
    }
    text_char(text, '}');
}

void record_call(struct gateway *gw, const struct call *call)
{
    if (gw->access_log < 0)
        return;
    struct text text = record_begin(gw, call->id);
    if (call->function->incarnation == call->incarnation) {
        const struct link_function *spec = &call->function->spec;
        field_text(&text, "function", spec->name, strlen(spec->name));
        field_text(&text, "tenant", spec->tenant, strlen(spec->tenant));
    }
    field_text(&text, "method", call->method, strlen(call->method));
    field_text(&text, "path", call->path, strlen(call->path));
    field_uint(&text, "status", call->status);
    field_uint(&text, "in", call->bytes_in);
    field_uint(&text, "out", call->bytes_out);
    field_uint(&text, "duration_us", (gw->now_ns - call->clock.at_ns[STAGE_ACCEPTED]) / 1000);
    if (call->report.kind != 0) {
        const char *start = stats_start_name(call_start_kind(call));
        field_text(&text, "start", start, strlen(start));
        field_uint(&text, "cpu_us", call->report.user_us + call->report.system_us);
        field_uint(&text, "maxrss_kib", call->report.maxrss_kib);
    }
    record_stages(&text, &call->clock);
    if (call->why != NULL)
        field_text(&text, "reason", call->why, strlen(call->why));
    record_end(gw, &text);
}

void record_reply(struct gateway *gw, const struct conn *conn, int status, const char *why)
{
    if (gw->access_log < 0)
        return;
    struct text text = record_begin(gw, conn->id);
    if (gw->parsed_for == conn && gw->request.path.at != NULL) {
        struct http_span method = gw->request.method, path = gw->request.path;
        field_text(&text, "method", method.at, method.size < 24 ? method.size : 24);
        field_text(&text, "path", path.at, path.size < 256 ? path.size : 256);
    }
    field_uint(&text, "status", (uint64_t)status);
    field_uint(&text, "duration_us", (gw->now_ns - conn->accepted_ns) / 1000);
    if (why != NULL)
        field_text(&text, "reason", why, strcspn(why, "\n"));
    record_end(gw, &text);
}

/* Cuts a function's log that has grown too large; its end is kept if we may read it. */
static void log_cut(struct gateway *gw, struct channel *channel)
{
    if (channel->log_size < LOG_FILE_MAX)
        return;
    ssize_t kept =
        pread(channel->log, gw->scratch, LOG_KEEP, (off_t)(channel->log_size - LOG_KEEP));
    if (ftruncate(channel->log, 0) < 0)
        return;
    channel->log_size = 0;
    const char *line = kept > 0 ? memchr(gw->scratch, '\n', (size_t)kept) : NULL;
    if (line == NULL)
        return;
    ssize_t n = write(channel->log, line + 1, (size_t)(gw->scratch + kept - line - 1));
    channel->log_size = n > 0 ? (uint64_t)n : 0;
}

/* Printable bytes and tabs as they are, UTF-8 too; the rest as \xXX: a terminal will show this. */
static void text_line(struct text *text, const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)data[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            text_put(text, "\\x");
            text_hex(text, c, 2);
        } else {
            text_char(text, (char)c);
        }
    }
}

/* "TIME CALL-ID line\n" into the scratch, written at once. */
static void log_line(struct gateway *gw, struct call *call, const char *line, size_t size)
{
    struct channel *channel = call->channel;
    if (call->log_bytes >= STDERR_LOG_MAX)
        return;
    char id_text[CALL_ID_TEXT];
    call_id_text(gw, call->id, id_text);
    struct text text = text_over(gw->scratch, sizeof(gw->scratch));
    text_now(&text);
    text_char(&text, ' ');
    text_put(&text, id_text);
    text_char(&text, ' ');
    text_line(&text, line, size);
    text_char(&text, '\n');
    call->log_bytes += (uint32_t)(text.at - gw->scratch);
    if (call->log_bytes >= STDERR_LOG_MAX) {
        text_now(&text);
        text_char(&text, ' ');
        text_put(&text, id_text);
        text_put(&text, " [skerry: more than 64 KiB of stderr, the rest is not logged]\n");
    }
    ssize_t n = write(channel->log, gw->scratch, (size_t)(text.at - gw->scratch));
    if (n > 0)
        channel->log_size += (uint64_t)n;
    log_cut(gw, channel);
}

void record_stderr(struct gateway *gw, struct call *call, bool ended)
{
    if (call->channel == NULL || call->channel->log < 0) {
        call->err_logged = call->err_size;
        return;
    }
    while (call->err_logged < call->err_size) {
        const char *from = call->err_text + call->err_logged;
        size_t held = call->err_size - call->err_logged;
        const char *newline = memchr(from, '\n', held);
        if (newline == NULL && !ended)
            return;
        size_t size = newline != NULL ? (size_t)(newline - from) : held;
        log_line(gw, call, from, size);
        call->err_logged += (uint32_t)(size + (newline != NULL));
    }
}
