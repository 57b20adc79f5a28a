/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: memory that counts against nobody or weakens the kernel: memfd_secret, huge pages
 *   from the machine's pool (mmap, memfd, System V), the zero page, more locked memory than
 *   the limit, migration of pages between nodes.
 * Stopped by: the filter (memfd_secret, mbind and its kin are not on the list; MAP_HUGETLB
 *   and MFD_HUGETLB are masked), vm.mmap_min_addr, RLIMIT_MEMLOCK.
 * Lives in: src/jail/filter.c, rlimits of the sandbox.
 *
 * Control: root
 */
#include "../harness/attack.h"

#include <linux/mempolicy.h>
#include <sys/resource.h>

#ifndef MFD_HUGETLB
#define MFD_HUGETLB 4U
#endif

static void map(const char *what, uintptr_t at, size_t size, int flags)
{
    long result = syscall(SYS_mmap, at, size, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
    /* ENOMEM: the machine's pool of huge pages is empty just now; the request was let in. */
    if (flags & MAP_HUGETLB)
        attempt_past(what, result, ENOMEM);
    else
        attempt(what, result == -1 ? -1 : 0);
}

void attack(void)
{
    attempt("memfd_secret", syscall(SYS_memfd_secret, 0));
    map("a huge page", 0, 2u << 20, MAP_HUGETLB);
    map("a 2 MiB page", 0, 2u << 20, MAP_HUGETLB | (21 << 26));
    map("a 1 GiB page", 0, 1u << 30, MAP_HUGETLB | (30 << 26));
    attempt("a memfd of huge pages", syscall(SYS_memfd_create, "huge", MFD_HUGETLB));
    attempt_past("System V memory of huge pages",
                 syscall(SYS_shmget, 0, 2u << 20, 04000 /* SHM_HUGETLB */ | 0600), ENOMEM);
    map("the zero page", 0, 4096, MAP_FIXED);
    struct rlimit limit = {0};
    getrlimit(RLIMIT_MEMLOCK, &limit);
    size_t size = 64u << 20;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED && limit.rlim_cur < size)
        attempt("64 MiB locked", syscall(SYS_mlock2, memory, size, 1 /* MLOCK_ONFAULT */));
    unsigned long nodes = 1;
    attempt("set_mempolicy", syscall(SYS_set_mempolicy, MPOL_BIND, &nodes, 64));
    attempt("mbind", syscall(SYS_mbind, memory, 4096, MPOL_BIND, &nodes, 64, 0));
    attempt("migrate_pages", syscall(SYS_migrate_pages, 0, 64, &nodes, &nodes));
}
