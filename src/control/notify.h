/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SKERRY_CONTROL_NOTIFY_H
#define SKERRY_CONTROL_NOTIFY_H

/* Tells the service manager that started us (sd_notify(3): $NOTIFY_SOCKET), if there is one. */
void notify_service(const char *state);

#endif
