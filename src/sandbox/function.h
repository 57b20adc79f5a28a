/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A function: what was deployed. One flat struct without pointers, so that the same bytes are what
 * the API process sends to the supervisor, what the registry stores and what describe prints.
 *
 * Whoever receives one from a less trusted process calls function_check() on its own copy first.
 */
#ifndef SKERRY_SANDBOX_FUNCTION_H
#define SKERRY_SANDBOX_FUNCTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/strblock.h"

#define FUNCTION_SPEC_VERSION 1
#define FUNCTION_NAME_MAX                                                                          \
    64 /* with the NUL: [a-z0-9]([-a-z0-9]*[a-z0-9])?, so NAME.TENANT is clear */
#define FUNCTION_TENANT_MAX 64
#define FUNCTION_IMAGE_MAX  256
#define FUNCTION_BINDS_MAX  8
#define FUNCTION_PATH_MAX   1024
#define FUNCTIONS_MAX       4096 /* functions that one daemon serves */

enum function_net {
    FUNCTION_NET_OWN = 0, /* a network namespace of its own, made at the first socket */
    FUNCTION_NET_NONE,    /* socket() is refused */
};

enum function_proc {
    FUNCTION_PROC_PIDS = 0, /* /proc shows the sandbox's processes and nothing else */
    FUNCTION_PROC_FULL,     /* the whole /proc, the usual paths masked */
};

enum function_flags {
    FUNCTION_CGI = 1 << 0,       /* the output may begin with a CGI header block */
    FUNCTION_STREAM = 1 << 1,    /* the response is committed at the first byte of output */
    FUNCTION_HOST_USR = 1 << 2,  /* the machine's /usr, read-only, instead of an image */
    FUNCTION_OWN_IPC = 1 << 3,   /* an IPC namespace of its own; else System V IPC is refused */
    FUNCTION_RENEW_ALL = 1 << 4, /* new namespaces for each request, even if none was touched */
    FUNCTION_WARM = 1 << 5, /* requests go on from a snapshot taken at the first read of stdin */
    FUNCTION_NOT_WARM = 1 << 6, /* they do not; with neither, the tier decides (the vm tier does) */
};

struct function_bind {
    char source[FUNCTION_PATH_MAX]; /* absolute path on the host */
    char target[FUNCTION_PATH_MAX]; /* absolute path in the sandbox */
    uint32_t read_only;
    uint32_t reserved;
};

struct function_limits {
    uint64_t mem_bytes;       /* 0: 128 MiB; at least 1 MiB */
    uint64_t tmp_bytes;       /* size of /tmp; 0: half of mem_bytes, at most 64 MiB */
    uint64_t timeout_ns;      /* a request's deadline; 0: 10 s */
    uint64_t max_body_bytes;  /* request body; 0: 16 MiB */
    uint32_t cpu_millis;      /* thousandths of a CPU; 0: no limit but the tenant's share */
    uint32_t pids_max;        /* processes and threads; 0: 64 */
    uint32_t concurrency_max; /* sandboxes at once; 0: 64 */
    uint32_t queue_max;       /* requests that may wait; 0: 256 */
    uint32_t files_max;       /* open files a process (RLIMIT_NOFILE); 0: 1024 */
    uint32_t reserved;
};

struct function_spec {
    uint32_t version; /* FUNCTION_SPEC_VERSION */
    uint32_t flags;   /* enum function_flags */
    char name[FUNCTION_NAME_MAX];
    char tenant[FUNCTION_TENANT_MAX]; /* "default" unless said; same alphabet as name */
    char tier[16];                    /* "jail" or "vm" */
    char image[FUNCTION_IMAGE_MAX];   /* reference in the image store; empty with HOST_USR */
    char cwd[FUNCTION_PATH_MAX];      /* empty: the image's, else "/" */
    char user[64];                    /* "UID[:GID]"; empty: the image's, else 1000:1000 */
    uint32_t net;                     /* enum function_net */
    uint32_t proc;                    /* enum function_proc */
    struct function_limits limits;
    uint32_t bind_count;
    uint32_t reserved;
    struct function_bind binds[FUNCTION_BINDS_MAX];
    STRBLOCK(8192) args;        /* program and arguments; empty: the image's own */
    STRBLOCK(16384) env;        /* "K=V", added to the image's */
    STRBLOCK(4096) labels;      /* "K=V" */
    STRBLOCK(4096) annotations; /* "K=V" */
    uint64_t created_unix_s;    /* set by the supervisor */
    uint64_t revision;          /* set by the supervisor; grows with each deploy of the name */
};

/* An empty spec with the defaults above filled in (limits are never 0 afterwards). */
void function_init(struct function_spec *spec);

/* Replaces each limit that is 0 by its default. */
void function_fill_defaults(struct function_spec *spec);
void function_limits_fill(struct function_limits *limits);

/* Checks the limits alone, as function_check does; 0 stands for the default and passes. */
int function_limits_check(const struct function_limits *limits, struct err *err);

/*
 * Checks every field: version, NUL termination, alphabets, ranges, valid string blocks, absolute
 * targets without "..", env entries with '='. 0 or -EINVAL with a sentence that names the field,
 * its value and what is allowed. Reads nothing but *spec.
 */
int function_check(const struct function_spec *spec, struct err *err);

/* True when text may be the name of a function or tenant. */
bool function_name_valid(const char *text);

#endif
