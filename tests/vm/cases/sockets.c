// SPDX-License-Identifier: Apache-2.0
/* Socket pairs. */
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "case.h"

static char buffer[262144];

CASE(socketpair_stream)
{
    int s[2];
    T(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    T(write(s[0], "abc", 3));
    T(write(s[0], "def", 3));
    T(read(s[1], buffer, 100));
    T(send(s[1], "xyz", 3, 0));
    T(recv(s[0], buffer, 2, MSG_PEEK));
    T(recv(s[0], buffer, 100, 0));
    T(recv(s[0], buffer, 1, MSG_DONTWAIT));
    T(shutdown(s[0], SHUT_WR));
    T(read(s[1], buffer, 5));
    T(write(s[1], "q", 1));
    T(read(s[0], buffer, 5));
    T(send(s[0], "x", 1, MSG_NOSIGNAL));
    close(s[1]);
    T(read(s[0], buffer, 5));
    T(shutdown(s[0], 9));
    T(shutdown(0, 0));
}
CASE(socketpair_closed)
{
    int s[2];
    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s);
    T(fcntl(s[0], F_GETFD));
    write(s[1], "last", 4);
    close(s[1]);
    struct pollfd f = {s[0], POLLIN | POLLOUT | POLLRDHUP, 0};
    T(poll(&f, 1, 0));
    printf("%x\n", f.revents);
    T(read(s[0], buffer, 10));
    T(read(s[0], buffer, 10));
    T(send(s[0], "x", 1, MSG_NOSIGNAL));
    signal(SIGPIPE, SIG_DFL);
    write(s[0], "x", 1);
    puts("not reached");
}
CASE(socketpair_dgram)
{
    int s[2];
    T(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
    T(write(s[0], "one", 3));
    T(write(s[0], "second", 6));
    T(write(s[0], "", 0));
    T(read(s[1], buffer, 2));
    T(read(s[1], buffer, 100));
    T(read(s[1], buffer, 100));
    T(recv(s[1], buffer, 100, MSG_DONTWAIT));
    write(s[0], "trunc", 5);
    T(recv(s[1], buffer, 2, MSG_TRUNC));
    close(s[1]);
    T(write(s[0], "x", 1));
    T(send(s[0], buffer, 250000, 0));
}
CASE(socketpair_seqpacket)
{
    int s[2];
    T(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s));
    T(write(s[0], "one", 3));
    struct iovec v[2] = {{"ab", 2}, {"cd", 2}};
    T(writev(s[0], v, 2));
    T(read(s[1], buffer, 100));
    T(read(s[1], buffer, 100));
    close(s[0]);
    T(read(s[1], buffer, 100));
    T(send(s[1], "x", 1, MSG_NOSIGNAL));
}
CASE(socket_families)
{
    T(socket(AF_UNIX, 99, 0));
    T(socket(999, SOCK_STREAM, 0));
    int s[2];
    T(socketpair(AF_UNIX, SOCK_STREAM, 9, s));
    int u = socket(AF_UNIX, SOCK_STREAM, 0);
    OK(u >= 0);
    struct sockaddr_un a = {AF_UNIX, "nobody"};
    T(connect(u, (void *)&a, sizeof(a)));
    T(send(0, "x", 1, 0));
    T(recv(99, buffer, 1, 0));
    T(write(u, "x", 1) < 0 ? -1 : 0);
}
CASE(socket_options)
{
    int s[2], v;
    socklen_t n = sizeof(v);
    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s);
    T(getsockopt(s[0], SOL_SOCKET, SO_TYPE, &v, &n));
    T(v);
    T(getsockopt(s[0], SOL_SOCKET, SO_DOMAIN, &v, &n));
    T(v);
    T(getsockopt(s[0], SOL_SOCKET, SO_ERROR, &v, &n));
    T(v);
    T(getsockopt(s[0], SOL_SOCKET, 9999, &v, &n));
    T(getsockopt(0, SOL_SOCKET, SO_TYPE, &v, &n));
    v = 4096;
    T(setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &v, sizeof(v)));
    T(setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &v, 1));
    struct sockaddr_un a;
    n = sizeof(a);
    T(getsockname(s[0], (void *)&a, &n));
    T(n);
    T(a.sun_family);
    n = sizeof(a);
    T(getpeername(s[0], (void *)&a, &n));
}
CASE(sendmsg_rights)
{
    int s[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    case_file("f", "passed");
    int fd = open("f", O_RDONLY);
    struct iovec v = {"m", 1};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } c;
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = c.bytes, .msg_controllen = sizeof(c.bytes)};
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = SCM_RIGHTS;
    h->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(h), &fd, sizeof(fd));
    T(sendmsg(s[0], &m, 0));
    close(fd);
    char b[4];
    struct iovec r = {b, 4};
    struct msghdr o = {
        .msg_iov = &r, .msg_iovlen = 1, .msg_control = c.bytes, .msg_controllen = sizeof(c.bytes)};
    memset(&c, 0, sizeof(c));
    T(recvmsg(s[1], &o, 0));
    h = CMSG_FIRSTHDR(&o);
    OK(h != NULL);
    if (h) {
        memcpy(&fd, CMSG_DATA(h), sizeof(fd));
        T(fd);
        T(read(fd, buffer, 10));
    }
    T(o.msg_flags);
    fd = 99;
    memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &fd, sizeof(fd));
}
CASE(recvmsg_trunc)
{
    int s[2];
    socketpair(AF_UNIX, SOCK_DGRAM, 0, s);
    write(s[0], "abcdef", 6);
    char a[2], b[2];
    struct iovec v[2] = {{a, 2}, {b, 2}};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};
    T(recvmsg(s[1], &m, 0));
    OK(m.msg_flags & MSG_TRUNC);
    printf("%.2s%.2s\n", a, b);
}
CASE(socketpair_full)
{
    int s[2];
    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s);
    long sum = 0;
    ssize_t n;
    while ((n = write(s[0], buffer, 4096)) > 0 && sum < 10000000)
        sum += n;
    OK(errno == EAGAIN);
    OK(sum >= 65536);
    struct pollfd f = {s[0], POLLOUT, 0};
    T(poll(&f, 1, 0));
    long got = 0;
    while ((n = read(s[1], buffer, 65536)) > 0)
        got += n;
    OK(got == sum);
    T(poll(&f, 1, 0));
}
CASE(fifo_file)
{
    mkfifo("p", 0600);
    struct stat st;
    stat("p", &st);
    OK(S_ISFIFO(st.st_mode));
    T(unlink("p"));
}
/* Sockets that nobody connected: what they say to poll and to calls that want a peer. */
static void lone(int type)
{
    int fd = socket(AF_UNIX, type, 0);
    struct pollfd f = {fd, POLLIN | POLLOUT | POLLRDHUP, 0};
    T(poll(&f, 1, 0));
    printf("%x\n", f.revents);
    T(read(fd, buffer, 1));
    T(write(fd, buffer, 1));
    T(shutdown(fd, SHUT_RD));
    f.revents = 0;
    T(poll(&f, 1, 0));
    printf("%x\n", f.revents);
    struct sockaddr_un address;
    socklen_t len = sizeof(address);
    T(getpeername(fd, (void *)&address, &len));
}
CASE(socket_alone_stream)
{
    signal(SIGPIPE, SIG_IGN);
    lone(SOCK_STREAM);
}
CASE(socket_alone_dgram)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    struct pollfd f = {fd, POLLIN | POLLOUT, 0};
    T(poll(&f, 1, 0));
    printf("%x\n", f.revents);
    T(write(fd, buffer, 1));
    T(recv(fd, buffer, 1, MSG_DONTWAIT));
}
CASE(socket_alone_seqpacket)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    struct pollfd f = {fd, POLLIN | POLLOUT | POLLRDHUP, 0};
    T(poll(&f, 1, 0));
    printf("%x\n", f.revents);
    T(recv(fd, buffer, 1, 0));
    T(send(fd, buffer, 1, MSG_NOSIGNAL));
}
CASE(socketpair_vectors)
{
    int s[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    struct iovec out[3] = {{"ab", 2}, {"", 0}, {"cde", 3}},
                 in[2] = {{buffer, 1}, {buffer + 10, 50}};
    T(writev(s[0], out, 3));
    T(readv(s[1], in, 2));
    printf("%c %.4s\n", buffer[0], buffer + 10);
    T(writev(s[0], out, 1025));
    T(writev(s[0], out, 0));
    T(lseek(s[0], 0, SEEK_CUR));
    T(pread(s[0], buffer, 1, 0));
    T(ftruncate(s[0], 0));
    T(fsync(s[0]));
}
CASE(socketpair_waitall)
{
    int s[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    write(s[0], "12345", 5);
    T(recv(s[1], buffer, 3, MSG_WAITALL));
    close(s[0]);
    T(recv(s[1], buffer, 10, MSG_WAITALL));
    T(recv(s[1], buffer, 10, MSG_WAITALL));
    T(send(s[1], "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT));
}
CASE(socketpair_names)
{
    int s[2];
    struct sockaddr_un address;
    socklen_t len = sizeof(address);
    socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    T(getsockname(s[0], (void *)&address, &len));
    T(len);
    T(address.sun_family);
    len = sizeof(address);
    T(getpeername(s[0], (void *)&address, &len));
    T(len);
    T(getsockname(0, (void *)&address, &len));
    T(accept(s[0], NULL, NULL));
    T(listen(s[0], 1));
}
