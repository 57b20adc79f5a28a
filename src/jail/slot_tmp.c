/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See slot_tmp.h. Mounting a tmpfs and dropping it with its mount namespace is a sixth of what a
 * request costs the kernel, and most programs leave /tmp alone.
 *
 * How a use is seen: tmpfs numbers its files in turn, so a file of ours that has not the next
 * number tells of another that was made meanwhile, even one without a name; a file that is still
 * there (an open one in a message that nobody will read) is missing in the count of free ones;
 * whatever changes the directory changes its times. Reading it changes nothing (MS_NODIRATIME).
 */
#include "jail/slot_tmp.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "jail/raw.h"
#include "jail/slot.h"

/* The number that the next file gets; 0 when none can be made. */
static uint64_t next_inode(void)
{
    struct stat status = {0};
    long fd = raw4(SYS_openat, AT_FDCWD, "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return 0;
    long result = raw2(SYS_fstat, fd, &status);
    raw1(SYS_close, fd);
    return result < 0 ? 0 : status.st_ino;
}

static int look(struct stat *directory, uint64_t *inodes_free)
{
    struct statfs room = {0};
    if (raw4(SYS_newfstatat, AT_FDCWD, "/tmp", directory, 0) < 0 ||
        raw2(SYS_statfs, "/tmp", &room) < 0)
        return 0;
    *inodes_free = room.f_ffree;
    return 1;
}

long slot_tmp_mount(struct slot *slot)
{
    struct stat directory;
    long result = FURNISH(SYS_mount, "tmp", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV | MS_NODIRATIME,
                          zygote.tmp_options);
    if (result < 0)
        return result;
    /* whoever owns the directory could change more of it than is looked at: always a new one then
     */
    slot->has_mounts = !(zygote.hand.plan.flags & FUNCTION_RENEW_ALL) &&
                       zygote.hand.plan.uid != 0 && !zygote.hand.plan.rootless &&
                       look(&directory, &slot->tmp_inodes_free);
    if (slot->has_mounts) {
        slot->tmp_changed = directory.st_ctim;
        slot->tmp_last_inode = next_inode();
    }
    return 0;
}

int slot_tmp_untouched(struct slot *slot)
{
    struct stat directory = {0};
    uint64_t inodes_free = 0;
    /* an open directory in a message that nobody will read can hold a lock: EBUSY. Else this marks
     * the mount, and the next look takes the mark off */
    if (FURNISH(SYS_umount2, "/tmp", MNT_EXPIRE, 0, 0, 0) != -EAGAIN)
        return 0;
    if (!look(&directory, &inodes_free) || inodes_free != slot->tmp_inodes_free ||
        directory.st_ctim.tv_sec != slot->tmp_changed.tv_sec ||
        directory.st_ctim.tv_nsec != slot->tmp_changed.tv_nsec)
        return 0;
    uint64_t inode = next_inode();
    if (inode == 0 || inode != slot->tmp_last_inode + 1)
        return 0;
    slot->tmp_last_inode = inode;
    return 1;
}
