/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A writer of JSON into growing memory. Commas are put by the writer; a failure (no memory) is kept
 * and told once at the end. Bytes of a text that are not UTF-8 become U+FFFD: what we write is
 * always valid.
 */
#ifndef SKERRY_OCI_JSON_WRITE_H
#define SKERRY_OCI_JSON_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_writer {
    char *data; /* terminated once something was written; owned by the writer */
    size_t used;
    size_t room;
    bool failed;
    bool comma;          /* something stands before the next value on this level */
    unsigned int indent; /* spaces a level; 0: everything on one line */
    unsigned int depth;
};

/* key: the member's name within an object, NULL within a list and at the top. */
void json_write_object(struct json_writer *out, const char *key);
void json_write_object_end(struct json_writer *out);
void json_write_list(struct json_writer *out, const char *key);
void json_write_list_end(struct json_writer *out);
void json_write_text(struct json_writer *out, const char *key, const char *text);
void json_write_int(struct json_writer *out, const char *key, int64_t value);
void json_write_uint(struct json_writer *out, const char *key, uint64_t value);
void json_write_bool(struct json_writer *out, const char *key, bool value);
/* size bytes that are JSON already. */
void json_write_raw(struct json_writer *out, const char *key, const char *text, size_t size);

/* A list of strings; items ends with NULL. */
void json_write_texts(struct json_writer *out, const char *key, const char *const *items);

/* 0, or -ENOMEM when something is missing. */
int json_writer_finish(struct json_writer *out);
/* Fine on a zeroed one. */
void json_writer_free(struct json_writer *out);

#endif
