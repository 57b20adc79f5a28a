/* SPDX-License-Identifier: Apache-2.0 */
/* A circular, doubly linked list whose links lie in what it holds. A node that is in no list points
 * at itself. */
#ifndef SKERRY_GATEWAY_LIST_H
#define SKERRY_GATEWAY_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *prev;
    struct list *next;
};

/* The struct that holds `node` as its member. */
#define LIST_OWNER(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

static inline void list_init(struct list *node)
{
    node->prev = node->next = node;
}

static inline bool list_is_empty(const struct list *list)
{
    return list->next == list;
}

static inline void list_append(struct list *list, struct list *node)
{
    node->prev = list->prev;
    node->next = list;
    list->prev->next = node;
    list->prev = node;
}

static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* Takes the first node out; NULL when the list is empty. */
static inline struct list *list_pop(struct list *list)
{
    struct list *node = list->next;
    if (node == list)
        return NULL;
    list_remove(node);
    return node;
}

/* Moves all nodes of `from` to the end of `to`. */
static inline void list_move(struct list *from, struct list *to)
{
    if (list_is_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

#endif
