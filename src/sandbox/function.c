/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of a deployed function's description.
 *
 * The struct comes from the API process, which parses bytes of the network: the supervisor copies
 * it, calls function_check() on its copy and only then uses it. So nothing here trusts a field:
 * every text is looked for its NUL within its own array before it is read as a string, and a field
 * that is not understood (a flag, a reserved word) is refused rather than ignored.
 */
#include "sandbox/function.h"
#include "sandbox/tier.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"

#define MIB (UINT64_C(1) << 20)
#define TIB (UINT64_C(1) << 40)

#define UID_IN_RANGE_MAX 65535 /* a tenant's range has 65536 ids */

void function_init(struct function_spec *spec)
{
    memset(spec, 0, sizeof(*spec));
    spec->version = FUNCTION_SPEC_VERSION;
    memcpy(spec->tenant, "default", sizeof("default"));
    memcpy(spec->tier, "jail", sizeof("jail"));
    function_fill_defaults(spec);
}

void function_limits_fill(struct function_limits *limits)
{
    if (limits->mem_bytes == 0)
        limits->mem_bytes = 128 * MIB;
    if (limits->tmp_bytes == 0) {
        uint64_t half = limits->mem_bytes / 2;
        limits->tmp_bytes = half < 64 * MIB ? half : 64 * MIB;
    }
    if (limits->timeout_ns == 0)
        limits->timeout_ns = 10 * NS_PER_SEC;
    if (limits->max_body_bytes == 0)
        limits->max_body_bytes = 16 * MIB;
    if (limits->pids_max == 0)
        limits->pids_max = 64;
    if (limits->concurrency_max == 0)
        limits->concurrency_max = 64;
    if (limits->queue_max == 0)
        limits->queue_max = 256;
    if (limits->files_max == 0)
        limits->files_max = 1024;
}

void function_fill_defaults(struct function_spec *spec)
{
    function_limits_fill(&spec->limits);
}

static bool is_lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool function_name_valid(const char *text)
{
    size_t length = strnlen(text, FUNCTION_NAME_MAX);
    if (length == 0 || length == FUNCTION_NAME_MAX)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!is_lower_or_digit(text[i]) && text[i] != '-')
            return false;
    }
    return text[0] != '-' && text[length - 1] != '-';
}

/* -EINVAL unless text ends within its array and holds printable characters only. */
static int text_check(const char *text, size_t room, const char *field, struct err *err)
{
    size_t length = strnlen(text, room);
    if (length == room)
        return err_set(err, EINVAL, "%s is longer than %zu bytes", field, room - 1);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c == 0x7f)
            return err_set(err, EINVAL, "%s has a control character (0x%02x) at byte %zu", field, c,
                           i);
    }
    return 0;
}

static int name_check(const char *text, const char *field, struct err *err)
{
    int rc = text_check(text, FUNCTION_NAME_MAX, field, err);
    if (rc < 0)
        return rc;
    if (!function_name_valid(text))
        return err_set(err, EINVAL,
                       "%s '%s' is not valid: lower-case letters, digits and '-' are allowed, "
                       "1 to %d characters, a letter or digit first and last",
                       field, text, FUNCTION_NAME_MAX - 1);
    return 0;
}

/* Absolute, and no component is "." or "..": what the text says is where it leads. */
static int path_check(const char *path, size_t room, const char *field, struct err *err)
{
    int rc = text_check(path, room, field, err);
    if (rc < 0)
        return rc;
    if (path[0] != '/')
        return err_set(err, EINVAL, "%s '%s' is not an absolute path", field, path);
    for (const char *at = path; *at != '\0';) {
        at += strspn(at, "/");
        size_t length = strcspn(at, "/");
        if ((length == 1 && at[0] == '.') || (length == 2 && at[0] == '.' && at[1] == '.'))
            return err_set(err, EINVAL, "%s '%s' has a '.' or '..' component; write it plainly",
                           field, path);
        at += length;
    }
    return 0;
}

static int image_check(const struct function_spec *spec, struct err *err)
{
    int rc = text_check(spec->image, sizeof(spec->image), "image", err);
    if (rc < 0)
        return rc;
    bool host_usr = (spec->flags & FUNCTION_HOST_USR) != 0;
    if (host_usr && spec->image[0] != '\0')
        return err_set(err, EINVAL,
                       "image '%s' and the machine's /usr cannot be used together; choose one",
                       spec->image);
    if (!host_usr && spec->image[0] == '\0')
        return err_set(err, EINVAL, "image is empty: name an image or ask for the machine's /usr");
    for (const char *at = spec->image; *at != '\0'; at++) {
        bool alnum = is_lower_or_digit(*at) || (*at >= 'A' && *at <= 'Z');
        if (!alnum && (at == spec->image || strchr("._/:@+-", *at) == NULL))
            return err_set(err, EINVAL,
                           "image '%s' is not a reference: letters, digits and ._/:@+- are "
                           "allowed, a letter or digit first",
                           spec->image);
    }
    return 0;
}

/* "UID" or "UID:GID", decimal without sign. */
static int user_check(const char *user, size_t room, struct err *err)
{
    int rc = text_check(user, room, "user", err);
    if (rc < 0)
        return rc;
    const char *at = user;
    for (int part = 0; *at != '\0' && part < 2; part++) {
        size_t digits = strspn(at, "0123456789");
        uint32_t value = 0;
        for (size_t i = 0; i < digits && i < 6; i++)
            value = value * 10 + (uint32_t)(at[i] - '0');
        if (digits == 0 || digits > 5 || value > UID_IN_RANGE_MAX)
            break;
        at += digits;
        if (*at == '\0')
            return 0;
        if (*at != ':' || part == 1)
            break;
        at++;
    }
    if (user[0] == '\0')
        return 0;
    return err_set(err, EINVAL, "user '%s' is not UID or UID:GID with numbers from 0 to %d", user,
                   UID_IN_RANGE_MAX);
}

/* 0 stands for the default and is always allowed. */
static int range_check(uint64_t value, uint64_t least, uint64_t most, const char *field,
                       struct err *err)
{
    if (value == 0 || (value >= least && value <= most))
        return 0;
    return err_set(err, EINVAL, "%s is %" PRIu64 "; %" PRIu64 " to %" PRIu64 " is allowed", field,
                   value, least, most);
}

int function_limits_check(const struct function_limits *limits, struct err *err)
{
    const struct {
        const char *field;
        uint64_t value, least, most;
    } rows[] = {
        {"mem (bytes)", limits->mem_bytes, MIB, 16 * TIB},
        {"tmp (bytes)", limits->tmp_bytes, 4096, 16 * TIB},
        {"timeout (ns)", limits->timeout_ns, NS_PER_MS, 24 * 3600 * NS_PER_SEC},
        {"max_body (bytes)", limits->max_body_bytes, 1, 16 * TIB},
        {"cpus (thousandths)", limits->cpu_millis, 0, 1024000},
        {"pids", limits->pids_max, 1, 65536},
        {"concurrency", limits->concurrency_max, 1, 1024},
        {"queue", limits->queue_max, 1, 65536},
        {"files", limits->files_max, 4, 1048576},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int rc = range_check(rows[i].value, rows[i].least, rows[i].most, rows[i].field, err);
        if (rc < 0)
            return rc;
    }
    if (limits->reserved != 0)
        return err_set(err, EINVAL, "limits.reserved is %" PRIu32 "; it must be 0",
                       limits->reserved);
    return 0;
}

static int binds_check(const struct function_spec *spec, struct err *err)
{
    if (spec->bind_count > FUNCTION_BINDS_MAX)
        return err_set(err, EINVAL, "%" PRIu32 " binds; at most %d are allowed", spec->bind_count,
                       FUNCTION_BINDS_MAX);
    for (uint32_t i = 0; i < spec->bind_count; i++) {
        const struct function_bind *bind = &spec->binds[i];
        int rc = path_check(bind->source, sizeof(bind->source), "bind source", err);
        if (rc == 0)
            rc = path_check(bind->target, sizeof(bind->target), "bind target", err);
        if (rc < 0)
            return rc;
        if (bind->target[strspn(bind->target, "/")] == '\0')
            return err_set(err, EINVAL, "bind target '%s' is the root itself", bind->target);
        if (bind->read_only > 1 || bind->reserved != 0)
            return err_set(err, EINVAL,
                           "bind '%s': read_only must be 0 or 1 (is %" PRIu32
                           ") and reserved 0 (is %" PRIu32 ")",
                           bind->target, bind->read_only, bind->reserved);
        for (uint32_t k = 0; k < i; k++) {
            if (strcmp(spec->binds[k].target, bind->target) == 0)
                return err_set(err, EINVAL, "bind target '%s' is named twice", bind->target);
        }
    }
    return 0;
}

/* Each string of a valid block is "K=V" with a K of visible ASCII characters. */
static int pairs_check(uint32_t count, const char *data, const char *field, struct err *err)
{
    const char *text = data;
    for (uint32_t i = 0; i < count; i++, text = strblock_next(text)) {
        size_t key = strcspn(text, "=");
        if (text[key] != '=' || key == 0)
            return err_set(err, EINVAL, "%s: '%.100s' is not KEY=VALUE", field, text);
        for (size_t k = 0; k < key; k++) {
            if (text[k] <= 0x20 || text[k] >= 0x7f)
                return err_set(err, EINVAL,
                               "%s: the key of entry %" PRIu32
                               " has a character that is not visible ASCII (0x%02x)",
                               field, i + 1, (unsigned char)text[k]);
        }
    }
    return 0;
}

static int blocks_check(const struct function_spec *spec, struct err *err)
{
    if (!STRBLOCK_VALID(&spec->args))
        return err_set(err, EINVAL, "args is not a valid string block");
    if (!STRBLOCK_VALID(&spec->env))
        return err_set(err, EINVAL, "env is not a valid string block");
    if (!STRBLOCK_VALID(&spec->labels))
        return err_set(err, EINVAL, "labels is not a valid string block");
    if (!STRBLOCK_VALID(&spec->annotations))
        return err_set(err, EINVAL, "annotations is not a valid string block");
    if (spec->args.count > 0 && spec->args.data[0] == '\0')
        return err_set(err, EINVAL, "args: the program's name is empty");
    if (spec->args.count == 0 && (spec->flags & FUNCTION_HOST_USR))
        return err_set(err, EINVAL,
                       "args is empty: with the machine's /usr there is no image to name the "
                       "program; say which to run");
    int rc = pairs_check(spec->env.count, spec->env.data, "env", err);
    if (rc == 0)
        rc = pairs_check(spec->labels.count, spec->labels.data, "labels", err);
    if (rc == 0)
        rc = pairs_check(spec->annotations.count, spec->annotations.data, "annotations", err);
    return rc;
}

static int words_check(const struct function_spec *spec, struct err *err)
{
    const uint32_t known = FUNCTION_CGI | FUNCTION_STREAM | FUNCTION_HOST_USR | FUNCTION_OWN_IPC |
                           FUNCTION_RENEW_ALL | FUNCTION_WARM | FUNCTION_NOT_WARM;
    if (spec->version != FUNCTION_SPEC_VERSION)
        return err_set(err, EINVAL, "version is %" PRIu32 "; this program knows %d", spec->version,
                       FUNCTION_SPEC_VERSION);
    if (spec->flags & ~known)
        return err_set(err, EINVAL, "flags has unknown bits: 0x%" PRIx32, spec->flags & ~known);
    if ((spec->flags & FUNCTION_WARM) && (spec->flags & FUNCTION_NOT_WARM))
        return err_set(err, EINVAL, "flags say both that it is warm and that it is not");
    if (spec->net != FUNCTION_NET_OWN && spec->net != FUNCTION_NET_NONE)
        return err_set(err, EINVAL, "net is %" PRIu32 "; 0 (own) and 1 (none) are allowed",
                       spec->net);
    if (spec->proc != FUNCTION_PROC_PIDS && spec->proc != FUNCTION_PROC_FULL)
        return err_set(err, EINVAL, "proc is %" PRIu32 "; 0 (pids) and 1 (full) are allowed",
                       spec->proc);
    if (spec->reserved != 0)
        return err_set(err, EINVAL, "reserved is %" PRIu32 "; it must be 0", spec->reserved);
    return 0;
}

int function_check(const struct function_spec *spec, struct err *err)
{
    int rc = words_check(spec, err);
    if (rc == 0)
        rc = name_check(spec->name, "name", err);
    if (rc == 0)
        rc = name_check(spec->tenant, "tenant", err);
    if (rc == 0)
        rc = text_check(spec->tier, sizeof(spec->tier), "tier", err);
    if (rc == 0)
        rc = image_check(spec, err);
    if (rc == 0 && spec->cwd[0] != '\0')
        rc = path_check(spec->cwd, sizeof(spec->cwd), "cwd", err);
    if (rc == 0)
        rc = user_check(spec->user, sizeof(spec->user), err);
    if (rc == 0)
        rc = function_limits_check(&spec->limits, err);
    if (rc == 0)
        rc = binds_check(spec, err);
    if (rc == 0)
        rc = blocks_check(spec, err);
    if (rc == 0)
        rc = tier_check(spec, err);
    return rc;
}
