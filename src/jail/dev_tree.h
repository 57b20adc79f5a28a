/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SKERRY_JAIL_DEV_TREE_H
#define SKERRY_JAIL_DEV_TREE_H

#include "base/err.h"

/* A read-only /dev as a detached mount tree; the descriptor is the caller's. Needs root. -errno on
 * failure. */
int dev_tree_make(int with_kvm, struct err *err);

#endif
