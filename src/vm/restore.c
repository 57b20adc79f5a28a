/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/restore.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "skerry/abi/warm.h"

/* Of pages that are copied back; those of a request that wrote more are given back to the host. */
#define COPY_MAX ((UINT64_C(16) << 20) / VM_PAGE)

/* Of pages that are copied at once; of a larger snapshot a request writes a smaller part. */
#define OWN_MAX ((UINT64_C(32) << 20) / VM_PAGE)

#define RFLAGS_ALWAYS  0x2u
#define RFLAGS_ALLOWED 0xcd5u /* arithmetic, IF, DF: none that stops or watches the CPU */
#define RFLAGS_IF      0x200u

static const uint8_t zeroes[VM_PAGE] __attribute__((aligned(4096)));

/* The snapshot fits this monitor, this machine's CPU and the image. */
static int check_fit(const struct machine *machine, const struct snapshot_head *head,
                     struct err *err)
{
    if (head->kernel_id != kernel_id())
        return err_set(err, ESTALE, "the snapshot was made by another version of skerry-vmm");
    if (head->image_bytes != machine->memory.image_bytes)
        return err_set(err, ESTALE, "the snapshot was made with another image");
    if (head->direct != machine->cpu.direct || head->fpu_mask != machine->cpu.fpu_mask)
        return err_set(err, ESTALE, "the snapshot was made on a CPU that differs from this one");
    uint64_t text_end = machine->kernel.parts[0].va + machine->kernel.parts[0].bytes;
    if (head->regs.rip < machine->kernel.parts[0].va || head->regs.rip >= text_end ||
        head->regs.rsp < VM_PHYS_VA || head->regs.rsp % 8 != 0 ||
        (head->regs.rflags & ~(uint64_t)(RFLAGS_ALLOWED | RFLAGS_IF)) != RFLAGS_ALWAYS)
        return err_set(err, EINVAL, "the snapshot's registers are not those of a waiting guest");
    return 0;
}

static int place_pages(struct machine *machine, const struct snapshot *snapshot, int fd,
                       struct err *err)
{
    int result = 0;
    for (unsigned int i = 0; result == 0 && i < snapshot->head.extent_count; i++)
        result = guest_memory_overlay(&machine->memory, snapshot->extents[i].page,
                                      snapshot->extents[i].count, fd, snapshot->offsets[i], err);
    return result;
}

/* Whether it can be reset is known before the first request; if not, it serves one. */
static void prepare_reset(struct machine *machine, struct restored *out, bool denied,
                          struct err *err)
{
    out->can_reset = denied &&
                     cpu_state_save(&machine->cpu, &machine->kernel, &out->state, err) == 0 &&
                     dirty_open(&out->dirty, err) == 0;
    if (!out->can_reset)
        memcpy(out->why_not, err->text, sizeof(out->why_not));
}

int restore_open(struct machine *machine, struct restored *out,
                 const struct machine_options *options, int fd, struct err *err)
{
    struct err why = {0};
    out->dirty.pagemap = -1;
    int result = snapshot_open(&out->snapshot, fd, err);
    if (result < 0)
        return result;
    struct machine_options wanted = *options;
    wanted.ram_bytes = out->snapshot.head.ram_bytes;
    result = machine_create(machine, &wanted, err);
    if (result == 0)
        result = kernel_describe(&machine->kernel, err);
    if (result == 0 && options->image >= 0)
        result = guest_memory_image(&machine->memory, options->image, err);
    if (result == 0)
        result = place_pages(machine, &out->snapshot, fd, err);
    bool denied = result == 0 && cpu_deny_msrs(machine->vm, &why) == 0;
    if (result == 0)
        result = machine_finish(machine, err);
    if (result == 0)
        result = check_fit(machine, &out->snapshot.head, err);
    if (result == 0 && ioctl(machine->cpu.fd, KVM_SET_REGS, &out->snapshot.head.regs) < 0)
        result = err_set(err, errno, "set the guest's registers:");
    if (result < 0)
        return result;
    prepare_reset(machine, out, denied, &why);
    machine_give_up(machine);
    return 0;
}

/* Where it fails all is as right, and slower. */
static void advise_extents(struct machine *machine, const struct snapshot *snapshot, int advice)
{
    for (unsigned int i = 0; i < snapshot->head.extent_count; i++)
        madvise(machine->memory.ram + snapshot->extents[i].page * VM_PAGE,
                snapshot->extents[i].count * VM_PAGE, advice);
}

void restore_own(struct machine *machine, struct restored *restored)
{
    const struct snapshot *snapshot = &restored->snapshot;
    uint64_t pages = 0;
    for (unsigned int i = 0; i < snapshot->head.extent_count; i++)
        pages += snapshot->extents[i].count;
    if (pages > OWN_MAX || pages > snapshot->head.ram_bytes / VM_PAGE / 4)
        return;
    restored->owns = true;
    advise_extents(machine, snapshot, MADV_POPULATE_WRITE);
}

struct reset {
    struct machine *machine;
    const struct snapshot *snapshot;
    uint64_t copied, dropped;
    bool may_drop;
    bool shares_again; /* what restore_own copied and the request did not change */
};

static bool is_table(const struct snapshot_head *head, uint64_t page)
{
    uint64_t at = page * VM_PAGE;
    return (at >= VM_TABLES_GPA && at < VM_TABLES_END) ||
           (at >= head->tables_gpa && at - head->tables_gpa < head->tables_bytes);
}

static const uint8_t *content_of(const struct snapshot *snapshot, uint64_t page)
{
    const uint8_t *stored = snapshot_page(snapshot, page);
    return stored != NULL ? stored : zeroes;
}

/* 1 when there was something to put: a page that reads as zero may be none of ours yet. */
static unsigned int page_put(uint8_t *at, const uint8_t *content)
{
    if (content == zeroes && memcmp(at, zeroes, VM_PAGE) == 0)
        return 0;
    memcpy(at, content, VM_PAGE);
    return 1;
}

/* Gives back to the host the pages from *page to the end of the run, or to the next table; *page is
 * then behind them. */
static int drop(struct reset *reset, struct page_run run, uint64_t *page)
{
    uint64_t end = *page;
    while (end < run.page + run.count && !is_table(&reset->snapshot->head, end))
        end++;
    if (!reset->may_drop || madvise(reset->machine->memory.ram + *page * VM_PAGE,
                                    (end - *page) * VM_PAGE, MADV_DONTNEED) < 0)
        return -E2BIG;
    reset->dropped += end - *page;
    *page = end;
    return 0;
}

/* From page on as many as are those of the snapshot, and no tables. */
static uint64_t unchanged(const struct reset *reset, struct page_run run, uint64_t page)
{
    uint64_t end = page;
    while (end < run.page + run.count && !is_table(&reset->snapshot->head, end)) {
        const uint8_t *stored = snapshot_page(reset->snapshot, end);
        if (stored == NULL ||
            memcmp(reset->machine->memory.ram + end * VM_PAGE, stored, VM_PAGE) != 0)
            break;
        end++;
    }
    return end - page;
}

/* Gives copies back that were not needed: each would be copied again in every reset. */
static uint64_t share_again(const struct reset *reset, struct page_run run, uint64_t page)
{
    uint64_t count = unchanged(reset, run, page);
    if (count > 0)
        madvise(reset->machine->memory.ram + page * VM_PAGE, count * VM_PAGE, MADV_DONTNEED);
    return count;
}

static int put_back(void *context, struct page_run run)
{
    struct reset *reset = context;
    for (uint64_t page = run.page; page < run.page + run.count;) {
        uint64_t shared = reset->shares_again ? share_again(reset, run, page) : 0;
        if (shared > 0) {
            page += shared;
            continue;
        }
        uint8_t *at = reset->machine->memory.ram + page * VM_PAGE;
        const uint8_t *content = content_of(reset->snapshot, page);
        bool table = is_table(&reset->snapshot->head, page);
        if (table && memcmp(at, content, VM_PAGE) != 0)
            return -ESTALE;
        if (!table && reset->copied >= COPY_MAX) {
            if (drop(reset, run, &page) < 0)
                return -E2BIG;
            continue;
        }
        if (!table)
            reset->copied += page_put(at, content);
        page++;
    }
    return 0;
}

int restore_reset(struct machine *machine, struct restored *restored, struct err *err)
{
    struct reset reset = {.machine = machine,
                          .snapshot = &restored->snapshot,
                          .may_drop = restored->dirty.scans,
                          .shares_again = restored->owns};
    if (!restored->can_reset)
        return err_set(err, ENOTSUP, "%s", restored->why_not);
    if (cpu_settle(&machine->cpu, machine->run) < 0)
        return err_set(err, EIO, "the guest's CPU does not come to rest");
    int result = dirty_each(&restored->dirty, machine->memory.ram, machine->memory.ram_bytes,
                            put_back, &reset);
    if (result == -ESTALE)
        return err_set(err, ESTALE, "the guest left page tables that are not the snapshot's");
    if (result < 0)
        return err_set(err, -result, "put the guest's memory back:");
    if (cpu_state_load(&machine->cpu, machine->run, &restored->state,
                       &restored->snapshot.head.regs) < 0)
        return err_set(err, EIO, "the guest's CPU does not take its state back");
    if (restored->owns) /* what is shared again is there at once */
        advise_extents(machine, &restored->snapshot, MADV_POPULATE_READ);
    restored->owns = false;
    restored->copied = reset.copied;
    restored->dropped = reset.dropped;
    return 0;
}
