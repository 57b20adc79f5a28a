/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: becomes another user: every set*id call to 0 and to the neighbouring uids,
 *   supplementary groups, files given away, set-uid bits and file capabilities on a file of
 *   its own in /tmp.
 * Stopped by: no CAP_SETUID or CAP_SETGID; uid 0 of the host is not mapped; /tmp is nosuid;
 *   NO_NEW_PRIVS.
 * Lives in: src/jail (zygote, sandbox).
 *
 * Control: root
 */
#include "../harness/attack.h"

#include <sys/fsuid.h>
#include <sys/xattr.h>

static void as(void *arg)
{
    unsigned int id = *(const unsigned int *)arg;
    if (id == geteuid() || id == UINT32_MAX) /* -1 changes nothing */
        return;
    attempt("setresuid", syscall(SYS_setresuid, id, id, id));
    attempt("setuid", syscall(SYS_setuid, id));
    attempt("setreuid", syscall(SYS_setreuid, id, id));
    syscall(SYS_setfsuid, id);
    if ((unsigned int)syscall(SYS_setfsuid, -1) == id)
        got("setfsuid %u", id);
    attempt("setgid", syscall(SYS_setgid, id));
    attempt("setresgid", syscall(SYS_setresgid, id, id, id));
    attempt("setgroups", syscall(SYS_setgroups, 1, &id));
}

static void files(void)
{
    int fd = open("/tmp/become-root", O_RDWR | O_CREAT | O_CLOEXEC, 0700);
    if (fd < 0)
        return;
    if (geteuid() != 0 || is_control())
        attempt("chown to 0", syscall(SYS_fchown, fd, 0, 0));
    attempt("chown to the next uid", syscall(SYS_fchown, fd, geteuid() + 1, -1));
    struct {
        uint32_t magic, permitted, inheritable, permitted2, inheritable2, root;
    } caps = {0x03000001, ~0U, 0, ~0U, 0, 0};
    attempt("file capabilities",
            syscall(SYS_fsetxattr, fd, "security.capability", &caps, sizeof(caps), 0));
    attempt("trusted attribute", syscall(SYS_fsetxattr, fd, "trusted.skerry", "x", 1, 0));
    close(fd);
    unlink("/tmp/become-root");
}

void attack(void)
{
    unsigned int own = geteuid();
    unsigned int ids[] = {0, own + 1, own - 1, 65534, 100000};
    if (is_control())
        ids[0] = 12345;
    for (size_t i = 0; i < COUNT(ids); i++)
        in_child("another user", as, &ids[i]);
    files();
}
