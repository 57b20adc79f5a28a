/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "skerry/abi/vm.h"

#define HUGE_PAGE UINT64_C(0x200000)

/* The kernel, the rings and what a small program needs: in small pages, so that an idle machine
 * holds only what it touched (0.6 MB instead of 4); as fast to start, since nothing large is
 * zeroed. */
#define SMALL_BYTES (UINT64_C(4) << 20)

/* Around a snapshot's pages: what a request takes first. Small pages are put back one by one. */
#define NEAR_BYTES (UINT64_C(8) << 20)

/* Memory that begins on a huge page's border, so that the guest's big pages are the host's too. */
static void *map_aligned(uint64_t bytes)
{
    uint8_t *room = mmap(NULL, bytes + HUGE_PAGE, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED)
        return NULL;
    uint64_t before = (HUGE_PAGE - (uintptr_t)room % HUGE_PAGE) % HUGE_PAGE;
    uint8_t *aligned = room + before;
    if (before > 0)
        munmap(room, before);
    munmap(aligned + bytes, HUGE_PAGE - before);
    return aligned;
}

int guest_memory_open(struct guest_memory *memory, uint64_t ram_bytes, struct err *err)
{
    *memory = (struct guest_memory){.ram_bytes = ram_bytes};
    if (ram_bytes % HUGE_PAGE != 0 || ram_bytes < VM_RAM_BYTES_MIN || ram_bytes > VM_RAM_BYTES_MAX)
        return err_set(err, EINVAL,
                       "a guest cannot have %" PRIu64 " bytes of memory: %" PRIu64
                       " MiB to %" PRIu64 " MiB in steps of 2 MiB",
                       ram_bytes, VM_RAM_BYTES_MIN >> 20, VM_RAM_BYTES_MAX >> 20);
    memory->ram = map_aligned(ram_bytes);
    if (memory->ram == NULL)
        return err_set(err, errno,
                       "take %" PRIu64 " MiB of memory for the guest:", ram_bytes >> 20);
    madvise(memory->ram, ram_bytes, MADV_HUGEPAGE);
    madvise(memory->ram, SMALL_BYTES, MADV_NOHUGEPAGE);
    madvise(memory->ram, ram_bytes, MADV_DONTDUMP);
    return 0;
}

int guest_memory_image(struct guest_memory *memory, int fd, struct err *err)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return err_set(err, errno, "look at the guest's image:");
    if (!S_ISREG(status.st_mode) || status.st_size <= 0 || status.st_size % VM_PAGE != 0)
        return err_set(err, EINVAL, "the guest's image is no file of whole pages");
    void *image = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (image == MAP_FAILED)
        return err_set(err, errno, "map the guest's image:");
    memory->image = image;
    memory->image_bytes = (uint64_t)status.st_size;
    return 0;
}

int guest_memory_overlay(struct guest_memory *memory, uint64_t page, uint64_t count, int fd,
                         uint64_t offset, struct err *err)
{
    uint64_t bytes = count * VM_PAGE, at = page * VM_PAGE;
    if (guest_span(memory, GPA(at), bytes) == NULL)
        return err_set(err, EINVAL, "the snapshot has pages outside of memory");
    if (mmap(memory->ram + at, bytes, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, fd, (off_t)offset) == MAP_FAILED)
        return err_set(err, errno, "map the snapshot:");
    uint64_t start = at > NEAR_BYTES ? (at - NEAR_BYTES) / VM_PAGE * VM_PAGE : 0;
    uint64_t end = at + bytes + NEAR_BYTES;
    end = end < memory->ram_bytes ? end : memory->ram_bytes;
    madvise(memory->ram + start, end - start, MADV_NOHUGEPAGE);
    madvise(memory->ram + at, bytes, MADV_DONTDUMP);
    /* A page that is there already costs a seventh when the guest touches it first; older kernels
     * do without. */
    madvise(memory->ram + at, bytes, MADV_POPULATE_READ);
    return 0;
}

void *guest_span(const struct guest_memory *memory, gpa_t gpa, size_t size)
{
    if (size > memory->ram_bytes || gpa.at > memory->ram_bytes - size)
        return NULL;
    return memory->ram + gpa.at;
}

int guest_read(const struct guest_memory *memory, gpa_t at, void *out, size_t size)
{
    const void *from = guest_span(memory, at, size);
    if (from == NULL)
        return -EFAULT;
    memcpy(out, from, size);
    return 0;
}

int guest_write(struct guest_memory *memory, gpa_t at, const void *data, size_t size)
{
    void *to = guest_span(memory, at, size);
    if (to == NULL)
        return -EFAULT;
    memcpy(to, data, size);
    return 0;
}

void guest_memory_close(struct guest_memory *memory)
{
    if (memory->ram != NULL)
        munmap(memory->ram, memory->ram_bytes);
    if (memory->image != NULL)
        munmap((void *)(uintptr_t)memory->image, memory->image_bytes);
    *memory = (struct guest_memory){0};
}
