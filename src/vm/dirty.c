/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/dirty.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "vm/dirty_abi.h"

#define PAGE          UINT64_C(4096)
#define REGIONS       256
#define ENTRIES       4096
#define ENTRY_PRESENT (UINT64_C(1) << 63)
#define ENTRY_SWAPPED (UINT64_C(1) << 62)
#define ENTRY_FILE    (UINT64_C(1) << 61) /* of a file, or shared */

static int scan(const struct dirty *dirty, uint64_t start, uint64_t end, page_run_fn fn,
                void *context)
{
    struct pagemap_region regions[REGIONS];
    uint64_t base = start;
    while (start < end) {
        struct pagemap_scan question = {.size = sizeof(question),
                                        .start = start,
                                        .end = end,
                                        .regions = (uintptr_t)regions,
                                        .region_count = REGIONS,
                                        .inverted = PAGEMAP_IS_FILE | PAGEMAP_IS_ZERO,
                                        .all_of = PAGEMAP_IS_FILE | PAGEMAP_IS_ZERO,
                                        .any_of = PAGEMAP_IS_PRESENT | PAGEMAP_IS_SWAPPED,
                                        .told = PAGEMAP_IS_PRESENT};
        int count = ioctl(dirty->pagemap, PAGEMAP_SCAN_REQUEST, &question);
        if (count < 0)
            return -errno;
        for (int i = 0; i < count; i++) {
            struct page_run run = {(regions[i].start - base) / PAGE,
                                   (regions[i].end - regions[i].start) / PAGE};
            int result = fn(context, run);
            if (result != 0)
                return result;
        }
        if (question.walk_end <= start)
            return -EIO;
        start = question.walk_end;
    }
    return 0;
}

static bool is_own(uint64_t entry)
{
    return (entry & (ENTRY_PRESENT | ENTRY_SWAPPED)) != 0 && (entry & ENTRY_FILE) == 0;
}

static int read_map(const struct dirty *dirty, uint64_t start, uint64_t pages, page_run_fn fn,
                    void *context)
{
    static uint64_t entries[ENTRIES];
    struct page_run run = {0, 0};
    int result = 0;
    for (uint64_t done = 0; result == 0 && done < pages;) {
        uint64_t count = pages - done < ENTRIES ? pages - done : ENTRIES;
        ssize_t got = pread(dirty->pagemap, entries, count * sizeof(entries[0]),
                            (off_t)((start / PAGE + done) * sizeof(entries[0])));
        if (got != (ssize_t)(count * sizeof(entries[0])))
            return got < 0 ? -errno : -EIO;
        for (uint64_t i = 0; result == 0 && i < count; i++) {
            if (is_own(entries[i])) {
                run.page = run.count == 0 ? done + i : run.page;
                run.count++;
            } else if (run.count > 0) {
                result = fn(context, run);
                run.count = 0;
            }
        }
        done += count;
    }
    return result == 0 && run.count > 0 ? fn(context, run) : result;
}

int dirty_each(const struct dirty *dirty, const uint8_t *base, uint64_t bytes, page_run_fn fn,
               void *context)
{
    uint64_t start = (uintptr_t)base;
    if (dirty->pagemap < 0)
        return -EBADF;
    return dirty->scans ? scan(dirty, start, start + bytes, fn, context)
                        : read_map(dirty, start, bytes / PAGE, fn, context);
}

static int ignore(void *context, struct page_run run)
{
    (void)context;
    (void)run;
    return 0;
}

int dirty_open(struct dirty *dirty, struct err *err)
{
    static uint8_t page[4096] __attribute__((aligned(4096)));
    *dirty = (struct dirty){.pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC)};
    if (dirty->pagemap < 0)
        return err_set(err, errno, "open /proc/self/pagemap:");
    uint64_t start = (uintptr_t)page;
    dirty->scans = scan(dirty, start, start + sizeof(page), ignore, NULL) == 0;
    return 0;
}

void dirty_close(struct dirty *dirty)
{
    fd_close(&dirty->pagemap);
}
