/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SKERRY_JAIL_NOTIFY_CONFINE_H
#define SKERRY_JAIL_NOTIFY_CONFINE_H

/* Installs the notify handler's own filter: what it calls and nothing else. 0 or -errno; raw calls
 * only. */
long notify_confine(void);

#endif
