/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ELF files and scripts into memory, as fs/binfmt_elf.c and fs/binfmt_script.c of Linux do. The
 * file is the program's own, in its own sandbox: one that lies maps nonsense for itself, but never
 * over skerry-warm (MAP_FIXED_NOREPLACE).
 */
#include "warm/load.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "jail/raw.h"
#include "warm/layout.h"
#include "warm/plain.h"
#include "warm/self.h"

#define HEADERS_MAX 128
#define SCRIPT_LINE 256
#define PIE_BASE    UINT64_C(0x555555554000) /* and 28 bits of pages, as the kernel has it */
#define PIE_RANDOM  UINT64_C(0x0fffffff)
#define PLACE_TRIES 64

struct object {
    long fd;
    Elf64_Ehdr header;
    Elf64_Phdr programs[HEADERS_MAX];
    uint64_t low, bytes, align, bias;
    char interpreter[1024];
};

void random_fill(void *out, uint64_t size)
{
    if (raw3(SYS_getrandom, out, size, 0) != (long)size)
        refuse("there are no random numbers", NULL);
}

static int is_error(long result)
{
    return result < 0 && result > -4096;
}

static void read_at(long fd, void *out, uint64_t bytes, uint64_t at, const char *path)
{
    if (raw4(SYS_pread64, fd, out, bytes, at) != (long)bytes)
        refuse("it is no whole ELF file: ", path);
}

static void read_object(struct object *object, const char *path)
{
    Elf64_Ehdr *header = &object->header;
    read_at(object->fd, header, sizeof(*header), 0, path);
    if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64 ||
        header->e_machine != EM_X86_64 || (header->e_type != ET_EXEC && header->e_type != ET_DYN) ||
        header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum == 0 ||
        header->e_phnum > HEADERS_MAX)
        refuse("it is no ELF program for x86-64: ", path);
    read_at(object->fd, object->programs, header->e_phnum * sizeof(Elf64_Phdr), header->e_phoff,
            path);
    uint64_t low = UINT64_MAX, high = 0;
    object->align = PAGE;
    for (int i = 0; i < header->e_phnum; i++) {
        const Elf64_Phdr *at = &object->programs[i];
        if (at->p_type == PT_INTERP) {
            if (at->p_filesz == 0 || at->p_filesz > sizeof(object->interpreter))
                refuse("its interpreter has no name: ", path);
            read_at(object->fd, object->interpreter, at->p_filesz, at->p_offset, path);
            object->interpreter[at->p_filesz - 1] = 0;
        }
        if (at->p_type == PT_GNU_STACK && (at->p_flags & PF_X))
            refuse("it wants an executable stack", NULL);
        if (at->p_type != PT_LOAD)
            continue;
        if (at->p_filesz > at->p_memsz || at->p_vaddr > ADDRESS_END ||
            at->p_memsz > ADDRESS_END - at->p_vaddr || ((at->p_vaddr ^ at->p_offset) & (PAGE - 1)))
            refuse("it has a segment that cannot be: ", path);
        low = page_down(at->p_vaddr) < low ? page_down(at->p_vaddr) : low;
        high =
            page_up(at->p_vaddr + at->p_memsz) > high ? page_up(at->p_vaddr + at->p_memsz) : high;
        if (at->p_align > object->align && (at->p_align & (at->p_align - 1)) == 0 &&
            at->p_align <= (UINT64_C(1) << 30))
            object->align = at->p_align;
    }
    if (low >= high)
        refuse("it has nothing to load: ", path);
    object->low = low;
    object->bytes = high - low;
}

/* Address space for the whole object, without access. */
static long reserve(uint64_t at, uint64_t bytes)
{
    long flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (at ? MAP_FIXED_NOREPLACE : 0);
    return raw6(SYS_mmap, (long)at, (long)bytes, PROT_NONE, flags, -1, 0);
}

/* A program lies where it says, or anywhere in the kernel's own range for it; an interpreter where
 * the kernel puts it. */
static void place(struct object *object, int is_program, const char *path)
{
    long at = -ENOMEM;
    if (object->header.e_type == ET_EXEC) {
        at = reserve(object->low, object->bytes);
    } else if (is_program) {
        for (int i = 0; i < PLACE_TRIES && is_error(at); i++) {
            uint64_t random = 0;
            random_fill(&random, sizeof(random));
            uint64_t wish = PIE_BASE + (random & PIE_RANDOM) * PAGE;
            at = reserve(wish & ~(object->align - 1), object->bytes);
        }
    } else {
        at = reserve(0, object->bytes + object->align);
        if (!is_error(at)) {
            uint64_t from = (uint64_t)at;
            uint64_t to = (from + object->align - 1) & ~(object->align - 1);
            if (to > from)
                raw2(SYS_munmap, from, to - from);
            raw2(SYS_munmap, to + object->bytes, from + object->align - to);
            at = (long)to;
        }
    }
    if (is_error(at))
        refuse("there is no place in memory for ", path);
    object->bias = (uint64_t)at - object->low;
}

static void map_segment(const struct object *object, const Elf64_Phdr *at, const char *path)
{
    long prot = (at->p_flags & PF_R ? PROT_READ : 0) | (at->p_flags & PF_W ? PROT_WRITE : 0) |
                (at->p_flags & PF_X ? PROT_EXEC : 0);
    uint64_t start = object->bias + at->p_vaddr, from = page_down(start);
    uint64_t file_end = start + at->p_filesz, end = page_up(start + at->p_memsz);
    long result = 0;
    if (at->p_filesz > 0)
        result = raw6(SYS_mmap, (long)from, (long)(file_end - from), prot, MAP_PRIVATE | MAP_FIXED,
                      object->fd, (long)page_down(at->p_offset));
    else
        file_end = from;
    if (!is_error(result) && end > page_up(file_end))
        result = raw6(SYS_mmap, (long)page_up(file_end), (long)(end - page_up(file_end)), prot,
                      MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0);
    if (is_error(result))
        refuse("a segment cannot be mapped of ", path);
    if (at->p_memsz > at->p_filesz && file_end % PAGE && (prot & PROT_WRITE))
        memset((char *)file_end, 0, page_up(file_end) - file_end);
}

/* What no segment covers is given back. */
static void drop_gaps(const struct object *object)
{
    uint64_t at = object->low;
    for (;;) {
        uint64_t next = object->low + object->bytes;
        uint64_t behind = next;
        for (int i = 0; i < object->header.e_phnum; i++) {
            const Elf64_Phdr *ph = &object->programs[i];
            uint64_t start = page_down(ph->p_vaddr), end = page_up(ph->p_vaddr + ph->p_memsz);
            if (ph->p_type == PT_LOAD && end > at && start < next) {
                next = start;
                behind = end;
            }
        }
        if (next > at)
            raw2(SYS_munmap, object->bias + at, next - at);
        if (behind >= object->low + object->bytes)
            return;
        at = behind;
    }
}

static void map_object(struct object *object, int is_program, const char *path, struct loaded *out)
{
    place(object, is_program, path);
    for (int i = 0; i < object->header.e_phnum; i++) {
        const Elf64_Phdr *at = &object->programs[i];
        if (at->p_type == PT_LOAD)
            map_segment(object, at, path);
        if (!is_program)
            continue;
        uint64_t start = object->bias + at->p_vaddr;
        if (at->p_type == PT_PHDR)
            out->headers = start;
        if (at->p_type != PT_LOAD)
            continue;
        if (out->headers == 0 && object->header.e_phoff >= at->p_offset &&
            object->header.e_phoff < at->p_offset + at->p_filesz)
            out->headers = start + object->header.e_phoff - at->p_offset;
        if (at->p_flags & PF_X) {
            out->start_code = out->start_code ? out->start_code : start;
            out->end_code = start + at->p_filesz;
        }
        out->start_data = start;
        out->end_data = start + at->p_filesz;
    }
    drop_gaps(object);
    raw1(SYS_close, object->fd);
}

static void open_object(struct object *object, const char *path)
{
    object->fd = raw4(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (object->fd < 0 || raw2(SYS_access, path, X_OK) < 0)
        refuse("it cannot be executed: ", path);
}

/* "#!interpreter [argument]": 1 when start is now that of its interpreter. */
static int follow_script(struct start *start, long fd, char line[SCRIPT_LINE])
{
    long got = raw4(SYS_pread64, fd, line, SCRIPT_LINE - 1, 0);
    if (got < 2 || line[0] != '#' || line[1] != '!')
        return 0;
    line[got] = 0;
    char *end = strchr(line, '\n');
    if (end == NULL)
        refuse("its first line is too long: ", start->path);
    while (end > line && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *end = 0;
    char *name = line + 2;
    while (*name == ' ' || *name == '\t')
        name++;
    char *option = name;
    while (*option && *option != ' ' && *option != '\t')
        option++;
    while (*option == ' ' || *option == '\t')
        *option++ = 0;
    uint32_t more = *option ? 2 : 1;
    if (*name == 0 || start->arg_count + more > ARGS_MAX)
        refuse("its first line names no interpreter: ", start->path);
    if (start->arg_count > 1)
        memmove(&start->args[more + 1], &start->args[1],
                (start->arg_count - 1) * sizeof(start->args[0]));
    start->args[more] = start->path;
    start->args[0] = name;
    if (*option)
        start->args[1] = option;
    start->arg_count = start->arg_count ? start->arg_count + more : more + 1;
    start->path = name;
    return 1;
}

void load_program(struct start *start, struct loaded *out)
{
    static struct object program, interpreter;
    static char lines[SCRIPTS_MAX][SCRIPT_LINE];
    open_object(&program, start->path);
    int depth = 0;
    while (depth < SCRIPTS_MAX && follow_script(start, program.fd, lines[depth])) {
        depth++;
        raw1(SYS_close, program.fd);
        open_object(&program, start->path);
    }
    if (depth == SCRIPTS_MAX)
        refuse("its interpreters are scripts", NULL);
    read_object(&program, start->path);
    map_object(&program, 1, start->path, out);
    out->program_entry = out->entry = program.bias + program.header.e_entry;
    out->header_count = program.header.e_phnum;
    out->end = program.bias + program.low + program.bytes;
    if (program.interpreter[0] == 0)
        return;
    open_object(&interpreter, program.interpreter);
    read_object(&interpreter, program.interpreter);
    map_object(&interpreter, 0, program.interpreter, out);
    out->base = interpreter.bias;
    out->entry = interpreter.bias + interpreter.header.e_entry;
}
