/* SPDX-License-Identifier: Apache-2.0 */
/* The supervisor's begin, loop and end; see supervisor.h. */
#include "control/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/packet.h"
#include "control/listen.h"
#include "control/notify.h"
#include "control/supervisor_core.h"
#include "sandbox/stats.h"

#define TICK_NS        NS_PER_SEC
#define LISTEN_WAIT_MS 3000

void supervisor_due(struct supervisor *s, uint64_t at_ns)
{
    if (at_ns < s->due_ns)
        s->due_ns = at_ns;
}

uint64_t again_after_ns(unsigned int failures, uint64_t most_ns)
{
    if (failures <= 1)
        return 0;
    uint64_t pause = failures > 8 ? most_ns : (50 * NS_PER_MS) << (failures - 2);
    return pause < most_ns ? pause : most_ns;
}

static int watch(struct supervisor *s, int operation, int fd, uint32_t events,
                 struct source *source)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    return epoll_ctl(s->epoll, operation, fd, &event) < 0 ? -errno : 0;
}

int supervisor_watch(struct supervisor *s, int fd, uint32_t events, struct source *source)
{
    return watch(s, EPOLL_CTL_ADD, fd, events, source);
}

void supervisor_rewatch(struct supervisor *s, int fd, uint32_t events, struct source *source)
{
    watch(s, EPOLL_CTL_MOD, fd, events, source);
}

void supervisor_ready(struct supervisor *s)
{
    if (s->announced)
        return;
    s->announced = true;
    for (unsigned int i = 0; i < s->config.listen_count; i++)
        printf("skerryd: serving on http://%s\n", s->addresses[i]);
    if (s->config.listen_count == 0)
        printf("skerryd: serving on %s/http.sock\n", s->state.path);
    fflush(stdout);
    notify_service("READY=1");
}

void supervisor_end(struct supervisor *s)
{
    s->ended = true;
}

/* Opens the daemon's own log over stderr; again after it was moved away (SIGHUP). */
static int open_log(const struct supervisor *s, struct err *err)
{
    if (s->config.log[0] == '\0')
        return 0;
    fd_owner fd = open(s->config.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || dup2(fd, STDERR_FILENO) < 0)
        return err_set(err, errno, "open the log %s:", s->config.log);
    return 0;
}

static int open_signals(struct supervisor *s, struct err *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL); /* ignored children could not be waited for */
    sigprocmask(SIG_SETMASK, &set, NULL);
    s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    s->signal_source.kind = SOURCE_SIGNAL;
    if (s->signals < 0 || s->epoll < 0 ||
        supervisor_watch(s, s->signals, EPOLLIN, &s->signal_source) < 0)
        return err_set(err, errno, "prepare for events:");
    return 0;
}

/* As many descriptors as we may have: each function takes some, each connection one. */
static void raise_limits(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* The statistics page: its size is fixed, so that no holder can make a reader fault. */
static int open_stats(struct supervisor *s, struct err *err)
{
    char path[64];
    s->stats = memfd_create("skerry-stats", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (s->stats < 0 || ftruncate(s->stats, sizeof(struct stats_page)) < 0 ||
        fcntl(s->stats, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return err_set(err, errno, "make the statistics page:");
    uint64_t now = (uint64_t)time(NULL);
    if (pwrite(s->stats, &now, sizeof(now), offsetof(struct stats_page, started_unix_s)) !=
        (ssize_t)sizeof(now))
        return err_set(err, errno, "write the statistics page:");
    snprintf(path, sizeof(path), "/proc/self/fd/%d", s->stats);
    s->stats_read = open(path, O_RDONLY | O_CLOEXEC);
    if (s->stats_read < 0)
        return err_set(err, errno, "open the statistics page for reading:");
    return 0;
}

static int open_listeners(struct supervisor *s, struct err *err)
{
    int wait_ms = state_dir_unclean(&s->state) ? LISTEN_WAIT_MS : 0;
    for (unsigned int i = 0; i < s->config.listen_count; i++) {
        int fd =
            listen_tcp(s->config.listen[i], wait_ms, s->addresses[i], sizeof(s->addresses[i]), err);
        if (fd < 0)
            return fd;
        s->listeners[s->listener_count++] = fd;
    }
    int fd = state_dir_listen(&s->state, "http.sock", err);
    if (fd < 0)
        return fd;
    s->listeners[s->listener_count++] = fd;
    s->admin_socket = state_dir_listen(&s->state, "skerry.sock", err);
    if (s->admin_socket < 0)
        return s->admin_socket;
    int rc = packet_pair(s->handoff);
    return rc < 0 ? err_set(err, -rc, "make the link between gateway and API process:") : 0;
}

static int open_jail(struct supervisor *s, struct err *err)
{
    struct jail_host_options options = {.cgroup_prefix = "skerry", .rootless = s->rootless};
    int swept = jail_sweep(err);
    if (swept > 0)
        log_info("removed %d cgroups that a dead daemon left behind", swept);
    else if (swept < 0)
        log_error("%s", err->text);
    int rc = jail_host_open(&options, &s->host, err);
    if (rc < 0)
        return rc;
    if (s->rootless)
        log_info("running without root: all functions share one uid, and what needs cgroups is "
                 "not limited");
    const char *missing = jail_host_limits_missing(s->host);
    if (missing[0] != '\0')
        log_info("%s", missing);
    return 0;
}

static int open_images(struct supervisor *s, struct err *err)
{
    /* opened for writing once: makes its directories and sweeps what a killed import left */
    struct image_store *swept = NULL;
    int rc = image_store_open(s->state.path, 1, &swept, err);
    image_store_close(swept);
    return rc < 0 ? rc : image_store_open(s->state.path, 0, &s->images, err);
}

static void open_pool(struct supervisor *s)
{
    const struct config *config = &s->config;
    struct pool_config pool = {.warm = config->warm_slots,
                               .idle = config->idle_slots,
                               .idle_after_ns = config->idle_after_ns,
                               .budget = config->sandboxes_max,
                               .budget_bytes = config->pool_memory_bytes};
    pool_init(&s->pool, &pool, s->now_ns);
}

static int begin(struct supervisor *s, struct err *err)
{
    char path[sizeof(s->state.path) + 16];
    raise_limits();
    int rc = open_log(s, err);
    if (rc == 0)
        rc = open_signals(s, err);
    if (rc == 0)
        rc = state_dir_open(s->config.state, &s->state, err);
    if (rc < 0)
        return rc;
    snprintf(path, sizeof(path), "%s/registry.db", s->state.path);
    rc = registry_open(path, &s->registry, err);
    if (rc == 0)
        rc = open_images(s, err);
    if (rc == 0)
        rc = open_jail(s, err);
    if (rc == 0)
        rc = open_listeners(s, err);
    if (rc == 0)
        rc = open_stats(s, err);
    if (rc < 0)
        return rc;
    s->program = child_program(err);
    if (s->program < 0)
        return s->program;
    s->uptime = open("/proc/uptime", O_RDONLY | O_CLOEXEC); /* without it nobody is held */
    s->access_log = state_dir_log(&s->state, "access", 1);
    if (s->access_log < 0)
        return err_set(err, -s->access_log, "open %s/logs/access.log:", s->state.path);
    open_pool(s);
    rc = functions_load(s, err);
    if (rc == 0)
        rc = api_start(s, err);
    if (rc == 0)
        rc = gateway_start(s, err);
    return rc;
}

/* From now on a connection is refused at once instead of waiting for somebody who will not come. */
static void close_listeners(struct supervisor *s)
{
    for (unsigned int i = 0; i < s->listener_count; i++)
        fd_close(&s->listeners[i]);
    s->listener_count = 0;
}

static void begin_drain(struct supervisor *s, uint32_t signal)
{
    if (s->draining) { /* asked for a second time: now */
        log_info("ending at once");
        supervisor_end(s);
        return;
    }
    log_info("signal %u: ending when the requests in flight are answered, at most %llu s", signal,
             (unsigned long long)(s->config.drain_timeout_ns / NS_PER_SEC));
    notify_service("STOPPING=1");
    s->draining = true;
    close_listeners(s);
    s->drain_until_ns = s->now_ns + s->config.drain_timeout_ns;
    supervisor_due(s, s->drain_until_ns);
    if (s->gateway.child.pid == 0)
        supervisor_end(s); /* nobody serves, so nothing is in flight */
}

static void signal_event(struct supervisor *s)
{
    struct signalfd_siginfo info;
    if (read(s->signals, &info, sizeof(info)) != sizeof(info))
        return;
    struct err err;
    if (info.ssi_signo != SIGHUP)
        begin_drain(s, info.ssi_signo);
    else if (open_log(s, &err) < 0)
        log_error("%s", err.text);
}

static void restart(struct supervisor *s, struct service *service, const char *what,
                    int (*start)(struct supervisor *, struct err *))
{
    struct err err;
    if (service->again_ns == 0 || s->draining)
        return;
    if (service->again_ns > s->now_ns) {
        supervisor_due(s, service->again_ns);
        return;
    }
    if (start(s, &err) == 0)
        return;
    log_error("start the %s: %s", what, err.text);
    service->again_ns = s->now_ns + NS_PER_SEC;
    supervisor_due(s, service->again_ns);
}

static void tick(struct supervisor *s)
{
    s->tick_ns = s->now_ns;
    memory_tick(s);
    pool_tick(&s->pool, s->now_ns);
    int rc = state_dir_log_rotate(&s->state, "access", s->config.log_bytes_max);
    if (rc < 0)
        log_error("rotate the access log: %s", strerror(-rc));
}

static void do_due(struct supervisor *s)
{
    if (s->now_ns - s->tick_ns >= TICK_NS)
        tick(s);
    if (s->now_ns < s->due_ns)
        return;
    s->due_ns = UINT64_MAX;
    lives_due(s);
    restart(s, &s->gateway, "gateway", gateway_start);
    restart(s, &s->api, "API process", api_start);
    if (s->draining && s->now_ns >= s->drain_until_ns) {
        log_error("requests are still in flight after the drain timeout: ending without them");
        supervisor_end(s);
    } else if (s->draining) {
        supervisor_due(s, s->drain_until_ns);
    }
}

static void dispatch(struct supervisor *s, struct source *source, uint32_t events)
{
    switch (source->kind) {
    case SOURCE_SIGNAL:
        signal_event(s);
        break;
    case SOURCE_GATEWAY_LINK:
        gateway_link_event(s, events);
        break;
    case SOURCE_GATEWAY_EXIT:
        gateway_ended(s);
        break;
    case SOURCE_API_LINK:
        api_link_event(s, events);
        break;
    case SOURCE_API_EXIT:
        api_ended(s);
        break;
    case SOURCE_LIFE:
        life_event(s, (struct life *)source);
        break;
    case SOURCE_DISK:
        disk_event(s, (struct disk_job *)source);
        break;
    }
}

static int wait_ms(const struct supervisor *s)
{
    uint64_t until = s->tick_ns + TICK_NS;
    if (s->due_ns < until)
        until = s->due_ns;
    uint64_t now = clock_now_ns();
    return until <= now ? 0 : (int)((until - now) / NS_PER_MS + 1);
}

static void serve(struct supervisor *s)
{
    while (!s->ended) {
        /* first what the last event, or the begin, left to do */
        do_due(s);
        lives_build_some(s);
        pool_apply(s);
        gateway_flush(s);
        api_flush(s);
        if (s->ended)
            break;
        struct epoll_event event;
        int count = epoll_wait(s->epoll, &event, 1, wait_ms(s));
        s->now_ns = clock_now_ns();
        if (count == 1)
            dispatch(s, event.data.ptr, event.events);
    }
}

/* The reverse of begin; everything in s is there or says that it is not. */
static void end(struct supervisor *s)
{
    child_kill(&s->gateway.child);
    child_kill(&s->api.child);
    disks_end(s);
    lives_end(s);
    functions_free(s);
    jail_host_close(s->host);
    image_store_close(s->images);
    registry_close(s->registry);
    if (s->state.dir >= 0 && s->admin_socket >= 0) {
        state_dir_unlink(&s->state, "skerry.sock");
        state_dir_unlink(&s->state, "http.sock");
    }
    state_dir_close(&s->state);
}

int supervisor_main(const struct config *config)
{
    static struct supervisor s;
    struct err err = {0};
    log_role("skerryd");
    s.config = *config;
    s.rootless = geteuid() != 0;
    s.state = (struct state_dir){.dir = -1, .logs = -1, .lock = -1};
    s.epoll = s.signals = s.program = s.stats = s.stats_read = s.access_log = s.uptime = -1;
    s.handoff[0] = s.handoff[1] = s.admin_socket = -1;
    s.gateway.link = s.api.link = s.gateway.child.pidfd = s.api.child.pidfd = -1;
    s.due_ns = UINT64_MAX;
    s.epoch = (uint32_t)time(NULL); /* calls are named by it, in the logs of all daemons to come */
    s.now_ns = s.tick_ns = clock_now_ns();
    s.replies_end = &s.replies;
    int rc = begin(&s, &err);
    if (rc == 0)
        serve(&s);
    else
        fprintf(stderr, "skerryd: %s\n", err.text);
    end(&s);
    return rc == 0 ? 0 : 1;
}
