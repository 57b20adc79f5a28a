// SPDX-License-Identifier: Apache-2.0
/* Pipes, and waiting for descriptors. */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

#include "case.h"

static char buffer[262144];

CASE(pipe_basic)
{
    int p[2];
    T(pipe(p));
    T(write(p[1], "hello", 5));
    T(read(p[0], buffer, 2));
    T(read(p[0], buffer, 100));
    printf("%.3s\n", buffer);
    close(p[1]);
    T(read(p[0], buffer, 5));
    T(read(p[1], buffer, 1));
    T(write(p[0], "x", 1));
    T(pipe((int *)8));
    T(pipe2(p, 0x1));
    T(lseek(p[0], 0, SEEK_SET));
}
CASE(pipe_flags)
{
    int p[2];
    T(pipe2(p, O_CLOEXEC | O_NONBLOCK));
    T(fcntl(p[0], F_GETFD));
    printf("%o %o\n", fcntl(p[0], F_GETFL), fcntl(p[1], F_GETFL));
    T(read(p[0], buffer, 1));
    T(read(p[0], buffer, 0));
    struct stat st;
    fstat(p[0], &st);
    printf("%o\n", st.st_mode);
}
CASE(pipe_full)
{
    int p[2];
    pipe2(p, O_NONBLOCK);
    T(write(p[1], buffer, 65536));
    T(write(p[1], buffer, 1));
    T(read(p[0], buffer, 4096));
    T(write(p[1], buffer, 4096));
    T(write(p[1], buffer, 5000));
    T(read(p[0], buffer, sizeof(buffer)));
    T(fcntl(p[0], F_GETPIPE_SZ));
    T(write(p[1], buffer, 100000));
}
CASE(pipe_size)
{
    int p[2];
    pipe2(p, O_NONBLOCK);
    T(fcntl(p[1], F_SETPIPE_SZ, 5000));
    T(fcntl(p[1], F_GETPIPE_SZ));
    T(write(p[1], buffer, 8192));
    T(write(p[1], buffer, 1));
    T(fcntl(p[1], F_SETPIPE_SZ, 4096));
    T(fcntl(p[1], F_GETPIPE_SZ));
    case_file("f", "");
    T(fcntl(open("f", O_RDONLY), F_GETPIPE_SZ));
}
CASE(pipe_fionread)
{
    int p[2], n;
    pipe(p);
    write(p[1], "abc", 3);
    T(syscall(SYS_ioctl, p[0], 0x541b, &n));
    T(n);
    T(syscall(SYS_ioctl, p[0], 0x541b, 8));
    T(syscall(SYS_ioctl, p[0], 0x5401, &n));
}
CASE(pipe_sigpipe)
{
    int p[2];
    pipe(p);
    signal(SIGPIPE, SIG_IGN);
    close(p[0]);
    T(write(p[1], "x", 1));
    T(write(p[1], "x", 0));
    fflush(stdout);
    signal(SIGPIPE, SIG_DFL);
    write(p[1], "x", 1);
    puts("not reached");
}
CASE(pipe_writev)
{
    int p[2];
    pipe(p);
    struct iovec v[2] = {{"ab", 2}, {"cd", 2}};
    T(writev(p[1], v, 2));
    char a[3], b[10];
    struct iovec r[2] = {{a, 3}, {b, 10}};
    T(readv(p[0], r, 2));
    printf("%.3s%.1s\n", a, b);
}
CASE(splice_answers)
{
    int p[2];
    pipe(p);
    T(splice(99, NULL, p[1], NULL, 1, 0));
    T(tee(99, p[1], 1, 0));
}
CASE(poll_pipe)
{
    int p[2];
    pipe(p);
    struct pollfd f[3] = {{p[0], POLLIN, 0}, {p[1], POLLOUT, 0}, {-1, POLLIN, 9}};
    T(poll(f, 3, 0));
    printf("%x %x %x\n", f[0].revents, f[1].revents, f[2].revents);
    write(p[1], "x", 1);
    T(poll(f, 2, -1));
    printf("%x %x\n", f[0].revents, f[1].revents);
    close(p[1]);
    f[1].fd = 77;
    T(poll(f, 2, 0));
    printf("%x %x\n", f[0].revents, f[1].revents);
    read(p[0], buffer, 5);
    T(poll(f, 1, 0));
    printf("%x\n", f[0].revents);
    T(poll((void *)8, 1, 0));
    T(poll(NULL, 0, 1));
}
CASE(poll_closed_reader)
{
    int p[2];
    pipe(p);
    close(p[0]);
    struct pollfd f = {p[1], POLLOUT, 0};
    T(poll(&f, 1, 0));
    printf("%x\n", f.revents);
}
CASE(poll_files)
{
    case_file("f", "x");
    struct pollfd f[2] = {{open("f", O_RDONLY), POLLIN | POLLOUT, 0},
                          {open("/dev/null", O_RDWR), POLLIN | POLLOUT, 0}};
    T(poll(f, 2, 0));
    printf("%x %x\n", f[0].revents, f[1].revents);
    struct timespec ts = {0, 1000000};
    T(ppoll(f, 0, &ts, NULL));
    ts.tv_nsec = -1;
    T(ppoll(f, 0, &ts, NULL));
}
CASE(select_all)
{
    int p[2];
    pipe(p);
    fd_set r, w;
    FD_ZERO(&r);
    FD_ZERO(&w);
    FD_SET(p[0], &r);
    FD_SET(p[1], &w);
    struct timeval tv = {0, 0};
    T(select(p[1] + 1, &r, &w, NULL, &tv));
    T(FD_ISSET(p[0], &r) != 0);
    T(FD_ISSET(p[1], &w) != 0);
    write(p[1], "x", 1);
    FD_SET(p[0], &r);
    T(select(p[1] + 1, &r, NULL, NULL, NULL));
    T(FD_ISSET(p[0], &r) != 0);
    FD_ZERO(&r);
    FD_SET(50, &r);
    T(select(51, &r, NULL, NULL, &tv));
    T(select(-1, NULL, NULL, NULL, &tv));
    tv.tv_sec = -1;
    T(select(0, NULL, NULL, NULL, &tv));
    struct timespec ts = {0, 1000};
    T(pselect(0, NULL, NULL, NULL, &ts, NULL));
}
CASE(epoll_level)
{
    int p[2], e = T(epoll_create1(0));
    pipe(p);
    struct epoll_event ev = {EPOLLIN, {.u64 = 77}}, out[4];
    T(epoll_ctl(e, EPOLL_CTL_ADD, p[0], &ev));
    T(epoll_ctl(e, EPOLL_CTL_ADD, p[0], &ev));
    T(epoll_wait(e, out, 4, 0));
    write(p[1], "ab", 2);
    T(epoll_wait(e, out, 4, -1));
    printf("%x %lu\n", out[0].events, (unsigned long)out[0].data.u64);
    T(epoll_wait(e, out, 4, 0));
    read(p[0], buffer, 2);
    T(epoll_wait(e, out, 4, 0));
    ev.events = EPOLLOUT;
    T(epoll_ctl(e, EPOLL_CTL_MOD, p[0], &ev));
    T(epoll_wait(e, out, 4, 0));
    T(epoll_ctl(e, EPOLL_CTL_DEL, p[0], NULL));
    T(epoll_ctl(e, EPOLL_CTL_DEL, p[0], NULL));
    T(epoll_ctl(e, EPOLL_CTL_MOD, p[0], &ev));
}
CASE(epoll_edge)
{
    int p[2], e = epoll_create1(EPOLL_CLOEXEC);
    pipe(p);
    struct epoll_event ev = {EPOLLIN | EPOLLET, {.fd = 1}}, out[4];
    epoll_ctl(e, EPOLL_CTL_ADD, p[0], &ev);
    write(p[1], "ab", 2);
    T(epoll_wait(e, out, 4, 0));
    T(epoll_wait(e, out, 4, 0));
    write(p[1], "c", 1);
    T(epoll_wait(e, out, 4, 0));
    T(epoll_wait(e, out, 4, 0));
    epoll_ctl(e, EPOLL_CTL_MOD, p[0], &ev);
    T(epoll_wait(e, out, 4, 0));
}
CASE(epoll_oneshot)
{
    int p[2], e = epoll_create1(0);
    pipe(p);
    struct epoll_event ev = {EPOLLIN | EPOLLONESHOT, {.fd = 1}}, out[4];
    epoll_ctl(e, EPOLL_CTL_ADD, p[0], &ev);
    write(p[1], "ab", 2);
    T(epoll_wait(e, out, 4, 0));
    T(epoll_wait(e, out, 4, 0));
    epoll_ctl(e, EPOLL_CTL_MOD, p[0], &ev);
    T(epoll_wait(e, out, 4, 0));
}
CASE(epoll_errors)
{
    int e = epoll_create1(0);
    struct epoll_event ev = {EPOLLIN, {0}}, out[4];
    case_file("f", "");
    T(epoll_ctl(e, EPOLL_CTL_ADD, open("f", O_RDONLY), &ev));
    T(epoll_ctl(e, EPOLL_CTL_ADD, 99, &ev));
    T(epoll_ctl(0, EPOLL_CTL_ADD, e, &ev));
    T(epoll_ctl(e, EPOLL_CTL_ADD, e, &ev));
    T(epoll_ctl(e, 9, 0, &ev));
    T(epoll_wait(e, out, 0, 0));
    T(epoll_wait(99, out, 1, 0));
    T(epoll_wait(0, out, 1, 0));
    T(epoll_create(0));
    T(epoll_create1(1));
    T(epoll_wait(e, out, 1, 1));
}
CASE(epoll_close)
{
    int p[2], e = epoll_create1(0);
    pipe(p);
    struct epoll_event ev = {EPOLLIN, {.fd = 5}}, out[4];
    epoll_ctl(e, EPOLL_CTL_ADD, p[0], &ev);
    close(p[1]);
    T(epoll_wait(e, out, 4, 0));
    printf("%x\n", out[0].events);
    close(p[0]);
    T(epoll_wait(e, out, 4, 0));
    pipe(p);
    T(epoll_ctl(e, EPOLL_CTL_ADD, p[0], &ev));
}
CASE(epoll_nested)
{
    int e = epoll_create1(0), f = epoll_create1(0), p[2];
    pipe(p);
    struct epoll_event ev = {EPOLLIN, {.fd = 5}}, out[4];
    epoll_ctl(f, EPOLL_CTL_ADD, p[0], &ev);
    T(epoll_ctl(e, EPOLL_CTL_ADD, f, &ev));
    T(epoll_wait(e, out, 4, 0));
    write(p[1], "x", 1);
    T(epoll_wait(e, out, 4, 0));
    struct pollfd pf = {e, POLLIN, 0};
    T(poll(&pf, 1, 0));
}
CASE(eventfd_counter)
{
    int fd = T(eventfd(3, EFD_NONBLOCK));
    unsigned long v;
    T(read(fd, &v, 8));
    T((long)v);
    T(read(fd, &v, 8));
    v = 5;
    T(write(fd, &v, 8));
    T(write(fd, &v, 8));
    T(read(fd, &v, 4));
    T(read(fd, &v, 8));
    T((long)v);
    v = ~0UL;
    T(write(fd, &v, 8));
    v = ~0UL - 1;
    T(write(fd, &v, 8));
    v = 1;
    T(write(fd, &v, 8));
    T(write(fd, &v, 4));
    struct pollfd f = {fd, POLLIN | POLLOUT, 0};
    T(poll(&f, 1, 0));
    printf("%x\n", f.revents);
    T(eventfd(0, 0x8));
    T(lseek(fd, 0, SEEK_SET));
}
CASE(eventfd_semaphore)
{
    int fd = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
    unsigned long v;
    T(read(fd, &v, 8));
    T((long)v);
    T(read(fd, &v, 8));
    T(read(fd, &v, 8));
}
CASE(timerfd_all)
{
    int fd = T(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
    unsigned long v;
    T(read(fd, &v, 8));
    struct itimerspec it = {{0, 0}, {0, 1000000}}, old;
    T(timerfd_settime(fd, 0, &it, NULL));
    struct pollfd f = {fd, POLLIN, 0};
    T(poll(&f, 1, 5000));
    T(read(fd, &v, 8));
    T((long)v);
    T(read(fd, &v, 8));
    it.it_value.tv_sec = 1000;
    it.it_interval.tv_sec = 3;
    T(timerfd_settime(fd, 0, &it, &old));
    T(timerfd_gettime(fd, &old));
    OK(old.it_value.tv_sec >= 999);
    T(old.it_interval.tv_sec);
    it.it_value.tv_nsec = 2000000000;
    T(timerfd_settime(fd, 0, &it, NULL));
    T(timerfd_create(99, 0));
    T(timerfd_settime(0, 0, &it, NULL));
    struct itimerspec past = {{0, 0}, {1, 0}};
    T(timerfd_settime(fd, TFD_TIMER_ABSTIME, &past, NULL));
    T(read(fd, &v, 8));
    T((long)v);
}
CASE(timerfd_interval)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec it = {{0, 1000000}, {0, 1000000}};
    timerfd_settime(fd, 0, &it, NULL);
    struct timespec ts = {0, 10000000};
    nanosleep(&ts, NULL);
    unsigned long v;
    T(read(fd, &v, 8));
    OK(v >= 9);
    T(read(fd, &v, 8));
    OK(v >= 1);
}
CASE(signalfd_all)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = T(signalfd(-1, &set, SFD_NONBLOCK));
    struct signalfd_siginfo info;
    T(read(fd, &info, sizeof(info)));
    kill(getpid(), SIGUSR1);
    struct pollfd f = {fd, POLLIN, 0};
    T(poll(&f, 1, 1000));
    T(read(fd, &info, sizeof(info)));
    T(info.ssi_signo);
    OK(info.ssi_pid == (unsigned)getpid());
    T(read(fd, &info, 10));
    T(read(fd, &info, sizeof(info)));
    T(signalfd(0, &set, 0));
    T(signalfd(99, &set, 0));
    T(signalfd(fd, &set, 0) == fd);
}
CASE(eventfd_errors)
{
    uint64_t value = UINT64_MAX;
    int fd = eventfd(0, EFD_NONBLOCK);
    T(write(fd, &value, 8));
    T(write(fd, &value, 4));
    T(read(fd, &value, 4));
    T(read(fd, &value, 8));
    value = UINT64_MAX - 1;
    T(write(fd, &value, 8));
    value = 1;
    T(write(fd, &value, 8));
    struct pollfd f = {fd, POLLIN | POLLOUT, 0};
    T(poll(&f, 1, 0));
    printf("%x\n", f.revents);
    T(read(fd, &value, 8));
    OK(value == UINT64_MAX - 1);
    T(eventfd(0, 0x40));
}
CASE(pipe_nonblock_partial)
{
    int p[2];
    static char big[70000];
    pipe2(p, O_NONBLOCK);
    T(write(p[1], big, 70000));
    T(write(p[1], big, 1));
    T(read(p[0], big, 70000));
    T(read(p[0], big, 1));
    T(write(p[1], big, 65536));
    T(read(p[0], big, 4096));
    T(write(p[1], big, 4096));
    T(write(p[1], big, 5000));
    T(write(p[1], "", 0));
    T(read(p[0], big, 0));
}
CASE(epoll_many)
{
    int ep = epoll_create1(0), e[20];
    struct epoll_event event = {EPOLLIN}, got[8];
    uint64_t one = 1;
    for (int i = 0; i < 20; i++) {
        e[i] = eventfd(0, EFD_NONBLOCK);
        event.data.u32 = (uint32_t)i;
        epoll_ctl(ep, EPOLL_CTL_ADD, e[i], &event);
        if (i % 2)
            write(e[i], &one, 8);
    }
    int seen = 0;
    for (int i = 0; i < 2; i++) { /* level: those left over come first */
        int n = epoll_wait(ep, got, 8, 0);
        for (int k = 0; k < n; k++)
            seen |= 1 << got[k].data.u32;
        printf("%d\n", n);
    }
    printf("%x\n", seen);
    T(epoll_wait(ep, got, 0, 0));
    T(epoll_wait(ep, got, -1, 0));
    T(epoll_wait(e[0], got, 1, 0));
    T(epoll_wait(ep, (void *)8, 8, 0));
}
CASE(poll_errors)
{
    struct pollfd f[3] = {{-1, POLLIN, 7}, {99, POLLIN, 0}, {1, POLLOUT, 0}};
    T(poll(f, 3, 0));
    printf("%x %x %x\n", f[0].revents, f[1].revents, f[2].revents);
    T(poll(NULL, 0, 0));
    T(poll((void *)8, 1, 0));
    struct timespec bad = {0, 2000000000};
    T(ppoll(f, 1, &bad, NULL));
}
CASE(dup3_all)
{
    T(dup3(0, 0, 0));
    T(dup3(0, 30, O_CLOEXEC));
    T(fcntl(30, F_GETFD));
    T(dup3(0, 31, O_NONBLOCK));
    T(dup3(99, 31, 0));
    T(dup3(0, -1, 0));
    T(dup2(30, 30));
    T(fcntl(30, F_GETFD));
    T(fcntl(0, F_DUPFD, 40));
    T(fcntl(0, F_DUPFD, 1 << 30));
    T(fcntl(0, F_DUPFD_CLOEXEC, 40));
}
