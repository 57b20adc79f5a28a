/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "oci/container.h"
#include "oci/verb.h"

/* Not even a first record: its creator died at once, and nothing else was made. */
static int delete_unrecorded(struct oci_place *place, struct err *err)
{
    return oci_place_remove(place, err);
}

int oci_delete(struct oci_call *call, struct err *err)
{
    struct oci_place place;
    struct oci_state state;
    int result = oci_place_open(call->root, call->argv[0], true, &place, err);
    if (result == -ENOENT && call->set.force)
        return 0;
    if (result < 0)
        return result;
    result = oci_state_load(&place, &state, err);
    if (result == -ENOENT || ((result == -EINVAL || result == -EFBIG) && call->set.force)) {
        result = delete_unrecorded(&place, err);
        oci_place_close(&place);
        return result;
    }
    if (result == 0) {
        enum oci_status status = oci_state_status(&place, &state);
        if (status != OCI_STATUS_STOPPED && !call->set.force)
            result = err_set(err, EBUSY,
                             "cannot delete container %s that is not stopped: %s "
                             "(--force kills it)",
                             place.id, oci_status_name(status));
        else
            result = oci_container_destroy(&call->set, &place, &state, err);
        oci_state_free(&state);
    }
    oci_place_close(&place);
    return result;
}
