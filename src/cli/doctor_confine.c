/* SPDX-License-Identifier: Apache-2.0 */
/* Seccomp, Landlock, process descriptors, capabilities. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/doctor.h"

/* Newer than the headers of Debian 12. */
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS _IOW('!', 4, uint64_t)
#endif
#define NOTIF_SYNC_WAKE_UP 1UL /* SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#endif
#define LANDLOCK_VERSION    1u           /* LANDLOCK_CREATE_RULESET_VERSION */
#define PIDFD_MNT_NAMESPACE _IO(0xFF, 3) /* PIDFD_GET_MNT_NAMESPACE, 6.11 */
#define PIDFD_EXIT          (1u << 3)    /* PIDFD_INFO_EXIT, 6.15 */

struct pidfd_answer { /* struct pidfd_info, its first published size */
    uint64_t mask, cgroup_id;
    uint32_t ids[11];
    int32_t exit_code;
};
static_assert(sizeof(struct pidfd_answer) == 64, "PIDFD_GET_INFO is an ABI");
#define PIDFD_INFO _IOWR(0xFF, 11, struct pidfd_answer) /* PIDFD_GET_INFO, 6.13 */

#define CHILD_SYNC  100 /* the child's answers; below it is an errno */
#define CHILD_PLAIN 101

static int try_notify(void *arg)
{
    (void)arg;
    struct sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {.len = 1, .filter = allow};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return EPERM;
    int listener = (int)syscall(
        SYS_seccomp, SECCOMP_SET_MODE_FILTER,
        SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &program);
    if (listener < 0)
        return errno < CHILD_SYNC ? errno : EINVAL;
    return ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, NOTIF_SYNC_WAKE_UP) < 0 ? CHILD_PLAIN
                                                                                  : CHILD_SYNC;
}

static void look_seccomp(const struct settings *settings, struct finding *out)
{
    (void)settings;
    int answer = probe_in_child(try_notify, NULL);
    if (answer == CHILD_SYNC) {
        finding_found(out, "filters, notifications, WAIT_KILLABLE_RECV, SYNC_WAKE_UP");
        return;
    }
    if (answer == CHILD_PLAIN) {
        finding_found(out, "filters, notifications, WAIT_KILLABLE_RECV; no SYNC_WAKE_UP (6.6)");
        finding_set(out, FINDING_OK, "The first socket of a sandbox takes some microseconds more.",
                    "");
        return;
    }
    finding_found(out, "no notifications (%s)", answer > 0 ? strerror(answer) : "the probe failed");
    finding_set(out, FINDING_MISSING,
                "Every sandbox is under a filter and gets its network by one.",
                "Within a container, allow seccomp(2) in its profile; else a kernel with "
                "CONFIG_SECCOMP_FILTER is needed.");
}

static void look_landlock(const struct settings *settings, struct finding *out)
{
    (void)settings;
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION);
    if (version > 0) {
        finding_found(out, "ABI %ld", version);
        if (version < 6)
            finding_set(out, FINDING_OK,
                        "From ABI 6 on (Linux 6.12) it also holds abstract sockets and signals.",
                        "");
        return;
    }
    finding_found(out, errno == EOPNOTSUPP ? "in the kernel, but not switched on" : "not there");
    finding_set(out, FINDING_LIMITED, "A sandbox is confined without this second layer.",
                "Add landlock to the lsm= list of the kernel's command line.");
}

static void look_pidfd(const struct settings *settings, struct finding *out)
{
    (void)settings;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return;
    pid_t child = fork();
    if (child == 0) {
        char byte;
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) == 0 ? 7 : 1);
    }
    close(ends[0]);
    fd_owner pidfd = (int)syscall(SYS_pidfd_open, child, 0);
    fd_owner mounts = ioctl(pidfd, PIDFD_MNT_NAMESPACE, 0);
    bool has_mounts = mounts >= 0;
    close(ends[1]);
    waitpid(child, NULL, 0);
    struct pidfd_answer answer = {.mask = PIDFD_EXIT};
    bool has_exit = ioctl(pidfd, PIDFD_INFO, &answer) == 0 && (answer.mask & PIDFD_EXIT) != 0;
    finding_found(out, "%s, %s, %s", pidfd >= 0 ? "pidfd_open" : "no pidfd_open",
                  has_mounts ? "GET_MNT_NAMESPACE" : "no GET_MNT_NAMESPACE (6.11)",
                  has_exit ? "INFO_EXIT" : "no INFO_EXIT (6.15)");
    if (pidfd < 0)
        finding_set(out, FINDING_MISSING, "Processes are killed and waited for by descriptor.",
                    "Boot a newer kernel.");
    else if (!has_mounts || !has_exit)
        finding_set(out, FINDING_OK, "What is missing has a substitute.", "");
}

/* Numbers of <linux/capability.h>. */
static const struct {
    unsigned int number;
    const char *name;
} capabilities[] = {{21, "SYS_ADMIN"}, {7, "SETUID"}, {6, "SETGID"},
                    {5, "KILL"},       {27, "MKNOD"}, {19, "SYS_PTRACE"}};

static void look_capabilities(const struct settings *settings, struct finding *out)
{
    (void)settings;
    if (geteuid() != 0) {
        finding_found(out, "none, as a user without root");
        return;
    }
    char line[128], lacking[128] = "";
    unsigned long long held = 0;
    FILE *file = fopen("/proc/self/status", "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        sscanf(line, "CapEff: %llx", &held);
    if (file != NULL)
        fclose(file);
    for (size_t i = 0; i < sizeof(capabilities) / sizeof(capabilities[0]); i++) {
        if (held >> capabilities[i].number & 1)
            continue;
        strncat(lacking, " CAP_", sizeof(lacking) - strlen(lacking) - 1);
        strncat(lacking, capabilities[i].name, sizeof(lacking) - strlen(lacking) - 1);
    }
    if (lacking[0] == '\0') {
        finding_found(out, "root has those that are used");
        return;
    }
    finding_found(out, "root lacks%s", lacking);
    finding_set(out, FINDING_LIMITED, "The daemon, and run as root, may fail to make a sandbox.",
                "Give the container these capabilities, or run without root.");
}

const struct probe probes_confine[] = {
    {"seccomp", "system call filters", look_seccomp},
    {"landlock", "Landlock", look_landlock},
    {"pidfd", "process descriptors", look_pidfd},
    {"capabilities", "capabilities", look_capabilities},
    {NULL, NULL, NULL},
};
