/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader of ELF files and that of ld.so.cache, on files made here: a good one, and then the
 * same one broken in each way that matters, cut off at each byte, and with each byte changed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flush_page.h"
#include "image/elf_file.h"
#include "image/ldcache.h"

#define BASE    UINT64_C(0x400000)
#define STRINGS "\0libone.so.1\0libtwo.so\0$ORIGIN/../lib:/opt/lib\0me.so\0"
#define ONE     1
#define TWO     13
#define RPATH   23
#define SONAME  47

struct image { /* of a small program: header, segments, loader, dynamic section, strings */
    Elf64_Ehdr head;
    Elf64_Phdr segments[3];
    char interp[16];
    Elf64_Dyn dynamic[8];
    char strings[sizeof(STRINGS)];
};

static struct image image;
static struct elf_info info;

static void make_image(void)
{
    image = (struct image){
        .head = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                 .e_type = ET_DYN,
                 .e_machine = EM_X86_64,
                 .e_version = EV_CURRENT,
                 .e_phoff = offsetof(struct image, segments),
                 .e_ehsize = sizeof(Elf64_Ehdr),
                 .e_phentsize = sizeof(Elf64_Phdr),
                 .e_phnum = 3},
        .segments = {{.p_type = PT_LOAD,
                      .p_vaddr = BASE,
                      .p_filesz = sizeof(struct image),
                      .p_memsz = sizeof(struct image)},
                     {.p_type = PT_INTERP,
                      .p_offset = offsetof(struct image, interp),
                      .p_filesz = 11},
                     {.p_type = PT_DYNAMIC,
                      .p_offset = offsetof(struct image, dynamic),
                      .p_filesz = sizeof(image.dynamic)}},
        .interp = "/lib/ld.so",
        .dynamic = {{DT_NEEDED, {ONE}},
                    {DT_NEEDED, {TWO}},
                    {DT_RUNPATH, {RPATH}},
                    {DT_SONAME, {SONAME}},
                    {DT_STRTAB, {BASE + offsetof(struct image, strings)}},
                    {DT_STRSZ, {sizeof(STRINGS)}},
                    {DT_FLAGS_1, {DF_1_PIE}},
                    {DT_NULL, {0}}},
    };
    memcpy(image.strings, STRINGS, sizeof(STRINGS));
}

struct memory {
    const char *data;
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

static uint32_t parse_bytes(const void *data, size_t size)
{
    struct memory memory = {flush_copy(data, size), size};
    struct elf_input input = {.read = read_memory, .arg = &memory, .size = size};
    elf_parse(&input, &info);
    assert_true(elf_info_valid(&info));
    return info.verdict;
}

static uint32_t parse_image(void)
{
    return parse_bytes(&image, sizeof(image));
}

static void a_program_is_read(void **state)
{
    make_image();
    assert_int_equal(parse_image(), ELF_PROGRAM);
    assert_string_equal(info.interp, "/lib/ld.so");
    assert_int_equal(info.needed.count, 2);
    assert_memory_equal(info.needed.data, "libone.so.1\0libtwo.so", 22);
    assert_string_equal(info.runpath, "$ORIGIN/../lib:/opt/lib");
    assert_int_equal(info.has_runpath, 1);
    assert_int_equal(info.has_rpath, 0);
    assert_string_equal(info.soname, "me.so");
    assert_int_equal(info.is_pie, 1);
    assert_int_equal(info.has_interp, 1);
    struct err err;
    assert_int_equal(elf_refuse(&info, "x", &err), 0);
    image.dynamic[2].d_tag = DT_RPATH;
    image.dynamic[6].d_un.d_val = DF_1_NODEFLIB;
    assert_int_equal(parse_image(), ELF_PROGRAM);
    assert_string_equal(info.rpath, "$ORIGIN/../lib:/opt/lib");
    assert_int_equal(info.has_runpath, 0);
    assert_int_equal(info.no_default_dirs, 1);
}

static void a_static_program_needs_nothing(void **state)
{
    make_image();
    image.segments[1].p_type = PT_NULL;
    image.segments[2].p_type = PT_NULL;
    assert_int_equal(parse_image(), ELF_PROGRAM);
    assert_int_equal(info.has_interp, 0);
    assert_int_equal(info.needed.count, 0);
    struct err err;
    assert_int_equal(elf_refuse(&info, "x", &err), 0);
}

static void what_is_no_program_of_this_machine_is_told(void **state)
{
    struct err err;
    assert_int_equal(parse_bytes("#!/bin/sh\n", 10), ELF_SCRIPT);
    assert_int_equal(elf_refuse(&info, "run.sh", &err), -ENOEXEC);
    assert_non_null(strstr(err.text, "--host-usr"));
    assert_int_equal(parse_bytes("\x7f"
                                 "EL",
                                 3),
                     ELF_FOREIGN);
    assert_int_equal(parse_bytes("", 0), ELF_FOREIGN);
    assert_int_equal(parse_bytes("MZ", 2), ELF_FOREIGN);
    make_image();
    image.head.e_machine = EM_AARCH64;
    assert_int_equal(parse_image(), ELF_WRONG_MACHINE);
    assert_int_equal(elf_refuse(&info, "x", &err), -ENOEXEC);
    assert_non_null(strstr(err.text, "arm64"));
    make_image();
    image.head.e_ident[EI_CLASS] = ELFCLASS32;
    assert_int_equal(parse_image(), ELF_WRONG_CLASS);
    make_image();
    image.head.e_ident[EI_DATA] = ELFDATA2MSB;
    assert_int_equal(parse_image(), ELF_WRONG_CLASS);
    make_image();
    image.head.e_type = ET_REL;
    assert_int_equal(parse_image(), ELF_NOT_PROGRAM);
    make_image();
    image.segments[1].p_type = PT_NULL;
    image.dynamic[6].d_un.d_val = 0;
    assert_int_equal(parse_image(), ELF_PROGRAM);
    assert_int_equal(elf_refuse(&info, "x", &err), -ENOEXEC);
    assert_non_null(strstr(err.text, "shared library"));
}

static void native_is_a_matter_of_the_first_bytes(void **state)
{
    unsigned char head[ELF_HEAD_SIZE];
    make_image();
    memcpy(head, &image, sizeof(head));
    assert_true(elf_is_native(head));
    for (size_t i = 0; i < sizeof(head); i++) {
        head[i] ^= 1;
        assert_int_equal(elf_is_native(head), i >= 7 && i < 18);
        head[i] ^= 1;
    }
}

/* Each line breaks one thing; the reader must see it and go no further. */
static void damage_is_seen(void **state)
{
#define BROKEN(change)                                                                             \
    do {                                                                                           \
        make_image();                                                                              \
        change;                                                                                    \
        if (parse_image() != ELF_DAMAGED)                                                          \
            fail_msg("not seen: %s", #change);                                                     \
        assert_true(info.why[0] != '\0');                                                          \
    } while (0)
    BROKEN(image.head.e_ident[EI_VERSION] = 0);
    BROKEN(image.head.e_phoff = sizeof(image));
    BROKEN(image.head.e_phoff = UINT64_MAX - 8);
    BROKEN(image.head.e_phnum = 0);
    BROKEN(image.head.e_phnum = 0xffff);
    BROKEN(image.head.e_phentsize = 32);
    BROKEN(image.segments[1].p_offset = sizeof(image) - 4);
    BROKEN(image.segments[1].p_offset = UINT64_MAX);
    BROKEN(image.segments[1].p_filesz = 0);
    BROKEN(image.segments[1].p_filesz = 1 << 20);
    BROKEN(image.segments[1].p_filesz = 10); /* without its NUL */
    BROKEN(image.interp[0] = 'l');
    BROKEN((memset(image.interp, '/', sizeof(image) - offsetof(struct image, interp)),
            image.segments[1].p_filesz = sizeof(image) - offsetof(struct image, interp)));
    BROKEN(image.segments[2].p_offset = sizeof(image));
    BROKEN(image.segments[2].p_filesz = UINT64_MAX);
    BROKEN(image.dynamic[0].d_un.d_val = sizeof(STRINGS));
    BROKEN(image.dynamic[0].d_un.d_val = UINT64_MAX);
    BROKEN(image.dynamic[0].d_un.d_val = 0); /* a library without a name */
    BROKEN(image.dynamic[4].d_un.d_val = 0);
    BROKEN(image.dynamic[4].d_un.d_val = UINT64_MAX - 4);
    BROKEN(image.dynamic[4].d_un.d_val = BASE + sizeof(image) - 4);
    BROKEN(image.dynamic[5].d_un.d_val = UINT64_MAX);
    BROKEN(image.dynamic[5].d_un.d_val = 5); /* the table ends within a name */
    BROKEN(image.dynamic[5].d_tag = DT_DEBUG);
    BROKEN(image.segments[0].p_filesz = 8); /* the strings are not in the file */
    BROKEN(image.segments[0].p_offset = UINT64_MAX - 100);
    BROKEN(memset(image.strings + SONAME, 'x', sizeof(image.strings) - SONAME));
#undef BROKEN
}

static void too_many_libraries_are_refused(void **state)
{
    static struct {
        Elf64_Ehdr head;
        Elf64_Phdr segments[2];
        Elf64_Dyn dynamic[4000];
        char strings[64];
    } many;
    many.head = (Elf64_Ehdr){.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                             .e_type = ET_DYN,
                             .e_machine = EM_X86_64,
                             .e_phoff = sizeof(Elf64_Ehdr),
                             .e_phentsize = sizeof(Elf64_Phdr),
                             .e_phnum = 2};
    many.segments[0] = (Elf64_Phdr){.p_type = PT_LOAD, .p_filesz = sizeof(many)};
    many.segments[1] = (Elf64_Phdr){.p_type = PT_DYNAMIC,
                                    .p_offset = (uint64_t)((char *)many.dynamic - (char *)&many),
                                    .p_filesz = sizeof(many.dynamic)};
    memset(many.strings + 1, 'n', 40);
    for (size_t i = 2; i < 4000; i++)
        many.dynamic[i] = (Elf64_Dyn){DT_NEEDED, {1}};
    many.dynamic[0] = (Elf64_Dyn){DT_STRTAB, {(uint64_t)((char *)many.strings - (char *)&many)}};
    many.dynamic[1] = (Elf64_Dyn){DT_STRSZ, {sizeof(many.strings)}};
    assert_int_equal(parse_bytes(&many, sizeof(many)), ELF_DAMAGED);
    assert_true(info.needed.bytes <= sizeof(info.needed.data));
}

static void no_cut_and_no_flip_breaks_the_reader(void **state)
{
    make_image();
    for (size_t size = 0; size < sizeof(image); size++)
        assert_int_not_equal(parse_bytes(&image, size), 0);
    for (size_t at = 0; at < sizeof(image); at++) {
        static const unsigned char flips[] = {0x01, 0x80, 0xff};
        for (size_t i = 0; i < sizeof(flips); i++) {
            ((unsigned char *)&image)[at] ^= flips[i];
            assert_int_not_equal(parse_image(), 0);
            ((unsigned char *)&image)[at] ^= flips[i];
        }
    }
}

static void this_very_program_is_read(void **state)
{
    FILE *file = fopen("/proc/self/exe", "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    char *data = malloc((size_t)size);
    rewind(file);
    assert_int_equal(fread(data, 1, (size_t)size, file), size);
    fclose(file);
    struct memory memory = {data, (size_t)size};
    struct elf_input input = {.read = read_memory, .arg = &memory, .size = (uint64_t)size};
    elf_parse(&input, &info);
    free(data);
    assert_int_equal(info.verdict, ELF_PROGRAM);
    assert_non_null(strstr(info.interp, "/ld-"));
    assert_true(info.needed.count >= 1);
}

static void tokens_are_replaced(void **state)
{
    struct elf_tokens tokens = {"/here", "lib64", "x86_64"};
    static const struct {
        const char *text, *out;
    } rows[] = {
        {"$ORIGIN/../lib", "/here/../lib"},
        {"${ORIGIN}x/$LIB/${PLATFORM}", "/herex/lib64/x86_64"},
        {"/plain", "/plain"},
        {"$OTHER/${ORIGIN", "$OTHER/${ORIGIN"},
        {"$", "$"},
        {"", ""},
    };
    char out[64];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t size = strlen(rows[i].text);
        const char *text = flush_copy(rows[i].text, size); /* no NUL behind it */
        assert_int_equal(elf_expand(text, size, &tokens, out, sizeof(out)), 0);
        assert_string_equal(out, rows[i].out);
    }
    assert_int_equal(elf_expand("$ORIGIN", 7, &tokens, out, 5), -ENAMETOOLONG);
    assert_int_equal(elf_expand("$ORIGIN", 7, &tokens, out, 6), 0);
}

static int count_entry(void *arg, const struct ldcache_entry *entry)
{
    size_t *count = arg;
    *count += strlen(entry->name) > 0 && entry->path[0] == '/';
    return 0;
}

static int find_entry(void *arg, const struct ldcache_entry *entry)
{
    const struct ldcache_entry *wanted = arg;
    return strcmp(entry->name, wanted->name) == 0 && strcmp(entry->path, wanted->path) == 0;
}

static void a_cache_is_made_and_read(void **state)
{
    struct ldcache_entry entries[] = {{"libb.so.10", "/lib/libb.so.10"},
                                      {"liba.so", "/opt/liba.so"},
                                      {"libb.so.9", "/lib/libb.so.9"},
                                      {"libb-x.so", "/lib/libb-x.so"}};
    void *data;
    size_t size;
    size_t count = 0;
    assert_int_equal(ldcache_make(entries, 4, &data, &size), 0);
    assert_int_equal(ldcache_each(flush_copy(data, size), size, count_entry, &count), 0);
    assert_int_equal(count, 4);
    struct ldcache_entry wanted = {"liba.so", "/opt/liba.so"};
    assert_int_equal(ldcache_each(data, size, find_entry, &wanted), 1);
    /* falling, numbers as numbers: what ld.so's binary search relies on */
    assert_string_equal(entries[0].name, "libb.so.10");
    assert_string_equal(entries[1].name, "libb.so.9");
    assert_string_equal(entries[2].name, "libb-x.so");
    assert_string_equal(entries[3].name, "liba.so");
    for (size_t cut = 0; cut < size; cut++)
        assert_int_equal(ldcache_each(flush_copy(data, cut), cut, count_entry, &count), -EINVAL);
    for (size_t at = 0; at < size; at++) {
        ((unsigned char *)data)[at] ^= 0xff;
        ldcache_each(flush_copy(data, size), size, count_entry, &count);
        ((unsigned char *)data)[at] ^= 0xff;
    }
    /* behind a cache of the old format */
    char *both = calloc(1, size + 32);
    memcpy(both, "ld.so-1.7.0\0\1\0\0\0", 16);
    memcpy(both + 32, data, size);
    count = 0;
    assert_int_equal(ldcache_each(flush_copy(both, size + 32), size + 32, count_entry, &count), 0);
    assert_int_equal(count, 4);
    memset(both + 12, 0xff, 4);
    assert_int_equal(ldcache_each(flush_copy(both, size + 32), size + 32, count_entry, &count),
                     -EINVAL);
    free(both);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_is_read),
        cmocka_unit_test(a_static_program_needs_nothing),
        cmocka_unit_test(what_is_no_program_of_this_machine_is_told),
        cmocka_unit_test(native_is_a_matter_of_the_first_bytes),
        cmocka_unit_test(damage_is_seen),
        cmocka_unit_test(too_many_libraries_are_refused),
        cmocka_unit_test(no_cut_and_no_flip_breaks_the_reader),
        cmocka_unit_test(this_very_program_is_read),
        cmocka_unit_test(tokens_are_replaced),
        cmocka_unit_test(a_cache_is_made_and_read),
    };
    return cmocka_run_group_tests_name("elf", tests, NULL, NULL);
}
