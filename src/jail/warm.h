/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pid 1's side of warm programs (skerry/abi/warm.h): which role the next program of a sandbox has,
 * and the words with it. Raw calls only: the spawner's memory, see zygote.h.
 */
#ifndef SKERRY_JAIL_WARM_H
#define SKERRY_JAIL_WARM_H

#include "jail/slot.h"

enum warm_role {
    WARM_ROLE_COLD = 0, /* executed when its request has come */
    WARM_ROLE_POOL,     /* waits for its request by itself */
    WARM_ROLE_MAKE,     /* makes the snapshot of the template */
    WARM_ROLE_RESTORE,  /* goes on from the snapshot */
};

/* The role of the slot's next program. Waits while another slot makes the snapshot; whoever is
 * told MAKE must end in warm_make or warm_maker_gone. */
enum warm_role warm_choose(struct slot *slot);

/* Throws away what a program that is gone left in the slot's sockets, in both directions; before
 * each warm program. Descriptors in it are closed by the kernel. -1: the sockets can carry nothing
 * any more, so the slot must end. */
int warm_drain(struct slot *slot);

/* In the program's process, furnished: puts the descriptors of a warm program where it looks for
 * them. 0 or -errno. */
long warm_place(struct slot *slot);

/* Then: becomes the warm program. Returns -errno. */
long warm_exec(const struct slot *slot);

/* Pid 1: waits for the verdict of a program that makes the snapshot. What is left of the sandbox
 * must end then. */
void warm_make(struct slot *slot, long program);

/* Pid 1: waits until a program of the pool, or a restored one, is ready; first: it has served no
 * request yet. 0, or -1 when it will not be: the sandbox must end. */
int warm_ready(struct slot *slot, long program, int first);

/* Pid 1: hands over the request in slot->message with its descriptors (closed then). 0 or -errno.
 */
long warm_request(struct slot *slot, const struct start_header *header, int fds[3]);

/*
 * Pid 1: waits for a monitor's word that the request's program ended, and puts what it says into
 * the slot (exit_ns, wait_status, inner stamps). 1: *out_usage is filled; 0: the monitor ended
 * without a word. Does not return when it said something else.
 */
int warm_done(struct slot *slot, struct rusage *out_usage);

/* Spawner, zygote: all of the slot's last sandbox is dead. If it was to make the snapshot, what
 * came of none is dropped, and without a verdict another may try. */
void warm_maker_gone(struct slot *slot);

#endif
