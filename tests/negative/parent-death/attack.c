/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: wants to outlive what confines it, or to find it gone and do what it refused: takes
 *   back the parent-death signal, ignores all others, and asks for a host socket again and
 *   again while the runner kills one process of the sandbox's keepers after the other
 *   (zygote, spawner, network handler, `run` itself).
 * Stopped by: the zygote is the first process of the pid namespace around its sandboxes; a
 *   sandbox whose keeper is gone is killed, and a notified call without a handler fails with
 *   ENOSYS.
 * Lives in: src/jail (zygote, spawner, notify.c).
 *
 * Kind: keeper-kill
 * Control: user
 * Flags: --timeout 60s
 * Runs: own after none rootless
 */
#include "../harness/attack.h"

#include <arpa/inet.h>
#include <sys/prctl.h>
#include <sys/socket.h>

static void host_socket(void)
{
    struct sockaddr_in host = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)bait_number("PORT", 1)),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (sock < 0)
        return;
    if (connect(sock, (struct sockaddr *)&host, sizeof(host)) == 0 && fd_has_bait(sock))
        got("a connection to the host");
    close(sock);
}

void attack(void)
{
    prctl(PR_SET_NAME, bait("MARK"));
    prctl(PR_SET_PDEATHSIG, 0);
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, 0);
        setsid();
    }
    if (is_control())
        setsid();
    puts("ready");
    fflush(stdout);
    for (;;) {
        host_socket();
        pause_ms(20);
    }
}
