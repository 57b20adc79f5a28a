/* SPDX-License-Identifier: Apache-2.0 */
/* start: tells the waiting init to go on, and learns by a pipe whether its program could be
 * executed. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "oci/console.h"
#include "oci/hooks.h"
#include "oci/start.h"
#include "oci/sys.h"
#include "oci/tier.h"
#include "oci/verb.h"

static int connect_init(const struct oci_place *place, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    fd_owner sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/start", place->dir);
    if (sock < 0 || connect(sock, (struct sockaddr *)&address, sizeof(address)) < 0)
        return err_set(err, errno, "reach the init of container %s:", place->id);
    return fd_steal(&sock);
}

/* An empty answer: the pipe was closed by the execve. */
static int await_program(int answer, const struct oci_place *place, struct err *err)
{
    struct err why = {0};
    ssize_t got = fd_read_all(answer, &why, sizeof(why));
    if (got == (ssize_t)sizeof(why)) {
        why.text[sizeof(why.text) - 1] = '\0';
        if (err != NULL)
            *err = why;
        return why.code > 0 ? -why.code : -EINVAL;
    }
    return got == 0 ? 0 : err_set(err, EPROTO, "start container %s: a broken answer", place->id);
}

int oci_start_poststart(const struct oci_spec *spec, struct oci_state *state, struct err *err)
{
    if (spec->hooks[OCI_HOOK_POSTSTART].count == 0)
        return 0;
    char *text = oci_state_text(state, OCI_STATUS_RUNNING, state->init.pid, false);
    int result = text == NULL ? err_set(err, ENOMEM, "the state for hooks:")
                              : oci_hooks_run(spec, OCI_HOOK_POSTSTART, text, err);
    if (result < 0) { /* the specification: an error, and the container is stopped */
        fd_owner init = oci_process_open(&state->init);
        if (init >= 0)
            sys_pidfd_kill(init, SIGKILL);
    }
    return result;
}

static int run_poststart(const struct oci_place *place, struct oci_state *state, struct err *err)
{
    struct oci_spec spec;
    if (state->no_poststart)
        return 0;
    int result = oci_spec_load(place->dir, &spec, err);
    if (result < 0)
        return result;
    result = oci_start_poststart(&spec, state, err);
    oci_spec_free(&spec);
    return result;
}

int oci_start_created(const struct oci_place *place, struct oci_state *state, struct err *err)
{
    int ends[2];
    fd_owner sock = connect_init(place, err);
    if (sock < 0)
        return sock;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_set(err, errno, "pipe:");
    int result = oci_send_descriptor(sock, ends[1], "start");
    close(ends[1]);
    if (result < 0)
        err_set(err, -result, "reach the init of container %s:", place->id);
    else
        result = await_program(ends[0], place, err);
    close(ends[0]);
    return result == 0 ? run_poststart(place, state, err) : result;
}

static int start_by_tier(const struct oci_place *place, struct oci_state *state, struct err *err)
{
    const struct oci_tier_ops *tier = oci_tier_of(state->annotations, err);
    return tier == NULL ? -err->code : tier->start(place, state, err);
}

int oci_start(struct oci_call *call, struct err *err)
{
    struct oci_place place;
    struct oci_state state;
    int result = oci_place_open(call->root, call->argv[0], true, &place, err);
    if (result < 0)
        return result;
    result = oci_state_load(&place, &state, err);
    if (result == 0) {
        enum oci_status status = oci_state_status(&place, &state);
        if (status != OCI_STATUS_CREATED)
            result = err_set(err, EINVAL, "cannot start container %s that is %s", place.id,
                             oci_status_name(status));
        else
            result = start_by_tier(&place, &state, err);
        oci_state_free(&state);
    }
    oci_place_close(&place);
    return result;
}
