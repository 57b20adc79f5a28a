/* SPDX-License-Identifier: Apache-2.0 */
/* PAGEMAP_SCAN of linux/fs.h (6.7), for systems whose headers are older. */
#ifndef SKERRY_VM_DIRTY_ABI_H
#define SKERRY_VM_DIRTY_ABI_H

#include <stdint.h>
#include <sys/ioctl.h>

#define PAGEMAP_IS_FILE    (UINT64_C(1) << 2)
#define PAGEMAP_IS_PRESENT (UINT64_C(1) << 3)
#define PAGEMAP_IS_SWAPPED (UINT64_C(1) << 4)
#define PAGEMAP_IS_ZERO    (UINT64_C(1) << 5)

struct pagemap_region {
    uint64_t start, end, categories;
};

/* struct pm_scan_arg */
struct pagemap_scan {
    uint64_t size, flags;
    uint64_t start, end, walk_end;
    uint64_t regions, region_count, max_pages;
    uint64_t inverted, all_of, any_of, told; /* categories */
};

#define PAGEMAP_SCAN_REQUEST _IOWR('f', 16, struct pagemap_scan)

_Static_assert(sizeof(struct pagemap_scan) == 96, "layout of the kernel");

#endif
