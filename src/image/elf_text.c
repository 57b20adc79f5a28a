/* SPDX-License-Identifier: Apache-2.0 */
/* What is said and done about an ELF file once it was read: sentences, checks, names of
 * directories. */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "image/elf_file.h"

static bool text_ends(const char *text, size_t room)
{
    return memchr(text, '\0', room) != NULL;
}

bool elf_info_valid(const struct elf_info *info)
{
    return info->verdict >= ELF_PROGRAM && info->verdict <= ELF_DAMAGED &&
           text_ends(info->why, sizeof(info->why)) &&
           text_ends(info->interp, sizeof(info->interp)) &&
           text_ends(info->soname, sizeof(info->soname)) &&
           text_ends(info->rpath, sizeof(info->rpath)) &&
           text_ends(info->runpath, sizeof(info->runpath)) && STRBLOCK_VALID(&info->needed);
}

static const char *machine_name(uint16_t machine)
{
    switch (machine) {
    case EM_386:
        return "i386";
    case EM_ARM:
        return "arm";
    case EM_AARCH64:
        return "arm64";
    case EM_RISCV:
        return "riscv";
    case EM_PPC64:
        return "ppc64";
    case EM_S390:
        return "s390x";
    case EM_MIPS:
        return "mips";
    case EM_BPF:
        return "bpf";
    default:
        return "another processor";
    }
}

int elf_refuse(const struct elf_info *info, const char *path, struct err *err)
{
    switch ((enum elf_verdict)info->verdict) {
    case ELF_PROGRAM:
        if (info->is_shared && !info->has_interp && !info->is_pie && info->needed.count > 0)
            return err_set(err, ENOEXEC, "%.200s is a shared library, not a program", path);
        return 0;
    case ELF_SCRIPT:
        return err_set(err, ENOEXEC,
                       "%.200s is a script, its interpreter would be missing: give an image that "
                       "has one or, in the jail tier, --host-usr to run it with this machine's",
                       path);
    case ELF_FOREIGN:
        return err_set(err, ENOEXEC,
                       "%.200s is not an ELF program: give a compiled Linux program or, for a "
                       "script, an image with its interpreter or --host-usr in the jail tier",
                       path);
    case ELF_WRONG_CLASS:
        return err_set(err, ENOEXEC,
                       "%.200s is a 32-bit or big-endian program: only 64-bit x86-64 programs run "
                       "here; compile it for x86-64",
                       path);
    case ELF_WRONG_MACHINE:
        return err_set(err, ENOEXEC,
                       "%.200s is a program for %s, this machine is x86-64: compile it for x86-64",
                       path, machine_name(info->machine));
    case ELF_NOT_PROGRAM:
        return err_set(err, ENOEXEC,
                       "%.200s is an object file or a core dump, not a program: link it first",
                       path);
    case ELF_DAMAGED:
        break;
    }
    return err_set(err, ENOEXEC, "%.200s is a damaged ELF file: %.100s", path, info->why);
}

/* The value of the token at text ("$NAME" or "${NAME}"), and its length; NULL when it is none. */
static const char *token_at(const char *text, size_t size, const struct elf_tokens *tokens,
                            size_t *out_length)
{
    const struct {
        const char *name;
        const char *value;
    } known[] = {{"ORIGIN", tokens->origin}, {"LIB", tokens->lib}, {"PLATFORM", tokens->platform}};
    size_t brace = size > 1 && text[1] == '{';
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        size_t length = strlen(known[i].name);
        if (size < 1 + brace + length + brace ||
            memcmp(text + 1 + brace, known[i].name, length) != 0)
            continue;
        if (brace && text[2 + length] != '}')
            continue;
        *out_length = 1 + brace + length + brace;
        return known[i].value;
    }
    return NULL;
}

int elf_expand(const char *text, size_t size, const struct elf_tokens *tokens, char *out,
               size_t room)
{
    size_t used = 0;
    while (size > 0) {
        size_t length = 1;
        const char *value = text[0] == '$' ? token_at(text, size, tokens, &length) : NULL;
        const char *from = value == NULL ? text : value;
        size_t add = value == NULL ? 1 : strlen(value);
        if (add >= room - used)
            return -ENAMETOOLONG;
        memcpy(out + used, from, add);
        used += add;
        text += length;
        size -= length;
    }
    if (room == 0)
        return -ENAMETOOLONG;
    out[used] = '\0';
    return 0;
}
