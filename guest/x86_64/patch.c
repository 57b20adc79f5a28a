/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System call instructions become jumps.
 *
 * Where the hypervisor has no hardware help a trapping `syscall` costs as much as an exit; a jump
 * costs nothing. Nearly every site in compiled code is `mov $number, %eax; syscall`: the five bytes
 * of the mov become a jump to a stub of this site, which loads the number, sets rcx to the
 * instruction after the syscall and enters the kernel. The `syscall` itself stays where it is, so
 * code that jumps straight to it, with another number in rax, still does the right thing: it traps.
 * Nothing else in the program's text changes its meaning.
 *
 * Stubs must be within two gigabytes of their site. There are two places for them: the top of the
 * program's half (shared objects and programs that can be loaded anywhere lie below it), and the
 * end of the address space, which programs at fixed low addresses reach around the corner.
 *
 * Small texts are searched when they are mapped, the others patched site by site as they trap.
 */
#include "x86_64/machine.h"

#define STUB_BYTES  32u
#define STUB_PAGES  64u
#define STUBS       (STUB_PAGES * VM_PAGE / STUB_BYTES)
#define HIGH_STUBS  UINT64_C(0x7ffff0000000) /* below VM_PROGRAM_HI; arch.h: ARCH_PROGRAM_TOP */
#define LOW_STUBS   UINT64_C(0xfffffffff0000000)
#define EAGER_BYTES 0x10000u

#define MOV_EAX_IMM 0xb8u
#define JMP_REL32   0xe9u

extern const uint8_t syscall_patched[];

static uint32_t stubs_used[2];

void patch_open(void)
{
    stubs_used[0] = stubs_used[1] = 0;
}

static uint64_t stubs_base(unsigned int place)
{
    return place == 0 ? HIGH_STUBS : LOW_STUBS;
}

/* The jump of five bytes at `from` to `to` is possible. */
static bool reaches(uint64_t from, uint64_t to)
{
    int64_t distance = (int64_t)(to - (from + 5));
    return distance >= INT32_MIN && distance <= INT32_MAX;
}

/* A fresh stub in a place that `site` reaches: its address, and where to write it; 0 when none. */
static uint64_t stub_new(uint64_t site, uint8_t **out_bytes)
{
    for (unsigned int place = 0; place < 2; place++) {
        uint64_t at = stubs_base(place) + stubs_used[place] * (uint64_t)STUB_BYTES;
        uint64_t pa;
        unsigned int prot;
        if (stubs_used[place] == STUBS || !reaches(site, at))
            continue;
        if (at % VM_PAGE == 0) {
            uint64_t page = kernel_page_alloc();
            if (page == 0 || arch_map(at, page, 1, ARCH_R | ARCH_X) < 0)
                return 0;
        }
        if (arch_query(at, &pa, &prot) == 0)
            return 0;
        stubs_used[place]++;
        *out_bytes = arch_phys(pa);
        return at;
    }
    return 0;
}

static void put32(uint8_t *at, uint32_t value)
{
    for (unsigned int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static void put64(uint8_t *at, uint64_t value)
{
    put32(at, (uint32_t)value);
    put32(at + 4, (uint32_t)(value >> 32));
}

/* mov $number, %eax; movabs $back, %rcx; jmp *[rip + 0]; .quad syscall_patched */
static void stub_write(uint8_t *stub, uint32_t number, uint64_t back)
{
    stub[0] = MOV_EAX_IMM;
    put32(stub + 1, number);
    stub[5] = 0x48;
    stub[6] = 0xb9;
    put64(stub + 7, back);
    stub[15] = 0xff;
    stub[16] = 0x25;
    put32(stub + 17, 0);
    put64(stub + 21, (uint64_t)syscall_patched);
}

/* Bytes of the program through the direct map, if they lie within one page. */
static uint8_t *text_at(uint64_t va, unsigned int bytes)
{
    uint64_t pa;
    unsigned int prot;
    if (va % VM_PAGE + bytes > VM_PAGE || arch_query(va, &pa, &prot) == 0 || (prot & ARCH_X) == 0)
        return NULL;
    return arch_phys(pa);
}

static bool private_text(uint64_t va)
{
    uint64_t pa;
    unsigned int prot;
    const struct vm_boot *boot = arch_phys(VM_BOOT_GPA);
    return arch_query(va, &pa, &prot) != 0 && pa < boot->ram_bytes;
}

/* site: the mov. Done in an order that is right at every step, though no other CPU looks on. */
static void patch_site(uint64_t site)
{
    uint8_t *text = text_at(site, 7);
    if (text == NULL || text[0] != MOV_EAX_IMM || text[5] != 0x0f || text[6] != 0x05)
        return;
    if (!private_text(site) && kernel_text_private(site) != 0)
        text = text_at(site, 7);
    if (text == NULL || !private_text(site))
        return;
    uint32_t number = (uint32_t)text[1] | (uint32_t)text[2] << 8 | (uint32_t)text[3] << 16 |
                      (uint32_t)text[4] << 24;
    uint8_t *stub;
    uint64_t at = stub_new(site, &stub);
    if (at == 0)
        return;
    stub_write(stub, number, site + 7);
    put32(text + 1, (uint32_t)(at - (site + 5)));
    text[0] = JMP_REL32;
}

void patch_trapped(uint64_t rip)
{
    patch_site(rip - 7);
}

void arch_patch(uint64_t va, uint64_t bytes)
{
    if (bytes > EAGER_BYTES)
        return;
    for (uint64_t at = va; at + 7 <= va + bytes; at++) {
        const uint8_t *text = text_at(at, 1);
        if (text == NULL) {
            at |= VM_PAGE - 1;
            continue;
        }
        if (*text == MOV_EAX_IMM)
            patch_site(at);
    }
}
