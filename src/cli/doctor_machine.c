/* SPDX-License-Identifier: Apache-2.0 */
/* KVM for the vm tier, protection keys; bounds of the system; our own programs. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/client.h"
#include "cli/doctor.h"
#include "cli/state.h"

/* What `skerry-vmm --probe` prints: kind, microseconds to a guest's first instruction, an exit. */
struct kvm_cost {
    char kind[24];
    unsigned int start_us, exit_us;
};

static bool measure_kvm(const char *monitor, struct kvm_cost *out)
{
    int ends[2];
    char line[128] = "";
    if (pipe2(ends, O_CLOEXEC) < 0)
        return false;
    pid_t child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_RDWR);
        if (dup2(null, 0) == 0 && dup2(ends[1], 1) == 1 && dup2(null, 2) == 2)
            execl(monitor, "skerry-vmm", "--probe", (char *)NULL);
        _exit(1);
    }
    close(ends[1]);
    ssize_t got = child > 0 ? fd_read_all(ends[0], line, sizeof(line) - 1) : -1;
    close(ends[0]);
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
    return got > 0 && sscanf(line, "%23s %u %u", out->kind, &out->start_us, &out->exit_us) == 3;
}

static void look_kvm(const struct settings *settings, struct finding *out)
{
    (void)settings;
    static const char means[] = "The vm tier cannot run programs; the jail tier does not use it.";
    char monitor[STATE_PATH_MAX];
    struct kvm_cost cost = {0};
    struct err err;
    fd_owner kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (kvm < 0) {
        finding_found(out, "/dev/kvm: %s", strerror(errno));
        finding_set(out, FINDING_ABSENT, means,
                    errno == EACCES ? "Add the user to the group kvm."
                                    : "Enable virtualisation in the firmware or the hypervisor.");
        return;
    }
    if (state_program("skerry-vmm", "vm", monitor, &err) < 0) {
        finding_found(out, "/dev/kvm opens, but skerry-vmm is not installed");
        finding_set(out, FINDING_ABSENT, means, "Install skerry again.");
        return;
    }
    if (!measure_kvm(monitor, &cost)) {
        finding_found(out, "/dev/kvm opens, but skerry-vmm --probe runs no guest with it");
        finding_set(out, FINDING_ABSENT, means, "");
        return;
    }
    finding_found(out, "KVM on %s: a guest's first instruction after %u us, an exit %u us",
                  strcmp(cost.kind, "hardware") == 0 ? "hardware" : "page tables (PVM)",
                  cost.start_us, cost.exit_us);
}

static void look_keys(const struct settings *settings, struct finding *out)
{
    (void)settings;
    long key = syscall(SYS_pkey_alloc, 0, 0);
    if (key >= 0) {
        syscall(SYS_pkey_free, key);
        finding_found(out, "pkey_alloc works");
        return;
    }
    finding_found(out, "pkey_alloc: %s", strerror(errno));
    finding_set(out, FINDING_ABSENT, "Only domains within a process would use them.",
                "They need a processor with PKU, shown to this machine by its hypervisor.");
}

static void look_bounds(const struct settings *settings, struct finding *out)
{
    (void)settings;
    char pids[32] = "?", threads[32] = "?";
    struct rlimit files = {0};
    probe_read("/proc/sys/kernel/pid_max", pids, sizeof(pids));
    probe_read("/proc/sys/kernel/threads-max", threads, sizeof(threads));
    getrlimit(RLIMIT_NOFILE, &files);
    finding_found(out, "pid_max %s, threads-max %s, open files %llu (at most %llu)", pids, threads,
                  (unsigned long long)files.rlim_cur, (unsigned long long)files.rlim_max);
    if (files.rlim_max < 8192)
        finding_set(out, FINDING_LIMITED,
                    "The daemon needs about five descriptors for each request in flight.",
                    "Raise the limit: LimitNOFILE= of its unit, or ulimit -n.");
    else if (strtoul(pids, NULL, 10) < 32768)
        finding_set(out, FINDING_LIMITED, "Fewer sandboxes can live at once.",
                    "sysctl -w kernel.pid_max=4194304");
}

static void look_programs(const struct settings *settings, struct finding *out)
{
    (void)settings;
    char path[STATE_PATH_MAX];
    struct err err;
    if (state_program("skerry-zygote", "jail", path, &err) < 0) {
        finding_found(out, "skerry-zygote is missing");
        finding_set(out, FINDING_MISSING, "It starts every sandbox.", "Install skerry again.");
        return;
    }
    if (state_program("skerryd", "control", path, &err) < 0) {
        finding_found(out, "skerryd is missing");
        finding_set(out, FINDING_LIMITED, "skerry run works, the daemon cannot be started.",
                    "Install skerry again.");
        return;
    }
    finding_found(out, "skerry %s, skerryd, skerry-zygote", SKERRY_VERSION);
}

static void look_daemon(const struct settings *settings, struct finding *out)
{
    char state[STATE_PATH_MAX];
    struct err err;
    if (state_dir(settings, state, &err) < 0) {
        finding_found(out, "no state directory");
        finding_set(out, FINDING_ABSENT, err.text, "");
        return;
    }
    if (client_probe(state, &err) == 0) {
        finding_found(out, "runs, state in %s", state);
        return;
    }
    finding_found(out, "none answers in %s", state);
    finding_set(out, FINDING_ABSENT, "skerry run needs none; functions behind HTTP do.",
                "skerry serve");
}

const struct probe probes_machine[] = {
    {"kvm", "KVM", look_kvm},          {"protection-keys", "protection keys", look_keys},
    {"bounds", "bounds", look_bounds}, {"programs", "programs", look_programs},
    {"daemon", "daemon", look_daemon}, {NULL, NULL, NULL},
};
