/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: what our own services would be if one of them were taken over: confines itself as
 *   the gateway, the API process, the importer and the parser do, and then tries what an
 *   intruder would: files, programs, new sockets to the host, signals, tracing, mounts,
 *   capabilities, the supervisor's descriptors by /proc.
 * Stopped by: confine_self(): an empty root, a uid of its own, no capability, a network
 *   namespace without interfaces, a list of system calls for each profile.
 * Lives in: src/jail/confine.c, confine_filter.c.
 *
 * Kind: service
 * Control: root
 * Runs: service
 */
#include "../harness/attack.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "jail/confine.h"

static int profile;

static void files(void *arg)
{
    (void)arg;
    path_has_bait(AT_FDCWD, bait("FILE"), "host path");
    char path[4096] = "";
    for (int up = 0; up < 100; up++)
        strcat(path, "../");
    strcat(path, bait("FILE") + 1);
    path_has_bait(AT_FDCWD, path, "host path by ..");
    attempt("/etc/passwd", open("/etc/passwd", O_RDONLY | O_CLOEXEC));
    attempt("/proc/1/root", open("/proc/1/root", O_RDONLY | O_CLOEXEC));
}

static void program(void *arg)
{
    (void)arg;
    char *argv[] = {(char *)"true", NULL};
    long result = syscall(SYS_execve, "/proc/self/exe", argv, environ);
    if (result < 0)
        blocked("execve: %s", strerror(errno));
}

static void process(void *arg)
{
    (void)arg;
    long pid = syscall(SYS_fork);
    if (pid == 0)
        _exit(0);
    attempt("fork", pid);
}

static void host_socket(void *arg)
{
    (void)arg;
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)bait_number("PORT", 1)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (sock < 0) {
        blocked("socket: %s", strerror(errno));
        return;
    }
    attempt("connect to the host", connect(sock, (struct sockaddr *)&to, sizeof(to)));
}

static pid_t parent_or_init(void)
{
    return getppid() ? getppid() : 1;
}

static void kill_parent(void *arg)
{
    (void)arg;
    attempt("kill of the parent", syscall(SYS_kill, parent_or_init(), 0));
}

static void kill_bait(void *arg)
{
    (void)arg;
    attempt("kill of the bait", syscall(SYS_kill, bait_number("PID", 1), 0));
}

static void trace_bait(void *arg)
{
    (void)arg;
    attempt("ptrace of the bait", syscall(SYS_ptrace, PTRACE_SEIZE, bait_number("PID", 1), 0, 0));
}

static void read_bait(void *arg)
{
    (void)arg;
    char byte;
    struct iovec own = {&byte, 1};
    struct iovec theirs = {(void *)(uintptr_t)0x400000, 1};
    attempt_past("process_vm_readv of the bait",
                 syscall(SYS_process_vm_readv, bait_number("PID", 1), &own, 1, &theirs, 1, 0),
                 EFAULT);
}

static void mount_namespace(void *arg)
{
    (void)arg;
    attempt("unshare", syscall(SYS_unshare, CLONE_NEWNS));
}

static void user_namespace(void *arg)
{
    (void)arg;
    attempt("user namespace", syscall(SYS_unshare, CLONE_NEWUSER));
}

static void mount_something(void *arg)
{
    (void)arg;
    attempt("mount", syscall(SYS_mount, "none", "/", "tmpfs", 0, ""));
}

static void restart(void *arg)
{
    (void)arg;
    attempt_past("reboot", syscall(SYS_reboot, 0, 0, 0, 0), EINVAL);
}

static void become_root(void *arg)
{
    (void)arg;
    attempt("setuid 0", syscall(SYS_setresuid, 0, 0, 0));
}

static void load_bpf(void *arg)
{
    (void)arg;
    attempt_past("bpf", syscall(SYS_bpf, 0, NULL, 0), EFAULT);
}

static void ring(void *arg)
{
    (void)arg;
    attempt_past("io_uring", syscall(SYS_io_uring_register, 0, 0, NULL, 0), EOPNOTSUPP);
}

static void abstract_socket(void *arg)
{
    (void)arg;
    int pair[2];
    if (syscall(SYS_socketpair, AF_UNIX, SOCK_DGRAM, 0, pair) < 0) {
        blocked("socketpair: %s", strerror(errno));
        return;
    }
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int size = snprintf(to.sun_path + 1, sizeof(to.sun_path) - 1, "%s-datagram", bait("ABSTRACT"));
    attempt("datagram to the host",
            sendto(pair[0], "x", 1, 0, (struct sockaddr *)&to,
                   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)size)));
}

static void confined(void)
{
    int root = -1;
    char folder[300]; /* within what the runner removes afterwards */
    struct err err = {0};
    snprintf(folder, sizeof(folder), "%s-confine-XXXXXX", bait("FILE"));
    if (profile == CONFINE_IMPORT && mkdtemp(folder))
        root = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct confine_options options = {
        .profile = (enum confine_profile)profile, .uid = 65533, .gid = 65533, .root_fd = root};
    int result = confine_self(&options, &err);
    if (result < 0) {
        note("confine_self: %s", err.text);
        _exit(2);
    }
}

/* Each try in a process of its own that confines itself first: many end the process at once. */
static void each(const char *name, void (*try)(void *))
{
    char what[64];
    snprintf(what, sizeof(what), "profile %d, %s", profile, name);
    pid_t child = fork();
    if (child == 0) {
        if (!is_control())
            confined();
        try(NULL);
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status))
        blocked("%s: killed by signal %d", what, WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0)
        got("%s: ended with %d", what, WEXITSTATUS(status));
}

static const struct {
    const char *name;
    void (*try)(void *);
} tries[] = {
    {"files", files},
    {"a program", program},
    {"a process", process},
    {"a socket", host_socket},
    {"an abstract name", abstract_socket},
    {"the parent", kill_parent},
    {"a process of the host", kill_bait},
    {"tracing", trace_bait},
    {"foreign memory", read_bait},
    {"a mount namespace", mount_namespace},
    {"a user namespace", user_namespace},
    {"a mount", mount_something},
    {"the machine", restart},
    {"another uid",
     become_root}, /* not the importer: root of its own user namespace, see confine.c */
    {"bpf", load_bpf},
    {"io_uring", ring},
};

void attack(void)
{
    if (getenv("SERVICE_EXECUTED")) {
        got("a program was executed");
        return;
    }
    setenv("SERVICE_EXECUTED", "1", 1);
    for (profile = CONFINE_GATEWAY; profile <= CONFINE_PARSE; profile++) {
        for (size_t i = 0; i < COUNT(tries); i++)
            if (profile != CONFINE_IMPORT || tries[i].try != become_root)
                each(tries[i].name, tries[i].try);
        if (is_control())
            break;
    }
}
