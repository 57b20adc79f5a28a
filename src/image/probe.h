/* SPDX-License-Identifier: Apache-2.0 */
/* ELF files and ld.so.cache read by a confined child that holds these files and nothing else. */
#ifndef SKERRY_IMAGE_PROBE_H
#define SKERRY_IMAGE_PROBE_H

#include <stddef.h>

#include "base/err.h"
#include "image/elf_file.h"

/* Reads count files (at most PROBE_MAX) into out[0..count). 0 or -errno with a sentence. */
#define PROBE_MAX 512
int probe_elf(const int *fds, size_t count, struct elf_info *out, struct err *err);

struct probe_cache { /* {0} is empty */
    char *text;      /* NAME NUL PATH NUL ..., from a confined child, checked */
    size_t size;
};

/* Reads the cache of ld.so from fd. One that cannot be read is empty, as ld.so takes it. */
int probe_cache_load(int fd, struct probe_cache *out, struct err *err);
void probe_cache_free(struct probe_cache *cache);

/* The path that the cache has for a library, or NULL. */
const char *probe_cache_find(const struct probe_cache *cache, const char *name);

/*
 * Opens a regular file for reading, and nothing else: a device or a pipe is not even opened. A
 * descriptor or -errno (-EINVAL when it is no regular file).
 */
int probe_open_regular(const char *path);

#endif
