/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the confined importer and its parent say to each other, over a SOCK_SEQPACKET pair; and the
 * stream through which the parent pours the bytes of files.
 *
 * The importer holds no file and no directory outside its root: with the capabilities that it has
 * over its own files it could change those behind any descriptor of the host. It asks for a file,
 * gets its size, and reads exactly so many bytes from the stream before it asks again.
 */
#ifndef SKERRY_IMAGE_IMPORT_LINK_H
#define SKERRY_IMAGE_IMPORT_LINK_H

#include <stdint.h>

#include "image/meta.h"
#include "image/store.h"

enum import_ask_kind {
    IMPORT_ASK_ARCHIVE = 1, /* the archive itself */
    IMPORT_ASK_LAYOUT,      /* oci-layout of the directory */
    IMPORT_ASK_INDEX,       /* index.json of the directory */
    IMPORT_ASK_BLOB,        /* blobs/sha256/HEX of the directory */
    IMPORT_ASK_KNOWN,       /* does the store have the image HEX? */
    IMPORT_PROGRESS,        /* done of total; not answered */
    IMPORT_DONE,            /* struct import_done follows in the same message */
};

struct import_ask {
    uint32_t kind;
    uint32_t reading; /* PROGRESS: 1 while the archive is read, 0 while layers are unpacked */
    uint64_t done;
    uint64_t total;
    char hex[IMAGE_HEX_MAX];
    char reserved[7];
};

struct import_answer {
    int32_t code;   /* 0, or a positive errno */
    uint32_t known; /* KNOWN: 1 when it is there: the importer ends with DONE */
    uint64_t size;  /* bytes that come through the stream */
};

struct import_done {
    struct image_record record;
    uint64_t skipped;         /* entries that were not made: device nodes and the like */
    char name[IMAGE_REF_MAX]; /* what the archive calls it, or "" */
};

#endif
