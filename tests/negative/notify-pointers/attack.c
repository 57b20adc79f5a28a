/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: the one pointer that the network handler follows is where socketpair() puts its
 *   numbers. Points it at nothing, at the kernel, at the end of a page, at read-only memory,
 *   at the vdso, and at memory that another thread maps, unmaps and protects meanwhile; looks
 *   whether anything was written where the program itself may not write, and whether failed
 *   pairs leave descriptors.
 * Stopped by: the handler writes as the program would (no forced write), checks that the
 *   caller still waits before it writes, and takes back what it gave when the write fails.
 * Lives in: src/jail/notify.c.
 *
 * Control: none (the kernel's own call is right)
 * Runs: own after daemon uid0 rootless
 */
#include "../harness/attack.h"

#include <pthread.h>
#include <sys/auxv.h>
#include <sys/socket.h>

static int open_count(void)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            count++;
    return count;
}

static void aim(const char *what, void *at)
{
    int before = open_count();
    long result = syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, at);
    int reason = errno;
    int after = open_count();
    if (result == 0)
        got("%s: the call succeeded", what);
    else if (after != before)
        got("%s: failed and left %d descriptors", what, after - before);
    else
        blocked("%s: %s", what, strerror(reason));
    for (int fd = 3; after != before && fd < 1024; fd++)
        if (fd != net_fd)
            close(fd);
}

static char *racing_page;
static volatile bool stop_racing;

static void *race(void *arg)
{
    (void)arg;
    while (!stop_racing) {
        mmap(racing_page, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        munmap(racing_page, 4096);
        mmap(racing_page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
             0);
    }
    return NULL;
}

void attack(void)
{
    alarm(60);
    int *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return;
    munmap((char *)page + 4096, 4096);
    page[0] = page[1] = 4711;
    mprotect(page, 4096, PROT_READ);
    aim("read-only memory", page);
    if (page[0] != 4711 || page[1] != 4711)
        got("read-only memory was written");
    mprotect(page, 4096, PROT_NONE);
    aim("memory without rights", page);
    mprotect(page, 4096, PROT_READ | PROT_WRITE);
    aim("the end of a page", (char *)page + 4092);
    aim("nothing", NULL);
    aim("the kernel", (void *)(uintptr_t)0xffffffff81000000);
    aim("a non-canonical address", (void *)(uintptr_t)0x8000000000000000);
    aim("the top of the address space", (void *)(uintptr_t)0xfffffffffffffff8);
    unsigned long vdso = getauxval(AT_SYSINFO_EHDR);
    if (vdso)
        aim("the vdso", (void *)vdso);
    racing_page = (char *)page;
    pthread_t racer;
    if (pthread_create(&racer, NULL, race, NULL) == 0) {
        int succeeded = 0;
        for (int round = 0; round < 300; round++) {
            if (syscall(SYS_socketpair, AF_UNIX, SOCK_DGRAM, 0, racing_page) == 0)
                succeeded++;
            /* Between two writes the page can go: then the pair stays open, in our own table. */
            for (int fd = 3; fd < 1024; fd++)
                if (fd != net_fd)
                    close(fd);
        }
        stop_racing = true;
        pthread_join(racer, NULL);
        note("%d of 300 succeeded", succeeded);
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
            got("no pair is made any more: %s", strerror(errno));
        else
            blocked("a racing address: the next pair is made as ever");
    }
}
