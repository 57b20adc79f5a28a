/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: raises itself by prctl and capset: capabilities (permitted, inheritable, ambient),
 *   secure bits, keep-caps, I/O flusher (memory without limits), a false executable
 *   (PR_SET_MM), machine-check policy, speculation of others.
 * Stopped by: no capability in any set, an empty bounding set, NO_NEW_PRIVS; the filter names
 *   the prctl options that are allowed.
 * Lives in: src/jail (zygote, sandbox), filter.c.
 *
 * Control: root
 */
#include "../harness/attack.h"

#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>

static void sets(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    memset(data, 0, sizeof(data));
    if (syscall(SYS_capget, &header, data) == 0 &&
        (data[0].effective | data[1].effective | data[0].permitted | data[1].permitted))
        got("a capability is held");
    for (int i = 0; i < 2; i++)
        data[i] = (struct __user_cap_data_struct){~0U, ~0U, ~0U};
    if (!is_control())
        attempt("capset of everything", syscall(SYS_capset, &header, data));
    int bounding = 0;
    for (long cap = 0; cap <= 63; cap++)
        if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
            bounding++;
    /* Without NO_NEW_PRIVS a full bounding set would let a set-uid file raise. */
    if (bounding && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        got("%d capabilities in the bounding set and no NO_NEW_PRIVS", bounding);
    else
        blocked("bounding set of %d, NO_NEW_PRIVS set", bounding);
}

void attack(void)
{
    sets();
    if (is_control())
        return;
    for (long cap = 0; cap <= 40; cap++)
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) == 0)
            got("ambient capability %ld", cap);
    attempt("PR_SET_SECUREBITS",
            prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS | SECBIT_NOROOT, 0, 0, 0));
    attempt("PR_SET_IO_FLUSHER", prctl(57, 1, 0, 0, 0));
    attempt("PR_SET_MM", prctl(PR_SET_MM, PR_SET_MM_START_BRK, 0x10000, 0, 0));
    attempt("PR_SET_MM_EXE_FILE", prctl(PR_SET_MM, PR_SET_MM_EXE_FILE, 0, 0, 0));
    attempt("PR_SCHED_CORE on pid 1's group", prctl(62, 1, 1, 2, 0));
    if (syscall(SYS_prctl, PR_CAP_AMBIENT | (1L << 32), PR_CAP_AMBIENT_RAISE, 21, 0, 0) == 0)
        got("ambient CAP_SYS_ADMIN by a wide option");
}
