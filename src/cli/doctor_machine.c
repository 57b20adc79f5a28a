/* SPDX-License-Identifier: Apache-2.0 */
/* KVM and protection keys, for the tiers to come; bounds of the system; our own programs. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/client.h"
#include "cli/doctor.h"
#include "cli/state.h"

/*
 * KVM on PVM (a page-table virtual machine, for machines that are themselves virtual) is told by
 * this register: setting it to the address of a guest page, with the low bit set, returns 1 there;
 * an ordinary KVM does not know the register and sets none.
 */
#define PVM_MSR  0x4b564d10u
#define PVM_PAGE 0x1000u

static int set_pvm_msr(int vcpu)
{
    struct kvm_msrs *msrs = calloc(1, sizeof(*msrs) + sizeof(msrs->entries[0]));
    if (msrs == NULL)
        return -1;
    msrs->nmsrs = 1;
    msrs->entries[0] = (struct kvm_msr_entry){.index = PVM_MSR, .data = PVM_PAGE | 1};
    int result = ioctl(vcpu, KVM_SET_MSRS, msrs);
    free(msrs);
    return result;
}

enum kvm_kind { KVM_BROKEN, KVM_ORDINARY, KVM_PVM };

static enum kvm_kind kvm_kind_of(int kvm)
{
    fd_owner vm = ioctl(kvm, KVM_CREATE_VM, 0);
    if (vm < 0)
        return KVM_BROKEN;
    void *memory = mmap(NULL, 0x4000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return KVM_BROKEN;
    struct kvm_userspace_memory_region region = {.memory_size = 0x4000,
                                                 .userspace_addr = (uint64_t)(uintptr_t)memory};
    enum kvm_kind kind = KVM_BROKEN;
    fd_owner vcpu = -1;
    if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) == 0)
        vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
    if (vcpu >= 0)
        kind = set_pvm_msr(vcpu) == 1 ? KVM_PVM : KVM_ORDINARY;
    fd_close(&vcpu);
    fd_close(&vm);
    munmap(memory, 0x4000);
    return kind;
}

static void look_kvm(const struct settings *settings, struct finding *out)
{
    (void)settings;
    static const char means[] = "Only virtual machines would use it; the jail tier does not.";
    fd_owner kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (kvm < 0) {
        finding_found(out, "/dev/kvm: %s", strerror(errno));
        finding_set(out, FINDING_ABSENT, means,
                    errno == EACCES ? "Add the user to the group kvm."
                                    : "Enable virtualisation in the firmware or the hypervisor.");
        return;
    }
    int version = ioctl(kvm, KVM_GET_API_VERSION, 0);
    enum kvm_kind kind = version == KVM_API_VERSION ? kvm_kind_of(kvm) : KVM_BROKEN;
    if (kind == KVM_BROKEN) {
        finding_found(out, "/dev/kvm opens, but makes no virtual machine");
        finding_set(out, FINDING_ABSENT, means, "");
        return;
    }
    finding_found(out, "%s",
                  kind == KVM_PVM ? "KVM on PVM (guests run on page tables, exits are slow)"
                                  : "ordinary KVM");
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
