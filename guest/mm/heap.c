// SPDX-License-Identifier: Apache-2.0
/*
 * The kernel's own memory: sizes up to 2 KiB come from frames cut into equal pieces, a free list a
 * size; larger ones are blocks of frames. The record of the frame says which.
 */
#include "heap.h"

#include "page.h"

#define CLASSES   8 /* 16, 32, ... 2048 bytes */
#define CLASS_MIN 4

static void *free_lists[CLASSES];

static unsigned class_of(size_t len)
{
    unsigned class = 0;
    while (((size_t)1 << (class + CLASS_MIN)) < len)
        class ++;
    return class;
}

static bool refill(unsigned class)
{
    paddr_t pa = page_alloc(0);
    if (!pa)
        return false;
    page_of(pa)->class = (uint8_t)(class + 1);
    size_t size = (size_t)1 << (class + CLASS_MIN);
    char *at = page_ptr(pa);
    for (size_t i = PAGE_SIZE; i >= size; i -= size) {
        void *piece = at + i - size;
        memcpy(piece, &free_lists[class], sizeof(void *));
        free_lists[class] = piece;
    }
    return true;
}

static unsigned order_of(size_t len)
{
    unsigned order = 0;
    while (PAGE_SIZE << order < len)
        order++;
    return order;
}

void *heap_alloc(size_t len)
{
    if (len > PAGE_SIZE << PAGE_ORDER_MAX)
        return NULL;
    if (len > PAGE_SIZE / 2) {
        paddr_t pa = page_alloc_zero(order_of(len));
        return pa ? page_ptr(pa) : NULL;
    }
    unsigned class = class_of(len);
    if (!free_lists[class] && !refill(class))
        return NULL;
    void *piece = free_lists[class];
    memcpy(&free_lists[class], piece, sizeof(void *));
    memset(piece, 0, (size_t)1 << (class + CLASS_MIN));
    return piece;
}

void heap_free(void *ptr)
{
    if (!ptr)
        return;
    paddr_t pa = page_pa(ptr);
    struct page *page = page_of(page_down(pa));
    if (!page->class) {
        page_put(pa);
        return;
    }
    unsigned class = page->class - 1U;
    memcpy(ptr, &free_lists[class], sizeof(void *));
    free_lists[class] = ptr;
}

void *heap_grow(void *old, size_t old_len, size_t new_len)
{
    void *new = heap_alloc(new_len);
    if (!new)
        return NULL;
    if (old)
        memcpy(new, old, old_len < new_len ? old_len : new_len);
    heap_free(old);
    return new;
}

char *heap_string(const char *s, size_t len)
{
    char *copy = heap_alloc(len + 1);
    if (copy)
        memcpy(copy, s, len);
    return copy;
}
