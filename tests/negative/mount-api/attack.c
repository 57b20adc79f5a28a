/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: the same by the newer calls: fsopen, fsconfig, fsmount, fspick, open_tree,
 *   move_mount, mount_setattr, open_tree_attr; a filter that only knows mount(2) would let
 *   them pass.
 * Stopped by: the filter (default-deny: none is on the list).
 * Lives in: src/jail/filter.c.
 *
 * Control: unshare
 */
#include "../harness/attack.h"

#include <linux/mount.h>

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

void attack(void)
{
    static const char *const types[] = {"tmpfs", "proc", "sysfs", "cgroup2", "overlay", "devpts"};
    for (size_t i = 0; i < COUNT(types); i++) {
        char what[64];
        snprintf(what, sizeof(what), "fsopen %s", types[i]);
        long fs = syscall(SYS_fsopen, types[i], 0);
        if (!attempt(what, fs))
            continue;
        if (syscall(SYS_fsconfig, (int)fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0) {
            long mount = syscall(SYS_fsmount, (int)fs, 0, 0);
            if (mount >= 0)
                attempt("move_mount onto /tmp", syscall(SYS_move_mount, (int)mount, "", AT_FDCWD,
                                                        "/tmp", MOVE_MOUNT_F_EMPTY_PATH));
        }
        close((int)fs);
    }
    attempt("fspick /", syscall(SYS_fspick, AT_FDCWD, "/", 0));
    attempt("fspick /proc", syscall(SYS_fspick, AT_FDCWD, "/proc", 0));
    attempt("open_tree clone of /",
            syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE | AT_RECURSIVE));
    attempt("open_tree clone of /proc", syscall(SYS_open_tree, AT_FDCWD, "/proc", OPEN_TREE_CLONE));
    /* An O_PATH open_tree() needs no privilege; what matters is what can be done with it. */
    long tree = syscall(SYS_open_tree, AT_FDCWD, "/tmp", 0);
    if (tree >= 0)
        attempt("move_mount of /tmp over /proc",
                syscall(SYS_move_mount, (int)tree, "", AT_FDCWD, "/proc", MOVE_MOUNT_F_EMPTY_PATH));
    attempt("move_mount of / into /tmp",
            syscall(SYS_move_mount, AT_FDCWD, "/dev", AT_FDCWD, "/tmp", 0));
    struct mount_attr writable = {.attr_clr =
                                      MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
    attempt("mount_setattr / writable",
            syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, &writable, sizeof(writable)));
    attempt("mount_setattr / recursively",
            syscall(SYS_mount_setattr, AT_FDCWD, "/", AT_RECURSIVE, &writable, sizeof(writable)));
    attempt("open_tree_attr", syscall(SYS_open_tree_attr, AT_FDCWD, "/", OPEN_TREE_CLONE, &writable,
                                      sizeof(writable)));
}
