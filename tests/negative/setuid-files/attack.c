/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: the image (or root file system) that the user supplied holds set-uid and set-gid
 *   copies of the attack, owned by root, and one with file capabilities; executes them and
 *   looks whether that raised anything.
 * Stopped by: the image is mounted nosuid; NO_NEW_PRIVS.
 * Lives in: src/jail (zygote's mount_setattr, NO_NEW_PRIVS).
 *
 * Control: user
 * Needs: setuid-rootfs
 * Runs: none own after rootless
 */
#include "../harness/attack.h"

#include <linux/capability.h>

static void look(void)
{
    const char *before = getenv("IDS_BEFORE");
    char now[128];
    snprintf(now, sizeof(now), "%u %u %u %u", geteuid(), getegid(), getuid(), getgid());
    if (before && strcmp(before, now) != 0)
        got("ids were \"%s\", are \"%s\"", before, now);
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    memset(data, 0, sizeof(data));
    if (syscall(SYS_capget, &header, data) == 0 && (data[0].effective | data[0].permitted))
        got("capabilities 0x%x", data[0].permitted);
    blocked("executed, nothing raised");
}

static void execute(void *arg)
{
    char *argv[] = {(char *)"attack", NULL};
    execve(arg, argv, environ);
    blocked("%s: %s", (const char *)arg, strerror(errno));
}

void attack(void)
{
    if (getenv("IDS_BEFORE")) {
        look();
        return;
    }
    char now[128];
    snprintf(now, sizeof(now), "%u %u %u %u", geteuid(), getegid(), getuid(), getgid());
    setenv("IDS_BEFORE", now, 1);
    static const char *const names[] = {"setuid", "setgid", "filecap"};
    for (size_t i = 0; i < COUNT(names); i++) {
        char path[300];
        snprintf(path, sizeof(path), "%s/%s", bait("SETUID_DIR"), names[i]);
        pid_t child = fork();
        if (child == 0) {
            execute(path);
            _exit(1);
        }
        if (child < 0) {
            blocked("%s: fork: %s", path, strerror(errno));
            continue;
        }
        int status = 0;
        waitpid(child, &status, 0);
        /* The executed copy has a count of its own; its exit status tells. */
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
            got("%s raised its privilege", path);
    }
}
