/* SPDX-License-Identifier: Apache-2.0 */
/* Text made piece by piece, in memory that grows. When memory is used up it stops growing. */
#ifndef SKERRY_GUEST_FORMAT_H
#define SKERRY_GUEST_FORMAT_H

#include "base.h"

struct format {
    char *text;
    size_t len, room;
};

void format_init(struct format *format);
void format_done(struct format *format);
void format_bytes(struct format *format, const char *bytes, size_t len);
void format_text(struct format *format, const char *text);
void format_number(struct format *format, uint64_t number);
/** format_hex(): in lower case with at least digits digits. */
void format_hex(struct format *format, uint64_t number, unsigned digits);
/** format_pad(): spaces up to a column, counted from line_start. */
void format_pad(struct format *format, size_t line_start, size_t column);

#endif
