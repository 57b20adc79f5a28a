/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strblock.h"

#include <errno.h>
#include <string.h>

int strblock_add(uint32_t *count, uint32_t *bytes, char *data, size_t room, const char *text)
{
    size_t size = strlen(text) + 1;
    if (*bytes > room || size > room - *bytes)
        return -E2BIG;
    memcpy(data + *bytes, text, size);
    *bytes += (uint32_t)size;
    *count += 1;
    return 0;
}

bool strblock_valid(uint32_t count, uint32_t bytes, const char *data, size_t room)
{
    if (bytes > room)
        return false;
    uint32_t found = 0;
    for (uint32_t i = 0; i < bytes; i++)
        found += data[i] == '\0';
    if (bytes > 0 && data[bytes - 1] != '\0')
        return false;
    return found == count;
}

const char *strblock_next(const char *text)
{
    return text + strlen(text) + 1;
}
