/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reader of ELF-64 files (System V ABI, chapters 4 and 5). Structs are copied out of the file
 * before they are looked at. Addresses become offsets only through a PT_LOAD segment that holds
 * them in the file.
 */
#include "image/elf_file.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NATIVE_MACHINE EM_X86_64
#define SEGMENTS_MAX   512
#define DYNAMIC_MAX    4096 /* entries */
#define STRING_STEP    256

struct reader {
    const struct elf_input *input;
    struct elf_info *info;
    Elf64_Ehdr head;
    Elf64_Phdr segments[SEGMENTS_MAX];
    uint64_t strtab; /* address and size of the string table */
    uint64_t strtab_size;
};

static int damaged(struct reader *reader, const char *why)
{
    reader->info->verdict = ELF_DAMAGED;
    snprintf(reader->info->why, sizeof(reader->info->why), "%s", why);
    return -EBADMSG;
}

/* Copies exactly size bytes from offset at. */
static int copy_at(struct reader *reader, void *data, size_t size, uint64_t at)
{
    char *to = data;
    if (size > reader->input->size || at > reader->input->size - size)
        return damaged(reader, "something lies behind its end");
    while (size > 0) {
        ssize_t count = reader->input->read(reader->input->arg, to, size, at);
        if (count <= 0)
            return damaged(reader, "it cannot be read");
        to += count;
        at += (uint64_t)count;
        size -= (size_t)count;
    }
    return 0;
}

bool elf_is_native(const unsigned char head[ELF_HEAD_SIZE])
{
    static const unsigned char magic[] = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT};
    return memcmp(head, magic, sizeof(magic)) == 0 && head[18] == NATIVE_MACHINE && head[19] == 0;
}

/* 0 when there is more to read; -EBADMSG when the verdict stands. */
static int judge_head(struct reader *reader)
{
    struct elf_info *info = reader->info;
    unsigned char ident[EI_NIDENT] = {0};
    uint64_t size = reader->input->size;
    int result = copy_at(reader, ident, size < sizeof(ident) ? (size_t)size : sizeof(ident), 0);
    if (result < 0)
        return result;
    if (ident[0] == '#' && ident[1] == '!')
        info->verdict = ELF_SCRIPT;
    else if (memcmp(ident, ELFMAG, SELFMAG) != 0)
        info->verdict = ELF_FOREIGN;
    else if (ident[EI_CLASS] != ELFCLASS64 || ident[EI_DATA] != ELFDATA2LSB)
        info->verdict = ELF_WRONG_CLASS;
    else if (ident[EI_VERSION] != EV_CURRENT)
        result = damaged(reader, "its version is none that exists");
    else
        result = copy_at(reader, &reader->head, sizeof(reader->head), 0);
    if (result < 0 || info->verdict != 0)
        return -EBADMSG;
    info->machine = reader->head.e_machine;
    info->is_shared = reader->head.e_type == ET_DYN;
    if (reader->head.e_machine != NATIVE_MACHINE)
        info->verdict = ELF_WRONG_MACHINE;
    else if (reader->head.e_type != ET_EXEC && reader->head.e_type != ET_DYN)
        info->verdict = ELF_NOT_PROGRAM;
    return info->verdict != 0 ? -EBADMSG : 0;
}

static int read_segments(struct reader *reader)
{
    const Elf64_Ehdr *head = &reader->head;
    if (head->e_phnum == 0 || head->e_phnum > SEGMENTS_MAX)
        return damaged(reader, "it has no segments, or too many");
    if (head->e_phentsize != sizeof(Elf64_Phdr))
        return damaged(reader, "its segments have a strange size");
    return copy_at(reader, reader->segments, head->e_phnum * sizeof(Elf64_Phdr), head->e_phoff);
}

static const Elf64_Phdr *find_segment(const struct reader *reader, uint32_t type)
{
    for (size_t i = 0; i < reader->head.e_phnum; i++) {
        if (reader->segments[i].p_type == type)
            return &reader->segments[i];
    }
    return NULL;
}

static int read_interp(struct reader *reader)
{
    struct elf_info *info = reader->info;
    const Elf64_Phdr *segment = find_segment(reader, PT_INTERP);
    if (segment == NULL)
        return 0;
    if (segment->p_filesz < 2 || segment->p_filesz > sizeof(info->interp))
        return damaged(reader, "the name of its loader has a strange size");
    int result = copy_at(reader, info->interp, (size_t)segment->p_filesz, segment->p_offset);
    if (result < 0)
        return result;
    if (memchr(info->interp, '\0', (size_t)segment->p_filesz) == NULL || info->interp[0] != '/')
        return damaged(reader, "the name of its loader is no absolute path");
    info->has_interp = 1;
    return 0;
}

/* The offset in the file of size bytes at an address; they must lie in the file part of a segment.
 */
static int offset_of(struct reader *reader, uint64_t address, uint64_t size, uint64_t *out)
{
    for (size_t i = 0; i < reader->head.e_phnum; i++) {
        const Elf64_Phdr *segment = &reader->segments[i];
        if (segment->p_type != PT_LOAD || address < segment->p_vaddr)
            continue;
        uint64_t at = address - segment->p_vaddr;
        if (size > segment->p_filesz || at > segment->p_filesz - size)
            continue;
        if (segment->p_offset > UINT64_MAX - at)
            continue;
        *out = segment->p_offset + at;
        return 0;
    }
    return damaged(reader, "an address in it is in none of its segments");
}

/* Copies the string at index of the string table, with its NUL. */
static int copy_string(struct reader *reader, uint64_t index, char *out, size_t room)
{
    uint64_t offset;
    out[0] = '\0';
    if (index >= reader->strtab_size)
        return damaged(reader, "a name lies behind its string table");
    uint64_t left = reader->strtab_size - index;
    if (reader->strtab > UINT64_MAX - index)
        return damaged(reader, "its string table has a strange address");
    int result = offset_of(reader, reader->strtab + index, left, &offset);
    for (size_t length = 0; result == 0;) {
        size_t step = room - length < STRING_STEP ? room - length : STRING_STEP;
        if (step > left)
            step = (size_t)left;
        if (step == 0)
            return damaged(reader, "a name in it has no end, or is too long");
        result = copy_at(reader, out + length, step, offset + length);
        if (result == 0 && memchr(out + length, '\0', step) != NULL)
            return 0;
        length += step;
        left -= step;
    }
    return result;
}

static int add_needed(struct reader *reader, uint64_t index)
{
    char name[1024];
    struct elf_info *info = reader->info;
    int result = copy_string(reader, index, name, sizeof(name));
    if (result < 0)
        return result;
    if (name[0] == '\0')
        return damaged(reader, "it needs a library without a name");
    if (STRBLOCK_ADD(&info->needed, name) < 0)
        return damaged(reader, "it needs more libraries than can be");
    return 0;
}

static int take_entry(struct reader *reader, const Elf64_Dyn *entry)
{
    struct elf_info *info = reader->info;
    uint64_t value = entry->d_un.d_val;
    switch (entry->d_tag) {
    case DT_NEEDED:
        return add_needed(reader, value);
    case DT_SONAME:
        return copy_string(reader, value, info->soname, sizeof(info->soname));
    case DT_RPATH:
        info->has_rpath = 1;
        return copy_string(reader, value, info->rpath, sizeof(info->rpath));
    case DT_RUNPATH:
        info->has_runpath = 1;
        return copy_string(reader, value, info->runpath, sizeof(info->runpath));
    case DT_FLAGS_1:
        info->no_default_dirs = (value & DF_1_NODEFLIB) != 0;
        info->is_pie = (value & DF_1_PIE) != 0;
        return 0;
    default:
        return 0;
    }
}

/* Twice over the entries: the string table may be named after the strings. */
static int read_dynamic(struct reader *reader)
{
    const Elf64_Phdr *segment = find_segment(reader, PT_DYNAMIC);
    if (segment == NULL)
        return 0;
    if (segment->p_filesz / sizeof(Elf64_Dyn) > DYNAMIC_MAX)
        return damaged(reader, "its dynamic section is too long");
    size_t count = (size_t)(segment->p_filesz / sizeof(Elf64_Dyn));
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < count; i++) {
            Elf64_Dyn entry;
            int result =
                copy_at(reader, &entry, sizeof(entry), segment->p_offset + i * sizeof(Elf64_Dyn));
            if (result < 0)
                return result;
            if (entry.d_tag == DT_NULL)
                break;
            if (pass == 0 && entry.d_tag == DT_STRTAB)
                reader->strtab = entry.d_un.d_ptr;
            else if (pass == 0 && entry.d_tag == DT_STRSZ)
                reader->strtab_size = entry.d_un.d_val;
            else if (pass == 1 && (result = take_entry(reader, &entry)) < 0)
                return result;
        }
    }
    return 0;
}

/* What was read of a file that turned out to be damaged may be half a string: it goes. */
static void forget_but_why(struct elf_info *info)
{
    char why[sizeof(info->why)];
    memcpy(why, info->why, sizeof(why));
    memset(info, 0, sizeof(*info));
    memcpy(info->why, why, sizeof(why));
    info->verdict = ELF_DAMAGED;
}

void elf_parse(const struct elf_input *input, struct elf_info *out)
{
    struct reader reader = {.input = input, .info = out};
    memset(out, 0, sizeof(*out));
    int result = judge_head(&reader);
    if (result == 0)
        result = read_segments(&reader);
    if (result == 0)
        result = read_interp(&reader);
    if (result == 0)
        result = read_dynamic(&reader);
    if (result == 0)
        out->verdict = ELF_PROGRAM;
    else if (out->verdict == ELF_DAMAGED)
        forget_but_why(out);
}
