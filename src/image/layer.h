/* SPDX-License-Identifier: Apache-2.0 */
/* One layer of an image, a tar stream, laid into a root file system. */
#ifndef SKERRY_IMAGE_LAYER_H
#define SKERRY_IMAGE_LAYER_H

#include <stdint.h>

#include "base/err.h"
#include "image/rootfs.h"
#include "image/unpack.h"

struct layer_facts {
    uint64_t skipped; /* device nodes, fifos and sockets that were not made */
};

/*
 * Lays every entry of tar into root: files, directories, symbolic and hard links, whiteouts
 * (OCI image specification, "Image Layer Filesystem Changeset"). Device nodes, fifos and sockets
 * are left out and counted; set-user-id and set-group-id bits and extended attributes are not taken
 * over. 0, or -errno with a sentence that names the entry; root is then half done.
 */
int layer_apply(struct rootfs *root, struct unpack *unpack, struct layer_facts *facts,
                struct err *err);

#endif
