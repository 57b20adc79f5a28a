/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an importer gets the parts of an image from: the parent, file by file (a layout directory),
 * or the members of an archive, which are first spooled into a directory of our own.
 */
#ifndef SKERRY_IMAGE_SOURCE_H
#define SKERRY_IMAGE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "image/blob.h"
#include "image/import_link.h"
#include "image/path.h"

#define SOURCE_MEMBERS_MAX 20000

struct member { /* of an archive */
    char *name; /* clean */
    char *link; /* clean name of another member, or NULL: then its bytes are spooled */
    uint64_t size;
};

struct source {
    int link; /* to the parent; -1 in tests that have none */
    int stream;
    int spool; /* directory; a member's file is named by its index */
    struct member *members;
    size_t member_count;
    uint64_t told_ns; /* when progress was last told */
    bool reading;     /* progress is that of reading the archive */
    struct meter meter;
};

/* Sends ask and receives the answer. 0, or -errno with a sentence. */
int source_ask(struct source *source, const struct import_ask *ask, struct import_answer *out,
               struct err *err);

/* Asks the parent for a file of the layout directory, or the archive. 0, -ENOENT or -errno. */
int source_ask_file(struct source *source, uint32_t kind, const char *hex, struct blob *out,
                    struct err *err);

/* Spools every regular member of the archive; its links are remembered. 0 or -errno. */
int source_spool(struct source *source, struct blob *archive, uint64_t max_bytes, struct err *err);

/* True when the archive has the member name (clean), itself or as a link. */
bool source_has(const struct source *source, const char *name);

/* Opens a member of the archive. 0, -ENOENT or -errno with a sentence. */
int source_open_member(struct source *source, const char *name, struct blob *out, struct err *err);

/* Begins to count progress towards total bytes. */
void source_expect(struct source *source, bool reading, uint64_t total);

void source_close(struct source *source);

#endif
