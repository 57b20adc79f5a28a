/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: a request leaves something for the next one of the same function to find: in files,
 *   shared memory, message queues, keys, the environment, running processes, and in memory
 *   that was not cleared (heap, stack, pages of pipes and files).
 * Stopped by: every request has a sandbox of its own, dropped whole after the answer.
 * Lives in: src/jail (a sandbox a request).
 *
 * Kind: sequence
 * Control: user
 * Runs: daemon own
 */
#include "../harness/attack.h"

#include <linux/keyctl.h>
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/prctl.h>
#include <sys/shm.h>

#define TOKEN "skerry-left-for-the-next-request"
#define KEY   0x51e47202

static const char *const places[] = {"/tmp/skerry-left",     "/dev/shm/skerry-left",
                                     "/var/tmp/skerry-left", "/run/skerry-left",
                                     "/dev/skerry-left",     "./skerry-left"};

static void plant(void)
{
    for (size_t i = 0; i < COUNT(places); i++) {
        int fd = open(places[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
        if (fd >= 0 && write(fd, TOKEN, sizeof(TOKEN)) < 0)
            note("write: %s", strerror(errno));
    }
    long shm = syscall(SYS_shmget, KEY, 4096, IPC_CREAT | 0666);
    void *page = shm < 0 ? (void *)-1 : shmat((int)shm, NULL, 0);
    if (page != (void *)-1)
        strcpy(page, TOKEN);
    struct mq_attr size = {.mq_maxmsg = 4, .mq_msgsize = 64};
    syscall(SYS_mq_open, "skerry-left", O_CREAT | O_RDWR, 0666, &size);
    syscall(SYS_add_key, "user", "skerry-left", TOKEN, sizeof(TOKEN), KEY_SPEC_USER_KEYRING);
    setenv("SKERRY_LEFT", TOKEN, 1);
    if (fork() == 0) {
        prctl(PR_SET_NAME, bait("MARK"));
        setsid();
        close(0);
        close(1);
        close(2);
        pause_ms(20000);
        _exit(0);
    }
    size_t bytes = 16u << 20;
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t at = 0; memory != MAP_FAILED && at + sizeof(TOKEN) < bytes; at += 64)
        memcpy(memory + at, TOKEN, sizeof(TOKEN));
    puts("planted");
    fflush(stdout);
    _exit(0);
}

static void search_memory(void)
{
    size_t bytes = 48u << 20;
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    /* The token's text is in this program too, so a copy is looked for that begins in fresh memory.
     */
    if (memory != MAP_FAILED && memmem(memory, bytes, TOKEN, sizeof(TOKEN) - 1))
        got("fresh memory holds the last request's");
    int file = memfd_create("fresh", MFD_CLOEXEC);
    if (file >= 0 && ftruncate(file, 1 << 20) == 0) {
        char *mapped = mmap(NULL, 1 << 20, PROT_READ, MAP_SHARED, file, 0);
        if (mapped != MAP_FAILED && memmem(mapped, 1 << 20, TOKEN, sizeof(TOKEN) - 1))
            got("a fresh file holds the last request's");
    }
}

static void look(void)
{
    for (size_t i = 0; i < COUNT(places); i++)
        if (access(places[i], F_OK) == 0) {
            got("%s is still there", places[i]);
            unlink(places[i]);
        } else {
            blocked("%s: %s", places[i], strerror(errno));
        }
    long shm = syscall(SYS_shmget, KEY, 0, 0);
    if (shm >= 0) {
        got("shared memory is still there");
        shmctl((int)shm, IPC_RMID, NULL);
    }
    if (syscall(SYS_mq_open, "skerry-left", O_RDWR, 0, NULL) >= 0) {
        got("a message queue is still there");
        syscall(SYS_mq_unlink, "skerry-left");
    }
    long key = syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_USER_KEYRING, "user", "skerry-left", 0);
    if (key >= 0) {
        got("a key is still there");
        syscall(SYS_keyctl, KEYCTL_UNLINK, key, KEY_SPEC_USER_KEYRING);
    }
    if (getenv("SKERRY_LEFT"))
        got("the environment is still there");
    search_memory();
}

void attack(void)
{
    if (role_is("plant"))
        plant();
    else
        look();
}
