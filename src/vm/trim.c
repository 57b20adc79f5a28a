/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's RAM is made of huge pages, because the first touch of a small one costs thirty times as
 * much where KVM runs on page tables. A small program then holds 4 MiB of which it uses a tenth.
 * While it waits for long that is given back: what is not zero in a huge page is put aside, the
 * page is dropped whole (a part of it would stay with the host until it is short of memory), and
 * what was put aside is written into small pages.
 */
#include "vm/trim.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "skerry/abi/vm.h"

#define HUGE_PAGE  UINT64_C(0x200000)
#define HUGE_PAGES (HUGE_PAGE / VM_PAGE)
#define USED_MAX   (HUGE_PAGES * 3 / 4) /* more is not worth the price */

static uint8_t aside[USED_MAX * VM_PAGE];

/* Whether the host has memory there. Reading what it has not would make it some. */
static bool is_there(void *block)
{
    unsigned char pages[HUGE_PAGES];
    return mincore(block, HUGE_PAGE, pages) == 0 && memchr(pages, 1, sizeof(pages)) != NULL;
}

static bool is_zero(const uint8_t *page)
{
    return page[0] == 0 && memcmp(page, page + 1, VM_PAGE - 1) == 0;
}

static void trim_block(uint8_t *block)
{
    uint16_t used[USED_MAX];
    unsigned int count = 0;
    for (uint16_t i = 0; i < HUGE_PAGES; i++) {
        const uint8_t *page = block + i * (size_t)VM_PAGE;
        if (is_zero(page))
            continue;
        if (count == USED_MAX)
            return;
        memcpy(aside + count * (size_t)VM_PAGE, page, VM_PAGE);
        used[count++] = i;
    }
    if (madvise(block, HUGE_PAGE, MADV_NOHUGEPAGE) < 0 ||
        madvise(block, HUGE_PAGE, MADV_DONTNEED) < 0)
        return;
    for (unsigned int i = 0; i < count; i++)
        memcpy(block + used[i] * (size_t)VM_PAGE, aside + i * (size_t)VM_PAGE, VM_PAGE);
}

void trim_zeroes(struct guest_memory *memory)
{
    for (uint64_t at = GUEST_SMALL_BYTES; at < memory->ram_bytes; at += HUGE_PAGE) {
        if (is_there(memory->ram + at))
            trim_block(memory->ram + at);
    }
    madvise(aside, sizeof(aside), MADV_DONTNEED);
}
