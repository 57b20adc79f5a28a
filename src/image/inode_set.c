/* SPDX-License-Identifier: Apache-2.0 */
/* Open addressing, at most half full. Numbers are scattered by a multiplication (Knuth). */
#include "image/inode_set.h"

#include <errno.h>
#include <stdlib.h>

static size_t find_slot(const uint64_t *slots, size_t room, uint64_t inode)
{
    size_t at = (size_t)((inode * UINT64_C(0x9e3779b97f4a7c15)) >> 20) & (room - 1);
    while (slots[at] != 0 && slots[at] != inode)
        at = (at + 1) & (room - 1);
    return at;
}

static int grow(struct inode_set *set)
{
    size_t room = set->room == 0 ? 1024 : 2 * set->room;
    uint64_t *slots = calloc(room, sizeof(*slots));
    if (slots == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < set->room; i++) {
        if (set->slots[i] != 0)
            slots[find_slot(slots, room, set->slots[i])] = set->slots[i];
    }
    free(set->slots);
    set->slots = slots;
    set->room = room;
    return 0;
}

int inode_set_add(struct inode_set *set, uint64_t inode)
{
    if (2 * (set->count + 1) > set->room) {
        int result = grow(set);
        if (result < 0)
            return result;
    }
    size_t at = find_slot(set->slots, set->room, inode);
    if (set->slots[at] == 0)
        set->count++;
    set->slots[at] = inode;
    return 0;
}

bool inode_set_has(const struct inode_set *set, uint64_t inode)
{
    return set->room > 0 && set->slots[find_slot(set->slots, set->room, inode)] == inode;
}

void inode_set_clear(struct inode_set *set)
{
    free(set->slots);
    *set = (struct inode_set){0};
}
