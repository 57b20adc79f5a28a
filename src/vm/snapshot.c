/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a snapshot. Nothing here knows of a machine: a fuzzer calls it with any bytes. */
#include "vm/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "skerry/abi/warm.h"

#define HUGE_PAGE UINT64_C(0x200000)

static bool page_aligned(uint64_t at)
{
    return at % VM_PAGE == 0;
}

/* [at, at + bytes) are whole pages of RAM. */
static bool in_ram(const struct snapshot_head *head, uint64_t at, uint64_t bytes)
{
    return page_aligned(at) && page_aligned(bytes) && bytes <= head->ram_bytes &&
           at <= head->ram_bytes - bytes;
}

static bool head_is_sound(const struct snapshot_head *head)
{
    return head->magic == SNAPSHOT_MAGIC && head->version == SNAPSHOT_VERSION &&
           head->abi_version == VM_ABI_VERSION && head->ram_bytes % HUGE_PAGE == 0 &&
           head->ram_bytes >= VM_RAM_BYTES_MIN && head->ram_bytes <= VM_RAM_BYTES_MAX &&
           page_aligned(head->image_bytes) && head->direct <= 1 &&
           head->tables_gpa >= VM_KERNEL_GPA &&
           in_ram(head, head->tables_gpa, head->tables_bytes) &&
           head->extent_count <= SNAPSHOT_EXTENTS_MAX;
}

/* In order, apart, inside of RAM; together as many pages as the file has behind pages_at. */
static bool place_extents(struct snapshot *snapshot, uint64_t pages_at)
{
    uint64_t free_page = SNAPSHOT_FIRST_PAGE, at = pages_at;
    for (unsigned int i = 0; i < snapshot->head.extent_count; i++) {
        const struct snapshot_extent *extent = &snapshot->extents[i];
        uint64_t end = (uint64_t)extent->page + extent->count;
        if (extent->page < free_page || extent->count == 0 ||
            end > snapshot->head.ram_bytes / VM_PAGE)
            return false;
        snapshot->offsets[i] = at;
        at += (uint64_t)extent->count * VM_PAGE;
        free_page = end + 1;
    }
    return at == snapshot->size;
}

int snapshot_parse(struct snapshot *out, const uint8_t *bytes, uint64_t size, struct err *err)
{
    struct snapshot_head head;
    if (size < sizeof(head))
        return err_set(err, EINVAL, "the snapshot is too short");
    memcpy(&head, bytes, sizeof(head));
    if (!head_is_sound(&head))
        return err_set(err, EINVAL, "the snapshot is none of this version of skerry-vmm");
    uint64_t table = head.extent_count * sizeof(struct snapshot_extent);
    if (size - sizeof(head) < table)
        return err_set(err, EINVAL, "the snapshot is too short");
    out->head = head;
    out->bytes = bytes;
    out->size = size;
    memcpy(out->extents, bytes + sizeof(head), table);
    uint64_t pages_at = (sizeof(head) + table + VM_PAGE - 1) / VM_PAGE * VM_PAGE;
    return place_extents(out, pages_at)
               ? 0
               : err_set(err, EINVAL, "the snapshot's pages are not right");
}

int snapshot_open(struct snapshot *out, int fd, struct err *err)
{
    struct stat status;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || ((unsigned int)seals & WARM_SEALS) != WARM_SEALS)
        return err_set(err, EPERM, "the snapshot is not sealed, so it may change: not used");
    if (fstat(fd, &status) < 0 || status.st_size <= 0)
        return err_set(err, EINVAL, "the snapshot is empty");
    uint64_t size = (uint64_t)status.st_size;
    /* private: a shared one of a sealed file is refused by older kernels */
    void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        return err_set(err, errno, "map the snapshot:");
    int result = snapshot_parse(out, bytes, size, err);
    if (result < 0)
        munmap(bytes, size);
    return result;
}

const uint8_t *snapshot_page(const struct snapshot *snapshot, uint64_t page)
{
    unsigned int low = 0, high = snapshot->head.extent_count;
    while (low < high) { /* the first extent that ends behind the page */
        unsigned int middle = low + (high - low) / 2;
        const struct snapshot_extent *extent = &snapshot->extents[middle];
        if ((uint64_t)extent->page + extent->count <= page)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == snapshot->head.extent_count || snapshot->extents[low].page > page)
        return NULL;
    return snapshot->bytes + snapshot->offsets[low] +
           (page - snapshot->extents[low].page) * VM_PAGE;
}
