/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a request goes, by its path alone.
 *
 * /function/NAME[.TENANT][/rest]: NAME is percent-decoded first and must then be a function's name,
 * so an encoded slash or dot segment cannot lead anywhere; the rest is the program's.
 */
#ifndef SKERRY_GATEWAY_ROUTE_H
#define SKERRY_GATEWAY_ROUTE_H

#include "gateway/http.h"
#include "sandbox/function.h"

enum route_kind {
    ROUTE_NONE = 0, /* 404 */
    ROUTE_ROOT,     /* "/": what to do */
    ROUTE_HEALTH,   /* /healthz */
    ROUTE_METRICS,  /* /metrics */
    ROUTE_SYSTEM,   /* /system/...: the API process's */
    ROUTE_FUNCTION,
};

struct route {
    enum route_kind kind;
    char name[FUNCTION_NAME_MAX];
    char tenant[FUNCTION_TENANT_MAX]; /* "default" when the path names none */
    struct http_span script;          /* "/function/NAME" as sent */
    struct http_span rest;            /* "" or "/..." as sent */
};

/* 0, or the status to refuse the path with (400: bad encoding, encoded slash in NAME). */
int route_parse(struct http_span path, struct route *out, const char **out_why);

#endif
