/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page tables. The monitor made the first ones (kernel, direct map); here the program's half is
 * filled. The user bit is set at every level: there is one privilege level, and page-table VMs run
 * all of it in what the hardware calls user mode. Protection of kernel text and constants against
 * stray writes comes from their own entries.
 *
 * The hypervisor shadows these tables where there is no second-level paging, so that every change
 * of a present entry costs it work: entries are written only when they differ, and flushed once a
 * call.
 */
#include "x86_64/machine.h"

#define PTE_P           UINT64_C(1)
#define PTE_W           UINT64_C(2)
#define PTE_U           UINT64_C(4)
#define PTE_USED        UINT64_C(0x60) /* accessed and dirty: nobody has to write them later */
#define PTE_BIG         UINT64_C(0x80)
#define PTE_HELD        UINT64_C(0x200) /* not present, but keeps its address: ARCH_R.. taken away */
#define PTE_NX          (UINT64_C(1) << 63)
#define PTE_ADDR        UINT64_C(0x000ffffffffff000)
#define PTE_TABLE       (PTE_P | PTE_W | PTE_U | PTE_USED)
#define BIG_PAGE        UINT64_C(0x200000)
#define BIG_PAGES       512u
#define FLUSH_ALL_AFTER 32u /* single pages; then reloading cr3 is cheaper */

static uint64_t *root;

struct flush {
    uint64_t first, count; /* pages whose old translation may be cached */
};

void tables_open(void)
{
    root = arch_phys(VM_TABLES_GPA);
}

static void flush_now(const struct flush *flush)
{
    if (flush->count == 0)
        return;
    if (flush->count <= FLUSH_ALL_AFTER) {
        for (uint64_t i = 0; i < flush->count; i++)
            __asm__ volatile("invlpg (%0)" : : "r"(flush->first + i * VM_PAGE) : "memory");
        return;
    }
    uint64_t cr3;
    __asm__ volatile("movq %%cr3, %0; movq %0, %%cr3" : "=r"(cr3) : : "memory");
}

static void flush_note(struct flush *flush, uint64_t va, uint64_t pages)
{
    if (flush->count == 0)
        flush->first = va;
    uint64_t end = va + pages * VM_PAGE;
    flush->count = (end - flush->first) / VM_PAGE;
}

static uint64_t bits_of(unsigned int prot)
{
    if (prot == 0)
        return PTE_HELD;
    return PTE_P | PTE_U | PTE_USED | ((prot & ARCH_W) != 0 ? PTE_W : 0) |
           ((prot & ARCH_X) != 0 ? 0 : PTE_NX);
}

static unsigned int prot_of(uint64_t entry)
{
    if ((entry & PTE_P) == 0)
        return 0;
    return ARCH_R | ((entry & PTE_W) != 0 ? ARCH_W : 0u) | ((entry & PTE_NX) != 0 ? 0u : ARCH_X);
}

static unsigned int index_at(uint64_t va, unsigned int level)
{
    return (unsigned int)(va >> (12 + 9 * level)) & 511;
}

/* A table of 512 entries that map what the big page mapped. */
static bool split_big(uint64_t *entry)
{
    uint64_t table = kernel_table_alloc();
    if (table == 0)
        return false;
    uint64_t *small = arch_phys(table);
    uint64_t bits = *entry & ~(PTE_ADDR | PTE_BIG);
    uint64_t pa = *entry & PTE_ADDR;
    for (unsigned int i = 0; i < BIG_PAGES; i++)
        small[i] = (pa + i * (uint64_t)VM_PAGE) | bits;
    undo_note(entry);
    *entry = table | PTE_TABLE;
    return true;
}

/* The entry for va at `level` (0: 4 KiB, 1: 2 MiB); makes tables on the way if asked. NULL: there
 * is none (*out_full: for lack of memory). A big page on the way is split. */
static uint64_t *entry_at(uint64_t va, unsigned int level, bool make, bool *out_full)
{
    uint64_t *table = root;
    for (unsigned int at = 3; at > level; at--) {
        uint64_t *entry = &table[index_at(va, at)];
        if (*entry == 0) {
            if (!make)
                return NULL;
            uint64_t page = kernel_table_alloc();
            if (page == 0) {
                *out_full = true;
                return NULL;
            }
            undo_note(entry);
            *entry = page | PTE_TABLE;
        } else if ((*entry & PTE_BIG) != 0 && !split_big(entry)) {
            *out_full = true;
            return NULL;
        }
        table = arch_phys(*entry & PTE_ADDR);
    }
    return &table[index_at(va, level)];
}

/* The big entry that covers va, if there is one. */
static uint64_t *big_at(uint64_t va)
{
    uint64_t *table = root;
    for (unsigned int at = 3; at > 1; at--) {
        uint64_t entry = table[index_at(va, at)];
        if (entry == 0)
            return NULL;
        table = arch_phys(entry & PTE_ADDR);
    }
    uint64_t *entry = &table[index_at(va, 1)];
    return (*entry & PTE_BIG) != 0 ? entry : NULL;
}

static bool whole_big(uint64_t va, uint64_t pages)
{
    return va % BIG_PAGE == 0 && pages >= BIG_PAGES;
}

static void set_entry(uint64_t *entry, uint64_t value, uint64_t va, uint64_t pages,
                      struct flush *flush)
{
    uint64_t old = *entry;
    if (old == value)
        return;
    undo_note(entry);
    *entry = value;
    if ((old & PTE_P) != 0)
        flush_note(flush, va, pages);
}

/* True when a table hangs at the place of a big entry: then its small entries are used. */
static bool is_table(uint64_t entry)
{
    return entry != 0 && (entry & PTE_BIG) == 0;
}

int arch_map(uint64_t va, uint64_t pa, uint64_t pages, unsigned int prot)
{
    struct flush flush = {0};
    bool full = false;
    uint64_t bits = bits_of(prot);
    while (pages > 0 && !full) {
        uint64_t step = 1;
        if (whole_big(va, pages) && pa % BIG_PAGE == 0) {
            uint64_t *entry = entry_at(va, 1, true, &full);
            if (entry != NULL && !is_table(*entry)) {
                set_entry(entry, pa | bits | PTE_BIG, va, BIG_PAGES, &flush);
                step = BIG_PAGES;
            }
        }
        if (step == 1 && !full) {
            uint64_t *entry = entry_at(va, 0, true, &full);
            if (entry != NULL)
                set_entry(entry, pa | bits, va, 1, &flush);
        }
        va += step * VM_PAGE;
        pa += step * VM_PAGE;
        pages -= step;
    }
    flush_now(&flush);
    return full ? -12 /* ENOMEM */ : 0;
}

/* Walks what is mapped in the range; with prot < 0 unmaps, else changes the protection. */
static int change(uint64_t va, uint64_t pages, int prot)
{
    struct flush flush = {0};
    bool full = false;
    while (pages > 0 && !full) {
        uint64_t *entry = big_at(va);
        uint64_t step = BIG_PAGES - (va / VM_PAGE) % BIG_PAGES;
        if (step > pages)
            step = pages;
        if (entry == NULL || !whole_big(va, pages)) {
            entry = entry_at(va, 0, false, &full);
            step = entry == NULL && !full ? step : 1;
        }
        if (entry != NULL && *entry != 0)
            set_entry(entry,
                      prot < 0
                          ? 0
                          : (*entry & PTE_ADDR) | (*entry & PTE_BIG) | bits_of((unsigned int)prot),
                      va, step, &flush);
        va += step * VM_PAGE;
        pages -= step;
    }
    flush_now(&flush);
    return full ? -12 /* ENOMEM */ : 0;
}

int arch_unmap(uint64_t va, uint64_t pages)
{
    return change(va, pages, -1);
}

int arch_protect(uint64_t va, uint64_t pages, unsigned int prot)
{
    return change(va, pages, (int)prot);
}

int arch_query(uint64_t va, uint64_t *out_pa, unsigned int *out_prot)
{
    uint64_t *entry = big_at(va);
    uint64_t size = BIG_PAGE;
    bool full = false;
    if (entry == NULL) {
        entry = entry_at(va, 0, false, &full);
        size = VM_PAGE;
    }
    if (entry == NULL || *entry == 0)
        return 0;
    *out_pa = ((*entry & PTE_ADDR) & ~(size - 1)) | (va & (size - 1));
    *out_prot = prot_of(*entry);
    return 1;
}
