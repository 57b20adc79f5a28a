/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `process` of config.json, applied: by the runtime to another process before it may go on, and by
 * the process itself just before it executes the program.
 */
#ifndef SKERRY_OCI_PROCESS_H
#define SKERRY_OCI_PROCESS_H

#include <sys/types.h>

#include "oci/seccomp.h"
#include "oci/spec.h"

/*
 * Takes capabilities away that cannot be granted (we do not hold them, or they are ambient but not
 * inheritable), as the specification asks; security labels that the host cannot apply are errors.
 * *out_missing: the set that was taken away. mapped: the process will be in an own user namespace,
 * where it holds all.
 */
int oci_process_check(struct oci_process *process, bool mapped, uint64_t *out_missing,
                      struct err *err);

/* Signals as a program expects them: none blocked, none ignored. */
void oci_process_reset_signals(void);

/* From outside: resource limits, OOM score (they may need rights that the process gives up). */
int oci_process_limit(const struct oci_process *process, pid_t pid, bool rootless, struct err *err);

/* By itself, with all its rights still: session, scheduler, I/O priority, personality. */
int oci_process_prepare(const struct oci_process *process, const struct oci_spec *spec,
                        struct err *err);

/* The AppArmor and SELinux labels that the next execve takes, also that of a child cloned
 * meanwhile. proc: the host's /proc, which no image can have replaced. */
int oci_process_label(const struct oci_process *process, int proc, struct err *err);

/* Enters the working directory and checks that it is one of the container's. */
int oci_process_enter_cwd(const struct oci_process *process, struct err *err);

/* Groups, user, capabilities, umask. keep_admin: CAP_SYS_ADMIN stays until the execve, for a filter
 * without no_new_privs. */
int oci_process_become(const struct oci_process *process, bool keep_admin, struct err *err);

/* The program that args[0] means, looked up in the PATH of the process's environment. out: PATH_MAX
 * bytes. 0 or -errno. */
int oci_process_find(const struct oci_process *process, char *out, struct err *err);

/* The environment, with HOME as /etc/passwd has it unless it is set; malloc'd. */
char **oci_process_environment(const struct oci_process *process);

/*
 * no_new_privs, the filter, its listener (sent with state_json over the connected socket `listener`
 * if it is not -1), execve. Returns only on failure.
 */
int oci_process_execute(const struct oci_process *process, const char *path, char **environment,
                        const struct oci_filter *filter, int listener, const char *state_json,
                        struct err *err);

#endif
