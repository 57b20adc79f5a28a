/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/inherited.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define INHERITED_MAX 4096

/* The protocol of systemd's socket activation. */
static uint32_t listen_count(void)
{
    const char *count = getenv("LISTEN_FDS");
    const char *pid = getenv("LISTEN_PID");
    if (count == NULL || pid == NULL || strtol(pid, NULL, 10) != (long)getpid())
        return 0;
    long number = strtol(count, NULL, 10);
    return number > 0 && number <= INHERITED_MAX ? (uint32_t)number : 0;
}

int oci_inherited_count(uint32_t preserve, uint32_t *out_listen, uint32_t *out_all, struct err *err)
{
    uint32_t listen = listen_count();
    if (preserve > INHERITED_MAX)
        return err_set(err, EINVAL, "--preserve-fds %u: at most %d", preserve, INHERITED_MAX);
    for (uint32_t i = 0; i < listen + preserve; i++) {
        if (fcntl(3 + (int)i, F_GETFD) < 0)
            return err_set(err, errno, "descriptor %u is to be preserved, but is not open:", 3 + i);
    }
    *out_listen = listen;
    *out_all = listen + preserve;
    return 0;
}
