/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The check of a snapshot. What passes it maps nothing over skerry-warm or outside of user space,
 * copies and writes only into memory that it has mapped itself, and opens descriptors above 2 for
 * reading. Where the program then goes on is its own affair: it is confined as ever.
 */
#include <asm/mman.h>
#include <fcntl.h>
#include <signal.h>

#include "warm/layout.h"
#include "warm/snapshot.h"

#define FRAME_BYTES 432 /* a ucontext and a siginfo, as the kernel lays them out */
#define OPEN_ALLOWED                                                                               \
    (O_ACCMODE | O_NONBLOCK | O_CLOEXEC | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_APPEND)

struct tables snapshot_tables(const struct head *head)
{
    struct tables tables;
    tables.mappings = (const struct mapping *)(head + 1);
    tables.copies = (const struct range *)(tables.mappings + head->mapping_count);
    tables.touched = tables.copies + head->copy_count;
    tables.opens = (const struct open_file *)(tables.touched + head->touched_count);
    tables.files = (const struct stored_file *)(tables.opens + head->open_count);
    tables.actions = (const struct action *)(tables.files + head->file_count);
    tables.strings = (const char *)(tables.actions + head->action_count);
    return tables;
}

uint64_t snapshot_head_bytes(const struct head *head)
{
    struct tables tables = snapshot_tables(head);
    return page_up((uint64_t)(tables.strings - (const char *)head) + head->strings_bytes);
}

static int in_user_space(uint64_t start, uint64_t end)
{
    return start >= ADDRESS_MIN && start < end && end <= ADDRESS_END &&
           (end <= WINDOW_LO || start >= WINDOW_HI);
}

static int in_pages(uint64_t value)
{
    return value % PAGE == 0;
}

const struct mapping *snapshot_mapping(const struct head *head, uint64_t start, uint64_t bytes)
{
    const struct mapping *at = snapshot_tables(head).mappings;
    uint32_t low = 0, high = head->mapping_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (at[middle].end <= start)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == head->mapping_count || start < at[low].start || bytes > at[low].end - start)
        return NULL;
    return &at[low];
}

static int is_memory(const struct head *head, uint64_t start, uint64_t bytes)
{
    const struct mapping *in = snapshot_mapping(head, start, bytes);
    return in != NULL && (in->prot & PROT_READ) && (in->prot & PROT_WRITE);
}

static int is_anonymous(uint32_t kind)
{
    return kind == MAPPING_ANONYMOUS || kind == MAPPING_STACK;
}

static int is_sound_mapping(const struct head *head, const struct mapping *at, uint64_t file_bytes)
{
    if (!in_pages(at->start) || !in_pages(at->end) || !in_user_space(at->start, at->end) ||
        !in_pages(at->offset) || (at->prot & ~(uint32_t)(PROT_READ | PROT_WRITE | PROT_EXEC)) ||
        (at->advice & ~(uint32_t)ADVICE_ALL))
        return 0;
    uint64_t bytes = at->end - at->start;
    switch (at->kind) {
    case MAPPING_ANONYMOUS:
    case MAPPING_STACK:
        return at->offset == 0;
    case MAPPING_FILE:
    case MAPPING_FILE_SHARED:
        return at->file < head->file_count && at->offset <= (UINT64_C(1) << 62) &&
               (at->kind == MAPPING_FILE || !(at->prot & PROT_WRITE));
    case MAPPING_PAGES:
        return at->offset >= head->head_bytes && bytes <= file_bytes &&
               at->offset <= file_bytes - bytes;
    default:
        return 0;
    }
}

static const char *check_mappings(const struct head *head, uint64_t file_bytes)
{
    const struct mapping *at = snapshot_tables(head).mappings;
    uint64_t end = 0;
    for (uint32_t i = 0; i < head->mapping_count; end = at[i++].end) {
        if (!is_sound_mapping(head, &at[i], file_bytes) || at[i].start < end)
            return "the snapshot has a mapping that cannot be";
    }
    const struct task *task = &head->task;
    end = 0;
    for (uint32_t i = 0; i < task->special_count; i++) {
        const struct range *special = &task->specials[i];
        if (!in_pages(special->start) || !in_pages(special->bytes) ||
            special->bytes > (UINT64_C(1) << 20) ||
            !in_user_space(special->start, special->start + special->bytes) || special->start < end)
            return "the snapshot's vdso is nowhere";
        end = special->start + special->bytes;
        for (uint32_t j = 0; j < head->mapping_count; j++) {
            if (at[j].start < end && special->start < at[j].end)
                return "the snapshot's vdso lies under a mapping";
        }
    }
    return NULL;
}

static const char *check_content(const struct head *head, uint64_t file_bytes)
{
    struct tables tables = snapshot_tables(head);
    if (!in_pages(head->copies_at) || head->copies_at < head->head_bytes ||
        head->copies_at > file_bytes)
        return "the snapshot's content lies outside of it";
    uint64_t left = file_bytes - head->copies_at, end = 0;
    for (uint32_t i = 0; i < head->copy_count; i++) {
        const struct range *at = &tables.copies[i];
        if (!in_pages(at->start) || !in_pages(at->bytes) || at->bytes == 0 || at->bytes > left ||
            at->start < end)
            return "the snapshot has content that is not there";
        const struct mapping *into = snapshot_mapping(head, at->start, at->bytes);
        if (into == NULL || !is_anonymous(into->kind))
            return "the snapshot has content for no mapping";
        left -= at->bytes;
        end = at->start + at->bytes;
    }
    for (uint32_t i = 0; i < head->touched_count; i++) {
        const struct range *at = &tables.touched[i];
        if (!in_pages(at->start) || !in_pages(at->bytes) || at->bytes == 0 ||
            snapshot_mapping(head, at->start, at->bytes) == NULL)
            return "the snapshot has pages in use that it has not";
    }
    return NULL;
}

static const char *check_files(const struct head *head)
{
    struct tables tables = snapshot_tables(head);
    if (head->strings_bytes == 0 || tables.strings[head->strings_bytes - 1] != 0)
        return "the snapshot's names have no end";
    for (uint32_t i = 0; i < head->file_count; i++) {
        if (tables.files[i].path >= head->strings_bytes)
            return "the snapshot has a file without a name";
    }
    for (uint32_t i = 0; i < head->open_count; i++) {
        const struct open_file *at = &tables.opens[i];
        int known = at->same_as < 0;
        for (uint32_t j = 0; j < i; j++) {
            if (tables.opens[j].fd == at->fd)
                return "the snapshot has a descriptor twice";
            known |= tables.opens[j].fd == at->same_as;
        }
        if (at->fd <= 2 || at->fd >= FD_MAX || at->file >= head->file_count || !known ||
            at->position < 0 || (at->flags & ~(uint32_t)OPEN_ALLOWED))
            return "the snapshot has a descriptor that cannot be";
    }
    for (uint32_t i = 0; i < head->action_count; i++) {
        uint64_t number = tables.actions[i].number;
        if (number < 1 || number > 64 || number == SIGKILL || number == SIGSTOP)
            return "the snapshot has a signal that cannot be handled";
    }
    return NULL;
}

static const char *check_task(const struct head *head)
{
    const struct task *task = &head->task;
    if (task->frame % 8 || !is_memory(head, task->frame, FRAME_BYTES))
        return "the snapshot's registers are nowhere";
    if (task->tid_word && (task->tid_word % 4 || !is_memory(head, task->tid_word, 4)))
        return "the snapshot's thread number is nowhere";
    if (task->mm.auxv_bytes > 4096 || task->mm.auxv % 8 ||
        !is_memory(head, task->mm.auxv, task->mm.auxv_bytes))
        return "the snapshot's auxiliary vector is nowhere";
    for (uint32_t i = 0; i < task->env_place_count; i++) {
        if (task->env_places[i] % 8 ||
            !is_memory(head, task->env_places[i], (ENV_SLOTS + 1) * sizeof(uint64_t)))
            return "the snapshot's environment is nowhere";
    }
    if (task->env_place_count == 0 || !is_memory(head, task->env_text, task->env_text_bytes) ||
        task->mm.env_start > task->env_text)
        return "the snapshot has no room for an environment";
    if (task->cwd >= head->strings_bytes || task->umask > 0777 || task->dumpable > 1 ||
        task->name[sizeof(task->name) - 1] != 0)
        return "the snapshot's task is damaged";
    return NULL;
}

const char *snapshot_check(const void *data, uint64_t data_bytes, uint64_t file_bytes)
{
    const struct head *head = data;
    if (data_bytes < sizeof(*head) || head->magic != SNAPSHOT_MAGIC)
        return "this is no snapshot";
    if (head->version != SNAPSHOT_VERSION)
        return "the snapshot is of another version";
    if (head->mapping_count > MAPPINGS_MAX || head->copy_count > COPIES_MAX ||
        head->touched_count > TOUCHED_MAX || head->open_count > OPENS_MAX ||
        head->file_count > FILES_MAX || head->action_count > ACTIONS_MAX ||
        head->strings_bytes > STRINGS_MAX || head->task.special_count > SPECIALS_MAX ||
        head->task.env_place_count > ENV_PLACES_MAX)
        return "the snapshot's tables are too large";
    if (head->head_bytes != snapshot_head_bytes(head) || head->head_bytes > data_bytes ||
        head->head_bytes > file_bytes || !in_pages(file_bytes))
        return "the snapshot ends within its tables";
    const char *wrong = check_mappings(head, file_bytes);
    if (wrong == NULL)
        wrong = check_content(head, file_bytes);
    if (wrong == NULL)
        wrong = check_files(head);
    return wrong ? wrong : check_task(head);
}
