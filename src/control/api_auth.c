/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 7617 with one user; see api_auth.h. */
#include "control/api_auth.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

static int digit_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

ssize_t base64_decode(const char *text, size_t size, unsigned char *out, size_t room)
{
    if (size % 4 != 0)
        return -1;
    size_t padding = 0;
    while (padding < 2 && padding < size && text[size - 1 - padding] == '=')
        padding++;
    size_t count = size / 4 * 3 - padding;
    if (count > room)
        return -1;
    size_t at = 0;
    for (size_t i = 0; i < size; i += 4) {
        uint32_t group = 0;
        for (size_t k = 0; k < 4; k++) {
            bool pad = i + k >= size - padding;
            int value = pad ? 0 : digit_value(text[i + k]);
            if (value < 0)
                return -1;
            group = group << 6 | (uint32_t)value;
        }
        for (int shift = 16; shift >= 0 && at < count; shift -= 8)
            out[at++] = (unsigned char)(group >> shift);
    }
    return (ssize_t)count;
}

/* Compares the whole of both, whatever the first difference is. */
static bool same_bytes(const unsigned char *given, size_t given_size, const char *expected)
{
    size_t size = strlen(expected);
    unsigned int differs = given_size != size;
    for (size_t i = 0; i < size; i++)
        differs |=
            (unsigned int)(given[given_size > 0 ? i % given_size : 0] ^ (unsigned char)expected[i]);
    return differs == 0;
}

bool auth_basic_valid(const char *value, size_t size, const char *password)
{
    static const char scheme[] = "Basic ", user[] = "admin:";
    unsigned char decoded[256] = {0};
    if (size < sizeof(scheme) - 1 || strncasecmp(value, scheme, sizeof(scheme) - 1) != 0 ||
        password[0] == '\0')
        return false;
    const char *at = value + sizeof(scheme) - 1;
    const char *end = value + size;
    while (at < end && *at == ' ')
        at++;
    ssize_t count = base64_decode(at, (size_t)(end - at), decoded, sizeof(decoded));
    size_t user_size = sizeof(user) - 1;
    if (count < (ssize_t)user_size || memcmp(decoded, user, user_size) != 0)
        return false;
    return same_bytes(decoded + user_size, (size_t)count - user_size, password);
}
