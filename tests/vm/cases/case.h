/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the cases are made of. A case is a small program: `abi-cases NAME` runs it in an empty
 * working directory and it prints what it sees; the same file prints the same on Linux and in a
 * guest, or the guest is wrong. So a case prints nothing that differs between two runs: no
 * addresses, inode numbers, times.
 */
#ifndef SKERRY_CASE_H
#define SKERRY_CASE_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

struct case_entry {
    const char *name;
    void (*run)(void);
    struct case_entry *next;
};

void case_register(struct case_entry *entry);

/* CASE(name) { body } */
#define CASE(id)                                                                                   \
    static void case_##id(void);                                                                   \
    static struct case_entry entry_##id = {#id, case_##id, NULL};                                  \
    __attribute__((constructor)) static void register_##id(void)                                   \
    {                                                                                              \
        case_register(&entry_##id);                                                                \
    }                                                                                              \
    static void case_##id(void)

/* T(call): prints it, its result, and the name of the error. Its result is the value of the
 * expression. */
#define T(call) case_show(#call, (errno = 0, (long)(call)))

/* OK(what): prints whether it is true. */
#define OK(what) case_true(#what, (what) ? 1 : 0)

long case_show(const char *text, long result);
void case_true(const char *text, int is);

/** case_file(): makes a file with this text. */
void case_file(const char *path, const char *text);

/** case_list(): prints the names in a directory and their types, sorted. case_stat(): mode, links,
 * size. */
void case_list(const char *path);
void case_stat(const char *path);

/** case_cat(): prints what a file holds. */
void case_cat(const char *path);

#endif
