/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SKERRY_OCI_PID_FILE_H
#define SKERRY_OCI_PID_FILE_H

#include <sys/types.h>

#include "base/err.h"

/* Writes pid to path, by rename: who waits for the file never reads half of it. path may be NULL.
 */
int oci_pid_file_write(const char *path, pid_t pid, struct err *err);

#endif
