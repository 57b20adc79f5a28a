/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs for tests/integration/warm.t: `cases NAME [FILE]` prepares something, reads from stdin
 * for the first time, and then says whether it is as it was. Prints "ok", or what is wrong. Those
 * whose name begins with "refuse-" prepare what cannot be brought back.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *file; /* an argument: a file of 26 letters */
static char body[65536];
static ssize_t body_bytes;

static void first_read(void)
{
    body_bytes = read(0, body, sizeof(body));
}

static void fail(const char *what)
{
    printf("not as it was: %s (errno %d)\n", what, errno);
    exit(1);
}

#define CHECK(x)                                                                                   \
    do {                                                                                           \
        if (!(x))                                                                                  \
            fail(#x);                                                                              \
    } while (0)

static void echo(void)
{
    first_read();
    CHECK(write(1, body, (size_t)body_bytes) == body_bytes);
    exit(0);
}

/* --- registers --- */

static uint64_t vectors_in[16][4], vectors_out[16][4], general[6];
static uint32_t control_in = 0x1f80 | 0x6000 /* rounds to zero */, control_out;
static uint16_t x87_in = 0x0f7f, x87_out;

#define EACH_VECTOR(DO)                                                                            \
    DO(0)                                                                                          \
    DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13) DO(14) DO(15)
#define LOAD_VECTOR(n)  "vmovdqu " #n "*32(%[in]), %%ymm" #n "\n\t"
#define STORE_VECTOR(n) "vmovdqu %%ymm" #n ", " #n "*32(%[out])\n\t"

__attribute__((target("avx"))) static void registers(void)
{
    for (size_t i = 0; i < 64; i++)
        vectors_in[i / 4][i % 4] = 0x9e3779b97f4a7c15u * (i + 1);
    char *end = body;
    long result = SYS_read;
    __asm__ volatile(EACH_VECTOR(LOAD_VECTOR) "ldmxcsr %[control]\n\t"
                                              "fldcw %[x87]\n\t"
                                              "push %%rbp\n\t"
                                              "mov $11, %%rbp\n\t"
                                              "mov $12, %%r12\n\t"
                                              "mov $13, %%r13\n\t"
                                              "mov $14, %%r14\n\t"
                                              "mov $15, %%r15\n\t"
                                              "mov $8, %%r8\n\t"
                                              "xor %%edi, %%edi\n\t"
                                              "mov $100, %%edx\n\t"
                                              "syscall\n\t"
                                              "add %%rbp, %%r12\n\t"
                                              "add %%r12, %%r13\n\t"
                                              "add %%r13, %%r14\n\t"
                                              "add %%r14, %%r15\n\t"
                                              "add %%r8, %%r15\n\t"
                                              "add %%rdx, %%r15\n\t"
                                              "pop %%rbp\n\t"
                                              "mov %%r15, %[general]\n\t"
                                              "stmxcsr %[control_out]\n\t"
                                              "fstcw %[x87_out]\n\t"
                     : "+a"(result), [general] "=m"(general[0]), [control_out] "=m"(control_out),
                       [x87_out] "=m"(x87_out)
                     : [in] "b"(vectors_in), [control] "m"(control_in), [x87] "m"(x87_in), "S"(end)
                     : "rdi", "rdx", "rcx", "r8", "r11", "r12", "r13", "r14", "r15", "memory",
                       "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                       "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
    __asm__ volatile(EACH_VECTOR(STORE_VECTOR)::[out] "b"(vectors_out) : "memory");
    CHECK(result == 5);
    CHECK(general[0] == 11 + 12 + 13 + 14 + 15 + 8 + 100);
    CHECK(memcmp(vectors_in, vectors_out, sizeof(vectors_in)) == 0);
    CHECK((control_out & ~0x3fu) == control_in);
    CHECK(x87_out == x87_in);
    uint32_t standard = 0x1f80;
    __asm__ volatile("ldmxcsr %0; fninit" : : "m"(standard));
}

/* --- memory --- */

static void heap(void)
{
    char *blocks[1000];
    for (size_t i = 0; i < 1000; i++) {
        blocks[i] = malloc(i + 1);
        memset(blocks[i], (int)i, i + 1);
    }
    char *large = malloc(3 << 20);
    memset(large, 7, 3 << 20);
    void *end = sbrk(0);
    first_read();
    CHECK(sbrk(0) == end);
    for (size_t i = 0; i < 1000; i++)
        CHECK(blocks[i][i] == (char)i);
    large = realloc(large, 40 << 20);
    CHECK(large != NULL && large[0] == 7 && large[(3 << 20) - 1] == 7);
    memset(large, 8, 40 << 20);
    for (size_t i = 0; i < 20000; i++) {
        char *more = malloc(1000);
        CHECK(more != NULL);
        memset(more, 9, 1000);
    }
    for (size_t i = 0; i < 1000; i++)
        free(blocks[i]);
    free(large);
}

/* What only anonymous memory does. */
static void anonymous(void)
{
    size_t bytes = 1 << 20;
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(memory, 5, bytes);
    char *wiped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *wiped = 1;
    CHECK(madvise(wiped, 4096, MADV_WIPEONFORK) == 0);
    char *guarded = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    strcpy(guarded, "written before it was protected");
    CHECK(mprotect(guarded, 8192, PROT_READ) == 0);
    first_read();
    CHECK(memory[0] == 5 && memory[bytes - 1] == 5);
    CHECK(madvise(memory, 4096, MADV_DONTNEED) == 0 && memory[0] == 0);
    memory = mremap(memory, bytes, 2 * bytes, MREMAP_MAYMOVE);
    CHECK(memory != MAP_FAILED && memory[bytes - 1] == 5);
    for (size_t i = bytes; i < 2 * bytes; i++)
        CHECK(memory[i] == 0);
    CHECK(*wiped == 0);
    CHECK(strcmp(guarded, "written before it was protected") == 0);
    CHECK(read(open("/dev/zero", O_RDONLY), guarded, 1) == -1 && errno == EFAULT);
}

static size_t deepen(size_t left)
{
    volatile char frame[4096];
    frame[left % 4096] = (char)left;
    return left == 0 ? 0 : deepen(left - 1) + 1 + 0 * (size_t)frame[0];
}

static void stack(void)
{
    first_read();
    CHECK(deepen(1500) == 1500);
}

static char place[100];

static void memory_of_others(void)
{
    char *block = calloc(1, 100);
    first_read();
    CHECK(place[0] == 0 && block[0] == 0);
    memcpy(place, body, 5);
    memcpy(block, body, 5);
}

/* --- signals --- */

static volatile sig_atomic_t arrived, on_alternate;
static char alternate[65536];

static void on_signal(int number)
{
    char here;
    arrived = number;
    on_alternate = &here >= alternate && &here < alternate + sizeof(alternate);
}

static void signals(void)
{
    stack_t own = {.ss_sp = alternate, .ss_size = sizeof(alternate)};
    CHECK(sigaltstack(&own, NULL) == 0);
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGALRM, &action, NULL);
    sigaction(SIGSYS, &action, NULL);
    signal(SIGHUP, SIG_IGN);
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR2);
    sigprocmask(SIG_SETMASK, &blocked, NULL);
    first_read();
    raise(SIGUSR1);
    CHECK(arrived == SIGUSR1 && on_alternate);
    raise(SIGSYS);
    CHECK(arrived == SIGSYS);
    raise(SIGHUP);
    sigset_t now;
    sigprocmask(SIG_SETMASK, NULL, &now);
    CHECK(sigismember(&now, SIGUSR2) && !sigismember(&now, SIGUSR1));
    arrived = 0;
    ualarm(1000, 0);
    while (arrived != SIGALRM)
        usleep(100);
    CHECK(pthread_kill(pthread_self(), SIGUSR1) == 0 && arrived == SIGUSR1);
}

static volatile sig_atomic_t handled;

static void look_for_socket(int number)
{
    struct stat status;
    (void)number;
    for (int fd = 0; fd < 1024; fd++) {
        if (fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode))
            _exit(9);
    }
    handled = 1;
}

static void early_signal(void)
{
    signal(SIGUSR1, look_for_socket);
    first_read();
    if (handled != 1)
        fail("the signal is lost");
}

static void aborts(void)
{
    first_read();
    abort();
}

/* --- time, threads, processes --- */

static void clocks(void)
{
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    first_read();
    clock_gettime(CLOCK_MONOTONIC, &after);
    CHECK(after.tv_sec > before.tv_sec ||
          (after.tv_sec == before.tv_sec && after.tv_nsec > before.tv_nsec));
    CHECK(time(NULL) > 1500000000);
}

static void *in_thread(void *at)
{
    *(pid_t *)at = (pid_t)syscall(SYS_gettid);
    return at;
}

static void threads(void)
{
    pthread_mutex_t lock;
    pthread_mutexattr_t kind;
    pthread_mutexattr_init(&kind);
    pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&lock, &kind);
    first_read();
    CHECK(pthread_mutex_lock(&lock) == 0 && pthread_mutex_lock(&lock) == 0);
    pthread_t made[8];
    pid_t ids[8] = {0};
    for (int i = 0; i < 8; i++)
        CHECK(pthread_create(&made[i], NULL, in_thread, &ids[i]) == 0);
    for (int i = 0; i < 8; i++) {
        CHECK(pthread_join(made[i], NULL) == 0);
        CHECK(ids[i] > 0 && ids[i] != getpid());
    }
}

static void forks(void)
{
    first_read();
    pid_t child = fork();
    if (child == 0) {
        raise(SIGTERM);
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
    CHECK(system("exit 3") == 3 << 8);
}

/* --- what comes from outside --- */

static void environment(void)
{
    CHECK(getenv("REQUEST") == NULL && getenv("LANG") != NULL);
    first_read();
    CHECK(getenv("REQUEST") != NULL && strcmp(getenv("REQUEST"), "of this call") == 0);
    CHECK(getenv("LANG") != NULL);
    CHECK(setenv("MORE", "1", 1) == 0 && strcmp(getenv("MORE"), "1") == 0);
    CHECK(strcmp(getenv("SECOND"), "2") == 0);
}

static void environment_changed(void)
{
    for (char name[] = "OWN_A"; name[4] <= 'Z'; name[4]++) { /* the array grows, and moves */
        CHECK(setenv(name, "mine", 1) == 0);
        free(malloc(20000));
    }
    CHECK(unsetenv("LANG") == 0);
    first_read();
    CHECK(strcmp(getenv("OWN_A"), "mine") == 0 && strcmp(getenv("OWN_Z"), "mine") == 0);
    CHECK(getenv("REQUEST") != NULL && strcmp(getenv("REQUEST"), "of this call") == 0);
    extern char **environ;
    for (char **at = environ; *at; at++)
        CHECK(**at == 0 || strchr(*at, '=') != NULL);
}

static void files(void)
{
    char letters[11] = "";
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    CHECK(read(fd, letters, 10) == 10);
    int same = dup(fd), other = open(file, O_RDONLY), folder = open("/usr", O_RDONLY | O_DIRECTORY);
    CHECK(dup2(open("/dev/null", O_RDWR), 77) == 77);
    lseek(other, 3, SEEK_SET);
    first_read();
    CHECK(read(fd, letters, 10) == 10 && strcmp(letters, "klmnopqrst") == 0);
    CHECK(read(same, letters, 1) == 1 && letters[0] == 'u');
    CHECK(read(other, letters, 1) == 1 && letters[0] == 'd');
    CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC && fcntl(same, F_GETFD) == 0);
    CHECK(faccessat(folder, "bin", F_OK, 0) == 0 && write(77, "x", 1) == 1);
    CHECK(fcntl(78, F_GETFD) == -1);
}

static void process(void)
{
    struct rlimit limit = {100, 200}, now;
    char name[17] = "", cwd[100];
    setrlimit(RLIMIT_NOFILE, &limit);
    prctl(PR_SET_NAME, "renamed");
    prctl(PR_SET_TIMERSLACK, 12345);
    prctl(PR_SET_DUMPABLE, 0);
    umask(027);
    CHECK(chdir("/usr") == 0);
    first_read();
    CHECK(getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur == 100 && now.rlim_max == 200);
    CHECK(prctl(PR_GET_NAME, name) == 0 && strcmp(name, "renamed") == 0);
    CHECK(prctl(PR_GET_TIMERSLACK) == 12345);
    CHECK(prctl(PR_GET_DUMPABLE) == 0);
    CHECK(umask(0) == 027 && strcmp(getcwd(cwd, sizeof(cwd)), "/usr") == 0);
}

static size_t read_file(const char *path, char *out, size_t room)
{
    int fd = open(path, O_RDONLY);
    size_t used = 0;
    for (ssize_t got; (got = read(fd, out + used, room - 1 - used)) > 0;)
        used += (size_t)got;
    out[used] = 0;
    close(fd);
    return used;
}

/* Nothing of skerry-warm is left but one page of code; no descriptor; /proc shows the program. */
static void traces(void)
{
    static char maps[100000];
    first_read();
    read_file("/proc/self/maps", maps, sizeof(maps));
    char *own = strstr(maps, "skerry-warm");
    CHECK(own != NULL && strstr(own + 1, "skerry-warm") == NULL);
    while (own > maps && own[-1] != '\n')
        own--;
    char *end = strchr(own, '-');
    CHECK(strtoul(own, NULL, 16) + 4096 == strtoul(end + 1, NULL, 16));
    CHECK(memcmp(strchr(own, ' '), " r-xp ", 6) == 0);
    CHECK(strstr(maps, "rwx") == NULL && strstr(maps, "[stack]") && strstr(maps, "[vdso]"));
    for (int fd = 3; fd < 2000; fd++)
        CHECK(fcntl(fd, F_GETFD) == -1);
    size_t bytes = read_file("/proc/self/cmdline", maps, sizeof(maps));
    CHECK(bytes > 7 && strcmp(maps + bytes - 7, "traces") == 0);
    read_file("/proc/self/status", maps, sizeof(maps));
    CHECK(strstr(maps, "Seccomp_filters:\t0") || !strstr(maps, "Seccomp_filters:"));
    bytes = read_file("/proc/self/environ", maps, sizeof(maps));
    CHECK(memmem(maps, bytes, "\0REQUEST=of this call\0SECOND=2", 31) != NULL);
    CHECK(memmem(maps, bytes, "SKERRY_WARM", 11) == NULL);
}

static void polls(void)
{
    struct pollfd in = {.fd = 0, .events = POLLIN};
    CHECK(poll(NULL, 0, 1) == 0);
    CHECK(poll(&in, 1, 60000) == 1);
    first_read();
    CHECK(body_bytes == 5);
}

static void selects(void)
{
    fd_set in;
    struct timeval limit = {60, 0};
    FD_ZERO(&in);
    FD_SET(0, &in);
    CHECK(select(1, &in, NULL, NULL, &limit) == 1);
    first_read();
    CHECK(body_bytes == 5);
}

static void ready(void)
{
    CHECK(read(0, NULL, 0) == 0);
    CHECK(getenv("REQUEST") != NULL);
    first_read();
    CHECK(body_bytes == 5);
}

static void thread_that_ended(void)
{
    pthread_t made;
    pid_t id = 0;
    CHECK(pthread_create(&made, NULL, in_thread, &id) == 0 && pthread_join(made, NULL) == 0);
    first_read();
    CHECK(id > 0);
}

/* --- what cannot be brought back --- */

static void *wait_for_ever(void *at)
{
    for (;;)
        pause();
    return at;
}

static void refuse_thread(void)
{
    pthread_t made;
    pthread_create(&made, NULL, wait_for_ever, NULL);
}

static void refuse_child(void)
{
    if (fork() == 0)
        for (;;)
            pause();
}

static void refuse_socket(void)
{
    int pair[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
}

static void refuse_pipe(void)
{
    int pair[2];
    CHECK(pipe(pair) == 0);
}

static void refuse_epoll(void)
{
    struct epoll_event event = {.events = EPOLLIN};
    int fd = epoll_create1(0);
    epoll_ctl(fd, EPOLL_CTL_ADD, 0, &event);
    epoll_wait(fd, &event, 1, -1);
}

static void refuse_output(void)
{
    CHECK(write(1, "? ", 2) == 2);
}

static void refuse_tmp(void)
{
    close(open("/tmp/left", O_CREAT | O_WRONLY, 0600));
}

static void refuse_tmp_open(void)
{
    open("/tmp/open", O_CREAT | O_RDONLY, 0600);
    unlink("/tmp/open");
}

static void refuse_lock(void)
{
    flock(open(file, O_RDONLY), LOCK_SH);
}

static void refuse_alarm(void)
{
    alarm(1000);
}

static void refuse_timer(void)
{
    timer_t timer;
    struct sigevent none = {.sigev_notify = SIGEV_NONE};
    timer_create(CLOCK_MONOTONIC, &none, &timer);
}

static void refuse_shared(void)
{
    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static void refuse_mlock(void)
{
    CHECK(mlock(body, 4096) == 0);
}

static void refuse_nice(void)
{
    setpriority(PRIO_PROCESS, 0, 5);
}

static void refuse_affinity(void)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
}

static void refuse_uid(void)
{
    CHECK(setresuid(65534, 65534, 65534) == 0);
}

static void refuse_seccomp(void)
{
    prctl(PR_SET_SECCOMP, 1);
}

static void refuse_nonblock(void)
{
    fcntl(0, F_SETFL, O_NONBLOCK);
}

static void refuse_replaced(void)
{
    dup2(open("/dev/null", O_WRONLY), 1);
}

static void refuse_pending(void)
{
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_SETMASK, &blocked, NULL);
    raise(SIGUSR1);
}

static void refuse_end(void)
{
    exit(7);
}

static void refuse_crash(void)
{
    raise(SIGSEGV);
}

static void refuse_environment(void)
{
    extern char **environ;
    environ[20] = "X=1";
}

static const struct named {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"echo", echo},
    {"registers", registers},
    {"heap", heap},
    {"anonymous", anonymous},
    {"stack", stack},
    {"memory", memory_of_others},
    {"signals", signals},
    {"early-signal", early_signal},
    {"aborts", aborts},
    {"clocks", clocks},
    {"threads", threads},
    {"forks", forks},
    {"environment", environment},
    {"environment-changed", environment_changed},
    {"files", files},
    {"process", process},
    {"traces", traces},
    {"polls", polls},
    {"selects", selects},
    {"ready", ready},
    {"thread-that-ended", thread_that_ended},
    {"refuse-thread", refuse_thread},
    {"refuse-child", refuse_child},
    {"refuse-socket", refuse_socket},
    {"refuse-pipe", refuse_pipe},
    {"refuse-epoll", refuse_epoll},
    {"refuse-output", refuse_output},
    {"refuse-tmp", refuse_tmp},
    {"refuse-tmp-open", refuse_tmp_open},
    {"refuse-lock", refuse_lock},
    {"refuse-alarm", refuse_alarm},
    {"refuse-timer", refuse_timer},
    {"refuse-shared", refuse_shared},
    {"refuse-mlock", refuse_mlock},
    {"refuse-nice", refuse_nice},
    {"refuse-affinity", refuse_affinity},
    {"refuse-uid", refuse_uid},
    {"refuse-seccomp", refuse_seccomp},
    {"refuse-nonblock", refuse_nonblock},
    {"refuse-replaced", refuse_replaced},
    {"refuse-pending", refuse_pending},
    {"refuse-end", refuse_end},
    {"refuse-crash", refuse_crash},
    {"refuse-environment", refuse_environment},
};

int main(int argc, char **argv)
{
    file = argc > 2 ? argv[1] : "";
    const char *name = argc > 1 ? argv[argc - 1] : "";
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (strcmp(cases[i].name, name) != 0)
            continue;
        cases[i].run();
        if (strncmp(name, "refuse-", 7) == 0)
            first_read();
        puts("ok");
        return 0;
    }
    return 2;
}
