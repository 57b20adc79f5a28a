// SPDX-License-Identifier: Apache-2.0
/* System calls on memory. */
#include <asm/mman.h>
#include <linux/mman.h>

#include "../arch.h"
#include "../fs/file.h"
#include "../fs/inode.h"
#include "../kernel/call.h"
#include "../kernel/process.h"
#include "page.h"
#include "space.h"

#define PROT_ALL   (PROT_READ | PROT_WRITE | PROT_EXEC)
#define FILL_NOW   (256UL << 10)
#define HUGE_ALIGN (2UL << 20)
#define FILL_BRK   (1UL << 20)

static int check_file(struct file *file, uint64_t prot, uint64_t kind)
{
    if (!file || file->flags & O_PATH)
        return -EBADF;
    if (!file_readable(file))
        return -EACCES;
    if (kind == MAP_SHARED && prot & PROT_WRITE && !file_writable(file))
        return -EACCES;
    if (kind == MAP_SHARED && prot & PROT_WRITE &&
        file->inode->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
        return -EPERM;
    return file->ops->frame ? 0 : -ENODEV;
}

static int place(uint64_t *addr, uint64_t len, uint64_t flags)
{
    if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
        if (*addr & PAGE_MASK)
            return -EINVAL;
        if (*addr < VM_PROGRAM_LO)
            return -EPERM;
        if (len > SPACE_TOP || *addr > SPACE_TOP - len)
            return -ENOMEM;
        return flags & MAP_FIXED_NOREPLACE && !space_free_range(*addr, len) ? -EEXIST : 0;
    }
    *addr = page_down(*addr);
    if (*addr >= VM_PROGRAM_LO && len <= SPACE_MMAP && *addr <= SPACE_MMAP - len &&
        space_free_range(*addr, len))
        return 0;
    *addr = space_hole(len, len >= HUGE_ALIGN ? HUGE_ALIGN : PAGE_SIZE);
    return *addr ? 0 : -ENOMEM;
}

long sys_mmap(const uint64_t a[6])
{
    uint64_t addr = a[0], prot = a[2] & PROT_ALL, flags = a[3];
    uint64_t kind = flags & MAP_TYPE;
    if (!a[1] || a[5] & PAGE_MASK)
        return -EINVAL;
    uint64_t len = page_up(a[1]);
    if (!len || len > SPACE_TOP)
        return -ENOMEM;
    bool anonymous = flags & MAP_ANONYMOUS;
    if (kind != MAP_SHARED && kind != MAP_PRIVATE && kind != MAP_SHARED_VALIDATE)
        return -EINVAL;
    kind = kind == MAP_PRIVATE ? kind : MAP_SHARED;
    struct file *file = anonymous ? NULL : fd_get((int)a[4]);
    int rc = anonymous ? 0 : check_file(file, prot, kind);
    if (rc == 0 && flags & MAP_HUGETLB)
        rc = anonymous ? -EPERM : -EINVAL; /* as the jail has it */
    /* What could never be filled is refused at once; less is given as it is touched. */
    if (rc == 0 && anonymous && prot & PROT_WRITE && !(flags & MAP_NORESERVE) &&
        len > page_count_total() * PAGE_SIZE)
        rc = -ENOMEM;
    if (rc == 0)
        rc = place(&addr, len, flags);
    if (rc < 0)
        return rc;
    struct vma wish = {
        .start = addr,
        .end = addr + len,
        .offset = anonymous ? 0 : a[5],
        .file = file,
        .prot = (uint32_t)prot,
        .flags = (kind == MAP_SHARED ? VMA_SHARED : 0) |
                 (flags & MAP_NORESERVE ? VMA_NORESERVE : 0) | (flags & MAP_STACK ? VMA_THREAD : 0),
    };
    bool now = flags & MAP_POPULATE ||
               (anonymous ? len <= FILL_NOW : !(prot & PROT_WRITE) || len <= FILL_NOW);
    rc = space_map(&wish, now);
    return rc < 0 ? rc : (long)addr;
}

static int range(uint64_t start, uint64_t len, uint64_t *out_end)
{
    if (start & PAGE_MASK)
        return -EINVAL;
    len = page_up(len);
    if (start >= SPACE_TOP || len > SPACE_TOP - start)
        return -ENOMEM;
    *out_end = start + len;
    return 0;
}

long sys_munmap(const uint64_t a[6])
{
    uint64_t end = 0;
    if (!a[1] || range(a[0], a[1], &end) < 0)
        return -EINVAL;
    return space_unmap(a[0], end);
}

long sys_mprotect(const uint64_t a[6])
{
    uint64_t end = 0;
    int rc = range(a[0], a[1], &end);
    if (rc < 0)
        return rc;
    if (a[2] & ~(uint64_t)(PROT_ALL | PROT_SEM))
        return -EINVAL;
    return a[0] == end ? 0 : space_protect(a[0], end, (uint32_t)a[2] & PROT_ALL);
}

long sys_brk(const uint64_t a[6])
{
    uint64_t want = a[0], old = page_up(process.brk_end), new = page_up(want);
    if (want < process.brk_start || want > process.brk_limit)
        return (long)process.brk_end;
    if (new > old &&new - old > page_count_free() * PAGE_SIZE)
        return (long)process.brk_end;
    int rc = 0;
    if (new < old) {
        rc = space_unmap(new, old);
    } else if (new > old && old == process.brk_start) {
        const struct vma wish = {
            .start = old, .end = new, .prot = PROT_READ | PROT_WRITE, .flags = VMA_HEAP};
        rc = space_free_range(old, new - old) ? space_map(&wish, new - old <= FILL_BRK) : -ENOMEM;
    } else if (new > old) {
        rc = space_grow(process.brk_start, new, new - old <= FILL_BRK);
    }
    if (rc == 0)
        process.brk_end = want;
    return (long)process.brk_end;
}

long sys_mremap(const uint64_t a[6])
{
    uint64_t from = a[0], old = page_up(a[1]), new = page_up(a[2]), flags = a[3];
    if (from & PAGE_MASK || !new || flags & ~(uint64_t)(MREMAP_MAYMOVE | MREMAP_FIXED) ||
        new > SPACE_TOP)
        return -EINVAL;
    const struct vma *vma = space_find(from);
    if (!vma || !old || vma->end < from + old)
        return !old ? -EINVAL : -EFAULT;
    if (flags & MREMAP_FIXED) {
        uint64_t to = a[4];
        if (!(flags & MREMAP_MAYMOVE) || to & PAGE_MASK || (to < from + old && from < to + new) ||
            to < VM_PROGRAM_LO || to > SPACE_TOP - new)
            return -EINVAL;
        int rc = space_unmap(to, to + new);
        rc = rc == 0 ? space_move(from, old, to, new) : rc;
        return rc < 0 ? rc : (long)to;
    }
    if (new < old) {
        int rc = space_unmap(from + new, from + old);
        return rc < 0 ? rc : (long)from;
    }
    if (new == old)
        return (long)from;
    if (vma->end == from + old && space_free_range(vma->end, new - old) &&
        from + new <= SPACE_TOP) {
        int rc = space_grow(vma->start, from + new, new - old <= FILL_NOW);
        return rc < 0 ? rc : (long)from;
    }
    if (!(flags & MREMAP_MAYMOVE))
        return -ENOMEM;
    if (new > page_count_total() * PAGE_SIZE)
        return -ENOMEM;
    uint64_t to = space_hole(new, new >= HUGE_ALIGN ? HUGE_ALIGN : PAGE_SIZE);
    if (!to)
        return -ENOMEM;
    int rc = space_move(from, old, to, new);
    return rc < 0 ? rc : (long)to;
}

static int discard(uint64_t start, uint64_t end)
{
    for (uint64_t at = start; at < end;) {
        const struct vma *vma = space_find(at);
        if (!vma)
            return -ENOMEM;
        uint64_t stop = min_u64(end, vma->end);
        if (!(vma->flags & VMA_SHARED && !vma->file))
            space_discard(at, stop);
        at = stop;
    }
    return 0;
}

long sys_madvise(const uint64_t a[6])
{
    uint64_t end = 0;
    if (range(a[0], a[1], &end) < 0)
        return -EINVAL;
    switch ((int)a[2]) {
    case MADV_DONTNEED:
    case MADV_DONTNEED_LOCKED:
    case MADV_FREE:
        return discard(a[0], end);
    case MADV_POPULATE_READ:
    case MADV_POPULATE_WRITE:
        return space_populate(a[0], end);
    case MADV_NORMAL:
    case MADV_RANDOM:
    case MADV_SEQUENTIAL:
    case MADV_WILLNEED:
    case MADV_DONTFORK:
    case MADV_DOFORK:
    case MADV_MERGEABLE:
    case MADV_UNMERGEABLE:
    case MADV_HUGEPAGE:
    case MADV_NOHUGEPAGE:
    case MADV_DONTDUMP:
    case MADV_DODUMP:
    case MADV_COLD:
    case MADV_PAGEOUT:
        break;
    default:
        return -EINVAL;
    }
    for (uint64_t at = a[0]; at < end;) {
        const struct vma *vma = space_find(at);
        if (!vma)
            return -ENOMEM;
        at = vma->end;
    }
    return 0;
}

long sys_msync(const uint64_t a[6])
{
    uint64_t end = 0;
    int rc = range(a[0], a[1], &end);
    if (a[2] & ~(uint64_t)(MS_ASYNC | MS_SYNC | MS_INVALIDATE) ||
        (a[2] & MS_ASYNC && a[2] & MS_SYNC))
        return -EINVAL;
    for (uint64_t at = a[0]; rc == 0 && at < end;) {
        const struct vma *vma = space_find(at);
        if (!vma)
            return -ENOMEM;
        at = vma->end;
    }
    return rc;
}

long sys_mincore(const uint64_t a[6])
{
    uint64_t end = 0;
    if (a[0] & PAGE_MASK)
        return -EINVAL;
    if (range(a[0], a[1], &end) < 0)
        return -ENOMEM;
    for (uint64_t at = a[0], to = a[2]; at < end; at += PAGE_SIZE, to++) {
        paddr_t pa;
        unsigned prot;
        if (!space_find(at))
            return -ENOMEM;
        uint8_t there = arch_query(at, &pa, &prot) != 0;
        if (user_out(to, &there, 1) < 0)
            return -EFAULT;
    }
    return 0;
}

static long lock_range(const uint64_t a[6])
{
    uint64_t end = 0;
    uint64_t start = page_down(a[0]);
    int rc = range(start, a[1] + (a[0] - start), &end);
    if (rc == 0 && process.uid && end - start > PROCESS_MEMLOCK)
        rc = -ENOMEM;
    return rc < 0 ? rc : space_populate(start, end);
}

long sys_mlock(const uint64_t a[6])
{
    return lock_range(a);
}

long sys_mlock2(const uint64_t a[6])
{
    return a[2] & ~1UL ? -EINVAL : lock_range(a);
}

long sys_munlock(const uint64_t a[6])
{
    (void)a;
    return 0;
}

long sys_mlockall(const uint64_t a[6])
{
    return !a[0] || a[0] & ~7UL ? -EINVAL : 0;
}

long sys_munlockall(const uint64_t a[6])
{
    (void)a;
    return 0;
}
