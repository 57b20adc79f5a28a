/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A snapshot of any bytes: what is accepted must lie within the file and within memory, page by
 * page, as a machine would map it and a reset would read it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vm/snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_extent(const struct snapshot *snapshot, unsigned int i)
{
    const struct snapshot_extent *extent = &snapshot->extents[i];
    uint64_t bytes = (uint64_t)extent->count * VM_PAGE, at = (uint64_t)extent->page * VM_PAGE;
    if (extent->count == 0 || at + bytes > snapshot->head.ram_bytes ||
        snapshot->offsets[i] % VM_PAGE != 0 || bytes > snapshot->size ||
        snapshot->offsets[i] > snapshot->size - bytes)
        abort();
    for (uint32_t page = 0; page < extent->count; page++) {
        const uint8_t *stored = snapshot_page(snapshot, extent->page + page);
        if (stored != snapshot->bytes + snapshot->offsets[i] + (uint64_t)page * VM_PAGE)
            abort();
    }
    if (snapshot_page(snapshot, (uint64_t)extent->page + extent->count) != NULL ||
        (extent->page > 0 && snapshot_page(snapshot, extent->page - 1) != NULL))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct snapshot snapshot;
    struct err err = {0};
    if (snapshot_parse(&snapshot, data, size, &err) < 0) {
        if (err.text[0] == '\0')
            abort();
        return 0;
    }
    if (snapshot.head.tables_bytes > snapshot.head.ram_bytes ||
        snapshot.head.tables_gpa > snapshot.head.ram_bytes - snapshot.head.tables_bytes)
        abort();
    for (unsigned int i = 0; i < snapshot.head.extent_count; i++)
        check_extent(&snapshot, i);
    return 0;
}
