/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A strict reader of JSON (RFC 8259) into an arena.
 *
 * Of its own because a runtime that starts in a fraction of a millisecond loads no library.
 * Stricter than the RFC where programs differ: a key may stand once in an object, strings hold
 * valid UTF-8 and no NUL, depth and size are bounded, nothing may follow the value. Numbers are
 * kept as their text: whether one fits is decided by who knows what it means.
 */
#ifndef SKERRY_OCI_JSON_H
#define SKERRY_OCI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define JSON_SIZE_MAX  (8u << 20)
#define JSON_DEPTH_MAX 64

/* Memory given out in pieces and freed whole. Zeroed is empty. */
struct json_chunk;
struct json_arena {
    struct json_chunk *chunks;
    char *at;
    size_t room;
};

/* Zeroed memory of size bytes, aligned for any type; NULL when there is none. */
void *json_arena_alloc(struct json_arena *arena, size_t size);
/* A terminated copy of size bytes. */
char *json_arena_copy(struct json_arena *arena, const char *text, size_t size);
char *json_arena_printf(struct json_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Moves all that `from` holds into `arena`; from is empty then. */
void json_arena_adopt(struct json_arena *arena, struct json_arena *from);
void json_arena_free(struct json_arena *arena);

enum json_type {
    JSON_TYPE_NULL = 0,
    JSON_TYPE_BOOL,
    JSON_TYPE_NUMBER,
    JSON_TYPE_STRING,
    JSON_TYPE_ARRAY,
    JSON_TYPE_OBJECT,
};

struct json {
    enum json_type type;
    bool truth;      /* of a BOOL */
    const char *key; /* within an object, else NULL */
    const char
        *text; /* of a STRING, terminated and unescaped; of a NUMBER, as written, terminated */
    const struct json *child; /* first of an ARRAY or OBJECT */
    const struct json *next;  /* the following sibling */
    size_t count;             /* children */
    const char *raw;          /* where the value begins in the caller's text; not terminated */
    size_t raw_size;
};

/*
 * Parses size bytes. The text must outlive the tree only for `raw`. *out lies in the arena (the
 * caller frees that, also after a failure). 0, -EINVAL, -EFBIG, -ENOMEM; err names line and column.
 */
int json_parse(struct json_arena *arena, const char *text, size_t size, const struct json **out,
               struct err *err);

/* The member of an object by name; NULL: none, or null. object may be NULL or another type. */
const struct json *json_get(const struct json *object, const char *key);
/* The text of a string member, or NULL. */
const char *json_get_text(const struct json *object, const char *key);

/* A whole number that fits exactly (1e3 and 10.0 are none). value may be NULL. 0 or
 * -ERANGE/-EINVAL. */
int json_int(const struct json *value, int64_t *out);
int json_uint(const struct json *value, uint64_t *out);

/* "an object", "a string", ...: for messages. */
const char *json_type_name(const struct json *value);

#endif
