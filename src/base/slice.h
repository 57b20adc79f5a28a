/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long the scheduler lets a process go on before one that has just woken up may take its place.
 *
 * It says nothing about how much processor time a process gets, only in what pieces. The kernel's
 * own choice is some milliseconds (2.8 to 3 on the machines of docs/benchmarks.md): so long may a
 * request of a tenant wait, in each process that it passes through, for another tenant's program
 * that computes.
 */
#ifndef SKERRY_BASE_SLICE_H
#define SKERRY_BASE_SLICE_H

#include <stdint.h>
#include <sys/types.h>

/*
 * Sets the slice, in ns (the kernel takes 100 us to 100 ms), of a process and all that it makes
 * from now on; its policy must be the normal one. 0 or -errno. Linux before 6.12 takes it without
 * effect.
 */
int slice_set(pid_t pid, uint64_t slice_ns);

#endif
