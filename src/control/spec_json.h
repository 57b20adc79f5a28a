/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A function as JSON: OpenFaaS's deployment object, and our own settings under the key "skerry".
 *
 *   {"service": "thumb", "image": "thumb:latest", "namespace": "default", "envProcess": "convert -
 * png:-", "envVars": {"K": "V"}, "labels": {}, "annotations": {}, "limits": {"memory": "128M",
 * "cpu": "1"}, "skerry": {"args": [".."], "timeout": "10s", "net": "none", ...}}
 *
 * Reading is strict where a mistake would be costly: an unknown key of our own object, a value of
 * the wrong type or two different values for the same limit are refused with a sentence. Unknown
 * keys of OpenFaaS's object are ignored as its own providers do; what of it asks for something that
 * is not offered (secrets, constraints) is refused. Used by the API process alone: it parses what
 * came from a client.
 */
#ifndef SKERRY_CONTROL_SPEC_JSON_H
#define SKERRY_CONTROL_SPEC_JSON_H

#include <jansson.h>
#include <stddef.h>

#include "base/err.h"
#include "sandbox/function.h"

#define SPEC_JSON_MAX   (1024u * 1024u) /* bytes of a document */
#define SPEC_JSON_DEPTH 8               /* nested objects and lists */

/*
 * Parses size bytes as one JSON document within the bounds above: no second value for a key,
 * nothing after its end. The result is the caller's. NULL with a sentence that names line and
 * column.
 */
json_t *json_parse_strict(const char *text, size_t size, struct err *err);

/*
 * Fills *out from a deployment object; limits that it does not name have their defaults. The result
 * passed function_check. 0 or -EINVAL with a sentence that names the key.
 */
int spec_from_json(const json_t *object, struct function_spec *out, struct err *err);

/*
 * The deployment object of a checked spec, the caller's: spec_from_json of it gives the same spec
 * (but for revision and created_unix_s, which a deployment does not have). NULL without memory or
 * when a text is not UTF-8.
 */
json_t *spec_to_json(const struct function_spec *spec);

#endif
