/* SPDX-License-Identifier: Apache-2.0 */
/* The least that a function does: reads its input once and writes it back. */
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
    static char text[4096];
    long size = call(0, 0, (long)text, sizeof(text));
    if (size > 0)
        call(1, 1, (long)text, size);
    call(231, size >= 0 ? 0 : 1, 0, 0);
}
