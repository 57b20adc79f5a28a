/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The local image store: content-addressed, below one directory.
 *
 *   images/blobs/sha256/HEX     manifests, configs (layers are not kept once unpacked)
 *   images/rootfs/HEX/          a root file system, unpacked; HEX is its image's manifest digest
 *   images/meta/HEX             struct image_meta of that image
 *   images/refs/NAME            a symlink-free file that holds HEX; NAME is the escaped reference
 *   images/disks/HEX            a root file system as one file, for virtual machines (disk.h)
 *   images/staging/             work in progress; swept when the store is opened
 *
 * What is parsed (archives, JSON, ELF) is parsed by a confined child process; the caller only gets
 * a checked struct image_meta. Everything below a root file system is reached with
 * openat2(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS). An image becomes visible by one rename: a
 * killed import leaves only staging. flock on the store's directory serialises writers.
 */
#ifndef SKERRY_IMAGE_STORE_H
#define SKERRY_IMAGE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strblock.h"

#define IMAGE_META_VERSION 1
#define IMAGE_REF_MAX      256
#define IMAGE_HEX_MAX      65

struct image_meta { /* fixed size, no pointers: it is stored as it is */
    uint32_t version;
    uint32_t user_set; /* 1: uid and gid were named by the image (resolved in its /etc/passwd) */
    uint32_t uid;
    uint32_t gid;
    uint64_t size_bytes;        /* of the root file system */
    uint64_t created_unix_s;    /* when it was imported */
    char digest[IMAGE_HEX_MAX]; /* sha256 of the manifest, hex */
    char reserved[7];
    char cwd[1024];      /* empty: "/" */
    STRBLOCK(8192) args; /* entrypoint and cmd */
    STRBLOCK(16384) env; /* "K=V" */
};

struct image_store;

/* Opens (makes) the store below state_dir. writable 0: only lookups, nothing is made or swept. */
int image_store_open(const char *state_dir, int writable, struct image_store **out,
                     struct err *err);
void image_store_close(struct image_store *store);

/*
 * Finds ref ("name", "name:tag", "sha256:HEX"). Fills meta and rootfs (absolute path of the root
 * file system's directory, room bytes). 0, -ENOENT with a sentence that says how to import it.
 */
int image_store_lookup(struct image_store *store, const char *ref, struct image_meta *out_meta,
                       char *out_rootfs, size_t room, struct err *err);

/*
 * Holds an image that a lookup found: its root file system is not collected while the returned
 * descriptor (of that directory, O_RDONLY) is open, even when its reference is removed or names a
 * newer image. Whoever runs from a rootfs holds it. A descriptor, -ENOENT when it is gone meanwhile
 * (look it up again), or -errno.
 */
int image_store_hold(struct image_store *store, const char *digest, struct err *err);

/* done and total in bytes of work; total 0: unknown. Called at most every 100 ms. */
typedef void (*image_progress_fn)(void *arg, const char *what, uint64_t done, uint64_t total);

struct image_import_options {
    const char *ref;            /* the name to give it; NULL: the one in the archive */
    uint64_t max_bytes;         /* unpacked size; 0: 4 GiB */
    uint64_t max_files;         /* 0: 400,000 */
    image_progress_fn progress; /* may be NULL */
    void *progress_arg;
};

/*
 * Imports an OCI image layout directory, an OCI archive or a docker archive. The manifest chosen
 * is this machine's platform (linux/amd64). Every digest is verified. out_ref: the name it now has.
 */
int image_store_import(struct image_store *store, const char *path,
                       const struct image_import_options *options, char out_ref[IMAGE_REF_MAX],
                       struct err *err);

/*
 * Makes an image of one ELF program of this machine: the file, its loader, and the closure of its
 * libraries (DT_NEEDED with RPATH, RUNPATH, LD_LIBRARY_PATH ignored, ld.so.cache and the default
 * directories), at the paths they have here, with a minimal /etc/passwd, /etc/group,
 * /etc/nsswitch.conf. Nothing is executed. Its args are the program's path as it was named; what
 * lies below a directory that a sandbox covers (/tmp, /dev, /proc, /sys, /run) is put below /app.
 * -ENOENT when there is no such program; -ENOEXEC with a sentence that says what to do for a
 * script, a file of another machine, a missing library.
 */
int image_store_add_exec(struct image_store *store, const char *program, const char *ref,
                         char out_ref[IMAGE_REF_MAX], struct err *err);

typedef int (*image_each_fn)(void *arg, const char *ref, const struct image_meta *meta);
int image_store_each(struct image_store *store, image_each_fn each, void *arg, struct err *err);

/* Removes a reference, and the image when it was the last one to it. -ENOENT when unknown. */
int image_store_remove(struct image_store *store, const char *ref, struct err *err);

#endif
