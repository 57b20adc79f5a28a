/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program that benchmarks start: without libc, so that what is measured is the start and not a
 * library's. Its first act is to read CLOCK_MONOTONIC; it writes those 16 bytes (two 64-bit
 * numbers: seconds, nanoseconds) to its standard output and ends.
 *
 *   BARE_SOCKET  opens a socket first, then reads the clock
 *   BARE_BLOCK   then reads its standard input until the end, then sleeps for ever
 *   BARE_SPIN    then computes until it had 100 ms of processor time
 */
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

static long call3(long number, long a, long b, long c)
{
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory");
    return result;
}

void _start(void) __attribute__((noreturn));
void _start(void)
{
    struct timespec first;
#ifdef BARE_SOCKET
    if (call3(SYS_socket, AF_INET, SOCK_STREAM, 0) < 0)
        call3(SYS_exit_group, 1, 0, 0);
#endif
    call3(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&first, 0);
    call3(SYS_write, 1, (long)&first, sizeof(first));
#ifdef BARE_BLOCK
    char byte;
    while (call3(SYS_read, 0, (long)&byte, 1) > 0)
        ;
    for (;;)
        call3(SYS_pause, 0, 0, 0);
#endif
#ifdef BARE_SPIN
    static struct timespec used; /* not on the stack, which _start finds misaligned */
    while (used.tv_sec == 0 && used.tv_nsec < 100000000) {
        for (volatile int i = 0; i < 100000; i++)
            ;
        call3(SYS_clock_gettime, CLOCK_PROCESS_CPUTIME_ID, (long)&used, 0);
    }
#endif
    call3(SYS_exit_group, 0, 0, 0);
    __builtin_unreachable();
}
