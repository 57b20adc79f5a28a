/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The moment of a snapshot. The general registers are the monitor's to keep, since only it can set
 * them again; everything else that belongs to the running thread is put into memory here and taken
 * from there. The control registers and tables are always those that the monitor starts with.
 */
#include "x86_64/machine.h"

#define FPU_MAX 4096u

static uint8_t fpu[FPU_MAX] __attribute__((aligned(64)));

void arch_snapshot(void)
{
    uint64_t fs = arch_fs_get(), gs = arch_gs_get();
    if (arch_fpu_size() > sizeof(fpu))
        arch_panic(NULL, "the FPU's state does not fit into a snapshot");
    arch_fpu_save(fpu);
    port_out(VM_PORT, VM_BELL_SNAPSHOT);
    /* here again, perhaps in another machine */
    arch_shared()->stages[VM_STAGE_KERNEL] = arch_tsc();
    arch_fpu_restore(fpu);
    arch_fs_set(fs);
    arch_gs_set(gs);
    patch_pause();
    undo_begin();
}
