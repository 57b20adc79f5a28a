/* SPDX-License-Identifier: Apache-2.0 */
/* The sorted array of mappings below space.h: pure bookkeeping, no frames. */
#ifndef SKERRY_GUEST_VMA_H
#define SKERRY_GUEST_VMA_H

#include "space.h"

struct vma_list {
    struct vma *at;
    size_t count, room;
    size_t last; /* found last time */
};

/** vma_first(): index of the first mapping whose end is above addr (count when none). */
size_t vma_first(struct vma_list *list, uint64_t addr);

/** vma_reserve(): makes room for more entries, so that what follows cannot fail. */
int vma_reserve(struct vma_list *list, size_t more);

/** vma_insert(): puts a mapping in its place, joined with a neighbour that continues it. The range
 * is free, room reserved. */
void vma_insert(struct vma_list *list, const struct vma *vma);

/** vma_cut(): removes the bookkeeping of [start, end), splitting what sticks out. Room for one more
 * is reserved. */
void vma_cut(struct vma_list *list, uint64_t start, uint64_t end);

/** vma_split(): makes addr a border between mappings if it lies inside one. Room for one more is
 * reserved. */
void vma_split(struct vma_list *list, uint64_t addr);

/** vma_join(): joins neighbours in [start, end] that continue each other. */
void vma_join(struct vma_list *list, uint64_t start, uint64_t end);

#endif
