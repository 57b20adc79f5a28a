/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of ELF files, and what is done with what it found. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "image/elf_file.h"

struct memory {
    const uint8_t *data;
    size_t size;
};

static ssize_t read_memory(void *arg, void *data, size_t size, uint64_t at)
{
    const struct memory *memory = arg;
    if (at >= memory->size)
        return 0;
    if (size > memory->size - at)
        size = memory->size - at;
    memcpy(data, memory->data + at, size);
    return (ssize_t)size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct elf_info info;
    static char out[4096];
    struct memory memory = {data, size};
    struct elf_input input = {.read = read_memory, .arg = &memory, .size = size};
    struct elf_tokens tokens = {"/origin", "lib64", "x86_64"};
    struct err err;
    elf_parse(&input, &info);
    if (!elf_info_valid(&info))
        abort();
    elf_refuse(&info, "program", &err);
    elf_expand(info.rpath, strlen(info.rpath), &tokens, out, sizeof(out));
    elf_expand(info.runpath, strlen(info.runpath), &tokens, out, sizeof(out));
    if (size >= ELF_HEAD_SIZE && info.verdict == ELF_PROGRAM && !elf_is_native(data))
        abort(); /* the plain comparison and the reader must not differ */
    return 0;
}
