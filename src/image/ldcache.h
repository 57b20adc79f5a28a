/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /etc/ld.so.cache, in which ld.so finds most libraries: reading the host's (in a confined child),
 * and making the small one of an image.
 */
#ifndef SKERRY_IMAGE_LDCACHE_H
#define SKERRY_IMAGE_LDCACHE_H

#include <stddef.h>

#define LDCACHE_SIZE_MAX (8u << 20)

struct ldcache_entry {
    const char *name; /* of the library, as in DT_NEEDED */
    const char *path;
};

/* 0 to go on, else the reading ends with this result. The strings live until it returns. */
typedef int (*ldcache_each_fn)(void *arg, const struct ldcache_entry *entry);

/*
 * Calls each for every entry of a cache in the format of glibc 2.2 and later (alone or behind the
 * old one) that is for x86-64 and for any CPU of it. 0, what each said, or -EINVAL when the cache
 * is damaged. Pure.
 */
int ldcache_each(const void *data, size_t size, ldcache_each_fn each, void *arg);

/*
 * Makes a cache of count entries; the caller frees *out. entries are sorted here, as ld.so's binary
 * search wants them. 0 or -ENOMEM.
 */
int ldcache_make(struct ldcache_entry *entries, size_t count, void **out, size_t *out_size);

#endif
