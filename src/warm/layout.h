/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where skerry-warm lies in a process: in a window that no program, no loader and no choice of the
 * kernel's reaches, so that in "restore" it lies beside whatever the snapshot holds.
 */
#ifndef SKERRY_WARM_LAYOUT_H
#define SKERRY_WARM_LAYOUT_H

#include <stdint.h>

#define PAGE        UINT64_C(4096)
#define ADDRESS_MIN UINT64_C(0x10000)        /* vm.mmap_min_addr of every distribution */
#define ADDRESS_END UINT64_C(0x7ffffffff000) /* of user space, four levels of page tables */

/* Below mmap_base even in the old layout (an unlimited stack), which begins at 0x2aaaaaaaa000; the
 * linker gets the same number (meson.build). */
#define WINDOW_LO   UINT64_C(0x2a5e00000000)
#define WINDOW_HEAD (WINDOW_LO + (UINT64_C(256) << 20)) /* the snapshot's head, when restored */
#define WINDOW_HI   (WINDOW_LO + (UINT64_C(1) << 30))

static inline uint64_t page_down(uint64_t at)
{
    return at & ~(PAGE - 1);
}

static inline uint64_t page_up(uint64_t at)
{
    return page_down(at + PAGE - 1);
}

#endif
