/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest and its monitor agree on: where things lie in the guest's physical memory, the boot
 * block, the rings, the doorbell. Included by both sides, so it needs nothing but <stdint.h>.
 *
 * The monitor writes the boot block before the first instruction and never reads it again. The
 * shared block and the rings are written by both: the monitor takes every value that it reads there
 * once, checks the copy and uses the copy. Of each ring, one side writes `head`, the other `tail`.
 *
 * Physical memory of a guest:
 *   0 .. ram_bytes       RAM; below `free_gpa` lies what the monitor put there
 *   VM_IMAGE_GPA ..      the read-only image (EROFS), if there is one
 * Virtual memory that the monitor maps before the guest runs (user bit set everywhere: one
 * privilege level):
 *   VM_KERNEL_VA ..      the kernel's text (r-x), constants (r--) and data (rw-)
 *   VM_PHYS_VA + gpa     all RAM (rw-, 2 MiB pages) and the image (r--)
 *   everything below 2^47 is the program's; PML4 slot 256 stays empty.
 */
#ifndef SKERRY_ABI_VM_H
#define SKERRY_ABI_VM_H

#include <stdint.h>

#define VM_ABI_MAGIC   UINT32_C(0x6d76796b) /* "kyvm" */
#define VM_ABI_VERSION 2u

#define VM_PAGE 4096u

#define VM_IMAGE_GPA  UINT64_C(0x4000000000)
#define VM_KERNEL_VA  UINT64_C(0xffffffff80000000)
#define VM_PHYS_VA    UINT64_C(0xffff888000000000)
#define VM_PROGRAM_LO UINT64_C(0x10000)
#define VM_PROGRAM_HI UINT64_C(0x7fffffff0000)

/* Fixed places in RAM. */
#define VM_BOOT_GPA   0x1000u
#define VM_PVM_GPA    0x2000u /* what the hypervisor of a page-table VM keeps for this CPU */
#define VM_SHARED_GPA 0x3000u

/* Doorbell: a 32-bit `out` of one of these to VM_PORT. */
#define VM_PORT 0x5b0u
enum vm_doorbell {
    VM_BELL_FLUSH = 1,    /* output rings want room (a hint: they are drained without it too) */
    VM_BELL_WAIT = 2,     /* nothing to run: wake me at wait_until, or when stdin moves */
    VM_BELL_EXIT = 3,     /* exit_kind and exit_value are valid */
    VM_BELL_STDIN = 4,    /* stdin ring is empty: fill it if there is something, do not block */
    VM_BELL_SNAPSHOT = 5, /* all state is in memory: in a machine that was asked to, once; what is
                             made of it goes on behind this doorbell */
    VM_BELL_POOLED = 6, /* the program is loaded, all is there but its strings: the same; they come
                           now */
};

enum vm_flags {
    VM_FLAG_PVM = 1u << 0,      /* direct execution: no iretq, no int n */
    VM_FLAG_PROBE = 1u << 2,    /* no program: ring the doorbell VM_PROBE_BELLS times and end */
    VM_FLAG_TRACE = 1u << 1,    /* write a line for each system call into the trace ring */
    VM_FLAG_SNAPSHOT = 1u << 3, /* ring VM_BELL_SNAPSHOT before the first read of stdin */
    VM_FLAG_POOL = 1u << 4,     /* ring VM_BELL_POOLED before the program gets its strings */
};

#define VM_PROBE_BELLS 64u

/* Strings: argc arguments, then envc "K=V", each with its NUL, strings_bytes in all. A machine that
 * goes on from a snapshot finds those of its request: argc is 0. */
struct vm_boot {
    uint32_t magic;
    uint32_t version;
    uint32_t flags; /* enum vm_flags */
    uint32_t argc;
    uint32_t envc;
    uint32_t strings_bytes;
    uint64_t strings_gpa;
    uint64_t ram_bytes;
    uint64_t free_gpa;    /* first byte of RAM that the guest may use as it likes; page aligned */
    uint64_t image_bytes; /* of the image at VM_IMAGE_GPA; 0: none */
    uint64_t
        program_gpa; /* the program as one ELF file in RAM; program_bytes 0: it is in the image */
    uint64_t program_bytes;
    uint64_t tsc;     /* at this value of the time stamp counter ... */
    uint64_t mono_ns; /* ... CLOCK_MONOTONIC was this */
    uint64_t real_ns; /* ... and CLOCK_REALTIME this */
    uint64_t tsc_hz;
    uint64_t stack_bytes; /* of the main thread */
    uint64_t fpu_mask;    /* XCR0; 0: the CPU has FXSAVE only */
    uint64_t fpu_bytes;   /* size of the state it selects */
    uint32_t uid;
    uint32_t gid;
    uint32_t open_max;      /* RLIMIT_NOFILE */
    uint32_t stdio_mode[3]; /* st_mode of the host's descriptors 0, 1, 2 (kind only: S_IFMT) */
    uint8_t seed[32];       /* from the host's random generator, for this start only */
    char hostname[64];      /* with its NUL */
    char program[256];      /* path of the program; "" with program_bytes: argv[0] */
    char cwd[256];          /* absolute */
    uint64_t threads_max;   /* 0: as many as memory allows */
    uint64_t files_max;     /* bytes that files in memory may take; 0: as many as there are */
    /* With VM_FLAG_SNAPSHOT: zeroed RAM below free_gpa, the only place for page tables besides
     * VM_TABLES_GPA. Whoever resets a machine knows by it which pages a hypervisor may shadow. */
    uint64_t tables_gpa;
    uint64_t tables_bytes;
};

/* One producer, one consumer; data is `size` bytes (a power of two) at `data_gpa` (fixed). The
 * indices run freely and are taken modulo size. */
struct vm_ring {
    uint32_t head; /* written by the producer: bytes ever put in */
    uint32_t producer_flags;
    uint32_t reserved[14];
    uint32_t tail; /* written by the consumer: bytes ever taken out */
    uint32_t consumer_flags;
    uint32_t reserved2[14];
};

enum vm_ring_flags {
    VM_RING_CLOSED = 1u << 0, /* producer: the end; consumer: reads no more (EPIPE) */
};

enum vm_ring_index { VM_STDIN, VM_STDOUT, VM_STDERR, VM_CONSOLE, VM_TRACE, VM_RING_COUNT };

#define VM_RING_BYTES 0x10000u /* of data, each ring */

enum vm_exit_kind {
    VM_EXIT_NONE = 0,
    VM_EXIT_STATUS = 1, /* value: exit status 0..255 */
    VM_EXIT_SIGNAL = 2, /* value: the signal that ended the program */
    VM_EXIT_OOM = 3,    /* the guest's memory is used up */
    VM_EXIT_PANIC = 4,  /* the guest kernel gave up: the console says why */
};

/* Stage stamps are values of the time stamp counter, 0: not reached. */
enum vm_stage {
    VM_STAGE_KERNEL,     /* first instruction of the kernel */
    VM_STAGE_PROGRAM,    /* the program is about to get its first instruction */
    VM_STAGE_FIRST_BYTE, /* it wrote to stdout */
    VM_STAGE_EXIT,       /* it ended */
    VM_STAGE_COUNT
};

#define VM_UNKNOWN_CALLS 8u

struct vm_shared {
    uint32_t magic;
    uint32_t exit_kind; /* enum vm_exit_kind */
    uint32_t exit_value;
    uint32_t polled;     /* written by the guest: 1 while it looks at rings by itself */
    uint64_t wait_until; /* VM_BELL_WAIT: value of the time stamp counter, UINT64_MAX: none */
    uint64_t stages[VM_STAGE_COUNT];
    uint64_t calls;                           /* system calls made */
    uint64_t calls_trapped;                   /* of these, by an instruction that was not patched */
    uint32_t unknown_call[VM_UNKNOWN_CALLS];  /* numbers (+1) of calls answered ENOSYS ... */
    uint32_t unknown_count[VM_UNKNOWN_CALLS]; /* ... and how often */
    uint32_t snapshot_threads;                /* VM_BELL_SNAPSHOT: how many there are ... */
    uint32_t snapshot_timers;                 /* ... and 1 if one of its timers runs */
    uint64_t reserved[6];
    struct vm_ring rings[VM_RING_COUNT];
};

#define VM_RINGS_GPA     0x10000u /* data of ring i at VM_RINGS_GPA + i * VM_RING_BYTES */
#define VM_STRINGS_GPA   0x60000u /* arguments and environment */
#define VM_STRINGS_MAX   0x40000u
#define VM_TABLES_GPA    0xa0000u /* the first page tables */
#define VM_TABLES_END    0x100000u
#define VM_KERNEL_GPA    0x100000u /* the kernel's image; p_paddr in its program headers */
#define VM_RAM_BYTES_MIN (UINT64_C(16) << 20)
#define VM_RAM_BYTES_MAX (UINT64_C(64) << 30)

/*
 * The first bytes of the kernel's image: where the monitor points the CPU. The kernel fills what
 * these point to by itself, with plain stores, before it is needed.
 */
struct vm_kernel {
    uint32_t magic;
    uint32_t version;
    uint64_t entry; /* rdi: boot block in the direct map; rsp: stack_top */
    uint64_t stack_top;
    uint64_t gdt, gdt_bytes; /* 0x10: code, 0x18: data, 0x38: task state */
    uint64_t idt, idt_bytes;
    uint64_t tss, tss_bytes;
    uint64_t syscall_entry; /* of a `syscall` instruction */
    uint64_t tick_entry;    /* program code that was stopped by the timer continues here ... */
    uint64_t tick_frame;    /* ... with struct vm_tick_frame filled */
};

/* What a tick interrupted; written by the monitor, through the kernel's data. */
struct vm_tick_frame {
    uint64_t rip, rflags, rsp;
    uint64_t pending; /* 1: not yet taken over by the kernel */
};

#ifndef __cplusplus
_Static_assert(sizeof(struct vm_ring) == 128, "a ring's indices are on cache lines of their own");
_Static_assert(__builtin_offsetof(struct vm_ring, tail) == 64, "tail opens the second line");
_Static_assert(__builtin_offsetof(struct vm_shared, rings) % 64 == 0, "rings are aligned");
_Static_assert(sizeof(struct vm_shared) <= VM_PAGE, "shared block is one page");
_Static_assert(sizeof(struct vm_boot) <= VM_PAGE, "boot block is one page");
_Static_assert(__builtin_offsetof(struct vm_boot, strings_gpa) == 24, "layout of the boot block");
_Static_assert(__builtin_offsetof(struct vm_boot, seed) == 152, "layout of the boot block");
_Static_assert(__builtin_offsetof(struct vm_boot, tables_gpa) == 776, "layout of the boot block");
_Static_assert(__builtin_offsetof(struct vm_shared, stages) == 24, "layout of the shared block");
_Static_assert(VM_RINGS_GPA + VM_RING_COUNT * VM_RING_BYTES <= VM_KERNEL_GPA, "rings fit");
#endif

#endif
