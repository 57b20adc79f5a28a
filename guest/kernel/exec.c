// SPDX-License-Identifier: Apache-2.0
/*
 * ELF files as the System V ABI and Linux load them: static, static-pie, and dynamic with an
 * interpreter, or scripts that name one in
 * "#!". The stack holds arguments, environment and the auxiliary vector. Above the stack lies the
 * vDSO, by which libc reads the clocks.
 */
#include "exec.h"

#include <asm/mman.h>
#include <linux/auxvec.h>
#include <linux/elf.h>

#include "../fs/open.h"
#include "../mm/heap.h"
#include "../mm/page.h"
#include "../mm/space.h"
#include "environ.h"
#include "process.h"
#include "random.h"
#include "thread.h"

#define HEADERS_MAX 64
#define STACK_FIRST (128UL << 10) /* filled at once */
#define STACK_BIG   (2UL << 20)
/* What every x86-64 has of CPUID 1, edx: the instruction itself would be an exit. */
#define HWCAP_X86_64 0x0780a931UL
#define SCRIPT_DEPTH 4
#define LINE_BYTES   256
#define ARGS_MAX     1024

struct object {
    Elf64_Ehdr header;
    Elf64_Phdr programs[HEADERS_MAX];
    uint64_t bias, entry, headers_at, end;
    char interpreter[256];
};

struct arguments {
    const char *at[ARGS_MAX];
    size_t count;
    char lines[SCRIPT_DEPTH][LINE_BYTES];
};

static long read_at(struct file *file, void *to, size_t len, uint64_t at)
{
    return file->ops->read ? file->ops->read(file, to, len, &at) : -EACCES;
}

static int read_headers(struct file *file, struct object *object)
{
    const Elf64_Ehdr *header = &object->header;
    if (read_at(file, &object->header, sizeof(object->header), 0) != sizeof(object->header))
        return -ENOEXEC;
    if (memcmp(header->e_ident, ELFMAG, SELFMAG) || header->e_ident[EI_CLASS] != ELFCLASS64 ||
        header->e_machine != EM_X86_64 || (header->e_type != ET_EXEC && header->e_type != ET_DYN) ||
        header->e_phentsize != sizeof(Elf64_Phdr) || !header->e_phnum ||
        header->e_phnum > HEADERS_MAX)
        return -ENOEXEC;
    size_t bytes = header->e_phnum * sizeof(Elf64_Phdr);
    if (read_at(file, object->programs, bytes, header->e_phoff) != (long)bytes)
        return -ENOEXEC;
    for (int i = 0; i < header->e_phnum; i++) {
        const Elf64_Phdr *ph = &object->programs[i];
        if (ph->p_type != PT_INTERP)
            continue;
        if (!ph->p_filesz || ph->p_filesz > sizeof(object->interpreter) ||
            read_at(file, object->interpreter, ph->p_filesz, ph->p_offset) != (long)ph->p_filesz ||
            object->interpreter[ph->p_filesz - 1])
            return -ENOEXEC;
    }
    return 0;
}

static uint32_t prot_of(uint32_t flags)
{
    return (flags & PF_R ? PROT_READ : 0U) | (flags & PF_W ? PROT_WRITE : 0U) |
           (flags & PF_X ? PROT_EXEC : 0U);
}

/* One segment: its pages of the file, then zeroes. What the last page of the file holds behind the
 * segment is cleared. */
static int map_segment(struct file *file, const Elf64_Phdr *ph, uint64_t bias)
{
    uint64_t start = page_down(bias + ph->p_vaddr), at = bias + ph->p_vaddr;
    uint64_t file_end = page_up(at + ph->p_filesz), end = page_up(at + ph->p_memsz);
    if (ph->p_filesz > ph->p_memsz || end < start || start < VM_PROGRAM_LO || end > SPACE_MMAP ||
        ((ph->p_offset ^ ph->p_vaddr) & PAGE_MASK))
        return -ENOEXEC;
    struct vma wish = {.start = start,
                       .end = file_end,
                       .prot = prot_of(ph->p_flags),
                       .file = file,
                       .offset = page_down(ph->p_offset)};
    int rc = ph->p_filesz ? space_map(&wish, true) : 0;
    if (rc == 0 && ph->p_memsz > ph->p_filesz && ph->p_filesz && ph->p_flags & PF_W) {
        uint64_t tail = at + ph->p_filesz;
        if (tail & PAGE_MASK)
            memset((void *)tail, 0, file_end - tail);
    }
    uint64_t zero = ph->p_filesz ? file_end : start;
    if (rc == 0 && end > zero) {
        struct vma bss = {.start = zero, .end = end, .prot = prot_of(ph->p_flags)};
        rc = space_map(&bss, end - zero <= (1UL << 20));
    }
    return rc;
}

static int map_object(struct file *file, struct object *object)
{
    uint64_t low = UINT64_MAX, high = 0, align = PAGE_SIZE;
    for (int i = 0; i < object->header.e_phnum; i++) {
        const Elf64_Phdr *ph = &object->programs[i];
        if (ph->p_type != PT_LOAD)
            continue;
        low = min_u64(low, page_down(ph->p_vaddr));
        high = max_u64(high, page_up(ph->p_vaddr + ph->p_memsz));
        if (ph->p_align > align && !(ph->p_align & (ph->p_align - 1)) && ph->p_align <= 2UL << 20)
            align = ph->p_align;
    }
    if (low >= high)
        return -ENOEXEC;
    if (object->header.e_type == ET_DYN) {
        uint64_t base = space_hole(high - low, align);
        if (!base)
            return -ENOMEM;
        object->bias = base - low;
    }
    object->entry = object->bias + object->header.e_entry;
    object->end = object->bias + high;
    for (int i = 0; i < object->header.e_phnum; i++) {
        const Elf64_Phdr *ph = &object->programs[i];
        if (ph->p_type == PT_PHDR)
            object->headers_at = object->bias + ph->p_vaddr;
        if (ph->p_type != PT_LOAD)
            continue;
        if (!object->headers_at && object->header.e_phoff >= ph->p_offset &&
            object->header.e_phoff < ph->p_offset + ph->p_filesz)
            object->headers_at = object->bias + ph->p_vaddr + object->header.e_phoff - ph->p_offset;
        int rc = map_segment(file, ph, object->bias);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* "#!interpreter [argument]": puts both before the arguments. 1: the file to load is now
 * args->at[0]. */
static int script(struct file *file, const char *path, struct arguments *args, int depth)
{
    char *line = args->lines[depth];
    long len = read_at(file, line, LINE_BYTES - 1, 0);
    if (len < 3 || line[0] != '#' || line[1] != '!')
        return 0;
    char *end = memchr(line, '\n', (size_t)len);
    if (!end || args->count + 2 >= ARGS_MAX)
        return -ENOEXEC;
    *end = 0;
    char *name = line + 2;
    while (*name == ' ' || *name == '\t')
        name++;
    char *rest = name;
    while (*rest && *rest != ' ' && *rest != '\t')
        rest++;
    char *option = rest;
    while (*option == ' ' || *option == '\t')
        *option++ = 0;
    while (end > option && (end[-1] == ' ' || end[-1] == '\t'))
        *--end = 0;
    size_t more = *option ? 2 : 1;
    memmove(&args->at[more + 1], &args->at[1], (args->count - 1) * sizeof(args->at[0]));
    args->at[more] = path;
    args->at[0] = name;
    if (*option)
        args->at[1] = option;
    args->count += more;
    return *name ? 1 : -ENOEXEC;
}

static int open_program(const char *path, struct file **out)
{
    int rc = open_at(NULL, path, O_RDONLY, 0, 0, out);
    if (rc < 0)
        return rc;
    if (S_IS((*out)->inode->mode, S_IFREG) && open_may((*out)->inode, 1))
        return 0;
    file_put(*out);
    return -EACCES;
}

struct stack {
    uint64_t at;
};

static uint64_t push(struct stack *stack, const void *from, size_t len)
{
    stack->at -= len;
    memcpy((void *)stack->at, from, len);
    return stack->at;
}

static void aux(uint64_t type, uint64_t value)
{
    process.auxv[process.auxv_count++] = type;
    process.auxv[process.auxv_count++] = value;
}

static void fill_aux(const struct object *program, const struct object *interpreter,
                     uint64_t random, uint64_t platform, uint64_t name)
{
    uint64_t vdso = arch_vdso_map(SPACE_TOP + PAGE_SIZE);
    if (vdso)
        aux(AT_SYSINFO_EHDR, vdso);
    aux(AT_HWCAP, HWCAP_X86_64);
    aux(AT_PAGESZ, PAGE_SIZE);
    aux(AT_CLKTCK, 100);
    aux(AT_PHDR, program->headers_at);
    aux(AT_PHENT, sizeof(Elf64_Phdr));
    aux(AT_PHNUM, program->header.e_phnum);
    aux(AT_BASE, interpreter ? interpreter->bias : 0);
    aux(AT_FLAGS, 0);
    aux(AT_ENTRY, program->entry);
    aux(AT_UID, process.uid);
    aux(AT_EUID, process.uid);
    aux(AT_GID, process.gid);
    aux(AT_EGID, process.gid);
    aux(AT_SECURE, 0);
    aux(AT_RANDOM, random);
    aux(AT_HWCAP2, 0);
    aux(AT_EXECFN, name);
    aux(AT_PLATFORM, platform);
    aux(AT_MINSIGSTKSZ, arch_fpu_size() + 1024);
    aux(AT_NULL, 0);
}

static int map_stack(uint64_t bytes)
{
    bytes = page_up(max_u64(bytes, STACK_FIRST));
    bytes = min_u64(bytes, 200UL << 20);
    process.stack_top = SPACE_TOP;
    process.stack_bytes = bytes;
    const struct vma wish = {.start = SPACE_TOP - bytes,
                             .end = SPACE_TOP,
                             .prot = PROT_READ | PROT_WRITE,
                             .flags = VMA_STACK};
    int rc = space_map(&wish, false);
    /* One page of 2 MiB is one translation to be made, where memory is not scarce. */
    bool plenty = bytes >= STACK_BIG && page_count_free() * PAGE_SIZE >= 16 * STACK_BIG;
    return rc < 0 ? rc : space_populate(SPACE_TOP - (plenty ? STACK_BIG : STACK_FIRST), SPACE_TOP);
}

static char *join(const char *const *at, size_t count, size_t *out_len)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += strlen(at[i]) + 1;
    char *text = heap_alloc(len + 1), *to = text;
    for (size_t i = 0; text && i < count; i++) {
        memcpy(to, at[i], strlen(at[i]) + 1);
        to += strlen(at[i]) + 1;
    }
    *out_len = text ? len : 0;
    return text;
}

static int fill_stack(const struct arguments *args, const char *const *env, size_t env_count,
                      const char *path, const struct object *program,
                      const struct object *interpreter, uint64_t *out_sp)
{
    struct stack stack = {.at = SPACE_TOP - 8};
    uint8_t seed[16];
    heap_free(process.cmdline);
    heap_free(process.environ);
    process.cmdline = join(args->at, args->count, &process.cmdline_len);
    process.environ = join(env, env_count, &process.environ_len);
    size_t spare = environ_slots();
    size_t words = args->count + env_count + spare + 3 + ARRAY_LEN(process.auxv);
    uint64_t strings = SPACE_TOP - environ_reserve(SPACE_TOP);
    size_t need = strings + process.cmdline_len + process.environ_len + words * 8 + 8192;
    if (need > process.stack_bytes / 4 * 3 ||
        space_populate(page_down(SPACE_TOP - need), SPACE_TOP) < 0)
        return -E2BIG;
    stack.at = environ_reserve(stack.at);
    uint64_t name = push(&stack, path, strlen(path) + 1);
    uint64_t platform = push(&stack, "x86_64", 7);
    random_bytes(seed, sizeof(seed));
    uint64_t random = push(&stack, seed, sizeof(seed));
    uint64_t env_at = push(&stack, process.environ, process.environ_len);
    uint64_t args_at = push(&stack, process.cmdline, process.cmdline_len);
    process.auxv_count = 0;
    fill_aux(program, interpreter, random, platform, name);
    size_t total = 1 + args->count + 1 + env_count + spare + 1 + process.auxv_count;
    stack.at = (stack.at & ~15UL) - ((total + 1) & ~1UL) * 8;
    uint64_t *to = (uint64_t *)stack.at;
    *to++ = args->count;
    for (size_t i = 0; i < args->count; args_at += strlen(args->at[i]) + 1, i++)
        *to++ = args_at;
    *to++ = 0;
    for (size_t i = 0; i < env_count; env_at += strlen(env[i]) + 1, i++)
        *to++ = env_at;
    environ_point(to);
    to += spare;
    *to++ = 0;
    memcpy(to, process.auxv, process.auxv_count * 8);
    *out_sp = stack.at;
    return 0;
}

/* The monitor's strings are arguments, then environment. */
static int split_args(const struct vm_boot *boot, struct arguments *args)
{
    const char *at = arch_phys(boot->strings_gpa), *end = at + boot->strings_bytes;
    if (boot->argc >= ARGS_MAX - 2 * SCRIPT_DEPTH)
        return -E2BIG;
    for (; args->count < boot->argc && at < end; at += strnlen(at, (size_t)(end - at)) + 1)
        args->at[args->count++] = at;
    if (!args->count)
        args->at[args->count++] = "";
    return 0;
}

static int split_env(const struct vm_boot *boot, const char ***out_env, size_t *out_count)
{
    const char *at = arch_phys(boot->strings_gpa), *end = at + boot->strings_bytes;
    const char **env = heap_alloc((boot->envc + 1) * sizeof(*env));
    if (!env)
        return -E2BIG;
    *out_count = 0;
    for (uint32_t i = 0; i < boot->argc + boot->envc && at < end; i++) {
        if (i >= boot->argc)
            env[(*out_count)++] = at;
        at += strnlen(at, (size_t)(end - at)) + 1;
    }
    *out_env = env;
    return 0;
}

static int load(struct file *file, struct object *program, struct object **out_interpreter,
                uint64_t *out_entry)
{
    int rc = read_headers(file, program);
    if (rc == 0)
        rc = map_object(file, program);
    *out_entry = program->entry;
    *out_interpreter = NULL;
    if (rc < 0 || !program->interpreter[0])
        return rc;
    struct object *interpreter = heap_alloc(sizeof(*interpreter));
    struct file *other;
    rc = interpreter ? open_program(program->interpreter, &other) : -ENOMEM;
    if (rc < 0)
        return rc;
    rc = read_headers(other, interpreter);
    if (rc == 0)
        rc = map_object(other, interpreter);
    file_put(other);
    *out_entry = interpreter->entry;
    *out_interpreter = interpreter;
    return rc;
}

/* Behind a program that chose its place; else between what is mapped and the stack: a program that
 * lies anywhere lies at the top of what is mapped. */
static void place_brk(const struct object *program)
{
    bool moved = program->header.e_type == ET_DYN;
    uint64_t at = moved ? SPACE_MMAP : program->end;
    process.brk_start = process.brk_end = (at + (2UL << 20) - 1) & ~((2UL << 20) - 1);
    process.brk_limit = moved ? SPACE_TOP - process.stack_bytes - (1UL << 20) : SPACE_MMAP;
}

static void name_thread(const char *path)
{
    const char *name = path;
    for (const char *at = path; *at; at++)
        name = *at == '/' ? at + 1 : name;
    memset(current->name, 0, sizeof(current->name));
    memcpy(current->name, name, strnlen(name, sizeof(current->name) - 1));
}

int exec_start(const char *path, const struct vm_boot *boot, struct regs *regs)
{
    struct arguments *args = heap_alloc(sizeof(*args));
    struct object *program = heap_alloc(sizeof(*program)), *interpreter = NULL;
    const char **env = NULL;
    size_t env_count = 0;
    struct file *file = NULL;
    uint64_t entry = 0, sp = 0;
    int rc = args && program ? split_args(boot, args) : -ENOMEM;
    name_thread(path);
    for (int depth = 0; rc == 0; depth++) {
        rc = open_program(path, &file);
        if (rc < 0)
            break;
        int is_script = depth < SCRIPT_DEPTH ? script(file, path, args, depth) : 0;
        if (is_script == 0)
            break;
        file_put(file);
        file = NULL;
        rc = is_script < 0 ? is_script : 0;
        path = args->at[0];
    }
    if (rc == 0)
        rc = map_stack(boot->stack_bytes);
    if (rc == 0)
        rc = load(file, program, &interpreter, &entry);
    if (rc == 0) {
        place_brk(program);
        process.exe = file->dentry;
        if (process.exe)
            dentry_get(process.exe);
        rc = split_env(boot, &env, &env_count);
    }
    if (rc == 0)
        rc = fill_stack(args, env, env_count, path, program, interpreter, &sp);
    if (rc == 0 && boot->flags & VM_FLAG_POOL) {
        /* Arguments stay where they are, the environment grows; the pages are there by now. */
        kernel_wait(boot);
        heap_free(env);
        env = NULL;
        rc = split_env(boot, &env, &env_count);
        if (rc == 0)
            rc = fill_stack(args, env, env_count, path, program, interpreter, &sp);
    }
    file_put(file);
    heap_free(args);
    heap_free(program);
    heap_free(interpreter);
    heap_free(env);
    memset(regs, 0, sizeof(*regs));
    regs->orig_rax = UINT64_MAX;
    regs->rip = entry;
    regs->rsp = sp;
    regs->rflags = 0x202;
    return rc;
}
