/* SPDX-License-Identifier: Apache-2.0 */
/*
 * skerry-vmm: one program in one virtual machine.
 *
 * Started inside a jail with stdin, stdout and stderr of the request and its environment, or before
 * there is a request (warm.h). Opens what it needs, makes the machine, gives up everything else,
 * runs the guest, ends as the program ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "skerry/abi/warm.h"
#include "vm/filter.h"
#include "vm/report.h"
#include "vm/tick.h"
#include "vm/warm.h"

#define EXIT_SETUP 125 /* the machine could not be made */

static int open_kvm(const char *path, struct err *err)
{
    int kvm = open(path, O_RDWR | O_CLOEXEC);
    if (kvm >= 0)
        return kvm;
    return err_set(err, errno,
                   "the vm tier needs %s (modprobe kvm_intel or kvm_amd, and the right to open "
                   "it); 'skerry doctor' says what is there:",
                   path);
}

/* The soft limit is what a process of the guest may open; what is ours ends at the hard one. */
static void raise_open_files(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur == files.rlim_max)
        return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

/* What a machine is made of; a restored one has its program in its memory. */
static int open_files(const struct vm_options *options, enum vm_role role, struct vm_files *out,
                      struct err *err)
{
    out->kvm = open_kvm(options->kvm, err);
    if (out->kvm < 0)
        return -err->code;
    if (options->image != NULL && (out->image = open(options->image, O_RDONLY | O_CLOEXEC)) < 0)
        return err_set(err, errno, "open the guest's image %s:", options->image);
    if (options->image == NULL && !options->probe && role != VM_ROLE_RESTORE &&
        (out->program = open(options->args[0], O_RDONLY | O_CLOEXEC)) < 0)
        return err_set(err, errno, "open the program %s:", options->args[0]);
    return 0;
}

static int build(struct machine *machine, const struct vm_options *options, struct vm_files *files,
                 struct err *err)
{
    static char strings[VM_STRINGS_MAX];
    struct vm_boot boot;
    struct machine_options wanted = {
        .ram_bytes = options->ram_bytes, .kvm = files->kvm, .image = files->image};
    int result = options_describe_boot(options, &boot, strings, err);
    if (result == 0)
        result = machine_open(machine, &wanted, err);
    if (result == 0)
        result = machine_boot(machine, &boot, files->program, err);
    if (result == 0)
        result = machine_start(machine, &boot, strings, err);
    if (result == 0)
        result = tick_open(machine, err);
    if (result < 0)
        return result;
    vm_files_close(files);
    struct vm_filter filter = {.role = VM_ROLE_ALONE, .vcpu = machine->cpu.fd, .pagemap = -1};
    return vm_filter_install(&filter, err);
}

/* Ends as the program did: by its status, or by the signal that ended it. */
static _Noreturn void end_as(const struct verdict *verdict, pid_t self)
{
    if (verdict->kind == VERDICT_STATUS)
        _exit((int)verdict->value);
    int number = verdict->kind == VERDICT_SIGNAL ? (int)verdict->value : SIGKILL;
    kill(self, number);
    _exit(128 + number); /* a signal that is ignored or stops only */
}

int main(int argc, char **argv)
{
    static struct machine machine;
    struct vm_options options;
    struct vm_files files = {-1, -1, -1};
    struct err err = {0};
    struct verdict verdict = {.kind = VERDICT_FAILED};
    enum vm_role role;
    pid_t self = getpid(); /* not to be asked for under the filter */
    uint64_t begun = __builtin_ia32_rdtsc();
    if (warm_role(&role, &err) < 0 || options_parse(argc, argv, &options, &err) < 0) {
        report_line(STDERR_FILENO, err.text);
        return EXIT_SETUP;
    }
    raise_open_files();
    /* nothing of the caller's but stdin, stdout, stderr, and what a role is about */
    syscall(SYS_close_range, role == VM_ROLE_ALONE ? 3 : WARM_SNAPSHOT_FD + 1, ~0u, 0);
    int result = open_files(&options, role, &files, &err);
    if (result == 0 && role != VM_ROLE_ALONE)
        result = warm_run(&machine, role, &options, &files, &verdict, &err);
    else if (result == 0)
        result = build(&machine, &options, &files, &err);
    if (result < 0) {
        report_line(STDERR_FILENO, err.text);
        _exit(EXIT_SETUP);
    }
    if (role == VM_ROLE_MAKE || role == VM_ROLE_RESTORE || result == WARM_NO_REQUEST)
        _exit(0);
    if (role == VM_ROLE_ALONE) {
        if (options.deadline_ns != 0)
            machine.deadline_ns = clock_now_ns() + options.deadline_ns;
        verdict = machine_run(&machine);
        machine_report(&machine, &verdict, options.args[0]);
    }
    begun += machine.tsc_shift;
    if (options.probe)
        report_probe(&machine, begun);
    if (options.stages)
        report_stages(&machine, begun);
    end_as(&verdict, self);
}
