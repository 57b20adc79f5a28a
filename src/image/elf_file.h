/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the image room needs to know of an ELF file: whether this machine runs it, its loader, and
 * the libraries that it names. Nothing is executed and nothing is trusted: each offset and size is
 * checked against the file before it is used. Runs in a confined child; the fuzzer feeds it from
 * memory.
 */
#ifndef SKERRY_IMAGE_ELF_FILE_H
#define SKERRY_IMAGE_ELF_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/strblock.h"

#define ELF_HEAD_SIZE 20 /* bytes that elf_is_native looks at */

enum elf_verdict {
    ELF_PROGRAM = 1,   /* an executable or a shared object of this machine */
    ELF_SCRIPT,        /* begins with "#!" */
    ELF_FOREIGN,       /* no ELF file at all */
    ELF_WRONG_CLASS,   /* 32 bits, or the other byte order */
    ELF_WRONG_MACHINE, /* another processor; machine holds */
    ELF_NOT_PROGRAM,   /* an object file, a core dump */
    ELF_DAMAGED,       /* contradicts itself; why holds */
};

struct elf_info {      /* fixed size, no pointers: it crosses a pipe */
    uint32_t verdict;  /* enum elf_verdict */
    uint16_t machine;  /* e_machine */
    uint8_t is_shared; /* ET_DYN: a library or a position-independent program */
    uint8_t has_interp;
    uint8_t has_rpath;
    uint8_t has_runpath;
    uint8_t no_default_dirs; /* DF_1_NODEFLIB */
    uint8_t is_pie;          /* DF_1_PIE */
    char why[128];
    char interp[1024];
    char soname[256];
    char rpath[4096]; /* before $ORIGIN and the like are replaced */
    char runpath[4096];
    STRBLOCK(16384) needed;
};

struct elf_input {
    /* Copies at most size bytes from offset at: the count, less at the end, or -errno. */
    ssize_t (*read)(void *arg, void *data, size_t size, uint64_t at);
    void *arg;
    uint64_t size;
};

/* Reads the file into out; whatever it is, out->verdict says so. Pure but for input->read. */
void elf_parse(const struct elf_input *input, struct elf_info *out);

/* True when the first ELF_HEAD_SIZE bytes are those of a file for this machine: a plain comparison.
 */
bool elf_is_native(const unsigned char head[ELF_HEAD_SIZE]);

/* Checks an elf_info that a confined child sent: terminated strings, valid blocks. */
bool elf_info_valid(const struct elf_info *info);

/*
 * Sets the sentence that says why path cannot be run as a program of its own, and what to do; 0
 * when it can.
 */
int elf_refuse(const struct elf_info *info, const char *path, struct err *err);

struct elf_tokens { /* what $ORIGIN, $LIB and $PLATFORM stand for */
    const char *origin;
    const char *lib;
    const char *platform;
};

/*
 * Replaces $ORIGIN, ${ORIGIN}, $LIB, $PLATFORM in the size bytes of text as ld.so does. 0,
 * -ENAMETOOLONG when it does not fit into room. Pure.
 */
int elf_expand(const char *text, size_t size, const struct elf_tokens *tokens, char *out,
               size_t room);

#endif
