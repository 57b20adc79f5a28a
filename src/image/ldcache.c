/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The format, as glibc documents it in its sources: a header, fixed-size entries, strings; offsets
 * of strings count from the header. Entries stand in falling order of their names, in which runs of
 * digits are compared as numbers.
 */
#include "image/ldcache.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define OLD_MAGIC      "ld.so-1.7.0"
#define OLD_HEAD_SIZE  16
#define OLD_COUNT_AT   12
#define OLD_ENTRY_SIZE 12
#define NEW_MAGIC      "glibc-ld.so.cache1.1"
#define FLAGS_X86_64   0x0303 /* ELF, libc6, x86-64 */
#define LITTLE_ENDIAN_ 2
#define PATH_LIMIT     4096

struct cache_head {
    char magic[20];
    uint32_t count;
    uint32_t string_bytes;
    uint8_t flags; /* byte order: 0 unknown, 2 little */
    uint8_t padding[3];
    uint32_t extension;
    uint32_t unused[3];
};
static_assert(sizeof(struct cache_head) == 48, "the head of ld.so.cache");

struct cache_entry {
    int32_t flags;
    uint32_t name;
    uint32_t path;
    uint32_t os_version;
    uint64_t hwcap; /* not 0: only for some CPUs */
};
static_assert(sizeof(struct cache_entry) == 24, "an entry of ld.so.cache");

/* Where the new format begins: at once, or behind the old one. -EINVAL when nowhere. */
static int find_head(const char *data, size_t size, size_t *out_at)
{
    size_t at = 0;
    if (size >= OLD_HEAD_SIZE && memcmp(data, OLD_MAGIC, sizeof(OLD_MAGIC) - 1) == 0) {
        uint32_t count;
        memcpy(&count, data + OLD_COUNT_AT, sizeof(count));
        if (count > (size - OLD_HEAD_SIZE) / OLD_ENTRY_SIZE)
            return -EINVAL;
        at = OLD_HEAD_SIZE + (size_t)count * OLD_ENTRY_SIZE;
        at = (at + 7) & ~(size_t)7;
    }
    if (at > size || size - at < sizeof(struct cache_head) ||
        memcmp(data + at, NEW_MAGIC, sizeof(NEW_MAGIC) - 1) != 0)
        return -EINVAL;
    *out_at = at;
    return 0;
}

/* The string at offset of the size bytes at data, or NULL when it does not end within them. */
static const char *string_at(const char *data, size_t size, uint32_t offset)
{
    if (offset >= size || memchr(data + offset, '\0', size - offset) == NULL)
        return NULL;
    return data + offset;
}

int ldcache_each(const void *data, size_t size, ldcache_each_fn each, void *arg)
{
    struct cache_head head;
    size_t at = 0;
    int result = find_head(data, size, &at);
    if (result < 0)
        return result;
    const char *base = (const char *)data + at;
    size -= at;
    memcpy(&head, base, sizeof(head));
    if ((head.flags & 3) != 0 && (head.flags & 3) != LITTLE_ENDIAN_)
        return -EINVAL;
    if (head.count > (size - sizeof(head)) / sizeof(struct cache_entry))
        return -EINVAL;
    for (uint32_t i = 0; i < head.count; i++) {
        struct cache_entry entry;
        memcpy(&entry, base + sizeof(head) + i * sizeof(entry), sizeof(entry));
        if (entry.flags != FLAGS_X86_64 || entry.hwcap != 0)
            continue;
        struct ldcache_entry found = {string_at(base, size, entry.name),
                                      string_at(base, size, entry.path)};
        if (found.name == NULL || found.path == NULL || strlen(found.path) >= PATH_LIMIT)
            return -EINVAL;
        result = each(arg, &found);
        if (result != 0)
            return result;
    }
    return 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Compares a run of digits as a number and moves behind it. Leading zeros do not count. */
static int compare_numbers(const char **a, const char **b)
{
    uint64_t left = 0;
    uint64_t right = 0;
    for (; is_digit(**a); ++*a)
        left = left * 10 + (uint64_t)(**a - '0');
    for (; is_digit(**b); ++*b)
        right = right * 10 + (uint64_t)(**b - '0');
    return left < right ? -1 : left > right;
}

/* A digit is above every other character. */
static int compare_names(const char *a, const char *b)
{
    while (*a != '\0') {
        int order = 0;
        if (is_digit(*a) && is_digit(*b)) {
            order = compare_numbers(&a, &b);
        } else if (is_digit(*a) != is_digit(*b)) {
            order = is_digit(*a) ? 1 : -1;
        } else {
            order = (int)*a - (int)*b;
            a++;
            b++;
        }
        if (order != 0)
            return order;
    }
    return (int)*a - (int)*b;
}

static int falling(const void *a, const void *b)
{
    return compare_names(((const struct ldcache_entry *)b)->name,
                         ((const struct ldcache_entry *)a)->name);
}

static uint32_t put_string(char *base, size_t *used, const char *text)
{
    size_t at = *used;
    size_t size = strlen(text) + 1;
    memcpy(base + at, text, size);
    *used += size;
    return (uint32_t)at;
}

int ldcache_make(struct ldcache_entry *entries, size_t count, void **out, size_t *out_size)
{
    struct cache_head head = {.count = (uint32_t)count, .flags = LITTLE_ENDIAN_};
    size_t used = sizeof(head) + count * sizeof(struct cache_entry);
    size_t size = used;
    memcpy(head.magic, NEW_MAGIC, sizeof(head.magic));
    for (size_t i = 0; i < count; i++)
        size += strlen(entries[i].name) + strlen(entries[i].path) + 2;
    char *data = calloc(1, size);
    if (data == NULL)
        return -ENOMEM;
    head.string_bytes = (uint32_t)(size - used);
    memcpy(data, &head, sizeof(head));
    if (count > 0)
        qsort(entries, count, sizeof(entries[0]), falling);
    for (size_t i = 0; i < count; i++) {
        struct cache_entry entry = {.flags = FLAGS_X86_64};
        entry.name = put_string(data, &used, entries[i].name);
        entry.path = put_string(data, &used, entries[i].path);
        memcpy(data + sizeof(head) + i * sizeof(entry), &entry, sizeof(entry));
    }
    *out = data;
    *out_size = size;
    return 0;
}
