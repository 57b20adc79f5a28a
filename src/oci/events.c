/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `events`: what a container uses, once (--stats) or again and again until it ends, and that the
 * kernel killed for want of memory. One JSON object a line, as runc writes them.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/size.h"
#include "oci/state.h"
#include "oci/verb.h"

static int put_line(struct json_writer *out, struct err *err)
{
    int result = json_writer_finish(out);
    if (result == 0 && (printf("%s\n", out->data) < 0 || fflush(stdout) != 0))
        result = -errno;
    json_writer_free(out);
    return result < 0 ? err_set(err, -result, "write an event:") : 0;
}

static int put_stats(const struct oci_state *state, struct err *err)
{
    struct json_writer out = {0};
    json_write_object(&out, NULL);
    json_write_text(&out, "type", "stats");
    json_write_text(&out, "id", state->id);
    int result = oci_cgroup_stats(&state->cgroup, "data", &out, err);
    json_write_object_end(&out);
    if (result == 0)
        return put_line(&out, err);
    json_writer_free(&out);
    return result;
}

static int put_oom(const struct oci_state *state, struct err *err)
{
    struct json_writer out = {0};
    json_write_object(&out, NULL);
    json_write_text(&out, "type", "oom");
    json_write_text(&out, "id", state->id);
    json_write_object_end(&out);
    return put_line(&out, err);
}

static int follow(const struct oci_state *state, int interval_ms, struct err *err)
{
    fd_owner process = oci_process_open(&state->init);
    int64_t kills = oci_cgroup_oom_kills(&state->cgroup);
    int result = 0;
    while (result == 0 && process >= 0) {
        struct pollfd wait = {.fd = process, .events = POLLIN};
        int ready = poll(&wait, 1, interval_ms);
        if (ready < 0 && errno != EINTR)
            return err_set(err, errno, "wait for events:");
        int64_t now = oci_cgroup_oom_kills(&state->cgroup);
        if (now > kills && kills >= 0)
            result = put_oom(state, err);
        kills = now;
        if (ready > 0)
            return result;
        if (ready == 0 && result == 0)
            result = put_stats(state, err);
    }
    return result;
}

int oci_events(struct oci_call *call, struct err *err)
{
    struct oci_state state = {0};
    struct oci_place place = {.dir = -1, .lock = -1};
    uint64_t interval_ns = 5000000000;
    const char *interval = call->set.interval;
    if (interval != NULL && (duration_parse(interval, &interval_ns) < 0 || interval_ns < 1000000 ||
                             interval_ns / 1000000 > INT32_MAX))
        return err_set(err, EINVAL, "--interval: \"%.40s\" is no duration like 5s or 500ms",
                       interval);
    int result = oci_place_open(call->root, call->argv[0], false, &place, err);
    if (result < 0)
        return result;
    result = oci_state_load(&place, &state, err);
    if (result == 0 && oci_state_status(&place, &state) == OCI_STATUS_STOPPED)
        result = err_set(err, ESRCH, "the container %s has stopped", state.id);
    if (result == 0)
        result = call->set.stats ? put_stats(&state, err)
                                 : follow(&state, (int)(interval_ns / 1000000), err);
    oci_state_free(&state);
    oci_place_close(&place);
    return result;
}
