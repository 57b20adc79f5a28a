// SPDX-License-Identifier: Apache-2.0
/*
 * guest-hosted [--image FILE] [--ram MIB] [--trace] [--cwd DIR] PROGRAM [ARG...]
 * Runs one Linux program over the guest kernel as an ordinary process: no VM, no isolation, for
 * tests of the kernel.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/stat.h>
#include <unistd.h>

#include "machine.h"

#define STRINGS_GPA 0x60000UL
#define STRINGS_MAX 0x40000UL

struct options {
    const char *image, *cwd;
    uint64_t ram_bytes;
    bool trace;
    char **args;
    int count;
};

static void die(const char *what)
{
    perror(what);
    exit(125);
}

static void parse(int argc, char **argv, struct options *out)
{
    int i = 1;
    for (; i < argc && !strncmp(argv[i], "--", 2); i++) {
        if (!strcmp(argv[i], "--trace"))
            out->trace = true;
        else if (!strcmp(argv[i], "--image") && i + 1 < argc)
            out->image = argv[++i];
        else if (!strcmp(argv[i], "--cwd") && i + 1 < argc)
            out->cwd = argv[++i];
        else if (!strcmp(argv[i], "--ram") && i + 1 < argc)
            out->ram_bytes = strtoul(argv[++i], NULL, 10) << 20;
        else
            break;
    }
    out->args = argv + i;
    out->count = argc - i;
    if (!out->count) {
        fprintf(stderr, "usage: guest-hosted [--image FILE] [--ram MIB] [--trace] [--cwd DIR] "
                        "PROGRAM [ARG...]\n");
        exit(125);
    }
}

static void put_strings(struct vm_boot *boot, char **list, uint32_t *out_count)
{
    char *base = arch_phys(STRINGS_GPA);
    for (; *list; list++) {
        size_t len = strlen(*list) + 1;
        if (boot->strings_bytes + len > STRINGS_MAX)
            exit(125);
        memcpy(base + boot->strings_bytes, *list, len);
        boot->strings_bytes += (uint32_t)len;
        ++*out_count;
    }
}

static void put_program(struct vm_boot *boot, const char *path, uint64_t ram_bytes)
{
    struct stat st;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &st) < 0)
        die(path);
    uint64_t len = (uint64_t)st.st_size, at = (ram_bytes - len) & ~4095UL;
    boot->program_gpa = boot->free_gpa;
    boot->free_gpa += (len + 4095) & ~4095UL;
    boot->program_bytes = len;
    (void)at;
    for (uint64_t done = 0; done < len;) {
        ssize_t part = read(fd, (char *)arch_phys(boot->program_gpa) + done, len - done);
        if (part <= 0)
            die(path);
        done += (uint64_t)part;
    }
    close(fd);
}

int main(int argc, char **argv, char **envp)
{
    struct options options = {.ram_bytes = 256UL << 20, .cwd = "/"};
    /* Addresses must not lie where the program's will be. */
    if (!(personality(0xffffffff) & ADDR_NO_RANDOMIZE)) {
        personality(ADDR_NO_RANDOMIZE);
        execv("/proc/self/exe", argv);
        die("hosted guest: exec");
    }
    parse(argc, argv, &options);
    int image = -1;
    struct stat st = {0};
    if (options.image) {
        image = open(options.image, O_RDONLY | O_CLOEXEC);
        if (image < 0 || fstat(image, &st) < 0)
            die(options.image);
    }
    machine_init(options.ram_bytes, image, (uint64_t)st.st_size);
    struct vm_boot *boot = machine_boot_block();
    boot->flags = options.trace ? VM_FLAG_TRACE : 0;
    boot->strings_gpa = STRINGS_GPA;
    put_strings(boot, options.args, &boot->argc);
    put_strings(boot, envp, &boot->envc);
    snprintf(boot->program, sizeof(boot->program), "%s", options.args[0]);
    snprintf(boot->cwd, sizeof(boot->cwd), "%s", options.cwd);
    if (!options.image)
        put_program(boot, options.args[0], options.ram_bytes);
    for (int i = 0; i < 3; i++)
        boot->stdio_mode[i] = fstat(i, &st) == 0 ? st.st_mode : S_IFIFO;
    machine_run();
}
