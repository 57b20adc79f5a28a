/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: a socket pair that the network handler makes has the handler as its peer: asks for
 *   the peer's pid, credentials and pidfd, and by the pidfd for its namespaces, descriptors
 *   and the right to signal it.
 * Stopped by: the kernel gives no pid of an outer namespace; a pidfd of a process outside
 *   takes no signal, and its namespaces and descriptors need ptrace rights.
 * Lives in: src/jail/notify.c (and the kernel).
 *
 * Control: none (without a sandbox the peer is the program itself)
 */
#include "../harness/attack.h"

#include <sys/ioctl.h>
#include <sys/socket.h>

#define SO_PEERPIDFD_NUMBER 77

static void by_pidfd(int pidfd)
{
    if (syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) == 0)
        got("the peer takes signals");
    else
        blocked("signal: %s", strerror(errno));
    attempt("pidfd_getfd of the peer", syscall(SYS_pidfd_getfd, pidfd, 0, 0));
    for (unsigned int number = 1; number <= 10; number++) {
        int fd = ioctl(pidfd, _IO(0xff, number), 0);
        if (fd >= 0)
            got("the peer's namespace %u", number);
    }
    struct {
        uint64_t mask, cgroup;
        uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
        int32_t exit_code;
        uint64_t spare[2];
    } info = {.mask = 7};
    if (ioctl(pidfd, _IOWR(0xff, 11, char[64]), &info) == 0 && info.pid != (uint32_t)getpid())
        got("the peer is pid %u in cgroup %lu", info.pid, (unsigned long)info.cgroup);
    else
        blocked("PIDFD_GET_INFO: %s", strerror(errno));
}

static void ask(int sock)
{
    struct ucred peer = {0};
    socklen_t size = sizeof(peer);
    if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0) {
        if (peer.pid != 0 && peer.pid != getpid())
            got("the peer is pid %d", peer.pid);
        note("the peer is pid %d, uid %u", peer.pid, peer.uid);
    }
    int pidfd = -1;
    size = sizeof(pidfd);
    if (getsockopt(sock, SOL_SOCKET, SO_PEERPIDFD_NUMBER, &pidfd, &size) < 0) {
        blocked("SO_PEERPIDFD: %s", strerror(errno));
        return;
    }
    if (syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) == 0 && peer.pid == getpid())
        blocked("the peer is this program");
    else
        by_pidfd(pidfd);
    close(pidfd);
}

void attack(void)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
    for (size_t i = 0; i < COUNT(types); i++) {
        int pair[2];
        if (socketpair(AF_UNIX, types[i], 0, pair) < 0) {
            blocked("socketpair: %s", strerror(errno));
            continue;
        }
        ask(pair[0]);
        ask(pair[1]);
        close(pair[0]);
        close(pair[1]);
    }
}
