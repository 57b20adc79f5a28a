/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of the process: what /proc/self/smaps lists, and which pages of it were ever written
 * (/proc/self/pagemap). Anonymous memory stays anonymous when it is brought back, because programs
 * rely on what only that does: MADV_DONTNEED makes it zero, mremap makes it grow. Written pages of
 * files are mapped from the snapshot.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "jail/raw.h"
#include "warm/builder.h"
#include "warm/layout.h"
#include "warm/make.h"
#include "warm/plain.h"
#include "warm/self.h"

#define SMAPS_MAX     (UINT64_C(16) << 20)
#define PM_PRESENT    (UINT64_C(1) << 63)
#define PM_SWAPPED    (UINT64_C(1) << 62)
#define PM_FILE       (UINT64_C(1) << 61)
#define PM_GUARD      (UINT64_C(1) << 58)
#define TOUCHED_GAP   (16 * PAGE) /* what a fault brings in with one page */
#define WHOLE_PAGES   256         /* a mapping of a file up to this size is saved in one piece */
#define BRIDGED_PAGES 8

struct region {
    uint64_t start, end, offset;
    uint32_t prot, advice;
    int shared, stack, protection_key;
    const char *path;
};

enum page_kind { PAGE_NONE, PAGE_OF_FILE, PAGE_WRITTEN };

static long pagemap;

static const struct flag {
    char name[3];
    uint16_t advice;
    const char *reason;
} flags[] = {
    {"dc", ADVICE_DONT_FORK, NULL},
    {"wf", ADVICE_WIPE_ON_FORK, NULL},
    {"dd", ADVICE_DONT_DUMP, NULL},
    {"hg", ADVICE_HUGE, NULL},
    {"nh", ADVICE_NO_HUGE, NULL},
    {"sr", ADVICE_SEQUENTIAL, NULL},
    {"rr", ADVICE_RANDOM, NULL},
    {"mg", ADVICE_MERGEABLE, NULL},
    {"nr", ADVICE_NO_RESERVE, NULL},
    {"lo", 0, "it locks its memory"},
    {"ht", 0, "it has huge pages"},
    {"io", 0, "it has a device in its memory"},
    {"pf", 0, "it has a device in its memory"},
    {"um", 0, "it has memory under userfaultfd"},
    {"uw", 0, "it has memory under userfaultfd"},
    {"ss", 0, "it has a shadow stack"},
    {"sl", 0, "it seals its memory"},
};

static enum page_kind page_kind_of(uint64_t entry)
{
    if (entry & PM_GUARD)
        refuse("it has guard pages (MADV_GUARD_INSTALL)", NULL);
    if (!(entry & (PM_PRESENT | PM_SWAPPED)))
        return PAGE_NONE;
    return entry & PM_FILE ? PAGE_OF_FILE : PAGE_WRITTEN;
}

/* Walks the pages of a range: next() gives the first page that is no longer of *kind. */
static uint64_t same_pages(uint64_t at, uint64_t end, enum page_kind *out_kind)
{
    static uint64_t entries[512];
    static uint64_t held_from, held_to;
    enum page_kind kind = PAGE_NONE;
    for (uint64_t first = at; at < end; at += PAGE) {
        if (at < held_from || at >= held_to) {
            uint64_t most = (end - at) / PAGE;
            most = most < 512 ? most : 512;
            long got = raw4(SYS_pread64, pagemap, entries, most * 8, at / PAGE * 8);
            if (got <= 0 || got % 8)
                refuse_error("/proc/self/pagemap cannot be read", got);
            held_from = at;
            held_to = at + (uint64_t)got / 8 * PAGE;
        }
        enum page_kind here = page_kind_of(entries[(at - held_from) / PAGE]);
        if (at == first)
            kind = here;
        else if (here != kind)
            break;
    }
    *out_kind = kind;
    return at;
}

static int is_zero(const uint64_t *page)
{
    for (uint32_t i = 0; i < PAGE / sizeof(*page); i++) {
        if (page[i] != 0)
            return 0;
    }
    return 1;
}

/* --- copies of the environment's array: where a request's strings go. One that libc freed, and
 * that nobody has overwritten, may be among them. --- */

static struct {
    uint64_t count; /* of unset slots in a row, up to the last page that was looked at */
    uint64_t next;  /* the page that would continue them */
} slots;

static void find_slots(uint64_t start)
{
    const uint64_t *word = (const uint64_t *)start;
    if (slots.next != start)
        slots.count = 0;
    slots.next = start + PAGE;
    for (uint64_t i = 0; i < PAGE / sizeof(*word); i++) {
        if (word[i] != making.places.unset) {
            slots.count = 0;
            continue;
        }
        if (++slots.count < ENV_SLOTS)
            continue;
        struct task *task = &builder.head.task;
        if (task->env_place_count == ENV_PLACES_MAX)
            refuse("it has too many copies of its environment", NULL);
        task->env_places[task->env_place_count++] = start + (i + 1 - ENV_SLOTS) * sizeof(*word);
        slots.count = 0;
    }
}

/* --- regions --- */

/* memory behind the frame of the trap belongs to the handler that looks at it */
static uint64_t skip_own_stack(const struct region *region, uint64_t at)
{
    if (!region->stack || making.frame < region->start || making.frame >= region->end)
        return at;
    return page_down(making.frame);
}

static void add_written(const struct region *region, uint64_t at, uint64_t end)
{
    for (; at < end; at += PAGE) {
        if (is_zero((const uint64_t *)at))
            continue;
        if ((region->prot & (PROT_READ | PROT_WRITE)) == (PROT_READ | PROT_WRITE))
            find_slots(at);
        builder_add_range(builder.copies, &builder.head.copy_count, COPIES_MAX, at, PAGE);
    }
}

static struct mapping *add_mapping(const struct region *region, uint64_t start, uint64_t end,
                                   uint32_t kind)
{
    struct mapping *out = builder_add_mapping();
    *out = (struct mapping){
        .start = start, .end = end, .kind = kind, .prot = region->prot, .advice = region->advice};
    return out;
}

static void add_anonymous(const struct region *region)
{
    add_mapping(region, region->start, region->end,
                region->stack ? MAPPING_STACK : MAPPING_ANONYMOUS);
    if (region->advice & ADVICE_WIPE_ON_FORK)
        return; /* what comes back is a fork in this respect: generators seed themselves anew */
    uint64_t at = skip_own_stack(region, region->start), end;
    for (enum page_kind kind; at < region->end; at = end) {
        end = same_pages(at, region->end, &kind);
        if (kind == PAGE_NONE)
            continue;
        if (!(region->prot & PROT_READ))
            raw3(SYS_mprotect, region->start, region->end - region->start, PROT_READ);
        add_written(region, at, end);
    }
}

static void add_touched(uint64_t start, uint64_t end)
{
    const struct mapping *in = &builder.mappings[builder.head.mapping_count - 1];
    uint32_t count = builder.head.touched_count;
    struct range *last = count > 0 ? &builder.touched[count - 1] : NULL;
    uint64_t gap = in->kind == MAPPING_PAGES ? 0 : TOUCHED_GAP;
    if (last && last->start >= in->start && start - (last->start + last->bytes) <= gap)
        last->bytes = end - last->start;
    else
        builder_add_range(builder.touched, &builder.head.touched_count, TOUCHED_MAX, start,
                          end - start);
}

/* As the file is. What of it is in memory is what the program uses. */
static void add_file_part(const struct region *region, uint32_t file, uint64_t start, uint64_t end)
{
    if (start >= end)
        return;
    struct mapping *out =
        add_mapping(region, start, end, region->shared ? MAPPING_FILE_SHARED : MAPPING_FILE);
    out->file = file;
    out->offset = region->offset + (start - region->start);
    uint64_t next;
    for (enum page_kind kind; start < end; start = next) {
        next = same_pages(start, end, &kind);
        if (kind == PAGE_OF_FILE)
            add_touched(start, next);
    }
}

/* As the program left it. What it wrote once it will write again. */
static void add_pages_part(const struct region *region, uint64_t start, uint64_t end)
{
    struct mapping *out = add_mapping(region, start, end, MAPPING_PAGES);
    out->offset = builder.page_bytes; /* counted from the first page until all tables are known */
    builder.page_bytes += end - start;
    if (!(region->prot & PROT_READ))
        raw3(SYS_mprotect, start, end - start, PROT_READ);
    uint64_t next;
    for (enum page_kind kind; start < end; start = next) {
        next = same_pages(start, end, &kind);
        if (kind == PAGE_WRITTEN)
            add_touched(start, next);
    }
}

/* The end of a piece of written pages, small gaps included; *start moves to its begin. */
static uint64_t next_written(const struct region *region, uint64_t *start)
{
    uint64_t from = 0, to = 0, next;
    enum page_kind kind;
    for (uint64_t at = *start; at < region->end; at = next) {
        next = same_pages(at, region->end, &kind);
        if (kind != PAGE_WRITTEN) {
            if (to != 0 && next - to > BRIDGED_PAGES * PAGE)
                break;
            continue;
        }
        from = to == 0 ? at : from;
        to = next;
    }
    *start = to == 0 ? region->end : from;
    return to == 0 ? region->end : to;
}

static void add_file(const struct region *region)
{
    struct stat status = {0};
    path_check(region->path, "it has in its memory: ", &status);
    uint32_t file = builder_add_file(region->path, &status);
    if (region->shared) {
        add_file_part(region, file, region->start, region->end);
        return;
    }
    uint64_t done = region->start;
    while (done < region->end) {
        uint64_t from = done;
        uint64_t to = next_written(region, &from);
        if (from < region->end && region->end - region->start <= WHOLE_PAGES * PAGE) {
            add_pages_part(region, region->start, region->end);
            return;
        }
        add_file_part(region, file, done, from);
        if (from < region->end)
            add_pages_part(region, from, to);
        done = to;
    }
}

static int is_special(const struct region *region)
{
    return starts_with(region->path, "[vdso]") || starts_with(region->path, "[vvar");
}

static void add_special(const struct region *region)
{
    struct task *task = &builder.head.task;
    if (task->special_count == SPECIALS_MAX)
        refuse("it has an unknown mapping: ", region->path);
    task->specials[task->special_count++] =
        (struct range){region->start, region->end - region->start};
    if (starts_with(region->path, "[vdso]"))
        task->vdso = region->start;
}

static int is_anonymous(const char *path)
{
    return *path == 0 || starts_with(path, "[heap]") || starts_with(path, "[stack]") ||
           starts_with(path, "[anon:");
}

static void add_region(const struct region *region)
{
    if (region->start >= WINDOW_LO && region->end <= WINDOW_HI)
        return; /* skerry-warm */
    if (region->start >= ADDRESS_END)
        return; /* [vsyscall] */
    if (region->protection_key)
        refuse("it has protection keys", NULL);
    if (is_special(region))
        add_special(region);
    else if (!region->shared && is_anonymous(region->path))
        add_anonymous(region);
    else if (region->path[0] == '/')
        add_file(region);
    else
        refuse("it has an unknown mapping: ", region->path);
}

/* --- /proc/self/smaps --- */

static int is_flag(const char *at, const char *name)
{
    return at[0] == name[0] && at[1] == name[1];
}

static void read_flags(const char *at, struct region *region)
{
    int may_write = 0;
    for (; *at && *at != '\n'; at++) {
        if (*at == ' ')
            continue;
        for (uint32_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
            if (!is_flag(at, flags[i].name) || region->start >= ADDRESS_END)
                continue;
            /* the kernel's own mappings have some of these */
            if (flags[i].reason && !is_special(region))
                refuse(flags[i].reason, NULL);
            region->advice |= flags[i].advice;
        }
        region->stack |= is_flag(at, "gd");
        may_write |= is_flag(at, "mw");
        at++;
    }
    if (region->shared && may_write)
        refuse("it shares memory that it can write: ", region->path);
}

static void read_header(char *line, struct region *out)
{
    const char *at = line;
    *out = (struct region){.start = text_hex(&at)};
    at++;
    out->end = text_hex(&at);
    at++;
    out->prot = (at[0] == 'r' ? PROT_READ : 0u) | (at[1] == 'w' ? PROT_WRITE : 0u) |
                (at[2] == 'x' ? PROT_EXEC : 0u);
    out->shared = at[3] == 's';
    at += 5;
    out->offset = text_hex(&at);
    for (int field = 0; field < 3 && *at; field++) { /* offset, device, inode */
        while (*at && *at != ' ')
            at++;
        while (*at == ' ')
            at++;
    }
    out->path = at;
}

void mappings_collect(void)
{
    static char text[SMAPS_MAX];
    long bytes = file_read("/proc/self/smaps", text, sizeof(text));
    pagemap = raw4(SYS_openat, AT_FDCWD, "/proc/self/pagemap", O_RDONLY | O_CLOEXEC, 0);
    if (bytes < 0 || pagemap < 0)
        refuse_error("its memory cannot be listed", bytes < 0 ? bytes : pagemap);
    struct region region = {.path = ""};
    char *next;
    for (char *line = text; *line; line = next) {
        next = strchr(line, '\n');
        if (next == NULL)
            break;
        *next++ = 0;
        if ((*line >= '0' && *line <= '9') || (*line >= 'a' && *line <= 'f')) {
            read_header(line, &region);
        } else if (starts_with(line, "ProtectionKey:")) {
            for (const char *at = line + 14; *at; at++)
                region.protection_key |= *at >= '1' && *at <= '9';
        } else if (starts_with(line, "VmFlags:")) { /* the last line of a region */
            read_flags(line + 8, &region);
            add_region(&region);
        }
    }
    raw1(SYS_close, pagemap);
}
