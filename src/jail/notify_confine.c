/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The notify handler is the one process of a template that is not under the main filter (it makes
 * the sockets that the main filter stops), so it has a list of its own. Anything else kills it, and
 * with it the template.
 */
#include "jail/notify_confine.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>

#include "jail/raw.h"

static const uint16_t allowed[] = {
    SYS_ioctl,      /* receives questions, answers them; brings loopback up */
    SYS_poll,       /* waits for them */
    SYS_read,       /* the counter by which spawners wake it */
    SYS_close,      /* gives up sockets and namespaces */
    SYS_setns,      /* enters a sandbox's network namespace */
    SYS_unshare,    /* makes one */
    SYS_socket,     /* makes what was asked for */
    SYS_socketpair, /* makes what was asked for */
    SYS_openat, /* namespaces of callers and its network's settings, below the template's /proc */
    SYS_write,  /* these settings */
    SYS_newfstatat,        /* tells callers apart by their pid namespace */
    SYS_process_vm_writev, /* writes socketpair's result into the caller's memory */
    SYS_setfsuid,          /* sockets belong to the program */
    SYS_setfsgid,          /* sockets belong to the program */
    SYS_exit_group,        /* the end */
};

#define COUNT (sizeof(allowed) / sizeof(allowed[0]))

long notify_confine(void)
{
    struct sock_filter code[COUNT + 6];
    uint32_t length = 0;
    code[length++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    code[length++] =
        (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
    code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    code[length++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (uint32_t i = 0; i < COUNT; i++) {
        uint8_t to_allow = (uint8_t)(COUNT - i); /* over the rest of the list and the kill */
        code[length++] =
            (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i], to_allow, 0);
    }
    code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {.len = (unsigned short)length, .filter = code};
    long result = raw5(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return result < 0 ? result : raw3(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}
