/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: one sandbox watches the files that it shares with others (the image, and with
 *   --host-usr the machine's own /usr) by inotify, fanotify and dnotify, and learns what
 *   another sandbox opens and runs.
 * Stopped by: the filter refuses inotify_add_watch, fanotify and fcntl(F_NOTIFY).
 * Lives in: src/jail/filter.c.
 *
 * Kind: pair
 * Control: user
 */
#include "../harness/attack.h"

#include <linux/fanotify.h>
#include <poll.h>
#include <sys/inotify.h>

static const char *const files[] = {"/proc/self/exe", "/",    "/etc",  "/usr",
                                    "/usr/bin",       "/bin", "/lib64"};

static void serve(void)
{
    int notify = (int)syscall(SYS_inotify_init1, IN_CLOEXEC | IN_NONBLOCK);
    if (notify < 0)
        blocked("inotify_init1: %s", strerror(errno));
    long watches = 0;
    for (size_t i = 0; i < COUNT(files); i++)
        if (syscall(SYS_inotify_add_watch, notify, files[i], IN_OPEN | IN_ACCESS | IN_CLOSE) >= 0)
            watches++;
        else
            blocked("watch %s: %s", files[i], strerror(errno));
    long fan = syscall(SYS_fanotify_init, FAN_CLASS_NOTIF | FAN_REPORT_FID | FAN_CLOEXEC, O_RDONLY);
    if (fan >= 0 && syscall(SYS_fanotify_mark, (int)fan, FAN_MARK_ADD, FAN_OPEN | FAN_ACCESS,
                            AT_FDCWD, "/proc/self/exe") == 0)
        note("fanotify mark set");
    else
        blocked("fanotify: %s", strerror(errno));
    int dir = open("/", O_RDONLY | O_CLOEXEC);
    long dnotify = syscall(SYS_fcntl, dir, F_NOTIFY, DN_ACCESS | DN_MULTISHOT);
    if (dnotify == 0)
        note("dnotify set");
    signal(SIGIO, SIG_IGN);
    puts("ready");
    fflush(stdout);
    struct pollfd waits[2] = {{watches ? notify : -1, POLLIN, 0}, {(int)fan, POLLIN, 0}};
    char events[4096];
    for (int round = 0; round < 30; round++) {
        if (poll(waits, 2, 100) <= 0)
            continue;
        for (int i = 0; i < 2; i++)
            if ((waits[i].revents & POLLIN) && read(waits[i].fd, events, sizeof(events)) > 0) {
                got("%s tells what the other sandbox opens", i ? "fanotify" : "inotify");
                return;
            }
    }
    blocked("nothing was seen");
}

static void call(void)
{
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < COUNT(files); i++) {
            int fd = open(files[i], O_RDONLY | O_CLOEXEC);
            char byte;
            if (fd >= 0 && read(fd, &byte, 1) >= -1)
                close(fd);
        }
        pause_ms(20);
    }
    blocked("files were opened; the watcher tells");
}

void attack(void)
{
    if (role_is("serve"))
        serve();
    else
        call();
}
