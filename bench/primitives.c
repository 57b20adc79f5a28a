/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each isolation primitive costs on this machine beside a fork (Figure 1 of "Pay-as-you-go
 * resource isolation", SESAME'24), and what a sandbox costs that does all of them in line. Writes
 * primitives.json.
 *
 * Each sample is a fork; the child prepares what the primitive needs, times the primitive alone and
 * ends. A group of calls that belongs together (a chroot with its binds) is one primitive.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "inline.h"
#include "measure.h"
#include "spawn.h"

/* In memory that the child shares. */
struct timing {
    uint64_t begun_ns; /* before fork */
    uint64_t born_ns;
    uint64_t from_ns, to_ns; /* around the primitive */
    uint64_t ended_ns;       /* reaped */
    char failed[128];
};
static struct timing *timing;
static struct bench_options options;
static char bare_path[4096];

typedef void (*step_fn)(void);

struct primitive {
    const char *name;
    step_fn prepare; /* may be NULL */
    step_fn apply;
    unsigned int fraction; /* of the samples: slow ones take 1/fraction */
    struct series *series;
};

static void own_mounts(void)
{
    inline_mounts_new();
}

static void mounts_and_stage(void)
{
    inline_mounts_new();
    inline_stage();
}

static void new_root_ready(void)
{
    mounts_and_stage();
    inline_root();
}

#define UNSHARE_STEP(name, flag)                                                                   \
    static void unshare_##name(void)                                                               \
    {                                                                                              \
        inline_unshare(flag);                                                                      \
    }
UNSHARE_STEP(uts, CLONE_NEWUTS)
UNSHARE_STEP(ipc, CLONE_NEWIPC)
UNSHARE_STEP(pid, CLONE_NEWPID)
UNSHARE_STEP(cgroup, CLONE_NEWCGROUP)
UNSHARE_STEP(time, CLONE_NEWTIME)
UNSHARE_STEP(mount, CLONE_NEWNS)
UNSHARE_STEP(net, CLONE_NEWNET)

static void nothing(void)
{
}

static void chroot_with_binds(void)
{
    inline_root();
    if (chroot(INLINE_STAGE) < 0 || chdir("/") < 0)
        die("chroot:");
}

static void mount_tmpfs(void)
{
    inline_mount("tmp", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "size=16m");
}

static void mount_proc(void)
{
    inline_mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

static struct primitive primitives[] = {
    {"nothing (the clock itself)", NULL, nothing, 1, NULL},
    {"UTS namespace", NULL, unshare_uts, 1, NULL},
    {"IPC namespace", NULL, unshare_ipc, 1, NULL},
    {"PID namespace", NULL, unshare_pid, 1, NULL},
    {"cgroup namespace", NULL, unshare_cgroup, 1, NULL},
    {"time namespace", NULL, unshare_time, 1, NULL},
    {"user namespace with uid and gid maps", NULL, inline_user, 1, NULL},
    {"mount namespace", NULL, unshare_mount, 1, NULL},
    {"network namespace", NULL, unshare_net, 4, NULL},
    {"network namespace, lo up", NULL, inline_net_lo, 4, NULL},
    {"network namespace, lo up, veth pair to the host", NULL, inline_net_veth, 20, NULL},
    {"chroot with tmpfs and 6 read-only binds", mounts_and_stage, chroot_with_binds, 2, NULL},
    {"pivot_root and dropping the old root", new_root_ready, inline_pivot, 2, NULL},
    {"/dev with 5 nodes on a tmpfs", mounts_and_stage, inline_dev, 2, NULL},
    {"tmpfs on /tmp", own_mounts, mount_tmpfs, 1, NULL},
    {"/proc", own_mounts, mount_proc, 1, NULL},
    {"cgroup: make", NULL, inline_cgroup_make, 4, NULL},
    {"cgroup: make, limits, attach", NULL, inline_cgroup_join, 4, NULL},
    {"capabilities: bounding set and capset", NULL, inline_capabilities, 1, NULL},
    {"NO_NEW_PRIVS", NULL, inline_no_new_privs, 1, NULL},
    {"seccomp: install our list (compiled before)", inline_no_new_privs, inline_seccomp, 1, NULL},
};
#define PRIMITIVES (sizeof(primitives) / sizeof(primitives[0]))

static struct measure bench = {
    .benchmark = "primitives",
    .title = "what an isolation primitive takes, within a forked child",
    .unit = "us",
    .raw_unit = "ns",
    .scale = 1000,
};

static void child(const struct primitive *primitive)
{
    timing->born_ns = clock_now_ns();
    if (primitive->prepare != NULL)
        primitive->prepare();
    timing->from_ns = clock_now_ns();
    primitive->apply();
    timing->to_ns = clock_now_ns();
    _exit(0);
}

static void sample(struct primitive *primitive, struct series *born, struct series *reaped)
{
    memset(timing, 0, sizeof(*timing));
    timing->begun_ns = clock_now_ns();
    pid_t pid = fork();
    if (pid == 0)
        child(primitive);
    int status = -1;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        die("%s failed: wait status %d", primitive->name, status);
    timing->ended_ns = clock_now_ns();
    inline_clean();
    series_add(primitive->series, (int64_t)(timing->to_ns - timing->from_ns));
    if (primitive->apply == nothing) {
        series_add(born, (int64_t)(timing->born_ns - timing->begun_ns));
        series_add(reaped, (int64_t)(timing->ended_ns - timing->begun_ns));
    }
}

static void sample_spawned(enum spawn_way way, struct series *first, struct series *ended)
{
    struct spawned result = spawn_timed(way, (char *[]){bare_path, NULL});
    series_add(first, (int64_t)(result.first_ns - result.begun_ns));
    series_add(ended, (int64_t)(result.ended_ns - result.begun_ns));
}

/* Everything in line, as a sandbox program does it that has no template: fork, isolate, exec. */
static void sample_inline(struct series *first, struct series *ended, int with_veth)
{
    int out[2];
    if (pipe2(out, O_CLOEXEC) < 0)
        die("make a pipe:");
    uint64_t begun = clock_now_ns();
    pid_t pid = inline_sandbox(bare_path, out[1], with_veth);
    int status = -1;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    uint64_t end = clock_now_ns();
    close(out[1]);
    uint64_t stamp = read_stamp(out[0]);
    close(out[0]);
    inline_clean();
    if (status != 0 || stamp == 0)
        die("the sandbox made in line failed: wait status %d", status);
    series_add(first, (int64_t)(stamp - begun));
    series_add(ended, (int64_t)(end - begun));
}

int main(int argc, char **argv)
{
    bench_options(argc, argv, &options);
    size_t count = options.count ? options.count : 400;
    timing = mmap(NULL, sizeof(*timing), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    snprintf(bare_path, sizeof(bare_path), "%s/bare", options.programs);
    pin(options.cpu);
    inline_prepare();
    struct series *born = series_new(&bench, "fork, to the child's first instruction", 1);
    struct series *reaped = series_new(&bench, "fork, exit and wait", 1);
    struct series *exec_first = series_new(&bench, "fork+exec, to the first instruction", 1);
    struct series *exec_ended = series_new(&bench, "fork+exec, exit and wait", 1);
    for (size_t i = 0; i < PRIMITIVES; i++)
        primitives[i].series = series_new(&bench, primitives[i].name, 0);
    struct series *all =
        series_new(&bench, "all of them in line, then exec: to first instruction", 0);
    struct series *all_end = series_new(&bench, "all of them in line, then exec: to exit seen", 0);
    struct series *veth = series_new(&bench, "the same and a veth pair: to first instruction", 0);
    struct series *veth_end = series_new(&bench, "the same and a veth pair: to exit seen", 0);
    for (size_t i = 0; i < count; i++) {
        sample_spawned(SPAWN_FORK, exec_first, exec_ended);
        for (size_t p = 0; p < PRIMITIVES; p++) {
            if (i % primitives[p].fraction == 0)
                sample(&primitives[p], born, reaped);
        }
        if (i % 4 == 0)
            sample_inline(all, all_end, 0);
        if (i % 20 == 0)
            sample_inline(veth, veth_end, 1);
        sleep_us(500); /* namespaces are taken apart in the background */
    }
    inline_finish();
    measure_finish(&bench, &options);
    return 0;
}
