/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of ld.so.cache; what it accepts is made into a cache again, which must read the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "image/ldcache.h"

#define ENTRIES_MAX 64

struct found {
    struct ldcache_entry entries[ENTRIES_MAX];
    size_t count;
};

static int take(void *arg, const struct ldcache_entry *entry)
{
    struct found *found = arg;
    if (found->count == ENTRIES_MAX)
        return 1;
    found->entries[found->count++] = *entry;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct found first = {.count = 0};
    struct found second = {.count = 0};
    void *made = NULL;
    size_t made_size = 0;
    if (ldcache_each(data, size, take, &first) < 0)
        return 0;
    if (ldcache_make(first.entries, first.count, &made, &made_size) < 0)
        return 0;
    if (ldcache_each(made, made_size, take, &second) < 0 || second.count != first.count)
        abort();
    for (size_t i = 0; i < first.count; i++) { /* ldcache_make has sorted the first */
        if (strcmp(first.entries[i].name, second.entries[i].name) != 0 ||
            strcmp(first.entries[i].path, second.entries[i].path) != 0)
            abort();
    }
    free(made);
    return 0;
}
