/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: calls, with arguments that make no sense, every system call that a function has no
 *   business with, and every number that this kernel or a later one may give a meaning (up to
 *   1023). An answer other than a refusal means that the call's code in the kernel was
 *   reached.
 * Stopped by: the filter's default: what is not on the list is refused, with ENOSYS for
 *   numbers that are too new.
 * Lives in: src/jail/filter.c.
 *
 * Control: root
 */
#include "../harness/attack.h"

/* What a filter or a missing privilege says. */
static bool refused(int code)
{
    return code == EPERM || code == ENOSYS || code == EACCES;
}

static void call(void *arg)
{
    long number = *(const long *)arg;
    long junk = -1;
    errno = 0;
    long result = syscall(number, junk, junk, junk, junk, junk, junk);
    if (result >= 0 || !refused(errno))
        got("system call %ld: %s", number, result >= 0 ? "served" : strerror(errno));
}

void attack(void)
{
    static const long strangers[] = {
        SYS_acct,
        SYS_add_key,
        SYS_adjtimex,
        SYS_bpf,
        SYS_chroot,
        SYS_clock_adjtime,
        SYS_clock_settime,
        SYS_delete_module,
        SYS_fanotify_init,
        SYS_fanotify_mark,
        SYS_finit_module,
        SYS_fsconfig,
        SYS_fsmount,
        SYS_fsopen,
        SYS_fspick,
        SYS_get_kernel_syms,
        SYS_init_module,
        SYS_io_uring_enter,
        SYS_io_uring_register,
        SYS_io_uring_setup,
        SYS_ioperm,
        SYS_iopl,
        SYS_kcmp,
        SYS_kexec_file_load,
        SYS_kexec_load,
        SYS_keyctl,
        SYS_lookup_dcookie,
        SYS_mbind,
        SYS_memfd_secret,
        SYS_migrate_pages,
        SYS_modify_ldt,
        SYS_mount,
        SYS_mount_setattr,
        SYS_move_mount,
        SYS_move_pages,
        SYS_nfsservctl,
        SYS_open_by_handle_at,
        SYS_open_tree,
        SYS_perf_event_open,
        SYS_pidfd_getfd,
        SYS_pivot_root,
        SYS_process_madvise,
        SYS_process_mrelease,
        SYS_process_vm_readv,
        SYS_process_vm_writev,
        SYS_ptrace,
        SYS_query_module,
        SYS_quotactl,
        SYS_quotactl_fd,
        SYS_request_key,
        SYS_set_mempolicy,
        SYS_setdomainname,
        SYS_sethostname,
        SYS_setns,
        SYS_settimeofday,
        SYS_swapoff,
        SYS_swapon,
        SYS_syslog,
        SYS_umount2,
        SYS_unshare,
        SYS_userfaultfd,
        SYS_uselib,
        SYS_ustat,
        SYS_sysfs,
        SYS__sysctl,
        SYS_create_module,
        SYS_getpmsg,
        SYS_putpmsg,
        SYS_afs_syscall,
        SYS_tuxcall,
        SYS_security,
        SYS_vserver,
        SYS_epoll_ctl_old,
        SYS_epoll_wait_old,
    };
    for (size_t i = 0; i < COUNT(strangers); i++) {
        long number = strangers[i];
        in_child("a system call", call, &number);
    }
    /* 334 is the last before the gap to 424; 452 (fchmodat2) is an ordinary call. */
    for (long number = 337; number < 1024; number++) /* 335 and 336: the kernel's own, for probes */
        if (number < 424 || number > 470)
            in_child("a number without a meaning", call, &number);
    static const long odd[] = {-1, 0x7fffffff, 0x3fffffff, 65535};
    for (size_t i = 0; i < COUNT(odd); i++) {
        long number = odd[i];
        in_child("an odd number", call, &number);
    }
    blocked("the rest was refused");
}
