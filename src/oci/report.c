/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/report.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"

/* Text as a JSON string without its quotes; what does not fit is cut. */
static void quote(const char *text, char *out, size_t room)
{
    size_t used = 0;
    for (; *text != '\0' && used + 7 < room; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            out[used++] = '\\';
            out[used++] = (char)c;
        } else if (c < 0x20) {
            used += (size_t)snprintf(out + used, room - used, "\\u%04x", c);
        } else {
            out[used++] = (char)c;
        }
    }
    out[used] = '\0';
}

static void write_log(const struct oci_settings *set, const char *level, const char *text)
{
    char stamp[40];
    char quoted[1200];
    char line[1400];
    time_t now = time(NULL);
    struct tm parts;
    fd_owner fd = open(set->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
    if (fd < 0 || gmtime_r(&now, &parts) == NULL)
        return;
    strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &parts);
    quote(text, quoted, sizeof(quoted));
    int json = set->log_format != NULL && strcmp(set->log_format, "json") == 0;
    int length = snprintf(line, sizeof(line),
                          json ? "{\"level\":\"%2$s\",\"msg\":\"%3$s\",\"time\":\"%1$s\"}\n"
                               : "time=\"%s\" level=%s msg=\"%s\"\n",
                          stamp, level, quoted);
    if (length > 0 && (size_t)length < sizeof(line))
        fd_write_all(fd, line, (size_t)length); /* nothing to do about a full disk */
}

void oci_report(const struct oci_settings *set, const char *level, const char *text)
{
    bool quiet = strcmp(level, "info") == 0;
    if (strcmp(level, "debug") == 0 && !set->debug)
        return;
    if (set->log != NULL && set->log[0] != '\0')
        write_log(set, level, text);
    if (!quiet || set->debug)
        dprintf(STDERR_FILENO, "skerry-oci: %s%s\n", level[0] == 'w' ? "warning: " : "", text);
}
