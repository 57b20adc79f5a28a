/* SPDX-License-Identifier: Apache-2.0 */
/* From a struct oci_state to its file and back, and what the kernel says about its process. */
#include "oci/state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "oci/json_write.h"
#include "oci/sys.h"

#define STATE_SIZE_MAX (4u << 20) /* annotations are in it, which may be large */

const char *oci_status_name(enum oci_status status)
{
    static const char *const names[] = {"creating", "created", "running", "paused", "stopped"};
    return names[status];
}

static void write_process(struct json_writer *out, const char *key, const struct oci_process_id *id)
{
    json_write_object(out, key);
    json_write_int(out, "pid", id->pid);
    json_write_uint(out, "startTime", id->start_time);
    json_write_object_end(out);
}

int oci_state_save(const struct oci_place *place, const struct oci_state *state, struct err *err)
{
    struct json_writer out = {0};
    json_write_object(&out, NULL);
    json_write_text(&out, "id", state->id);
    json_write_text(&out, "ociVersion", state->version);
    json_write_text(&out, "bundle", state->bundle);
    json_write_text(&out, "rootfs", state->rootfs);
    json_write_text(&out, "created", state->created);
    json_write_uint(&out, "owner", state->owner);
    json_write_bool(&out, "noCgroup", state->no_cgroup);
    json_write_bool(&out, "rdt", state->rdt);
    json_write_bool(&out, "sharedMounts", state->shared_mounts);
    json_write_bool(&out, "noPoststart", state->no_poststart);
    json_write_bool(&out, "noPoststop", state->no_poststop);
    write_process(&out, "init", &state->init);
    write_process(&out, "creator", &state->creator);
    oci_cgroup_write_json(&state->cgroup, "cgroup", &out);
    if (state->annotations != NULL)
        json_write_raw(&out, "annotations", state->annotations->raw, state->annotations->raw_size);
    json_write_object_end(&out);
    int result = json_writer_finish(&out);
    if (result == 0) {
        fd_owner fd = openat(place->dir, "state.json.new",
                             O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        result = fd < 0 ? -errno : fd_write_all(fd, out.data, out.used);
    }
    if (result == 0 && renameat(place->dir, "state.json.new", place->dir, "state.json") < 0)
        result = -errno;
    json_writer_free(&out);
    return result < 0 ? err_set(err, -result, "record the state of container %s:", state->id) : 0;
}

static int read_process(const struct json *object, const char *key, struct oci_process_id *out)
{
    const struct json *process = json_get(object, key);
    int64_t pid = 0;
    if (json_int(json_get(process, "pid"), &pid) < 0 || pid < 0 || pid > INT32_MAX ||
        json_uint(json_get(process, "startTime"), &out->start_time) < 0)
        return -EINVAL;
    out->pid = (pid_t)pid;
    return 0;
}

static bool truth(const struct json *object, const char *key)
{
    const struct json *value = json_get(object, key);
    return value != NULL && value->type == JSON_TYPE_BOOL && value->truth;
}

int oci_state_parse(const char *text, size_t size, struct oci_state *out, struct err *err)
{
    const struct json *root;
    uint64_t owner = 0;
    memset(out, 0, sizeof(*out));
    int result = json_parse(&out->arena, text, size, &root, err);
    if (result == 0) {
        out->id = json_get_text(root, "id");
        out->version = json_get_text(root, "ociVersion");
        out->bundle = json_get_text(root, "bundle");
        out->rootfs = json_get_text(root, "rootfs");
        out->created = json_get_text(root, "created");
        out->no_cgroup = truth(root, "noCgroup");
        out->rdt = truth(root, "rdt");
        out->shared_mounts = truth(root, "sharedMounts");
        out->no_poststart = truth(root, "noPoststart");
        out->no_poststop = truth(root, "noPoststop");
        out->annotations = json_get(root, "annotations");
        if (out->id == NULL || oci_id_check(out->id, NULL) < 0 || out->version == NULL ||
            out->bundle == NULL || out->rootfs == NULL || out->created == NULL ||
            json_uint(json_get(root, "owner"), &owner) < 0 || owner > UINT32_MAX ||
            read_process(root, "init", &out->init) < 0 ||
            read_process(root, "creator", &out->creator) < 0)
            result = err_set(err, EINVAL, "the state file lacks a field or has a wrong one");
        out->owner = (uid_t)owner;
    }
    if (result == 0)
        result = oci_cgroup_from_json(json_get(root, "cgroup"), &out->cgroup, err);
    if (result < 0)
        oci_state_free(out);
    return result;
}

int oci_state_load(const struct oci_place *place, struct oci_state *out, struct err *err)
{
    struct stat status;
    fd_owner fd = openat(place->dir, "state.json", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &status) < 0)
        return err_set(err, errno, "read the state of container %s:", place->id);
    if (!S_ISREG(status.st_mode) || status.st_size < 0 || status.st_size > (off_t)STATE_SIZE_MAX)
        return err_set(err, EFBIG, "the state file of container %s is no regular file below 4 MiB",
                       place->id);
    size_t size = (size_t)status.st_size;
    struct json_arena text_arena = {0}; /* annotations->raw points into the text: keep it */
    char *text = json_arena_alloc(&text_arena, size + 1);
    ssize_t got = text == NULL ? -ENOMEM : fd_read_all(fd, text, size);
    int result = got < 0 ? err_set(err, (int)-got, "read the state of container %s:", place->id)
                         : oci_state_parse(text, (size_t)got, out, err);
    if (result == 0 && out->annotations != NULL) {
        struct json *copy = json_arena_alloc(&out->arena, sizeof(*copy));
        if (copy != NULL) {
            *copy = *out->annotations;
            copy->raw = json_arena_copy(&out->arena, copy->raw, copy->raw_size);
        }
        if (copy == NULL || copy->raw == NULL)
            result = err_set(err, ENOMEM, "read the state of container %s:", place->id);
        out->annotations = copy;
    }
    json_arena_free(&text_arena);
    return result < 0 ? err_prefix(err, "container %s", place->id) : 0;
}

void oci_state_free(struct oci_state *state)
{
    json_arena_free(&state->arena);
    memset(state, 0, sizeof(*state));
}

/* --- the process --- */

/* Start time and state letter of a process. */
static int read_stat(pid_t pid, uint64_t *out_start, char *out_letter)
{
    char path[40];
    char text[1024];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    ssize_t size = fd_read_file_at(AT_FDCWD, path, text, sizeof(text));
    if (size < 0)
        return size == -ENOENT ? -ESRCH : (int)size;
    const char *at = strrchr(text, ')'); /* the name before it may hold anything */
    if (at == NULL || sscanf(at + 1,
                             " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
                             "%*d %*d %" SCNu64,
                             out_letter, out_start) != 2)
        return -EIO;
    return 0;
}

int oci_process_id_of(pid_t pid, struct oci_process_id *out)
{
    char letter;
    uint64_t start;
    int result = read_stat(pid, &start, &letter);
    if (result == 0)
        *out = (struct oci_process_id){.pid = pid, .start_time = start};
    return result;
}

int oci_process_open(const struct oci_process_id *id)
{
    char letter;
    uint64_t start;
    if (id->pid <= 0)
        return -ESRCH;
    fd_owner pidfd = sys_pidfd_open(id->pid);
    if (pidfd < 0)
        return pidfd == -EINVAL ? -ESRCH : pidfd;
    int result = read_stat(id->pid, &start, &letter);
    if (result < 0)
        return result;
    if (start != id->start_time || letter == 'Z' || letter == 'X')
        return -ESRCH;
    return fd_steal(&pidfd);
}

/* Whether init still waits for start: a socket nobody has open refuses connections. */
static bool waits_for_start(const struct oci_place *place)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    fd_owner sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/start", place->dir);
    return sock >= 0 && connect(sock, (struct sockaddr *)&address, sizeof(address)) == 0;
}

enum oci_status oci_state_status(const struct oci_place *place, const struct oci_state *state)
{
    if (state->init.pid == 0) {
        fd_owner creator = oci_process_open(&state->creator);
        return creator >= 0 ? OCI_STATUS_CREATING : OCI_STATUS_STOPPED;
    }
    fd_owner init = oci_process_open(&state->init);
    if (init < 0)
        return OCI_STATUS_STOPPED;
    if (!state->no_cgroup && oci_cgroup_frozen(&state->cgroup) == 1)
        return OCI_STATUS_PAUSED;
    return waits_for_start(place) ? OCI_STATUS_CREATED : OCI_STATUS_RUNNING;
}

char *oci_state_text(struct oci_state *state, enum oci_status status, pid_t pid, bool pretty)
{
    struct json_writer out = {.indent = pretty ? 2 : 0};
    json_write_object(&out, NULL);
    json_write_text(&out, "ociVersion", state->version);
    json_write_text(&out, "id", state->id);
    json_write_text(&out, "status", oci_status_name(status));
    if (pid > 0)
        json_write_int(&out, "pid", pid);
    else if (status == OCI_STATUS_STOPPED && pretty)
        json_write_int(&out, "pid", 0);
    json_write_text(&out, "bundle", state->bundle);
    json_write_text(&out, "rootfs", state->rootfs);
    json_write_text(&out, "created", state->created);
    if (state->annotations != NULL)
        json_write_raw(&out, "annotations", state->annotations->raw, state->annotations->raw_size);
    json_write_text(&out, "owner", "");
    json_write_object_end(&out);
    char *text =
        json_writer_finish(&out) == 0 ? json_arena_copy(&state->arena, out.data, out.used) : NULL;
    json_writer_free(&out);
    return text;
}
