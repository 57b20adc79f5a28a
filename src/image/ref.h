/* SPDX-License-Identifier: Apache-2.0 */
/*
 * References: the names of images, "name", "registry/name:tag". One alphabet, so that a reference
 * is also a file name once '/' and ':' and '@' are exchanged for characters outside that alphabet.
 */
#ifndef SKERRY_IMAGE_REF_H
#define SKERRY_IMAGE_REF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "image/store.h"

/*
 * Checks that ref may name an image: 1 to 255 of [a-zA-Z0-9._/:@-], the first a letter or digit,
 * not "sha256:...". 0 or -EINVAL with a sentence.
 */
int ref_check(const char *ref, struct err *err);

/* The file name of a valid reference (as long as the reference), and back. */
void ref_to_file(const char *ref, char out_file[IMAGE_REF_MAX]);
/* False when the file name is not one that ref_to_file makes. */
bool ref_from_file(const char *file, char out_ref[IMAGE_REF_MAX]);

/* True when ref ends in ":TAG" (a ':' after the last '/'). */
bool ref_has_tag(const char *ref);

/*
 * The reference of an import that was not named: what the archive says (may be NULL or ""), where
 * that is a whole name, without a "docker.io/library/" or "localhost/" that tools put before it;
 * else the file name of path without its archive suffixes, with a bare tag of the archive behind
 * it. 0 or -EINVAL with a sentence that asks for a name.
 */
int ref_derive(const char *path, const char *archive_name, char out_ref[IMAGE_REF_MAX],
               struct err *err);

#endif
