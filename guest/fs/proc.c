// SPDX-License-Identifier: Apache-2.0
/*
 * /proc, as much as programs ask of themselves: /proc/self (and its number) with exe, cwd, root,
 * fd, task, maps, status, stat, cmdline, environ, comm, mounts, auxv and limits; cpuinfo, meminfo,
 * stat, uptime, loadavg, version, filesystems, and some of sys/kernel and sys/vm. A file's text is
 * made when it is opened.
 */
#include "../ipc/stdio.h"
#include "../kernel/format.h"
#include "../kernel/process.h"
#include "../kernel/thread.h"
#include "../mm/heap.h"
#include "device.h"
#include "open.h"
#include "proctext.h"

struct entry {
    const char *name;
    uint32_t mode;
    void (*text)(struct format *out);
    const struct inode_ops *ops;
};

static int made_up(const struct entry *entry, struct inode **out);

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
    format_text(&text, S_IS(mode, S_IFIFO)    ? "pipe:["
                       : S_IS(mode, S_IFSOCK) ? "socket:["
                                              : "anon_inode:[");
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
    if (file->inode) {
        stand_in->uid = file->inode->uid;
        stand_in->gid = file->inode->gid;
    }
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
    if (stdio_is(old) && (old->flags & O_ACCMODE) != (file->flags & O_ACCMODE))
        return -EACCES; /* a ring goes one way */
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
    {"maps", S_IFREG | 0444, proc_maps, NULL},
    {"status", S_IFREG | 0444, proc_status, NULL},
    {"stat", S_IFREG | 0444, proc_stat, NULL},
    {"statm", S_IFREG | 0444, proc_statm, NULL},
    {"cmdline", S_IFREG | 0444, proc_cmdline, NULL},
    {"environ", S_IFREG | 0400, proc_environ, NULL},
    {"comm", S_IFREG | 0644, proc_comm, NULL},
    {"auxv", S_IFREG | 0400, proc_auxv, NULL},
    {"mounts", S_IFREG | 0444, proc_mounts, NULL},
    {"mountinfo", S_IFREG | 0444, proc_mountinfo, NULL},
    {"limits", S_IFREG | 0444, proc_limits, NULL},
    {"cgroup", S_IFREG | 0444, proc_cgroup, NULL},
    {"oom_score_adj", S_IFREG | 0444, proc_oom, NULL},
};

static int find_entry(const struct entry *entries, size_t count, const char *name, size_t len,
                      struct inode **out)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(entries[i].name) == len && !memcmp(entries[i].name, name, len))
            return made_up(&entries[i], out);
    }
    return -ENOENT;
}

static int nth_entry(const struct entry *entries, size_t count, uint64_t index, char name[32],
                     uint32_t *out_mode)
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
    {"cpuinfo", S_IFREG | 0444, proc_cpuinfo, NULL},
    {"meminfo", S_IFREG | 0444, proc_meminfo, NULL},
    {"stat", S_IFREG | 0444, proc_kernel_stat, NULL},
    {"uptime", S_IFREG | 0444, proc_uptime, NULL},
    {"loadavg", S_IFREG | 0444, proc_loadavg, NULL},
    {"version", S_IFREG | 0444, proc_version, NULL},
    {"filesystems", S_IFREG | 0444, proc_filesystems, NULL},
    {"mounts", S_IFREG | 0444, proc_mounts, NULL},
};

static const struct {
    const char *dir[2];
    struct entry entry;
} sysctls[] = {
    {{"sys", "kernel"}, {"ostype", S_IFREG | 0444, proc_ostype, NULL}},
    {{"sys", "kernel"}, {"osrelease", S_IFREG | 0444, proc_osrelease, NULL}},
    {{"sys", "kernel"}, {"hostname", S_IFREG | 0444, proc_hostname, NULL}},
    {{"sys", "kernel"}, {"pid_max", S_IFREG | 0444, proc_pid_max, NULL}},
    {{"sys", "vm"}, {"overcommit_memory", S_IFREG | 0444, proc_one, NULL}},
    {{"sys", "net"}, {"somaxconn", S_IFREG | 0444, proc_somaxconn, NULL}},
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
