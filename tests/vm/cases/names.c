// SPDX-License-Identifier: Apache-2.0
/* Names: directories, links, renaming, and what stat says. */
#include <dirent.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <utime.h>

#include "case.h"

static char buffer[4096];

CASE(mkdir_rmdir)
{
    T(mkdir("d", 0755));
    T(mkdir("d", 0755));
    T(mkdir("x/y", 0755));
    T(rmdir("d"));
    T(rmdir("d"));
    case_file("f", "");
    T(rmdir("f"));
    T(mkdir("f/d", 0755));
    T(mkdir("", 0755));
    T(mkdir("e/", 0700));
    T(rmdir("e/."));
    T(rmdir("."));
    T(mkdir("e/f", 0700));
    T(rmdir("e"));
    T(rmdir("e/f/.."));
    T(rmdir("e/f"));
    T(rmdir("e/"));
    T(mkdir("/", 0755));
}
CASE(mkdir_mode)
{
    umask(022);
    mkdir("a", 0777);
    case_stat("a");
    umask(0);
    mkdir("b", 01777);
    case_stat("b");
    mkdir("b/c", 0700);
    case_stat("b");
}
CASE(unlink_all)
{
    T(unlink("f"));
    case_file("f", "x");
    T(unlink("f"));
    mkdir("d", 0700);
    T(unlink("d"));
    T(unlink(""));
    case_file("g", "");
    T(unlink("g/"));
    T(unlink("g/x"));
    T(unlinkat(AT_FDCWD, "g", AT_REMOVEDIR));
    T(unlinkat(AT_FDCWD, "d", AT_REMOVEDIR));
    T(unlinkat(AT_FDCWD, "g", 0x8000));
    T(unlinkat(99, "g", 0));
}
CASE(unlink_open)
{
    case_file("f", "abc");
    int fd = open("f", O_RDWR);
    T(unlink("f"));
    T(read(fd, buffer, 10));
    T(write(fd, "def", 3));
    struct stat st;
    fstat(fd, &st);
    T(st.st_nlink);
    T(st.st_size);
    T(access("f", F_OK));
    case_file("f", "new");
    case_cat("f");
    T(pread(fd, buffer, 10, 0));
}
CASE(rename_file)
{
    case_file("a", "A");
    T(rename("a", "b"));
    case_cat("b");
    T(access("a", F_OK));
    case_file("c", "C");
    T(rename("c", "b"));
    case_cat("b");
    T(rename("nothing", "x"));
    T(rename("b", "no/x"));
    T(rename("b", "b"));
    T(rename("b", "x/"));
    mkdir("d", 0700);
    T(rename("b", "d"));
    T(rename("d", "b"));
    T(rename("b", "d/b"));
    case_cat("d/b");
}
CASE(rename_dir)
{
    mkdir("a", 0700);
    mkdir("a/b", 0700);
    case_file("a/b/f", "x");
    T(rename("a", "a/b/c"));
    T(rename("a", "a/b"));
    T(rename("a", "z"));
    case_cat("z/b/f");
    mkdir("e", 0700);
    T(rename("z", "e"));
    case_cat("e/b/f");
    mkdir("n", 0700);
    case_file("n/f", "");
    T(rename("e", "n"));
    T(rename("e/.", "q"));
    T(rename("e/..", "q"));
    case_stat("e");
    T(rename("e/b", "e"));
}
CASE(rename_flags)
{
    case_file("a", "A");
    case_file("b", "B");
    T(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE));
    T(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE));
    case_cat("a");
    case_cat("b");
    T(renameat2(AT_FDCWD, "a", AT_FDCWD, "c", RENAME_EXCHANGE));
    T(renameat2(AT_FDCWD, "a", AT_FDCWD, "c", RENAME_NOREPLACE));
    T(renameat2(AT_FDCWD, "a", AT_FDCWD, "c", 99));
    T(renameat2(AT_FDCWD, "b", AT_FDCWD, "d", RENAME_NOREPLACE | RENAME_EXCHANGE));
    mkdir("m", 0700);
    T(renameat2(AT_FDCWD, "m", AT_FDCWD, "b", RENAME_EXCHANGE));
    case_list(".");
}
CASE(link_all)
{
    case_file("a", "A");
    T(link("a", "b"));
    case_stat("a");
    int fd = open("b", O_WRONLY);
    T(write(fd, "Z", 1));
    case_cat("a");
    T(unlink("a"));
    case_stat("b");
    T(link("nothing", "c"));
    T(link("b", "b"));
    mkdir("d", 0700);
    T(link("d", "e"));
    symlink("b", "l");
    T(link("l", "m"));
    case_stat("m");
    T(linkat(AT_FDCWD, "l", AT_FDCWD, "n", AT_SYMLINK_FOLLOW));
    case_stat("n");
    T(link("b", "x/y"));
    T(link("b", ""));
}
CASE(symlink_all)
{
    T(symlink("target", "l"));
    T(symlink("x", "l"));
    T(symlink("", "m"));
    T(readlink("l", buffer, 3));
    printf("%.3s\n", buffer);
    T(readlink("l", buffer, 100));
    T(readlink("l", buffer, 0));
    case_file("f", "");
    T(readlink("f", buffer, 9));
    T(readlink("nothing", buffer, 9));
    case_stat("l");
    mkdir("d", 0700);
    symlink("d", "dl");
    T(mkdir("dl/x", 0700));
    case_stat("d/x");
    T(rmdir("dl"));
    T(unlink("dl"));
    T(symlink("d", "s/"));
    T(readlink("d/", buffer, 9));
}
CASE(symlink_walk)
{
    mkdir("a", 0700);
    mkdir("a/b", 0700);
    case_file("a/b/f", "found");
    symlink("a/b", "l");
    symlink("../a", "a/up");
    case_cat("l/f");
    case_cat("a/up/b/f");
    case_cat("l/../b/f");
    case_cat("l//f");
    case_cat("./l/./f");
    symlink("l/f", "lf");
    case_cat("lf");
    symlink("a/", "slash");
    case_cat("slash/b/f");
}
CASE(chdir_getcwd)
{
    char *start = getcwd(NULL, 0);
    mkdir("d", 0700);
    T(chdir("d"));
    getcwd(buffer, sizeof(buffer));
    OK(!strcmp(buffer + strlen(start), "/d"));
    T(chdir(".."));
    T(chdir("nothing"));
    case_file("f", "");
    T(chdir("f"));
    T(fchdir(99));
    T(fchdir(open("f", O_RDONLY)));
    T(fchdir(open("d", O_RDONLY)));
    T(getcwd(buffer, 2) == NULL);
    T(errno == ERANGE);
    T(chdir("/"));
    T(strcmp(getcwd(buffer, 99), "/"));
    T(chdir("/.."));
    T(syscall(SYS_getcwd, buffer, 100));
}
CASE(removed_cwd)
{
    mkdir("d", 0700);
    chdir("d");
    T(rmdir("../d"));
    T(syscall(SYS_getcwd, buffer, 1000));
    T(open("f", O_CREAT | O_RDWR, 0600));
    T(mkdir("x", 0700));
    T(access("..", F_OK));
    T(access(".", F_OK));
    case_list(".");
}
CASE(mknod_all)
{
    T(mkfifo("p", 0644));
    T(mkfifo("p", 0644));
    case_stat("p");
    T(mknod("f", S_IFREG | 0600, 0));
    case_stat("f");
    T(mknod("g", 0600, 0));
    case_stat("g");
    T(mknod("h", S_IFDIR | 0600, 0));
    T(mknod("nothing/x", S_IFREG, 0));
    T(mknod("s", S_IFSOCK | 0600, 0));
    case_stat("s");
    T(open("s", O_RDONLY));
}
CASE(statfs_all)
{
    struct statfs s;
    T(statfs("/tmp", &s));
    OK(s.f_bsize == 4096);
    T(s.f_namelen);
    T(statfs("nothing", &s));
    T(fstatfs(99, &s));
    T(statfs("/proc", &s));
    printf("%lx\n", (long)s.f_type);
}
CASE(link_counts)
{
    mkdir("d", 0700);
    case_stat("d");
    mkdir("d/a", 0700);
    mkdir("d/b", 0700);
    case_stat("d");
    rmdir("d/a");
    case_stat("d");
    mkdir("e", 0700);
    rename("d/b", "e/b");
    case_stat("d");
    case_stat("e");
}
CASE(dot_names)
{
    T(open("./././f", O_CREAT | O_RDWR, 0600));
    T(access("../nothing-of-that-name/..", F_OK));
    mkdir("d", 0700);
    T(access("d/../d/../f", F_OK));
    T(mkdir("..", 0700));
    T(mkdir(".", 0700));
    T(rename("f", "."));
    T(unlink(".."));
    T(unlink("."));
    T(symlink("x", "."));
    T(link("f", ".."));
}
CASE(openat2_resolve)
{
    struct {
        unsigned long flags, mode, resolve;
    } how = {O_RDONLY, 0, 0};
    mkdir("d", 0700);
    case_file("d/f", "x");
    case_file("g", "x");
    symlink("f", "d/l");
    symlink("/dev/null", "d/abs");
    symlink("../g", "d/up");
    int d = open("d", O_RDONLY);
    T(syscall(SYS_openat2, d, "f", &how, 24));
    how.resolve = 8;
    T(syscall(SYS_openat2, d, "f", &how, 24));
    T(syscall(SYS_openat2, d, "up", &how, 24));
    T(syscall(SYS_openat2, d, "../g", &how, 24));
    T(syscall(SYS_openat2, d, "/dev/null", &how, 24));
    T(syscall(SYS_openat2, d, "abs", &how, 24));
    how.resolve = 4;
    T(syscall(SYS_openat2, d, "l", &how, 24));
    how.resolve = 16;
    T(syscall(SYS_openat2, d, "/f", &how, 24));
    T(syscall(SYS_openat2, d, "../f", &how, 24));
    T(syscall(SYS_openat2, d, "up", &how, 24));
    how.resolve = 64;
    T(syscall(SYS_openat2, d, "f", &how, 24));
    how.resolve = 0;
    T(syscall(SYS_openat2, d, "f", &how, 8));
    how.mode = 0600;
    T(syscall(SYS_openat2, d, "f", &how, 24));
    how.mode = 0;
    how.flags = 1UL << 40;
    T(syscall(SYS_openat2, d, "f", &how, 24));
}
CASE(xattr_none)
{
    case_file("f", "");
    OK(syscall(SYS_fgetxattr, 99, "user.x", buffer, 10) < 0);
    T(syscall(SYS_getxattr, "nothing", "user.x", buffer, 10));
}
CASE(rename_over_open)
{
    case_file("a", "old");
    case_file("b", "new");
    int fd = open("a", O_RDONLY);
    T(rename("b", "a"));
    T(read(fd, buffer, 9));
    printf("%.3s\n", buffer);
    case_cat("a");
}
CASE(proc_self_fd)
{
    case_file("f", "content");
    int fd = open("f", O_RDONLY);
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(path, buffer, sizeof(buffer));
    OK(n > 2 && !memcmp(buffer + n - 2, "/f", 2));
    case_cat("/dev/fd/3");
    T(readlink("/proc/self/fd/99", buffer, 9));
    T(open("/proc/self/fd/99", O_RDONLY));
    int p[2];
    pipe(p);
    n = readlink("/proc/self/fd/4", buffer, sizeof(buffer));
    OK(n > 6 && !memcmp(buffer, "pipe:[", 6));
    T(open("/proc/self/fd/5", O_WRONLY));
    unlink("f");
    n = readlink(path, buffer, sizeof(buffer));
    OK(n > 10 && !memcmp(buffer + n - 9, "(deleted)", 9));
    case_list("/proc/self/fd");
}
CASE(proc_self_exe)
{
    ssize_t n = readlink("/proc/self/exe", buffer, sizeof(buffer));
    OK(n > 9 && !memcmp(buffer + n - 9, "abi-cases", 9));
    int fd = open("/proc/self/exe", O_RDONLY);
    T(read(fd, buffer, 4));
    printf("%.3s\n", buffer + 1);
    OK(access("/proc/self/maps", R_OK) == 0);
    OK(access("/proc/self/status", R_OK) == 0);
    T(open("/proc/self/maps", O_WRONLY | O_CREAT, 0600) >= 0 ? 1 : 0);
    T(open("/proc/nothing", O_RDONLY));
    T(open("/proc/self/nothing", O_RDONLY));
    T(mkdir("/proc/x", 0700));
}
CASE(proc_cmdline)
{
    int fd = open("/proc/self/cmdline", O_RDONLY);
    ssize_t n = read(fd, buffer, sizeof(buffer));
    OK(n > 13 && !memcmp(buffer + n - 13, "proc_cmdline", 13));
    T(read(fd, buffer, 10));
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(buffer, sizeof(buffer), f))
        if (!strncmp(buffer, "Threads:", 8) || !strncmp(buffer, "Name:", 5))
            fputs(buffer, stdout);
    f = fopen("/proc/meminfo", "r");
    OK(f && fgets(buffer, 99, f) && !strncmp(buffer, "MemTotal:", 9));
}
