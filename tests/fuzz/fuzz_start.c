/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The start message as a sandbox receives it: the first byte is the count of descriptors. What the
 * check lets through is walked as the sandbox walks it, so that a wrong bound is a crash here.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "jail/start.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    char *message = malloc(size - 1 > 0 ? size - 1 : 1); /* exact: a read past the end is seen */
    if (message == NULL)
        return 0;
    memcpy(message, data + 1, size - 1);
    if (start_check(message, size - 1, data[0]) == 0) {
        struct start_header header;
        memcpy(&header, message, sizeof(header));
        const char *at = message + sizeof(header);
        for (uint32_t i = 0; i < header.env_count; i++)
            at += strlen(at) + 1;
        if (at != message + size - 1)
            abort();
    }
    free(message);
    return 0;
}
