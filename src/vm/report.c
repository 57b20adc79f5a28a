/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/report.h"

#include <stdio.h>
#include <unistd.h>

void report_line(int fd, const char *text)
{
    static const char prefix[] = "skerry-vmm: ";
    char line[ERR_TEXT_MAX + sizeof(prefix) + 1];
    int size = snprintf(line, sizeof(line), "%s%s\n", prefix, text);
    if (size > 0 && write(fd, line, (size_t)size) < 0)
        return;
}

void machine_report(const struct machine *machine, const struct verdict *verdict,
                    const char *program)
{
    char text[1024 + 256];
    int fd = machine->rings.fds[VM_CONSOLE];
    if (verdict->text[0] == '\0')
        return;
    report_line(fd, verdict->text);
    if (verdict->kind == VERDICT_OOM)
        return;
    int name = snprintf(text, sizeof(text), "  the program is %.200s\n", program);
    size_t size = name < 0 ? 0 : (size_t)name;
    size += cpu_describe(&machine->cpu, text + size, sizeof(text) - size);
    if (write(fd, text, size) < 0)
        return;
}

void report_stages(const struct machine *machine, uint64_t begun_tsc)
{
    static const char *const names[] = {"kernel entered", "program entered", "first byte", "exit"};
    const struct vm_shared *shared = machine->rings.shared;
    char line[160];
    for (unsigned int i = 0; i < VM_STAGE_COUNT; i++) {
        uint64_t at = __atomic_load_n(&shared->stages[i], __ATOMIC_RELAXED);
        uint64_t us = at > begun_tsc ? (at - begun_tsc) * 1000000 / machine->cpu.tsc_hz : 0;
        int size = snprintf(line, sizeof(line), "skerry-vmm: %-16s %8llu us\n", names[i],
                            (unsigned long long)us);
        if (at != 0 && write(STDERR_FILENO, line, (size_t)size) < 0)
            return;
    }
    int size = snprintf(line, sizeof(line),
                        "skerry-vmm: exits %llu, doorbells %llu, ticks %llu, calls %llu, of them "
                        "trapped %llu\n",
                        (unsigned long long)machine->exits, (unsigned long long)machine->bells,
                        (unsigned long long)machine->ticks, (unsigned long long)shared->calls,
                        (unsigned long long)shared->calls_trapped);
    if (write(STDERR_FILENO, line, (size_t)size) < 0)
        return;
}

void report_probe(const struct machine *machine, uint64_t begun_tsc)
{
    const struct vm_shared *shared = machine->rings.shared;
    uint64_t per_us = machine->cpu.tsc_hz / 1000000;
    char line[96];
    uint64_t spent = shared->stages[VM_STAGE_EXIT] - shared->stages[VM_STAGE_PROGRAM];
    int size = snprintf(
        line, sizeof(line), "%s %llu %llu\n", machine->cpu.direct ? "page-tables" : "hardware",
        (unsigned long long)((shared->stages[VM_STAGE_KERNEL] - begun_tsc) / per_us),
        (unsigned long long)(spent / VM_PROBE_BELLS / per_us));
    if (write(STDOUT_FILENO, line, (size_t)size) < 0)
        return;
}
