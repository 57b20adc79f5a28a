/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's physical memory as the monitor holds it. An address of the guest is a gpa_t, which
 * cannot be dereferenced; these functions check it and copy. Bytes of the guest change under our
 * hands: what was copied is what counts.
 */
#ifndef SKERRY_VM_MEMORY_H
#define SKERRY_VM_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include "base/err.h"

#ifndef MADV_POPULATE_READ /* Linux 5.14 */
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif

typedef struct {
    uint64_t at;
} gpa_t;

#define GPA(address) ((gpa_t){(address)})

struct guest_memory {
    uint8_t *ram;
    uint64_t ram_bytes;
    const uint8_t *image; /* read-only, whole pages; NULL: none */
    uint64_t image_bytes;
};

/* Takes ram_bytes (a multiple of 2 MiB) of zeroed memory, backed when touched. 0 or -errno. */
int guest_memory_open(struct guest_memory *memory, uint64_t ram_bytes, struct err *err);

/* Maps the file as the read-only image. 0 or -errno; the descriptor is not kept. */
int guest_memory_image(struct guest_memory *memory, int fd, struct err *err);

/*
 * Puts count pages of fd from offset on in the place of RAM's pages from `page` on: private, so
 * that a page is shared until it is written. Near them RAM is backed by small pages. 0 or -errno.
 */
int guest_memory_overlay(struct guest_memory *memory, uint64_t page, uint64_t count, int fd,
                         uint64_t offset, struct err *err);

/* Copy between RAM and the monitor. 0, or -EFAULT when [at, at+size) is not all RAM. */
int guest_read(const struct guest_memory *memory, gpa_t at, void *out, size_t size);
int guest_write(struct guest_memory *memory, gpa_t at, const void *data, size_t size);

/*
 * Pointer to size bytes of RAM, NULL when they are not all RAM. For structures that both sides use
 * in place (rings, through atomics) and for filling memory before the guest runs.
 */
void *guest_span(const struct guest_memory *memory, gpa_t at, size_t size);

void guest_memory_close(struct guest_memory *memory);

#endif
