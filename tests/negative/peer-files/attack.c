/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: two sandboxes share a file: one writes a file wherever it can (/tmp, /dev/shm,
 *   /run, /var/tmp, the working directory, /dev, named pipes), the other looks for it.
 * Stopped by: a read-only root; /tmp is a file system of the sandbox's own.
 * Lives in: src/jail (mounts of template and sandbox).
 *
 * Kind: pair
 * Control: user
 */
#include "../harness/attack.h"

static const char *const places[] = {
    "/tmp", "/dev/shm",  "/var/tmp",    "/run",      "/var/run", "/dev",  "/",
    ".",    "/var/lock", "/dev/mqueue", "/run/lock", "/home",    "/root", "/proc/self"};

static void serve(void)
{
    for (size_t i = 0; i < COUNT(places); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/skerry-%s", places[i], bait("MARK"));
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
        if (fd < 0) {
            blocked("%s: %s", path, strerror(errno));
            continue;
        }
        if (write(fd, BAIT_TEXT, sizeof(BAIT_TEXT)) < 0)
            note("write: %s", strerror(errno));
        close(fd);
    }
    puts("ready");
    fflush(stdout);
    pause_ms(3000);
    for (size_t i = 0; i < COUNT(places); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/skerry-%s", places[i], bait("MARK"));
        unlink(path);
    }
}

static void call(void)
{
    for (size_t i = 0; i < COUNT(places); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/skerry-%s", places[i], bait("MARK"));
        if (!path_has_bait(AT_FDCWD, path, "the other sandbox's file"))
            blocked("%s: %s", path, strerror(errno));
    }
}

void attack(void)
{
    if (role_is("serve"))
        serve();
    else
        call();
}
