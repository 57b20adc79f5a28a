/* SPDX-License-Identifier: Apache-2.0 */
/* create and run. */
#include <errno.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "oci/container.h"
#include "oci/foreground.h"
#include "oci/report.h"
#include "oci/start.h"

int oci_create(struct oci_call *call, struct err *err)
{
    struct oci_container container;
    int result = oci_container_create(call, call->argv[0], false, &container, err);
    if (result == 0)
        oci_container_close(&container);
    return result;
}

static int destroy(struct oci_call *call, struct oci_container *container, struct err *err)
{
    return oci_container_destroy(&call->set, &container->place, &container->state, err);
}

/* What is left of a run whose start failed. */
static void give_up(struct oci_call *call, struct oci_container *container)
{
    struct err err = {0};
    if (destroy(call, container, &err) < 0)
        oci_report(&call->set, "warning", err.text);
}

int oci_run(struct oci_call *call, struct err *err)
{
    struct oci_container container;
    struct oci_terminal terminal = {.near = -1};
    if (!call->set.detach && !call->set.no_subreaper)
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    int result = oci_container_create(call, call->argv[0], true, &container, err);
    if (result < 0)
        return result;
    result = oci_start_poststart(&container.spec, &container.state, err);
    if (result == 0 && !call->set.detach && container.console_near >= 0)
        result = oci_terminal_take(container.console_near, &terminal, err);
    if (result < 0) {
        give_up(call, &container);
    } else if (!call->set.detach) {
        result = oci_foreground(container.pid, container.pidfd, &terminal, err);
        oci_terminal_restore(&terminal);
        struct err left = {0};
        if (!call->set.keep && destroy(call, &container, &left) < 0)
            oci_report(&call->set, "error", left.text);
    }
    oci_container_close(&container);
    return result;
}
