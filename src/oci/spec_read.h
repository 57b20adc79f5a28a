/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the parts of config.json are read; private to spec*.c.
 *
 * An object is a table of fields: key, reader, offset in the struct. A reader gets a value that is
 * not null and fills what it points to. The reader's path names the property that is being read, so
 * that an error needs no other word for it.
 */
#ifndef SKERRY_OCI_SPEC_READ_H
#define SKERRY_OCI_SPEC_READ_H

#include "oci/spec.h"

#define SPEC_PATH_MAX 256

struct spec_reader {
    struct oci_spec *spec; /* owner of the arena and of the warnings */
    struct err *err;
    size_t length;
    char path[SPEC_PATH_MAX];
};

typedef int (*spec_read_fn)(struct spec_reader *in, const struct json *value, void *out);

struct spec_field {
    const char *key;
    spec_read_fn read;
    size_t offset;
    bool required;
};

#define SPEC_FIELD(key, read, type, member)                                                        \
    {                                                                                              \
        key, read, offsetof(type, member), false                                                   \
    }
#define SPEC_REQUIRED(key, read, type, member)                                                     \
    {                                                                                              \
        key, read, offsetof(type, member), true                                                    \
    }

/* At most 64 fields. Properties that are in no table are warned of and ignored ("extensibility").
 */
int spec_read_object(struct spec_reader *in, const struct json *value,
                     const struct spec_field *fields, size_t count, void *out);
#define SPEC_READ_OBJECT(in, value, fields, out)                                                   \
    spec_read_object(in, value, fields, sizeof(fields) / sizeof((fields)[0]), out)

/* Reads a list of structs of `size` bytes each into the arena; null items are errors. */
int spec_read_list(struct spec_reader *in, const struct json *value, size_t size, spec_read_fn read,
                   size_t *out_count, void *out_items);

/* "PATH: text", -EINVAL. */
int spec_wrong(struct spec_reader *in, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same with -ENOTSUP: known, but not to be had here. */
int spec_unsupported(struct spec_reader *in, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Keeps "PATH: text" in the spec's warnings. 0 or -ENOMEM. */
int spec_warn(struct spec_reader *in, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int spec_type(struct spec_reader *in, const struct json *value, enum json_type expected);
int spec_no_memory(struct spec_reader *in);

/* Adds ".key" to the path (index: "[N]"); leave with the value that was returned. */
size_t spec_enter(struct spec_reader *in, const char *key);
size_t spec_enter_index(struct spec_reader *in, size_t index);
void spec_leave(struct spec_reader *in, size_t mark);

/* A number between least and most. */
int spec_int_within(struct spec_reader *in, const struct json *value, int64_t least, int64_t most,
                    int64_t *out);
int spec_uint_within(struct spec_reader *in, const struct json *value, uint64_t most,
                     uint64_t *out);

/* Readers; the type that `out` points to is in the name or behind it. */
int spec_read_text(struct spec_reader *in, const struct json *value, void *out); /* const char * */
int spec_read_absolute(struct spec_reader *in, const struct json *value,
                       void *out);                                               /* const char * */
int spec_read_bool(struct spec_reader *in, const struct json *value, void *out); /* bool */
int spec_read_oci_bool(struct spec_reader *in, const struct json *value, void *out);
int spec_read_oci_int(struct spec_reader *in, const struct json *value, void *out);
int spec_read_oci_uint(struct spec_reader *in, const struct json *value, void *out);
int spec_read_oci_uint32(struct spec_reader *in, const struct json *value,
                         void *out); /* oci_uint */
int spec_read_uint64(struct spec_reader *in, const struct json *value, void *out);
int spec_read_uint32(struct spec_reader *in, const struct json *value, void *out);
int spec_read_strings(struct spec_reader *in, const struct json *value,
                      void *out); /* oci_strings */
int spec_read_absolutes(struct spec_reader *in, const struct json *value,
                        void *out);                                               /* oci_strings */
int spec_read_pairs(struct spec_reader *in, const struct json *value, void *out); /* oci_pairs */
int spec_read_id_maps(struct spec_reader *in, const struct json *value,
                      void *out); /* oci_id_maps */
int spec_read_cpu_list(struct spec_reader *in, const struct json *value,
                       void *out); /* const char * */

/* Refuses what only other platforms have. */
int spec_read_foreign(struct spec_reader *in, const struct json *value, void *out);

/* The parts: spec_process.c, spec_mounts.c, spec_linux.c, spec_resources.c, spec_seccomp.c. */
int spec_read_process(struct spec_reader *in, const struct json *value,
                      void *out); /* oci_process * */
int spec_read_mounts(struct spec_reader *in, const struct json *value, void *out); /* in->spec */
int spec_read_linux(struct spec_reader *in, const struct json *value, void *out);  /* oci_linux */
int spec_read_resources(struct spec_reader *in, const struct json *value, void *out);
int spec_read_seccomp(struct spec_reader *in, const struct json *value,
                      void *out); /* oci_seccomp * */

/* What spans several properties (spec_check.c). */
int spec_check(struct spec_reader *in);

#endif
