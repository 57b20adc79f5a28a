/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every file of the guest kernel uses: integer types, error numbers, page arithmetic,
 * intrusive lists and the string functions. The numbers and structures of the Linux ABI come from
 * the kernel's user-space headers (linux/ and asm/), which need no C library.
 */
#ifndef SKERRY_GUEST_BASE_H
#define SKERRY_GUEST_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <asm/errno.h>

#define PAGE_SIZE    4096UL
#define PAGE_SHIFT   12
#define PAGE_MASK    (PAGE_SIZE - 1)
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define NS_PER_S     1000000000UL
#define NEVER        UINT64_MAX

/* A guest-physical address. Not a pointer: page_ptr() makes one. */
typedef uint64_t paddr_t;

/* An interrupted call: it is started again when the signal had no handler or its handler has
 * SA_RESTART. */
#define ERESTARTSYS 512
/* An interrupted call that is never started again after a handler ran. */
#define ERESTARTNOHAND 514

static inline uint64_t page_down(uint64_t at)
{
    return at & ~PAGE_MASK;
}

static inline uint64_t page_up(uint64_t at)
{
    return (at + PAGE_MASK) & ~PAGE_MASK;
}

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* A doubly linked ring; an empty list points to itself. */
struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *list)
{
    list->next = list->prev = list;
}

static inline bool list_empty(const struct list *list)
{
    return list->next == list;
}

static inline void list_add_tail(struct list *list, struct list *node)
{
    node->prev = list->prev;
    node->next = list;
    list->prev->next = node;
    list->prev = node;
}

static inline void list_add(struct list *list, struct list *node)
{
    list_add_tail(list->next, node);
}

/* Takes a node out and leaves it an empty list, so that taking it out twice does no harm. */
static inline void list_del(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

void *memcpy(void *restrict to, const void *restrict from, size_t len);
void *memmove(void *to, const void *from, size_t len);
void *memset(void *to, int byte, size_t len);
int memcmp(const void *a, const void *b, size_t len);
void *memchr(const void *at, int byte, size_t len);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t len);
char *strchr(const char *s, int c);

#endif
