/* SPDX-License-Identifier: Apache-2.0 */
/* config.json, and the parts of it that other verbs take alone. The first byte chooses. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "oci/device_rules.h"
#include "oci/spec.h"

static void use_devices(const struct oci_resources *resources)
{
    static struct device_rules rules;
    static struct bpf_insn program[DEVICE_PROGRAM_MAX];
    rules = (struct device_rules){.allow = true};
    for (size_t i = 0; i < resources->device_rule_count; i++)
        device_rules_add(&rules, &resources->device_rules[i]);
    if (device_rules_assemble(&rules, program) > DEVICE_PROGRAM_MAX)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct oci_spec spec;
    struct err err = {0};
    int (*const parsers[])(const char *, size_t, struct oci_spec *, struct err *) = {
        oci_spec_parse, oci_process_parse, oci_resources_parse, oci_seccomp_parse};
    if (size == 0)
        return 0;
    /* a JSON document begins with '{': most seeds go to the first */
    size_t which = data[0] < 4 ? data[0] : 0;
    size_t skip = data[0] < 4;
    char *text = malloc(size - skip); /* exactly: a read behind it is seen */
    if (text == NULL)
        return 0;
    memcpy(text, data + skip, size - skip);
    int result = parsers[which](text, size - skip, &spec, &err);
    if (result == 0) {
        use_devices(&spec.linux_.resources);
        oci_spec_free(&spec);
    } else if (err.code != -result || err.text[0] == '\0' || spec.arena.chunks != NULL) {
        abort(); /* every refusal is told, and nothing is left */
    }
    free(text);
    return 0;
}
