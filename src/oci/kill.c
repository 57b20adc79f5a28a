/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>

#include "base/fd.h"
#include "oci/names.h"
#include "oci/state.h"
#include "oci/sys.h"
#include "oci/verb.h"

static int kill_init(const struct oci_place *place, const struct oci_state *state, int number,
                     struct err *err)
{
    fd_owner init = oci_process_open(&state->init);
    int result = init < 0 ? init : sys_pidfd_kill(init, number);
    if (result == -ESRCH)
        return err_set(err, ESRCH, "container %s is not running", place->id);
    return result < 0 ? err_set(err, -result, "signal container %s:", place->id) : 0;
}

int oci_kill(struct oci_call *call, struct err *err)
{
    struct oci_place place;
    struct oci_state state;
    int number = call->argc > 1 ? oci_signal_number(call->argv[1]) : SIGTERM;
    if (number < 0)
        return err_set(err, EINVAL, "unknown signal %s", call->argv[1]);
    int result = oci_place_open(call->root, call->argv[0], false, &place, err);
    if (result < 0)
        return result;
    result = oci_state_load(&place, &state, err);
    if (result == 0) {
        if (call->set.all && !state.no_cgroup)
            result = oci_cgroup_kill(&state.cgroup, number, err);
        else
            result = kill_init(&place, &state, number, err);
        oci_state_free(&state);
    }
    oci_place_close(&place);
    return result;
}
