/* SPDX-License-Identifier: Apache-2.0 */
/* The state directory: who may have it, its password, sockets and logs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "control/listen.h"
#include "control/state_dir.h"

static char base[64], path[96];

static int setup(void **state)
{
    strcpy(base, "/tmp/skerry-state-XXXXXX");
    if (mkdtemp(base) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/a/b", base);
    return 0;
}

static int remove_one(const char *name, const struct stat *about, int kind, struct FTW *where)
{
    return remove(name);
}

static int teardown(void **state)
{
    return nftw(base, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void opened(struct state_dir *out)
{
    struct err err;
    if (state_dir_open(path, out, &err) < 0)
        fail_msg("%s", err.text);
}

static mode_t mode_of(const char *name)
{
    char full[256];
    struct stat about;
    snprintf(full, sizeof(full), "%s/%s", path, name);
    assert_int_equal(lstat(full, &about), 0);
    return about.st_mode & 07777;
}

static void test_it_is_made_and_private(void **state)
{
    struct state_dir dir;
    opened(&dir);
    assert_int_equal(mode_of("."), 0700);
    assert_int_equal(mode_of("logs"), 0700);
    assert_int_equal(mode_of("lock"), 0600);
    state_dir_close(&dir);
    assert_int_equal(chmod(path, 0755), 0);
    opened(&dir);
    assert_int_equal(mode_of("."), 0700);
    state_dir_close(&dir);
}

static void test_one_at_a_time(void **state)
{
    struct state_dir dir, other;
    struct err err;
    char pid[64];
    opened(&dir);
    int ends[2];
    char word[ERR_TEXT_MAX] = "";
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int rc = state_dir_open(path, &other, &err);
        _exit(write(ends[1], err.text, sizeof(err.text)) > 0 && rc == -EBUSY ? 0 : 1);
    }
    close(ends[1]);
    assert_true(read(ends[0], word, sizeof(word)) > 0);
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    snprintf(pid, sizeof(pid), "another skerryd (pid %d) serves", (int)getpid());
    assert_non_null(strstr(word, pid));
    state_dir_close(&dir);
    opened(&dir);
    state_dir_close(&dir);
}

static void test_the_directory_of_somebody_else(void **state)
{
    struct state_dir dir;
    struct err err;
    if (geteuid() != 0)
        skip();
    opened(&dir);
    state_dir_close(&dir);
    assert_int_equal(chown(path, 12345, 12345), 0);
    assert_int_equal(state_dir_open(path, &dir, &err), -EPERM);
    assert_non_null(strstr(err.text, "belongs to uid 12345"));
}

static void test_a_link_in_place_of_the_lock(void **state)
{
    struct state_dir dir;
    struct err err;
    char link[160], target[160];
    opened(&dir);
    state_dir_close(&dir);
    snprintf(link, sizeof(link), "%s/lock", path);
    snprintf(target, sizeof(target), "%s/victim", base);
    assert_int_equal(unlink(link), 0);
    assert_int_equal(symlink(target, link), 0);
    assert_int_equal(state_dir_open(path, &dir, &err), -ELOOP);
    assert_int_equal(access(target, F_OK), -1);
}

static void read_password(struct state_dir *dir, char out[80])
{
    struct err err;
    fd_owner fd = state_dir_password(dir, &err);
    assert_true(fd >= 0);
    ssize_t size = fd_read_all(fd, out, 79);
    assert_true(size > 0);
    out[size] = '\0';
}

static void test_the_password_is_made_once(void **state)
{
    struct state_dir dir;
    char first[80], second[80];
    opened(&dir);
    read_password(&dir, first);
    assert_int_equal(strlen(first), 65);
    assert_int_equal(strspn(first, "0123456789abcdef"), 64);
    assert_int_equal(mode_of("admin-password"), 0600);
    read_password(&dir, second);
    assert_string_equal(first, second);
    assert_int_equal(unlinkat(dir.dir, "admin-password", 0), 0);
    read_password(&dir, second);
    assert_string_not_equal(first, second);
    state_dir_close(&dir);
}

static void test_a_stale_socket_is_replaced(void **state)
{
    struct state_dir dir;
    struct err err;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    opened(&dir);
    assert_false(state_dir_unclean(&dir));
    fd_owner first = state_dir_listen(&dir, "skerry.sock", &err);
    assert_true(first >= 0);
    fd_close(&first);
    assert_true(state_dir_unclean(&dir));
    fd_owner second = state_dir_listen(&dir, "skerry.sock", &err);
    assert_true(second >= 0);
    assert_int_equal(mode_of("skerry.sock"), 0600);
    fd_owner client = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/skerry.sock", path);
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
    state_dir_unlink(&dir, "skerry.sock");
    assert_false(state_dir_unclean(&dir));
    state_dir_close(&dir);
}

static void test_a_path_too_long_for_a_socket(void **state)
{
    struct state_dir dir;
    struct err err;
    size_t used = strlen(path);
    memset(path + used, 'x', sizeof(path) - used - 1);
    path[used] = '/';
    path[sizeof(path) - 1] = '\0';
    opened(&dir);
    assert_int_equal(state_dir_listen(&dir, "skerry.sock", &err), -ENAMETOOLONG);
    assert_non_null(strstr(err.text, "choose a shorter state directory"));
    state_dir_close(&dir);
}

static void test_logs_are_appended_and_rotated(void **state)
{
    struct state_dir dir;
    struct stat about;
    char text[64];
    opened(&dir);
    fd_owner log = state_dir_log(&dir, "acme.f", 1);
    fd_owner reader = state_dir_log(&dir, "acme.f", 0);
    assert_true(log >= 0 && reader >= 0);
    assert_int_equal(mode_of("logs/acme.f.log"), 0600);
    assert_int_equal(write(reader, "x", 1), -1);
    assert_int_equal(write(log, "0123456789", 10), 10);
    assert_int_equal(state_dir_log_rotate(&dir, "acme.f", 10), 0);
    assert_int_equal(fstat(log, &about), 0);
    assert_int_equal(about.st_size, 10);
    assert_int_equal(write(log, "x", 1), 1);
    assert_int_equal(state_dir_log_rotate(&dir, "acme.f", 10), 0);
    assert_int_equal(write(log, "new", 3), 3); /* whoever has it open goes on at its begin */
    assert_int_equal(pread(reader, text, sizeof(text), 0), 3);
    assert_int_equal(mode_of("logs/acme.f.log.1"), 0600);
    fd_owner old = openat(dir.logs, "acme.f.log.1", O_RDONLY);
    assert_int_equal(read(old, text, sizeof(text)), 11);
    assert_memory_equal(text, "0123456789x", 11);
    assert_int_equal(state_dir_log_rotate(&dir, "never.was", 10), 0);
    state_dir_log_remove(&dir, "acme.f");
    assert_int_equal(faccessat(dir.logs, "acme.f.log", F_OK, 0), -1);
    state_dir_close(&dir);
}

static void test_listening(void **state)
{
    struct err err;
    char shown[64], same[64];
    fd_owner first = listen_tcp("127.0.0.1:0", 0, shown, sizeof(shown), &err);
    assert_true(first >= 0);
    assert_int_equal(strncmp(shown, "127.0.0.1:", 10), 0);
    assert_string_not_equal(shown, "127.0.0.1:0");
    assert_int_equal(listen_tcp(shown, 0, same, sizeof(same), &err), -EADDRINUSE);
    assert_non_null(strstr(err.text, shown));
    fd_close(&first);
    first = listen_tcp(shown, 0, same, sizeof(same), &err);
    assert_true(first >= 0);
    assert_string_equal(shown, same);
    assert_int_equal(listen_tcp("203.0.113.1:1", 0, same, sizeof(same), &err), -EADDRNOTAVAIL);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_it_is_made_and_private),
        TEST(test_one_at_a_time),
        TEST(test_the_directory_of_somebody_else),
        TEST(test_a_link_in_place_of_the_lock),
        TEST(test_the_password_is_made_once),
        TEST(test_a_stale_socket_is_replaced),
        TEST(test_a_path_too_long_for_a_socket),
        TEST(test_logs_are_appended_and_rotated),
        TEST(test_listening),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
