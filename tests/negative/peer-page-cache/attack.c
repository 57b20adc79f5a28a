/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: learns by the page cache which of the shared read-only files another sandbox reads:
 *   drops a file's pages (posix_fadvise), then asks whether they are back without reading
 *   them (preadv2 with RWF_NOWAIT, mincore, cachestat).
 * Stopped by: nothing yet; it stands in docs/threat-model.md.
 * Lives in: -
 *
 * Kind: pair
 * Control: user
 * Residual: none after rootless
 */
#include "../harness/attack.h"

#include <sys/uio.h>

/* Files that are there in every image made of the machine's /usr, and rarely read by anybody else.
 */
static const char *const files[] = {"/usr/share/common-licenses/GFDL-1.3",
                                    "/usr/share/common-licenses/LGPL-2",
                                    "/usr/share/perl5/Pod/Perldoc/ToMan.pm"};

static bool resident(int fd)
{
    char byte;
    struct iovec part = {&byte, 1};
    return preadv2(fd, &part, 1, 0, RWF_NOWAIT) == 1;
}

static void serve(void)
{
    int fd = -1;
    for (size_t i = 0; i < COUNT(files) && fd < 0; i++)
        fd = open(files[i], O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    bool dropped = fd >= 0 && !resident(fd);
    puts("ready");
    fflush(stdout);
    if (!dropped) {
        blocked("no shared file whose pages can be dropped");
        pause_ms(1000); /* the other one is on its way */
        return;
    }
    for (int round = 0; round < 300; round++) {
        if (resident(fd)) {
            got("the other sandbox has read the file");
            return;
        }
        pause_ms(10);
    }
    blocked("nothing was seen");
}

static void call(void)
{
    char block[4096];
    for (size_t i = 0; i < COUNT(files); i++) {
        int fd = open(files[i], O_RDONLY | O_CLOEXEC);
        if (fd >= 0 && read(fd, block, sizeof(block)) > 0)
            note("%s was read", files[i]);
    }
    blocked("the watcher tells");
}

void attack(void)
{
    if (role_is("serve"))
        serve();
    else
        call();
}
