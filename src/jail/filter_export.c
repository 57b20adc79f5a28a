/* SPDX-License-Identifier: Apache-2.0 */
/* See filter_export.h. */
#include "jail/filter_export.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

scmp_filter_ctx filter_begin(uint32_t default_action, struct err *err)
{
    scmp_filter_ctx filter = seccomp_init(default_action);
    if (filter == NULL) {
        err_set(err, ENOMEM, "seccomp_init:");
        return NULL;
    }
    int result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree, not a list */
    if (result < 0) {
        err_set(err, -result, "ask libseccomp for a tree:");
        seccomp_release(filter);
        return NULL;
    }
    return filter;
}

int filter_export(scmp_filter_ctx filter, struct sock_filter *code, uint32_t room, struct err *err)
{
    fd_owner file = (int)syscall(SYS_memfd_create, "filter", 1u /* MFD_CLOEXEC */);
    if (file < 0)
        return err_set(err, errno, "memfd for the seccomp filter:");
    int result = seccomp_export_bpf(filter, file);
    if (result < 0)
        return err_set(err, -result, "compile the seccomp filter:");
    if (lseek(file, 0, SEEK_SET) < 0)
        return err_set(err, errno, "read the compiled seccomp filter:");
    ssize_t size = fd_read_all(file, code, room * sizeof(*code));
    if (size <= 0 || (size_t)size % sizeof(*code) != 0)
        return err_set(err, EIO, "read the compiled seccomp filter");
    char more;
    if (read(file, &more, 1) != 0)
        return err_set(err, E2BIG, "the seccomp filter has more than %u instructions", room);
    return (int)((size_t)size / sizeof(*code));
}
