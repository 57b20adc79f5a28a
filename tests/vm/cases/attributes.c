// SPDX-License-Identifier: Apache-2.0
/* What is said of files: stat, modes, times, access, and what a directory lists. */
#include <dirent.h>
#include <sys/statfs.h>
#include <sys/time.h>

#include <grp.h>
#include <sys/fsuid.h>
#include <sys/resource.h>

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
/* The cases user_* run as user 1000, on both sides. A file without a name asks the directory for
 * the right to write. */
CASE(user_tmpfile)
{
    mkdir("closed", 0500);
    mkdir("open", 0700);
    T(open("closed", O_TMPFILE | O_RDWR, 0600));
    T(open("closed/file", O_CREAT | O_RDWR, 0600));
    OK(open("open", O_TMPFILE | O_RDWR, 0600) >= 0);
    T(open("open", O_TMPFILE | O_RDONLY, 0600));
}
CASE(user_open)
{
    case_file("unreadable", "m");
    chmod("unreadable", 0300);
    case_file("read", "a");
    chmod("read", 0444);
    mkdir("shut", 0700);
    case_file("shut/in", "x");
    chmod("shut", 0600);
    T(open("unreadable", O_RDONLY));
    OK(open("unreadable", O_WRONLY) >= 0);
    OK(open("read", O_RDONLY) >= 0);
    T(open("read", O_RDWR));
    T(open("read", O_RDONLY | O_TRUNC));
    T(truncate("read", 0));
    T(open("shut/in", O_RDONLY));
    OK(open("shut", O_RDONLY | O_DIRECTORY) >= 0);
    T(chdir("shut"));
    T(access("unreadable", R_OK));
    T(access("unreadable", W_OK | X_OK));
    T(access("read", R_OK));
    T(access("read", X_OK));
    T(chown("read", 0, 0));
    T(chown("read", 1000, 1000));
    T(unlink("read"));
}
CASE(user_directory)
{
    mkdir("d", 0700);
    case_file("d/f", "x");
    mkdir("d/sub", 0700);
    chmod("d", 0500);
    T(unlink("d/f"));
    T(rename("d/f", "d/g"));
    T(rename("d/f", "out"));
    T(mkdir("d/new", 0700));
    T(rmdir("d/sub"));
    T(symlink("x", "d/link"));
    T(link("d/f", "d/hard"));
    T(link("d/f", "hard"));
    T(mknod("d/fifo", S_IFIFO | 0600, 0));
    OK(open("d/f", O_RDWR) >= 0);
    chmod("d", 0300);
    T(open("d", O_RDONLY));
    T(unlink("d/f"));
}
CASE(user_setid_dropped)
{
    case_file("f", "x");
    chmod("f", 06755);
    int fd = open("f", O_WRONLY);
    case_stat("f");
    T(write(fd, "y", 1));
    case_stat("f");
    chmod("f", 02644);
    T(write(fd, "y", 1));
    case_stat("f");
}
CASE(chown_clears_setid)
{
    case_file("f", "x");
    chmod("f", 06755);
    T(chown("f", 5, 6));
    case_stat("f");
    chmod("f", 02644); /* without x for the group that bit means something else */
    T(chown("f", 7, 8));
    case_stat("f");
}
CASE(user_stdio_modes)
{
    T(fchmod(1, 0600));
    T(fchown(1, 1000, 1000));
    T(fchmod(0, 0600));
}
CASE(stdio_reopen)
{
    OK(open("/dev/stdout", O_WRONLY) >= 0 || errno == EACCES);
    T(fcntl(1, F_GETFL) & O_ACCMODE);
    T(fcntl(0, F_SETFL, O_NONBLOCK));
    T(fcntl(99, F_GETFL));
}
CASE(user_ids)
{
    uid_t r, e, s;
    T(getresuid(&r, &e, &s));
    printf("%d %d %d\n", r, e, s);
    T(setuid(0));
    T(setgid(0));
    T(seteuid(0));
    T(setresuid(-1, -1, 0));
    T(setresuid(1000, 1000, 1000));
    T(setreuid(-1, -1));
    T(setgroups(0, NULL));
    T(setfsuid(-1));
    T(sethostname("x", 1));
    struct rlimit limit = {100, 100};
    T(setrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_max = 200;
    T(setrlimit(RLIMIT_NOFILE, &limit));
}
CASE(limits_lowered)
{
    struct rlimit limit = {8, 8};
    T(setrlimit(RLIMIT_NOFILE, &limit));
    int last = -1, fd;
    while ((fd = open("/dev/null", O_RDONLY)) >= 0)
        last = fd;
    printf("%d %s\n", last, strerrorname_np(errno));
    T(dup2(0, 8));
    T(dup2(0, 7));
    limit.rlim_cur = 9;
    limit.rlim_max = 8;
    T(setrlimit(RLIMIT_NOFILE, &limit));
    T(setrlimit(99, &limit));
    T(getrlimit(RLIMIT_NOFILE, &limit));
    printf("%ld %ld\n", (long)limit.rlim_cur, (long)limit.rlim_max);
    T(setrlimit(RLIMIT_NOFILE, (void *)8));
}
