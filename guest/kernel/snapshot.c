// SPDX-License-Identifier: Apache-2.0
/*
 * The snapshot of a program that is about to read its request: what is told to the monitor before,
 * and what must change in a copy that goes on.
 */
#include "../arch.h"
#include "../ipc/stdio.h"
#include "environ.h"
#include "process.h"
#include "random.h"
#include "thread.h"

static void resume(const struct vm_boot *boot)
{
    time_init(boot->tsc, boot->mono_ns, boot->real_ns, boot->tsc_hz);
    random_mix(boot->seed, sizeof(boot->seed));
    process.trace = boot->flags & VM_FLAG_TRACE;
    process.started_ns = current->run_since = time_mono_ns();
    stdio_resume();
    environ_add(boot);
    arch_shared()->stages[VM_STAGE_PROGRAM] = arch_tsc();
}

void snapshot_take(void)
{
    struct vm_shared *shared = arch_shared();
    process.snapshot = false;
    shared->snapshot_threads = (uint32_t)thread_count();
    shared->snapshot_timers = timers_next() != NEVER;
    arch_snapshot();
    resume(arch_phys(VM_BOOT_GPA));
}
