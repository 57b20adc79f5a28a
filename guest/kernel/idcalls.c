// SPDX-License-Identifier: Apache-2.0
/* System calls that ask who and where one is, and for limits: one process, ids that never change.
 */
#include <linux/capability.h>
#include <linux/resource.h>
#include <linux/sysinfo.h>
#include <linux/utsname.h>

#include "../fs/file.h"
#include "../mm/page.h"
#include "../mm/space.h"
#include "call.h"
#include "process.h"
#include "random.h"
#include "thread.h"

#define LIMITS      16
#define SIGNALS_MAX 1024UL

static uint64_t soft_limits[LIMITS], hard_limits[LIMITS];
static bool limits_set;

long sys_getpid(const uint64_t a[6])
{
    (void)a;
    return PROCESS_PID;
}

long sys_getppid(const uint64_t a[6])
{
    (void)a;
    return 1;
}

long sys_getuid(const uint64_t a[6])
{
    (void)a;
    return process.uid;
}

long sys_geteuid(const uint64_t a[6])
{
    (void)a;
    return process.uid;
}

long sys_getgid(const uint64_t a[6])
{
    (void)a;
    return process.gid;
}

long sys_getegid(const uint64_t a[6])
{
    (void)a;
    return process.gid;
}

static long ids_out(const uint64_t a[6], uint32_t id)
{
    for (int i = 0; i < 3; i++) {
        if (user_out(a[i], &id, sizeof(id)) < 0)
            return -EFAULT;
    }
    return 0;
}

long sys_getresuid(const uint64_t a[6])
{
    return ids_out(a, process.uid);
}

long sys_getresgid(const uint64_t a[6])
{
    return ids_out(a, process.gid);
}

/* Ids can be set to what they are. */
static long same(const uint64_t *ids, int count, uint32_t id)
{
    for (int i = 0; i < count; i++) {
        if ((uint32_t)ids[i] != id && (uint32_t)ids[i] != UINT32_MAX)
            return -EPERM;
    }
    return 0;
}

long sys_setuid(const uint64_t a[6])
{
    return same(a, 1, process.uid);
}

long sys_setgid(const uint64_t a[6])
{
    return same(a, 1, process.gid);
}

long sys_setreuid(const uint64_t a[6])
{
    return same(a, 2, process.uid);
}

long sys_setregid(const uint64_t a[6])
{
    return same(a, 2, process.gid);
}

long sys_setresuid(const uint64_t a[6])
{
    return same(a, 3, process.uid);
}

long sys_setresgid(const uint64_t a[6])
{
    return same(a, 3, process.gid);
}

long sys_setfsuid(const uint64_t a[6])
{
    (void)a;
    return process.uid;
}

long sys_setfsgid(const uint64_t a[6])
{
    (void)a;
    return process.gid;
}

long sys_getgroups(const uint64_t a[6])
{
    return (int)a[0] < 0 ? -EINVAL : 0;
}

long sys_setgroups(const uint64_t a[6])
{
    (void)a;
    return -EPERM;
}

long sys_getpgrp(const uint64_t a[6])
{
    (void)a;
    return PROCESS_PID;
}

long sys_getpgid(const uint64_t a[6])
{
    return a[0] == 0 || a[0] == PROCESS_PID ? PROCESS_PID : -ESRCH;
}

long sys_getsid(const uint64_t a[6])
{
    return sys_getpgid(a);
}

/* It leads its session already, as in the jail tier. */
long sys_setsid(const uint64_t a[6])
{
    (void)a;
    return -EPERM;
}

long sys_setpgid(const uint64_t a[6])
{
    if ((int)a[1] < 0)
        return -EINVAL;
    return a[0] && a[0] != PROCESS_PID ? -ESRCH : -EPERM;
}

long sys_capget(const uint64_t a[6])
{
    struct __user_cap_header_struct header;
    struct __user_cap_data_struct data[2] = {{0}};
    if (user_in(&header, a[0], sizeof(header)) < 0)
        return -EFAULT;
    if (header.version != _LINUX_CAPABILITY_VERSION_3) {
        header.version = _LINUX_CAPABILITY_VERSION_3;
        return user_out(a[0], &header, sizeof(header)) < 0 ? -EFAULT : a[1] ? -EINVAL : 0;
    }
    return a[1] ? user_out(a[1], data, sizeof(data)) : 0;
}

long sys_capset(const uint64_t a[6])
{
    (void)a;
    return -EPERM;
}

static void name_set(char *to, const char *from)
{
    memcpy(to, from, strnlen(from, 64));
}

long sys_uname(const uint64_t a[6])
{
    struct new_utsname name;
    memset(&name, 0, sizeof(name));
    name_set(name.sysname, "Linux");
    name_set(name.nodename, process.hostname);
    name_set(name.release, "6.1.0-skerry");
    name_set(name.version, "#1 SMP Skerry");
    name_set(name.machine, "x86_64");
    name_set(name.domainname, "(none)");
    return user_out(a[0], &name, sizeof(name));
}

long sys_sysinfo(const uint64_t a[6])
{
    struct sysinfo info;
    memset(&info, 0, sizeof(info));
    info.uptime = (long)((time_mono_ns() - process.started_ns) / NS_PER_S);
    info.totalram = page_count_total() * PAGE_SIZE;
    info.freeram = page_count_free() * PAGE_SIZE;
    info.procs = (uint16_t)thread_count();
    info.mem_unit = 1;
    return user_out(a[0], &info, sizeof(info));
}

static void limits_init(void)
{
    for (int i = 0; i < LIMITS; i++)
        soft_limits[i] = hard_limits[i] = UINT64_MAX;
    soft_limits[RLIMIT_STACK] = process.stack_bytes;
    soft_limits[RLIMIT_CORE] = hard_limits[RLIMIT_CORE] = 1; /* as the jail has it */
    soft_limits[RLIMIT_MEMLOCK] = hard_limits[RLIMIT_MEMLOCK] = PROCESS_MEMLOCK;
    soft_limits[RLIMIT_SIGPENDING] = hard_limits[RLIMIT_SIGPENDING] = SIGNALS_MAX;
    soft_limits[RLIMIT_NOFILE] = hard_limits[RLIMIT_NOFILE] = process.open_max;
    soft_limits[RLIMIT_MSGQUEUE] = hard_limits[RLIMIT_MSGQUEUE] = 0;
    soft_limits[RLIMIT_NICE] = hard_limits[RLIMIT_NICE] = 0;
    soft_limits[RLIMIT_RTPRIO] = hard_limits[RLIMIT_RTPRIO] = 0;
    limits_set = true;
}

static long limit_call(uint64_t which, uint64_t new_at, uint64_t old_at)
{
    uint64_t new[2], old[2];
    if (!limits_set)
        limits_init();
    if (which >= LIMITS)
        return -EINVAL;
    old[0] = soft_limits[which];
    old[1] = hard_limits[which];
    if (new_at) {
        if (user_in(new, new_at, sizeof(new)) < 0)
            return -EFAULT;
        if (new[0] > new[1])
            return -EINVAL;
        if (new[1] > hard_limits[which] || which == RLIMIT_CORE)
            return -EPERM;
        soft_limits[which] = new[0];
        hard_limits[which] = new[1];
        if (which == RLIMIT_NOFILE)
            process.open_max = (uint32_t) new[0];
    }
    return old_at ? user_out(old_at, old, sizeof(old)) : 0;
}

long sys_getrlimit(const uint64_t a[6])
{
    return limit_call(a[0], 0, a[1]);
}

long sys_setrlimit(const uint64_t a[6])
{
    return limit_call(a[0], a[1], 0);
}

long sys_prlimit64(const uint64_t a[6])
{
    return a[0] && a[0] != PROCESS_PID ? -ESRCH : limit_call(a[1], a[2], a[3]);
}

long sys_getrusage(const uint64_t a[6])
{
    struct rusage usage;
    memset(&usage, 0, sizeof(usage));
    int who = (int)a[0];
    if (who != RUSAGE_SELF && who != RUSAGE_CHILDREN && who != RUSAGE_THREAD)
        return -EINVAL;
    if (who != RUSAGE_CHILDREN) {
        uint64_t ns = time_mono_ns() - process.started_ns;
        usage.ru_utime.tv_sec = (long)(ns / NS_PER_S);
        usage.ru_utime.tv_usec = (long)(ns % NS_PER_S / 1000);
        usage.ru_maxrss = (long)((page_count_total() - page_count_free()) * (PAGE_SIZE / 1024));
    }
    return user_out(a[1], &usage, sizeof(usage));
}

long sys_getpriority(const uint64_t a[6])
{
    return a[0] > 2 ? -EINVAL : a[1] && a[1] != PROCESS_PID ? -ESRCH : 20;
}

long sys_setpriority(const uint64_t a[6])
{
    if (a[0] > 2)
        return -EINVAL;
    return a[1] && a[1] != PROCESS_PID ? -ESRCH : (int)a[2] < 0 ? -EACCES : 0;
}

long sys_getrandom(const uint64_t a[6])
{
    if (a[2] & ~7UL || (a[2] & 6) == 6)
        return -EINVAL;
    uint64_t len = min_u64(a[1], 0x7fffffff);
    if (!user_ok(a[0], len, true))
        return -EFAULT;
    random_bytes((void *)a[0], len);
    return (long)len;
}

long sys_personality(const uint64_t a[6])
{
    /* none but PER_LINUX, as the jail has it */
    return (uint32_t)a[0] != UINT32_MAX && a[0] != 0 ? -EPERM : 0;
}

long sys_sethostname(const uint64_t a[6])
{
    (void)a;
    return -EPERM;
}

long sys_syslog(const uint64_t a[6])
{
    (void)a;
    return -EPERM;
}
