/* SPDX-License-Identifier: Apache-2.0 */
/*
 * skerry-vmm: one program in one virtual machine.
 *
 * Started inside a jail with stdin, stdout and stderr of the request and its environment. Opens
 * what it needs, makes the machine, gives up everything else, runs the guest, ends as the program
 * ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "vm/filter.h"
#include "vm/machine.h"
#include "vm/tick.h"

#define EXIT_SETUP       125 /* the machine could not be made */
#define RAM_DEFAULT      (UINT64_C(128) << 20)
#define HUGE_PAGE        UINT64_C(0x200000)
#define STACK_BYTES      (UINT64_C(8) << 20)
#define OPEN_MAX_DEFAULT 1024

extern char **environ;

struct options {
    const char *kvm, *image, *cwd;
    uint64_t ram_bytes, deadline_ns, threads_max, files_max;
    uint32_t uid, gid;
    bool trace, stages, probe;
    char **args;
    int arg_count;
};

static void say(const char *text)
{
    static const char prefix[] = "skerry-vmm: ";
    char line[ERR_TEXT_MAX + sizeof(prefix) + 1];
    int size = snprintf(line, sizeof(line), "%s%s\n", prefix, text);
    if (size > 0 && write(STDERR_FILENO, line, (size_t)size) < 0)
        return;
}

static const char usage[] =
    "usage: skerry-vmm [--kvm PATH] [--image FILE] [--mem BYTES] [--cwd DIR] [--user UID:GID] "
    "[--pids N] [--tmp BYTES] [--deadline-ms N] [--trace] [--stages] -- PROGRAM [ARG...]";

static int parse(int argc, char **argv, struct options *out, struct err *err)
{
    static const struct option names[] = {
        {"kvm", required_argument, NULL, 'k'},  {"image", required_argument, NULL, 'i'},
        {"mem", required_argument, NULL, 'm'},  {"cwd", required_argument, NULL, 'c'},
        {"user", required_argument, NULL, 'u'}, {"deadline-ms", required_argument, NULL, 'd'},
        {"trace", no_argument, NULL, 't'},      {"stages", no_argument, NULL, 's'},
        {"probe", no_argument, NULL, 'p'},      {"pids", required_argument, NULL, 'n'},
        {"tmp", required_argument, NULL, 'f'},  {NULL, 0, NULL, 0}};
    *out = (struct options){
        .kvm = "/dev/kvm", .cwd = "/", .ram_bytes = RAM_DEFAULT, .uid = getuid(), .gid = getgid()};
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "+", names, NULL)) >= 0) {
        switch (option) {
        case 'k':
            out->kvm = optarg;
            break;
        case 'i':
            out->image = optarg;
            break;
        case 'm':
            out->ram_bytes = strtoull(optarg, NULL, 10);
            break;
        case 'c':
            out->cwd = optarg;
            break;
        case 'd':
            out->deadline_ns = strtoull(optarg, NULL, 10) * NS_PER_MS;
            break;
        case 'n':
            out->threads_max = strtoull(optarg, NULL, 10);
            break;
        case 'f':
            out->files_max = strtoull(optarg, NULL, 10);
            break;
        case 't':
            out->trace = true;
            break;
        case 's':
            out->stages = true;
            break;
        case 'p':
            out->probe = true;
            break;
        case 'u':
            if (sscanf(optarg, "%u:%u", &out->uid, &out->gid) != 2)
                return err_set(err, EINVAL, "%s", usage);
            break;
        default:
            return err_set(err, EINVAL, "%s", usage);
        }
    }
    if (out->probe) {
        static char *none[] = {"", NULL};
        out->args = none;
        out->arg_count = 1;
        out->ram_bytes = VM_RAM_BYTES_MIN;
        return 0;
    }
    out->args = argv + optind;
    out->arg_count = argc - optind;
    out->ram_bytes = out->ram_bytes / HUGE_PAGE * HUGE_PAGE;
    return out->arg_count > 0 ? 0 : err_set(err, EINVAL, "%s", usage);
}

/* Appends the NUL-ended text to the block. */
static int add_string(char *block, uint32_t *used, const char *text, struct err *err)
{
    size_t size = strlen(text) + 1;
    if (size > VM_STRINGS_MAX - *used)
        return err_set(err, E2BIG, "arguments and environment are larger than %u KiB",
                       VM_STRINGS_MAX / 1024);
    memcpy(block + *used, text, size);
    *used += (uint32_t)size;
    return 0;
}

static int put_path(char *field, size_t room, const char *path, struct err *err)
{
    if (strlen(path) >= room)
        return err_set(err, ENAMETOOLONG, "a path of more than %zu bytes for the guest:", room - 1);
    strcpy(field, path);
    return 0;
}

static int describe_boot(const struct options *options, struct vm_boot *boot, char *strings,
                         struct err *err)
{
    struct rlimit files = {.rlim_cur = OPEN_MAX_DEFAULT};
    getrlimit(RLIMIT_NOFILE, &files);
    *boot = (struct vm_boot){.flags = (options->trace ? (uint32_t)VM_FLAG_TRACE : 0) |
                                      (options->probe ? (uint32_t)VM_FLAG_PROBE : 0),
                             .argc = (uint32_t)options->arg_count,
                             .stack_bytes = STACK_BYTES,
                             .uid = options->uid,
                             .gid = options->gid,
                             .threads_max = options->threads_max,
                             .files_max = options->files_max,
                             .open_max = (uint32_t)files.rlim_cur};
    const char *program = options->arg_count > 0 ? options->args[0] : "";
    if (options->image == NULL && strrchr(program, '/') != NULL)
        program = strrchr(program, '/'); /* alone in its root: "/NAME" */
    int result = put_path(boot->program, sizeof(boot->program), program, err);
    if (result == 0)
        result = put_path(boot->cwd, sizeof(boot->cwd), options->cwd, err);
    for (int i = 0; result == 0 && i < options->arg_count; i++)
        result = add_string(strings, &boot->strings_bytes, options->args[i], err);
    for (char **env = environ; result == 0 && *env != NULL; env++, boot->envc++)
        result = add_string(strings, &boot->strings_bytes, *env, err);
    gethostname(boot->hostname, sizeof(boot->hostname) - 1);
    for (int fd = 0; fd < 3; fd++) {
        struct stat status;
        boot->stdio_mode[fd] = fstat(fd, &status) == 0 ? status.st_mode & S_IFMT : 0;
    }
    return result;
}

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

static int build(struct machine *machine, const struct options *options, struct err *err)
{
    static char strings[VM_STRINGS_MAX];
    struct vm_boot boot;
    const char *path = options->arg_count > 0 ? options->args[0] : "";
    int result = describe_boot(options, &boot, strings, err);
    if (result < 0)
        return result;
    fd_owner kvm = open_kvm(options->kvm, err);
    if (kvm < 0)
        return -err->code;
    fd_owner image = -1;
    fd_owner program = -1;
    if (options->image != NULL && (image = open(options->image, O_RDONLY | O_CLOEXEC)) < 0)
        return err_set(err, errno, "open the guest's image %s:", options->image);
    if (options->image == NULL && !options->probe &&
        (program = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        return err_set(err, errno, "open the program %s:", path);
    struct machine_options wanted = {.ram_bytes = options->ram_bytes, .kvm = kvm, .image = image};
    result = machine_open(machine, &wanted, err);
    if (result == 0)
        result = machine_boot(machine, &boot, strings, program, err);
    if (result == 0)
        result = tick_open(machine, err);
    return result;
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

static void report(const struct machine *machine, const struct verdict *verdict,
                   const char *program)
{
    char text[1024 + 256];
    if (verdict->text[0] == '\0')
        return;
    say(verdict->text);
    if (verdict->kind == VERDICT_OOM)
        return;
    int name = snprintf(text, sizeof(text), "  the program is %.200s\n", program);
    size_t size = name < 0 ? 0 : (size_t)name;
    size += cpu_describe(&machine->cpu, text + size, sizeof(text) - size);
    if (write(STDERR_FILENO, text, size) < 0)
        return;
}

static void report_stages(const struct machine *machine, uint64_t begun_tsc)
{
    static const char *const names[] = {"kernel entered", "program entered", "first byte", "exit"};
    const struct vm_shared *shared = machine->rings.shared;
    char line[160];
    for (unsigned int i = 0; i < VM_STAGE_COUNT; i++) {
        uint64_t at = __atomic_load_n(&shared->stages[i], __ATOMIC_RELAXED);
        uint64_t us = at > begun_tsc ? (at - begun_tsc) * 1000000 / machine->cpu.tsc_hz : 0;
        int size = snprintf(line, sizeof(line), "skerry-vmm: %-16s %8llu us\n", names[i],
                            (unsigned long long)us);
        if (at != 0 && write(STDERR_FILENO, line, (size_t)size) < 0)
            return;
    }
    int size = snprintf(line, sizeof(line),
                        "skerry-vmm: exits %llu, doorbells %llu, ticks %llu, calls %llu, of them "
                        "trapped %llu\n",
                        (unsigned long long)machine->exits, (unsigned long long)machine->bells,
                        (unsigned long long)machine->ticks, (unsigned long long)shared->calls,
                        (unsigned long long)shared->calls_trapped);
    if (write(STDERR_FILENO, line, (size_t)size) < 0)
        return;
}

/* One line for `skerry doctor`: microseconds to the first instruction of a guest, and an exit. */
static void report_probe(const struct machine *machine, uint64_t begun_tsc)
{
    const struct vm_shared *shared = machine->rings.shared;
    uint64_t per_us = machine->cpu.tsc_hz / 1000000;
    char line[96];
    uint64_t spent = shared->stages[VM_STAGE_EXIT] - shared->stages[VM_STAGE_PROGRAM];
    int size = snprintf(
        line, sizeof(line), "%s %llu %llu\n", machine->cpu.direct ? "page-tables" : "hardware",
        (unsigned long long)((shared->stages[VM_STAGE_KERNEL] - begun_tsc) / per_us),
        (unsigned long long)(spent / VM_PROBE_BELLS / per_us));
    if (write(STDOUT_FILENO, line, (size_t)size) < 0)
        return;
}

int main(int argc, char **argv)
{
    static struct machine machine;
    struct options options;
    struct err err = {0};
    pid_t self = getpid(); /* not to be asked for under the filter */
    uint64_t begun = __builtin_ia32_rdtsc();
    syscall(SYS_close_range, 3, ~0u, 0); /* nothing of the caller's but stdin, stdout, stderr */
    if (parse(argc, argv, &options, &err) < 0 || build(&machine, &options, &err) < 0 ||
        vm_filter_install(machine.cpu.fd, &err) < 0) {
        say(err.text);
        return EXIT_SETUP;
    }
    if (options.deadline_ns != 0)
        machine.deadline_ns = clock_now_ns() + options.deadline_ns;
    struct verdict verdict = machine_run(&machine);
    report(&machine, &verdict, options.args[0]);
    begun += machine.tsc_shift;
    if (options.probe)
        report_probe(&machine, begun);
    if (options.stages)
        report_stages(&machine, begun);
    end_as(&verdict, self);
}
