/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What execve does, done in a process that goes on to watch the program: maps an ELF file and its
 * interpreter, and lays out its stack.
 */
#ifndef SKERRY_WARM_LOAD_H
#define SKERRY_WARM_LOAD_H

#include <stdint.h>

#include "warm/snapshot.h"

#define ARGS_MAX    4096
#define SCRIPTS_MAX 4
#define TEXT_MAX    0x80000 /* bytes of arguments and environment */

struct start { /* of a program */
    const char *args[ARGS_MAX];
    uint32_t arg_count;
    const char *env[ARGS_MAX];
    uint32_t env_count;
    uint64_t auxv[64]; /* pairs, as the kernel gave them to skerry-warm */
    uint32_t auxv_count;
    uint64_t stack;   /* where the kernel put all of this */
    const char *path; /* of the ELF file, in the end */
};

struct loaded {
    uint64_t entry;         /* where the process begins */
    uint64_t program_entry; /* AT_ENTRY */
    uint64_t headers, header_count;
    uint64_t base; /* AT_BASE */
    uint64_t start_code, end_code, start_data, end_data;
    uint64_t end; /* behind the program: where its heap may begin */
};

struct stack_places { /* where stack_build put what a restored process writes to */
    uint64_t stack;
    uint64_t env_slots; /* ENV_SLOTS pointers to unset, then NULL */
    uint64_t unset;     /* an empty string that nothing else points to */
    uint64_t env_text, env_text_bytes;
    struct mm_layout mm; /* all but the heap and the code */
};

/* Maps start->path; follows "#!" by changing start. Ends the process when it cannot. */
void load_program(struct start *start, struct loaded *out);

/* Builds the initial stack below top, over what was there. Ends the process when it cannot. */
void stack_build(const struct start *start, const struct loaded *loaded, uint64_t top,
                 struct stack_places *out);

/* size random bytes, or the process ends. */
void random_fill(void *out, uint64_t size);

#endif
