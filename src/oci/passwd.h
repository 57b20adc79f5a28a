/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /etc/passwd, read by ourselves: libc's functions load libraries where the program is static, and
 * in a container the file is whatever the image has.
 */
#ifndef SKERRY_OCI_PASSWD_H
#define SKERRY_OCI_PASSWD_H

#include <stddef.h>
#include <stdint.h>

enum oci_passwd_field { OCI_PASSWD_NAME = 0, OCI_PASSWD_HOME = 5 };

/*
 * A field of the first line whose third is uid, terminated in out (cut off at room). 0; -ENOENT:
 * there is no such line, or no file of that kind, which is never waited for; -ENOMEM.
 */
int oci_passwd_get(uint32_t uid, enum oci_passwd_field field, char *out, size_t room);

#endif
