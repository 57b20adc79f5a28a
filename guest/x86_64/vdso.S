/* SPDX-License-Identifier: Apache-2.0 */
/* The vDSO as pages of the kernel's data, with the page before it that it reads: data, because its
 * system calls are patched like any program's. */
    .section .data.pages, "aw"
    .balign 4096
    .globl vdso_pages, vdso_pages_end
vdso_pages:
    .skip 4096
    .incbin VDSO_FILE
    .balign 4096
vdso_pages_end:
    .section .note.GNU-stack, "", @progbits
