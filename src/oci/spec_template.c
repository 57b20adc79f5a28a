/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `spec`: a config.json to start from. It runs `sh` with a terminal in all namespaces, with the
 * capabilities, mounts and masked paths that clients give to a container by default; --rootless
 * leaves out what needs privilege and maps the caller.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "oci/json_write.h"
#include "oci/spec.h"
#include "oci/verb.h"

static void write_process(struct json_writer *out)
{
    static const char *const args[] = {"sh", NULL};
    static const char *const env[] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm", NULL};
    static const char *const capabilities[] = {"CAP_AUDIT_WRITE", "CAP_KILL",
                                               "CAP_NET_BIND_SERVICE", NULL};
    static const char *const sets[] = {"bounding", "effective", "permitted", NULL};
    json_write_object(out, "process");
    json_write_bool(out, "terminal", true);
    json_write_object(out, "user");
    json_write_uint(out, "uid", 0);
    json_write_uint(out, "gid", 0);
    json_write_object_end(out);
    json_write_texts(out, "args", args);
    json_write_texts(out, "env", env);
    json_write_text(out, "cwd", "/");
    json_write_object(out, "capabilities");
    for (size_t i = 0; sets[i] != NULL; i++)
        json_write_texts(out, sets[i], capabilities);
    json_write_object_end(out);
    json_write_list(out, "rlimits");
    json_write_object(out, NULL);
    json_write_text(out, "type", "RLIMIT_NOFILE");
    json_write_uint(out, "hard", 1024);
    json_write_uint(out, "soft", 1024);
    json_write_object_end(out);
    json_write_list_end(out);
    json_write_bool(out, "noNewPrivileges", true);
    json_write_object_end(out);
}

enum who { BOTH = 0, ROOTFUL, ROOTLESS };

static const struct template_mount {
    enum who who;
    const char *destination;
    const char *type;
    const char *source;
    const char *options[8];
} mounts[] = {
    {BOTH, "/proc", "proc", "proc", {NULL}},
    {BOTH, "/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}},
    {ROOTFUL,
     "/dev/pts",
     "devpts",
     "devpts",
     {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
    {ROOTLESS, /* gid 5 is not mapped there */
     "/dev/pts",
     "devpts",
     "devpts",
     {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}},
    {BOTH, "/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}},
    {BOTH, "/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}},
    {ROOTFUL, "/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}},
    {ROOTLESS, /* a sysfs of its own would need a network namespace of its own */
     "/sys",
     "none",
     "/sys",
     {"rbind", "nosuid", "noexec", "nodev", "ro"}},
    {ROOTFUL,
     "/sys/fs/cgroup",
     "cgroup",
     "cgroup",
     {"nosuid", "noexec", "nodev", "relatime", "ro"}},
};

static void write_mounts(struct json_writer *out, bool rootless)
{
    json_write_list(out, "mounts");
    for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
        const struct template_mount *mount = &mounts[i];
        if (mount->who == (rootless ? ROOTFUL : ROOTLESS))
            continue;
        json_write_object(out, NULL);
        json_write_text(out, "destination", mount->destination);
        json_write_text(out, "type", mount->type);
        json_write_text(out, "source", mount->source);
        if (mount->options[0] != NULL)
            json_write_texts(out, "options", mount->options);
        json_write_object_end(out);
    }
    json_write_list_end(out);
}

static void write_map(struct json_writer *out, const char *key, unsigned int host)
{
    json_write_list(out, key);
    json_write_object(out, NULL);
    json_write_uint(out, "containerID", 0);
    json_write_uint(out, "hostID", host);
    json_write_uint(out, "size", 1);
    json_write_object_end(out);
    json_write_list_end(out);
}

static void write_resources(struct json_writer *out)
{
    json_write_object(out, "resources");
    json_write_list(out, "devices");
    json_write_object(out, NULL);
    json_write_bool(out, "allow", false);
    json_write_text(out, "access", "rwm");
    json_write_object_end(out);
    json_write_list_end(out);
    json_write_object_end(out);
}

static void write_linux(struct json_writer *out, bool rootless)
{
    static const char *const masked[] = {"/proc/acpi",
                                         "/proc/asound",
                                         "/proc/kcore",
                                         "/proc/keys",
                                         "/proc/latency_stats",
                                         "/proc/timer_list",
                                         "/proc/timer_stats",
                                         "/proc/sched_debug",
                                         "/proc/scsi",
                                         "/sys/firmware",
                                         "/sys/devices/virtual/powercap",
                                         NULL};
    static const char *const readonly[] = {
        "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL};
    static const enum oci_namespace_kind kinds[] = {OCI_NS_PID, OCI_NS_IPC, OCI_NS_UTS,
                                                    OCI_NS_MOUNT, OCI_NS_CGROUP};
    json_write_object(out, "linux");
    if (rootless) {
        write_map(out, "uidMappings", geteuid());
        write_map(out, "gidMappings", getegid());
    } else {
        write_resources(out);
    }
    json_write_list(out, "namespaces");
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        json_write_object(out, NULL);
        json_write_text(out, "type", oci_namespace_name(kinds[i]));
        json_write_object_end(out);
    }
    json_write_object(out, NULL); /* rootless shares the network: nobody else could set one up */
    json_write_text(out, "type", oci_namespace_name(rootless ? OCI_NS_USER : OCI_NS_NETWORK));
    json_write_object_end(out);
    json_write_list_end(out);
    json_write_texts(out, "maskedPaths", masked);
    json_write_texts(out, "readonlyPaths", readonly);
    json_write_object_end(out);
}

static int write_text(int bundle, const struct json_writer *out, struct err *err)
{
    fd_owner file =
        openat(bundle, "config.json", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (file < 0 && errno == EEXIST)
        return err_set(err, EEXIST, "config.json is there already; remove it first");
    if (file < 0)
        return err_set(err, errno, "make config.json:");
    int result = fd_write_all(file, out->data, out->used);
    if (result == 0)
        result = fd_write_all(file, "\n", 1);
    return result < 0 ? err_set(err, -result, "write config.json:") : 0;
}

int oci_spec_write(struct oci_call *call, struct err *err)
{
    struct json_writer out = {.indent = 4};
    const char *where = call->set.bundle != NULL ? call->set.bundle : ".";
    bool rootless = call->set.spec_rootless;
    json_write_object(&out, NULL);
    json_write_text(&out, "ociVersion", OCI_VERSION_SUPPORTED);
    write_process(&out);
    json_write_object(&out, "root");
    json_write_text(&out, "path", "rootfs");
    json_write_bool(&out, "readonly", true);
    json_write_object_end(&out);
    json_write_text(&out, "hostname", "skerry");
    write_mounts(&out, rootless);
    write_linux(&out, rootless);
    json_write_object_end(&out);
    int result = json_writer_finish(&out);
    if (result < 0) {
        err_set(err, -result, "write config.json:");
    } else {
        fd_owner bundle = open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        result = bundle >= 0 ? write_text(bundle, &out, err)
                             : err_set(err, errno, "--bundle: open %.200s:", where);
    }
    json_writer_free(&out);
    return result;
}
