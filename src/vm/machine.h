/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One virtual machine: opened, loaded, run until it ends. What a guest does wrong ends it with a
 * verdict; nothing it does is an error of the monitor.
 */
#ifndef SKERRY_VM_MACHINE_H
#define SKERRY_VM_MACHINE_H

#include <stdint.h>

#include "vm/kernel.h"
#include "vm/rings.h"
#include "vm/x86_64/cpu.h"

struct kvm_run;

struct machine {
    int kvm, vm; /* closed once the machine is loaded */
    struct cpu cpu;
    struct kvm_run *run;
    size_t run_bytes;
    struct guest_memory memory;
    struct kernel kernel;
    struct rings rings;
    uint32_t pause_bell; /* enum vm_doorbell that the guest may ring once, to stop; 0: none */
    uint64_t start_tsc, start_ns; /* the same moment, as the boot block has it */
    uint64_t tsc_shift;           /* guest's time stamp counter less the machine's */
    uint64_t deadline_ns;         /* CLOCK_MONOTONIC; 0: none */
    uint64_t exits, bells, ticks;
    uint64_t stuck_rip;   /* where the last tick found the guest ... */
    uint64_t stuck_ticks; /* ... and how many before it found it there */
};

enum verdict_kind {
    VERDICT_STATUS,  /* the program exited: value */
    VERDICT_SIGNAL,  /* a signal ended the program: value */
    VERDICT_OOM,     /* its memory was used up */
    VERDICT_DIED,    /* the guest kernel gave up, or the CPU shut down (triple fault) */
    VERDICT_BROKE,   /* it broke the rules between guest and monitor */
    VERDICT_TIMEOUT, /* the deadline passed */
    VERDICT_FAILED,  /* KVM itself failed */
    VERDICT_PAUSED,  /* it rang pause_bell */
};

struct verdict {
    enum verdict_kind kind;
    uint32_t value;
    char text[160]; /* what it did, for all but STATUS and SIGNAL */
};

/* What machines are made of, as opened by main; -1: none. */
struct vm_files {
    int kvm, image, program;
};

/* Closes them: the guest is not to run while they are open. */
void vm_files_close(struct vm_files *files);

struct machine_options {
    uint64_t ram_bytes;
    int kvm;   /* /dev/kvm; stays the caller's */
    int image; /* the read-only image, or -1 */
};

/* Creates the VM and its CPU and loads the kernel. 0 or -errno. */
int machine_open(struct machine *machine, const struct machine_options *options, struct err *err);

/* The two halves of it for who fills memory otherwise: a VM and zeroed RAM, which KVM does not know
 * yet; then, with memory as it shall be and machine->kernel described, the rest. 0 or -errno. */
int machine_create(struct machine *machine, const struct machine_options *options, struct err *err);
int machine_finish(struct machine *machine, struct err *err);

/* Fills boot's fields about memory, and puts the program, an ELF file, into RAM; -1: it is in the
 * image. Then gives up what makes machines. 0 or -errno. */
int machine_boot(struct machine *machine, struct vm_boot *boot, int program, struct err *err);

/* Closes the VM's descriptor: its memory and CPUs are as they will stay. */
void machine_give_up(struct machine *machine);

/*
 * Makes it ready to run: completes boot (seed, clocks, what the machine knows), and writes it, the
 * strings and empty rings. Makes no system call but getrandom and those for clocks. 0 or -errno.
 */
int machine_start(struct machine *machine, struct vm_boot *boot, const char *strings,
                  struct err *err);

/* CLOCK_MONOTONIC at a value of the guest's time stamp counter; 0: before it was started. */
uint64_t machine_ns_of(const struct machine *machine, uint64_t tsc);

/* Runs it to its end. The timer's signal must set run->immediate_exit (machine_kick). */
struct verdict machine_run(struct machine *machine);

/* What a doorbell of the guest makes the monitor do. True when the guest goes on; else *verdict is
 * filled. Part of machine_run, apart for its fuzzer. */
bool machine_bell(struct machine *machine, uint32_t bell, struct verdict *verdict);

/* From a signal handler: makes the next, or the current, entry into the guest return. */
void machine_kick(struct machine *machine);

#endif
