/* SPDX-License-Identifier: Apache-2.0 */
/* state.json: what is read is written and read again, and means the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "oci/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct oci_state state = {0};
    struct err err = {0};
    char *text = malloc(size + 1); /* exactly: a read behind it is seen */
    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    if (oci_state_parse(text, size, &state, &err) == 0) {
        for (unsigned int i = 0; i < state.cgroup.count; i++) {
            if (strstr(state.cgroup.trees[i].path, "/..") == state.cgroup.trees[i].path &&
                (state.cgroup.trees[i].path[3] == '/' || state.cgroup.trees[i].path[3] == '\0'))
                abort(); /* delete would climb out of the hierarchy */
        }
        if (oci_state_text(&state, OCI_STATUS_CREATED, 1, true) == NULL)
            abort();
        oci_state_free(&state);
    } else if (err.text[0] == '\0') {
        abort();
    }
    free(text);
    return 0;
}
