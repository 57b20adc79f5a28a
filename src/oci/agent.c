/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/agent.h"

#include <string.h>

#include "oci/console.h"
#include "oci/json_write.h"

int oci_agent_connect(const struct oci_seccomp *seccomp, const struct oci_filter *filter, int *out,
                      struct err *err)
{
    *out = -1;
    if (seccomp == NULL || seccomp->listener_path == NULL || !filter->notifies)
        return 0;
    int sock = oci_console_connect(seccomp->listener_path, err);
    if (sock < 0)
        return err_prefix(err, "linux.seccomp.listenerPath");
    *out = sock;
    return 0;
}

char *oci_agent_state(const struct oci_spec *spec, pid_t pid, const char *state)
{
    struct json_writer out = {0};
    const char *const names[] = {"seccompFd", NULL};
    const struct oci_seccomp *seccomp = spec->linux_.seccomp;
    json_write_object(&out, NULL);
    json_write_text(&out, "ociVersion", spec->version);
    json_write_texts(&out, "fds", names);
    json_write_int(&out, "pid", pid);
    json_write_text(&out, "metadata",
                    seccomp->listener_metadata != NULL ? seccomp->listener_metadata : "");
    json_write_raw(&out, "state", state, strlen(state));
    json_write_object_end(&out);
    return json_writer_finish(&out) == 0 ? out.data : NULL;
}
