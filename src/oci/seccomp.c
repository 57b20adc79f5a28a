/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache of compiled profiles. A file is named by a hash of the profile's text and holds that
 * text, so that two profiles never share a program; it is believed only if it and its directory
 * belong to us alone.
 */
#include "oci/seccomp.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/fd.h"
#include "oci/helper_run.h"
#include "oci/seccomp_answer.h"

#define MAGIC     "skerry-f1"
#define FILES_MAX 256 /* beyond that the cache begins anew */
#define FILE_MAX  (JSON_SIZE_MAX + 2 * SECCOMP_ANSWER_MAX)

struct cache_head {
    char magic[16];
    char kernel[128]; /* release and machine: what libseccomp asked the kernel may change with it */
    uint64_t text_size;
    struct seccomp_answer answer;
    /* code[answer.count], then text[text_size] */
};

static uint64_t hash(const char *text, size_t size)
{
    uint64_t sum = 0xcbf29ce484222325u; /* FNV-1a: names a file, proves nothing */
    for (size_t i = 0; i < size; i++)
        sum = (sum ^ (unsigned char)text[i]) * 0x100000001b3u;
    return sum;
}

static void kernel_name(char out[128])
{
    struct utsname facts;
    memset(out, 0, 128);
    if (uname(&facts) == 0)
        snprintf(out, 128, "%.64s %.32s", facts.release, facts.machine);
}

/* --- reading --- */

static bool ours_alone(int fd, mode_t type, mode_t forbidden)
{
    struct stat facts;
    return fstat(fd, &facts) == 0 && (facts.st_mode & S_IFMT) == type &&
           facts.st_uid == geteuid() && (facts.st_mode & forbidden) == 0;
}

static int open_cache(const char *path)
{
    if (path == NULL)
        return -1;
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return -1;
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir >= 0 && !ours_alone(dir, S_IFDIR, 0022))
        fd_close(&dir);
    return dir;
}

static bool library_is_there(const struct seccomp_library *library)
{
    struct stat facts;
    return memchr(library->path, '\0', sizeof(library->path)) != NULL && library->path[0] == '/' &&
           stat(library->path, &facts) == 0 && facts.st_dev == library->device &&
           facts.st_ino == library->inode && (uint64_t)facts.st_size == library->size &&
           facts.st_mtim.tv_sec * 1000000000 + facts.st_mtim.tv_nsec == library->modified_ns;
}

static bool is_entry_of(const struct cache_head *head, size_t size,
                        const struct oci_seccomp *seccomp)
{
    char kernel[128];
    kernel_name(kernel);
    if (size < sizeof(*head) || memcmp(head->magic, MAGIC, sizeof(MAGIC)) != 0 ||
        memcmp(head->kernel, kernel, sizeof(kernel)) != 0 || head->answer.count == 0 ||
        head->answer.count > SECCOMP_INSTRUCTIONS_MAX || head->text_size != seccomp->text_size)
        return false;
    size_t code = head->answer.count * sizeof(struct sock_filter);
    if (size - sizeof(*head) < code || size - sizeof(*head) - code != head->text_size)
        return false;
    return memcmp((const char *)(head + 1) + code, seccomp->text, seccomp->text_size) == 0 &&
           library_is_there(&head->answer.library);
}

static bool from_cache(int dir, const char *name, const struct oci_seccomp *seccomp,
                       struct oci_filter *out)
{
    struct stat facts;
    fd_owner file =
        dir >= 0 ? openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;
    if (file < 0 || !ours_alone(file, S_IFREG, 0077) || fstat(file, &facts) < 0 ||
        facts.st_nlink != 1 || facts.st_size <= 0 || facts.st_size > (off_t)FILE_MAX)
        return false;
    size_t size = (size_t)facts.st_size;
    void *mapping = mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0);
    if (mapping == MAP_FAILED)
        return false;
    const struct cache_head *head = mapping;
    if (!is_entry_of(head, size, seccomp)) {
        munmap(mapping, size);
        return false;
    }
    out->mapping = mapping;
    out->mapping_size = size;
    out->code = (const struct sock_filter *)(head + 1);
    out->length = (unsigned short)head->answer.count;
    return true;
}

/* --- writing --- */

/* Profiles that nobody uses any more are not worth bookkeeping: a full cache is emptied. */
static void keep_small(int dir)
{
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = copy >= 0 ? fdopendir(copy) : NULL;
    unsigned int count = 0;
    for (struct dirent *entry; listing != NULL && (entry = readdir(listing)) != NULL;)
        count += entry->d_name[0] != '.';
    if (count >= FILES_MAX) {
        rewinddir(listing);
        for (struct dirent *entry; (entry = readdir(listing)) != NULL;) {
            if (strstr(entry->d_name, ".bpf") != NULL)
                unlinkat(dir, entry->d_name, 0);
        }
    }
    if (listing != NULL)
        closedir(listing);
}

/* Best effort: without an entry the next start compiles again. A reader sees all of it or nothing.
 */
static void to_cache(int dir, const char *name, const struct oci_seccomp *seccomp,
                     const struct seccomp_answer *answer)
{
    struct cache_head head = {.magic = MAGIC, .text_size = seccomp->text_size, .answer = *answer};
    char fresh[64];
    if (dir < 0 || answer->library.path[0] == '\0')
        return;
    keep_small(dir);
    kernel_name(head.kernel);
    snprintf(fresh, sizeof(fresh), ".%d.bpf", (int)getpid());
    unlinkat(dir, fresh, 0); /* of a dead process that had our pid */
    fd_owner file = openat(dir, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0)
        return;
    int result = fd_write_all(file, &head, sizeof(head));
    if (result == 0)
        result = fd_write_all(file, answer + 1, answer->count * sizeof(struct sock_filter));
    if (result == 0)
        result = fd_write_all(file, seccomp->text, seccomp->text_size);
    if (result < 0 || renameat(dir, fresh, dir, name) < 0)
        unlinkat(dir, fresh, 0);
}

/* --- compiling --- */

static int compile(const struct oci_seccomp *seccomp, const char *helper, int dir, const char *name,
                   struct oci_filter *out, struct err *err)
{
    char *const argv[] = {(char *)(uintptr_t)helper, NULL};
    char *bytes = NULL;
    size_t size = 0;
    int result = oci_helper_run(argv, seccomp->text, seccomp->text_size, SECCOMP_ANSWER_MAX, &bytes,
                                &size, err);
    if (result < 0)
        return result;
    const struct seccomp_answer *answer = (const void *)bytes;
    size_t code = size >= sizeof(*answer) ? size - sizeof(*answer) : 0;
    if (code == 0 || answer->count != code / sizeof(struct sock_filter) ||
        code % sizeof(struct sock_filter) != 0) {
        free(bytes);
        return err_set(err, EPROTO, "linux.seccomp: %s answered %zu bytes that are no program",
                       helper, size);
    }
    to_cache(dir, name, seccomp, answer);
    out->compiled = true;
    out->answer = bytes;
    out->code = (const void *)(answer + 1);
    out->length = (unsigned short)answer->count;
    return 0;
}

static bool notifies(const struct oci_seccomp *seccomp)
{
    for (size_t i = 0; i < seccomp->rule_count; i++) {
        if (seccomp->rules[i].action == OCI_ACT_NOTIFY)
            return true;
    }
    return false;
}

int oci_seccomp_get(const struct oci_seccomp *seccomp, const char *cache_dir, const char *helper,
                    struct oci_filter *out, struct err *err)
{
    struct oci_filter filter = {.flags = seccomp->filter_flags, .notifies = notifies(seccomp)};
    char name[32];
    if (filter.notifies)
        filter.flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
    snprintf(name, sizeof(name), "%016" PRIx64 ".bpf", hash(seccomp->text, seccomp->text_size));
    fd_owner dir = open_cache(cache_dir);
    int result = 0;
    if (!from_cache(dir, name, seccomp, &filter))
        result = compile(seccomp, helper, dir, name, &filter, err);
    if (result == 0)
        *out = filter;
    return result;
}

void oci_filter_free(struct oci_filter *filter)
{
    if (filter->mapping != NULL)
        munmap(filter->mapping, filter->mapping_size);
    free(filter->answer);
    *filter = (struct oci_filter){0};
}
