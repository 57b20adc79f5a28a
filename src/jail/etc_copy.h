/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SKERRY_JAIL_ETC_COPY_H
#define SKERRY_JAIL_ETC_COPY_H

/*
 * Copies the few files and directories of the host's /etc that programs of /usr need to run
 * (library cache, alternatives, fonts, certificates, ImageMagick's and Python's settings) from
 * `from` to `to`. Reads with the caller's rights, follows no symbolic link out, bounded in depth,
 * count and size.
 */
void etc_copy(const char *from, const char *to);

#endif
