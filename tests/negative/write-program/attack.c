/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: changes its own program file, which the next request will execute: opened for
 *   writing by every path, mapped shared, through /proc/self/mem (which ignores page
 *   protections), through a pipe that holds the file's own pages (the "dirty pipe"),
 *   replaced, renamed, chmodded.
 * Stopped by: read-only mount; the file belongs to another uid; a write to a private mapping
 *   is a copy.
 * Lives in: src/jail (zygote's mount_setattr).
 *
 * Control: root
 */
#include "../harness/attack.h"

static volatile const char marker[] = "skerry-unchanged-text-of-the-program";

static void look(const char *how)
{
    char text[sizeof(marker)];
    char original[sizeof(marker)];
    for (size_t i = 0; i < sizeof(marker); i++)
        original[i] = marker[i];
    /* The file, not the mapping: where the marker lies in it was noted before. */
    static off_t at = -1;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (at < 0) {
        struct stat status;
        fstat(fd, &status);
        char *file = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (file != MAP_FAILED) {
            char *found = memmem(file, (size_t)status.st_size, original, sizeof(original));
            at = found ? found - file : -1;
            munmap(file, (size_t)status.st_size);
        }
    } else if (pread(fd, text, sizeof(text), at) == (ssize_t)sizeof(text) && text[0] != 's') {
        got("the program file is changed %s", how);
    } else {
        blocked("the program file is unchanged %s", how);
    }
    close(fd);
}

static void through_memory(void)
{
    int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
    if (mem < 0) {
        blocked("/proc/self/mem: %s", strerror(errno));
        return;
    }
    char letter = 'X';
    ssize_t done = pwrite(mem, &letter, 1, (off_t)(uintptr_t)&marker[0]);
    note("/proc/self/mem wrote %zd into read-only memory", done);
    look("through /proc/self/mem");
    int exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    char *shared = exe < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ, MAP_SHARED, exe, 0);
    if (shared != MAP_FAILED && pwrite(mem, &letter, 1, (off_t)(uintptr_t)shared) == 1)
        got("a shared read-only mapping was written");
    if (shared != MAP_FAILED)
        attempt("mprotect of a shared mapping",
                syscall(SYS_mprotect, shared, 4096, PROT_READ | PROT_WRITE));
    close(mem);
}

static void through_pipe(void)
{
    int pipes[2];
    int exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (exe < 0 || pipe(pipes) < 0)
        return;
    /* Fill and drain, so that every slot of the ring has once been marked as mergeable. */
    static char block[65536];
    ssize_t size = write(pipes[1], block, sizeof(block));
    size = read(pipes[0], block, sizeof(block));
    loff_t at = 0;
    size = splice(exe, &at, pipes[1], NULL, 1, 0);
    if (size == 1 && write(pipes[1], "XXXX", 4) == 4) {
        char head[4] = "";
        if (pread(exe, head, 4, 0) == 4 && memcmp(head, "\177ELF", 4) != 0)
            got("the program's pages were written through a pipe");
        else
            blocked("a spliced page stays as it is");
    }
}

void attack(void)
{
    look("before");
    static const char *const paths[] = {"/proc/self/exe", "/proc/thread-self/exe", "/proc/1/exe"};
    for (size_t i = 0; i < COUNT(paths); i++) {
        char what[80];
        snprintf(what, sizeof(what), "open %s for writing", paths[i]);
        attempt(what, syscall(SYS_openat, AT_FDCWD, paths[i], O_RDWR | O_CLOEXEC));
    }
    char real[512] = "";
    if (readlink("/proc/self/exe", real, sizeof(real) - 1) > 0 && real[0] == '/') {
        attempt("chmod of the program", syscall(SYS_chmod, real, 0755));
        attempt("stamp of the program", syscall(SYS_utimensat, AT_FDCWD, real, NULL, 0));
        char beside[600];
        snprintf(beside, sizeof(beside), "%s.new", real);
        if (attempt("link beside the program", syscall(SYS_link, real, beside)))
            attempt("rename over the program", syscall(SYS_rename, beside, real));
    }
    through_memory();
    through_pipe();
}
