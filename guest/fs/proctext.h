/* SPDX-License-Identifier: Apache-2.0 */
/* The texts of /proc: each writes what its file says now. */
#ifndef SKERRY_GUEST_PROCTEXT_H
#define SKERRY_GUEST_PROCTEXT_H

#include "../kernel/format.h"

void proc_maps(struct format *out);
void proc_status(struct format *out);
void proc_stat(struct format *out);
void proc_statm(struct format *out);
void proc_cmdline(struct format *out);
void proc_environ(struct format *out);
void proc_comm(struct format *out);
void proc_auxv(struct format *out);
void proc_mounts(struct format *out);
void proc_mountinfo(struct format *out);
void proc_limits(struct format *out);
void proc_cgroup(struct format *out);
void proc_oom(struct format *out);
void proc_cpuinfo(struct format *out);
void proc_meminfo(struct format *out);
void proc_kernel_stat(struct format *out);
void proc_uptime(struct format *out);
void proc_loadavg(struct format *out);
void proc_version(struct format *out);
void proc_filesystems(struct format *out);
void proc_ostype(struct format *out);
void proc_osrelease(struct format *out);
void proc_hostname(struct format *out);
void proc_one(struct format *out);
void proc_pid_max(struct format *out);
void proc_somaxconn(struct format *out);

#endif
