/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine part hosted on Linux: guest memory is a memfd, a page table entry an mmap, a system
 * call instruction of the program a SIGSYS. It runs real programs over the guest kernel without a
 * VM, and lets unit tests call the kernel.
 */
#ifndef SKERRY_GUEST_HOST_MACHINE_H
#define SKERRY_GUEST_HOST_MACHINE_H

#include "../arch.h"

/** machine_init(): memory of ram_bytes, the image in image_fd (-1: none). */
void machine_init(uint64_t ram_bytes, int image_fd, uint64_t image_bytes);

/** machine_boot_block(): the boot block, to be filled; clocks, seed and memory are. */
struct vm_boot *machine_boot_block(void);

/** machine_run(): starts the kernel on this thread: it ends with the process. */
_Noreturn void machine_run(void);

/** machine_drain(): writes what is in the output rings. machine_fill_stdin(): reads, waiting up to
 * timeout_ms (-1: for ever). */
void machine_drain(void);
void machine_fill_stdin(int timeout_ms);

#endif
