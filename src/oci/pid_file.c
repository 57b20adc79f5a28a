/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/pid_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"

int oci_pid_file_write(const char *path, pid_t pid, struct err *err)
{
    char text[16];
    char part[PATH_MAX];
    if (path == NULL)
        return 0;
    int length = snprintf(part, sizeof(part), "%s.part", path);
    if (length < 0 || (size_t)length >= sizeof(part))
        return err_set(err, ENAMETOOLONG, "--pid-file:");
    snprintf(text, sizeof(text), "%d", (int)pid);
    fd_owner fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    int result = fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));
    if (result == 0 && rename(part, path) < 0)
        result = -errno;
    return result < 0 ? err_set(err, -result, "write --pid-file %s:", path) : 0;
}
