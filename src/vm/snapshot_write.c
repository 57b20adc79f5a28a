/* SPDX-License-Identifier: Apache-2.0 */
/* Writing a snapshot: those pages that hold something, in few pieces. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "skerry/abi/warm.h"
#include "vm/dirty.h"
#include "vm/machine.h"
#include "vm/snapshot.h"

/* So many zero pages between two others are stored, too: each piece is a mapping when restored. */
#define GAP 16u

#define SEAL_TRIES    100u
#define SEAL_PAUSE_NS 10000000

struct writer {
    const uint8_t *ram;
    struct snapshot_extent extents[SNAPSHOT_EXTENTS_MAX];
    unsigned int count;
};

static bool is_zero(const uint8_t *page)
{
    uint64_t first;
    memcpy(&first, page, sizeof(first));
    return first == 0 && memcmp(page, page + sizeof(first), VM_PAGE - sizeof(first)) == 0;
}

static int add_page(struct writer *writer, uint64_t page)
{
    struct snapshot_extent *last = writer->count > 0 ? &writer->extents[writer->count - 1] : NULL;
    if (last != NULL && page - (last->page + last->count) <= GAP) {
        last->count = (uint32_t)(page + 1 - last->page);
        return 0;
    }
    if (writer->count == SNAPSHOT_EXTENTS_MAX)
        return -E2BIG;
    writer->extents[writer->count++] = (struct snapshot_extent){(uint32_t)page, 1};
    return 0;
}

static int add_run(void *context, struct page_run run)
{
    struct writer *writer = context;
    int result = 0;
    for (uint64_t page = run.page; result == 0 && page < run.page + run.count; page++) {
        if (page >= SNAPSHOT_FIRST_PAGE && !is_zero(writer->ram + page * VM_PAGE))
            result = add_page(writer, page);
    }
    return result;
}

static int write_at(int fd, const void *data, uint64_t size, uint64_t at)
{
    const uint8_t *from = data;
    while (size > 0) {
        ssize_t done = pwrite(fd, from, size, (off_t)at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return done < 0 ? -errno : -EIO;
        from += done;
        at += (uint64_t)done;
        size -= (uint64_t)done;
    }
    return 0;
}

static int write_file(const struct writer *writer, const struct snapshot_head *head, int fd)
{
    uint64_t table = writer->count * sizeof(writer->extents[0]);
    uint64_t at = (sizeof(*head) + table + VM_PAGE - 1) / VM_PAGE * VM_PAGE;
    int result = write_at(fd, head, sizeof(*head), 0);
    if (result == 0)
        result = write_at(fd, writer->extents, table, sizeof(*head));
    for (unsigned int i = 0; result == 0 && i < writer->count; i++) {
        const struct snapshot_extent *extent = &writer->extents[i];
        uint64_t bytes = (uint64_t)extent->count * VM_PAGE;
        result = write_at(fd, writer->ram + (uint64_t)extent->page * VM_PAGE, bytes, at);
        at += bytes;
    }
    return result;
}

/* The kernel says EBUSY while one of its own parts (reclaim, migration) holds a page of the file.
 */
static int seal(int fd)
{
    struct timespec pause = {0, SEAL_PAUSE_NS};
    for (unsigned int tries = 1; fcntl(fd, F_ADD_SEALS, (int)WARM_SEALS) < 0; tries++) {
        if (errno != EBUSY || tries == SEAL_TRIES)
            return -errno;
        ppoll(NULL, 0, &pause, NULL);
    }
    return 0;
}

int snapshot_write(struct machine *machine, const struct dirty *dirty, const struct vm_boot *boot,
                   int fd, struct err *err)
{
    static struct writer writer;
    writer.ram = machine->memory.ram;
    writer.count = 0;
    struct snapshot_head head = {.magic = SNAPSHOT_MAGIC,
                                 .version = SNAPSHOT_VERSION,
                                 .abi_version = VM_ABI_VERSION,
                                 .kernel_id = kernel_id(),
                                 .ram_bytes = machine->memory.ram_bytes,
                                 .image_bytes = machine->memory.image_bytes,
                                 .tables_gpa = boot->tables_gpa,
                                 .tables_bytes = boot->tables_bytes,
                                 .fpu_mask = machine->cpu.fpu_mask,
                                 .direct = machine->cpu.direct};
    if (ioctl(machine->cpu.fd, KVM_GET_REGS, &head.regs) < 0)
        return err_set(err, errno, "read the guest's registers:");
    struct page_run all = {0, head.ram_bytes / VM_PAGE};
    int result = dirty->pagemap < 0
                     ? add_run(&writer, all)
                     : dirty_each(dirty, writer.ram, head.ram_bytes, add_run, &writer);
    if (result < 0)
        return err_set(err, -result, "find what the guest's memory holds:");
    head.extent_count = writer.count;
    result = write_file(&writer, &head, fd);
    if (result < 0)
        return err_set(err, -result, "write the snapshot:");
    result = seal(fd);
    return result < 0 ? err_set(err, -result, "seal the snapshot:") : 0;
}
