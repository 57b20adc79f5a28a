/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions as the API process knows them: what the supervisor sent over the link, and the
 * figures that the gateway writes into shared memory. Only reads; renders JSON.
 */
#ifndef SKERRY_CONTROL_API_TABLE_H
#define SKERRY_CONTROL_API_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "control/ctl.h"
#include "sandbox/stats.h"

struct api_function {
    char name[FUNCTION_NAME_MAX];
    char tenant[FUNCTION_TENANT_MAX];
    uint32_t index;
    uint64_t generation;
    uint32_t status; /* enum ctl_status */
    char why[ERR_TEXT_MAX];
    char snapshot[32 + WARM_REASON_MAX]; /* what became of it; empty: it has none */
    uint64_t revision;
    uint64_t created_unix_s;
    uint64_t timeout_ns;
    json_t *spec; /* the deployment object */
    int log;      /* its log file, or -1 */
};

struct api_table {
    const struct stats_page *stats; /* may be NULL */
    struct api_function *functions[FUNCTIONS_MAX];
};

/*
 * Takes a CTL_FUNCTION or CTL_FUNCTION_DEL that the supervisor sent; log (or -1) becomes the
 * table's. 0 or -errno.
 */
int api_table_update(struct api_table *table, const struct ctl_message *message, int log);

void api_table_free(struct api_table *table);

/* NULL when there is none. */
const struct api_function *api_table_find(const struct api_table *table, const char *tenant,
                                          const char *name);

/* All functions (of a tenant, or of all with NULL) as OpenFaaS lists them; the caller's. */
json_t *api_table_list(const struct api_table *table, const char *tenant);

/* One function as OpenFaaS shows it, with our own object and status; the caller's. */
json_t *api_function_json(const struct api_table *table, const struct api_function *function);

/* The same with the last start's stage clock, quantiles of each stage and all counters. */
json_t *api_describe_json(const struct api_table *table, const struct api_function *function);

/* The names of all tenants that have functions, "default" first. */
json_t *api_table_tenants(const struct api_table *table);

/* RFC 3339 in UTC, e.g. 2026-01-02T03:04:05Z. */
void api_time_text(uint64_t unix_s, char out[32]);

#endif
