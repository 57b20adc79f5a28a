/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/route.h"

#include <string.h>

#define FUNCTION_PREFIX "/function/"

static bool begins_with(struct http_span path, const char *prefix)
{
    size_t size = strlen(prefix);
    return path.size >= size && memcmp(path.at, prefix, size) == 0;
}

static bool equals(struct http_span path, const char *text)
{
    return path.size == strlen(text) && begins_with(path, text);
}

/* Splits "NAME" or "NAME.TENANT"; names have no dot, so this is the only reading. */
static bool name_split(char *label, struct route *out)
{
    char *dot = strchr(label, '.');
    const char *tenant = "default";
    if (dot != NULL) {
        *dot = '\0';
        tenant = dot + 1;
    }
    if (!function_name_valid(label) || !function_name_valid(tenant))
        return false;
    memcpy(out->name, label, strlen(label) + 1);
    memcpy(out->tenant, tenant, strlen(tenant) + 1);
    return true;
}

static int route_function(struct http_span path, struct route *out, const char **out_why)
{
    char label[FUNCTION_NAME_MAX + FUNCTION_TENANT_MAX];
    const size_t prefix = sizeof(FUNCTION_PREFIX) - 1;
    const char *begin = path.at + prefix, *end = path.at + path.size;
    const char *slash = memchr(begin, '/', (size_t)(end - begin));
    struct http_span name = {begin, (size_t)((slash != NULL ? slash : end) - begin)};
    ssize_t size = http_percent_decode(name, label, sizeof(label) - 1);
    if (size == -414)
        return 0; /* too long to be a function: not found */
    if (size < 0) {
        *out_why = "the function's name has a bad percent-encoding";
        return 400;
    }
    label[size] = '\0';
    if (memchr(label, '/', (size_t)size) != NULL) {
        *out_why = "the function's name has an encoded slash";
        return 400;
    }
    if (!name_split(label, out))
        return 0;
    out->script = (struct http_span){path.at, prefix + name.size};
    out->rest = (struct http_span){begin + name.size, (size_t)(end - begin) - name.size};
    out->kind = ROUTE_FUNCTION;
    return 0;
}

int route_parse(struct http_span path, struct route *out, const char **out_why)
{
    out->kind = ROUTE_NONE;
    if (begins_with(path, FUNCTION_PREFIX))
        return route_function(path, out, out_why);
    if (begins_with(path, "/system/"))
        out->kind = ROUTE_SYSTEM;
    else if (equals(path, "/healthz"))
        out->kind = ROUTE_HEALTH;
    else if (equals(path, "/metrics"))
        out->kind = ROUTE_METRICS;
    else if (equals(path, "/"))
        out->kind = ROUTE_ROOT;
    return 0;
}
