/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: the processor's back doors: iopl, ioperm, modify_ldt, vm86, 16-bit stacks, a
 *   private GS base for the kernel to stumble over, protection of memory that may not be
 *   executed undone by personality.
 * Stopped by: the filter (iopl, ioperm, modify_ldt and vm86 are not on the list; personality
 *   only asks).
 * Lives in: src/jail/filter.c.
 *
 * Control: root
 */
#include "../harness/attack.h"

#include <asm/ldt.h>
#include <sys/personality.h>

void attack(void)
{
    attempt("iopl 3", syscall(SYS_iopl, 3));
    attempt("ioperm 0x80", syscall(SYS_ioperm, 0x80, 1, 1));
    struct user_desc segment = {.entry_number = 0, .limit = 0xfff, .seg_32bit = 1};
    attempt("modify_ldt write", syscall(SYS_modify_ldt, 1, &segment, sizeof(segment)));
    attempt("modify_ldt write, new", syscall(SYS_modify_ldt, 0x11, &segment, sizeof(segment)));
    static const struct {
        unsigned long value;
        const char *name;
    } personalities[] = {{ADDR_NO_RANDOMIZE, "no randomisation"},
                         {READ_IMPLIES_EXEC, "readable is executable"},
                         {MMAP_PAGE_ZERO, "a page at zero"},
                         {ADDR_COMPAT_LAYOUT, "the old layout"},
                         {PER_LINUX32 | ADDR_LIMIT_3GB, "3 GiB"},
                         {ADDR_NO_RANDOMIZE | (1UL << 32), "no randomisation, wide"}};
    for (size_t i = 0; i < COUNT(personalities); i++) {
        syscall(SYS_personality, personalities[i].value);
        long now = syscall(SYS_personality, 0xffffffff);
        if (now > 0 && (now & (long)(personalities[i].value & 0xffffffff)) != 0)
            got("personality: %s", personalities[i].name);
        else
            blocked("personality: %s", personalities[i].name);
        syscall(SYS_personality, 0);
    }
}
