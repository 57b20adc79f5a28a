/* SPDX-License-Identifier: Apache-2.0 */
/* A program without a C library: reads once, writes that once more. */
static long call(long number, long a, long b, long c)
{
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory");
    return result;
}

void _start(void);
void _start(void)
{
    static char body[4096];
    long got = call(0, 0, (long)body, sizeof(body));
    call(1, 1, (long)body, got);
    call(60, 0, 0, 0);
}
