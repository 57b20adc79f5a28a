/* SPDX-License-Identifier: Apache-2.0 */
/* The least that a guest can do: a word and a status. */
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
    static const char text[] = "hello\n";
    call(1, 1, (long)text, sizeof(text) - 1);
    call(231, 7, 0, 0);
}
