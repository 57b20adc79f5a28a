// SPDX-License-Identifier: Apache-2.0
/* Opening, reading and writing files. */
#include <stdint.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "case.h"

static char buffer[65536];

CASE(open_missing)
{
    T(open("nothing", O_RDONLY));
    T(open("no/dir", O_RDONLY | O_CREAT, 0600));
    T(open("", O_RDONLY));
}
CASE(open_excl)
{
    T(open("f", O_CREAT | O_EXCL | O_RDWR, 0600));
    T(open("f", O_CREAT | O_EXCL | O_RDWR, 0600));
}
CASE(open_directory)
{
    mkdir("d", 0755);
    T(open("d", O_WRONLY));
    T(open("d", O_RDONLY));
    T(open("d", O_RDONLY | O_DIRECTORY));
    case_file("f", "x");
    T(open("f", O_DIRECTORY));
    T(open("d", O_RDWR | O_CREAT, 0600));
}
CASE(open_nofollow)
{
    case_file("f", "x");
    symlink("f", "l");
    T(open("l", O_RDONLY | O_NOFOLLOW));
    T(open("l", O_RDONLY));
    T(open("l", O_PATH | O_NOFOLLOW));
}
CASE(open_through_file)
{
    case_file("f", "x");
    T(open("f/x", O_RDONLY));
    T(open("f/", O_RDONLY));
    T(open("f/.", O_RDONLY));
}
CASE(open_bad_pointer)
{
    T(open((char *)8, O_RDONLY));
    T(open((char *)-1, O_RDONLY));
}
CASE(open_long_name)
{
    static char name[400];
    memset(name, 'n', 300);
    T(open(name, O_CREAT | O_RDWR, 0600));
    name[255] = 0;
    T(open(name, O_CREAT | O_RDWR, 0600));
}
CASE(open_long_path)
{
    static char path[6000];
    memset(path, '/', 5000);
    T(open(path, O_RDONLY));
    path[4095] = 0;
    T(open(path, O_RDONLY));
}
CASE(open_trunc)
{
    case_file("f", "0123456789");
    int fd = open("f", O_WRONLY | O_TRUNC);
    T(fd);
    T(lseek(fd, 0, SEEK_END));
}
CASE(open_lowest)
{
    int a = T(open("/dev/null", O_RDONLY)), b = T(open("/dev/null", O_RDONLY));
    T(close(a));
    T(open("/dev/null", O_RDONLY));
    T(close(b));
    T(dup(0));
}
CASE(open_tmpfile)
{
    int fd = T(open(".", O_TMPFILE | O_RDWR, 0600));
    T(write(fd, "abc", 3));
    struct stat st;
    fstat(fd, &st);
    T(st.st_nlink);
    T(st.st_size);
    T(open(".", O_TMPFILE | O_RDONLY, 0600));
}
CASE(open_dangling)
{
    symlink("target", "l");
    T(open("l", O_RDONLY));
    T(open("l", O_CREAT | O_EXCL | O_WRONLY, 0600));
    T(open("l", O_CREAT | O_WRONLY, 0600));
    T(access("target", F_OK));
}
CASE(open_loop)
{
    symlink("b", "a");
    symlink("a", "b");
    T(open("a", O_RDONLY));
    T(open("a", O_CREAT | O_RDWR, 0600));
}
CASE(open_mode_umask)
{
    umask(027);
    close(open("f", O_CREAT | O_RDWR, 0666));
    struct stat st;
    stat("f", &st);
    printf("%o\n", st.st_mode);
    T(umask(0));
}
CASE(open_readonly_new)
{
    int fd = T(open("f", O_CREAT | O_RDWR, 0));
    T(write(fd, "x", 1));
    struct stat st;
    fstat(fd, &st);
    printf("%o\n", st.st_mode & 07777);
}
CASE(openat_dirfd)
{
    mkdir("d", 0755);
    int d = open("d", O_RDONLY);
    T(openat(d, "f", O_CREAT | O_RDWR, 0600));
    T(access("d/f", F_OK));
    T(openat(99, "f", O_RDONLY));
    T(openat(99, "/dev/null", O_RDONLY));
    case_file("g", "");
    T(openat(open("g", O_RDONLY), "f", O_RDONLY));
}
CASE(read_write)
{
    int fd = open("f", O_CREAT | O_RDWR, 0600);
    T(write(fd, "hello", 5));
    T(lseek(fd, 1, SEEK_SET));
    T(read(fd, buffer, 3));
    printf("%.3s\n", buffer);
    T(read(fd, buffer, 100));
    T(read(fd, buffer, 100));
}
CASE(read_bad)
{
    T(read(99, buffer, 1));
    T(read(-1, buffer, 1));
    int w = open("f", O_CREAT | O_WRONLY, 0600);
    T(read(w, buffer, 1));
    int d = open(".", O_RDONLY);
    T(read(d, buffer, 1));
    case_file("g", "abc");
    int r = open("g", O_RDONLY);
    T(read(r, (void *)8, 3));
    T(read(r, (void *)8, 0));
    T(write(r, "x", 1));
    T(write(w, (void *)8, 3));
}
CASE(write_hole)
{
    int fd = open("f", O_CREAT | O_RDWR, 0600);
    T(lseek(fd, 10000, SEEK_SET));
    T(write(fd, "x", 1));
    T(lseek(fd, 0, SEEK_SET));
    T(read(fd, buffer, 20000));
    int zero = 1;
    for (int i = 0; i < 10000; i++)
        zero &= !buffer[i];
    OK(zero);
    T(buffer[10000]);
}
CASE(append)
{
    case_file("f", "abc");
    int fd = open("f", O_WRONLY | O_APPEND);
    T(write(fd, "de", 2));
    T(lseek(fd, 0, SEEK_CUR));
    T(lseek(fd, 0, SEEK_SET));
    T(write(fd, "fg", 2));
    case_cat("f");
    T(pwrite(fd, "X", 1, 0));
    case_cat("f");
}
CASE(pread_pwrite)
{
    int fd = open("f", O_CREAT | O_RDWR, 0600);
    T(pwrite(fd, "abcdef", 6, 3));
    T(pread(fd, buffer, 10, 4));
    printf("%.5s\n", buffer);
    T(lseek(fd, 0, SEEK_CUR));
    T(pread(fd, buffer, 10, -1));
    T(pread(fd, buffer, 10, 100));
    int p[2];
    pipe(p);
    T(pread(p[0], buffer, 1, 0));
    T(pwrite(p[1], "x", 1, 0));
}
CASE(readv_writev)
{
    int fd = open("f", O_CREAT | O_RDWR, 0600);
    struct iovec v[3] = {{"ab", 2}, {"", 0}, {"cde", 3}};
    T(writev(fd, v, 3));
    char a[2], b[10];
    struct iovec r[2] = {{a, 2}, {b, 10}};
    T(preadv(fd, r, 2, 1));
    printf("%.2s %.2s\n", a, b);
    T(writev(fd, v, -1));
    T(writev(fd, v, 1025));
    T(writev(fd, (void *)8, 1));
    T(writev(fd, v, 0));
    v[0].iov_len = (size_t)-1;
    T(writev(fd, v, 1));
    T(lseek(fd, 0, SEEK_CUR));
}
CASE(lseek_all)
{
    case_file("f", "0123456789");
    int fd = open("f", O_RDONLY);
    T(lseek(fd, 4, SEEK_SET));
    T(lseek(fd, -2, SEEK_CUR));
    T(lseek(fd, -20, SEEK_CUR));
    T(lseek(fd, -1, SEEK_END));
    T(lseek(fd, 100, SEEK_END));
    T(lseek(fd, 0, 9));
    T(lseek(99, 0, SEEK_SET));
    T(lseek(0, 0, SEEK_SET));
    T(lseek(fd, -1, SEEK_SET));
}
CASE(lseek_data)
{
    int fd = open("f", O_CREAT | O_RDWR, 0600);
    ftruncate(fd, 65536);
    pwrite(fd, "x", 1, 20480);
    T(lseek(fd, 0, SEEK_DATA));
    T(lseek(fd, 0, SEEK_HOLE));
    T(lseek(fd, 20480, SEEK_HOLE));
    T(lseek(fd, 30000, SEEK_DATA));
    T(lseek(fd, 65536, SEEK_DATA));
}
CASE(truncate_grow)
{
    case_file("f", "abcdef");
    T(truncate("f", 3));
    case_cat("f");
    T(truncate("f", 5));
    int fd = open("f", O_RDWR);
    T(read(fd, buffer, 10));
    T(buffer[3]);
    T(ftruncate(fd, -1));
    T(truncate("nothing", 1));
    mkdir("d", 0700);
    T(truncate("d", 1));
    T(ftruncate(open("f", O_RDONLY), 1));
    T(ftruncate(0, 1));
    T(truncate("f", 1L << 62));
}
CASE(fallocate_modes)
{
    int fd = open("f", O_CREAT | O_RDWR, 0600);
    T(fallocate(fd, 0, 0, 100));
    struct stat st;
    fstat(fd, &st);
    T(st.st_size);
    T(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 9000));
    fstat(fd, &st);
    T(st.st_size);
    T(fallocate(fd, 0, 0, 0));
    T(fallocate(fd, 0, -1, 5));
    T(fallocate(99, 0, 0, 5));
    T(pwrite(fd, "abcdef", 6, 0));
    T(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1, 2));
    T(pread(fd, buffer, 6, 0));
    T(buffer[1]);
    T(buffer[3]);
    T(posix_fallocate(fd, 0, 200));
}
CASE(sendfile_copy)
{
    case_file("a", "0123456789");
    int a = open("a", O_RDONLY), b = open("b", O_CREAT | O_RDWR, 0600);
    off_t at = 3;
    T(sendfile(b, a, &at, 4));
    T(at);
    T(lseek(a, 0, SEEK_CUR));
    T(sendfile(b, a, NULL, 100));
    case_cat("b");
    T(sendfile(99, a, NULL, 1));
    T(sendfile(a, b, NULL, 1));
    int p[2];
    pipe(p);
    T(sendfile(b, p[0], NULL, 1));
    lseek(a, 0, SEEK_SET);
    T(sendfile(p[1], a, NULL, 5));
    T(read(p[0], buffer, 9));
}
CASE(copy_file_range_all)
{
    case_file("a", "0123456789");
    int a = open("a", O_RDWR), b = open("b", O_CREAT | O_RDWR, 0600);
    off_t from = 2, to = 1;
    T(copy_file_range(a, &from, b, &to, 5, 0));
    T(from);
    T(to);
    T(copy_file_range(a, NULL, b, NULL, 3, 1));
    off_t x = 0, y = 2;
    T(copy_file_range(a, &x, a, &y, 5, 0));
    int d = open(".", O_RDONLY);
    T(copy_file_range(d, NULL, b, NULL, 3, 0));
    T(copy_file_range(a, NULL, 99, NULL, 3, 0));
}
CASE(dup_all)
{
    int fd = open("f", O_CREAT | O_RDWR, 0600);
    int two = T(dup(fd));
    T(write(fd, "abc", 3));
    T(lseek(two, 0, SEEK_CUR));
    T(dup2(fd, 50));
    T(dup2(fd, fd));
    T(dup2(99, 5));
    T(dup2(99, 99));
    T(dup3(fd, fd, 0));
    T(dup3(fd, 51, O_CLOEXEC));
    T(fcntl(51, F_GETFD));
    T(fcntl(50, F_GETFD));
    T(dup3(fd, 52, 1));
    T(dup2(fd, -1));
    T(dup2(fd, 2000000));
    T(dup(99));
}
CASE(fcntl_flags)
{
    int fd = open("f", O_CREAT | O_RDWR | O_APPEND, 0600);
    printf("%o\n", fcntl(fd, F_GETFL));
    T(fcntl(fd, F_SETFL, O_NONBLOCK));
    printf("%o\n", fcntl(fd, F_GETFL));
    T(fcntl(fd, F_GETFD));
    T(fcntl(fd, F_SETFD, FD_CLOEXEC));
    T(fcntl(fd, F_GETFD));
    T(fcntl(fd, F_DUPFD, 20));
    T(fcntl(fd, F_DUPFD_CLOEXEC, 20));
    T(fcntl(21, F_GETFD));
    T(fcntl(fd, F_DUPFD, -1));
    T(fcntl(fd, F_DUPFD, 99999999));
    T(fcntl(fd, 9999));
    T(fcntl(99, F_GETFL));
}
CASE(fcntl_locks)
{
    int fd = open("f", O_CREAT | O_RDWR, 0600);
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10};
    T(fcntl(fd, F_SETLK, &l));
    T(fcntl(fd, F_GETLK, &l));
    T(l.l_type == F_UNLCK);
    l.l_type = 9;
    T(fcntl(fd, F_SETLK, &l));
    l.l_type = F_WRLCK;
    T(fcntl(open("f", O_RDONLY), F_SETLK, &l));
    l.l_whence = 7;
    T(fcntl(fd, F_SETLK, &l));
    T(fcntl(fd, F_SETLK, (void *)8));
}
#include <sys/file.h>
CASE(flock_conflict)
{
    int a = open("f", O_CREAT | O_RDWR, 0600), b = open("f", O_RDWR);
    T(flock(a, LOCK_EX));
    T(flock(b, LOCK_EX | LOCK_NB));
    T(flock(b, LOCK_SH | LOCK_NB));
    T(flock(a, LOCK_SH));
    T(flock(b, LOCK_SH | LOCK_NB));
    T(flock(a, LOCK_EX | LOCK_NB));
    T(flock(b, LOCK_UN));
    T(flock(a, LOCK_EX | LOCK_NB));
    close(a);
    T(flock(b, LOCK_EX | LOCK_NB));
    T(flock(b, 77));
    T(flock(99, LOCK_SH));
}
CASE(path_only)
{
    case_file("f", "abc");
    int fd = T(open("f", O_PATH));
    T(read(fd, buffer, 1));
    T(write(fd, "x", 1));
    T(lseek(fd, 0, SEEK_SET));
    struct stat st;
    T(fstat(fd, &st));
    T(st.st_size);
    T(fchmod(fd, 0600));
    T(dup(fd));
    T(fcntl(fd, F_GETFL) & O_PATH ? 1 : 0);
    T(ftruncate(fd, 0));
}
CASE(close_range_some)
{
    for (int i = 0; i < 5; i++)
        dup(0);
    T(close_range(4, 6, 0));
    T(fcntl(3, F_GETFD));
    T(fcntl(5, F_GETFD));
    T(fcntl(7, F_GETFD));
    T(close_range(7, 3, 0));
    T(close_range(3, 7, CLOSE_RANGE_CLOEXEC));
    T(fcntl(7, F_GETFD));
    T(close(5));
    T(close(3));
}
CASE(sync_all)
{
    int fd = open("f", O_CREAT | O_RDWR, 0600);
    T(fsync(fd));
    T(fdatasync(fd));
    T(fsync(99));
    int p[2];
    pipe(p);
    T(fsync(p[0]));
    T(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL));
    T(posix_fadvise(fd, 0, 0, 99));
    T(posix_fadvise(p[0], 0, 0, 0));
    sync();
}
CASE(ioctl_files)
{
    int n = -1;
    case_file("f", "abcdef");
    int fd = open("f", O_RDONLY);
    lseek(fd, 2, SEEK_SET);
    T(syscall(SYS_ioctl, fd, 0x541b, &n));
    T(n);
    T(isatty(fd));
    T(syscall(SYS_ioctl, fd, 0x5413, &n));
    T(syscall(SYS_ioctl, 99, 0x5413, &n));
    T(syscall(SYS_ioctl, fd, 0x5451, 0));
    T(fcntl(fd, F_GETFD));
    T(isatty(99));
}
CASE(devices)
{
    int n = open("/dev/null", O_RDWR), z = open("/dev/zero", O_RDWR), f = open("/dev/full", O_RDWR),
        u = open("/dev/urandom", O_RDONLY);
    T(read(n, buffer, 9));
    T(write(n, "x", 1));
    buffer[0] = 'x';
    T(read(z, buffer, 9));
    T(buffer[0]);
    T(write(f, "x", 1));
    T(read(f, buffer, 4));
    T(read(u, buffer, 64));
    T(lseek(n, 5, SEEK_SET));
    struct stat st;
    fstat(z, &st);
    OK(S_ISCHR(st.st_mode));
    T((long)st.st_rdev);
}
CASE(many_files)
{
    char name[32];
    int made = 0;
    mkdir("d", 0700);
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof(name), "d/%d", i);
        int fd = open(name, O_CREAT | O_WRONLY, 0600);
        made += fd >= 0 && write(fd, name, strlen(name)) > 0;
        close(fd);
    }
    T(made);
    for (int i = 0; i < 500; i += 2) {
        snprintf(name, sizeof(name), "d/%d", i);
        unlink(name);
    }
    T(access("d/4", F_OK));
    T(access("d/5", F_OK));
    T(rmdir("d"));
}
CASE(big_file)
{
    int fd = open("f", O_CREAT | O_RDWR, 0600);
    long sum = 0;
    for (int i = 0; i < 64; i++) {
        memset(buffer, i, sizeof(buffer));
        sum += write(fd, buffer, sizeof(buffer));
    }
    T(sum);
    unsigned char c;
    T(pread(fd, &c, 1, 63 * 65536 + 5));
    T(c);
}
CASE(fd_limit)
{
    int n = 0, fd;
    while ((fd = dup(0)) >= 0)
        n = fd;
    OK(errno == EMFILE);
    OK(n > 50);
}
CASE(write_at_limits)
{
    int fd = open("f", O_CREAT | O_RDWR, 0600);
    T(pwrite(fd, "x", 1, -1));
    T(pread(fd, "x", 1, -1));
    T(lseek(fd, INT64_MAX, SEEK_SET));
    T(write(fd, "x", 1));
    T(lseek(fd, 1, SEEK_CUR));
    T(ftruncate(fd, -1));
    T(read(fd, (void *)8, 0));
    T(pwrite(fd, (void *)8, 5, 0));
    T(pwrite(fd, NULL, 0, 0));
    case_stat("f");
}
CASE(vectors_errors)
{
    int fd = open("f", O_CREAT | O_RDWR, 0600);
    struct iovec v[3] = {{"abc", 3}, {(void *)8, 4}, {"x", 1}};
    T(writev(fd, v, 3));
    T(writev(fd, v, -1));
    T(writev(fd, (void *)8, 1));
    v[1] = (struct iovec){"y", SIZE_MAX};
    T(writev(fd, v, 2));
    T(preadv(fd, v, 1, -1));
    T(pwritev(fd, v, 1, 100));
    T(pwritev2(fd, v, 1, -1, 0));
    T(pwritev2(fd, v, 1, 0, 0x4000));
    case_stat("f");
}
CASE(append_at)
{
    int fd = open("f", O_CREAT | O_RDWR | O_APPEND, 0600);
    T(write(fd, "one", 3));
    T(lseek(fd, 0, SEEK_SET));
    T(write(fd, "two", 3));
    T(lseek(fd, 0, SEEK_CUR));
    T(pwrite(fd, "X", 1, 0)); /* Linux appends, pwrite(2) BUGS */
    case_cat("f");
    T(fcntl(fd, F_SETFL, 0));
    T(pwrite(fd, "Y", 1, 0));
    case_cat("f");
}
CASE(holes_read)
{
    int fd = open("f", O_CREAT | O_RDWR, 0600);
    char text[16];
    T(pwrite(fd, "end", 3, 100000));
    T(pread(fd, text, 4, 50000));
    printf("%d%d%d%d\n", text[0], text[1], text[2], text[3]);
    T(pread(fd, text, 16, 99998));
    T(pread(fd, text, 16, 100003));
    T(ftruncate(fd, 5));
    T(ftruncate(fd, 10));
    T(pread(fd, text, 16, 0));
    case_stat("f");
}
CASE(getcwd_errors)
{
    char text[8];
    T(getcwd(text, 1) == NULL ? -1 : 0);
    T(syscall(SYS_getcwd, (void *)8, 100));
    mkdir("deep", 0700);
    T(chdir("deep"));
    T(syscall(SYS_getcwd, text, 4));
    T(rmdir("../deep"));
    T(open("new", O_CREAT | O_RDWR, 0600));
    T(mkdir("sub", 0700));
    T(chdir(".."));
    T(fchdir(0));
    T(fchdir(99));
}
CASE(rename_errors)
{
    mkdir("d", 0700);
    mkdir("d/in", 0700);
    mkdir("e", 0700);
    case_file("f", "f");
    T(rename("d", "d/in/x"));
    T(rename("f", "d"));
    T(rename("d", "f"));
    T(rename("e", "d"));
    T(rename("none", "f"));
    T(rename("f", "f"));
    T(rename("d/.", "x"));
    T(rename("f", "none/x"));
    T(rename("f/", "g"));
    T(rename("d", "g/"));
    case_list(".");
}
