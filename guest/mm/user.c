// SPDX-License-Identifier: Apache-2.0
/*
 * The program's pointers, checked. user_ok() looks at the mappings and fills what is not there yet,
 * so that the kernel itself never faults on them: the answer EFAULT comes before anything has been
 * done.
 */
#include <asm/mman.h>

#include "../arch.h"
#include "page.h"
#include "space.h"

static bool filled(uint64_t start, uint64_t end, uint32_t want)
{
    for (uint64_t at = page_down(start); at < end; at += PAGE_SIZE) {
        paddr_t pa;
        unsigned prot;
        if (!arch_query(at, &pa, &prot) && space_fault(at, want) != FAULT_OK)
            return false;
    }
    return true;
}

/* The page that was asked for last: most calls touch the same stack or buffer again. */
static struct {
    uint64_t page, changes;
    bool write, known;
} last;

bool user_ok(uint64_t addr, uint64_t len, bool write)
{
    if (!len)
        return true;
    bool one_page = page_down(addr) == page_down(addr + len - 1);
    if (last.known && one_page && last.page == page_down(addr) && last.changes == space_changes &&
        (last.write || !write))
        return true;
    if (addr >= SPACE_TOP || len > SPACE_TOP - addr)
        return false;
    uint32_t want = write ? PROT_WRITE : PROT_READ;
    for (uint64_t at = addr; at < addr + len;) {
        const struct vma *vma = space_find(at);
        if (!vma)
            return false;
        uint32_t have = vma->prot & (PROT_WRITE | PROT_EXEC) ? vma->prot | PROT_READ : vma->prot;
        if (!(have & want))
            return false;
        at = vma->end;
    }
    if (!filled(addr, addr + len, want))
        return false;
    if (one_page) {
        last.page = page_down(addr);
        last.changes = space_changes;
        last.write = write;
        last.known = true;
    }
    return true;
}

int user_in(void *to, uint64_t from, size_t len)
{
    if (!user_ok(from, len, false))
        return -EFAULT;
    memcpy(to, (const void *)from, len);
    return 0;
}

int user_out(uint64_t to, const void *from, size_t len)
{
    if (!user_ok(to, len, true))
        return -EFAULT;
    memcpy((void *)to, from, len);
    return 0;
}

long user_string(char *to, uint64_t from, size_t max)
{
    for (size_t got = 0; got < max;) {
        uint64_t at = from + got;
        size_t part = PAGE_SIZE - (at & PAGE_MASK);
        if (part > max - got)
            part = max - got;
        if (!user_ok(at, part, false))
            return -EFAULT;
        memcpy(to + got, (const void *)at, part);
        const char *end = memchr(to + got, 0, part);
        if (end)
            return end - to;
        got += part;
    }
    return -ENAMETOOLONG;
}
