/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was deployed, on disk: a SQLite database in the state directory.
 *
 * A call that changes something returns when the change is on stable storage (write-ahead log,
 * synchronous=FULL), so nothing that was acknowledged is lost by a kill or a power cut. One column
 * a field: the file is readable with the sqlite3 shell, and a changed struct needs no rewriting of
 * stored bytes. What is read back is checked like anything else before it is used.
 */
#ifndef SKERRY_CONTROL_REGISTRY_H
#define SKERRY_CONTROL_REGISTRY_H

#include <stdint.h>

#include "base/err.h"
#include "sandbox/function.h"

#define REGISTRY_SCHEMA_VERSION 1
#define TENANT_UID_COUNT        65536 /* host uids of a tenant */

struct registry;

/*
 * Opens (makes, with mode 0600) the database at path. 0 or -errno; a database of a newer schema is
 * refused with a sentence.
 */
int registry_open(const char *path, struct registry **out, struct err *err);
void registry_close(struct registry *registry);

/*
 * Stores spec under its tenant and name, over an earlier one. spec->revision is set to one more
 * than the name ever had, removals included; created_unix_s stays the caller's. 0 or -errno
 * (nothing is changed then).
 */
int registry_put(struct registry *registry, struct function_spec *spec, struct err *err);

/* Removes a function. 0, -ENOENT or -errno. */
int registry_remove(struct registry *registry, const char *tenant, const char *name,
                    struct err *err);

/* Reads one function. 0, -ENOENT, -EBADMSG when the row does not pass function_check, or -errno. */
int registry_get(struct registry *registry, const char *tenant, const char *name,
                 struct function_spec *out, struct err *err);

/*
 * Calls each for every function in the order of tenant and name. A row that does not pass
 * function_check is given with damaged set (its texts are terminated, nothing else holds). Stops at
 * the first negative result and returns it.
 */
typedef int (*registry_each_fn)(void *arg, const struct function_spec *spec,
                                const struct err *damaged);
int registry_each(struct registry *registry, registry_each_fn each, void *arg, struct err *err);

/*
 * The index of a tenant: 0 for the first that was ever seen, never given to another one. Its host
 * uids are uid_base + index * TENANT_UID_COUNT and the following TENANT_UID_COUNT - 1. 0 or -errno.
 */
int registry_tenant(struct registry *registry, const char *tenant, uint32_t *out_index,
                    struct err *err);

#endif
