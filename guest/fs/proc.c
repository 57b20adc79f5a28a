// SPDX-License-Identifier: Apache-2.0
/*
 * /proc, as much as programs ask of themselves: /proc/self (and its number) with exe, cwd, root, fd, task, maps, status,
 * stat, cmdline, environ, comm, mounts, auxv and limits; cpuinfo, meminfo, stat, uptime, loadavg, version, filesystems, and
 * some of sys/kernel and sys/vm. A file's text is made when it is opened.
 */
#include <asm/mman.h>

#include "../kernel/format.h"
#include "../kernel/process.h"
#include "../kernel/thread.h"
#include "../mm/heap.h"
#include "../mm/page.h"
#include "../mm/space.h"
#include "device.h"
#include "open.h"

struct entry {
    const char *name;
    uint32_t mode;
    void (*text)(struct format *out);
    const struct inode_ops *ops;
};

static int made_up(const struct entry *entry, struct inode **out);

static void text_maps(struct format *out)
{
    char path[512];
    for (size_t i = 0; i < space_count(); i++) {
        const struct vma *vma = space_at(i);
        size_t start = out->len;
        format_hex(out, vma->start, 8);
        format_text(out, "-");
        format_hex(out, vma->end, 8);
        format_text(out, vma->prot & PROT_READ ? " r" : " -");
        format_text(out, vma->prot & PROT_WRITE ? "w" : "-");
        format_text(out, vma->prot & PROT_EXEC ? "x" : "-");
        format_text(out, vma->flags & VMA_SHARED ? "s " : "p ");
        format_hex(out, vma->offset, 8);
        format_text(out, " 00:");
        format_hex(out, vma->file ? vma->file->inode->dev : 0, 2);
        format_text(out, " ");
        format_number(out, vma->file ? vma->file->inode->ino : 0);
        format_text(out, " ");
        if (vma->file && vma->file->dentry && tree_path(vma->file->dentry, path, sizeof(path)) > 0) {
            format_pad(out, start, 73);
            format_text(out, path);
        } else if (vma->flags & (VMA_STACK | VMA_HEAP)) {
            format_pad(out, start, 73);
            format_text(out, vma->flags & VMA_STACK ? "[stack]" : "[heap]");
        }
        format_text(out, "\n");
    }
}

static void line(struct format *out, const char *name, uint64_t value, const char *unit)
{
    format_text(out, name);
    format_number(out, value);
    format_text(out, unit);
}

static uint64_t mapped_bytes(void)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < space_count(); i++)
        sum += space_at(i)->end - space_at(i)->start;
    return sum;
}

static void ids(struct format *out, const char *name, uint32_t id)
{
    format_text(out, name);
    for (int i = 0; i < 4; i++) {
        format_number(out, id);
        format_text(out, i < 3 ? "\t" : "\n");
    }
}

static void text_status(struct format *out)
{
    format_text(out, "Name:\t");
    format_text(out, current->name);
    format_text(out, "\nUmask:\t0");
    format_number(out, process.umask >> 6);
    format_number(out, (process.umask >> 3) & 7);
    format_number(out, process.umask & 7);
    format_text(out, "\nState:\tR (running)\n");
    line(out, "Tgid:\t", PROCESS_PID, "\nNgid:\t0\n");
    line(out, "Pid:\t", PROCESS_PID, "\nPPid:\t1\nTracerPid:\t0\n");
    ids(out, "Uid:\t", process.uid);
    ids(out, "Gid:\t", process.gid);
    line(out, "FDSize:\t", (uint64_t)fd_highest(), "\nGroups:\t \n");
    uint64_t used = (page_count_total() - page_count_free()) * (PAGE_SIZE / 1024);
    line(out, "VmPeak:\t", mapped_bytes() / 1024, " kB\n");
    line(out, "VmSize:\t", mapped_bytes() / 1024, " kB\n");
    line(out, "VmHWM:\t", used, " kB\n");
    line(out, "VmRSS:\t", used, " kB\n");
    line(out, "Threads:\t", (uint64_t)thread_count(), "\n");
    format_text(out, "SigBlk:\t");
    format_hex(out, current->blocked, 16);
    format_text(out, "\nCapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n"
                     "CapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t0\n"
                     "Cpus_allowed:\t1\nCpus_allowed_list:\t0\n");
}

static void text_stat(struct format *out)
{
    format_number(out, PROCESS_PID);
    format_text(out, " (");
    format_text(out, current->name);
    format_text(out, ") R 1 2 2 0 -1 4194304 0 0 0 0 ");
    line(out, "", (time_mono_ns() - process.started_ns) / 10000000, " 0 0 0 20 0 ");
    line(out, "", (uint64_t)thread_count(), " 0 ");
    line(out, "", process.started_ns / 10000000, " ");
    line(out, "", mapped_bytes(), " ");
    line(out, "", page_count_total() - page_count_free(), " 18446744073709551615 0 0 ");
    line(out, "", process.stack_top, " 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n");
}

static void text_statm(struct format *out)
{
    line(out, "", mapped_bytes() / PAGE_SIZE, " ");
    line(out, "", page_count_total() - page_count_free(), " 0 0 0 0 0\n");
}

static void text_cmdline(struct format *out)
{
    format_bytes(out, process.cmdline, process.cmdline_len);
}

static void text_environ(struct format *out)
{
    format_bytes(out, process.environ, process.environ_len);
}

static void text_comm(struct format *out)
{
    format_text(out, current->name);
    format_text(out, "\n");
}

static void text_auxv(struct format *out)
{
    format_bytes(out, (const char *)process.auxv, process.auxv_count * sizeof(process.auxv[0]));
}

static void text_mounts(struct format *out)
{
    format_text(out, "skerry / tmpfs rw 0 0\nproc /proc proc rw 0 0\ndev /dev tmpfs rw 0 0\n");
}

static void text_mountinfo(struct format *out)
{
    format_text(out, "1 1 0:32 / / rw - tmpfs skerry rw\n2 1 0:21 / /proc rw - proc proc rw\n3 1 0:6 / /dev rw - tmpfs dev rw\n");
}

static void text_limits(struct format *out)
{
    format_text(out, "Limit                     Soft Limit           Hard Limit           Units     \nMax open files            ");
    line(out, "", process.open_max, "                 ");
    line(out, "", process.open_max, "                 files     \n");
}

static void text_cgroup(struct format *out)
{
    format_text(out, "0::/\n");
}

static void text_oom(struct format *out)
{
    format_text(out, "0\n");
}

static void text_cpuinfo(struct format *out)
{
    uint32_t brand[12];
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t *to = &brand[i * 4];
        uint32_t zero = 0;
        __asm__("cpuid" : "=a"(to[0]), "=b"(to[1]), "=c"(to[2]), "=d"(to[3]) : "a"(0x80000002u + i), "c"(zero));
    }
    format_text(out, "processor\t: 0\nvendor_id\t: Skerry\nmodel name\t: ");
    format_bytes(out, (const char *)brand, strnlen((const char *)brand, sizeof(brand)));
    format_text(out, "\ncpu cores\t: 1\nsiblings\t: 1\nflags\t\t: fpu tsc cx8 cmov mmx fxsr sse sse2 syscall nx lm\n\n");
}

static void text_meminfo(struct format *out)
{
    uint64_t total = page_count_total() * (PAGE_SIZE / 1024), free = page_count_free() * (PAGE_SIZE / 1024);
    line(out, "MemTotal:       ", total, " kB\n");
    line(out, "MemFree:        ", free, " kB\n");
    line(out, "MemAvailable:   ", free, " kB\n");
    format_text(out, "Buffers:               0 kB\nCached:                0 kB\nSwapTotal:             0 kB\nSwapFree:              0 kB\n");
}

static void text_kernel_stat(struct format *out)
{
    uint64_t ticks = (time_mono_ns() - process.started_ns) / 10000000;
    line(out, "cpu  ", ticks, " 0 0 0 0 0 0 0 0 0\n");
    line(out, "cpu0 ", ticks, " 0 0 0 0 0 0 0 0 0\n");
    line(out, "btime ", (time_real_ns() - time_mono_ns()) / NS_PER_S, "\nprocesses 2\n");
}

static void text_uptime(struct format *out)
{
    uint64_t s = (time_mono_ns() - process.started_ns) / NS_PER_S;
    line(out, "", s, ".00 0.00\n");
}

static void text_loadavg(struct format *out)
{
    format_text(out, "0.00 0.00 0.00 1/1 2\n");
}

static void text_version(struct format *out)
{
    format_text(out, "Linux version 6.1.0-skerry #1 SMP Skerry\n");
}

static void text_filesystems(struct format *out)
{
    format_text(out, "nodev\tproc\nnodev\ttmpfs\n\terofs\n");
}

static void text_ostype(struct format *out)
{
    format_text(out, "Linux\n");
}

static void text_osrelease(struct format *out)
{
    format_text(out, "6.1.0-skerry\n");
}

static void text_hostname(struct format *out)
{
    format_text(out, process.hostname);
    format_text(out, "\n");
}

static void text_one(struct format *out)
{
    format_text(out, "1\n");
}

static void text_pid_max(struct format *out)
{
    format_text(out, "32768\n");
}

static void text_somaxconn(struct format *out)
{
    format_text(out, "4096\n");
}

/* --- links --- */

static long dentry_text(struct dentry *dentry, char *to, size_t max)
{
    char *path = heap_alloc(PATH_BYTES);
    if (!path)
        return -ENOMEM;
    long len = dentry ? tree_path(dentry, path, PATH_BYTES) : -ENOENT;
    if (len > (long)max)
        len = (long)max;
    if (len > 0)
        memcpy(to, path, (size_t)len);
    heap_free(path);
    return len;
}

static int dentry_follow(struct dentry *dentry, struct dentry **out)
{
    if (!dentry)
        return -ENOENT;
    dentry_get(dentry);
    *out = dentry;
    return 0;
}

static long exe_readlink(struct inode *inode, char *to, size_t max)
{
    (void)inode;
    return dentry_text(process.exe, to, max);
}

static int exe_follow(struct inode *inode, struct dentry **out)
{
    (void)inode;
    return dentry_follow(process.exe, out);
}

static long cwd_readlink(struct inode *inode, char *to, size_t max)
{
    (void)inode;
    return dentry_text(process.cwd, to, max);
}

static int cwd_follow(struct inode *inode, struct dentry **out)
{
    (void)inode;
    return dentry_follow(process.cwd, out);
}

static long root_readlink(struct inode *inode, char *to, size_t max)
{
    (void)inode;
    return dentry_text(tree_root(), to, max);
}

static int root_follow(struct inode *inode, struct dentry **out)
{
    (void)inode;
    return dentry_follow(tree_root(), out);
}

static const struct inode_ops exe_ops = {.readlink = exe_readlink, .follow = exe_follow};
static const struct inode_ops cwd_ops = {.readlink = cwd_readlink, .follow = cwd_follow};
static const struct inode_ops root_ops = {.readlink = root_readlink, .follow = root_follow};

static long number_readlink(struct inode *inode, char *to, size_t max)
{
    struct format text;
    format_init(&text);
    if (inode->number)
        format_text(&text, "self/mounts");
    else
        format_number(&text, PROCESS_PID);
    size_t len = min_u64(text.len, max);
    memcpy(to, text.text, len);
    format_done(&text);
    return (long)len;
}

static const struct inode_ops self_ops = {.readlink = number_readlink};

/* --- /proc/self/fd --- */

static long fd_readlink(struct inode *inode, char *to, size_t max)
{
    struct file *file = fd_get((int)inode->number);
    if (!file)
        return -ENOENT;
    if (file->dentry)
        return dentry_text(file->dentry, to, max);
    struct format text;
    format_init(&text);
    uint32_t mode = file->inode ? file->inode->mode : 0;
    format_text(&text, S_IS(mode, S_IFIFO) ? "pipe:[" : S_IS(mode, S_IFSOCK) ? "socket:[" : "anon_inode:[");
    format_number(&text, file->inode ? file->inode->ino : 0);
    format_text(&text, "]");
    size_t len = min_u64(text.len, max);
    memcpy(to, text.text, len);
    format_done(&text);
    return (long)len;
}

/* An entry of its own for what has no name: opening it leads to the same object. */
static int fd_reopen(struct inode *inode, struct file *file);

static int fd_follow(struct inode *inode, struct dentry **out)
{
    struct file *file = fd_get((int)inode->number);
    if (!file)
        return -ENOENT;
    if (file->dentry)
        return dentry_follow(file->dentry, out);
    if (file->inode && S_IS(file->inode->mode, S_IFREG))
        return tree_detached("fd", file->inode, out);
    static const struct inode_ops reopen_ops = {.open = fd_reopen};
    struct inode *stand_in = inode_new(file->inode ? file->inode->mode : 0600, DEV_PIPE);
    if (!stand_in)
        return -ENOMEM;
    stand_in->ops = &reopen_ops;
    stand_in->file_ops = file->ops;
    stand_in->number = inode->number;
    int rc = tree_detached("fd", stand_in, out);
    inode_put(stand_in);
    return rc;
}

static int fd_reopen(struct inode *inode, struct file *file)
{
    struct file *old = fd_get((int)inode->number);
    file->ops = &path_only_ops; /* until it is a whole file its close has nothing to do */
    if (!old || !old->ops)
        return -ENOENT;
    /* A pipe's or ring's other end: the same object with the same state. */
    return file_share(file, old);
}

static const struct inode_ops fd_link_ops = {.readlink = fd_readlink, .follow = fd_follow};

static int parse_number(const char *name, size_t len, int *out)
{
    int value = 0;
    if (!len || len > 9)
        return -ENOENT;
    for (size_t i = 0; i < len; i++) {
        if (name[i] < '0' || name[i] > '9')
            return -ENOENT;
        value = value * 10 + (name[i] - '0');
    }
    *out = value;
    return 0;
}

static int fd_lookup(struct dentry *dir, const char *name, size_t len, struct inode **out)
{
    int fd;
    (void)dir;
    if (parse_number(name, len, &fd) < 0 || !fd_get(fd))
        return -ENOENT;
    *out = inode_new(S_IFLNK | 0700, DEV_PROC);
    if (!*out)
        return -ENOMEM;
    (*out)->ops = &fd_link_ops;
    (*out)->number = (uint64_t)fd;
    (*out)->size = 64;
    return 0;
}

static void number_name(char name[32], uint64_t number)
{
    char digits[20];
    size_t n = 0, at = 0;
    do {
        digits[n++] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    while (n)
        name[at++] = digits[--n];
    name[at] = 0;
}

static int fd_entry(struct dentry *dir, uint64_t index, char name[32], uint32_t *out_mode)
{
    (void)dir;
    for (int fd = 0; fd < fd_highest(); fd++) {
        if (!fd_get(fd) || index--)
            continue;
        number_name(name, (uint64_t)fd);
        *out_mode = S_IFLNK;
        return 0;
    }
    return -ENOENT;
}

static const struct inode_ops fd_dir_ops = {.lookup = fd_lookup, .entry = fd_entry};

/* --- directories of fixed entries --- */

static const struct inode_ops process_ops, task_ops;

static const struct entry process_entries[] = {
    {"exe", S_IFLNK | 0777, NULL, &exe_ops},
    {"cwd", S_IFLNK | 0777, NULL, &cwd_ops},
    {"root", S_IFLNK | 0777, NULL, &root_ops},
    {"fd", S_IFDIR | 0500, NULL, &fd_dir_ops},
    {"task", S_IFDIR | 0555, NULL, &task_ops},
    {"maps", S_IFREG | 0444, text_maps, NULL},
    {"status", S_IFREG | 0444, text_status, NULL},
    {"stat", S_IFREG | 0444, text_stat, NULL},
    {"statm", S_IFREG | 0444, text_statm, NULL},
    {"cmdline", S_IFREG | 0444, text_cmdline, NULL},
    {"environ", S_IFREG | 0400, text_environ, NULL},
    {"comm", S_IFREG | 0644, text_comm, NULL},
    {"auxv", S_IFREG | 0400, text_auxv, NULL},
    {"mounts", S_IFREG | 0444, text_mounts, NULL},
    {"mountinfo", S_IFREG | 0444, text_mountinfo, NULL},
    {"limits", S_IFREG | 0444, text_limits, NULL},
    {"cgroup", S_IFREG | 0444, text_cgroup, NULL},
    {"oom_score_adj", S_IFREG | 0644, text_oom, NULL},
};

static int find_entry(const struct entry *entries, size_t count, const char *name, size_t len, struct inode **out)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(entries[i].name) == len && !memcmp(entries[i].name, name, len))
            return made_up(&entries[i], out);
    }
    return -ENOENT;
}

static int nth_entry(const struct entry *entries, size_t count, uint64_t index, char name[32], uint32_t *out_mode)
{
    if (index >= count)
        return -ENOENT;
    memcpy(name, entries[index].name, strlen(entries[index].name) + 1);
    *out_mode = entries[index].mode;
    return 0;
}

static int process_lookup(struct dentry *dir, const char *name, size_t len, struct inode **out)
{
    (void)dir;
    return find_entry(process_entries, ARRAY_LEN(process_entries), name, len, out);
}

static int process_entry(struct dentry *dir, uint64_t index, char name[32], uint32_t *out_mode)
{
    (void)dir;
    return nth_entry(process_entries, ARRAY_LEN(process_entries), index, name, out_mode);
}

static const struct inode_ops process_ops = {.lookup = process_lookup, .entry = process_entry};

static int task_lookup(struct dentry *dir, const char *name, size_t len, struct inode **out)
{
    static const struct entry task = {"task", S_IFDIR | 0555, NULL, &process_ops};
    int tid;
    (void)dir;
    return parse_number(name, len, &tid) == 0 && thread_find(tid) ? made_up(&task, out) : -ENOENT;
}

static int task_entry(struct dentry *dir, uint64_t index, char name[32], uint32_t *out_mode)
{
    (void)dir;
    for (struct list *at = threads.next; at != &threads; at = at->next) {
        if (index--)
            continue;
        number_name(name, (uint64_t)container_of(at, struct thread, all)->tid);
        *out_mode = S_IFDIR;
        return 0;
    }
    return -ENOENT;
}

static const struct inode_ops task_ops = {.lookup = task_lookup, .entry = task_entry};

static const struct entry top_entries[] = {
    {"self", S_IFLNK | 0777, NULL, &self_ops},
    {"2", S_IFDIR | 0555, NULL, &process_ops},
    {"cpuinfo", S_IFREG | 0444, text_cpuinfo, NULL},
    {"meminfo", S_IFREG | 0444, text_meminfo, NULL},
    {"stat", S_IFREG | 0444, text_kernel_stat, NULL},
    {"uptime", S_IFREG | 0444, text_uptime, NULL},
    {"loadavg", S_IFREG | 0444, text_loadavg, NULL},
    {"version", S_IFREG | 0444, text_version, NULL},
    {"filesystems", S_IFREG | 0444, text_filesystems, NULL},
    {"mounts", S_IFREG | 0444, text_mounts, NULL},
};

static const struct {
    const char *dir[2];
    struct entry entry;
} sysctls[] = {
    {{"sys", "kernel"}, {"ostype", S_IFREG | 0444, text_ostype, NULL}},
    {{"sys", "kernel"}, {"osrelease", S_IFREG | 0444, text_osrelease, NULL}},
    {{"sys", "kernel"}, {"hostname", S_IFREG | 0444, text_hostname, NULL}},
    {{"sys", "kernel"}, {"pid_max", S_IFREG | 0444, text_pid_max, NULL}},
    {{"sys", "vm"}, {"overcommit_memory", S_IFREG | 0444, text_one, NULL}},
    {{"sys", "net"}, {"somaxconn", S_IFREG | 0444, text_somaxconn, NULL}},
};

/* --- files --- */

struct text_file {
    struct format format;
};

static long text_read(struct file *file, void *to, size_t len, uint64_t *pos)
{
    struct text_file *text = file->data;
    if (*pos >= text->format.len)
        return 0;
    len = min_u64(len, text->format.len - *pos);
    memcpy(to, text->format.text + *pos, len);
    *pos += len;
    return (long)len;
}

static void text_close(struct file *file)
{
    struct text_file *text = file->data;
    if (text)
        format_done(&text->format);
    heap_free(text);
}

static const struct file_ops text_ops = {.read = text_read, .close = text_close, .seekable = true};

static int text_open(struct inode *inode, struct file *file)
{
    struct text_file *text = heap_alloc(sizeof(*text));
    if (!text)
        return -ENOMEM;
    const struct entry *entry = inode->data;
    format_init(&text->format);
    entry->text(&text->format);
    file->data = text;
    return 0;
}

static const struct inode_ops text_inode_ops = {.open = text_open};

static int made_up(const struct entry *entry, struct inode **out)
{
    struct inode *inode = inode_new(entry->mode, DEV_PROC);
    if (!inode)
        return -ENOMEM;
    inode->ops = entry->ops;
    inode->data = (void *)(uintptr_t)entry;
    if (entry->text) {
        inode->ops = &text_inode_ops;
        inode->file_ops = &text_ops;
    }
    if (S_IS(entry->mode, S_IFDIR))
        inode->nlink = 2;
    *out = inode;
    return 0;
}

static int put(struct dentry *dir, const struct entry *entry)
{
    struct inode *inode;
    int rc = made_up(entry, &inode);
    if (rc < 0)
        return rc;
    rc = tree_add(dir, entry->name, strlen(entry->name), inode, NULL);
    inode_put(inode);
    return rc;
}

int fs_mount_proc(struct dentry *root)
{
    struct dentry *proc;
    int rc = tree_lookup(root, "proc", 4, &proc);
    if (rc == 0) {
        rc = tree_remove(proc);
        dentry_put(proc);
    }
    if (rc < 0 && rc != -ENOENT)
        return rc;
    rc = fs_dir(root, "proc", 0555, DEV_PROC, &proc);
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(top_entries); i++)
        rc = put(proc, &top_entries[i]);
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(sysctls); i++) {
        struct dentry *sys, *dir;
        rc = fs_dir(proc, sysctls[i].dir[0], 0555, DEV_PROC, &sys);
        if (rc == 0)
            rc = fs_dir(sys, sysctls[i].dir[1], 0555, DEV_PROC, &dir);
        if (rc == 0)
            rc = put(dir, &sysctls[i].entry);
    }
    return rc;
}
