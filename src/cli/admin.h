/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs that speak with the daemon's admin API share. */
#ifndef SKERRY_CLI_ADMIN_H
#define SKERRY_CLI_ADMIN_H

#include <jansson.h>

#include "cli/client.h"

/* Indented JSON and a newline on stdout. */
void admin_print_json(const json_t *json);

/*
 * Writes "/system/function/NAME?namespace=TENANT" (name NULL: PATH as it is) into buf. 0, or
 * -EINVAL when the name or the tenant cannot be one.
 */
int admin_target(const char *path, const char *name, const struct settings *settings, char *buf,
                 size_t room, struct err *err);

/* True, with a sentence, when a function of the daemon of this state directory was made from ref.
 */
bool admin_image_in_use(const char *state, const char *ref, struct err *err);

/* The image that `deploy --exec` makes for a function. Returns buf. */
const char *admin_exec_ref(const char *tenant, const char *name, char *buf, size_t room);

/* The text or number at a key; NULL or 0 when it is not there. */
const char *admin_text(const json_t *json, const char *key);
uint64_t admin_number(const json_t *json, const char *key);

#endif
