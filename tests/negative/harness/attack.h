/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every attack shares: how it says that it got out, and how it says what stopped it.
 *
 * An attack is one program, tests/negative/NAME/attack.c, that defines attack(). It tries
 * everything it knows towards one goal. Each try ends in got() or blocked(); the program exits 0
 * and has printed ESCAPED if one of them got through, else 1. It never stops at the first success,
 * so that a run shows every hole.
 *
 * The runner passes what the host holds as bait in the environment as BAIT_*. An attack counts as
 * through only with a proof: the bait's content, an answer from the bait's owner, or a state of the
 * kernel that a sandbox must not reach. System calls are made raw, so that no wrapper fails early.
 */
#ifndef SKERRY_TESTS_ATTACK_H
#define SKERRY_TESTS_ATTACK_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define BAIT_TEXT "SKERRY-BAIT" /* every bait's content begins with this */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The attack itself; each program has one. */
void attack(void);

/* A try got through: prints "ESCAPED: ..." on stdout; the program will exit 0. */
void got(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A try was stopped: prints "stopped: ..." on stderr. */
void blocked(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A remark that is neither. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Judges the result of a raw system call (-1 with errno on failure): got() when it succeeded, else
 * blocked() with the reason. Returns true when it succeeded.
 */
bool attempt(const char *what, long result);

/*
 * The same for a call that was given arguments which the kernel refuses only after it has let the
 * caller in: failing with the errno `past` also counts as through.
 */
bool attempt_past(const char *what, long result, int past);

/*
 * Runs try(arg) in a child, for tries that may kill the process or leave it changed. The child's
 * got() and blocked() count as ours; death by a signal is blocked().
 */
void in_child(const char *what, void (*try)(void *arg), void *arg);

/* The value of BAIT_name in the environment, or an empty string. */
const char *bait(const char *name);
long bait_number(const char *name, long otherwise);

/* True when the file's content (read from where it stands) begins with BAIT_TEXT. */
bool fd_has_bait(int fd);
/* Opens path relative to dirfd, reads it, got() when it is bait. Returns true then. */
bool path_has_bait(int dirfd, const char *path, const char *what);
/* True when text occurs in the file below dirfd (up to 1 MiB is read). */
bool file_contains(int dirfd, const char *path, const char *text);

/* Which part this process plays in an attack of several: from ROLE or "role=" of QUERY_STRING. */
bool role_is(const char *role);

/* In a control run (no sandbox): the kernel lacks what this attack needs; exits 77. */
void feature_missing(const char *what);
/* True when the runner says that this is the control run. */
bool is_control(void);

/* The socket that --after-net opened, or -1. */
extern int net_fd;

/* Sleeps, uninterrupted. */
void pause_ms(unsigned int ms);

/* System call numbers that the oldest headers we build with do not have. */
#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif
#ifndef SYS_map_shadow_stack
#define SYS_map_shadow_stack 453
#endif
#ifndef SYS_statmount
#define SYS_statmount 457
#endif
#ifndef SYS_listmount
#define SYS_listmount 458
#endif
#ifndef SYS_open_tree_attr
#define SYS_open_tree_attr 467
#endif
#ifndef SYS_file_getattr
#define SYS_file_getattr 468
#endif
#ifndef SYS_file_setattr
#define SYS_file_setattr 469
#endif

#endif
