/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine as a file: registers, and those pages of its RAM that are not zero.
 *
 *   head      struct snapshot_head
 *   extents   head.extent_count of them, in the order of RAM, apart from each other
 *   pages     from the next whole page on, those of the first extent first
 *
 * The file was written by another process, whose guest nobody trusts: each number is copied,
 * checked, and used from the copy.
 */
#ifndef SKERRY_VM_SNAPSHOT_H
#define SKERRY_VM_SNAPSHOT_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "skerry/abi/vm.h"

#define SNAPSHOT_MAGIC       UINT64_C(0x70616e7379726b73) /* "skrysnap" */
#define SNAPSHOT_VERSION     1u
#define SNAPSHOT_EXTENTS_MAX 4096u
/* Pages below are made anew for each request (boot block, rings, strings) and never stored. */
#define SNAPSHOT_FIRST_PAGE (VM_TABLES_GPA / VM_PAGE)

struct snapshot_head {
    uint64_t magic;
    uint32_t version, abi_version;
    uint64_t kernel_id; /* kernel_id() of the monitor that wrote it */
    uint64_t ram_bytes, image_bytes;
    uint64_t tables_gpa, tables_bytes; /* as in the boot block */
    uint64_t fpu_mask;
    uint32_t direct; /* 1: of a page-table VM */
    uint32_t extent_count;
    struct kvm_regs regs;
};

struct snapshot_extent {
    uint32_t page, count; /* of RAM */
};

struct snapshot {
    struct snapshot_head head;
    struct snapshot_extent extents[SNAPSHOT_EXTENTS_MAX];
    uint64_t offsets[SNAPSHOT_EXTENTS_MAX]; /* in the file, of each extent's first page */
    const uint8_t *bytes;                   /* the whole file, read-only; size of it */
    uint64_t size;
};

struct machine;
struct dirty;

/*
 * Writes the stopped machine into fd, an empty memfd, and seals it. machine: its doorbell was
 * answered (cpu_settle); boot: what it was started with; dirty: without a pagemap all memory is
 * looked at. 0 or -errno; after a failure the file is of no use.
 */
int snapshot_write(struct machine *machine, const struct dirty *dirty, const struct vm_boot *boot,
                   int fd, struct err *err);

/*
 * Maps fd and fills *out after all checks that need no machine; its seals must be WARM_SEALS.
 * 0 or -errno with a sentence.
 */
int snapshot_open(struct snapshot *out, int fd, struct err *err);

/* The part of snapshot_open that looks at bytes: size of them, which need not be aligned. */
int snapshot_parse(struct snapshot *out, const uint8_t *bytes, uint64_t size, struct err *err);

/* The stored page of RAM; NULL: it is not stored, and holds zeroes. */
const uint8_t *snapshot_page(const struct snapshot *snapshot, uint64_t page);

#endif
