/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "restore": brings a snapshot back into a fresh process. All of it is done before the request
 * comes; after it: three descriptors, the environment, and back into the read.
 *
 * The order: what the kernel mapped for skerry-warm goes away first (its stack) or to where the
 * program knows it (the vdso); then memory; then files; limits last, as the program's own.
 */
#include "warm/restore.h"

#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "jail/raw.h"
#include "skerry/abi/warm.h"
#include "warm/layout.h"
#include "warm/plain.h"
#include "warm/self.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define STACK_BELOW                                                                                \
    (UINT64_C(1) << 20) /* more than the kernel maps below a first stack pointer                   \
                         */
#define IOV_MOST     1024u
#define NO_FILE      UINT32_MAX
#define FAULT_AROUND UINT64_C(0x10000) /* bytes that a fault of a page of a file maps */

static void must(const char *what, long result)
{
    if (result < 0 && result > -4096)
        refuse_error(what, result);
}

static const struct head *open_snapshot(void)
{
    struct stat status = {0};
    long seals = raw2(SYS_fcntl, self.snapshot, F_GET_SEALS);
    if (seals < 0 || (seals & (long)WARM_SEALS) != (long)WARM_SEALS)
        refuse("the snapshot is not sealed", NULL);
    must("the snapshot", raw2(SYS_fstat, self.snapshot, &status));
    uint64_t bytes = (uint64_t)status.st_size < HEAD_MAX ? (uint64_t)status.st_size : HEAD_MAX;
    must("the snapshot cannot be mapped",
         raw6(SYS_mmap, (long)WINDOW_HEAD, (long)bytes, PROT_READ,
              MAP_PRIVATE | MAP_FIXED_NOREPLACE, self.snapshot, 0));
    const struct head *head = (const struct head *)WINDOW_HEAD;
    const char *wrong = snapshot_check(head, bytes, (uint64_t)status.st_size);
    if (wrong != NULL)
        refuse(wrong, NULL);
    return head;
}

/* Above all numbers that the program has. */
static void place_fds(const struct head *head)
{
    long highest = 0;
    for (uint32_t i = 0; i < head->open_count; i++) {
        long fd = snapshot_tables(head).opens[i].fd;
        highest = fd > highest ? fd : highest;
    }
    if (highest == 0)
        return;
    int *const fds[] = {&self.socket, &self.snapshot};
    for (int i = 0; i < 2; i++) {
        long moved = raw3(SYS_fcntl, *fds[i], F_DUPFD_CLOEXEC, highest + 1);
        must("there are too few descriptors", moved);
        raw1(SYS_close, *fds[i]);
        *fds[i] = (int)moved;
    }
}

static uint64_t own_auxv(const struct start *start, uint64_t type)
{
    for (uint32_t i = 0; i < start->auxv_count; i++) {
        if (start->auxv[2 * i] == type)
            return start->auxv[2 * i + 1];
    }
    return 0;
}

static void drop_own_stack(const struct start *start)
{
    uint64_t low = page_down(start->stack) - STACK_BELOW;
    uint64_t name = own_auxv(start, AT_EXECFN); /* the last string on it */
    if (name == 0)
        refuse("the kernel did not say where its stack is", NULL);
    uint64_t high = page_up(name + strlen((const char *)name) + 1);
    must("the stack cannot be unmapped", raw2(SYS_munmap, low, high - low));
}

/* The same kernel maps the same parts in the same order. They move one by one, from the end that
 * cannot lie in the way. */
static void move_vdso(const struct head *head, const struct start *start)
{
    const struct task *task = &head->task;
    uint64_t here = own_auxv(start, AT_SYSINFO_EHDR);
    if (here == task->vdso || task->special_count == 0)
        return;
    uint64_t shift = task->vdso - here;
    int up = task->vdso > here;
    for (uint32_t i = 0; i < task->special_count; i++) {
        const struct range *to = &task->specials[up ? task->special_count - 1 - i : i];
        must("the vdso cannot be moved", raw5(SYS_mremap, to->start - shift, to->bytes, to->bytes,
                                              MREMAP_MAYMOVE | MREMAP_FIXED, to->start));
    }
}

/* Opens what the path names, if it is still the file of the snapshot. */
static long open_stored(const struct head *head, uint32_t index, uint32_t flags)
{
    struct tables tables = snapshot_tables(head);
    const struct stored_file *file = &tables.files[index];
    const char *path = tables.strings + file->path;
    struct stat status = {0};
    long fd = raw4(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC | O_NONBLOCK, 0);
    if (fd < 0 || raw2(SYS_fstat, fd, &status) < 0)
        refuse("a file of the snapshot is not there: ", path);
    int device = S_ISCHR(status.st_mode);
    if (status.st_dev != file->device || status.st_ino != file->inode ||
        (uint64_t)status.st_size != file->size ||
        (!device && (status.st_mtim.tv_sec != file->mtime_s ||
                     (uint32_t)status.st_mtim.tv_nsec != file->mtime_ns)))
        refuse("a file of the snapshot is another by now: ", path);
    return fd;
}

static int is_anonymous(const struct mapping *mapping)
{
    return mapping->kind == MAPPING_ANONYMOUS || mapping->kind == MAPPING_STACK;
}

/* Whether pages are copied into it; *next is the first copy that is not before it. */
static int has_content(const struct head *head, const struct mapping *at, uint32_t *next)
{
    const struct range *copies = snapshot_tables(head).copies;
    while (*next < head->copy_count && copies[*next].start < at->start)
        (*next)++;
    return *next < head->copy_count && copies[*next].start < at->end;
}

static int is_writable(const struct mapping *at)
{
    return (at->prot & (PROT_READ | PROT_WRITE)) == (PROT_READ | PROT_WRITE);
}

static void map_one(const struct mapping *at, long file, int content)
{
    uint32_t prot = at->prot;
    long flags = MAP_FIXED_NOREPLACE | MAP_PRIVATE, fd = file;
    if (is_anonymous(at)) {
        flags |= MAP_ANONYMOUS;
        flags |= at->kind == MAPPING_STACK ? MAP_GROWSDOWN : 0;
        if (content && !is_writable(at))
            prot = PROT_READ | PROT_WRITE; /* until it has it; never executable meanwhile */
        fd = -1;
    } else if (at->kind == MAPPING_PAGES) {
        fd = self.snapshot;
    } else if (at->kind == MAPPING_FILE_SHARED) {
        flags = MAP_FIXED_NOREPLACE | MAP_SHARED;
    }
    if (at->advice & ADVICE_NO_RESERVE)
        flags |= MAP_NORESERVE;
    must("memory of the snapshot cannot be mapped",
         raw6(SYS_mmap, (long)at->start, (long)(at->end - at->start), prot, flags, fd,
              (long)at->offset));
}

static void map_all(const struct head *head)
{
    const struct mapping *mappings = snapshot_tables(head).mappings;
    uint32_t open = NO_FILE, next_copy = 0;
    long fd = -1;
    for (uint32_t i = 0; i < head->mapping_count; i++) {
        const struct mapping *at = &mappings[i];
        int of_file = at->kind == MAPPING_FILE || at->kind == MAPPING_FILE_SHARED;
        if (of_file && at->file != open) {
            if (open != NO_FILE)
                raw1(SYS_close, fd);
            fd = open_stored(head, at->file, O_RDONLY);
            open = at->file;
        }
        map_one(at, fd, has_content(head, at, &next_copy));
    }
    if (open != NO_FILE)
        raw1(SYS_close, fd);
}

static void copy_content(const struct head *head)
{
    const struct range *copies = snapshot_tables(head).copies;
    uint64_t at = head->copies_at;
    for (uint32_t i = 0; i < head->copy_count; i++)
        raw3(SYS_madvise, copies[i].start, copies[i].bytes, MADV_POPULATE_WRITE);
    for (uint32_t i = 0; i < head->copy_count;) {
        uint32_t count = head->copy_count - i < IOV_MOST ? head->copy_count - i : IOV_MOST;
        uint64_t bytes = 0;
        for (uint32_t j = 0; j < count; j++)
            bytes += copies[i + j].bytes;
        /* one call takes at most 2 GiB */
        if (count > 1 && bytes > (UINT64_C(1) << 30)) {
            count = 1;
            bytes = copies[i].bytes;
        }
        long got = raw5(SYS_preadv, self.snapshot, copies + i, count, at, 0);
        if (got != (long)bytes)
            refuse_error("the snapshot cannot be read", got);
        at += bytes;
        i += count;
    }
}

static void advise(const struct mapping *at)
{
    static const int advices[] = {MADV_DONTFORK,   MADV_WIPEONFORK, MADV_DONTDUMP, MADV_HUGEPAGE,
                                  MADV_NOHUGEPAGE, MADV_SEQUENTIAL, MADV_RANDOM,   MADV_MERGEABLE};
    for (uint32_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++) {
        if (at->advice & (1u << i))
            raw3(SYS_madvise, at->start, at->end - at->start, advices[i]);
    }
}

/*
 * What was in use is mapped before the request. Of a file one page in each window that a fault
 * brings in is read: MADV_POPULATE_READ looks at each page, which took 0.3 ms of 3 more for Python.
 * What the program wrote it gets a copy of; kernels before 5.14 cannot, and let it fault.
 */
static void populate(const struct head *head, const struct range *touched)
{
    const struct mapping *in = snapshot_mapping(head, touched->start, touched->bytes);
    if (in->kind == MAPPING_PAGES && (in->prot & PROT_WRITE)) {
        raw3(SYS_madvise, touched->start, touched->bytes, MADV_POPULATE_WRITE);
        return;
    }
    if (!(in->prot & PROT_READ))
        return;
    uint64_t end = touched->start + touched->bytes;
    for (uint64_t at = touched->start; at < end; at = (at + FAULT_AROUND) & ~(FAULT_AROUND - 1))
        (void)*(const volatile char *)at;
}

static void finish_memory(const struct head *head)
{
    struct tables tables = snapshot_tables(head);
    uint32_t next_copy = 0;
    for (uint32_t i = 0; i < head->mapping_count; i++) {
        const struct mapping *at = &tables.mappings[i];
        if (is_anonymous(at) && !is_writable(at) && has_content(head, at, &next_copy))
            must("memory cannot be protected",
                 raw3(SYS_mprotect, at->start, at->end - at->start, at->prot));
        if (at->advice)
            advise(at);
    }
    for (uint32_t i = 0; i < head->touched_count; i++)
        populate(head, &tables.touched[i]);
}

static void open_all(const struct head *head)
{
    struct tables tables = snapshot_tables(head);
    for (uint32_t i = 0; i < head->open_count; i++) {
        const struct open_file *at = &tables.opens[i];
        long cloexec = at->flags & O_CLOEXEC;
        if (at->same_as >= 0) {
            must("a file cannot be opened", raw3(SYS_dup3, at->same_as, at->fd, cloexec));
            continue;
        }
        long fd = open_stored(head, at->file, at->flags);
        raw3(SYS_lseek, fd, at->position, SEEK_SET);
        raw3(SYS_fcntl, fd, F_SETFL, at->flags);
        if (fd == at->fd) {
            raw3(SYS_fcntl, fd, F_SETFD, cloexec ? FD_CLOEXEC : 0);
            continue;
        }
        must("a file cannot be opened", raw3(SYS_dup3, fd, at->fd, cloexec));
        raw1(SYS_close, fd);
    }
}

static void become_task(const struct head *head)
{
    struct tables tables = snapshot_tables(head);
    const struct task *task = &head->task;
    must("fs", raw2(SYS_arch_prctl, 0x1002 /* ARCH_SET_FS */, task->fs_base));
    if (task->gs_base != 0)
        must("gs", raw2(SYS_arch_prctl, 0x1001 /* ARCH_SET_GS */, task->gs_base));
    long tid = raw1(SYS_set_tid_address, task->tid_address);
    if (task->tid_word != 0)
        *(uint32_t *)task->tid_word = (uint32_t)tid;
    if (task->robust_head != 0)
        raw2(SYS_set_robust_list, task->robust_head, task->robust_bytes);
    for (uint32_t i = 0; i < head->action_count; i++)
        must("a signal's action",
             raw4(SYS_rt_sigaction, tables.actions[i].number, tables.actions[i].kernel, NULL, 8));
    must("its memory cannot be told to the kernel",
         raw5(SYS_prctl, PR_SET_MM, PR_SET_MM_MAP, &task->mm, sizeof(task->mm), 0));
    raw5(SYS_prctl, PR_SET_NAME, task->name, 0, 0, 0);
    raw5(SYS_prctl, PR_SET_TIMERSLACK, task->timer_slack_ns, 0, 0, 0);
    if (!task->dumpable)
        raw5(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
    must("its working directory", raw1(SYS_chdir, tables.strings + task->cwd));
    raw1(SYS_umask, task->umask);
    for (uint32_t i = 0; i < RLIMITS; i++) {
        if (task->rlimits_changed & (1u << i))
            must("a limit", raw4(SYS_prlimit64, 0, i, task->rlimits[i], NULL));
    }
}

/* Until the program goes on, with a mask of its own in its registers' frame: a handler of its that
 * ran before would find our socket. A fault meanwhile ends the process. */
static void block_signals(void)
{
    uint64_t all = UINT64_MAX;
    raw4(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof(all));
}

void restore(const struct start *start)
{
    block_signals();
    const struct head *head = open_snapshot();
    place_fds(head);
    drop_own_stack(start);
    move_vdso(head, start);
    map_all(head);
    copy_content(head);
    finish_memory(head);
    raw1(SYS_close, self.snapshot);
    open_all(head);
    become_task(head);
    request_take(head);
    uint64_t page = (uint64_t)(uintptr_t)leave_page;
    return_to_program(head->task.frame, WINDOW_LO, page - WINDOW_LO, page + PAGE,
                      WINDOW_HI - page - PAGE);
}
