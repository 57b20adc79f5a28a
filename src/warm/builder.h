/* SPDX-License-Identifier: Apache-2.0 */
/* A snapshot while it is put together. */
#ifndef SKERRY_WARM_BUILDER_H
#define SKERRY_WARM_BUILDER_H

#include <stdint.h>

#include "warm/snapshot.h"

struct builder {
    struct head head;
    struct mapping mappings[MAPPINGS_MAX];
    struct range copies[COPIES_MAX];
    struct range touched[TOUCHED_MAX];
    struct open_file opens[OPENS_MAX];
    struct stored_file files[FILES_MAX];
    struct action actions[ACTIONS_MAX];
    char strings[STRINGS_MAX];
    uint64_t page_bytes; /* of all MAPPING_PAGES so far */
};
extern struct builder builder;

/* Each ends with a refusal when there is no room. */
uint32_t builder_add_string(const char *text);
uint32_t builder_add_file(const char *path, const void *file_status);
struct mapping *builder_add_mapping(void);

/* Appends pages to the ranges; what continues the last one extends it. */
void builder_add_range(struct range *ranges, uint32_t *count, uint32_t most, uint64_t start,
                       uint64_t bytes);

/* Collects the descriptors above 2 (opens.c), and the memory (mappings.c). */
void opens_collect(void);
void mappings_collect(void);

/* Refuses a file that will not be there for a request. in_use says what it has of it. */
void path_check(const char *path, const char *in_use, void *out_status);

#endif
