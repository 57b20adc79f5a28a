/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disks of images for tiers that show no directory. mkfs.erofs may take seconds: meanwhile the
 * supervisor serves, and the functions that wait for a disk stand in no queue and take none of the
 * builds at a time. An entry names what it waits for; a disk knows nothing of entries, so an entry
 * may go at any time.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/fd.h"
#include "base/log.h"
#include "control/supervisor_core.h"

#define DISKS_MAX 2 /* at a time: each keeps a CPU busy */

static struct disk_job *find_job(struct supervisor *s, const char *disk, unsigned int *out_count)
{
    *out_count = 0;
    for (struct disk_job *job = s->disks; job != NULL; job = job->next, ++*out_count) {
        if (strcmp(job->making.disk, disk) == 0)
            return job;
    }
    return NULL;
}

static int begin_job(struct supervisor *s, const char *rootfs, const char *disk, int *image,
                     struct err *err)
{
    struct disk_job *job = calloc(1, sizeof(*job));
    if (job == NULL)
        return err_set(err, ENOMEM, "make the disk %.300s:", disk);
    int rc = image_disk_begin(rootfs, disk, &job->making, err);
    if (rc < 0) {
        free(job);
        return rc;
    }
    job->source.kind = SOURCE_DISK;
    rc = supervisor_watch(s, job->making.ended, EPOLLIN, &job->source);
    if (rc < 0) {
        image_disk_cancel(&job->making);
        free(job);
        return err_set(err, -rc, "watch mkfs.erofs:");
    }
    job->serial = ++s->last_serial;
    job->image = fd_steal(image);
    job->next = s->disks;
    s->disks = job;
    return 0;
}

int disk_want(struct supervisor *s, struct entry *entry, const char *rootfs, int *image, char *out,
              size_t room, struct err *err)
{
    unsigned int count;
    entry->disk = 0;
    int rc = image_disk_find(rootfs, out, room, err);
    if (rc != 0)
        return rc;
    struct disk_job *job = find_job(s, out, &count);
    if (job == NULL && count < DISKS_MAX) {
        rc = begin_job(s, rootfs, out, image, err);
        if (rc < 0)
            return rc;
        job = s->disks;
    }
    entry->disk = job != NULL ? job->serial : DISK_ANY;
    return 0;
}

void disk_event(struct supervisor *s, struct disk_job *job)
{
    struct err err = {0};
    uint64_t serial = job->serial;
    struct disk_job **at = &s->disks;
    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
    epoll_ctl(s->epoll, EPOLL_CTL_DEL, job->making.ended, NULL);
    int rc = image_disk_end(&job->making, &err);
    fd_close(&job->image);
    free(job);
    for (uint32_t i = 0; i < FUNCTIONS_MAX; i++) {
        struct entry *entry = s->entries[i];
        if (entry == NULL || (entry->disk != serial && entry->disk != DISK_ANY))
            continue;
        bool lost = rc < 0 && entry->disk == serial;
        entry->disk = 0;
        if (entry->removed)
            continue;
        if (lost)
            life_failed(s, entry, &err); /* the entry may be gone now */
        else
            life_want_build(s, entry);
    }
}

void disks_end(struct supervisor *s)
{
    while (s->disks != NULL) {
        struct disk_job *job = s->disks;
        s->disks = job->next;
        image_disk_cancel(&job->making);
        fd_close(&job->image);
        free(job);
    }
}
