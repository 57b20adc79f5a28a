/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *err, int code, const char *format, ...)
{
    if (code == 0)
        code = EINVAL;
    if (err == NULL)
        return -code;
    va_list args;
    va_start(args, format);
    int length = vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    err->code = code;
    size_t used = length < 0 ? 0 : (size_t)length;
    if (used > 0 && used < sizeof(err->text) - 2 && err->text[used - 1] == ':')
        snprintf(err->text + used, sizeof(err->text) - used, " %s", strerror(code));
    return -code;
}

int err_prefix(struct err *err, const char *format, ...)
{
    if (err == NULL)
        return -EINVAL;
    char old[ERR_TEXT_MAX];
    memcpy(old, err->text, sizeof(old));
    va_list args;
    va_start(args, format);
    int length = vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    size_t used = length < 0 ? 0 : (size_t)length;
    if (used < sizeof(err->text))
        snprintf(err->text + used, sizeof(err->text) - used, ": %s", old);
    return err->code > 0 ? -err->code : -EINVAL;
}
