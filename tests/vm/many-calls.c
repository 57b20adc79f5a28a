/* SPDX-License-Identifier: Apache-2.0 */
/* Ten thousand calls from one instruction, and one jump straight to it with another number. */
static long get_pid(void)
{
    long result;
    __asm__ volatile("movl $39, %%eax\n\tsyscall" : "=a"(result) : : "rcx", "r11", "memory");
    return result;
}

void _start(void);
void _start(void)
{
    long pid = get_pid(), status = 0;
    for (int i = 0; i < 10000; i++)
        status |= get_pid() != pid;
    __asm__ volatile("movl $231, %%eax\n\tsyscall" : : "D"(status));
}
