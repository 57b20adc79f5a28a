/* SPDX-License-Identifier: Apache-2.0 */
/* The user of an image: "UID", "UID:GID", "NAME", "NAME:GROUP", looked up in its own /etc. */
#ifndef SKERRY_IMAGE_USER_H
#define SKERRY_IMAGE_USER_H

#include <stdint.h>

#include "base/err.h"

/*
 * Resolves user (not empty) with the contents of the image's /etc/passwd and /etc/group
 * (NUL-terminated,
 * "" when missing). Without a group it is that of the user's line in passwd, else 0. Ids are
 * 0..65535. 0 or -EINVAL with a sentence. Pure.
 */
int user_resolve(const char *user, const char *passwd, const char *group, uint32_t *out_uid,
                 uint32_t *out_gid, struct err *err);

#endif
