/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The closure of a program: its loader and every library that the loader would load, found as ld.so
 * finds them (ld.so(8)), without running anything.
 */
#ifndef SKERRY_IMAGE_CLOSURE_H
#define SKERRY_IMAGE_CLOSURE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "image/elf_file.h"
#include "image/probe.h"

struct closure_object {
    char *path;    /* absolute, as it was looked up */
    char *name;    /* as in DT_NEEDED; "" of the program, the file name of the loader */
    int fd;        /* opened for reading */
    int needed_by; /* index of the object that named it first; -1 of the program and its loader */
    struct elf_info *info;
};

#define CLOSURE_MAX PROBE_MAX

struct closure {                                /* {0} is empty */
    struct closure_object objects[CLOSURE_MAX]; /* the program, then its loader if it has one */
    size_t count;
    bool is_static; /* no loader: the program alone */
    bool is_musl;   /* the loader is musl's, which reads no cache */
    struct probe_cache cache;
    char lib_token[64]; /* what $LIB means to this loader */
};

/*
 * Finds the closure of the program fd (kept open by the closure from here on, whatever happens),
 * whose canonical absolute path is path. 0; -ENOEXEC with a sentence when it is no program of this
 * machine or a library of it is not found.
 */
int closure_find(int fd, const char *path, struct closure *out, struct err *err);
void closure_free(struct closure *closure);

#endif
