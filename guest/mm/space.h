/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program's address space: what is mapped where, with which right, from which file. There is
 * one, and it is also the kernel's: a pointer of the program is used as it is once user_ok() has
 * said that the program may.
 *
 * Frames: the page table is the record of which frame is where. A mapped frame of RAM carries one
 * reference for the mapping. Small mappings are filled when they are made; large anonymous ones on
 * their first touch, a block at a time.
 */
#ifndef SKERRY_GUEST_SPACE_H
#define SKERRY_GUEST_SPACE_H

#include "../kernel/base.h"

struct file;

/* Above lie the machine part's own pages. The stack ends here, what is mapped lies below the stack.
 */
#define SPACE_TOP  0x7fffe0000000UL
#define SPACE_MMAP (SPACE_TOP - (256UL << 20))

enum vma_flags {
    VMA_SHARED = 1u << 0,
    VMA_STACK = 1u << 1,  /* the main thread's */
    VMA_HEAP = 1u << 2,   /* grown by brk */
    VMA_KERNEL = 1u << 3, /* the kernel's own pages for the program: it may not change them */
    VMA_NORESERVE = 1u << 4,
    VMA_THREAD = 1u << 5, /* a thread's stack: filled in small steps */
};

/* [start, end), page aligned; mappings never overlap and are sorted by address. */
struct vma {
    uint64_t start, end;
    uint64_t offset;   /* in the file, of start */
    struct file *file; /* a reference of its own; NULL: anonymous */
    uint32_t prot;     /* PROT_READ, PROT_WRITE, PROT_EXEC */
    uint32_t flags;
};

/** space_init(): an empty address space. */
int space_init(void);

/** space_count(), space_at(): the mappings in order of address. */
size_t space_count(void);
const struct vma *space_at(size_t index);

/** space_find(): the mapping that holds addr; NULL when none does. Valid until the next change. */
const struct vma *space_find(uint64_t addr);

/** space_free_range(): whether nothing is mapped in [start, start + len). */
bool space_free_range(uint64_t start, uint64_t len);

/** space_hole(): where len bytes fit, from the top down; aligned to align. 0 when nowhere. */
uint64_t space_hole(uint64_t len, uint64_t align);

/**
 * space_map(): puts a mapping over [start, end) of wish, in the place of what was there; fill says
 * whether it gets its frames now. Takes its own reference of wish->file. 0 or -ENOMEM; on failure
 * the range is unmapped.
 */
int space_map(const struct vma *wish, bool fill);

/** space_unmap(): removes what is in the range. 0 or -ENOMEM. */
int space_unmap(uint64_t start, uint64_t end);

/** space_protect(): changes the rights of a range that is mapped without a hole; -ENOMEM for a
 * hole, -EACCES. */
int space_protect(uint64_t start, uint64_t end, uint32_t prot);

/** space_grow(): moves the end of the mapping that starts at start; what follows must be free. 0 or
 * -ENOMEM. */
int space_grow(uint64_t start, uint64_t new_end, bool fill);

/** space_move(): moves the frames of [from, from + len) to a free place, and the mapping with them.
 * 0 or -ENOMEM. */
int space_move(uint64_t from, uint64_t len, uint64_t to, uint64_t new_len);

/** space_discard(): gives the frames of a range back; anonymous memory reads as zero afterwards. */
void space_discard(uint64_t start, uint64_t end);

/** space_populate(): gives frames to all of a range that is mapped. 0, -ENOMEM or -EFAULT (behind
 * the file's end). */
int space_populate(uint64_t start, uint64_t end);

/** space_lock_image(): makes what is mapped a private copy, page by page, so that the kernel may
 * write into it. */
int space_make_private(uint64_t start, uint64_t end);

enum space_fault { FAULT_OK, FAULT_UNMAPPED, FAULT_ACCESS, FAULT_BUS, FAULT_MEMORY };

/** space_fault(): a touch of addr for want (of PROT_*) failed: fills the place if the program has
 * that right. */
enum space_fault space_fault(uint64_t addr, uint32_t want);

/** space_changes: grows with every change of a mapping or its frames: what was learned before may
 * be wrong now. */
extern uint64_t space_changes;

/** user_ok(): whether the program may read (write) [addr, addr + len); its frames are there
 * afterwards. */
bool user_ok(uint64_t addr, uint64_t len, bool write);

/** user_in(), user_out(): copies from and to the program; 0 or -EFAULT. */
int user_in(void *to, uint64_t from, size_t len);
int user_out(uint64_t to, const void *from, size_t len);

/** user_string(): a string of the program with its zero: its length, -EFAULT or -ENAMETOOLONG when
 * max is too small. */
long user_string(char *to, uint64_t from, size_t max);

#endif
