/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static const char *role_name = "skerry";

void log_role(const char *role)
{
    role_name = role;
}

__attribute__((format(printf, 2, 0))) static void log_line(const char *level, const char *format,
                                                           va_list args)
{
    char line[1024];
    int used = snprintf(line, sizeof(line), "%s[%d]%s: ", role_name, (int)getpid(), level);
    int more = vsnprintf(line + used, sizeof(line) - (size_t)used - 1, format, args);
    size_t size = (size_t)used + (more < 0 ? 0 : (size_t)more);
    if (size > sizeof(line) - 2)
        size = sizeof(line) - 2;
    line[size++] = '\n';
    ssize_t ignored = write(STDERR_FILENO, line, size); /* one write, so that lines stay whole */
    (void)ignored;
}

void log_info(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_line("", format, args);
    va_end(args);
}

void log_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_line(" error", format, args);
    va_end(args);
}
