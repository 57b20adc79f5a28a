/* SPDX-License-Identifier: Apache-2.0 */
/* Network interfaces by rtnetlink: what a benchmark of network namespaces needs. */
#ifndef SKERRY_BENCH_LINK_H
#define SKERRY_BENCH_LINK_H

/* A socket to the network namespace that the caller is in; ends on failure. */
int link_open(void);
/* Brings the interface with this number up. 0, or -1 with errno. */
int link_up(int sock, int index);
/* Makes a veth pair: `name` here, `peer` in the namespace that peer_net is. 0, or -1 with errno. */
int link_add_veth(int sock, const char *name, const char *peer, int peer_net);

#endif
