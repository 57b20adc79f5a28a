/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: vsock reaches the hypervisor and other guests past every network namespace:
 *   connects to the host (CID 2), binds a port for the host to call, asks for the own CID.
 * Stopped by: the filter and the network handler refuse AF_VSOCK; no /dev/vsock.
 * Lives in: src/jail/filter.c, notify.c.
 *
 * Control: user
 */
#include "../harness/attack.h"

#include <linux/vm_sockets.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

void attack(void)
{
    static const long families[] = {AF_VSOCK, AF_VSOCK | (1L << 32), AF_VSOCK | INT64_MIN};
    static const long types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
    for (size_t i = 0; i < COUNT(families); i++)
        for (size_t j = 0; j < COUNT(types); j++) {
            long sock = syscall(SYS_socket, families[i], types[j], 0);
            if (!attempt("a vsock socket", sock)) {
                if (errno == EAFNOSUPPORT && i + 1 == COUNT(families) && j + 1 == COUNT(types))
                    feature_missing("vsock");
                continue;
            }
            struct sockaddr_vm any = {
                .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = VMADDR_PORT_ANY};
            attempt("bind", syscall(SYS_bind, (int)sock, &any, sizeof(any)));
            close((int)sock);
        }
    int device = open("/dev/vsock", O_RDWR | O_CLOEXEC);
    unsigned int cid = 0;
    if (device >= 0 && ioctl(device, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid) == 0)
        got("/dev/vsock: our CID is %u", cid);
    else
        blocked("/dev/vsock: %s", strerror(errno));
}
