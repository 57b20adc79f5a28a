/* SPDX-License-Identifier: Apache-2.0 */
/* Puts the snapshot together and writes it: head and tables, pages that are mapped, pages that are
 * copied. */
#include <fcntl.h>
#include <sys/stat.h>

#include "jail/raw.h"
#include "skerry/abi/warm.h"
#include "warm/builder.h"
#include "warm/layout.h"
#include "warm/make.h"
#include "warm/plain.h"
#include "warm/self.h"

struct builder builder;

uint32_t builder_add_string(const char *text)
{
    struct head *head = &builder.head;
    size_t bytes = strlen(text) + 1;
    if (bytes > STRINGS_MAX - head->strings_bytes)
        refuse("it uses too many files", NULL);
    uint32_t at = head->strings_bytes;
    memcpy(builder.strings + at, text, bytes);
    head->strings_bytes += (uint32_t)bytes;
    return at;
}

uint32_t builder_add_file(const char *path, const void *file_status)
{
    const struct stat *status = file_status;
    struct head *head = &builder.head;
    for (uint32_t i = head->file_count; i-- > 0;) {
        if (builder.files[i].device == status->st_dev && builder.files[i].inode == status->st_ino &&
            strcmp(builder.strings + builder.files[i].path, path) == 0)
            return i;
    }
    if (head->file_count == FILES_MAX)
        refuse("it uses too many files", NULL);
    int device = S_ISCHR(status->st_mode); /* whose times change with each use */
    builder.files[head->file_count] =
        (struct stored_file){.device = status->st_dev,
                             .inode = status->st_ino,
                             .size = (uint64_t)status->st_size,
                             .mtime_s = device ? 0 : status->st_mtim.tv_sec,
                             .mtime_ns = device ? 0 : (uint32_t)status->st_mtim.tv_nsec,
                             .path = builder_add_string(path)};
    return head->file_count++;
}

struct mapping *builder_add_mapping(void)
{
    if (builder.head.mapping_count == MAPPINGS_MAX)
        refuse("it has too many mappings", NULL);
    return &builder.mappings[builder.head.mapping_count++];
}

void builder_add_range(struct range *ranges, uint32_t *count, uint32_t most, uint64_t start,
                       uint64_t bytes)
{
    const struct mapping *in = &builder.mappings[builder.head.mapping_count - 1];
    if (*count > 0) {
        struct range *last = &ranges[*count - 1];
        if (last->start + last->bytes == start && last->start >= in->start) {
            last->bytes += bytes;
            return;
        }
    }
    if (*count == most)
        refuse("its memory is too scattered", NULL);
    ranges[(*count)++] = (struct range){start, bytes};
}

static void write_at(const void *from, uint64_t bytes, uint64_t *at)
{
    while (bytes > 0) {
        long done = raw4(SYS_pwrite64, self.snapshot, from, bytes, *at);
        if (done <= 0)
            refuse_error("the snapshot cannot be written", done);
        from = (const char *)from + done;
        bytes -= (uint64_t)done;
        *at += (uint64_t)done;
    }
}

static void write_tables(void)
{
    struct head *head = &builder.head;
    uint64_t at = 0;
    write_at(head, sizeof(*head), &at);
    write_at(builder.mappings, head->mapping_count * sizeof(struct mapping), &at);
    write_at(builder.copies, head->copy_count * sizeof(struct range), &at);
    write_at(builder.touched, head->touched_count * sizeof(struct range), &at);
    write_at(builder.opens, head->open_count * sizeof(struct open_file), &at);
    write_at(builder.files, head->file_count * sizeof(struct stored_file), &at);
    write_at(builder.actions, head->action_count * sizeof(struct action), &at);
    write_at(builder.strings, head->strings_bytes, &at);
}

static void write_pages(void)
{
    uint64_t at = builder.head.head_bytes;
    for (uint32_t i = 0; i < builder.head.mapping_count; i++) {
        struct mapping *mapping = &builder.mappings[i];
        if (mapping->kind != MAPPING_PAGES)
            continue;
        mapping->offset = at;
        write_at((const void *)mapping->start, mapping->end - mapping->start, &at);
    }
    builder.head.copies_at = at;
    for (uint32_t i = 0; i < builder.head.copy_count; i++)
        write_at((const void *)builder.copies[i].start, builder.copies[i].bytes, &at);
}

void save(void)
{
    struct head *head = &builder.head;
    inspect(&head->task);
    opens_collect();
    mappings_collect();
    if (head->task.env_place_count == 0)
        refuse("it rearranged its environment", NULL);
    head->magic = SNAPSHOT_MAGIC;
    head->version = SNAPSHOT_VERSION;
    head->head_bytes = snapshot_head_bytes(head);
    raw2(SYS_ftruncate, self.snapshot, head->head_bytes);
    write_pages();
    write_tables();
    long result = raw3(SYS_fcntl, self.snapshot, F_ADD_SEALS, WARM_SEALS);
    if (result < 0)
        refuse_error("the snapshot cannot be sealed", result);
    say(WARM_MADE);
    leave(0);
}
