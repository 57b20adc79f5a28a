/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor: the one process of a daemon with privilege.
 *
 *   registry --> functions --> zygotes (jail_template) --+
 *                    ^                                   | sockets to start sandboxes
 *   api process -----+ deploy, update, remove            v
 *        ^                                           gateway process
 *        +------------- admin connections ---------------+
 *
 * It never reads a byte that came from the network, from a function or from an image: it takes
 * fixed-size structs over two links, checks its own copy of them, and acts. Everything else is its
 * child and dies with it. It has one thread and one epoll loop, in which nothing waits for a child.
 */
#ifndef SKERRY_CONTROL_SUPERVISOR_H
#define SKERRY_CONTROL_SUPERVISOR_H

#include "control/config.h"

/*
 * Serves by config until SIGTERM or SIGINT (drained, then exit status 0) or until it cannot go on.
 * A first failure to begin is printed as a sentence on stderr: exit status 1.
 */
int supervisor_main(const struct config *config);

#endif
