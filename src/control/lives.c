/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Zygotes: each function has one that serves, and while it is changed or was lost one that is being
 * built. At most builds_max are built at a time, the others wait in a queue. One whose disk is
 * still to be made stands in none: it is queued again when the disk is there (disks.c).
 *
 *   queued --begin--> building --READY--> live --replaced, removed--> retired --> closed
 *                        |                  |
 *                        +--FAILED, GONE----+--GONE--> queued again, at once at first, then with
 * pauses
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "control/function_plan.h"
#include "control/supervisor_core.h"
#include "control/tier.h"

void life_want_build(struct supervisor *s, struct entry *entry)
{
    entry->again_ns = 0;
    if (entry->waits || entry->building != NULL || s->draining)
        return;
    entry->waits = true;
    entry->disk = 0;
    if (!entry->in_builds)
        queue_push(&s->builds, entry->index);
    entry->in_builds = true;
}

void life_hurry(struct supervisor *s, struct entry *entry)
{
    if (!entry->waits || entry->in_urgent)
        return;
    queue_push(&s->urgent, entry->index);
    entry->in_urgent = true;
}

void life_close(struct supervisor *s, struct life *life)
{
    if (life == NULL)
        return;
    epoll_ctl(s->epoll, EPOLL_CTL_DEL, jail_template_fd(life->template), NULL);
    jail_template_close(life->template);
    fd_close(&life->image);
    free(life);
}

static int find_image(struct supervisor *s, const struct function_spec *spec,
                      struct image_meta *meta, char *rootfs, size_t room, struct err *err)
{
    for (int i = 0;; i++) {
        int rc = image_store_lookup(s->images, spec->image, meta, rootfs, room, err);
        if (rc == 0)
            rc = image_store_hold(s->images, meta->digest, err);
        /* gone between the two: its name may have a newer image by now */
        if (rc != -ENOENT || i == 2)
            return rc;
    }
}

/*
 * The plan of a spec, and the descriptor that holds its image (-1: it has none). 1; 0: its disk has
 * to be made before; -errno.
 */
static int make_plan(struct supervisor *s, struct entry *entry, const struct function_spec *spec,
                     struct jail_plan *out_plan, int *out_image, struct err *err)
{
    static struct image_meta meta;
    static char rootfs[4096], monitor[4096], disk[IMAGE_DISK_PATH_MAX];
    struct function_place place = {.rootless = s->rootless, .ahead = 1};
    uint32_t tenant;
    int rc = registry_tenant(s->registry, spec->tenant, &tenant, err);
    if (rc < 0)
        return rc;
    uint64_t base = s->config.uid_base + (uint64_t)tenant * TENANT_UID_COUNT;
    if (base + TENANT_UID_COUNT > UINT32_MAX)
        return err_set(err, ENOSPC, "there are no host uids left for the tenant %s", spec->tenant);
    place.uid_base = s->rootless ? geteuid() : (uint32_t)base;
    fd_owner image = -1;
    if (!(spec->flags & FUNCTION_HOST_USR)) {
        image = find_image(s, spec, &meta, rootfs, sizeof(rootfs), err);
        if (image < 0)
            return image;
        place.meta = &meta;
        place.rootfs = rootfs;
    }
    const struct tier_ops *tier = tier_find(spec->tier);
    if (tier != NULL && tier->needs_disk) {
        rc = jail_program_path("skerry-vmm", "vm", monitor, sizeof(monitor), err);
        if (rc == 0)
            rc = disk_want(s, entry, rootfs, &image, disk, sizeof(disk), err);
        if (rc <= 0)
            return rc;
        place.monitor = monitor;
        place.disk = disk;
    }
    rc = plan_of_function(spec, &place, out_plan, err);
    if (rc < 0)
        return rc;
    *out_image = fd_steal(&image);
    return 1;
}

static int begin_life(struct supervisor *s, struct entry *entry, const struct function_spec *spec,
                      struct err *err)
{
    static struct jail_plan plan;
    fd_owner image = -1;
    int rc = make_plan(s, entry, spec, &plan, &image, err);
    if (rc <= 0)
        return rc;
    struct life *life = calloc(1, sizeof(*life));
    if (life == NULL)
        return err_set(err, ENOMEM, "build a sandbox of %s:", entry->name);
    if (plan.warm == JAIL_WARM_SNAPSHOT && !memory_has_room_for_snapshot(s, entry)) {
        plan.warm = tier_find(spec->tier)->warm_without_snapshot;
        life->snapshot = JAIL_SNAPSHOT_REFUSED;
        snprintf(life->snapshot_why, sizeof(life->snapshot_why),
                 "snapshots hold half of --pool-memory already");
        log_info("%s of %s gets no snapshot: %s", entry->name, entry->tenant, life->snapshot_why);
    }
    rc = jail_template_open(s->host, &plan, &life->template, err);
    if (rc < 0) {
        free(life);
        return rc;
    }
    life->awaits_snapshot = plan.warm == JAIL_WARM_SNAPSHOT;
    life->source.kind = SOURCE_LIFE;
    life->entry = entry;
    life->serial = ++s->last_serial;
    life->born_ns = s->now_ns;
    life->timeout_ns = spec->limits.timeout_ns;
    life->image = fd_steal(&image);
    rc = supervisor_watch(s, jail_template_fd(life->template), EPOLLIN, &life->source);
    if (rc < 0) {
        life_close(s, life);
        return err_set(err, -rc, "watch the zygote of %s:", entry->name);
    }
    entry->building = life;
    s->building_count++;
    return 0;
}

void life_failed(struct supervisor *s, struct entry *entry, const struct err *why)
{
    if (entry->change != NULL) {
        deploy_failed(s, entry, why);
        return;
    }
    log_error("%s of %s cannot be served: %s", entry->name, entry->tenant, why->text);
    entry->status = CTL_FAILED;
    entry->why = *why;
    entry->failures++;
    entry->again_ns = s->now_ns + again_after_ns(entry->failures + 1, BUILD_PAUSE_NS);
    supervisor_due(s, entry->again_ns);
    entry_tell(s, entry, entry->live == NULL ? GATEWAY_FAILED : 0, API_PUT);
}

static void begin_build(struct supervisor *s, struct entry *entry)
{
    static struct function_spec stored;
    const struct function_spec *spec = &stored;
    struct err err;
    int rc = 0;
    if (entry->change != NULL)
        spec = &entry->change->spec;
    else
        rc = registry_get(s->registry, entry->tenant, entry->name, &stored, &err);
    if (rc == 0)
        rc = begin_life(s, entry, spec, &err);
    if (rc < 0)
        life_failed(s, entry, &err);
}

/* The next entry to be built, out of its queue; NULL: none. */
static struct entry *next_build(struct supervisor *s)
{
    uint32_t index;
    struct entry *entry = NULL;
    if (queue_peek(&s->urgent, &index)) {
        queue_drop(&s->urgent);
        entry = s->entries[index];
        entry->in_urgent = false;
    } else if (queue_peek(&s->builds, &index)) {
        queue_drop(&s->builds);
        entry = s->entries[index];
        entry->in_builds = false;
    }
    return entry;
}

void lives_build_some(struct supervisor *s)
{
    struct entry *entry;
    while (s->building_count < s->config.builds_max && !s->draining &&
           (entry = next_build(s)) != NULL) {
        bool wanted = entry->waits && !entry->removed; /* else it came through the other queue */
        if (wanted) {
            entry->waits = false;
            begin_build(s, entry);
        } else {
            entry_release(s, entry);
        }
    }
}

void life_retire(struct supervisor *s, struct entry *entry, struct life *life)
{
    /* Who uses it still finishes: for as long as a request may last, unless the gateway says before
     * that nobody does. Without a gateway nobody can. */
    life->retire_ns = s->now_ns + life->timeout_ns + RETIRE_GRACE_NS;
    if (s->gateway.child.pid == 0) {
        life_close(s, life);
        return;
    }
    life->next = entry->retired;
    entry->retired = life;
    supervisor_due(s, life->retire_ns);
}

static void close_retired(struct supervisor *s, struct entry *entry, struct life *life)
{
    for (struct life **at = &entry->retired; *at != NULL; at = &(*at)->next) {
        if (*at == life) {
            *at = life->next;
            break;
        }
    }
    life_close(s, life);
    entry_release(s, entry);
}

void life_retired(struct supervisor *s, struct entry *entry, uint64_t serial)
{
    for (struct life *life = entry->retired; life != NULL; life = life->next) {
        if (life->serial == serial) {
            close_retired(s, entry, life);
            return;
        }
    }
}

void lives_close(struct supervisor *s, struct entry *entry)
{
    if (entry->building != NULL)
        s->building_count--;
    life_close(s, entry->building);
    life_close(s, entry->live);
    entry->building = entry->live = NULL;
    while (entry->retired != NULL) {
        struct life *life = entry->retired;
        entry->retired = life->next;
        life_close(s, life);
    }
}

static void ask_slots(struct supervisor *s, struct life *life, uint32_t count)
{
    struct err err;
    if (jail_template_slots(life->template, count, &err) < 0)
        log_error("sandboxes of %s in %s: %s", life->entry->name, life->entry->tenant, err.text);
    (void)s;
}

static void become_live(struct supervisor *s, struct entry *entry, struct life *life)
{
    struct life *old = entry->live;
    entry->live = life;
    entry->status = CTL_READY;
    memset(&entry->why, 0, sizeof(entry->why));
    jail_template_set_epoch(life->template, s->epoch);
    if (old != NULL)
        life_retire(s, entry, old);
    memory_besides(s); /* what the old one holds, before it is given away */
    pool_add(&s->pool, entry->index, entry->limits.concurrency_max, entry->tenant_id, entry->cost,
             s->now_ns);
    pool_live(&s->pool, entry->index, 0);
    ask_slots(s, life, pool_granted(&s->pool, entry->index));
    entry_tell(s, entry, GATEWAY_PUT | GATEWAY_SLOTS, API_PUT);
}

static void life_ready(struct supervisor *s, struct life *life)
{
    struct entry *entry = life->entry;
    if (entry->building != life)
        return;
    if (entry->change != NULL && !deploy_ready(s, entry))
        return;
    s->building_count--;
    entry->building = NULL;
    become_live(s, entry, life);
}

static void life_slots(struct supervisor *s, struct life *life, uint32_t slots)
{
    struct entry *entry = life->entry;
    life->slots = slots;
    if (entry->live != life)
        return;
    pool_live(&s->pool, entry->index, slots);
    entry_tell(s, entry, GATEWAY_SLOTS, 0);
}

/* What became of the snapshot that starts go on from: told to whoever asks about the function. */
static void life_snapshot(struct supervisor *s, struct life *life, const struct jail_event *event)
{
    struct entry *entry = life->entry;
    life->snapshot = event->snapshot;
    life->awaits_snapshot = event->snapshot < JAIL_SNAPSHOT_MADE;
    life->snapshot_bytes = event->snapshot_bytes;
    memory_besides(s);
    snprintf(life->snapshot_why, sizeof(life->snapshot_why), "%.*s",
             (int)sizeof(life->snapshot_why) - 1, event->why.text);
    if (event->snapshot == JAIL_SNAPSHOT_REFUSED)
        log_info("%s of %s starts anew for each request: %s", entry->name, entry->tenant,
                 life->snapshot_why);
    if (entry->live == life)
        entry_tell(s, entry, 0, API_PUT);
}

static void live_gone(struct supervisor *s, struct entry *entry, const struct err *why)
{
    struct life *life = entry->live;
    bool lived_well = s->now_ns - life->born_ns >= LIVED_WELL_NS;
    log_error("%s of %s: %s; it is built again", entry->name, entry->tenant,
              why->text[0] != '\0' ? why->text : "its zygote ended");
    entry->live = NULL;
    life_close(s, life);
    entry->status = CTL_STARTING;
    pool_live(&s->pool, entry->index, 0);
    entry_tell(s, entry, GATEWAY_DOWN, API_PUT);
    entry->failures = lived_well ? 1 : entry->failures + 1;
    uint64_t pause = again_after_ns(entry->failures, DEATH_PAUSE_NS);
    if (pause == 0) {
        life_want_build(s, entry);
    } else {
        entry->again_ns = s->now_ns + pause;
        supervisor_due(s, entry->again_ns);
    }
}

/* FAILED or GONE: what it was says what is lost. */
static void life_lost(struct supervisor *s, struct life *life, const struct err *why)
{
    struct entry *entry = life->entry;
    if (entry->live == life) {
        live_gone(s, entry, why);
        return;
    }
    if (entry->building != life) {
        close_retired(s, entry, life);
        return;
    }
    struct err copy = *why;
    if (copy.code == 0)
        err_set(&copy, EIO, "the zygote of %s ended before it was ready", entry->name);
    s->building_count--;
    entry->building = NULL;
    life_close(s, life);
    life_failed(s, entry, &copy);
}

void life_event(struct supervisor *s, struct life *life)
{
    for (;;) {
        struct jail_event event;
        struct err err;
        if (jail_template_next(life->template, &event, &err) < 0)
            log_error("zygote of %s in %s: %s", life->entry->name, life->entry->tenant, err.text);
        switch (event.kind) {
        case JAIL_EVENT_READY:
            life_ready(s, life);
            return; /* it may be gone; the rest comes with the next event */
        case JAIL_EVENT_SLOTS:
            life_slots(s, life, event.slots);
            break;
        case JAIL_EVENT_SNAPSHOT:
            life_snapshot(s, life, &event);
            break;
        case JAIL_EVENT_FAILED:
        case JAIL_EVENT_GONE:
            life_lost(s, life, &event.why);
            return;
        case JAIL_EVENT_NONE:
            return;
        }
    }
}

static void entry_due(struct supervisor *s, struct entry *entry)
{
    if (entry->again_ns != 0 && entry->again_ns <= s->now_ns)
        life_want_build(s, entry);
    else if (entry->again_ns != 0)
        supervisor_due(s, entry->again_ns);
    for (struct life *life = entry->retired, *next; life != NULL; life = next) {
        next = life->next;
        if (life->retire_ns > s->now_ns) {
            supervisor_due(s, life->retire_ns);
        } else if (next == NULL) {
            close_retired(s, entry, life); /* the last one: the entry may be gone now */
            return;
        } else {
            close_retired(s, entry, life);
        }
    }
}

void lives_due(struct supervisor *s)
{
    for (uint32_t i = 0; i < FUNCTIONS_MAX; i++) {
        if (s->entries[i] != NULL)
            entry_due(s, s->entries[i]);
    }
}

static void kill_life(const struct life *life)
{
    if (life != NULL)
        kill(jail_template_pid(life->template), SIGKILL);
}

void lives_end(struct supervisor *s)
{
    /* all die at the same time; closing then waits for each only as long as is left of that */
    for (uint32_t i = 0; i < FUNCTIONS_MAX; i++) {
        struct entry *entry = s->entries[i];
        if (entry == NULL)
            continue;
        kill_life(entry->live);
        kill_life(entry->building);
        for (struct life *life = entry->retired; life != NULL; life = life->next)
            kill_life(life);
    }
    for (uint32_t i = 0; i < FUNCTIONS_MAX; i++) {
        if (s->entries[i] != NULL)
            lives_close(s, s->entries[i]);
    }
}
