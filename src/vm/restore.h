/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine that begins where a snapshot was taken, and returns there after each request.
 *
 * Returning trusts nothing that the guest left: which pages it wrote, the host's page tables say;
 * they are copied back in place, where they stay mapped. Page tables are the exception: a
 * hypervisor without second-level paging shadows them and does not see the monitor's writes, so
 * they must be as in the snapshot by the guest's own doing (guest/x86_64/undo.c), or the machine is
 * given up. All other pages may have been used as page tables by a hostile guest, but never are by
 * the kernel of the snapshot: what is shadowed of them leads nowhere.
 */
#ifndef SKERRY_VM_RESTORE_H
#define SKERRY_VM_RESTORE_H

#include "vm/dirty.h"
#include "vm/machine.h"
#include "vm/snapshot.h"
#include "vm/x86_64/state.h"

struct restored {
    struct snapshot snapshot;
    struct cpu_state state;
    struct dirty dirty;
    bool can_reset;
    bool owns;                  /* copies that it may not need */
    char why_not[ERR_TEXT_MAX]; /* when it cannot */
    uint64_t copied, dropped;   /* pages, by the last reset */
};

/* Makes the machine from the snapshot in fd, which must be sealed. options.ram_bytes counts not:
 * the snapshot says it. 0 or -errno. */
int restore_open(struct machine *machine, struct restored *out,
                 const struct machine_options *options, int fd, struct err *err);

/*
 * Gives the machine, at its first request, copies of its own of the snapshot's pages, if they are
 * not too many. A program that goes on writes most of them, each with a fault in the host and one
 * in a hypervisor that shadows page tables; and of pages that can be written such a hypervisor maps
 * those around along with one. Until then all machines share them, and after the first reset those
 * again that were not changed.
 */
void restore_own(struct machine *machine, struct restored *restored);

/* Memory and CPU as in the snapshot. 0, or -errno with the reason: then the machine must not run
 * again. Calls nothing that the filter of a restored monitor does not allow. */
int restore_reset(struct machine *machine, struct restored *restored, struct err *err);

#endif
