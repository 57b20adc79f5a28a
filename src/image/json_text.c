/* SPDX-License-Identifier: Apache-2.0 */
#include "image/json_text.h"

#include <errno.h>

#include "image/manifest.h"
#include "image/ref.h"

json_t *json_parse(const char *text, size_t size, const char *what, struct err *err)
{
    json_error_t error;
    if (size > MANIFEST_JSON_MAX) {
        err_set(err, EFBIG, "the %s has more than %u bytes", what, MANIFEST_JSON_MAX);
        return NULL;
    }
    json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    if (json == NULL)
        err_set(err, EINVAL, "the %s is not JSON (line %d: %.120s)", what, error.line, error.text);
    return json;
}

const char *json_text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

const char *json_name(const char *text)
{
    return text != NULL && ref_check(text, NULL) == 0 ? text : "";
}
