/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SKERRY_OCI_HOOKS_H
#define SKERRY_OCI_HOOKS_H

#include "oci/spec.h"

/*
 * Runs the hooks of a kind one after the other, in the calling process's namespaces, with state on
 * their stdin. Stops at the first that fails (exit status, signal, timeout: then it is killed).
 * 0, or -errno with err naming the hook.
 */
int oci_hooks_run(const struct oci_spec *spec, enum oci_hook_kind kind, const char *state,
                  struct err *err);

#endif
