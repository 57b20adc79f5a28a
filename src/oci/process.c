/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "oci/sys.h"

#define IOPRIO_WHO_PROCESS 1

void oci_process_reset_signals(void)
{
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigset_t none;
    for (int number = 1; number < NSIG; number++)
        sigaction(number, &standard, NULL); /* KILL, STOP and libc's own cannot be */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

int oci_process_limit(const struct oci_process *process, pid_t pid, bool rootless, struct err *err)
{
    char path[48];
    char text[16];
    for (size_t i = 0; i < process->rlimit_count; i++) {
        const struct oci_rlimit *limit = &process->rlimits[i];
        uint64_t values[2] = {limit->soft, limit->hard};
        long result = raw4(SYS_prlimit64, pid, limit->resource, values, NULL);
        if (result < 0)
            return err_set(err, (int)-result,
                           "process.rlimits: set limit %d to %llu:%llu:", limit->resource,
                           (unsigned long long)limit->soft, (unsigned long long)limit->hard);
    }
    if (!process->oom_score_adj.set)
        return 0;
    snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
    snprintf(text, sizeof(text), "%d", (int)process->oom_score_adj.value);
    int result = fd_write_file_at(AT_FDCWD, path, text);
    if (result < 0 && !(rootless && (result == -EACCES || result == -EPERM)))
        return err_set(err, -result, "process.oomScoreAdj: set it to %s:", text);
    return 0;
}

static int set_scheduler(const struct oci_scheduler *scheduler, struct err *err)
{
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } attributes = {.size = sizeof(attributes),
                    .policy = scheduler->policy,
                    .flags = scheduler->flags,
                    .nice = scheduler->nice,
                    .priority = scheduler->priority,
                    .runtime = scheduler->runtime_ns,
                    .deadline = scheduler->deadline_ns,
                    .period = scheduler->period_ns};
    long result = raw3(SYS_sched_setattr, 0, &attributes, 0);
    return result < 0 ? err_set(err, (int)-result, "process.scheduler:") : 0;
}

/* The label that the next execve takes. */
static int set_label(int proc, const char *module, const char *text, const char *name,
                     struct err *err)
{
    char path[64];
    snprintf(path, sizeof(path), "thread-self/attr/%sexec", module);
    int result = fd_write_file_at(proc, path, text);
    if (result == -ENOENT && module[0] != '\0')
        result = fd_write_file_at(proc, "thread-self/attr/exec", text);
    return result < 0 ? err_set(err, -result, "process.%s: apply \"%s\":", name, text) : 0;
}

int oci_process_label(const struct oci_process *process, int proc, struct err *err)
{
    char text[512];
    int result = 0;
    if (process->apparmor_profile != NULL && access("/sys/module/apparmor", F_OK) == 0) {
        snprintf(text, sizeof(text), "exec %s", process->apparmor_profile);
        result = set_label(proc, "apparmor/", text, "apparmorProfile", err);
    }
    if (result == 0 && process->selinux_label != NULL)
        result = set_label(proc, "", process->selinux_label, "selinuxLabel", err);
    return result;
}

int oci_process_prepare(const struct oci_process *process, const struct oci_spec *spec,
                        struct err *err)
{
    int result = process->scheduler != NULL ? set_scheduler(process->scheduler, err) : 0;
    if (result == 0 && process->io_priority != NULL) {
        long set =
            raw3(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0,
                 (process->io_priority->class_number << 13) | process->io_priority->priority);
        if (set < 0)
            result = err_set(err, (int)-set, "process.ioPriority:");
    }
    if (result == 0 && spec->linux_.personality.set &&
        personality((unsigned long)spec->linux_.personality.value) < 0)
        result = err_set(err, errno, "linux.personality:");
    return result;
}

int oci_process_enter_cwd(const struct oci_process *process, struct err *err)
{
    char here[PATH_MAX] = "";
    if (chdir(process->cwd) < 0)
        return err_set(err, errno, "process.cwd: enter %s:", process->cwd);
    /* a descriptor of the host among the container's (CVE-2024-21626) would lead outside: the
     * kernel then gives a path that does not begin with a slash */
    if (raw2(SYS_getcwd, here, sizeof(here)) < 0 || here[0] != '/')
        return err_set(err, EPERM, "process.cwd: %s is outside of the container's root",
                       process->cwd);
    return 0;
}

/* --- user and capabilities --- */

static int set_capabilities(const struct oci_capabilities *sets, bool keep_admin, struct err *err)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    uint64_t admin = keep_admin ? UINT64_C(1) << CAP_SYS_ADMIN : 0;
    uint64_t effective = sets->effective | admin;
    uint64_t permitted = sets->permitted | sets->effective | admin;
    struct __user_cap_data_struct data[2] = {
        {(uint32_t)effective, (uint32_t)permitted, (uint32_t)sets->inheritable},
        {(uint32_t)(effective >> 32), (uint32_t)(permitted >> 32),
         (uint32_t)(sets->inheritable >> 32)}};
    long result = raw2(SYS_capset, &header, data);
    if (result < 0)
        return err_set(err, (int)-result, "process.capabilities:");
    if (sets->ambient != 0)
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    for (unsigned long i = 0; i < 64; i++) {
        if ((sets->ambient >> i & 1) != 0 &&
            prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) < 0)
            return err_set(err, errno,
                           "process.capabilities.ambient: raise capability %lu (it must be "
                           "permitted and inheritable too):",
                           i);
    }
    return 0;
}

static int drop_bounding(uint64_t keep, struct err *err)
{
    for (unsigned long i = 0; i < 64; i++) {
        if ((keep >> i & 1) != 0)
            continue;
        if (prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0) {
            if (errno == EINVAL)
                break; /* the kernel has no more */
            return err_set(err, errno, "process.capabilities.bounding:");
        }
    }
    return 0;
}

static int set_ids(const struct oci_user *user, struct err *err)
{
    long result = raw2(SYS_setgroups, user->gid_count, user->additional_gids);
    /* in a user namespace without it (setgroups: deny) there are none to be rid of */
    if (result < 0 && !(user->gid_count == 0 && result == -EPERM))
        return err_set(err, (int)-result, "process.user.additionalGids:");
    result = raw3(SYS_setresgid, user->gid, user->gid, user->gid);
    if (result < 0)
        return err_set(err, (int)-result, "process.user.gid %u (is it mapped?):", user->gid);
    result = raw3(SYS_setresuid, user->uid, user->uid, user->uid);
    if (result < 0)
        return err_set(err, (int)-result, "process.user.uid %u (is it mapped?):", user->uid);
    return 0;
}

int oci_process_become(const struct oci_process *process, bool keep_admin, struct err *err)
{
    static const struct oci_capabilities none;
    const struct oci_capabilities *sets =
        process->capabilities != NULL ? process->capabilities : &none;
    int result = drop_bounding(sets->bounding, err);
    if (result == 0 && process->user.uid != 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
        result = err_set(err, errno, "keep capabilities:");
    if (result == 0)
        result = set_ids(&process->user, err);
    if (result == 0 && process->user.uid != 0)
        prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
    if (result == 0)
        result = set_capabilities(sets, keep_admin, err);
    umask(process->user.umask.set ? (mode_t)process->user.umask.value & 0777 : 022);
    return result;
}

/* --- checks in the runtime --- */

static int check_labels(const struct oci_process *process, struct err *err)
{
    const char *profile = process->apparmor_profile;
    if (profile != NULL && strcmp(profile, "unconfined") != 0 &&
        access("/sys/module/apparmor/parameters/enabled", F_OK) < 0)
        return err_set(err, ENOTSUP,
                       "process.apparmorProfile: \"%s\" cannot be applied, the host has no "
                       "AppArmor",
                       profile);
    if (process->selinux_label != NULL && access("/sys/fs/selinux/enforce", F_OK) < 0)
        return err_set(err, ENOTSUP,
                       "process.selinuxLabel: \"%s\" cannot be applied, the host has no SELinux",
                       process->selinux_label);
    return 0;
}

int oci_process_check(struct oci_process *process, bool mapped, uint64_t *out_missing,
                      struct err *err)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0}, {0}};
    struct oci_capabilities *sets = process->capabilities;
    *out_missing = 0;
    int result = check_labels(process, err);
    if (result < 0 || sets == NULL)
        return result;
    *out_missing = sets->ambient & ~(sets->permitted & sets->inheritable);
    sets->ambient &= ~*out_missing; /* the kernel would refuse them */
    if (mapped)
        return 0;
    long got = raw2(SYS_capget, &header, data);
    if (got < 0)
        return err_set(err, (int)-got, "read our own capabilities:");
    uint64_t held = data[0].permitted | (uint64_t)data[1].permitted << 32;
    uint64_t asked =
        sets->bounding | sets->effective | sets->inheritable | sets->permitted | sets->ambient;
    *out_missing |= asked & ~held;
    sets->bounding &= held;
    sets->effective &= held;
    sets->inheritable &= held;
    sets->permitted &= held;
    sets->ambient &= held;
    return 0;
}
