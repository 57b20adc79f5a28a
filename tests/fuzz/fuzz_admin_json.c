/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin API's JSON: whatever is taken passes function_check, is written as JSON again, and
 * comes back the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/spec_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct function_spec spec, back;
    struct err err;
    json_t *json = json_parse_strict((const char *)data, size, &err);
    if (json == NULL)
        return 0;
    int rc = spec_from_json(json, &spec, &err);
    json_decref(json);
    if (rc < 0)
        return 0;
    if (function_check(&spec, &err) < 0)
        abort();
    json_t *written = spec_to_json(&spec);
    if (written == NULL || spec_from_json(written, &back, &err) < 0 ||
        memcmp(&spec, &back, sizeof(spec)) != 0)
        abort();
    json_decref(written);
    return 0;
}
