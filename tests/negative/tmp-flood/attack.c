/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: fills /tmp: bytes (written, preallocated, mapped), and looks whether /dev/shm is a
 *   second one.
 * Stopped by: the size of the sandbox's tmpfs.
 * Lives in: src/jail (slot.c mounts it with the function's limit).
 *
 * Kind: flood
 * Control: user
 * Flags: --mem 64M --tmp 4M --timeout 20s
 * Expect: stopped
 * Answer: 500
 */
#include "../harness/attack.h"

#include <setjmp.h>

static sigjmp_buf touching;

static void on_bus(int number)
{
    (void)number;
    siglongjmp(touching, 1);
}

static size_t fill(const char *path)
{
    static char block[65536];
    memset(block, 0x5a, sizeof(block));
    size_t most = (size_t)bait_number("TMP", 4 << 20);
    size_t size = 0;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return 0;
    ssize_t done;
    while (size < 2 * most && (done = write(fd, block, sizeof(block))) > 0)
        size += (size_t)done;
    blocked("%s after %zu bytes: %s", path, size, strerror(errno));
    close(fd);
    return size;
}

void attack(void)
{
    size_t most = (size_t)bait_number("TMP", 4 << 20);
    size_t sum = fill("/tmp/flood-1") + fill("/dev/shm/flood-2") + fill("/run/flood-3") +
                 fill("/var/tmp/flood-4");
    if (sum > most)
        got("%zu bytes in files, the limit is %zu", sum, most);
    unlink("/tmp/flood-1");
    unlink("/dev/shm/flood-2");
    unlink("/run/flood-3");
    unlink("/var/tmp/flood-4");
    int fd = open("/tmp/large", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    long result = syscall(SYS_fallocate, fd, 0, 0, 2 * most);
    attempt("preallocating twice the limit", result);
    if (ftruncate(fd, (off_t)1 << 40) == 0) {
        note("a sparse file of 1 TiB");
        /* Sparse is harmless; touching it must end at the limit (SIGBUS). */
        signal(SIGBUS, on_bus);
        char *mapped = mmap(NULL, 4 * most, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (mapped == MAP_FAILED || sigsetjmp(touching, 1) != 0) {
            blocked("mapping: %s", mapped == MAP_FAILED ? strerror(errno) : "SIGBUS");
        } else {
            for (size_t at = 0; at < 4 * most; at += 4096)
                mapped[at] = 1;
            got("four times the limit was written by mapping");
        }
    }
    unlink("/tmp/large");
}
