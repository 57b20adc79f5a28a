/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The /tmp of a slot's sandboxes, seen from its spawner, which is in their mount namespace while no
 * sandbox lives. Raw system calls only.
 */
#ifndef SKERRY_JAIL_SLOT_TMP_H
#define SKERRY_JAIL_SLOT_TMP_H

struct slot;

/* Mounts a new one on /tmp and notes what it looks like; sets slot->has_mounts. 0 or -errno. */
long slot_tmp_mount(struct slot *slot);

/*
 * True when nothing can tell the /tmp that the last sandbox had from a new one: no file is in it
 * and none was made there. The numbers of files go on, so they tell how many sandboxes were here
 * before.
 */
int slot_tmp_untouched(struct slot *slot);

#endif
