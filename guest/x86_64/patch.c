/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System call instructions become jumps.
 *
 * Where the hypervisor has no hardware help a trapping `syscall` costs a microsecond; a jump costs
 * nothing. Nearly every site in compiled code is one of two kinds.
 *
 * `mov $number, %eax; syscall`: the five bytes of the mov become a jump to a stub of this site,
 * which loads the number, sets rcx to the instruction after the syscall and enters the kernel. The
 * `syscall` itself stays where it is, so code that jumps straight to it, with another number in
 * rax, still does the right thing: it traps. Nothing else changes its meaning.
 *
 * `syscall; cmp $imm, %rax`: the jump covers the syscall and half of the comparison, which the stub
 * makes up for. That would break a branch to the comparison, so the text around is searched for
 * one, and since the search costs something it is done only for a site that trapped often.
 *
 * In both, the byte pair `0f 05` stands right before the address where the program goes on, so that
 * the kernel can restart a call by going back two bytes.
 *
 * Stubs must be within two gigabytes of their site. There are two places for them: the top of the
 * program's half (shared objects and programs that can be loaded anywhere lie below it), and the
 * end of the address space, which programs at fixed low addresses reach around the corner.
 *
 * Small texts are searched when they are mapped, the others patched site by site as they trap.
 */
#include "x86_64/machine.h"

#define STUB_BYTES  64u
#define STUB_PAGES  64u
#define STUB_RESUME 18u /* in a stub of the second kind: the comparison */
#define STUBS       (STUB_PAGES * VM_PAGE / STUB_BYTES)
#define HIGH_STUBS  UINT64_C(0x7ffff0000000) /* below VM_PROGRAM_HI, above all mappings */
#define LOW_STUBS   UINT64_C(0xfffffffff0000000)
#define EAGER_BYTES 0x10000u

#define MOV_EAX_IMM   0xb8u
#define JMP_REL32     0xe9u
#define OFTEN         64u      /* traps of a site before the text around it is searched */
#define BRANCH_WINDOW 0x10000u /* where branches to a site are looked for, each side */
#define HOT_SITES     256u

struct hot_site {
    uint64_t rip;
    uint32_t traps;
};

static struct hot_site hot_sites[HOT_SITES];

extern const uint8_t syscall_patched[];

static uint32_t stubs_used[2];
static bool paused;

void patch_open(void)
{
    stubs_used[0] = stubs_used[1] = 0;
}

void patch_pause(void)
{
    paused = true;
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

/* movabs $back, %rcx; jmp *[rip + n], the address of the kernel's entry at stub + 56 */
static unsigned int stub_enter(uint8_t *stub, unsigned int at, uint64_t back)
{
    stub[at] = 0x48;
    stub[at + 1] = 0xb9;
    put64(stub + at + 2, back);
    stub[at + 10] = 0xff;
    stub[at + 11] = 0x25;
    put32(stub + at + 12, STUB_BYTES - 8 - (at + 16));
    put64(stub + STUB_BYTES - 8, (uint64_t)syscall_patched);
    return at + 16;
}

/* The number first; back in the program's text. */
static void stub_of_mov(uint8_t *stub, uint32_t number, uint64_t back)
{
    stub[0] = MOV_EAX_IMM;
    put32(stub + 1, number);
    stub_enter(stub, 5, back);
}

/* Back in the stub, which makes the comparison and returns behind it. */
static void stub_of_compare(uint8_t *stub, uint64_t at, const uint8_t compare[6], uint64_t back)
{
    unsigned int used = stub_enter(stub, 0, at + STUB_RESUME);
    stub[used++] = 0x0f;
    stub[used++] = 0x05;
    for (unsigned int i = 0; i < 6; i++)
        stub[used++] = compare[i];
    stub[used++] = JMP_REL32;
    put32(stub + used, (uint32_t)(back - (at + used + 4)));
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

/* The bytes of a site, private to this guest; NULL when they cannot be had. */
static uint8_t *own_text(uint64_t site, unsigned int bytes)
{
    uint8_t *text = text_at(site, bytes);
    if (text != NULL && !private_text(site) && kernel_text_private(site) == 0)
        text = text_at(site, bytes); /* the copy lies elsewhere */
    return text != NULL && private_text(site) ? text : NULL;
}

static void put_jump(uint8_t *text, uint64_t from, uint64_t to)
{
    put32(text + 1, (uint32_t)(to - (from + 5)));
    text[0] = JMP_REL32;
}

static bool is_mov_site(const uint8_t *text)
{
    return text != NULL && text[0] == MOV_EAX_IMM && text[5] == 0x0f && text[6] == 0x05;
}

/* site: the mov. */
static bool patch_mov(uint64_t site)
{
    uint8_t *stub;
    if (!is_mov_site(text_at(site, 7)))
        return false;
    uint8_t *text = own_text(site, 7);
    uint64_t at = text != NULL ? stub_new(site, &stub) : 0;
    if (at == 0)
        return false;
    uint32_t number = (uint32_t)text[1] | (uint32_t)text[2] << 8 | (uint32_t)text[3] << 16 |
                      (uint32_t)text[4] << 24;
    stub_of_mov(stub, number, site + 7);
    put_jump(text, site, at);
    return true;
}

/* Where the bytes at text would branch to, if they are a branch; 0 when not. Bytes in the middle of
 * an instruction may look like one: then a site is left alone that could have been patched. */
static uint64_t branch_target(const uint8_t *text, uint64_t va)
{
    int32_t wide;
    if (text[0] == 0xeb || (text[0] & 0xf0) == 0x70 || (text[0] & 0xfc) == 0xe0)
        return va + 2 + (uint64_t)(int64_t)(int8_t)text[1];
    unsigned int at = text[0] == 0xe9 || text[0] == 0xe8            ? 1
                      : text[0] == 0x0f && (text[1] & 0xf0) == 0x80 ? 2
                                                                    : 0;
    if (at == 0)
        return 0;
    __builtin_memcpy(&wide, text + at, sizeof(wide));
    return va + at + 4 + (uint64_t)(int64_t)wide;
}

/* True when something near may branch to (site, site + 8): behind the syscall, into what is to be
 * replaced. */
static bool branched_into(uint64_t site)
{
    uint8_t bytes[6] = {0};
    for (uint64_t va = site - BRANCH_WINDOW; va < site + BRANCH_WINDOW; va++) {
        const uint8_t *text = text_at(va, sizeof(bytes));
        uint64_t target;
        if (text == NULL) { /* the end of a page, or no text: byte by byte */
            for (unsigned int i = 0; i < sizeof(bytes); i++) {
                const uint8_t *one = text_at(va + i, 1);
                bytes[i] = one != NULL ? *one : 0;
            }
            text = bytes;
        }
        target = branch_target(text, va);
        if (target > site && target < site + 8)
            return true;
    }
    return false;
}

/* site: the syscall. */
static void patch_compare(uint64_t site)
{
    const uint8_t *seen = text_at(site, 8);
    uint8_t *stub, compare[6];
    if (seen == NULL || seen[0] != 0x0f || seen[1] != 0x05 || seen[2] != 0x48 || seen[3] != 0x3d ||
        branched_into(site))
        return;
    uint8_t *text = own_text(site, 8);
    uint64_t at = text != NULL ? stub_new(site, &stub) : 0;
    if (at == 0)
        return;
    __builtin_memcpy(compare, text + 2, sizeof(compare));
    stub_of_compare(stub, at, compare, site + 8);
    put_jump(text, site, at);
}

static bool in_stubs(uint64_t va)
{
    for (unsigned int place = 0; place < 2; place++) {
        if (va - stubs_base(place) < STUB_PAGES * VM_PAGE)
            return true;
    }
    return false;
}

/* True at the trap that makes a site worth a search. */
static bool often(uint64_t rip)
{
    struct hot_site *site = &hot_sites[(rip ^ rip >> 8) % HOT_SITES];
    if (site->rip != rip)
        *site = (struct hot_site){.rip = rip};
    return ++site->traps == OFTEN;
}

uint64_t patch_resume(uint64_t rip)
{
    const uint8_t *text = text_at(rip - 2, 5);
    int32_t distance;
    if (text == NULL || text[0] != JMP_REL32)
        return rip;
    __builtin_memcpy(&distance, text + 1, sizeof(distance));
    uint64_t stub = rip - 2 + 5 + (uint64_t)(int64_t)distance;
    return in_stubs(stub) && stub % STUB_BYTES == 0 ? stub + STUB_RESUME : rip;
}

void patch_trapped(uint64_t rip)
{
    if (in_stubs(rip) || (!paused && patch_mov(rip - 7)))
        return;
    if (often(rip) && !patch_mov(rip - 7))
        patch_compare(rip - 2);
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
            patch_mov(at);
    }
}
