/* SPDX-License-Identifier: Apache-2.0 */
/* Cgroup hierarchies in the text of /proc/PID/mountinfo; used by the jail and by the OCI runtime.
 */
#ifndef SKERRY_JAIL_CGROUP_MOUNTS_H
#define SKERRY_JAIL_CGROUP_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>

struct cgroup_mount {
    bool v2;
    char root[512];       /* what of the hierarchy is mounted: "/" but in containers */
    char point[256];      /* where */
    char controllers[96]; /* of v1, comma-separated: "cpu,cpuacct", "name=systemd"; of v2 empty */
};

/* Reads one line (NUL- or newline-terminated). False: not a cgroup mount, or too long to be one. */
bool cgroup_mount_line(const char *line, struct cgroup_mount *out);

/* True when word stands in a list that is separated by commas, spaces or newlines. */
bool cgroup_has_word(const char *list, const char *word);

#endif
