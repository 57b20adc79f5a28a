/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP basic authentication of the admin API: user "admin" and the generated password. */
#ifndef SKERRY_CONTROL_API_AUTH_H
#define SKERRY_CONTROL_API_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define API_PASSWORD_MAX 128 /* with the NUL */

/*
 * Decodes size bytes of base64 (RFC 4648 section 4, padding required, nothing else between) into
 * out. Returns the count of bytes, or -1: malformed or larger than room.
 */
ssize_t base64_decode(const char *text, size_t size, unsigned char *out, size_t room);

/*
 * True when the value of an Authorization header (size bytes) is "Basic" with "admin:PASSWORD". The
 * time does not depend on how much of the password is right.
 */
bool auth_basic_valid(const char *value, size_t size, const char *password);

#endif
