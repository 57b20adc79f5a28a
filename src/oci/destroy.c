/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a container: everything that its record names is ended and removed, whatever of it
 * exists. Works from the record alone, so also after a death of the runtime at any point. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "oci/container.h"
#include "oci/hooks.h"
#include "oci/init.h"
#include "oci/rdt.h"
#include "oci/report.h"
#include "oci/sys.h"

/*
 * SIGKILL, and wait until it is dead: pid 1 of a pid namespace takes all others with it first. Who
 * is frozen by v1's freezer dies only when it is thawed, and then before it runs on.
 */
static void end_process(const struct oci_process_id *id, const struct oci_cgroup *cgroup)
{
    fd_owner pidfd = oci_process_open(id);
    if (pidfd < 0 || sys_pidfd_kill(pidfd, SIGKILL) < 0)
        return;
    if (cgroup != NULL && oci_cgroup_frozen(cgroup) > 0) {
        struct err ignored = {0};
        oci_cgroup_kill(cgroup, SIGKILL, &ignored); /* thaws */
    }
    struct pollfd wait = {.fd = pidfd, .events = POLLIN};
    while (poll(&wait, 1, -1) < 0 && errno == EINTR)
        ;
}

static void run_poststop(const struct oci_settings *set, const struct oci_place *place,
                         struct oci_state *state)
{
    struct oci_spec spec;
    struct err err = {0};
    if (state->no_poststop || oci_spec_load(place->dir, &spec, &err) < 0)
        return; /* it died before the configuration was kept: nothing was begun */
    struct oci_hooks *hooks = &spec.hooks[OCI_HOOK_POSTSTOP];
    struct oci_hooks all = *hooks;
    char *text = all.count > 0 ? oci_state_text(state, OCI_STATUS_STOPPED, 0, false) : NULL;
    hooks->count = 1;
    for (size_t i = 0; text != NULL && i < all.count; i++) {
        hooks->items = &all.items[i];
        if (oci_hooks_run(&spec, OCI_HOOK_POSTSTOP, text, &err) < 0)
            oci_report(set, "warning", err.text);
    }
    oci_spec_free(&spec);
}

static int drop_mounts(const struct oci_place *place, const struct oci_state *state,
                       struct err *err)
{
    struct oci_spec spec;
    struct err ignored = {0};
    if (oci_spec_load(place->dir, &spec, &ignored) < 0)
        return 0; /* it died before the configuration was kept: nothing was begun */
    int result = oci_rootfs_unmount(&spec, state->rootfs, err);
    oci_spec_free(&spec);
    return result;
}

int oci_container_destroy(const struct oci_settings *set, struct oci_place *place,
                          struct oci_state *state, struct err *err)
{
    int result = 0;
    end_process(&state->init, state->no_cgroup ? NULL : &state->cgroup);
    /* without an own pid namespace, init's death ends nobody else */
    if (!state->no_cgroup) {
        struct err ignored = {0};
        oci_cgroup_kill(&state->cgroup, SIGKILL, &ignored);
        oci_cgroup_freeze(&state->cgroup, false, &ignored);
        result = oci_cgroup_remove(&state->cgroup, err);
    }
    if (result == 0 && state->rdt)
        result = oci_rdt_remove(state->id, err);
    if (result == 0 && state->shared_mounts)
        result = drop_mounts(place, state, err);
    if (result < 0)
        return result;
    run_poststop(set, place, state);
    return oci_place_remove(place, err);
}
