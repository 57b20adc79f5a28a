/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A snapshot as it lies in the memfd: the head, its tables one after the other, and from head_bytes
 * on pages of memory. It is sealed before anybody relies on it, so it can be read in place; but it
 * was written by the process that the program ran in, so every number is checked before one is
 * used (snapshot_check.c).
 */
#ifndef SKERRY_WARM_SNAPSHOT_H
#define SKERRY_WARM_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#define SNAPSHOT_MAGIC   UINT64_C(0x50414e534d524157) /* "WRMSNAP" */
#define SNAPSHOT_VERSION 1u

#define MAPPINGS_MAX UINT32_C(8192)
#define COPIES_MAX   UINT32_C(65536)
#define TOUCHED_MAX  UINT32_C(16384)
#define OPENS_MAX    UINT32_C(256)
#define FILES_MAX    UINT32_C(2048)
#define ACTIONS_MAX  UINT32_C(64)
#define STRINGS_MAX  UINT32_C(0x40000)
#define HEAD_MAX     UINT64_C(0x1000000)
#define FD_MAX       (1 << 20)

#define SPECIALS_MAX   4u /* vdso and what it reads */
#define ENV_PLACES_MAX 8u
#define ENV_SLOTS      1024u /* as many strings as a start message may hold */
#define RLIMITS        16u

enum mapping_kind {
    MAPPING_ANONYMOUS = 1, /* its content comes from the copies */
    MAPPING_STACK,         /* the same, and grows down */
    MAPPING_FILE,          /* private, as the file is */
    MAPPING_FILE_SHARED,   /* shared and read-only */
    MAPPING_PAGES,         /* private pages of the snapshot: what the program wrote over a file's */
};

enum mapping_advice { /* what madvise() or mmap() was told */
                      ADVICE_DONT_FORK = 1 << 0,
                      ADVICE_WIPE_ON_FORK = 1 << 1,
                      ADVICE_DONT_DUMP = 1 << 2,
                      ADVICE_HUGE = 1 << 3,
                      ADVICE_NO_HUGE = 1 << 4,
                      ADVICE_SEQUENTIAL = 1 << 5,
                      ADVICE_RANDOM = 1 << 6,
                      ADVICE_MERGEABLE = 1 << 7,
                      ADVICE_NO_RESERVE = 1 << 8,
                      ADVICE_ALL = (1 << 9) - 1,
};

struct range { /* laid out as struct iovec */
    uint64_t start;
    uint64_t bytes;
};

struct mapping {
    uint64_t start;
    uint64_t end;
    uint64_t offset; /* in the file, or in the snapshot */
    uint32_t kind;   /* enum mapping_kind */
    uint32_t prot;
    uint32_t advice; /* enum mapping_advice */
    uint32_t file;   /* index */
};

struct stored_file { /* what must be found under the path again */
    uint64_t device;
    uint64_t inode;
    uint64_t size;
    int64_t mtime_s;
    uint32_t mtime_ns;
    uint32_t path; /* offset in the strings */
};

struct open_file {
    int64_t position;
    int32_t fd;
    int32_t same_as; /* an earlier descriptor of the same open file; -1 */
    uint32_t flags;  /* of open() */
    uint32_t file;
};

struct action {
    uint64_t number;
    uint64_t kernel[4]; /* handler, flags, restorer, mask */
};

/* What the kernel calls struct prctl_mm_map, up to its auxiliary vector. */
struct mm_layout {
    uint64_t start_code, end_code, start_data, end_data, start_brk, brk, start_stack;
    uint64_t arg_start, arg_end, env_start, env_end;
    uint64_t auxv;
    uint32_t auxv_bytes;
    uint32_t exe_fd;
};

struct task {
    uint64_t frame; /* the ucontext that the kernel wrote at the read: rt_sigreturn takes it */
    uint64_t fs_base, gs_base;
    uint64_t tid_address; /* set_tid_address */
    uint64_t tid_word;    /* where libc keeps the thread's number; 0: unknown */
    uint64_t robust_head, robust_bytes;
    struct mm_layout mm;
    struct range specials[SPECIALS_MAX];
    uint64_t vdso;                       /* AT_SYSINFO_EHDR */
    uint64_t env_places[ENV_PLACES_MAX]; /* arrays of ENV_SLOTS pointers for the request's */
    uint64_t env_text, env_text_bytes;   /* room for its strings */
    uint64_t timer_slack_ns;
    uint64_t rlimits[RLIMITS][2];
    uint32_t rlimits_changed; /* bits */
    uint32_t special_count;
    uint32_t env_place_count;
    uint32_t umask;
    uint32_t dumpable;
    uint32_t cwd; /* offset in the strings */
    char name[16];
};

struct head {
    uint64_t magic;
    uint32_t version;
    uint32_t mapping_count, copy_count, touched_count, open_count, file_count, action_count;
    uint32_t strings_bytes;
    uint64_t head_bytes; /* head and tables, whole pages */
    uint64_t copies_at;  /* where the content of the copies begins, one after the other */
    struct task task;
};

struct tables {
    const struct mapping *mappings; /* by address, disjoint */
    const struct range *copies;     /* of anonymous memory, by address */
    const struct range *touched;    /* pages of files that it had in use */
    const struct open_file *opens;
    const struct stored_file *files;
    const struct action *actions;
    const char *strings; /* ends with NUL */
};

/* Where the tables lie behind their head, as its counts say. Pure. */
struct tables snapshot_tables(const struct head *head);

/* Bytes of head and tables, in whole pages. Pure; the counts must be within their bounds. */
uint64_t snapshot_head_bytes(const struct head *head);

/* The mapping that holds all of a range, or NULL. Pure; the mappings must be in order. */
const struct mapping *snapshot_mapping(const struct head *head, uint64_t start, uint64_t bytes);

/*
 * Whether a snapshot of file_bytes can be brought back; data holds its first data_bytes, which
 * begin at an address of 8. NULL, or a sentence without its end that says what is wrong. Pure.
 */
const char *snapshot_check(const void *data, uint64_t data_bytes, uint64_t file_bytes);

#endif
