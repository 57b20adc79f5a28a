/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page tables return to what they were when the snapshot was taken.
 *
 * A hypervisor without second-level paging keeps shadows of the page tables and learns of changes
 * only from the guest's own writes; a monitor that put old tables back by itself would leave stale
 * shadows. So the guest takes back its own changes before it ends: from a table's first change on a
 * copy of it is kept. The monitor compares what it finds with the snapshot and gives the machine up
 * if it differs: this is for speed, nobody relies on it.
 */
#include "x86_64/machine.h"

#define SAVED_MAX 64u /* tables; a program that changes more of them gets no second run */
#define ENTRIES   (VM_PAGE / 8)

static uint64_t saved[SAVED_MAX][ENTRIES] __attribute__((aligned(4096)));
static uint64_t *saved_from[SAVED_MAX];
static unsigned int saved_count, last;
static uint64_t *fresh; /* tables from here on were made since, and held zeroes */
static bool keeping;

void undo_begin(void)
{
    keeping = true;
    fresh = arch_phys(kernel_table_next());
}

static bool is_fresh(const uint64_t *table)
{
    return table >= fresh && table < (const uint64_t *)arch_phys(kernel_table_next());
}

void undo_note(uint64_t *entry)
{
    uint64_t *table = (uint64_t *)((uint64_t)entry & ~(uint64_t)(VM_PAGE - 1));
    if (!keeping || saved_from[last] == table || is_fresh(table))
        return;
    for (unsigned int i = 0; i < saved_count; i++) {
        if (saved_from[i] == table) {
            last = i;
            return;
        }
    }
    if (saved_count == SAVED_MAX)
        return;
    __builtin_memcpy(saved[saved_count], table, VM_PAGE);
    saved_from[saved_count] = table;
    last = saved_count++;
}

void undo_all(void)
{
    if (!keeping)
        return;
    keeping = false;
    for (unsigned int i = 0; i < saved_count; i++) {
        for (unsigned int at = 0; at < ENTRIES; at++) {
            if (saved_from[i][at] != saved[i][at])
                saved_from[i][at] = saved[i][at];
        }
    }
    /* nothing points to these any more */
    for (uint64_t *at = fresh; at < (uint64_t *)arch_phys(kernel_table_next()); at++) {
        if (*at != 0)
            *at = 0;
    }
}
