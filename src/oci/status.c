/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs that only look: state and list; and pause and resume. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oci/json_write.h"
#include "oci/passwd.h"
#include "oci/state.h"
#include "oci/verb.h"

/* The pid that clients shall see: none once it has ended. */
static pid_t visible_pid(const struct oci_state *state, enum oci_status status)
{
    return status == OCI_STATUS_STOPPED ? 0 : state->init.pid;
}

int oci_state(struct oci_call *call, struct err *err)
{
    struct oci_place place;
    struct oci_state state;
    int result = oci_place_open(call->root, call->argv[0], false, &place, err);
    if (result < 0)
        return result;
    result = oci_state_load(&place, &state, err);
    if (result == 0) {
        enum oci_status status = oci_state_status(&place, &state);
        char *text = oci_state_text(&state, status, visible_pid(&state, status), true);
        if (text != NULL)
            puts(text);
        else
            result = err_set(err, ENOMEM, "state:");
        oci_state_free(&state);
    }
    oci_place_close(&place);
    return result;
}

/* --- list --- */

static void list_one(const struct oci_settings *set, const struct oci_place *place,
                     struct oci_state *state, struct json_writer *out)
{
    enum oci_status status = oci_state_status(place, state);
    pid_t pid = visible_pid(state, status);
    char name[256] = "";
    oci_passwd_get(state->owner, OCI_PASSWD_NAME, name, sizeof(name));
    if (set->quiet) {
        puts(state->id);
    } else if (set->format != NULL && strcmp(set->format, "json") == 0) {
        json_write_object(out, NULL);
        json_write_text(out, "ociVersion", state->version);
        json_write_text(out, "id", state->id);
        json_write_int(out, "pid", pid);
        json_write_text(out, "status", oci_status_name(status));
        json_write_text(out, "bundle", state->bundle);
        json_write_text(out, "rootfs", state->rootfs);
        json_write_text(out, "created", state->created);
        if (state->annotations != NULL)
            json_write_raw(out, "annotations", state->annotations->raw,
                           state->annotations->raw_size);
        json_write_text(out, "owner", name);
        json_write_object_end(out);
    } else {
        printf("%-11s %-11d %-11s %-11s %-11s %s\n", state->id, (int)pid, oci_status_name(status),
               state->bundle, state->created, name);
    }
}

int oci_list(struct oci_call *call, struct err *err)
{
    struct json_writer out = {0};
    const char *format = call->set.format;
    bool json = format != NULL && strcmp(format, "json") == 0;
    if (format != NULL && !json && strcmp(format, "table") != 0)
        return err_set(err, EINVAL, "--format %s: it is table or json", format);
    DIR *listing = opendir(call->root);
    if (listing == NULL && errno != ENOENT)
        return err_set(err, errno, "list %s:", call->root);
    json_write_list(&out, NULL);
    if (!call->set.quiet && !json)
        printf("%-11s %-11s %-11s %-11s %-11s %s\n", "ID", "PID", "STATUS", "BUNDLE", "CREATED",
               "OWNER");
    for (struct dirent *entry; listing != NULL && (entry = readdir(listing)) != NULL;) {
        struct oci_place place;
        struct oci_state state;
        if (entry->d_name[0] == '.' ||
            oci_place_open(call->root, entry->d_name, false, &place, NULL) < 0)
            continue;
        if (oci_state_load(&place, &state, NULL) == 0) {
            list_one(&call->set, &place, &state, &out);
            oci_state_free(&state);
        }
        oci_place_close(&place);
    }
    if (listing != NULL)
        closedir(listing);
    json_write_list_end(&out);
    int result = json_writer_finish(&out);
    if (result == 0 && json && !call->set.quiet)
        puts(out.data);
    json_writer_free(&out);
    return result < 0 ? err_set(err, -result, "list:") : 0;
}

/* --- pause, resume --- */

static int set_frozen(struct oci_call *call, bool frozen, struct err *err)
{
    struct oci_place place;
    struct oci_state state;
    int result = oci_place_open(call->root, call->argv[0], true, &place, err);
    if (result < 0)
        return result;
    result = oci_state_load(&place, &state, err);
    if (result == 0) {
        enum oci_status status = oci_state_status(&place, &state);
        bool allowed = frozen ? status == OCI_STATUS_CREATED || status == OCI_STATUS_RUNNING
                              : status == OCI_STATUS_PAUSED;
        if (!allowed)
            result = err_set(err, EINVAL, "container %s is %s, it cannot be %s", place.id,
                             oci_status_name(status), frozen ? "paused" : "resumed");
        else if (state.no_cgroup)
            result =
                err_set(err, ENOTSUP, "container %s has no cgroup, it cannot be paused", place.id);
        else
            result = oci_cgroup_freeze(&state.cgroup, frozen, err);
        oci_state_free(&state);
    }
    oci_place_close(&place);
    return result;
}

int oci_pause(struct oci_call *call, struct err *err)
{
    return set_frozen(call, true, err);
}

int oci_resume(struct oci_call *call, struct err *err)
{
    return set_frozen(call, false, err);
}
