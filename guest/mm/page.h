/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of guest memory: a buddy allocator with a reference count a frame. */
#ifndef SKERRY_GUEST_PAGE_H
#define SKERRY_GUEST_PAGE_H

#include "../kernel/base.h"

#define PAGE_ORDER_MAX 10

/* What is known of a frame. Only the first frame of a free or allocated block counts. */
struct page {
    struct list free; /* in the free list of its order */
    uint32_t refs;    /* 0: free */
    uint8_t order;
    uint8_t free_head; /* first frame of a free block */
    uint8_t zero;  /* free block that nobody wrote to since the host gave it: no need to clear it */
    uint8_t class; /* heap: size class + 1 */
};

/**
 * page_init(): takes [base, end) of guest memory, which the host gave zeroed, as the frames to hand
 * out. The table of frames is put at its start. Both are multiples of PAGE_SIZE.
 */
void page_init(paddr_t base, paddr_t end);

/** page_alloc(): 2^order frames in a row, contents undefined, one reference. 0 when there are none.
 */
paddr_t page_alloc(unsigned order);

/** page_alloc_zero(): the same, cleared. */
paddr_t page_alloc_zero(unsigned order);

/** page_get(), page_put(): a reference more or less; the last one frees. Addresses outside (the
 * image) are ignored. */
void page_get(paddr_t pa);
void page_put(paddr_t pa);

/** page_split(): makes single frames, each with one reference, of an allocated block. */
void page_split(paddr_t pa, unsigned order);

/** page_owned(): whether the frame is one of ours (and not one of the shared image). */
bool page_owned(paddr_t pa);

/** page_ptr(): where the kernel sees guest-physical memory. page_of(): the record of a frame. */
void *page_ptr(paddr_t pa);
paddr_t page_pa(const void *ptr);
struct page *page_of(paddr_t pa);

uint64_t page_count_total(void);
uint64_t page_count_free(void);

#endif
