/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a program makes its first file-system and its first network call after exec (Figure 3 of
 * "Pay-as-you-go resource isolation", SESAME'24), and how long it runs in all. Writes
 * firstcall.json. Each program is one argument, "NAME=INPUT:PROGRAM ARGS..."; INPUT becomes its
 * standard input, words are split at spaces.
 *
 * A seccomp filter stops the program for us (ptrace) at calls that name a path or make a socket
 * and at no other, so the rest runs at full speed. The dynamic loader's calls are told apart by
 * their paths: a program whose own first call comes late could run that long without a root.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "measure.h"

#define PROGRAMS_MAX 9
#define WORDS_MAX    64

enum { FILE_CALL, OWN_FILE_CALL, NETWORK_CALL, TRACED, WHOLE, KINDS };
static const char *const kind_name[KINDS] = {
    "first file call",    "first file call after the loader's",
    "first network call", "exit, watched",
    "exit, not watched",
};

struct program {
    const char *input;
    char *words[WORDS_MAX + 1];
    struct series *series[KINDS];
};

static struct bench_options options;
static struct program programs[PROGRAMS_MAX];
static size_t program_count;
static struct measure bench = {
    .benchmark = "firstcall",
    .title = "exec to the first file-system and network call of the examples, and to their exit",
    .unit = "us",
    .raw_unit = "ns",
    .scale = 1000,
};

/* Calls that reach for a file by name; the second number: which argument is the path. */
static const struct {
    unsigned int number;
    unsigned int path;
} file_calls[] = {
    {SYS_open, 0},      {SYS_openat, 1},     {SYS_openat2, 1},  {SYS_stat, 0},
    {SYS_lstat, 0},     {SYS_newfstatat, 1}, {SYS_statx, 1},    {SYS_access, 0},
    {SYS_faccessat, 1}, {SYS_faccessat2, 1}, {SYS_readlink, 0}, {SYS_readlinkat, 1},
    {SYS_chdir, 0},     {SYS_mkdir, 0},      {SYS_unlink, 0},   {SYS_rename, 0},
    {SYS_statfs, 0},
};
static const unsigned int network_calls[] = {SYS_socket, SYS_connect, SYS_bind};
#define FILE_CALLS    (sizeof(file_calls) / sizeof(file_calls[0]))
#define NETWORK_CALLS (sizeof(network_calls) / sizeof(network_calls[0]))

static void parse_program(char *text)
{
    if (program_count == PROGRAMS_MAX)
        die("more than %d programs", PROGRAMS_MAX);
    struct program *program = &programs[program_count++];
    char *equals = strchr(text, '=');
    char *colon = equals ? strchr(equals, ':') : NULL;
    char name[128];
    if (colon == NULL)
        die("%s is not NAME=INPUT:PROGRAM ARGS", text);
    *equals = *colon = '\0';
    program->input = equals + 1;
    for (int i = 0; i < KINDS; i++) {
        snprintf(name, sizeof(name), "%s: %s", text, kind_name[i]);
        program->series[i] = series_new(&bench, name, 0);
    }
    size_t words = 0;
    for (char *word = strtok(colon + 1, " "); word && words < WORDS_MAX; word = strtok(NULL, " "))
        program->words[words++] = word;
}

static void install_filter(void)
{
    struct sock_filter code[2 * (FILE_CALLS + NETWORK_CALLS) + 4];
    unsigned short length = 0;
    code[length++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < FILE_CALLS + NETWORK_CALLS; i++) {
        unsigned int number = i < FILE_CALLS ? file_calls[i].number : network_calls[i - FILE_CALLS];
        code[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1);
        code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
    }
    code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {.len = length, .filter = code};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
        _exit(126);
}

static void become(const struct program *program, int traced)
{
    int in = open(program->input, O_RDONLY | O_CLOEXEC);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (in < 0 || null < 0)
        _exit(126);
    dup2(in, 0);
    dup2(null, 1);
    if (traced) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        install_filter();
    }
    execv(program->words[0], program->words);
    _exit(127);
}

static int is_loaders(const char *path)
{
    return strncmp(path, "/etc/ld.so.", 11) == 0 || strstr(path, "glibc-hwcaps") != NULL ||
           strstr(path, ".so.") != NULL ||
           (strlen(path) > 3 && strcmp(path + strlen(path) - 3, ".so") == 0);
}

struct firsts {
    uint64_t exec_ns;
    uint64_t at_ns[3];
};

static void note_first(struct firsts *firsts, int kind, uint64_t now)
{
    if (firsts->at_ns[kind] == 0)
        firsts->at_ns[kind] = now;
}

static void on_call(struct firsts *firsts, pid_t pid)
{
    uint64_t now = clock_now_ns();
    struct __ptrace_syscall_info info;
    if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info), &info) <= 0 ||
        info.op != PTRACE_SYSCALL_INFO_SECCOMP || firsts->exec_ns == 0)
        return;
    for (size_t i = 0; i < NETWORK_CALLS; i++) {
        if (info.seccomp.nr == network_calls[i])
            note_first(firsts, NETWORK_CALL, now);
    }
    for (size_t i = 0; i < FILE_CALLS; i++) {
        if (info.seccomp.nr != file_calls[i].number)
            continue;
        char path[256] = "";
        struct iovec here = {path, sizeof(path) - 1};
        struct iovec there = {(void *)(uintptr_t)info.seccomp.args[file_calls[i].path],
                              here.iov_len};
        process_vm_readv(pid, &here, 1, &there, 1, 0);
        note_first(firsts, FILE_CALL, now);
        if (!is_loaders(path) && path[0] != '\0')
            note_first(firsts, OWN_FILE_CALL, now);
    }
}

static void take_watched(const struct program *program)
{
    struct firsts firsts = {0};
    int status;
    pid_t first = fork();
    if (first == 0)
        become(program, 1);
    if (waitpid(first, &status, 0) != first || !WIFSTOPPED(status))
        die("%s did not stop", program->words[0]);
    long wanted = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEFORK |
                  PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
    ptrace(PTRACE_SETOPTIONS, first, NULL, wanted);
    ptrace(PTRACE_CONT, first, NULL, NULL);
    uint64_t ended = 0;
    for (pid_t pid; (pid = waitpid(-1, &status, __WALL)) > 0;) {
        if (!WIFSTOPPED(status)) {
            if (pid == first)
                ended = clock_now_ns();
            continue;
        }
        int event = status >> 16;
        int signal = event == 0 ? WSTOPSIG(status) : 0;
        if (event == PTRACE_EVENT_EXEC && firsts.exec_ns == 0)
            firsts.exec_ns = clock_now_ns();
        else if (event == PTRACE_EVENT_SECCOMP)
            on_call(&firsts, pid);
        if (signal == SIGSTOP || signal == SIGTRAP)
            signal = 0; /* a new thread's first stop */
        ptrace(PTRACE_CONT, pid, NULL, (void *)(intptr_t)signal);
    }
    if (firsts.exec_ns == 0)
        die("%s could not be executed", program->words[0]);
    for (int i = 0; i < 3; i++) {
        if (firsts.at_ns[i] != 0)
            series_add(program->series[i], (int64_t)(firsts.at_ns[i] - firsts.exec_ns));
    }
    series_add(program->series[TRACED], (int64_t)(ended - firsts.exec_ns));
}

static void take_whole(const struct program *program)
{
    int status = -1;
    uint64_t begun = clock_now_ns();
    pid_t pid = fork();
    if (pid == 0)
        become(program, 0);
    if (waitpid(pid, &status, 0) != pid || status != 0)
        die("%s failed: wait status %d", program->words[0], status);
    series_add(program->series[WHOLE], (int64_t)(clock_now_ns() - begun));
}

int main(int argc, char **argv)
{
    bench_options(argc, argv, &options);
    size_t count = options.count ? options.count : 20;
    for (char **text = options.rest; *text != NULL; text++)
        parse_program(*text);
    pin(options.cpu);
    for (size_t i = 0; i < count; i++) {
        for (size_t p = 0; p < program_count; p++) {
            take_whole(&programs[p]);
            take_watched(&programs[p]);
        }
    }
    measure_finish(&bench, &options);
    return 0;
}
