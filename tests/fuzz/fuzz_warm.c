/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head and tables of a snapshot; the first byte is the count of pages that follow them. What
 * the check lets through is walked as skerry-warm restores it, and must keep what it promises.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "warm/layout.h"
#include "warm/snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds)
        abort();
}

static void walk(const struct head *head, uint64_t file_bytes)
{
    struct tables tables = snapshot_tables(head);
    uint64_t end = 0, left = file_bytes - head->copies_at;
    for (uint32_t i = 0; i < head->mapping_count; i++) {
        const struct mapping *at = &tables.mappings[i];
        must(at->start >= end && at->start < at->end && at->end <= ADDRESS_END);
        must(at->end <= WINDOW_LO || at->start >= WINDOW_HI);
        must(at->kind != MAPPING_FILE || at->file < head->file_count);
        end = at->end;
    }
    for (uint32_t i = 0; i < head->copy_count; i++) {
        must(tables.copies[i].bytes <= left);
        left -= tables.copies[i].bytes;
        must(snapshot_mapping(head, tables.copies[i].start, tables.copies[i].bytes) != NULL);
    }
    for (uint32_t i = 0; i < head->touched_count; i++)
        must(snapshot_mapping(head, tables.touched[i].start, tables.touched[i].bytes) != NULL);
    for (uint32_t i = 0; i < head->file_count; i++)
        must(strlen(tables.strings + tables.files[i].path) < head->strings_bytes);
    for (uint32_t i = 0; i < head->open_count; i++)
        must(tables.opens[i].fd > 2 && tables.opens[i].file < head->file_count);
    for (uint32_t i = 0; i < head->action_count; i++)
        must(tables.actions[i].number >= 1 && tables.actions[i].number <= 64);
    must(strlen(tables.strings + head->task.cwd) < head->strings_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    size_t bytes = size - 1;
    void *head = malloc(bytes > 0 ? bytes : 1); /* exact: a read past the end is seen */
    if (head == NULL)
        return 0;
    memcpy(head, data + 1, bytes);
    uint64_t file_bytes = page_up(bytes) + data[0] * PAGE;
    if (snapshot_check(head, bytes, file_bytes) == NULL)
        walk(head, file_bytes);
    free(head);
    return 0;
}
