/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One error: a negative errno and a sentence for a person.
 *
 * Library code returns 0 or -errno and fills the caller's struct err last. The struct has a fixed
 * size and needs neither malloc nor a log, so it works between clone and exec and crosses a socket
 * as it is. A message says what was tried, on what, why it failed and, where there is something to
 * do, what to do.
 */
#ifndef SKERRY_BASE_ERR_H
#define SKERRY_BASE_ERR_H

#define ERR_TEXT_MAX 480

struct err {
    int code;                /* errno, positive; 0: no error */
    char text[ERR_TEXT_MAX]; /* NUL-terminated sentence without a final newline */
};

/*
 * Fills err (may be NULL) with code (a positive errno; 0 is taken as EINVAL) and a formatted text.
 * ": " and strerror(code) are appended when the format ends in a colon. Returns -code.
 */
int err_set(struct err *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before the text that err (may be NULL) holds; returns -err->code. */
int err_prefix(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
