/* SPDX-License-Identifier: Apache-2.0 */
/* What entry.S must know of C's structures; machine.c asserts each. */
#ifndef GUEST_X86_64_OFFSETS_H
#define GUEST_X86_64_OFFSETS_H

#define REGS_R15    0
#define REGS_R14    8
#define REGS_R13    16
#define REGS_R12    24
#define REGS_RBP    32
#define REGS_RBX    40
#define REGS_R11    48
#define REGS_R10    56
#define REGS_R9     64
#define REGS_R8     72
#define REGS_RAX    80
#define REGS_RCX    88
#define REGS_RDX    96
#define REGS_RSI    104
#define REGS_RDI    112
#define REGS_RIP    128
#define REGS_RFLAGS 136
#define REGS_RSP    144
#define REGS_BYTES  152

#define RFLAGS_PROGRAM                                                                             \
    0x202 /* interrupts on: never acted upon, but what a program expects to see */

#define KERNEL_ABI_VERSION 2

#define GDT_BYTES 72
#define IDT_BYTES 512
#define TSS_BYTES 104

#endif
