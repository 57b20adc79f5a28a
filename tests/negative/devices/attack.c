/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: makes device nodes wherever it can (memory, disks, terminals, the whiteout device
 *   that needs no privilege), and opens every device the machine may have: memory, kernel
 *   log, disks, kvm, tun, fuse, loop, rtc, ports, input, terminals.
 * Stopped by: mknod is refused for devices; every mount but /dev is nodev; /dev is read-only
 *   and holds a handful of harmless nodes.
 * Lives in: src/jail (the template's /dev), filter.c.
 *
 * Control: root
 */
#include "../harness/attack.h"

#include <sys/sysmacros.h>

static void make(const char *folder)
{
    static const struct {
        mode_t type;
        unsigned int major, minor;
    } nodes[] = {{S_IFCHR, 1, 1}, {S_IFCHR, 1, 11},   {S_IFCHR, 5, 1}, {S_IFBLK, 254, 0},
                 {S_IFBLK, 8, 0}, {S_IFCHR, 10, 232}, {S_IFCHR, 1, 5}};
    for (size_t i = 0; i < COUNT(nodes); i++) {
        char path[128];
        char what[200];
        snprintf(path, sizeof(path), "%s/skerry-node", folder);
        snprintf(what, sizeof(what), "mknod %s %u:%u", path, nodes[i].major, nodes[i].minor);
        long made = syscall(SYS_mknodat, AT_FDCWD, path, nodes[i].type | 0666,
                            makedev(nodes[i].major, nodes[i].minor));
        attempt(what, made);
        if (made == 0) {
            int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
            attempt("opening it", fd);
            if (fd >= 0)
                close(fd);
            unlink(path);
        }
    }
}

void attack(void)
{
    static const char *const devices[] = {
        "/dev/mem",
        "/dev/kmem",
        "/dev/port",
        "/dev/kmsg",
        "/dev/sda",
        "/dev/vda",
        "/dev/nvme0n1",
        "/dev/kvm",
        "/dev/net/tun",
        "/dev/fuse",
        "/dev/loop-control",
        "/dev/loop0",
        "/dev/rtc0",
        "/dev/hpet",
        "/dev/vsock",
        "/dev/vhost-net",
        "/dev/uinput",
        "/dev/input/event0",
        "/dev/console",
        "/dev/tty0",
        "/dev/tty1",
        "/dev/ttyS0",
        "/dev/ptmx",
        "/dev/pts/0",
        "/dev/pts/ptmx",
        "/dev/autofs",
        "/dev/btrfs-control",
        "/dev/cpu/0/msr",
        "/dev/cpu_dma_latency",
        "/dev/mapper/control",
        "/dev/userfaultfd",
        "/dev/dri/card0",
        "/dev/snapshot",
        "/dev/zram0",
        "/dev/vga_arbiter",
        "/dev/hwrng",
        "/dev/watchdog",
        "/dev/vcs",
        "/dev/vcsu",
        "/dev/nvram",
    };
    int absent = 0;
    for (size_t i = 0; i < COUNT(devices); i++) {
        /* Opening some of these has effects of its own; O_PATH and access() have none. */
        if (is_control()) {
            if (access(devices[i], R_OK) == 0)
                got("%s can be opened", devices[i]);
            continue;
        }
        int fd = open(devices[i], O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd >= 0) {
            got("%s is open", devices[i]);
            close(fd);
        } else {
            absent++;
        }
    }
    blocked("%d devices refused or absent", absent);
    static const char *const folders[] = {"/tmp", "/dev", "/dev/shm", "/", "/run", "."};
    for (size_t i = 0; i < COUNT(folders) - (is_control() ? 5 : 0); i++)
        make(folders[i]);
}
