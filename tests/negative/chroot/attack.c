/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: the old way out of a chroot: chroot below the working directory, then climb; and
 *   pivot_root.
 * Stopped by: the filter (chroot and pivot_root are not on the list); there is nothing above
 *   the root to climb to.
 * Lives in: src/jail/filter.c, zygote's pivot_root.
 *
 * Control: unshare
 */
#include "../harness/attack.h"

void attack(void)
{
    int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    mkdir("/tmp/chroot-jail", 0700);
    if (attempt("chroot /tmp/chroot-jail", syscall(SYS_chroot, "/tmp/chroot-jail"))) {
        if (root >= 0)
            note("fchdir to the old root: %ld", syscall(SYS_fchdir, root));
        for (int i = 0; i < 200; i++)
            if (chdir("..") < 0)
                break;
        attempt("chroot to what lies above", syscall(SYS_chroot, "."));
        path_has_bait(AT_FDCWD, bait("FILE"), "after climbing");
    }
    attempt("chroot /", syscall(SYS_chroot, "/"));
    attempt("pivot_root", syscall(SYS_pivot_root, "/tmp", "/tmp"));
    attempt("pivot_root .", syscall(SYS_pivot_root, ".", "."));
}
