/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest kernel: one static program without a C library that writes and exits. */
#include "arch.h"

static uint64_t next_page;

uint64_t kernel_page_alloc(void)
{
    uint64_t page = next_page;
    next_page += VM_PAGE;
    __builtin_memset(arch_phys(page), 0, VM_PAGE);
    return page;
}

struct elf_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum;
};
struct elf_segment {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

void kernel_main(const struct vm_boot *boot)
{
    next_page = boot->free_gpa;
    const struct elf_header *elf = arch_phys(boot->program_gpa);
    const struct elf_segment *seg = arch_phys(boot->program_gpa + elf->phoff);
    for (unsigned int i = 0; i < elf->phnum; i++) {
        if (seg[i].type != 1)
            continue;
        uint64_t lo = seg[i].vaddr & ~UINT64_C(4095);
        uint64_t hi = (seg[i].vaddr + seg[i].memsz + 4095) & ~UINT64_C(4095);
        for (uint64_t va = lo; va < hi; va += VM_PAGE) {
            uint64_t page = kernel_page_alloc();
            arch_map(va, page, 1,
                     ARCH_R | ((seg[i].flags & 2) ? ARCH_W : 0u) |
                         ((seg[i].flags & 1) ? ARCH_X : 0u));
            for (uint64_t b = 0; b < VM_PAGE; b++) {
                uint64_t at = va + b - seg[i].vaddr;
                if (at < seg[i].filesz)
                    ((uint8_t *)arch_phys(page))[b] =
                        ((const uint8_t *)arch_phys(boot->program_gpa + seg[i].offset))[at];
            }
        }
        if (seg[i].flags & 1)
            arch_patch(lo, hi - lo);
    }
    uint64_t stack = kernel_page_alloc();
    arch_map(0x7ff000000000, stack, 1, ARCH_R | ARCH_W);
    struct regs regs = {.rip = elf->entry, .rsp = 0x7ff000000800, .rflags = 0x202};
    arch_shared()->stages[VM_STAGE_PROGRAM] = arch_tsc();
    arch_enter_user(&regs);
}

void kernel_syscall(struct regs *regs)
{
    if (regs->orig_rax == 1) {
        struct vm_ring *ring = &arch_shared()->rings[regs->rdi == 2 ? VM_STDERR : VM_STDOUT];
        uint8_t *data = arch_ring_data(regs->rdi == 2 ? VM_STDERR : VM_STDOUT);
        for (uint64_t i = 0; i < regs->rdx; i++)
            data[(ring->head + i) % VM_RING_BYTES] = ((const uint8_t *)regs->rsi)[i];
        __atomic_store_n(&ring->head, ring->head + (uint32_t)regs->rdx, __ATOMIC_RELEASE);
        regs->rax = regs->rdx;
    } else if (regs->orig_rax == 231 || regs->orig_rax == 60) {
        arch_exit(VM_EXIT_STATUS, regs->rdi & 255);
    } else {
        regs->rax = (uint64_t)-38;
    }
}

void kernel_fault(struct regs *regs, unsigned int vector, uint64_t error, uint64_t cr2)
{
    arch_panic(regs, "program: exception %u error %lx at %lx", vector, error, cr2);
}

int kernel_text_private(uint64_t va)
{
    (void)va;
    return -12;
}

void kernel_tick(struct regs *regs)
{
    (void)regs;
}

void *memset(void *p, int c, uint64_t n);
void *memcpy(void *restrict d, const void *restrict s, uint64_t n);

void *memset(void *p, int c, uint64_t n)
{
    uint8_t *b = p;
    for (uint64_t i = 0; i < n; i++)
        __asm__ volatile("movb %b1, %0" : "=m"(b[i]) : "q"((uint8_t)c));
    return p;
}
void *memcpy(void *restrict d, const void *restrict s, uint64_t n)
{
    void *r = d;
    __asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
    return r;
}
