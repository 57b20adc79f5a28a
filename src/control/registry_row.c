/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A function as a row. The table below is the one place that knows which field is which column: the
 * schema, the statement that stores and the one that reads are made from it. A list of strings is
 * stored as the bytes of its block, binds as a block of three strings each ("ro" or "rw", source,
 * target).
 */
#include "control/registry_row.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum column_kind { COLUMN_TEXT, COLUMN_U32, COLUMN_U64, COLUMN_BLOCK, COLUMN_BINDS };

struct column {
    const char *name;
    enum column_kind kind;
    size_t offset;
    size_t room; /* of a text or of a block's data */
};

#define FIELD(field) offsetof(struct function_spec, field)
#define ROOM(field)  sizeof(((struct function_spec *)NULL)->field)
#define TEXT(f)      COLUMN_TEXT, FIELD(f), ROOM(f)
#define NUMBER32(f)  COLUMN_U32, FIELD(f), 0
#define NUMBER64(f)  COLUMN_U64, FIELD(f), 0
#define BLOCK(f)     COLUMN_BLOCK, FIELD(f), ROOM(f.data)

static const struct column columns[] = {
    {"tenant", TEXT(tenant)},
    {"name", TEXT(name)},
    {"revision", NUMBER64(revision)},
    {"created_unix_s", NUMBER64(created_unix_s)},
    {"spec_version", NUMBER32(version)},
    {"flags", NUMBER32(flags)},
    {"tier", TEXT(tier)},
    {"image", TEXT(image)},
    {"cwd", TEXT(cwd)},
    {"user", TEXT(user)},
    {"net", NUMBER32(net)},
    {"proc", NUMBER32(proc)},
    {"mem_bytes", NUMBER64(limits.mem_bytes)},
    {"tmp_bytes", NUMBER64(limits.tmp_bytes)},
    {"timeout_ns", NUMBER64(limits.timeout_ns)},
    {"max_body_bytes", NUMBER64(limits.max_body_bytes)},
    {"cpu_millis", NUMBER32(limits.cpu_millis)},
    {"pids_max", NUMBER32(limits.pids_max)},
    {"concurrency_max", NUMBER32(limits.concurrency_max)},
    {"queue_max", NUMBER32(limits.queue_max)},
    {"files_max", NUMBER32(limits.files_max)},
    {"args", BLOCK(args)},
    {"env", BLOCK(env)},
    {"labels", BLOCK(labels)},
    {"annotations", BLOCK(annotations)},
    {"binds", COLUMN_BINDS, FIELD(binds), 0},
};
#define COLUMN_COUNT (sizeof(columns) / sizeof(columns[0]))

static const char *type_of(const struct column *column)
{
    switch (column->kind) {
    case COLUMN_TEXT:
        return "TEXT";
    case COLUMN_BLOCK:
    case COLUMN_BINDS:
        return "BLOB";
    default:
        return "INTEGER";
    }
}

void row_list(enum row_form form, char out[ROW_LIST_ROOM])
{
    size_t used = 0;
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        const char *comma = i > 0 ? ", " : "";
        int n = form == ROW_MARKS ? snprintf(out + used, ROW_LIST_ROOM - used, "%s?", comma)
                : form == ROW_NAMES
                    ? snprintf(out + used, ROW_LIST_ROOM - used, "%s%s", comma, columns[i].name)
                    : snprintf(out + used, ROW_LIST_ROOM - used, "%s%s %s NOT NULL", comma,
                               columns[i].name, type_of(&columns[i]));
        used += (size_t)n;
    }
}

struct any_block { /* the head of every STRBLOCK */
    uint32_t count;
    uint32_t bytes;
    char data[];
};

static size_t binds_pack(const struct function_spec *spec, char *out)
{
    size_t used = 0;
    for (uint32_t i = 0; i < spec->bind_count; i++) {
        const struct function_bind *bind = &spec->binds[i];
        const char *parts[] = {bind->read_only ? "ro" : "rw", bind->source, bind->target};
        for (size_t k = 0; k < 3; k++) {
            size_t size = strlen(parts[k]) + 1;
            memcpy(out + used, parts[k], size);
            used += size;
        }
    }
    return used;
}

static bool binds_unpack(const char *blob, size_t size, struct function_spec *spec)
{
    size_t at = 0;
    while (at < size) {
        if (spec->bind_count == FUNCTION_BINDS_MAX)
            return false;
        struct function_bind *bind = &spec->binds[spec->bind_count];
        char *parts[] = {NULL, bind->source, bind->target};
        for (size_t k = 0; k < 3; k++) {
            size_t length = strnlen(blob + at, size - at);
            if (length == size - at || length >= FUNCTION_PATH_MAX)
                return false;
            if (parts[k] == NULL)
                bind->read_only = strcmp(blob + at, "ro") == 0;
            else
                memcpy(parts[k], blob + at, length + 1);
            at += length + 1;
        }
        spec->bind_count++;
    }
    return true;
}

static void bind_column(sqlite3_stmt *statement, int at, const struct column *column,
                        const struct function_spec *spec, char *scratch)
{
    const char *field = (const char *)spec + column->offset;
    uint32_t narrow;
    uint64_t wide;
    switch (column->kind) {
    case COLUMN_TEXT:
        sqlite3_bind_text(statement, at, field, -1, SQLITE_STATIC);
        break;
    case COLUMN_U32:
        memcpy(&narrow, field, sizeof(narrow));
        sqlite3_bind_int64(statement, at, narrow);
        break;
    case COLUMN_U64:
        memcpy(&wide, field, sizeof(wide));
        sqlite3_bind_int64(statement, at, (sqlite3_int64)wide);
        break;
    case COLUMN_BLOCK:
        memcpy(&narrow, field + offsetof(struct any_block, bytes), sizeof(narrow));
        sqlite3_bind_blob(statement, at, field + offsetof(struct any_block, data), (int)narrow,
                          SQLITE_STATIC);
        if (narrow == 0)
            sqlite3_bind_zeroblob(statement, at, 0);
        break;
    case COLUMN_BINDS:
        sqlite3_bind_blob(statement, at, scratch, (int)binds_pack(spec, scratch), SQLITE_STATIC);
        break;
    }
}

void row_bind(sqlite3_stmt *statement, const struct function_spec *spec,
              char scratch[ROW_SCRATCH_ROOM])
{
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        bind_column(statement, (int)i + 1, &columns[i], spec, scratch);
}

/* False when the column holds what its field cannot. */
static bool read_column(sqlite3_stmt *statement, int at, const struct column *column,
                        struct function_spec *spec)
{
    char *field = (char *)spec + column->offset;
    sqlite3_int64 number = sqlite3_column_int64(statement, at);
    uint32_t narrow = (uint32_t)number;
    uint64_t wide = (uint64_t)number;
    if (column->kind == COLUMN_U32) {
        memcpy(field, &narrow, sizeof(narrow));
        return number >= 0 && number <= UINT32_MAX;
    }
    if (column->kind == COLUMN_U64) {
        memcpy(field, &wide, sizeof(wide));
        return number >= 0;
    }
    const char *blob = sqlite3_column_blob(statement, at);
    size_t size = (size_t)sqlite3_column_bytes(statement, at);
    if (blob == NULL || size == 0)
        return true;
    if (column->kind == COLUMN_BINDS)
        return binds_unpack(blob, size, spec);
    if (column->kind == COLUMN_TEXT) {
        if (size < column->room)
            memcpy(field, blob, size);
        return size < column->room;
    }
    if (size > column->room)
        return false;
    uint32_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += blob[i] == '\0';
    narrow = (uint32_t)size;
    memcpy(field + offsetof(struct any_block, count), &count, sizeof(count));
    memcpy(field + offsetof(struct any_block, bytes), &narrow, sizeof(narrow));
    memcpy(field + offsetof(struct any_block, data), blob, size);
    return true;
}

int row_read(sqlite3_stmt *statement, struct function_spec *out, struct err *err)
{
    memset(out, 0, sizeof(*out));
    struct err why = {0};
    for (size_t i = 0; i < COLUMN_COUNT && why.code == 0; i++) {
        if (!read_column(statement, (int)i, &columns[i], out))
            err_set(&why, EBADMSG, "%s does not fit", columns[i].name);
    }
    if (why.code != 0 || function_check(out, &why) < 0)
        return err_set(err, EBADMSG, "the registry's row of %s/%s is damaged: %.300s", out->tenant,
                       out->name, why.text);
    return 0;
}
