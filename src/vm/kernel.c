/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the ELF file that kernel_blob.S embeds. It is ours: a fault in it is an error of the build.
 */
#include "vm/kernel.h"

#include <elf.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

extern const uint8_t kernel_blob[], kernel_blob_end[];

static const Elf64_Ehdr *header(void)
{
    return (const Elf64_Ehdr *)(const void *)kernel_blob;
}

static size_t blob_bytes(void)
{
    return (size_t)((uintptr_t)kernel_blob_end - (uintptr_t)kernel_blob);
}

static int add_part(const Elf64_Phdr *segment, struct kernel *out, struct err *err)
{
    if (out->part_count == KERNEL_PARTS_MAX || segment->p_paddr % VM_PAGE != 0 ||
        segment->p_vaddr != VM_KERNEL_VA + segment->p_paddr || segment->p_offset > blob_bytes() ||
        segment->p_filesz > blob_bytes() - segment->p_offset)
        return err_set(err, ENOEXEC, "the guest kernel does not fit: build it again");
    uint64_t bytes = (segment->p_memsz + VM_PAGE - 1) / VM_PAGE * VM_PAGE;
    out->parts[out->part_count++] = (struct kernel_part){.va = segment->p_vaddr,
                                                         .gpa = segment->p_paddr,
                                                         .bytes = bytes,
                                                         .content = kernel_blob + segment->p_offset,
                                                         .content_bytes = segment->p_filesz,
                                                         .flags = segment->p_flags};
    if (segment->p_paddr == VM_KERNEL_GPA && segment->p_filesz >= sizeof(out->entry))
        memcpy(&out->entry, kernel_blob + segment->p_offset, sizeof(out->entry));
    if (segment->p_paddr + bytes > out->end_gpa)
        out->end_gpa = segment->p_paddr + bytes;
    return 0;
}

int kernel_describe(struct kernel *out, struct err *err)
{
    const Elf64_Ehdr *elf = header();
    const Elf64_Phdr *segments = (const void *)(kernel_blob + elf->e_phoff);
    *out = (struct kernel){0};
    for (unsigned int i = 0; i < elf->e_phnum; i++) {
        if (segments[i].p_type != PT_LOAD || segments[i].p_memsz == 0)
            continue;
        int result = add_part(&segments[i], out, err);
        if (result < 0)
            return result;
    }
    if (out->entry.magic != VM_ABI_MAGIC || out->entry.version != VM_ABI_VERSION)
        return err_set(err, ENOEXEC, "the guest kernel is not one of this monitor: build it again");
    return 0;
}

int kernel_load(struct guest_memory *memory, struct kernel *out, struct err *err)
{
    int result = kernel_describe(out, err);
    for (unsigned int i = 0; result == 0 && i < out->part_count; i++) {
        const struct kernel_part *part = &out->parts[i];
        if (guest_write(memory, GPA(part->gpa), part->content, part->content_bytes) < 0)
            result = err_set(err, ENOEXEC, "the guest kernel does not fit: build it again");
    }
    return result;
}

uint64_t kernel_id(void)
{
    uint64_t id = UINT64_C(0xcbf29ce484222325), word; /* FNV-1a, a word at a time */
    for (size_t at = 0; at + sizeof(word) <= blob_bytes(); at += sizeof(word)) {
        memcpy(&word, kernel_blob + at, sizeof(word));
        id = (id ^ word) * UINT64_C(0x100000001b3);
        id ^= id >> 29;
    }
    return id ^ blob_bytes();
}

static const Elf64_Shdr *section(uint32_t type)
{
    const Elf64_Shdr *sections = (const void *)(kernel_blob + header()->e_shoff);
    for (unsigned int i = 0; i < header()->e_shnum; i++) {
        if (sections[i].sh_type == type)
            return &sections[i];
    }
    return NULL;
}

const char *kernel_symbol(uint64_t va, uint64_t *out_offset)
{
    const Elf64_Shdr *table = section(SHT_SYMTAB);
    if (table == NULL)
        return NULL;
    const Elf64_Shdr *sections = (const void *)(kernel_blob + header()->e_shoff);
    const char *names = (const char *)kernel_blob + sections[table->sh_link].sh_offset;
    const Elf64_Sym *symbols = (const void *)(kernel_blob + table->sh_offset);
    const Elf64_Sym *best = NULL;
    for (size_t i = 0; i < table->sh_size / sizeof(*symbols); i++) {
        const Elf64_Sym *symbol = &symbols[i];
        unsigned int kind = ELF64_ST_TYPE(symbol->st_info);
        if ((kind != STT_FUNC && kind != STT_NOTYPE) || symbol->st_shndx != 1 ||
            symbol->st_value > va)
            continue;
        if (best == NULL || symbol->st_value > best->st_value)
            best = symbol;
    }
    if (best == NULL || va - best->st_value > 0x10000)
        return NULL;
    *out_offset = va - best->st_value;
    return names + best->st_name;
}
