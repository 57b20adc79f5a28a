/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SKERRY_JAIL_NETWORK_H
#define SKERRY_JAIL_NETWORK_H

/*
 * A new network namespace with loopback up and nothing else. The caller is in it afterwards (and
 * needs CAP_SYS_ADMIN in its user namespace). proc_root: the /proc the caller is seen in. Returns a
 * descriptor of the namespace or -errno. Raw system calls only.
 */
int network_make(int proc_root);

/* How many sockets live in the network namespace that the caller is in; 0 when it cannot be told.
 */
long network_sockets(int proc_root);

#endif
