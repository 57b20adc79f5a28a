// SPDX-License-Identifier: Apache-2.0
/* The texts of /proc. */
#include "proctext.h"

#include <asm/mman.h>

#include "../kernel/process.h"
#include "../kernel/thread.h"
#include "../mm/page.h"
#include "../mm/space.h"
#include "file.h"
#include "inode.h"
#include "tree.h"

void proc_maps(struct format *out)
{
    char path[512];
    for (size_t i = 0; i < space_count(); i++) {
        const struct vma *vma = space_at(i);
        size_t start = out->len;
        format_hex(out, vma->start, 8);
        format_text(out, "-");
        format_hex(out, vma->end, 8);
        format_text(out, vma->prot & PROT_READ ? " r" : " -");
        format_text(out, vma->prot & PROT_WRITE ? "w" : "-");
        format_text(out, vma->prot & PROT_EXEC ? "x" : "-");
        format_text(out, vma->flags & VMA_SHARED ? "s " : "p ");
        format_hex(out, vma->offset, 8);
        format_text(out, " 00:");
        format_hex(out, vma->file ? vma->file->inode->dev : 0, 2);
        format_text(out, " ");
        format_number(out, vma->file ? vma->file->inode->ino : 0);
        format_text(out, " ");
        if (vma->file && vma->file->dentry &&
            tree_path(vma->file->dentry, path, sizeof(path)) > 0) {
            format_pad(out, start, 73);
            format_text(out, path);
        } else if (vma->flags & (VMA_STACK | VMA_HEAP)) {
            format_pad(out, start, 73);
            format_text(out, vma->flags & VMA_STACK ? "[stack]" : "[heap]");
        }
        format_text(out, "\n");
    }
}

static void line(struct format *out, const char *name, uint64_t value, const char *unit)
{
    format_text(out, name);
    format_number(out, value);
    format_text(out, unit);
}

static uint64_t mapped_bytes(void)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < space_count(); i++)
        sum += space_at(i)->end - space_at(i)->start;
    return sum;
}

static void ids(struct format *out, const char *name, uint32_t id)
{
    format_text(out, name);
    for (int i = 0; i < 4; i++) {
        format_number(out, id);
        format_text(out, i < 3 ? "\t" : "\n");
    }
}

void proc_status(struct format *out)
{
    format_text(out, "Name:\t");
    format_text(out, current->name);
    format_text(out, "\nUmask:\t0");
    format_number(out, process.umask >> 6);
    format_number(out, (process.umask >> 3) & 7);
    format_number(out, process.umask & 7);
    format_text(out, "\nState:\tR (running)\n");
    line(out, "Tgid:\t", PROCESS_PID, "\nNgid:\t0\n");
    line(out, "Pid:\t", PROCESS_PID, "\nPPid:\t1\nTracerPid:\t0\n");
    ids(out, "Uid:\t", process.uid);
    ids(out, "Gid:\t", process.gid);
    line(out, "FDSize:\t", (uint64_t)fd_highest(), "\nGroups:\t \n");
    uint64_t used = (page_count_total() - page_count_free()) * (PAGE_SIZE / 1024);
    line(out, "VmPeak:\t", mapped_bytes() / 1024, " kB\n");
    line(out, "VmSize:\t", mapped_bytes() / 1024, " kB\n");
    line(out, "VmHWM:\t", used, " kB\n");
    line(out, "VmRSS:\t", used, " kB\n");
    line(out, "Threads:\t", (uint64_t)thread_count(), "\n");
    format_text(out, "SigBlk:\t");
    format_hex(out, current->blocked, 16);
    format_text(
        out, "\nCapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n"
             "CapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t0\n"
             "Cpus_allowed:\t1\nCpus_allowed_list:\t0\n");
}

void proc_stat(struct format *out)
{
    format_number(out, PROCESS_PID);
    format_text(out, " (");
    format_text(out, current->name);
    format_text(out, ") R 1 2 2 0 -1 4194304 0 0 0 0 ");
    line(out, "", (time_mono_ns() - process.started_ns) / 10000000, " 0 0 0 20 0 ");
    line(out, "", (uint64_t)thread_count(), " 0 ");
    line(out, "", process.started_ns / 10000000, " ");
    line(out, "", mapped_bytes(), " ");
    line(out, "", page_count_total() - page_count_free(), " 18446744073709551615 0 0 ");
    line(out, "", process.stack_top, " 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n");
}

void proc_statm(struct format *out)
{
    line(out, "", mapped_bytes() / PAGE_SIZE, " ");
    line(out, "", page_count_total() - page_count_free(), " 0 0 0 0 0\n");
}

void proc_cmdline(struct format *out)
{
    format_bytes(out, process.cmdline, process.cmdline_len);
}

void proc_environ(struct format *out)
{
    format_bytes(out, process.environ, process.environ_len);
}

void proc_comm(struct format *out)
{
    format_text(out, current->name);
    format_text(out, "\n");
}

void proc_auxv(struct format *out)
{
    format_bytes(out, (const char *)process.auxv, process.auxv_count * sizeof(process.auxv[0]));
}

void proc_mounts(struct format *out)
{
    format_text(out, "skerry / tmpfs rw 0 0\nproc /proc proc rw 0 0\ndev /dev tmpfs rw 0 0\n");
}

void proc_mountinfo(struct format *out)
{
    format_text(out, "1 1 0:32 / / rw - tmpfs skerry rw\n2 1 0:21 / /proc rw - proc proc rw\n3 1 "
                     "0:6 / /dev rw - tmpfs dev rw\n");
}

void proc_limits(struct format *out)
{
    format_text(out, "Limit                     Soft Limit           Hard Limit           Units    "
                     " \nMax open files            ");
    line(out, "", process.open_max, "                 ");
    line(out, "", process.open_max, "                 files     \n");
}

void proc_cgroup(struct format *out)
{
    format_text(out, "0::/\n");
}

void proc_oom(struct format *out)
{
    format_text(out, "0\n");
}

void proc_cpuinfo(struct format *out)
{
    uint32_t brand[12];
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t *to = &brand[i * 4];
        uint32_t zero = 0;
        __asm__("cpuid"
                : "=a"(to[0]), "=b"(to[1]), "=c"(to[2]), "=d"(to[3])
                : "a"(0x80000002u + i), "c"(zero));
    }
    format_text(out, "processor\t: 0\nvendor_id\t: Skerry\nmodel name\t: ");
    format_bytes(out, (const char *)brand, strnlen((const char *)brand, sizeof(brand)));
    format_text(out, "\ncpu cores\t: 1\nsiblings\t: 1\nflags\t\t: fpu tsc cx8 cmov mmx fxsr sse "
                     "sse2 syscall nx lm\n\n");
}

void proc_meminfo(struct format *out)
{
    uint64_t total = page_count_total() * (PAGE_SIZE / 1024),
             free = page_count_free() * (PAGE_SIZE / 1024);
    line(out, "MemTotal:       ", total, " kB\n");
    line(out, "MemFree:        ", free, " kB\n");
    line(out, "MemAvailable:   ", free, " kB\n");
    format_text(out, "Buffers:               0 kB\nCached:                0 kB\nSwapTotal:         "
                     "    0 kB\nSwapFree:              0 kB\n");
}

void proc_kernel_stat(struct format *out)
{
    uint64_t ticks = (time_mono_ns() - process.started_ns) / 10000000;
    line(out, "cpu  ", ticks, " 0 0 0 0 0 0 0 0 0\n");
    line(out, "cpu0 ", ticks, " 0 0 0 0 0 0 0 0 0\n");
    line(out, "btime ", (time_real_ns() - time_mono_ns()) / NS_PER_S, "\nprocesses 2\n");
}

void proc_uptime(struct format *out)
{
    uint64_t s = (time_mono_ns() - process.started_ns) / NS_PER_S;
    line(out, "", s, ".00 0.00\n");
}

void proc_loadavg(struct format *out)
{
    format_text(out, "0.00 0.00 0.00 1/1 2\n");
}

void proc_version(struct format *out)
{
    format_text(out, "Linux version 6.1.0-skerry #1 SMP Skerry\n");
}

void proc_filesystems(struct format *out)
{
    format_text(out, "nodev\tproc\nnodev\ttmpfs\n\terofs\n");
}

void proc_ostype(struct format *out)
{
    format_text(out, "Linux\n");
}

void proc_osrelease(struct format *out)
{
    format_text(out, "6.1.0-skerry\n");
}

void proc_hostname(struct format *out)
{
    format_text(out, process.hostname);
    format_text(out, "\n");
}

void proc_one(struct format *out)
{
    format_text(out, "1\n");
}

void proc_pid_max(struct format *out)
{
    format_text(out, "32768\n");
}

void proc_somaxconn(struct format *out)
{
    format_text(out, "4096\n");
}
