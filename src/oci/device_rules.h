/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device rules as the v1 controller understands a sequence of writes to devices.allow and
 * devices.deny: a default and a list of exceptions from it; and the same as a BPF program for v2.
 */
#ifndef SKERRY_OCI_DEVICE_RULES_H
#define SKERRY_OCI_DEVICE_RULES_H

#include <linux/bpf.h>

#include "oci/spec.h"

#define DEVICE_EXCEPTIONS_MAX 512
#define DEVICE_ANY            UINT32_MAX

struct device_exception {
    char type; /* 'b' or 'c' */
    uint32_t major;
    uint32_t minor;
    uint32_t access; /* OCI_ACCESS_* */
};

struct device_rules {
    bool allow; /* what the exceptions are exceptions from */
    size_t count;
    struct device_exception exceptions[DEVICE_EXCEPTIONS_MAX];
};

/* Adds one rule to a state that began as {.allow = true}. 0, or -E2BIG. */
int device_rules_add(struct device_rules *rules, const struct oci_device_rule *rule);

/* Whether access (OCI_ACCESS_*) to one device is allowed. */
bool device_rules_allow(const struct device_rules *rules, char type, uint32_t major, uint32_t minor,
                        uint32_t access);

/* At most 7 instructions an exception and 7 around them. Returns the count. */
#define DEVICE_PROGRAM_MAX (DEVICE_EXCEPTIONS_MAX * 9 + 8)
size_t device_rules_assemble(const struct device_rules *rules,
                             struct bpf_insn program[DEVICE_PROGRAM_MAX]);

/* What every container may use (config-linux.md, "Default Devices"): items end with type 0. */
extern const struct oci_device_rule device_rules_default[];

#endif
