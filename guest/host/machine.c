// SPDX-License-Identifier: Apache-2.0
/*
 * The machine part hosted on Linux (see machine.h). The program's registers live in a signal frame:
 * a system call (by syscall user dispatch), a fault or a tick is a signal whose handler switches to
 * the running thread's kernel stack; going back is writing the registers into the frame and
 * returning from the handler. The kernel's own system calls pass because they come from this
 * program's text.
 */
#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <immintrin.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <x86intrin.h>

#define TABLE_AT    0x200000000000UL
#define TABLE_BYTES (1UL << 38)
#define FREE_GPA    0x400000UL
#define ALT_BYTES   (64UL << 10)
#define BOOT_BYTES  (256UL << 10)
#define TICK_US     5000
#define FPU_MAX     16384

extern char __executable_start, etext;

static int ram_fd, image_fd = -1;
static uint64_t *table = (uint64_t *)TABLE_AT; /* of va: pa | prot; 8: there, with no right */
static struct {
    ucontext_t *frame;
    uint64_t host_fs, user_fs, user_gs;
    uint64_t back_sp; /* of the handler, while the kernel runs */
    struct arch_thread *running;
    int signal;
    int armed;
} cpu;
static uint64_t fpu_size = 512 + 64;
static double tsc_per_ns;

void machine_switch(uint64_t *save_sp, uint64_t to_sp);
__asm__(".text\n.globl machine_switch\nmachine_switch:\n"
        "push %rbp\npush %rbx\npush %r12\npush %r13\npush %r14\npush %r15\n"
        "mov %rsp,(%rdi)\nmov %rsi,%rsp\n"
        "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbx\npop %rbp\nret\n"
        ".globl machine_thunk\nmachine_thunk:\nmov %r12,%rdi\ncall *%r13\nud2\n");
void machine_thunk(void);

static uint64_t prepare(uint64_t stack_top, void (*fn)(void *), void *arg)
{
    uint64_t *sp = (uint64_t *)stack_top - 2;
    *sp-- = 0;
    *sp-- = (uint64_t)machine_thunk;
    sp -= 5;
    memset(sp, 0, 6 * sizeof(*sp));
    sp[3] = (uint64_t)arg; /* r12 */
    sp[2] = (uint64_t)fn;  /* r13 */
    return (uint64_t)sp;
}

/* --- time, leaving, rings --- */

uint64_t arch_tsc(void)
{
    return __rdtsc();
}

/* The host's vDSO would tell the host's time. */
uint64_t arch_vdso_map(uint64_t va)
{
    (void)va;
    return 0;
}

void arch_vdso_time(uint64_t tsc, uint64_t mono_ns, uint64_t real_offset, uint64_t ns_per_tick)
{
    (void)tsc;
    (void)mono_ns;
    (void)real_offset;
    (void)ns_per_tick;
}

void arch_idle(uint64_t until_tsc)
{
    machine_drain();
    int ms = -1;
    if (until_tsc != UINT64_MAX) {
        uint64_t now = __rdtsc();
        double ns = until_tsc > now ? (double)(until_tsc - now) / tsc_per_ns : 0;
        struct timespec ts = {.tv_sec = (time_t)(ns / 1e9),
                              .tv_nsec = (long)(ns - (double)(time_t)(ns / 1e9) * 1e9)};
        struct vm_ring *ring = &arch_shared()->rings[VM_STDIN];
        struct pollfd in = {
            .fd = ring->producer_flags & VM_RING_CLOSED || ring->head != ring->tail ? -1 : 0,
            .events = POLLIN};
        ppoll(&in, 1, &ts, NULL);
        ms = 0;
    } else if (arch_shared()->rings[VM_STDIN].producer_flags & VM_RING_CLOSED) {
        static const char text[] = "hosted guest: all threads wait for ever\n";
        if (write(2, text, sizeof(text) - 1) < 0)
            _exit(125);
        _exit(125);
    }
    machine_fill_stdin(ms);
}

void arch_doorbell(enum vm_doorbell bell)
{
    if (bell == VM_BELL_FLUSH)
        machine_drain();
    if (bell == VM_BELL_STDIN)
        machine_fill_stdin(0);
}

void arch_snapshot(void)
{
}

void arch_exit(enum vm_exit_kind kind, uint32_t value)
{
    machine_drain();
    if (kind == VM_EXIT_SIGNAL) {
        signal((int)value, SIG_DFL);
        sigset_t none;
        sigemptyset(&none);
        raise((int)value);
        sigprocmask(SIG_SETMASK, &none, NULL);
        _exit(128 + (int)value);
    }
    _exit(kind == VM_EXIT_STATUS ? (int)value : 125);
}

void arch_panic(const struct regs *regs, const char *format, ...)
{
    va_list args;
    machine_drain();
    va_start(args, format);
    dprintf(2, "guest kernel: ");
    vdprintf(2, format, args);
    va_end(args);
    if (regs)
        dprintf(2, " rip %lx rsp %lx rax %lx rdi %lx rsi %lx rdx %lx", regs->rip, regs->rsp,
                regs->rax, regs->rdi, regs->rsi, regs->rdx);
    dprintf(2, "\n");
    _exit(125);
}

/* --- memory --- */

static int host_prot(unsigned prot)
{
    return (prot & ARCH_R ? PROT_READ : 0) | (prot & ARCH_W ? PROT_WRITE : 0) |
           (prot & ARCH_X ? PROT_EXEC : 0);
}

int arch_map(uint64_t va, uint64_t pa, uint64_t pages, unsigned prot)
{
    bool image = pa >= VM_IMAGE_GPA;
    void *at = mmap((void *)va, pages * 4096, host_prot(prot),
                    MAP_FIXED | (image ? MAP_PRIVATE : MAP_SHARED), image ? image_fd : ram_fd,
                    (off_t)(image ? pa - VM_IMAGE_GPA : pa));
    if (at == MAP_FAILED)
        arch_panic(NULL, "mmap of %lx: %s", va, strerror(errno));
    for (uint64_t i = 0; i < pages; i++)
        table[(va >> 12) + i] = (pa + i * 4096) | prot | 8;
    return 0;
}

int arch_unmap(uint64_t va, uint64_t pages)
{
    if (munmap((void *)va, pages * 4096) < 0)
        return -ENOMEM;
    for (uint64_t i = 0; i < pages; i++)
        table[(va >> 12) + i] = 0;
    return 0;
}

int arch_protect(uint64_t va, uint64_t pages, unsigned prot)
{
    for (uint64_t i = 0; i < pages; i++) {
        uint64_t *entry = &table[(va >> 12) + i];
        if (!*entry)
            continue;
        *entry = (*entry & ~7UL) | prot;
        if (mprotect((void *)(va + i * 4096), 4096, host_prot(prot)) < 0)
            return -ENOMEM;
    }
    return 0;
}

int arch_query(uint64_t va, uint64_t *out_pa, unsigned *out_prot)
{
    uint64_t entry = va >> 47 ? 0 : table[va >> 12];
    if (!entry)
        return 0;
    *out_pa = (entry & ~4095UL) | (va & 4095);
    *out_prot = entry & 7;
    return 1;
}

void arch_patch(uint64_t va, uint64_t bytes)
{
    (void)va, (void)bytes;
}

/* --- threads --- */

static void *frame_fpu(void)
{
    return cpu.frame ? cpu.frame->uc_mcontext.fpregs : NULL;
}

uint64_t arch_fpu_size(void)
{
    return fpu_size;
}

void arch_fpu_save(void *area)
{
    if (frame_fpu())
        memcpy(area, frame_fpu(), fpu_size);
}

void arch_fpu_restore(const void *area)
{
    /* The marks that the kernel below us put into its frame stay as they are. */
    char marks[48];
    if (!frame_fpu())
        return;
    memcpy(marks, (char *)frame_fpu() + 464, sizeof(marks));
    memcpy(frame_fpu(), area, fpu_size);
    memcpy((char *)frame_fpu() + 464, marks, sizeof(marks));
}

void arch_fpu_reset(void *area)
{
    arch_fpu_save(area);
}

void arch_thread_init(struct arch_thread *t, uint64_t stack_top, void (*fn)(void *), void *arg)
{
    t->stack_top = stack_top;
    t->sp = prepare(stack_top, fn, arg);
    arch_fpu_save(t->fpu);
}

void arch_thread_adopt(struct arch_thread *t)
{
    cpu.running = t;
}

void arch_thread_switch(struct arch_thread *from, struct arch_thread *to)
{
    from->fs_base = cpu.user_fs;
    from->gs_base = cpu.user_gs;
    arch_fpu_save(from->fpu);
    cpu.running = to;
    cpu.user_fs = to->fs_base;
    cpu.user_gs = to->gs_base;
    arch_fpu_restore(to->fpu);
    machine_switch(&from->sp, to->sp);
}

uint64_t arch_fs_get(void)
{
    return cpu.user_fs;
}

void arch_fs_set(uint64_t base)
{
    cpu.user_fs = base;
}

uint64_t arch_gs_get(void)
{
    return cpu.user_gs;
}

void arch_gs_set(uint64_t base)
{
    cpu.user_gs = base;
}

/* --- to the program and back --- */

static const struct {
    int frame;
    size_t regs;
} registers[] = {
    {REG_R15, offsetof(struct regs, r15)},    {REG_R14, offsetof(struct regs, r14)},
    {REG_R13, offsetof(struct regs, r13)},    {REG_R12, offsetof(struct regs, r12)},
    {REG_RBP, offsetof(struct regs, rbp)},    {REG_RBX, offsetof(struct regs, rbx)},
    {REG_R11, offsetof(struct regs, r11)},    {REG_R10, offsetof(struct regs, r10)},
    {REG_R9, offsetof(struct regs, r9)},      {REG_R8, offsetof(struct regs, r8)},
    {REG_RAX, offsetof(struct regs, rax)},    {REG_RCX, offsetof(struct regs, rcx)},
    {REG_RDX, offsetof(struct regs, rdx)},    {REG_RSI, offsetof(struct regs, rsi)},
    {REG_RDI, offsetof(struct regs, rdi)},    {REG_RIP, offsetof(struct regs, rip)},
    {REG_EFL, offsetof(struct regs, rflags)}, {REG_RSP, offsetof(struct regs, rsp)},
};

void arch_enter_user(const struct regs *regs)
{
    for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++)
        memcpy(&cpu.frame->uc_mcontext.gregs[registers[i].frame],
               (const char *)regs + registers[i].regs, 8);
    uint64_t unused;
    machine_switch(&unused, cpu.back_sp);
    __builtin_unreachable();
}

static void enter_kernel(void *arg)
{
    (void)arg;
    struct regs regs;
    const greg_t *from = cpu.frame->uc_mcontext.gregs;
    for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++)
        memcpy((char *)&regs + registers[i].regs, &from[registers[i].frame], 8);
    regs.orig_rax = UINT64_MAX;
    if (cpu.signal == SIGSYS) {
        regs.orig_rax = regs.rax;
        kernel_syscall(&regs);
    } else if (cpu.signal == SIGVTALRM) {
        kernel_tick(&regs);
    } else {
        kernel_fault(&regs, (unsigned)from[REG_TRAPNO], (uint64_t)from[REG_ERR],
                     (uint64_t)from[REG_CR2]);
    }
    arch_enter_user(&regs);
}

static void boot_kernel(void *arg)
{
    (void)arg;
    kernel_main(arch_phys(VM_BOOT_GPA));
}

static char boot_stack[BOOT_BYTES] __attribute__((aligned(64)));

/* No stack protector here: until the first line has run, fs is the program's. */
__attribute__((no_stack_protector)) static void on_signal(int signal, siginfo_t *info,
                                                          void *context)
{
    ucontext_t *frame = context;
    uint64_t fs = _readfsbase_u64(), gs = _readgsbase_u64();
    uint64_t rip = (uint64_t)frame->uc_mcontext.gregs[REG_RIP];
    bool ours = rip >= (uint64_t)&__executable_start && rip < (uint64_t)&etext;
    (void)info;
    if (cpu.armed)
        _writefsbase_u64(cpu.host_fs);
    if (ours && signal == SIGVTALRM) {
        _writefsbase_u64(fs);
        return;
    }
    if (ours && signal != SIGUSR1) {
        dprintf(2, "guest kernel: signal %d at %lx (base %lx), address %llx\n", signal, rip,
                (uint64_t)&__executable_start,
                (unsigned long long)frame->uc_mcontext.gregs[REG_CR2]);
        _exit(125);
    }
    cpu.frame = frame;
    cpu.signal = signal;
    uint64_t sp;
    if (signal == SIGUSR1) {
        cpu.host_fs = fs;
        cpu.armed = 1;
        cpu.user_fs = cpu.user_gs = 0;
        struct _libc_fpstate *fpu = frame->uc_mcontext.fpregs;
        uint32_t magic, size;
        memcpy(&magic, (char *)fpu + 464, 4);
        memcpy(&size, (char *)fpu + 464 + 16, 4);
        fpu_size = magic == 0x46505853 && size <= FPU_MAX ? size : 512;
        sp = prepare((uint64_t)boot_stack + sizeof(boot_stack), boot_kernel, NULL);
    } else {
        cpu.user_fs = fs;
        cpu.user_gs = gs;
        sp = prepare(cpu.running->stack_top, enter_kernel, NULL);
    }
    machine_switch(&cpu.back_sp, sp);
    _writegsbase_u64(cpu.user_gs);
    _writefsbase_u64(cpu.user_fs);
}

static void *must_map(uint64_t at, uint64_t bytes, int fd, int prot, int flags)
{
    void *got = mmap((void *)at, bytes, prot, flags | MAP_FIXED_NOREPLACE, fd, 0);
    if (got == MAP_FAILED) {
        perror("hosted guest: mmap");
        exit(125);
    }
    return got;
}

void machine_init(uint64_t ram_bytes, int image, uint64_t image_bytes)
{
    ram_fd = memfd_create("guest", MFD_CLOEXEC);
    if (ram_fd < 0 || ftruncate(ram_fd, (off_t)ram_bytes) < 0) {
        perror("hosted guest: memfd");
        exit(125);
    }
    must_map(ARCH_PHYS_VA, ram_bytes, ram_fd, PROT_READ | PROT_WRITE, MAP_SHARED);
    must_map(TABLE_AT, TABLE_BYTES, -1, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
    image_fd = image;
    if (image >= 0)
        must_map(ARCH_PHYS_VA + VM_IMAGE_GPA, (image_bytes + 4095) & ~4095UL, image, PROT_READ,
                 MAP_SHARED);
    struct vm_boot *boot = machine_boot_block();
    struct timespec mono, real, later;
    boot->magic = VM_ABI_MAGIC;
    boot->version = VM_ABI_VERSION;
    boot->ram_bytes = ram_bytes;
    boot->image_bytes = image_bytes;
    boot->free_gpa = FREE_GPA;
    boot->stack_bytes = 8UL << 20;
    boot->open_max = 1024;
    boot->tsc = __rdtsc();
    clock_gettime(CLOCK_MONOTONIC, &mono);
    clock_gettime(CLOCK_REALTIME, &real);
    do
        clock_gettime(CLOCK_MONOTONIC, &later);
    while ((later.tv_sec - mono.tv_sec) * 1000000000L + later.tv_nsec - mono.tv_nsec < 10000000L);
    uint64_t ns =
        (uint64_t)((later.tv_sec - mono.tv_sec) * 1000000000L + later.tv_nsec - mono.tv_nsec);
    tsc_per_ns = (double)(__rdtsc() - boot->tsc) / (double)ns;
    boot->tsc_hz = (uint64_t)(tsc_per_ns * 1e9);
    boot->mono_ns = (uint64_t)mono.tv_sec * 1000000000UL + (uint64_t)mono.tv_nsec;
    boot->real_ns = (uint64_t)real.tv_sec * 1000000000UL + (uint64_t)real.tv_nsec;
    if (getrandom(boot->seed, sizeof(boot->seed), 0) != sizeof(boot->seed))
        exit(125);
    strcpy(boot->hostname, "guest");
    strcpy(boot->cwd, "/");
}

struct vm_boot *machine_boot_block(void)
{
    return arch_phys(VM_BOOT_GPA);
}

void machine_run(void)
{
    static char alt[ALT_BYTES];
    static const int signals[] = {SIGSYS, SIGSEGV, SIGBUS,    SIGFPE,
                                  SIGILL, SIGTRAP, SIGVTALRM, SIGUSR1};
    static char block = 1; /* SYSCALL_DISPATCH_FILTER_BLOCK */
    stack_t stack = {.ss_sp = alt, .ss_size = sizeof(alt)};
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigfillset(&action.sa_mask);
    sigaltstack(&stack, NULL);
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        sigaction(signals[i], &action, NULL);
    uint64_t text = (uint64_t)&__executable_start;
    if (prctl(59 /* PR_SET_SYSCALL_USER_DISPATCH */, 1, text, (uint64_t)&etext - text, &block) <
        0) {
        perror("hosted guest: syscall user dispatch");
        exit(125);
    }
    struct itimerval tick = {{0, TICK_US}, {0, TICK_US}};
    setitimer(ITIMER_VIRTUAL, &tick, NULL);
    raise(SIGUSR1);
    abort();
}
