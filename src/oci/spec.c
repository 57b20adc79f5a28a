/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole of config.json: the top level, root, hooks, annotations, and the ways in. Names the
 * property that is wrong; see spec_read.h for how.
 */
#include "oci/spec.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "oci/spec_read.h"

/* --- the version --- */

static bool take_number(const char **at, unsigned int *out)
{
    const char *begin = *at;
    unsigned int sum = 0;
    while (**at >= '0' && **at <= '9' && *at - begin < 6)
        sum = sum * 10 + (unsigned int)(*(*at)++ - '0');
    *out = sum;
    return *at > begin && (*begin != '0' || *at == begin + 1);
}

/* MAJOR.MINOR.PATCH[-PRE][+BUILD] (semver.org 2.0.0). */
static bool semver(const char *text, unsigned int *major)
{
    unsigned int part;
    if (!take_number(&text, major) || *text++ != '.' || !take_number(&text, &part) ||
        *text++ != '.' || !take_number(&text, &part))
        return false;
    for (; *text != '\0'; text++) {
        bool mark = *text == '-' || *text == '+';
        if (!mark)
            return false;
        char kind = *text;
        size_t length = strspn(text + 1, "0123456789.-abcdefghijklmnopqrstuvwxyz"
                                         "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        text += length;
        if (length == 0 || (kind == '+' && text[1] != '\0'))
            return false;
    }
    return true;
}

static int read_version(struct spec_reader *in, const struct json *value, void *out)
{
    unsigned int major;
    int result = spec_type(in, value, JSON_TYPE_STRING);
    if (result < 0)
        return result;
    if (!semver(value->text, &major))
        return spec_wrong(in, "\"%.40s\" is no version of the form 1.2.0", value->text);
    if (major != 1)
        return spec_unsupported(
            in, "\"%.40s\" is not supported; 1.0.0 to " OCI_VERSION_SUPPORTED " are", value->text);
    return spec_read_text(in, value, out);
}

/* --- root --- */

/* "/" in any spelling that needs no file system to see through; the rest is seen when it is opened.
 */
static bool is_host_root(const char *path)
{
    if (path[0] != '/')
        return false;
    return path[strspn(path, "/.")] == '\0' && strstr(path, "...") == NULL;
}

static int read_root_path(struct spec_reader *in, const struct json *value, void *out)
{
    int result = spec_type(in, value, JSON_TYPE_STRING);
    if (result < 0)
        return result;
    if (value->text[0] == '\0')
        return spec_wrong(in, "is empty");
    if (is_host_root(value->text))
        return spec_wrong(in, "the container's root cannot be the host's \"/\"");
    return spec_read_text(in, value, out);
}

static int read_root(struct spec_reader *in, const struct json *value, void *out)
{
    static const struct spec_field fields[] = {
        SPEC_REQUIRED("path", read_root_path, struct oci_root, path),
        SPEC_FIELD("readonly", spec_read_bool, struct oci_root, readonly),
    };
    return SPEC_READ_OBJECT(in, value, fields, out);
}

/* --- hooks --- */

static const char *const hook_names[OCI_HOOK_KINDS] = {
    "prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"};

const char *oci_hook_kind_name(enum oci_hook_kind kind)
{
    return hook_names[kind];
}

static int read_timeout(struct spec_reader *in, const struct json *value, void *out)
{
    struct oci_uint *timeout = out;
    int64_t seconds = 0;
    int result = spec_int_within(in, value, INT64_MIN, INT32_MAX, &seconds);
    if (result == 0 && seconds <= 0)
        result = spec_wrong(in, "must be above 0");
    if (result == 0)
        *timeout = (struct oci_uint){true, (uint64_t)seconds};
    return result;
}

static int read_hook(struct spec_reader *in, const struct json *value, void *out)
{
    static const struct spec_field fields[] = {
        SPEC_REQUIRED("path", spec_read_absolute, struct oci_hook, path),
        SPEC_FIELD("args", spec_read_strings, struct oci_hook, args),
        SPEC_FIELD("env", spec_read_strings, struct oci_hook, env),
        SPEC_FIELD("timeout", read_timeout, struct oci_hook, timeout_s),
    };
    return SPEC_READ_OBJECT(in, value, fields, out);
}

static int read_hook_list(struct spec_reader *in, const struct json *value, void *out)
{
    struct oci_hooks *hooks = out;
    return spec_read_list(in, value, sizeof(struct oci_hook), read_hook, &hooks->count,
                          &hooks->items);
}

static int read_hooks(struct spec_reader *in, const struct json *value, void *out)
{
    struct spec_field fields[OCI_HOOK_KINDS];
    for (size_t i = 0; i < OCI_HOOK_KINDS; i++)
        fields[i] =
            (struct spec_field){hook_names[i], read_hook_list, i * sizeof(struct oci_hooks), false};
    return SPEC_READ_OBJECT(in, value, fields, out);
}

/* --- the whole --- */

static int read_spec(struct spec_reader *in, const struct json *value)
{
    static const struct spec_field fields[] = {
        SPEC_REQUIRED("ociVersion", read_version, struct oci_spec, version),
        SPEC_FIELD("process", spec_read_process, struct oci_spec, process),
        SPEC_REQUIRED("root", read_root, struct oci_spec, root),
        SPEC_FIELD("hostname", spec_read_text, struct oci_spec, hostname),
        SPEC_FIELD("domainname", spec_read_text, struct oci_spec, domainname),
        {"mounts", spec_read_mounts, 0, false},
        SPEC_FIELD("hooks", read_hooks, struct oci_spec, hooks),
        SPEC_FIELD("annotations", spec_read_pairs, struct oci_spec, annotations),
        SPEC_FIELD("linux", spec_read_linux, struct oci_spec, linux_),
        {"solaris", spec_read_foreign, 0, false},
        {"windows", spec_read_foreign, 0, false},
        {"vm", spec_read_foreign, 0, false},
        {"zos", spec_read_foreign, 0, false},
    };
    int result = SPEC_READ_OBJECT(in, value, fields, in->spec);
    return result == 0 ? spec_check(in) : result;
}

static int read_process_only(struct spec_reader *in, const struct json *value)
{
    return spec_read_process(in, value, &in->spec->process);
}

static int read_resources_only(struct spec_reader *in, const struct json *value)
{
    return spec_read_resources(in, value, &in->spec->linux_.resources);
}

static int read_seccomp_only(struct spec_reader *in, const struct json *value)
{
    return spec_read_seccomp(in, value, &in->spec->linux_.seccomp);
}

static int parse(const char *text, size_t size,
                 int (*read)(struct spec_reader *, const struct json *), const char *name,
                 struct oci_spec *out, struct err *err)
{
    struct oci_spec spec = {0};
    struct err ignored = {0};
    struct spec_reader in = {.spec = &spec, .err = err != NULL ? err : &ignored};
    int result = json_parse(&spec.arena, text, size, &spec.json, in.err);
    if (result < 0)
        err_prefix(in.err, "%s", name);
    else
        result = read(&in, spec.json);
    if (result < 0) {
        oci_spec_free(&spec);
        *out = (struct oci_spec){0};
        return result;
    }
    *out = spec;
    return 0;
}

int oci_spec_parse(const char *text, size_t size, struct oci_spec *out, struct err *err)
{
    return parse(text, size, read_spec, "config.json", out, err);
}

int oci_process_parse(const char *text, size_t size, struct oci_spec *out, struct err *err)
{
    return parse(text, size, read_process_only, "the process", out, err);
}

int oci_resources_parse(const char *text, size_t size, struct oci_spec *out, struct err *err)
{
    return parse(text, size, read_resources_only, "the resources", out, err);
}

int oci_seccomp_parse(const char *text, size_t size, struct oci_spec *out, struct err *err)
{
    return parse(text, size, read_seccomp_only, "the seccomp profile", out, err);
}

/* The text becomes the arena's, because `raw` and the filter's key point into it. */
static int read_whole(int file, struct json_arena *arena, char **out, size_t *out_size,
                      struct err *err)
{
    struct stat facts;
    if (fstat(file, &facts) < 0)
        return err_set(err, errno, "stat config.json:");
    if (!S_ISREG(facts.st_mode))
        return err_set(err, EINVAL, "config.json is not a regular file");
    if (facts.st_size > JSON_SIZE_MAX)
        return err_set(err, EFBIG, "config.json is larger than %u bytes", JSON_SIZE_MAX);
    size_t room = (size_t)facts.st_size;
    char *text = json_arena_alloc(arena, room + 1);
    if (text == NULL)
        return err_set(err, ENOMEM, "read config.json:");
    ssize_t size = fd_read_all(file, text, room);
    if (size < 0)
        return err_set(err, (int)-size, "read config.json:");
    *out = text;
    *out_size = (size_t)size;
    return 0;
}

int oci_spec_load(int bundle, struct oci_spec *out, struct err *err)
{
    struct json_arena held = {0};
    char *text = NULL;
    size_t size = 0;
    *out = (struct oci_spec){0};
    /* a FIFO in its place shall not hang us */
    fd_owner file = openat(bundle, "config.json", O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0)
        return err_set(err, errno, "open config.json of the bundle:");
    int result = read_whole(file, &held, &text, &size, err);
    if (result == 0)
        result = oci_spec_parse(text, size, out, err);
    if (result < 0) {
        json_arena_free(&held);
        return result;
    }
    json_arena_adopt(&out->arena, &held);
    return 0;
}

void oci_spec_free(struct oci_spec *spec)
{
    json_arena_free(&spec->arena);
    *spec = (struct oci_spec){0};
}

const char *oci_pairs_get(const struct oci_pairs *pairs, const char *key)
{
    for (size_t i = 0; i < pairs->count; i++) {
        if (strcmp(pairs->items[i].key, key) == 0)
            return pairs->items[i].value;
    }
    return NULL;
}
