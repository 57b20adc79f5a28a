/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a machine. The order matters twice: memory slots come before the CPU, because adding one
 * later makes KVM wait for readers; and all that allocates or opens happens here, before the filter
 * that machine_run lives under.
 */
#include "vm/machine.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "vm/x86_64/tables.h"

#define PROGRAM_MAX (UINT64_C(512) << 20)

/* Page tables of a machine that makes a snapshot: a part of RAM, which need not be touched. */
#define TABLES_SHARE     32
#define TABLES_BYTES_MIN (UINT64_C(1) << 20)

#define CLOCK_TRIES   8u
#define CLOCK_SPAN_NS (20 * NS_PER_US)

static int add_slot(struct machine *machine, uint32_t slot, uint64_t gpa, const void *memory,
                    uint64_t bytes, uint32_t flags, struct err *err)
{
    struct kvm_userspace_memory_region region = {.slot = slot,
                                                 .flags = flags,
                                                 .guest_phys_addr = gpa,
                                                 .memory_size = bytes,
                                                 .userspace_addr = (uintptr_t)memory};
    if (ioctl(machine->vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
        return err_set(err, errno, "give the guest its memory:");
    return 0;
}

static int add_memory(struct machine *machine, struct err *err)
{
    const struct guest_memory *memory = &machine->memory;
    int result = add_slot(machine, 0, 0, memory->ram, memory->ram_bytes, 0, err);
    if (result == 0 && memory->image != NULL)
        result = add_slot(machine, 1, VM_IMAGE_GPA, memory->image, memory->image_bytes,
                          KVM_MEM_READONLY, err);
    return result;
}

static int open_cpu(struct machine *machine, struct err *err)
{
    int bytes = ioctl(machine->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    machine->cpu.fd = ioctl(machine->vm, KVM_CREATE_VCPU, 0);
    if (bytes <= 0 || machine->cpu.fd < 0)
        return err_set(err, errno, "make the guest's CPU:");
    machine->run_bytes = (size_t)bytes;
    machine->run =
        mmap(NULL, machine->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, machine->cpu.fd, 0);
    if (machine->run == MAP_FAILED)
        return err_set(err, errno, "map the guest's CPU:");
    return cpu_prepare(&machine->cpu, machine->kvm, &machine->kernel, err);
}

int machine_create(struct machine *machine, const struct machine_options *options, struct err *err)
{
    *machine = (struct machine){.kvm = options->kvm, .vm = -1, .cpu.fd = -1};
    machine->vm = ioctl(options->kvm, KVM_CREATE_VM, 0);
    if (machine->vm < 0)
        return err_set(err, errno, "make a virtual machine (/dev/kvm):");
    return guest_memory_open(&machine->memory, options->ram_bytes, err);
}

int machine_finish(struct machine *machine, struct err *err)
{
    int result = add_memory(machine, err);
    if (result == 0)
        result = open_cpu(machine, err);
    return result;
}

int machine_open(struct machine *machine, const struct machine_options *options, struct err *err)
{
    int result = machine_create(machine, options, err);
    if (result == 0)
        result = kernel_load(&machine->memory, &machine->kernel, err);
    if (result == 0 && options->image >= 0)
        result = guest_memory_image(&machine->memory, options->image, err);
    if (result == 0)
        result = tables_write(&machine->memory, &machine->kernel, err);
    if (result == 0)
        result = machine_finish(machine, err);
    return result;
}

/* A program without an image: its file, put behind the kernel. */
static int load_program(struct machine *machine, int fd, struct vm_boot *boot, struct err *err)
{
    struct stat status;
    uint64_t at = machine->kernel.end_gpa;
    if (fstat(fd, &status) < 0)
        return err_set(err, errno, "look at the program:");
    uint64_t bytes = (uint64_t)status.st_size;
    uint8_t *room = bytes <= PROGRAM_MAX ? guest_span(&machine->memory, GPA(at), bytes) : NULL;
    if (!S_ISREG(status.st_mode) || room == NULL)
        return err_set(err, EFBIG, "the program does not fit into the guest's memory");
    ssize_t got = fd_read_all(fd, room, bytes);
    if (got < 0 || (uint64_t)got != bytes)
        return err_set(err, got < 0 ? (int)-got : EIO, "read the program:");
    boot->program_gpa = at;
    boot->program_bytes = bytes;
    return 0;
}

int machine_boot(struct machine *machine, struct vm_boot *boot, int program, struct err *err)
{
    int result = program >= 0 ? load_program(machine, program, boot, err) : 0;
    if (result < 0)
        return result;
    uint64_t used = boot->program_bytes != 0 ? boot->program_gpa + boot->program_bytes
                                             : machine->kernel.end_gpa;
    boot->free_gpa = (used + VM_PAGE - 1) / VM_PAGE * VM_PAGE;
    if ((boot->flags & VM_FLAG_SNAPSHOT) != 0) {
        uint64_t bytes = machine->memory.ram_bytes / TABLES_SHARE;
        boot->tables_gpa = boot->free_gpa;
        boot->tables_bytes = bytes > TABLES_BYTES_MIN ? bytes : TABLES_BYTES_MIN;
        boot->free_gpa += boot->tables_bytes;
        if (boot->free_gpa >= machine->memory.ram_bytes)
            return err_set(err, EFBIG, "the program does not fit into the guest's memory");
    }
    machine_give_up(machine);
    return 0;
}

void vm_files_close(struct vm_files *files)
{
    fd_close(&files->kvm);
    fd_close(&files->image);
    fd_close(&files->program);
}

void machine_give_up(struct machine *machine)
{
    machine->kvm = -1; /* the caller's */
    fd_close(&machine->vm);
}

static uint64_t clock_of(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * NS_PER_SEC + (uint64_t)now.tv_nsec;
}

/* The same moment by three clocks: again, if something came between. */
static void fill_clocks(struct machine *machine, struct vm_boot *boot)
{
    for (unsigned int tries = 0; tries < CLOCK_TRIES; tries++) {
        uint64_t before = clock_now_ns();
        boot->tsc = cpu_tsc(&machine->cpu);
        machine->tsc_shift = boot->tsc - __builtin_ia32_rdtsc();
        boot->mono_ns = clock_now_ns();
        boot->real_ns = clock_of(CLOCK_REALTIME);
        if (clock_now_ns() - before < CLOCK_SPAN_NS)
            return;
    }
}

int machine_start(struct machine *machine, struct vm_boot *boot, const char *strings,
                  struct err *err)
{
    struct vm_shared shared = {.magic = VM_ABI_MAGIC};
    if (getrandom(boot->seed, sizeof(boot->seed), 0) != (ssize_t)sizeof(boot->seed))
        return err_set(err, errno, "get random bytes for the guest:");
    boot->magic = VM_ABI_MAGIC;
    boot->version = VM_ABI_VERSION;
    boot->flags |= machine->cpu.direct ? (uint32_t)VM_FLAG_PVM : 0;
    boot->strings_gpa = VM_STRINGS_GPA;
    boot->ram_bytes = machine->memory.ram_bytes;
    boot->image_bytes = machine->memory.image_bytes;
    boot->fpu_mask = machine->cpu.fpu_mask;
    boot->fpu_bytes = machine->cpu.fpu_bytes;
    boot->tsc_hz = machine->cpu.tsc_hz;
    if (boot->strings_bytes > VM_STRINGS_MAX ||
        guest_write(&machine->memory, GPA(VM_STRINGS_GPA), strings, boot->strings_bytes) < 0)
        return err_set(err, E2BIG, "arguments and environment are larger than %u KiB",
                       VM_STRINGS_MAX / 1024);
    fill_clocks(machine, boot);
    if (guest_write(&machine->memory, GPA(VM_SHARED_GPA), &shared, sizeof(shared)) < 0 ||
        guest_write(&machine->memory, GPA(VM_BOOT_GPA), boot, sizeof(*boot)) < 0 ||
        rings_open(&machine->rings, &machine->memory) < 0)
        return err_set(err, EFAULT, "write the guest's boot block:");
    machine->start_tsc = boot->tsc;
    machine->start_ns = boot->mono_ns;
    machine->exits = machine->bells = machine->ticks = 0;
    machine->stuck_rip = machine->stuck_ticks = 0;
    return 0;
}

uint64_t machine_ns_of(const struct machine *machine, uint64_t tsc)
{
    uint64_t ticks = tsc - machine->start_tsc;
    if (tsc < machine->start_tsc)
        return 0;
    return machine->start_ns + (uint64_t)((__uint128_t)ticks * NS_PER_SEC / machine->cpu.tsc_hz);
}

void machine_kick(struct machine *machine)
{
    machine->run->immediate_exit = 1;
}
