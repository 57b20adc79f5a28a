/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "skerry/abi/warm.h"

#define RAM_DEFAULT      (UINT64_C(128) << 20)
#define HUGE_PAGE        UINT64_C(0x200000)
#define STACK_BYTES      (UINT64_C(8) << 20)
#define OPEN_MAX_DEFAULT 1024

extern char **environ;

static const char usage[] =
    "usage: skerry-vmm [--kvm PATH] [--image FILE] [--mem BYTES] [--cwd DIR] [--user UID:GID] "
    "[--pids N] [--tmp BYTES] [--deadline-ms N] [--trace] [--stages] -- PROGRAM [ARG...]";

int options_parse(int argc, char **argv, struct vm_options *out, struct err *err)
{
    static const struct option names[] = {
        {"kvm", required_argument, NULL, 'k'},  {"image", required_argument, NULL, 'i'},
        {"mem", required_argument, NULL, 'm'},  {"cwd", required_argument, NULL, 'c'},
        {"user", required_argument, NULL, 'u'}, {"deadline-ms", required_argument, NULL, 'd'},
        {"trace", no_argument, NULL, 't'},      {"stages", no_argument, NULL, 's'},
        {"probe", no_argument, NULL, 'p'},      {"pids", required_argument, NULL, 'n'},
        {"tmp", required_argument, NULL, 'f'},  {NULL, 0, NULL, 0}};
    *out = (struct vm_options){
        .kvm = "/dev/kvm", .cwd = "/", .ram_bytes = RAM_DEFAULT, .uid = getuid(), .gid = getgid()};
    struct rlimit files = {.rlim_cur = OPEN_MAX_DEFAULT};
    getrlimit(RLIMIT_NOFILE, &files);
    out->open_max = (uint32_t)files.rlim_cur;
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

int options_describe_boot(const struct vm_options *options, struct vm_boot *boot, char *strings,
                          struct err *err)
{
    *boot = (struct vm_boot){.flags = (options->trace ? (uint32_t)VM_FLAG_TRACE : 0) |
                                      (options->probe ? (uint32_t)VM_FLAG_PROBE : 0),
                             .argc = (uint32_t)options->arg_count,
                             .stack_bytes = STACK_BYTES,
                             .uid = options->uid,
                             .gid = options->gid,
                             .threads_max = options->threads_max,
                             .files_max = options->files_max,
                             .open_max = options->open_max};
    const char *program = options->arg_count > 0 ? options->args[0] : "";
    if (options->image == NULL && strrchr(program, '/') != NULL)
        program = strrchr(program, '/'); /* alone in its root: "/NAME" */
    int result = put_path(boot->program, sizeof(boot->program), program, err);
    if (result == 0)
        result = put_path(boot->cwd, sizeof(boot->cwd), options->cwd, err);
    for (int i = 0; result == 0 && i < options->arg_count; i++)
        result = add_string(strings, &boot->strings_bytes, options->args[i], err);
    for (char **env = environ; result == 0 && *env != NULL; env++) {
        if (strncmp(*env, WARM_VARIABLE "=", sizeof(WARM_VARIABLE)) == 0)
            continue; /* between pid 1 and us */
        result = add_string(strings, &boot->strings_bytes, *env, err);
        boot->envc++;
    }
    gethostname(boot->hostname, sizeof(boot->hostname) - 1);
    for (int fd = 0; fd < 3; fd++) {
        struct stat status;
        boot->stdio_mode[fd] = fstat(fd, &status) == 0 ? status.st_mode & S_IFMT : 0;
    }
    return result;
}
