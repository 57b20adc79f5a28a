/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program's own file is swapped for an empty one: see docs/decisions/0018-hide-the-runtime.md.
 *
 * The kernel exchanges a process's executable (PR_SET_MM_MAP) once nothing of the old one is mapped
 * any more. So each loaded segment is copied and the copy is moved over the original, by code that
 * lies in that very segment: the instruction after the system call is the same in the copy. Between
 * copying a segment and moving it nothing may write to it, so that part calls no function of libc.
 */
#include "oci/self.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/prctl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "jail/raw.h"
#include "oci/sys.h"

#define SEGMENTS_MAX 8
#define PAGE         4096ul
#define MFD_EXEC     0x10u

struct segment {
    uintptr_t start;
    size_t size;
    int protection;
};

extern char __executable_start[], etext[], edata[];

/* Copies one segment and puts the copy in its place. Nothing of libc in here. */
static long __attribute__((noinline, no_stack_protector)) segment_replace(const struct segment *at)
{
    long copy = raw6(SYS_mmap, 0, (long)at->size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (copy < 0 && copy > -4096)
        return copy;
    volatile uint64_t *to = (uint64_t *)(intptr_t)copy;
    const uint64_t *from = (const uint64_t *)at->start;
    for (size_t i = 0; i < at->size / sizeof(*from); i++)
        to[i] = from[i];
    long result = raw3(SYS_mprotect, copy, at->size, at->protection);
    if (result == 0)
        result =
            raw5(SYS_mremap, copy, at->size, at->size, MREMAP_MAYMOVE | MREMAP_FIXED, at->start);
    return result == (long)at->start ? 0 : result;
}

static int list_segments(struct segment *out, int room)
{
    const ElfW(Phdr) *headers = (const ElfW(Phdr) *)getauxval(AT_PHDR);
    size_t count = getauxval(AT_PHNUM);
    uintptr_t base = 0;
    int found = 0;
    for (size_t i = 0; i < count; i++) {
        if (headers[i].p_type == PT_PHDR)
            base = (uintptr_t)headers - headers[i].p_vaddr;
    }
    for (size_t i = 0; i < count && found < room; i++) {
        const ElfW(Phdr) *header = &headers[i];
        if (header->p_type != PT_LOAD || header->p_filesz == 0)
            continue;
        uintptr_t start = (base + header->p_vaddr) & ~(PAGE - 1);
        uintptr_t end = (base + header->p_vaddr + header->p_filesz + PAGE - 1) & ~(PAGE - 1);
        out[found++] = (struct segment){.start = start,
                                        .size = end - start,
                                        .protection = (header->p_flags & PF_R ? PROT_READ : 0) |
                                                      (header->p_flags & PF_W ? PROT_WRITE : 0) |
                                                      (header->p_flags & PF_X ? PROT_EXEC : 0)};
    }
    return found;
}

/* An empty file that can be executed in name and written by nobody. */
static int make_nothing(void)
{
    const unsigned int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    char path[40];
    long made = raw2(SYS_memfd_create, "skerry-oci", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
    if (made == -EINVAL) /* before Linux 6.3 there was no other kind */
        made = raw2(SYS_memfd_create, "skerry-oci", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (made < 0)
        return (int)made;
    fd_owner file = (int)made;
    if (fcntl(file, F_ADD_SEALS, seals) < 0)
        return -errno;
    /* open for writing it would be "busy" */
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    int result = open(path, O_RDONLY | O_CLOEXEC);
    return result < 0 ? -errno : result;
}

static long set_executable(int file)
{
    char stack_mark;
    uint64_t brk = (uint64_t)raw1(SYS_brk, 0);
    uint64_t mark = (uint64_t)(uintptr_t)&stack_mark;
    struct prctl_mm_map map = {
        .start_code = (uint64_t)(uintptr_t)__executable_start,
        .end_code = (uint64_t)(uintptr_t)etext,
        .start_data = (uint64_t)(uintptr_t)edata - 8,
        .end_data = (uint64_t)(uintptr_t)edata,
        .start_brk = brk,
        .brk = brk,
        .start_stack = mark,
        .arg_start = mark, /* also hides the arguments: they may name paths of the host */
        .arg_end = mark,
        .env_start = mark,
        .env_end = mark,
        .exe_fd = (uint32_t)file,
    };
    return raw5(SYS_prctl, PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0);
}

int oci_self_hide(struct err *err)
{
    static bool moved; /* the segments; must not happen twice, it costs */
    struct segment segments[SEGMENTS_MAX];
    int count = moved ? 0 : list_segments(segments, SEGMENTS_MAX);
    moved = true;
    long result = 0;
    for (int i = 0; result == 0 && i < count; i++)
        result = segment_replace(&segments[i]);
    if (result < 0)
        return err_set(err, (int)-result, "move the runtime's program to anonymous memory:");
    fd_owner nothing = make_nothing();
    if (nothing < 0)
        return err_set(err, -nothing,
                       "make a sealed file in place of the runtime's program "
                       "(sysctl vm.memfd_noexec must be below 2):");
    result = set_executable(nothing);
    if (result < 0)
        return err_set(err, (int)-result,
                       "hide the runtime's program (needs CAP_SYS_ADMIN in this user namespace "
                       "and a kernel with CONFIG_CHECKPOINT_RESTORE):");
    return 0;
}
