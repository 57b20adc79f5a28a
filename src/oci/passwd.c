/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/passwd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"

#define PASSWD_MAX (256 * 1024)
#define FIELDS     7

/* It may be anything in an image, and a FIFO must not hold us up. */
static bool read_passwd(char text[PASSWD_MAX])
{
    struct stat status;
    fd_owner file = open("/etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (file < 0 || fstat(file, &status) < 0 || !S_ISREG(status.st_mode))
        return false;
    ssize_t size = fd_read_all(file, text, PASSWD_MAX - 1);
    text[size > 0 ? size : 0] = '\0';
    return size > 0;
}

static int split(char *line, char *fields[FIELDS])
{
    int count = 1;
    fields[0] = line;
    for (char *colon; count < FIELDS && (colon = strchr(fields[count - 1], ':')); count++) {
        *colon = '\0';
        fields[count] = colon + 1;
    }
    return count;
}

int oci_passwd_get(uint32_t uid, enum oci_passwd_field field, char *out, size_t room)
{
    char *text = malloc(PASSWD_MAX);
    int found = -ENOENT;
    if (text == NULL)
        return -ENOMEM;
    if (read_passwd(text)) {
        char *save = NULL;
        for (char *line = strtok_r(text, "\n", &save); line != NULL && found < 0;
             line = strtok_r(NULL, "\n", &save)) {
            char *fields[FIELDS];
            char *end;
            if (split(line, fields) < 6 || fields[2][0] == '\0' ||
                strtoul(fields[2], &end, 10) != uid || *end != '\0')
                continue;
            snprintf(out, room, "%s", fields[field]);
            found = 0;
        }
    }
    free(text);
    return found;
}
