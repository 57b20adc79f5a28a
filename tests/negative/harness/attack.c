/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main() of every attack: opens a socket first when asked (--after-net), answers a plain request
 * when it is not to attack (QUERY_STRING=benign), runs the attack and turns what it found into an
 * exit status: 0 and ESCAPED on stdout, or 1.
 *
 * The count of successes lies in memory shared with children, so that a try in a child counts.
 */
#include "attack.h"

#include <stdarg.h>
#include <sys/socket.h>
#include <time.h>

#define EXIT_MISSING 77 /* control run only: this kernel has no such feature */

int net_fd = -1;

static int *escapes; /* shared with children */

__attribute__((format(printf, 3, 0))) static void say(int fd, const char *prefix,
                                                      const char *format, va_list args)
{
    char text[1024];
    int at = snprintf(text, sizeof(text), "%s: ", prefix);
    vsnprintf(text + at, sizeof(text) - (size_t)at - 1, format, args);
    size_t size = strlen(text);
    text[size++] = '\n';
    ssize_t done = write(fd, text, size);
    (void)done;
}

void got(const char *format, ...)
{
    va_list args;
    __atomic_add_fetch(escapes, 1, __ATOMIC_RELAXED); /* first: saying so may be what ends us */
    va_start(args, format);
    say(1, "ESCAPED", format, args);
    va_end(args);
}

void blocked(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(2, "stopped", format, args);
    va_end(args);
}

void note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(2, "note", format, args);
    va_end(args);
}

bool attempt(const char *what, long result)
{
    if (result >= 0) {
        got("%s", what);
        return true;
    }
    blocked("%s: %s", what, strerror(errno));
    return false;
}

bool attempt_past(const char *what, long result, int past)
{
    if (result < 0 && errno == past) {
        got("%s: past the check (%s)", what, strerror(past));
        return true;
    }
    return attempt(what, result);
}

void in_child(const char *what, void (*try)(void *arg), void *arg)
{
    pid_t child = fork();
    if (child < 0) {
        blocked("%s: fork: %s", what, strerror(errno));
        return;
    }
    if (child == 0) {
        try(arg);
        _exit(0);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFSIGNALED(status))
        blocked("%s: killed by signal %d", what, WTERMSIG(status));
}

const char *bait(const char *name)
{
    char key[64];
    snprintf(key, sizeof(key), "BAIT_%s", name);
    const char *value = getenv(key);
    return value ? value : "";
}

long bait_number(const char *name, long otherwise)
{
    const char *value = bait(name);
    return *value ? strtol(value, NULL, 0) : otherwise;
}

bool fd_has_bait(int fd)
{
    char text[sizeof(BAIT_TEXT) - 1];
    ssize_t size = read(fd, text, sizeof(text));
    return size == (ssize_t)sizeof(text) && memcmp(text, BAIT_TEXT, sizeof(text)) == 0;
}

bool path_has_bait(int dirfd, const char *path, const char *what)
{
    long fd = syscall(SYS_openat, dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
    if (fd < 0)
        return false;
    bool found = fd_has_bait((int)fd);
    close((int)fd);
    if (found)
        got("%s: read the host's file as %s", what, path);
    return found;
}

bool file_contains(int dirfd, const char *path, const char *text)
{
    static char content[1 << 20];
    long fd = syscall(SYS_openat, dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
    if (fd < 0)
        return false;
    size_t size = 0;
    while (size < sizeof(content)) {
        ssize_t part = read((int)fd, content + size, sizeof(content) - size);
        if (part <= 0)
            break;
        size += (size_t)part;
    }
    close((int)fd);
    return *text && memmem(content, size, text, strlen(text)) != NULL;
}

bool role_is(const char *role)
{
    const char *own = getenv("ROLE");
    const char *query = getenv("QUERY_STRING");
    if (query && strncmp(query, "role=", 5) == 0)
        own = query + 5;
    return own && strcmp(own, role) == 0;
}

bool is_control(void)
{
    return getenv("ATTACK_CONTROL") != NULL;
}

void feature_missing(const char *what)
{
    if (!is_control())
        return;
    note("this kernel has no %s", what);
    _exit(EXIT_MISSING);
}

void pause_ms(unsigned int ms)
{
    struct timespec left = {ms / 1000, (long)(ms % 1000) * 1000000};
    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        ;
}

int main(int argc, char **argv)
{
    const char *query = getenv("QUERY_STRING");
    if (query && strcmp(query, "benign") == 0) {
        puts("benign");
        return 0;
    }
    escapes = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (escapes == MAP_FAILED)
        return 2;
    bool after_net = argc > 1 && strcmp(argv[1], "--after-net") == 0;
    if (after_net) {
        net_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (net_fd < 0) {
            note("--after-net: socket: %s", strerror(errno));
            return 2;
        }
    }
    attack();
    if (*escapes > 0)
        return 0;
    blocked("every try failed");
    return 1;
}
