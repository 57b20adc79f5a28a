// SPDX-License-Identifier: Apache-2.0
/*
 * Mappings and their frames. fill_run() gathers frames that lie in a row so that the machine part
 * is called once for them; anonymous memory is taken in the largest blocks that fit, which lets the
 * machine part use 2 MiB pages.
 */
#include "space.h"

#include <asm/mman.h>

#include "../arch.h"
#include "../fs/file.h"
#include "page.h"
#include "vma.h"

#define PROT_ALL   (PROT_READ | PROT_WRITE | PROT_EXEC)
#define BIG        (2UL << 20)
#define FILL_AHEAD (128UL << 10)
#define FILL_STACK (32UL << 10)

static struct vma_list maps;
uint64_t space_changes;

int space_init(void)
{
    return vma_reserve(&maps, 64);
}

size_t space_count(void)
{
    return maps.count;
}

const struct vma *space_at(size_t index)
{
    return &maps.at[index];
}

const struct vma *space_find(uint64_t addr)
{
    size_t i = vma_first(&maps, addr);
    return i < maps.count && maps.at[i].start <= addr ? &maps.at[i] : NULL;
}

bool space_free_range(uint64_t start, uint64_t len)
{
    size_t i = vma_first(&maps, start);
    return i == maps.count || maps.at[i].start >= start + len;
}

uint64_t space_hole(uint64_t len, uint64_t align)
{
    uint64_t top = SPACE_MMAP; /* the stack is above */
    for (size_t i = maps.count + 1; i-- > 0;) {
        uint64_t low = i ? maps.at[i - 1].end : VM_PROGRAM_LO;
        if (i && low > top) {
            top = min_u64(top, maps.at[i - 1].start);
            continue;
        }
        if (low <= top && top - low >= len && ((top - len) & ~(align - 1)) >= low)
            return (top - len) & ~(align - 1);
        if (i)
            top = min_u64(top, maps.at[i - 1].start);
    }
    return 0;
}

static unsigned arch_prot_of(uint32_t prot)
{
    unsigned arch = 0;
    if (prot & PROT_READ)
        arch |= ARCH_R;
    if (prot & PROT_WRITE)
        arch |= ARCH_R | ARCH_W;
    if (prot & PROT_EXEC)
        arch |= ARCH_R | ARCH_X;
    return arch;
}

static void drop_frames(uint64_t start, uint64_t end)
{
    /* First the translations, then the frames: nobody may see a frame that has a new owner. The
     * frames of a stretch are remembered in a small array between the two. */
    paddr_t frames[64];
    space_changes++;
    while (start < end) {
        uint64_t at = start;
        size_t n = 0;
        for (; at < end && n < ARRAY_LEN(frames); at += PAGE_SIZE) {
            paddr_t pa;
            unsigned prot;
            if (arch_query(at, &pa, &prot))
                frames[n++] = pa;
        }
        if (n)
            arch_unmap(start, (at - start) >> PAGE_SHIFT);
        for (size_t i = 0; i < n; i++)
            page_put(frames[i]);
        start = at;
    }
}

static bool is_private_copy(paddr_t pa)
{
    return page_owned(pa) && page_of(pa)->refs == 1;
}

static int copy_of(paddr_t from, paddr_t *out)
{
    paddr_t pa = page_alloc(0);
    if (!pa)
        return -ENOMEM;
    memcpy(page_ptr(pa), page_ptr(from), PAGE_SIZE);
    *out = pa;
    return 0;
}

/* The frame that a file mapping has at `at`, with a reference for the mapping. */
static int file_frame(const struct vma *vma, uint64_t at, paddr_t *out)
{
    if (!vma->file->ops->frame)
        return -ENODEV;
    paddr_t pa;
    int rc = vma->file->ops->frame(vma->file, (vma->offset + (at - vma->start)) >> PAGE_SHIFT,
                                   vma->flags & VMA_SHARED && vma->prot & PROT_WRITE, &pa);
    if (rc < 0)
        return rc;
    if (vma->prot & PROT_WRITE && !(vma->flags & VMA_SHARED)) {
        rc = copy_of(pa, out);
        page_put(pa);
        return rc;
    }
    *out = pa;
    return 0;
}

static int fill_file(const struct vma *vma, uint64_t start, uint64_t end)
{
    uint64_t run_va = 0, run_pages = 0;
    paddr_t run_pa = 0;
    unsigned prot = arch_prot_of(vma->prot);
    int rc = 0;
    for (uint64_t at = start; at < end; at += PAGE_SIZE) {
        paddr_t pa;
        unsigned old;
        if (arch_query(at, &pa, &old))
            continue;
        rc = file_frame(vma, at, &pa);
        if (rc < 0)
            break;
        if (run_pages && run_va + run_pages * PAGE_SIZE == at &&
            run_pa + run_pages * PAGE_SIZE == pa) {
            run_pages++;
            continue;
        }
        if (run_pages && arch_map(run_va, run_pa, run_pages, prot))
            return -ENOMEM;
        run_va = at, run_pa = pa, run_pages = 1;
    }
    if (run_pages && arch_map(run_va, run_pa, run_pages, prot))
        return -ENOMEM;
    return rc;
}

/* Whether no page of a range has a frame. */
static bool is_bare(uint64_t start, uint64_t len)
{
    for (uint64_t at = start; at < start + len; at += PAGE_SIZE) {
        paddr_t pa;
        unsigned prot;
        if (arch_query(at, &pa, &prot))
            return false;
    }
    return true;
}

static int fill_anonymous(const struct vma *vma, uint64_t start, uint64_t end)
{
    for (uint64_t at = start; at < end;) {
        paddr_t pa;
        unsigned old;
        if (arch_query(at, &pa, &old)) {
            at += PAGE_SIZE;
            continue;
        }
        unsigned order = 0;
        while (order < 9 && !(at & ((PAGE_SIZE << (order + 1)) - 1)) &&
               at + (PAGE_SIZE << (order + 1)) <= end &&
               is_bare(at + (PAGE_SIZE << order), PAGE_SIZE << order))
            order++;
        while (!(pa = page_alloc_zero(order))) {
            if (!order--)
                return -ENOMEM;
        }
        page_split(pa, order);
        int rc = arch_map(at, pa, 1UL << order, arch_prot_of(vma->prot));
        if (rc < 0)
            return rc;
        at += PAGE_SIZE << order;
    }
    return 0;
}

static int fill(const struct vma *vma, uint64_t start, uint64_t end)
{
    if (!(vma->prot & PROT_ALL))
        return 0;
    int rc = vma->file ? fill_file(vma, start, end) : fill_anonymous(vma, start, end);
    if (rc == 0 && vma->prot & PROT_EXEC)
        arch_patch(start, end - start);
    return rc;
}

int space_map(const struct vma *wish, bool now)
{
    int rc = space_unmap(wish->start, wish->end);
    if (rc < 0)
        return rc;
    if (vma_reserve(&maps, 2) < 0)
        return -ENOMEM;
    vma_insert(&maps, wish);
    if (!now)
        return 0;
    rc = fill(wish, wish->start, wish->end);
    if (rc == -ENOMEM) {
        space_unmap(wish->start, wish->end);
        return rc;
    }
    return 0; /* behind the end of a file there are no frames: a touch is SIGBUS */
}

int space_unmap(uint64_t start, uint64_t end)
{
    if (vma_reserve(&maps, 2) < 0)
        return -ENOMEM;
    size_t i = vma_first(&maps, start);
    if (i == maps.count || maps.at[i].start >= end)
        return 0;
    for (; i < maps.count && maps.at[i].start < end; i++)
        drop_frames(max_u64(start, maps.at[i].start), min_u64(end, maps.at[i].end));
    vma_cut(&maps, start, end);
    return 0;
}

int space_make_private(uint64_t start, uint64_t end)
{
    for (uint64_t at = start; at < end; at += PAGE_SIZE) {
        paddr_t pa, copy;
        unsigned prot;
        if (!arch_query(at, &pa, &prot) || is_private_copy(page_down(pa)))
            continue;
        int rc = copy_of(page_down(pa), &copy);
        if (rc < 0)
            return rc;
        /* prot 0 keeps the frame but cannot be mapped anew: map readable, then take the right away.
         */
        if (arch_map(at, copy, 1, prot ? prot : ARCH_R) < 0)
            return -ENOMEM;
        if (!prot)
            arch_protect(at, 1, 0);
        page_put(page_down(pa));
    }
    return 0;
}

static int protect_one(struct vma *vma, uint32_t prot)
{
    bool copies = vma->file && prot & PROT_WRITE && !(vma->flags & VMA_SHARED);
    int rc = copies ? space_make_private(vma->start, vma->end) : 0;
    if (rc < 0)
        return rc;
    space_changes++;
    bool gains_exec = prot & PROT_EXEC && !(vma->prot & PROT_EXEC);
    vma->prot = prot;
    rc = arch_protect(vma->start, (vma->end - vma->start) >> PAGE_SHIFT, arch_prot_of(prot));
    if (rc == 0 && gains_exec)
        arch_patch(vma->start, vma->end - vma->start);
    return rc;
}

int space_protect(uint64_t start, uint64_t end, uint32_t prot)
{
    uint64_t at = start;
    for (size_t i = vma_first(&maps, start); at < end; i++) {
        if (i == maps.count || maps.at[i].start > at)
            return -ENOMEM;
        const struct vma *vma = &maps.at[i];
        if (vma->flags & VMA_KERNEL)
            return -EACCES;
        if (vma->file && vma->flags & VMA_SHARED && prot & PROT_WRITE && !file_writable(vma->file))
            return -EACCES;
        at = vma->end;
    }
    if (vma_reserve(&maps, 3) < 0)
        return -ENOMEM;
    vma_split(&maps, start);
    vma_split(&maps, end);
    for (size_t i = vma_first(&maps, start); i < maps.count && maps.at[i].start < end; i++) {
        int rc = maps.at[i].prot == prot ? 0 : protect_one(&maps.at[i], prot);
        if (rc < 0)
            return rc;
        if (maps.at[i].end - maps.at[i].start <= FILL_AHEAD)
            fill(&maps.at[i], maps.at[i].start, maps.at[i].end);
    }
    vma_join(&maps, start, end);
    return 0;
}

int space_grow(uint64_t start, uint64_t new_end, bool now)
{
    size_t i = vma_first(&maps, start);
    if (i == maps.count || maps.at[i].start > start)
        return -ENOMEM;
    uint64_t old_end = maps.at[i].end;
    if (new_end < old_end)
        return space_unmap(new_end, old_end);
    if (i + 1 < maps.count && maps.at[i + 1].start < new_end)
        return -ENOMEM;
    maps.at[i].end = new_end;
    if (now && fill(&maps.at[i], old_end, new_end) == -ENOMEM) {
        space_unmap(old_end, new_end);
        return -ENOMEM;
    }
    vma_join(&maps, start, new_end);
    return 0;
}

int space_move(uint64_t from, uint64_t len, uint64_t to, uint64_t new_len)
{
    const struct vma *found = space_find(from);
    if (found == NULL)
        return -EFAULT;
    struct vma moved = *found;
    moved.offset += from - moved.start;
    moved.start = to;
    moved.end = to + new_len;
    if (vma_reserve(&maps, 4) < 0)
        return -ENOMEM;
    vma_insert(&maps, &moved);
    unsigned want = arch_prot_of(moved.prot);
    for (uint64_t at = 0; at < min_u64(len, new_len); at += PAGE_SIZE) {
        paddr_t pa;
        unsigned prot;
        if (!arch_query(from + at, &pa, &prot))
            continue;
        if (arch_map(to + at, pa, 1, want ? want : ARCH_R) < 0)
            return -ENOMEM;
        if (!want)
            arch_protect(to + at, 1, 0);
        page_get(pa);
    }
    return space_unmap(from, from + len);
}

void space_discard(uint64_t start, uint64_t end)
{
    drop_frames(start, end);
}

int space_populate(uint64_t start, uint64_t end)
{
    while (start < end) {
        const struct vma *vma = space_find(start);
        if (!vma)
            return -ENOMEM;
        uint64_t stop = min_u64(end, vma->end);
        int rc = fill(vma, start, stop);
        if (rc < 0)
            return rc;
        start = stop;
    }
    return 0;
}

/* How much of an anonymous mapping one touch fills: a block of 2 MiB if memory is plenty, else some
 * pages. */
static void around(const struct vma *vma, uint64_t addr, uint64_t *out_start, uint64_t *out_end)
{
    bool stack = vma->flags & (VMA_STACK | VMA_THREAD);
    uint64_t size = stack ? FILL_STACK : FILL_AHEAD;
    uint64_t big = addr & ~(BIG - 1);
    if (!stack && !vma->file && big >= vma->start && big + BIG <= vma->end &&
        page_count_free() > page_count_total() / 2)
        size = BIG;
    *out_start = max_u64(vma->start, addr & ~(size - 1));
    *out_end = min_u64(vma->end, (addr & ~(size - 1)) + size);
}

enum space_fault space_fault(uint64_t addr, uint32_t want)
{
    const struct vma *vma = space_find(addr);
    if (!vma)
        return FAULT_UNMAPPED;
    /* Writable and executable memory can be read on this machine. */
    uint32_t have = vma->prot & (PROT_WRITE | PROT_EXEC) ? vma->prot | PROT_READ : vma->prot;
    if ((have & want) != want)
        return FAULT_ACCESS;
    uint64_t start, end;
    around(vma, page_down(addr), &start, &end);
    int rc = fill(vma, start, end);
    paddr_t pa;
    unsigned prot;
    if (arch_query(addr, &pa, &prot))
        return FAULT_OK;
    return rc == -ENOMEM ? FAULT_MEMORY : FAULT_BUS;
}
