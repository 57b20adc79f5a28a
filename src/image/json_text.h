/* SPDX-License-Identifier: Apache-2.0 */
/* What all documents of an image need of jansson. */
#ifndef SKERRY_IMAGE_JSON_TEXT_H
#define SKERRY_IMAGE_JSON_TEXT_H

#include <stddef.h>

#include <jansson.h>

#include "base/err.h"

static inline void json_cleanup(json_t **json)
{
    json_decref(*json);
}
#define json_owner __attribute__((cleanup(json_cleanup))) json_t

/*
 * Parses a document whose top is an object or array; a key that stands twice is refused, because
 * two readers could choose differently. NULL with a sentence; what: the document's name.
 */
json_t *json_parse(const char *text, size_t size, const char *what, struct err *err);

/* The string that object (may be NULL) has under key, or NULL. */
const char *json_text(const json_t *object, const char *key);

/* text cut down to what may name an image, or "". */
const char *json_name(const char *text);

#endif
