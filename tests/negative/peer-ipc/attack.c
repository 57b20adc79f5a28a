/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: two sandboxes, or a sandbox and the host, talk by System V shared memory, messages
 *   and semaphores and by POSIX message queues, all of which live in the IPC namespace and
 *   not in a directory.
 * Stopped by: the calls are refused by the filter, or the function has an IPC namespace of
 *   its own a sandbox.
 * Lives in: src/jail/filter.c, sandbox (CLONE_NEWIPC with `ipc: own`).
 *
 * Kind: pair
 * Control: user
 */
#include "../harness/attack.h"

#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#define KEY 0x51e47201

static void queue_name(char *name, size_t room)
{
    snprintf(name, room, "skerry-%s", bait("MARK"));
}

static void serve(void)
{
    long shm = syscall(SYS_shmget, KEY, 4096, IPC_CREAT | 0666);
    void *page = shm < 0 ? (void *)-1 : shmat((int)shm, NULL, 0);
    if (page != (void *)-1)
        strcpy(page, BAIT_TEXT);
    else
        blocked("shmget: %s", strerror(errno));
    long msg = syscall(SYS_msgget, KEY, IPC_CREAT | 0666);
    long sem = syscall(SYS_semget, KEY, 1, IPC_CREAT | 0666);
    char name[64];
    queue_name(name, sizeof(name));
    struct mq_attr size = {.mq_maxmsg = 4, .mq_msgsize = 64};
    long queue = syscall(SYS_mq_open, name, O_CREAT | O_RDWR, 0666, &size);
    if (queue < 0)
        blocked("mq_open: %s", strerror(errno));
    puts("ready");
    fflush(stdout);
    pause_ms(3000);
    if (shm >= 0)
        shmctl((int)shm, IPC_RMID, NULL);
    if (msg >= 0)
        msgctl((int)msg, IPC_RMID, NULL);
    if (sem >= 0)
        semctl((int)sem, 0, IPC_RMID);
    syscall(SYS_mq_unlink, name);
}

static void call(void)
{
    long shm = syscall(SYS_shmget, KEY, 0, 0);
    if (shm >= 0) {
        char *page = shmat((int)shm, NULL, 0);
        if (page != (void *)-1 && memcmp(page, BAIT_TEXT, sizeof(BAIT_TEXT) - 1) == 0)
            got("read the other's shared memory");
        else
            got("found the other's shared memory");
    } else {
        blocked("shmget: %s", strerror(errno));
    }
    attempt("msgget", syscall(SYS_msgget, KEY, 0));
    attempt("semget", syscall(SYS_semget, KEY, 0, 0));
    char name[64];
    queue_name(name, sizeof(name));
    attempt("mq_open", syscall(SYS_mq_open, name, O_RDWR, 0, NULL));
    /* Without a key: any identifier that exists. */
    struct shmid_ds status;
    for (int id = 0; id < 65536; id++)
        if (syscall(SYS_shmctl, id, IPC_STAT, &status) == 0) {
            got("shared memory %d of somebody", id);
            break;
        }
    blocked("shmctl: %s", strerror(errno));
}

void attack(void)
{
    if (role_is("serve"))
        serve();
    else
        call();
}
