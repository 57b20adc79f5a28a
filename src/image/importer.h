/* SPDX-License-Identifier: Apache-2.0 */
/* The importer: what runs in the confined child of an import. */
#ifndef SKERRY_IMAGE_IMPORTER_H
#define SKERRY_IMAGE_IMPORTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct importer_job {
    int link;           /* SOCK_SEQPACKET to the parent (import_link.h) */
    int stream;         /* bytes of files come here */
    bool archive;       /* an archive; else a layout directory */
    const char *wanted; /* the name that is asked for; NULL: there must be one image only */
    uint64_t max_bytes;
    uint64_t max_files;
};

/*
 * Imports one image into the directories rootfs/ and blobs/ of the root ("/" is the staging
 * directory) and tells the parent. arg: struct importer_job. 0 or -errno with a sentence. A
 * child_fn.
 */
int importer_run(void *arg, struct err *err);

#endif
