// SPDX-License-Identifier: Apache-2.0
/*
 * The frame of a signal handler, as x86-64 Linux lays it: return address, ucontext, siginfo, and
 * above them the state of the FPU, whose reserved bytes say how much of it there is
 * (arch/x86/include/uapi/asm/sigcontext.h).
 */
#include "../arch.h"
#include "../mm/space.h"
#include "thread.h"
#include <asm/sigcontext.h>

#include <asm/ucontext.h> /* wants the types of signal.h */

#define ACT_ONSTACK    0x08000000UL
#define ALT_DISABLE    2u
#define ALT_AUTODISARM (1u << 31)
#define RED_ZONE       128
#define FX_SW_AT       464    /* of the reserved bytes in the FXSAVE area */
#define FLAGS_PROGRAM  0xcd5u /* arithmetic flags and DF */

struct context {
    unsigned long flags;
    struct ucontext *link;
    stack_t stack;
    struct sigcontext machine;
    uint64_t mask;
};

struct frame {
    uint64_t return_to;
    struct context context;
    siginfo_t info;
};

static bool on_alt(const struct thread *thread, uint64_t sp)
{
    return sp > thread->alt.sp && sp - thread->alt.sp <= thread->alt.size;
}

static void machine_of(struct sigcontext *to, const struct regs *from, uint64_t fpu)
{
    to->r8 = from->r8;
    to->r9 = from->r9;
    to->r10 = from->r10;
    to->r11 = from->r11;
    to->r12 = from->r12;
    to->r13 = from->r13;
    to->r14 = from->r14;
    to->r15 = from->r15;
    to->rdi = from->rdi;
    to->rsi = from->rsi;
    to->rbp = from->rbp;
    to->rbx = from->rbx;
    to->rdx = from->rdx;
    to->rax = from->rax;
    to->rcx = from->rcx;
    to->rsp = from->rsp;
    to->rip = from->rip;
    to->eflags = from->rflags;
    to->cs = 0x33;
    to->ss = 0x2b;
    to->oldmask = current->blocked;
    to->fpstate = (void *)fpu;
}

/* Saves the FPU to the program's stack and marks how far it goes. */
static int save_fpu(uint64_t at)
{
    uint64_t size = arch_fpu_size();
    if (!user_ok(at, size + FP_XSTATE_MAGIC2_SIZE, true))
        return -EFAULT;
    memset((void *)at, 0, size);
    arch_fpu_save((void *)at);
    struct _fpx_sw_bytes sw;
    memset(&sw, 0, sizeof(sw));
    if (size > 576) {
        sw.magic1 = FP_XSTATE_MAGIC1;
        sw.extended_size = (uint32_t)(size + FP_XSTATE_MAGIC2_SIZE);
        memcpy(&sw.xfeatures, (const char *)at + 512, sizeof(sw.xfeatures));
        sw.xstate_size = (uint32_t)size;
        uint32_t magic2 = FP_XSTATE_MAGIC2;
        memcpy((char *)at + size, &magic2, sizeof(magic2));
    }
    memcpy((char *)at + FX_SW_AT, &sw, sizeof(sw));
    return 0;
}

int frame_build(struct regs *regs, const siginfo_t *info, const struct sigact *action)
{
    struct thread *thread = current;
    uint64_t sp = regs->rsp - RED_ZONE;
    bool alt = action->flags & ACT_ONSTACK && !(thread->alt.flags & ALT_DISABLE) &&
               !on_alt(thread, regs->rsp);
    if (alt)
        sp = thread->alt.sp + thread->alt.size;
    uint64_t fpu = (sp - arch_fpu_size() - FP_XSTATE_MAGIC2_SIZE) & ~63UL;
    uint64_t at = ((fpu - sizeof(struct frame)) & ~15UL) - 8;
    if (alt && at < thread->alt.sp)
        return -EFAULT;
    if (!user_ok(at, sizeof(struct frame), true) || save_fpu(fpu) < 0)
        return -EFAULT;
    struct frame *frame = (struct frame *)at;
    memset(frame, 0, sizeof(*frame));
    frame->return_to = action->restorer;
    frame->context.flags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
    frame->context.stack.ss_sp = (void *)thread->alt.sp;
    frame->context.stack.ss_size = thread->alt.size;
    frame->context.stack.ss_flags = (int)thread->alt.flags;
    machine_of(&frame->context.machine, regs, fpu);
    frame->context.mask = thread->restore_mask ? thread->saved_mask : thread->blocked;
    frame->info = *info;
    if (alt && thread->alt.flags & ALT_AUTODISARM)
        thread->alt = (struct sigalt){.flags = ALT_DISABLE};
    regs->rdi = (uint64_t)info->si_signo;
    regs->rsi = (uint64_t)&frame->info;
    regs->rdx = (uint64_t)&frame->context;
    regs->rax = 0;
    regs->rsp = at;
    regs->rip = action->handler;
    regs->rflags &= ~0x500UL; /* DF and TF: the ABI's state at a function's entry */
    return 0;
}

void signal_return(struct regs *regs)
{
    uint64_t at = regs->rsp - 8; /* the handler's return took the first word */
    if (!user_ok(at, sizeof(struct frame), false))
        process_kill(SIGSEGV);
    struct frame frame;
    memcpy(&frame, (const void *)at, sizeof(frame));
    const struct sigcontext *from = &frame.context.machine;
    uint64_t fpu = (uint64_t)from->fpstate;
    if (fpu) {
        if (fpu & 63 || !user_ok(fpu, arch_fpu_size(), false))
            process_kill(SIGSEGV);
        arch_fpu_restore((const void *)fpu);
    }
    regs->r8 = from->r8;
    regs->r9 = from->r9;
    regs->r10 = from->r10;
    regs->r11 = from->r11;
    regs->r12 = from->r12;
    regs->r13 = from->r13;
    regs->r14 = from->r14;
    regs->r15 = from->r15;
    regs->rdi = from->rdi;
    regs->rsi = from->rsi;
    regs->rbp = from->rbp;
    regs->rbx = from->rbx;
    regs->rdx = from->rdx;
    regs->rax = from->rax;
    regs->rcx = from->rcx;
    regs->rsp = from->rsp;
    regs->rip = from->rip;
    regs->rflags = (regs->rflags & ~(uint64_t)FLAGS_PROGRAM) | (from->eflags & FLAGS_PROGRAM);
    regs->orig_rax = UINT64_MAX;
    if (!on_alt(current, regs->rsp) || frame.context.stack.ss_flags) {
        current->alt.sp = (uint64_t)frame.context.stack.ss_sp;
        current->alt.size = frame.context.stack.ss_size;
        current->alt.flags = (uint32_t)frame.context.stack.ss_flags & ~1u;
    }
    signal_set_mask(frame.context.mask);
}
