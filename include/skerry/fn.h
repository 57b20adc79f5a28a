/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For functions in C that wait for their request with their work prepared.
 *
 *     load_tables();      once, not in each request
 *     skerry_ready();     from here on: once a request
 *     answer(stdin);
 *
 * A function may leave it out: the snapshot is then made at the first read of stdin, whoever calls
 * it. Where a function is started anew for each request, the call does nothing.
 *
 * What follows it is done by siblings that all begin with the same memory: addresses, stack
 * canaries, the seeds of hash tables, and the state of every random generator that was seeded
 * before. Seed after this call (getrandom()). getenv() finds the variables of the request after it.
 */
#ifndef SKERRY_FN_H
#define SKERRY_FN_H

#include <unistd.h>

/* Everything before it was preparation. Returns once for each request; errno may change. */
static inline void skerry_ready(void)
{
    char none;
    ssize_t nothing = read(0, &none, 0);
    (void)nothing;
}

#endif
