// SPDX-License-Identifier: Apache-2.0
/* Where the machine part enters: boot, system calls, faults, ticks. */
#include <asm/mman.h>

#include "../arch.h"
#include "../fs/device.h"
#include "../fs/image.h"
#include "../fs/open.h"
#include "../ipc/stdio.h"
#include "../mm/heap.h"
#include "../mm/page.h"
#include "../mm/space.h"
#include "call.h"
#include "exec.h"
#include "process.h"
#include "random.h"
#include "thread.h"

#define VECTOR_DIVIDE   0
#define VECTOR_DEBUG    1
#define VECTOR_BREAK    3
#define VECTOR_OPCODE   6
#define VECTOR_SEGMENT  12
#define VECTOR_PROTECT  13
#define VECTOR_PAGE     14
#define VECTOR_X87      16
#define VECTOR_ALIGN    17
#define VECTOR_SIMD     19
#define PF_WRITE        2u
#define PF_FETCH        16u
#define STATUS_NO_EXEC  127
#define STATUS_NOT_EXEC 126

uint64_t kernel_page_alloc(void)
{
    return page_alloc_zero(0);
}

static struct {
    paddr_t next, end;
} tables;

uint64_t kernel_table_alloc(void)
{
    if (!tables.end)
        return page_alloc_zero(0);
    if (tables.next == tables.end)
        return 0;
    tables.next += PAGE_SIZE;
    return tables.next - PAGE_SIZE;
}

uint64_t kernel_table_next(void)
{
    return tables.next;
}

int kernel_text_private(uint64_t va)
{
    return space_make_private(page_down(va), page_down(va) + PAGE_SIZE);
}

static int make_root(const struct vm_boot *boot)
{
    struct inode *root;
    int rc = 0;
    if (boot->image_bytes) {
        rc = image_open(arch_phys(VM_IMAGE_GPA), VM_IMAGE_GPA, boot->image_bytes);
        if (rc == 0)
            rc = image_inode(image_root(), &root);
    } else {
        root = inode_new(S_IFDIR | 0755, DEV_ROOT);
        rc = root ? 0 : -ENOMEM;
    }
    if (rc < 0)
        return rc;
    rc = tree_init(root);
    inode_put(root);
    return rc;
}

static int make_tree(void)
{
    struct dentry *tmp;
    int rc = fs_mount_dev(tree_root());
    if (rc == 0)
        rc = fs_mount_proc(tree_root());
    if (rc == 0)
        rc = fs_dir(tree_root(), "tmp", 01777, DEV_ROOT, &tmp);
    if (rc == 0)
        tmp->inode->mode = S_IFDIR | 01777;
    return rc;
}

static int enter_dir(const char *path)
{
    struct path found;
    process.cwd = tree_root();
    dentry_get(process.cwd);
    if (!path[0])
        return 0;
    int rc = path_walk(NULL, path, PATH_FOLLOW, &found);
    if (rc < 0)
        return rc;
    dentry_put(process.cwd);
    process.cwd = found.found;
    dentry_get(process.cwd);
    path_done(&found);
    return 0;
}

/* The directories of a path, made where they are missing. */
static int make_dirs(const char *path)
{
    struct dentry *dir = tree_root();
    dentry_get(dir);
    for (const char *end; (end = strchr(path, '/')); path = end + 1) {
        char name[NAME_BYTES + 1];
        struct dentry *next;
        size_t len = (size_t)(end - path);
        if (!len)
            continue;
        if (len > NAME_BYTES)
            return -ENAMETOOLONG;
        memcpy(name, path, len);
        name[len] = 0;
        int rc = fs_dir(dir, name, 0755, DEV_ROOT, &next);
        dentry_put(dir);
        if (rc < 0)
            return rc;
        dir = next;
    }
    dentry_put(dir);
    return 0;
}

/* A program that came without an image becomes a file of that name. */
static int place_program(const struct vm_boot *boot, const char *path)
{
    struct file *file;
    int rc = path[0] == '/' ? make_dirs(path) : 0;
    if (rc == 0)
        rc = open_at(NULL, path, O_CREAT | O_WRONLY | O_TRUNC, 0755, 0, &file);
    if (rc < 0)
        return rc;
    uint64_t pos = 0;
    long done = file->ops->write(file, arch_phys(boot->program_gpa), boot->program_bytes, &pos);
    file_put(file);
    return done == (long)boot->program_bytes ? 0 : -ENOSPC;
}

/* A name without "/" is looked for where PATH of the environment says. */
static int find_program(const char *name, const struct vm_boot *boot, char out[512])
{
    const char *at = arch_phys(boot->strings_gpa), *end = at + boot->strings_bytes;
    const char *dirs = "/usr/local/bin:/usr/bin:/bin";
    for (uint32_t i = 0; i < boot->argc + boot->envc && at < end; i++) {
        if (i >= boot->argc && !strncmp(at, "PATH=", 5))
            dirs = at + 5;
        at += strnlen(at, (size_t)(end - at)) + 1;
    }
    while (*dirs) {
        const char *stop = strchr(dirs, ':');
        size_t len = stop ? (size_t)(stop - dirs) : strlen(dirs);
        if (len + strlen(name) + 2 < 512) {
            struct path path;
            memcpy(out, dirs, len);
            out[len] = '/';
            memcpy(out + len + 1, name, strlen(name) + 1);
            if (path_walk(NULL, out, PATH_FOLLOW, &path) == 0) {
                bool runs =
                    S_IS(path.found->inode->mode, S_IFREG) && open_may(path.found->inode, 1);
                path_done(&path);
                if (runs)
                    return 0;
            }
        }
        dirs += len + (stop != NULL);
    }
    return -ENOENT;
}

static _Noreturn void refuse(const char *what, const char *path, int rc)
{
    static const char *const reasons[] = {[ENOENT] = "not found",
                                          [EACCES] = "not executable",
                                          [ENOEXEC] = "not an ELF file for x86-64",
                                          [ENOMEM] = "not enough memory",
                                          [E2BIG] = "arguments too long",
                                          [ENOTDIR] = "not a directory",
                                          [EINVAL] = "not valid",
                                          [ELOOP] = "too many links"};
    const char *why =
        (size_t)-rc < ARRAY_LEN(reasons) && reasons[-rc] ? reasons[-rc] : "cannot be loaded";
    const char *parts[] = {"skerry: ", what, path, ": ", why, "\n"};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        struct file *file = fd_get(2);
        uint64_t pos = 0;
        if (file)
            file->ops->write(file, parts[i], strlen(parts[i]), &pos);
    }
    process_exit(rc == -ENOENT ? STATUS_NO_EXEC : STATUS_NOT_EXEC);
}

static void copy_boot(const struct vm_boot *boot)
{
    process.uid = boot->uid;
    process.gid = boot->gid;
    process.open_max = boot->open_max;
    process.threads_max = boot->threads_max;
    process.files_max = boot->files_max;
    process.umask = 022;
    process.dumpable = true;
    process.trace = boot->flags & VM_FLAG_TRACE;
    process.snapshot = boot->flags & VM_FLAG_SNAPSHOT;
    memcpy(process.hostname, boot->hostname, strnlen(boot->hostname, sizeof(boot->hostname) - 1));
    process.started_ns = time_mono_ns();
}

void kernel_setup(const struct vm_boot *boot)
{
    time_init(boot->tsc, boot->mono_ns, boot->real_ns, boot->tsc_hz);
    page_init(boot->free_gpa, boot->ram_bytes);
    tables.next = boot->tables_gpa;
    tables.end = boot->tables_gpa + boot->tables_bytes;
    random_mix(boot->seed, sizeof(boot->seed));
    copy_boot(boot);
    if (space_init() < 0 || thread_boot() < 0)
        arch_panic(NULL, "no memory at boot");
    int rc = make_root(boot);
    if (rc < 0)
        arch_panic(NULL, "the image is no EROFS image without compression (%d)", -rc);
    rc = make_tree();
    if (rc == 0)
        rc = stdio_open(boot->stdio_mode);
    if (rc < 0)
        arch_panic(NULL, "the file system cannot be set up (%d)", -rc);
    rc = enter_dir(boot->cwd);
    if (rc < 0)
        refuse("directory ", boot->cwd, rc);
}

void kernel_wait(const struct vm_boot *boot)
{
    arch_doorbell(VM_BELL_POOLED);
    arch_shared()->stages[VM_STAGE_KERNEL] = arch_tsc();
    time_init(boot->tsc, boot->mono_ns, boot->real_ns, boot->tsc_hz);
    random_mix(boot->seed, sizeof(boot->seed));
    process.started_ns = current->run_since = time_mono_ns();
}

void kernel_main(const struct vm_boot *boot)
{
    struct regs regs;
    int rc = 0;
    kernel_setup(boot);
    const char *path =
        boot->program[0] ? boot->program : (const char *)arch_phys(boot->strings_gpa);
    char found[512];
    if (boot->program_bytes)
        rc = place_program(boot, path);
    if (!boot->program_bytes && !strchr(path, '/')) {
        rc = find_program(path, boot, found);
        path = rc == 0 ? found : path;
    }
    if (rc == 0)
        rc = exec_start(path, boot, &regs);
    if (rc < 0)
        refuse("", path, rc);
    arch_shared()->stages[VM_STAGE_PROGRAM] = arch_tsc();
    arch_enter_user(&regs);
}

void kernel_syscall(struct regs *regs)
{
    const uint64_t a[6] = {regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9};
    uint64_t number = (uint32_t)regs->orig_rax;
    current->regs = regs;
    regs->rax = (uint64_t)call_do(number, a);
    thread_return(regs);
}

static void page_fault(struct regs *regs, uint64_t error, uint64_t addr)
{
    uint32_t want = error & PF_FETCH ? PROT_EXEC : error & PF_WRITE ? PROT_WRITE : PROT_READ;
    switch (space_fault(addr, want)) {
    case FAULT_OK:
        return;
    case FAULT_BUS:
        signal_fault(SIGBUS, BUS_ADRERR, addr, regs, VECTOR_PAGE, error);
        return;
    case FAULT_ACCESS:
        signal_fault(SIGSEGV, SEGV_ACCERR, addr, regs, VECTOR_PAGE, error);
        return;
    case FAULT_UNMAPPED:
        signal_fault(SIGSEGV, SEGV_MAPERR, addr, regs, VECTOR_PAGE, error);
        return;
    case FAULT_MEMORY:
        arch_exit(VM_EXIT_OOM, 0);
    }
}

void kernel_fault(struct regs *regs, unsigned vector, uint64_t error, uint64_t cr2)
{
    current->regs = regs;
    switch (vector) {
    case VECTOR_PAGE:
        page_fault(regs, error, cr2);
        break;
    case VECTOR_DIVIDE:
        signal_fault(SIGFPE, FPE_INTDIV, regs->rip, regs, vector, error);
        break;
    case VECTOR_X87:
    case VECTOR_SIMD:
        signal_fault(SIGFPE, FPE_FLTINV, regs->rip, regs, vector, error);
        break;
    case VECTOR_OPCODE:
        signal_fault(SIGILL, ILL_ILLOPN, regs->rip, regs, vector, error);
        break;
    case VECTOR_DEBUG:
        signal_fault(SIGTRAP, TRAP_TRACE, regs->rip, regs, vector, error);
        break;
    case VECTOR_BREAK:
        signal_fault(SIGTRAP, SI_KERNEL, 0, regs, vector, error);
        break;
    case VECTOR_ALIGN:
        signal_fault(SIGBUS, BUS_ADRALN, 0, regs, vector, error);
        break;
    default:
        signal_fault(SIGSEGV, SI_KERNEL, 0, regs, vector, error);
        break;
    }
    thread_return(regs);
}

void kernel_tick(struct regs *regs)
{
    current->regs = regs;
    stdio_poll();
    thread_return(regs);
}
