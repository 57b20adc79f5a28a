// SPDX-License-Identifier: Apache-2.0
/*
 * Frames of guest memory, by the buddy method: blocks of 2^order frames, each aligned to its size;
 * a freed block joins its free buddy. A block that was never handed out is known to be zero, so
 * that fresh memory is neither cleared nor touched. All state is in guest memory or in the kernel's
 * data: a snapshot is a copy of memory.
 */
#include "page.h"

#include "../arch.h"

/* The monitor maps what lies below by small pages: each costs a fault when it is touched first. */
#define SLOW_END (4UL << 20)

static struct {
    struct page *table;
    paddr_t base, end;
    uint64_t free;
    uint64_t total;
    struct list lists[PAGE_ORDER_MAX + 1];
    paddr_t reserve, reserve_end; /* handed out when all else is used up */
} pages;

void *page_ptr(paddr_t pa)
{
    return arch_phys(pa);
}

paddr_t page_pa(const void *ptr)
{
    return (paddr_t)((uintptr_t)ptr - (uintptr_t)arch_phys(0));
}

bool page_owned(paddr_t pa)
{
    return pa >= pages.base && pa < pages.end;
}

struct page *page_of(paddr_t pa)
{
    return &pages.table[(pa - pages.base) >> PAGE_SHIFT];
}

static paddr_t pa_of(const struct page *page)
{
    return pages.base + ((paddr_t)(page - pages.table) << PAGE_SHIFT);
}

static void block_free(paddr_t pa, unsigned order, bool zero)
{
    struct page *page = page_of(pa);
    page->refs = 0;
    page->class = 0;
    page->order = (uint8_t)order;
    page->free_head = 1;
    page->zero = zero;
    list_add(&pages.lists[order], &page->free);
}

static void free_range(paddr_t from, paddr_t to)
{
    for (paddr_t pa = from; pa < to;) {
        unsigned order = 0;
        while (order < PAGE_ORDER_MAX && !(pa & ((PAGE_SIZE << (order + 1)) - 1)) &&
               pa + (PAGE_SIZE << (order + 1)) <= to)
            order++;
        block_free(pa, order, true);
        pa += PAGE_SIZE << order;
    }
}

void page_init(paddr_t base, paddr_t end)
{
    /* Blocks are aligned by address, so that one of 2 MiB can be mapped as one. */
    paddr_t aligned = base & ~((PAGE_SIZE << PAGE_ORDER_MAX) - 1);
    uint64_t count = (end - aligned) >> PAGE_SHIFT;
    paddr_t start = base < SLOW_END && end >= 4 * SLOW_END ? SLOW_END : base;
    pages.table = page_ptr(start);
    pages.base = aligned;
    pages.end = end;
    pages.reserve = base;
    pages.reserve_end = start;
    paddr_t first = page_up(start + count * sizeof(struct page));
    pages.free = pages.total = ((end - first) + (start - base)) >> PAGE_SHIFT;
    for (unsigned i = 0; i <= PAGE_ORDER_MAX; i++)
        list_init(&pages.lists[i]);
    free_range(first, end);
}

static paddr_t take(unsigned order, bool *out_zero)
{
    unsigned have = order;
    while (have <= PAGE_ORDER_MAX && list_empty(&pages.lists[have]))
        have++;
    if (have > PAGE_ORDER_MAX && pages.reserve < pages.reserve_end) {
        paddr_t from = pages.reserve;
        pages.reserve = pages.reserve_end;
        free_range(from, pages.reserve_end);
        return take(order, out_zero);
    }
    if (have > PAGE_ORDER_MAX)
        return 0;
    struct page *page = container_of(pages.lists[have].next, struct page, free);
    list_del(&page->free);
    page->free_head = 0;
    bool zero = page->zero;
    paddr_t pa = pa_of(page);
    while (have > order) {
        have--;
        block_free(pa + (PAGE_SIZE << have), have, zero);
    }
    page->order = (uint8_t)order;
    page->refs = 1;
    page->class = 0;
    pages.free -= 1UL << order;
    *out_zero = zero;
    return pa;
}

paddr_t page_alloc(unsigned order)
{
    bool zero;
    return order > PAGE_ORDER_MAX ? 0 : take(order, &zero);
}

paddr_t page_alloc_zero(unsigned order)
{
    bool zero = false;
    paddr_t pa = order > PAGE_ORDER_MAX ? 0 : take(order, &zero);
    if (pa && !zero)
        memset(page_ptr(pa), 0, PAGE_SIZE << order);
    return pa;
}

void page_split(paddr_t pa, unsigned order)
{
    for (uint64_t i = 0; i < 1UL << order; i++) {
        struct page *page = page_of(pa + (i << PAGE_SHIFT));
        page->refs = 1;
        page->order = 0;
        page->free_head = 0;
        page->class = 0;
    }
}

void page_get(paddr_t pa)
{
    if (page_owned(pa))
        page_of(pa)->refs++;
}

void page_put(paddr_t pa)
{
    if (!page_owned(pa))
        return;
    struct page *page = page_of(pa);
    if (--page->refs > 0)
        return;
    unsigned order = page->order;
    pages.free += 1UL << order;
    while (order < PAGE_ORDER_MAX) {
        paddr_t other = pa ^ (PAGE_SIZE << order);
        if (!page_owned(other) || other + (PAGE_SIZE << order) > pages.end)
            break;
        struct page *buddy = page_of(other);
        if (!buddy->free_head || buddy->order != order)
            break;
        list_del(&buddy->free);
        buddy->free_head = 0;
        pa = min_u64(pa, other);
        order++;
    }
    block_free(pa, order, false);
}

uint64_t page_count_total(void)
{
    return pages.total;
}

uint64_t page_count_free(void)
{
    return pages.free;
}
