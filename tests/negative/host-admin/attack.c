/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: administers the machine: reboot, kexec, kernel modules, swap, accounting, quotas,
 *   host and domain name, hangup of the terminal, kernel log. Each call is given arguments
 *   that the kernel refuses only after it has let the caller in, so that the control run
 *   changes nothing.
 * Stopped by: the filter (none is on the list); behind it, no capability.
 * Lives in: src/jail/filter.c.
 *
 * Control: root
 */
#include "../harness/attack.h"

#include <sys/quota.h>

void attack(void)
{
    /* Wrong magic numbers: EINVAL comes after the capability check. */
    attempt_past("reboot", syscall(SYS_reboot, 0, 0, 0, 0), EINVAL);
    attempt_past("kexec_load", syscall(SYS_kexec_load, 0, 1UL << 20, NULL, ~0UL), EINVAL);
    attempt_past("kexec_file_load", syscall(SYS_kexec_file_load, -1, -1, 0, "", ~0UL), EINVAL);
    attempt_past("init_module", syscall(SYS_init_module, NULL, 0, ""), ENOEXEC);
    attempt_past("finit_module", syscall(SYS_finit_module, -1, "", 0), EBADF);
    attempt_past("delete_module", syscall(SYS_delete_module, NULL, O_NONBLOCK), EFAULT);
    attempt_past("swapon", syscall(SYS_swapon, "/nonexistent", 0), ENOENT);
    attempt_past("swapoff", syscall(SYS_swapoff, "/nonexistent"), ENOENT);
    attempt_past("acct", syscall(SYS_acct, "/nonexistent"), ENOENT);
    attempt_past("quotactl", syscall(SYS_quotactl, QCMD(Q_SYNC, USRQUOTA), "/nonexistent", 0, 0),
                 ENOENT);
    attempt_past("quotactl_fd", syscall(SYS_quotactl_fd, -1, QCMD(Q_SYNC, USRQUOTA), 0, 0), EBADF);
    attempt_past("sethostname", syscall(SYS_sethostname, NULL, 70000), EINVAL);
    attempt_past("setdomainname", syscall(SYS_setdomainname, NULL, 70000), EINVAL);
    char text[256];
    attempt("syslog size", syscall(SYS_syslog, 10, NULL, 0));
    attempt("syslog read", syscall(SYS_syslog, 3, text, sizeof(text)));
    if (!is_control())
        attempt("vhangup", syscall(SYS_vhangup));
    attempt_past("fanotify of a mount", syscall(SYS_fanotify_init, 0x4 /* FAN_CLASS_CONTENT */, 0),
                 EMFILE);
    attempt_past("lookup_dcookie", syscall(SYS_lookup_dcookie, 0, text, sizeof(text)), EINVAL);
    attempt_past("pidfd of init's namespace", syscall(SYS_process_mrelease, -1, 0), EBADF);
}
