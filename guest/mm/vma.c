// SPDX-License-Identifier: Apache-2.0
/* The sorted array of mappings. A program has some dozens: an array is searched faster than a tree
 * is walked. */
#include "vma.h"

#include "../fs/file.h"
#include "heap.h"

size_t vma_first(struct vma_list *list, uint64_t addr)
{
    if (list->last < list->count && list->at[list->last].start <= addr &&
        addr < list->at[list->last].end)
        return list->last;
    size_t low = 0, high = list->count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (list->at[mid].end > addr)
            high = mid;
        else
            low = mid + 1;
    }
    list->last = low;
    return low;
}

int vma_reserve(struct vma_list *list, size_t more)
{
    if (list->count + more <= list->room)
        return 0;
    size_t room = list->room ? list->room * 2 : 64;
    while (room < list->count + more)
        room *= 2;
    struct vma *at = heap_grow(list->at, list->count * sizeof(*at), room * sizeof(*at));
    if (!at)
        return -ENOMEM;
    list->at = at;
    list->room = room;
    return 0;
}

static void open_gap(struct vma_list *list, size_t i)
{
    memmove(&list->at[i + 1], &list->at[i], (list->count - i) * sizeof(list->at[0]));
    list->count++;
}

static void close_gap(struct vma_list *list, size_t i)
{
    if (list->at[i].file)
        file_put(list->at[i].file);
    list->count--;
    memmove(&list->at[i], &list->at[i + 1], (list->count - i) * sizeof(list->at[0]));
}

static bool continues(const struct vma *a, const struct vma *b)
{
    return a->end == b->start && a->prot == b->prot && a->flags == b->flags && a->file == b->file &&
           (!a->file || a->offset + (a->end - a->start) == b->offset);
}

void vma_insert(struct vma_list *list, const struct vma *vma)
{
    size_t i = vma_first(list, vma->start);
    open_gap(list, i);
    list->at[i] = *vma;
    if (vma->file)
        file_get(vma->file);
    vma_join(list, vma->start, vma->end);
}

void vma_split(struct vma_list *list, uint64_t addr)
{
    size_t i = vma_first(list, addr);
    if (i == list->count || list->at[i].start >= addr)
        return;
    open_gap(list, i);
    list->at[i + 1].offset += addr - list->at[i].start;
    list->at[i].end = list->at[i + 1].start = addr;
    if (list->at[i].file)
        file_get(list->at[i].file);
}

void vma_cut(struct vma_list *list, uint64_t start, uint64_t end)
{
    vma_split(list, start);
    size_t i = vma_first(list, start);
    if (i < list->count && list->at[i].start < end && list->at[i].end > end) {
        list->at[i].offset += end - list->at[i].start;
        list->at[i].start = end;
        return;
    }
    while (i < list->count && list->at[i].end <= end)
        close_gap(list, i);
    if (i < list->count && list->at[i].start < end) {
        list->at[i].offset += end - list->at[i].start;
        list->at[i].start = end;
    }
}

void vma_join(struct vma_list *list, uint64_t start, uint64_t end)
{
    size_t i = start ? vma_first(list, start - 1) : 0;
    while (i + 1 < list->count && list->at[i].start <= end) {
        if (!continues(&list->at[i], &list->at[i + 1])) {
            i++;
            continue;
        }
        list->at[i + 1].start = list->at[i].start;
        list->at[i + 1].offset = list->at[i].offset;
        close_gap(list, i);
    }
}
