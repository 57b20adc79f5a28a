// SPDX-License-Identifier: Apache-2.0
/* What is said of files: stat, modes, times, access, and what a directory lists. */
#include <dirent.h>
#include <sys/statfs.h>
#include <sys/time.h>

#include "case.h"

static char buffer[4096];

CASE(stat_kinds)
{
    case_file("f", "abc");
    mkdir("d", 0750);
    symlink("f", "l");
    mkfifo("p", 0600);
    case_stat("f");
    case_stat("d");
    case_stat("l");
    case_stat("p");
    struct stat st;
    T(stat("l", &st));
    T(st.st_size);
    T(stat("nothing", &st));
    T(stat("f", (void *)8));
    T(fstat(99, &st));
    T(stat("f/", &st));
    T(stat("d/", &st));
    T(stat("", &st));
}
CASE(statx_all)
{
    struct statx sx;
    case_file("f", "abc");
    T(statx(AT_FDCWD, "f", 0, STATX_ALL, &sx));
    printf("%o %lu %u\n", sx.stx_mode, (unsigned long)sx.stx_size, sx.stx_nlink);
    int fd = open("f", O_RDONLY);
    T(statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &sx));
    T(statx(fd, "", 0, STATX_SIZE, &sx));
    T(statx(AT_FDCWD, "f", 0x40000000, STATX_ALL, &sx));
    T(statx(AT_FDCWD, "f", 0, 0x80000000, &sx));
    T(statx(AT_FDCWD, "nothing", 0, STATX_ALL, &sx));
}
CASE(fstatat_all)
{
    struct stat st;
    case_file("f", "abc");
    symlink("f", "l");
    T(fstatat(AT_FDCWD, "l", &st, 0));
    T(st.st_size);
    T(fstatat(AT_FDCWD, "l", &st, AT_SYMLINK_NOFOLLOW));
    T(st.st_size);
    int fd = open("f", O_RDONLY);
    T(fstatat(fd, "", &st, AT_EMPTY_PATH));
    T(fstatat(fd, "x", &st, 0));
    T(fstatat(AT_FDCWD, "f", &st, 0x10000000));
    T(fstatat(99, "f", &st, 0));
}
CASE(chmod_all)
{
    case_file("f", "");
    T(chmod("f", 0123));
    case_stat("f");
    int fd = open("f", O_RDWR);
    T(fchmod(fd, 07777));
    case_stat("f");
    T(chmod("nothing", 0));
    T(fchmod(99, 0));
    T(fchmodat(AT_FDCWD, "f", 0640, 0));
    case_stat("f");
    symlink("f", "l");
    T(chmod("l", 0600));
    case_stat("l");
    mkdir("d", 0);
    T(chmod("d", 01777));
    case_stat("d");
}
CASE(chown_same)
{
    case_file("f", "");
    T(chown("f", (uid_t)-1, (gid_t)-1));
    T(chown("f", getuid(), getgid()));
    T(chown("nothing", 0, 0));
    T(fchown(99, 0, 0));
    T(lchown("f", (uid_t)-1, getgid()));
}
CASE(access_all)
{
    case_file("f", "");
    chmod("f", 0644);
    T(access("f", F_OK));
    T(access("f", R_OK | W_OK));
    T(access("nothing", F_OK));
    T(access("f", 99));
    T(access("f/x", F_OK));
    T(faccessat(AT_FDCWD, "f", R_OK, AT_EACCESS));
    T(access("", F_OK));
    T(access("f", X_OK));
    mkdir("d", 0755);
    T(access("d", X_OK));
}
CASE(utimens_all)
{
    case_file("f", "");
    struct timespec ts[2] = {{100, 5}, {200, 6}};
    struct stat st;
    T(utimensat(AT_FDCWD, "f", ts, 0));
    stat("f", &st);
    printf("%ld.%ld %ld.%ld\n", st.st_atim.tv_sec, st.st_atim.tv_nsec, st.st_mtim.tv_sec,
           st.st_mtim.tv_nsec);
    ts[0].tv_nsec = UTIME_OMIT;
    ts[1].tv_sec = 300;
    T(utimensat(AT_FDCWD, "f", ts, 0));
    stat("f", &st);
    printf("%ld %ld\n", st.st_atim.tv_sec, st.st_mtim.tv_sec);
    ts[1].tv_nsec = 2000000000;
    T(utimensat(AT_FDCWD, "f", ts, 0));
    T(utimensat(AT_FDCWD, "nothing", NULL, 0));
    struct timeval tv[2] = {{1, 2}, {3, 4}};
    T(utimes("f", tv));
    stat("f", &st);
    printf("%ld %ld\n", st.st_atim.tv_sec, st.st_mtim.tv_nsec);
    T(futimens(open("f", O_RDWR), NULL));
    tv[0].tv_usec = 1000000;
    T(utimes("f", tv));
}
CASE(times_change)
{
    struct stat a, b;
    case_file("f", "x");
    struct timespec ts[2] = {{100, 0}, {100, 0}};
    utimensat(AT_FDCWD, "f", ts, 0);
    int fd = open("f", O_WRONLY);
    stat("f", &a);
    T(write(fd, "y", 1));
    stat("f", &b);
    OK(b.st_mtime > a.st_mtime);
    utimensat(AT_FDCWD, ".", ts, 0);
    case_file("g", "");
    stat(".", &b);
    OK(b.st_mtime > 100);
}
CASE(getdents_all)
{
    mkdir("d", 0700);
    case_file("d/a", "");
    case_file("d/b", "");
    mkdir("d/c", 0700);
    symlink("x", "d/l");
    case_list("d");
    case_list("nothing");
    case_list("d/a");
    unlink("d/a");
    case_list("d");
    rename("d/b", "d/z");
    case_list("d");
    int fd = open("d", O_RDONLY);
    T(syscall(SYS_getdents64, fd, buffer, 1));
    T(syscall(SYS_getdents64, 0, buffer, 1000));
    OK(syscall(SYS_getdents64, fd, buffer, sizeof(buffer)) > 0);
    T(syscall(SYS_getdents64, fd, buffer, sizeof(buffer)));
    T(lseek(fd, 0, SEEK_SET));
    OK(syscall(SYS_getdents64, fd, buffer, sizeof(buffer)) > 0);
}
CASE(getdents_many)
{
    char name[32];
    mkdir("d", 0700);
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof(name), "d/file%03d", i);
        close(open(name, O_CREAT | O_WRONLY, 0600));
    }
    DIR *dir = opendir("d");
    int n = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        n++;
        if (e->d_name[0] == 'f' && n % 3 == 0) {
            snprintf(name, sizeof(name), "d/%.8s", e->d_name);
            unlink(name);
        }
    }
    T(n);
    rewinddir(dir);
    for (n = 0; readdir(dir);)
        n++;
    T(n);
}
CASE(seekdir_all)
{
    mkdir("d", 0700);
    for (char c = 'a'; c < 'g'; c++) {
        char name[4] = {'d', '/', c, 0};
        case_file(name, "");
    }
    DIR *dir = opendir("d");
    readdir(dir);
    readdir(dir);
    long at = telldir(dir);
    struct dirent *e = readdir(dir);
    char first = e->d_name[0];
    readdir(dir);
    seekdir(dir, at);
    e = readdir(dir);
    OK(e && e->d_name[0] == first);
}
