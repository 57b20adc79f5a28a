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

#define HUGE_PAGE   UINT64_C(0x200000)
#define PROGRAM_MAX (UINT64_C(512) << 20)

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

static int open_memory(struct machine *machine, const struct machine_options *options,
                       struct err *err)
{
    struct guest_memory *memory = &machine->memory;
    int result = guest_memory_open(memory, options->ram_bytes, err);
    if (result == 0 && options->image >= 0)
        result = guest_memory_image(memory, options->image, err);
    if (result == 0)
        result = add_slot(machine, 0, 0, memory->ram, memory->ram_bytes, 0, err);
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

int machine_open(struct machine *machine, const struct machine_options *options, struct err *err)
{
    *machine = (struct machine){.kvm = options->kvm, .vm = -1, .cpu.fd = -1};
    machine->vm = ioctl(options->kvm, KVM_CREATE_VM, 0);
    if (machine->vm < 0)
        return err_set(err, errno, "make a virtual machine (/dev/kvm):");
    int result = open_memory(machine, options, err);
    if (result == 0)
        result = kernel_load(&machine->memory, &machine->kernel, err);
    if (result == 0)
        result = tables_write(&machine->memory, &machine->kernel, err);
    if (result == 0)
        result = open_cpu(machine, err);
    if (result == 0 && rings_open(&machine->rings, &machine->memory) < 0)
        result = err_set(err, EFAULT, "place the rings");
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

static uint64_t clock_of(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * NS_PER_SEC + (uint64_t)now.tv_nsec;
}

static int seed_random(struct vm_boot *boot, struct err *err)
{
    return getrandom(boot->seed, sizeof(boot->seed), 0) == (ssize_t)sizeof(boot->seed)
               ? 0
               : err_set(err, errno, "get random bytes for the guest:");
}

int machine_boot(struct machine *machine, struct vm_boot *boot, const char *strings, int program,
                 struct err *err)
{
    struct vm_shared shared = {.magic = VM_ABI_MAGIC};
    int result = seed_random(boot, err);
    if (result == 0 && program >= 0)
        result = load_program(machine, program, boot, err);
    if (result < 0)
        return result;
    boot->magic = VM_ABI_MAGIC;
    boot->version = VM_ABI_VERSION;
    boot->flags |= machine->cpu.direct ? (uint32_t)VM_FLAG_PVM : 0;
    boot->strings_gpa = VM_STRINGS_GPA;
    boot->ram_bytes = machine->memory.ram_bytes;
    uint64_t used = boot->program_bytes != 0 ? boot->program_gpa + boot->program_bytes
                                             : machine->kernel.end_gpa;
    boot->free_gpa = (used + VM_PAGE - 1) / VM_PAGE * VM_PAGE;
    boot->image_bytes = machine->memory.image_bytes;
    boot->fpu_mask = machine->cpu.fpu_mask;
    boot->fpu_bytes = machine->cpu.fpu_bytes;
    boot->tsc_hz = machine->cpu.tsc_hz;
    boot->tsc = cpu_tsc(&machine->cpu);
    machine->tsc_shift = boot->tsc - __builtin_ia32_rdtsc();
    boot->mono_ns = clock_now_ns();
    boot->real_ns = clock_of(CLOCK_REALTIME);
    if (boot->strings_bytes > VM_STRINGS_MAX ||
        guest_write(&machine->memory, GPA(VM_STRINGS_GPA), strings, boot->strings_bytes) < 0)
        return err_set(err, E2BIG, "arguments and environment are larger than %u KiB",
                       VM_STRINGS_MAX / 1024);
    if (guest_write(&machine->memory, GPA(VM_SHARED_GPA), &shared, sizeof(shared)) < 0 ||
        guest_write(&machine->memory, GPA(VM_BOOT_GPA), boot, sizeof(*boot)) < 0)
        return err_set(err, EFAULT, "write the guest's boot block:");
    fd_close(&machine->vm);
    return 0;
}

void machine_kick(struct machine *machine)
{
    machine->run->immediate_exit = 1;
}
