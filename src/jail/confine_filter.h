/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SKERRY_JAIL_CONFINE_FILTER_H
#define SKERRY_JAIL_CONFINE_FILTER_H

#include "base/err.h"
#include "jail/confine.h"

/* Installs the filter of a profile for the calling process; NO_NEW_PRIVS must be set. 0 or -errno.
 */
int confine_filter_install(enum confine_profile profile, struct err *err);

#endif
