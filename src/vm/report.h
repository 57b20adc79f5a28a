/* SPDX-License-Identifier: Apache-2.0 */
/* What the monitor says to people. Writes that fail are nobody's business. */
#ifndef SKERRY_VM_REPORT_H
#define SKERRY_VM_REPORT_H

#include "vm/machine.h"

/* One line with our name before it. */
void report_line(int fd, const char *text);

/* Why a machine was stopped, the program's name and the registers, to where the guest's console
 * goes; nothing if its program ended by itself. */
void machine_report(const struct machine *machine, const struct verdict *verdict,
                    const char *program);

/* When what happened, and what it cost, to stderr. begun_tsc: of the guest's counter. */
void report_stages(const struct machine *machine, uint64_t begun_tsc);

/* One line for `skerry doctor`: microseconds to the first instruction of a guest, and an exit. */
void report_probe(const struct machine *machine, uint64_t begun_tsc);

#endif
