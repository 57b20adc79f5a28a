/* SPDX-License-Identifier: Apache-2.0 */
#include "slabinfo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN 10

struct growth {
    const char *name;
    int64_t bytes;
};

void slabs_read(struct slabs *out)
{
    char line[512];
    out->count = 0;
    FILE *file = fopen("/proc/slabinfo", "re");
    while (file != NULL && out->count < SLABS_MAX && fgets(line, sizeof(line), file) != NULL) {
        char *save = NULL;
        char *name = strtok_r(line, " ", &save);
        char *active = strtok_r(NULL, " ", &save);
        strtok_r(NULL, " ", &save);
        char *size = strtok_r(NULL, " ", &save);
        if (size == NULL || size[0] < '0' || size[0] > '9')
            continue; /* the heading */
        snprintf(out->cache[out->count].name, sizeof(out->cache[0].name), "%s", name);
        out->cache[out->count++].bytes = strtoll(active, NULL, 10) * strtoll(size, NULL, 10);
    }
    if (file != NULL)
        fclose(file);
}

static int compare(const void *a, const void *b)
{
    int64_t left = ((const struct growth *)a)->bytes, right = ((const struct growth *)b)->bytes;
    return (right > left) - (right < left);
}

void slabs_growth(const struct slabs *before, const struct slabs *after, size_t count, char *out,
                  size_t room)
{
    static struct growth growth[SLABS_MAX];
    size_t used = 0;
    for (size_t i = 0; i < after->count; i++) {
        growth[i] = (struct growth){after->cache[i].name, after->cache[i].bytes};
        for (size_t k = 0; k < before->count; k++) {
            if (strcmp(before->cache[k].name, growth[i].name) == 0)
                growth[i].bytes -= before->cache[k].bytes;
        }
    }
    qsort(growth, after->count, sizeof(growth[0]), compare);
    out[0] = '\0';
    for (size_t i = 0; i < SHOWN && i < after->count && used < room; i++)
        used += (size_t)snprintf(out + used, room - used, "%s%s %.1f", i ? ", " : "",
                                 growth[i].name, (double)growth[i].bytes / 1024 / (double)count);
}
