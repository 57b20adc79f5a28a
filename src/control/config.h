/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the operator chooses for a daemon: defaults, then the YAML file, then the command line.
 *
 * The file is the operator's own and is read before the daemon serves anybody; still, an unknown
 * key, a second value for a key or a value of the wrong kind is refused with its line, because a
 * mistyped limit that is ignored is worse than a daemon that does not start.
 */
#ifndef SKERRY_CONTROL_CONFIG_H
#define SKERRY_CONTROL_CONFIG_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

#define CONFIG_LISTEN_MAX  15 /* with the Unix socket as many as a gateway takes */
#define CONFIG_PATH_MAX    1024
#define CONFIG_ADDRESS_MAX 64
#define CONFIG_FILE_MAX    (64u * 1024u)

struct config {
    char listen[CONFIG_LISTEN_MAX][CONFIG_ADDRESS_MAX]; /* "ADDRESS:PORT", numeric */
    unsigned int listen_count;
    char state[CONFIG_PATH_MAX]; /* absolute path of the state directory */
    char log[CONFIG_PATH_MAX];   /* absolute path of the daemon's log; empty: stderr */
    uint32_t uid_base;           /* host uid of the first tenant's range of 65536 */
    uint32_t warm_slots;         /* furnished sandboxes of a function in use, beyond its need */
    uint32_t idle_slots;         /* ... of a function that nobody called for idle_after */
    uint64_t idle_after_ns;
    uint32_t sandboxes_max;     /* furnished or running at once, all functions together */
    uint64_t pool_memory_bytes; /* memory of all sandboxes that wait or run; 0: no bound */
    uint32_t builds_max;        /* zygotes that are built at the same time */
    uint64_t drain_timeout_ns;  /* how long SIGTERM waits for requests in flight */
    uint64_t log_bytes_max;     /* size at which a log is rotated; one old file is kept */
};

/* Fills in the defaults, without any address to listen on; state depends on who runs it. */
void config_init(struct config *config);

/*
 * Reads the YAML file at path over *config. 0 or -errno with a sentence that names the file and the
 * line; *config is undefined then.
 */
int config_load(struct config *config, const char *path, struct err *err);

/* The same for size bytes of text; name stands in messages. */
int config_parse(struct config *config, const char *name, const char *text, size_t size,
                 struct err *err);

/* Adds an address after checking it. 0, -EINVAL or -E2BIG. */
int config_add_listen(struct config *config, const char *text, struct err *err);

/* Sets the state directory, made absolute against the working directory. 0 or -errno. */
int config_set_state(struct config *config, const char *path, struct err *err);

/* As config_set_state for the daemon's log. */
int config_set_log(struct config *config, const char *path, struct err *err);

/* Sets the bound on the memory of sandboxes: a size such as 512M, 0 for none. 0, -EINVAL, -ERANGE.
 */
int config_set_pool_memory(struct config *config, const char *text, struct err *err);

/*
 * Reads "127.0.0.1:8080", "[::1]:8080" or ":8080" (every address, IPv6 and IPv4). No names: that
 * would be a question to the network. 0 or -EINVAL.
 */
int address_parse(const char *text, struct sockaddr_storage *out, socklen_t *out_size,
                  struct err *err);

/* Writes the address as "127.0.0.1:8080" or "[::1]:8080" into out. */
void address_format(const struct sockaddr_storage *address, char *out, size_t room);

#endif
