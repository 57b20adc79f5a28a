/* SPDX-License-Identifier: Apache-2.0 */
/* Names of the kernel's numbers as clients and config.json write them. */
#ifndef SKERRY_OCI_NAMES_H
#define SKERRY_OCI_NAMES_H

#include <stddef.h>
#include <stdint.h>

struct oci_name {
    const char *name;
    uint64_t value;
};

/* In tables that end with a NULL name. */
extern const struct oci_name oci_capability_names[]; /* "CAP_CHOWN" */
extern const struct oci_name oci_rlimit_names[];     /* "RLIMIT_NOFILE" */

/* The value into *out; 0, or -ENOENT. */
int oci_name_find(const struct oci_name *table, const char *name, uint64_t *out);

/* "CAP_CHOWN", "cap_chown" or "chown": the number, or -ENOENT. */
int oci_capability_number(const char *name);

/* "KILL", "SIGKILL", "sigkill", "9", "RTMIN+3", "SIGRTMAX-1": the number, or -EINVAL. */
int oci_signal_number(const char *name);

#endif
