/* SPDX-License-Identifier: Apache-2.0 */
/*
 * skerryd: the daemon. The same program is started anew by the supervisor as its gateway and its
 * API process; otherwise it reads its options and becomes the supervisor.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "control/config.h"
#include "control/roles.h"
#include "control/supervisor.h"

#define EXIT_USAGE 2

static const char help[] =
    "Usage: skerryd [--listen ADDRESS:PORT]... [--state DIR] [--config FILE] [--log FILE]\n"
    "               [--pool-memory SIZE]\n"
    "\n"
    "Serves functions over HTTP: every request in a sandbox of its own.\n"
    "\n"
    "  --listen ADDRESS:PORT  listen on this address, e.g. 127.0.0.1:8080, [::1]:8080, :8080 "
    "(every\n"
    "                         address); port 0 chooses a free one. May be given several times.\n"
    "                         Default: 127.0.0.1:8080. 'none': only the sockets in the state "
    "directory.\n"
    "  --state DIR            registry, images, logs, sockets and admin password.\n"
    "                         Default: /var/lib/skerry, without root ~/.local/state/skerry.\n"
    "  --config FILE          settings in YAML, see skerryd(8); options here win over it\n"
    "  --log FILE             append the daemon's own messages to FILE instead of stderr;\n"
    "                         SIGHUP opens it again\n"
    "  --pool-memory SIZE     memory that the sandboxes of all functions may need together, e.g. "
    "1G;\n"
    "                         what is beyond waits in its function's queue. Default: no bound\n"
    "  --version, --help\n"
    "\n"
    "SIGTERM and SIGINT end it when the requests in flight are answered; a second one at once.\n"
    "Deploy functions with: skerry --state DIR deploy NAME ...\n";

struct options {
    const char *listen[CONFIG_LISTEN_MAX];
    unsigned int listen_count;
    bool listen_none;
    const char *state, *config, *log, *pool_memory;
};

/* Reads the options. -1: go on; else the exit status. */
static int read_options(int argc, char **argv, struct options *out)
{
    static const struct option longs[] = {{"listen", required_argument, NULL, 'l'},
                                          {"state", required_argument, NULL, 's'},
                                          {"config", required_argument, NULL, 'c'},
                                          {"log", required_argument, NULL, 'L'},
                                          {"pool-memory", required_argument, NULL, 'm'},
                                          {"version", no_argument, NULL, 'V'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    for (;;) {
        int option = getopt_long(argc, argv, "h", longs, NULL);
        switch (option) {
        case -1:
            if (optind == argc)
                return -1;
            fprintf(stderr, "skerryd: unexpected argument '%s'; see skerryd --help\n",
                    argv[optind]);
            return EXIT_USAGE;
        case 'l':
            if (strcmp(optarg, "none") == 0) {
                out->listen_none = true;
            } else if (out->listen_count == CONFIG_LISTEN_MAX) {
                fprintf(stderr, "skerryd: more than %d addresses\n", CONFIG_LISTEN_MAX);
                return EXIT_USAGE;
            } else {
                out->listen[out->listen_count++] = optarg;
            }
            break;
        case 's':
            out->state = optarg;
            break;
        case 'c':
            out->config = optarg;
            break;
        case 'L':
            out->log = optarg;
            break;
        case 'm':
            out->pool_memory = optarg;
            break;
        case 'V':
            puts("skerryd " SKERRY_VERSION);
            return 0;
        case 'h':
            fputs(help, stdout);
            return 0;
        default:
            fputs("See skerryd --help.\n", stderr);
            return EXIT_USAGE;
        }
    }
}

/* Defaults, then the file, then the options. 0 or -errno. */
static int make_config(const struct options *options, struct config *config, struct err *err)
{
    int rc = 0;
    config_init(config);
    if (options->config != NULL)
        rc = config_load(config, options->config, err);
    if (options->listen_count > 0 || options->listen_none)
        config->listen_count = 0;
    else if (config->listen_count == 0 && rc == 0)
        rc = config_add_listen(config, "127.0.0.1:8080", err);
    for (unsigned int i = 0; i < options->listen_count && rc == 0; i++)
        rc = config_add_listen(config, options->listen[i], err);
    if (rc == 0 && options->state != NULL)
        rc = config_set_state(config, options->state, err);
    if (rc == 0 && options->log != NULL)
        rc = config_set_log(config, options->log, err);
    if (rc == 0 && options->pool_memory != NULL)
        rc = config_set_pool_memory(config, options->pool_memory, err);
    return rc;
}

int main(int argc, char **argv)
{
    static struct config config;
    struct options options = {0};
    struct err err;
    int status;
    if (role_run(argc, argv, &status))
        return status;
    status = read_options(argc, argv, &options);
    if (status >= 0)
        return status;
    umask(077);
    /* what we were given by whoever started us is not for our children */
    syscall(SYS_close_range, 3, ~0u, 1u << 2 /* CLOSE_RANGE_CLOEXEC */);
    if (make_config(&options, &config, &err) < 0) {
        fprintf(stderr, "skerryd: %s\n", err.text);
        return EXIT_USAGE;
    }
    return supervisor_main(&config);
}
