/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: PTRACE_TRACEME makes the process outside that waits for this one its tracer. From
 *   then on each signal stops the sandbox, and wait() outside reports the stop even when only
 *   exits were asked for: a careless waiter takes that for the exit and answers, while the
 *   sandbox lives on. CLONE_PARENT likewise hands a child to whoever waits outside.
 * Stopped by: the filter refuses ptrace; the program's parent is inside, the sandbox's first
 *   process, which reaps whatever it is handed; the spawner only believes in an exit.
 * Lives in: src/jail/filter.c, src/jail (spawner's wait).
 *
 * Control: unshare
 */
#include "../harness/attack.h"

#include <sched.h>
#include <sys/ptrace.h>

void attack(void)
{
    if (getppid() != 0)
        note("the parent is inside, pid %d", getppid());
    if (syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0) == 0) {
        if (getppid() == 0)
            got("a process outside is now our tracer");
        else
            blocked("the tracer is a process of our own");
    } else {
        blocked("PTRACE_TRACEME: %s", strerror(errno));
    }
    long child = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
    if (child == 0)
        _exit(syscall(SYS_getppid) == 0 ? 3 : 0);
    if (child > 0) {
        /* Not ours to wait for; if its parent is outside we cannot even see its end. */
        int status = 0;
        if (waitpid((pid_t)child, &status, 0) < 0 && getppid() == 0)
            got("a child was handed to a parent outside");
        else
            blocked("CLONE_PARENT stayed inside");
    } else {
        blocked("CLONE_PARENT: %s", strerror(errno));
    }
}
