/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of a program (never of a library): one line an event on stderr, "skerryd[pid] role:
 * text".
 */
#ifndef SKERRY_BASE_LOG_H
#define SKERRY_BASE_LOG_H

/* Names the role that is put before each line, e.g. "gateway". The text must live on. */
void log_role(const char *role);
/* One line; a newline is added. */
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
