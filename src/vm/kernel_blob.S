/* SPDX-License-Identifier: Apache-2.0 */
/* The guest kernel as a part of the monitor's constants. */
    .section .rodata
    .balign 4096
    .globl kernel_blob, kernel_blob_end
kernel_blob:
    .incbin KERNEL_FILE
kernel_blob_end:
    .section .note.GNU-stack, "", @progbits
