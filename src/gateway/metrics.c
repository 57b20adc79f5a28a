/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/metrics.h"

#include "gateway/text.h"

struct out {
    struct text text;
    const struct stats_page *page;
    const char *name;
    const char *tenant;
};

static uint64_t load(const _Atomic uint64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

/* A label's value, escaped as the format asks. Names are plain already; this does not rely on it.
 */
static void label_value(struct text *text, const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value == '\\' || *value == '"')
            text_char(text, '\\');
        if (*value == '\n')
            text_put(text, "\\n");
        else
            text_char(text, *value);
    }
}

static void labels_begin(struct out *out, const char *metric)
{
    text_put(&out->text, metric);
    text_put(&out->text, "{function=\"");
    label_value(&out->text, out->name);
    text_put(&out->text, "\",tenant=\"");
    label_value(&out->text, out->tenant);
    text_char(&out->text, '"');
}

static void label(struct out *out, const char *name, const char *value)
{
    text_char(&out->text, ',');
    text_put(&out->text, name);
    text_put(&out->text, "=\"");
    label_value(&out->text, value);
    text_char(&out->text, '"');
}

static void sample_end(struct out *out, uint64_t value)
{
    text_put(&out->text, "} ");
    text_uint(&out->text, value);
    text_char(&out->text, '\n');
}

static void seconds_end(struct out *out, uint64_t ns)
{
    text_put(&out->text, "} ");
    text_uint(&out->text, ns / 1000000000);
    text_char(&out->text, '.');
    text_uint_width(&out->text, ns % 1000000000, 9);
    text_char(&out->text, '\n');
}

/* Exact seconds of a bucket's bound: all are multiples of 1 us. */
static void bound_text(unsigned int bucket, char text[24])
{
    struct text bound = text_over(text, 23);
    if (stats_bucket_bound_ns(bucket) == UINT64_MAX)
        text_put(&bound, "+Inf");
    else
        text_seconds(&bound, stats_bucket_bound_ns(bucket));
    *bound.at = '\0';
}

static void histogram(struct out *out, const char *metric, const char *stage,
                      const struct stats_histogram *source)
{
    char name[64];
    struct text full = text_over(name, sizeof(name) - 1);
    text_put(&full, metric);
    char *suffix = full.at;
    uint64_t below = 0;
    memcpy(suffix, "_bucket", sizeof("_bucket"));
    for (unsigned int i = 0; i < STATS_BUCKETS; i++) {
        char bound[24];
        bound_text(i, bound);
        below += load(&source->bucket[i]);
        labels_begin(out, name);
        if (stage != NULL)
            label(out, "stage", stage);
        label(out, "le", bound);
        sample_end(out, below);
    }
    memcpy(suffix, "_sum", sizeof("_sum"));
    labels_begin(out, name);
    if (stage != NULL)
        label(out, "stage", stage);
    seconds_end(out, load(&source->sum_ns));
    memcpy(suffix, "_count", sizeof("_count"));
    labels_begin(out, name);
    if (stage != NULL)
        label(out, "stage", stage);
    sample_end(out, below); /* not `count`: it must equal the last bucket */
}

static const char *const result_names[STATS_RESULTS] = {
    "ok", "failed", "signalled", "oom", "timeout", "refused", "aborted",
};
static const char *const result_codes[STATS_RESULTS] = {
    "200", "500", "502", "502", "504", "429", "499",
};

static void family_invocations(struct out *out, const struct function_stats *stats)
{
    for (int i = 0; i < STATS_RESULTS; i++) {
        labels_begin(out, "skerry_invocations_total");
        label(out, "result", result_names[i]);
        sample_end(out, load(&stats->result[i]));
    }
}

/* What dashboards and autoscalers of OpenFaaS read. */
static void family_openfaas(struct out *out, const struct function_stats *stats)
{
    for (int i = 0; i < STATS_RESULTS; i++) {
        uint64_t value = load(&stats->result[i]);
        if (i == STATS_OOM)
            continue; /* counted with the signals below: one sample a code */
        if (i == STATS_SIGNALLED)
            value += load(&stats->result[STATS_OOM]);
        if (value == 0)
            continue;
        text_put(&out->text, "gateway_function_invocation_total{function_name=\"");
        label_value(&out->text, out->name);
        text_char(&out->text, '.');
        label_value(&out->text, out->tenant);
        text_put(&out->text, "\",code=\"");
        text_put(&out->text, result_codes[i]);
        text_char(&out->text, '"');
        sample_end(out, value);
    }
}

static void family_starts(struct out *out, const struct function_stats *stats)
{
    for (unsigned int i = 0; i < STATS_STARTS; i++) {
        labels_begin(out, "skerry_starts_total");
        label(out, "kind", stats_start_name((enum stats_start)i));
        sample_end(out, load(&stats->starts[i]));
    }
}

static void family_in_flight(struct out *out, const struct function_stats *stats)
{
    labels_begin(out, "skerry_in_flight");
    sample_end(out, load(&stats->in_flight));
}

static void family_queued(struct out *out, const struct function_stats *stats)
{
    labels_begin(out, "skerry_queued");
    sample_end(out, load(&stats->queued));
}

static void family_slots(struct out *out, const struct function_stats *stats)
{
    labels_begin(out, "skerry_slots");
    sample_end(out, load(&stats->slots));
}

static void family_cpu(struct out *out, const struct function_stats *stats)
{
    labels_begin(out, "skerry_cpu_seconds_total");
    seconds_end(out, load(&stats->cpu_us) * 1000);
}

static void family_memory(struct out *out, const struct function_stats *stats)
{
    labels_begin(out, "skerry_max_rss_bytes");
    sample_end(out, load(&stats->maxrss_kib) * 1024);
}

static void family_duration(struct out *out, const struct function_stats *stats)
{
    if (load(&stats->total.count) > 0)
        histogram(out, "skerry_duration_seconds", NULL, &stats->total);
}

static const struct {
    const char *help; /* the HELP and TYPE lines */
    void (*write)(struct out *out, const struct function_stats *stats);
    bool by_stage; /* one histogram a stage instead */
} families[] = {
    {"# HELP skerry_invocations_total Requests by how they ended.\n"
     "# TYPE skerry_invocations_total counter\n",
     family_invocations, false},
    {"# HELP gateway_function_invocation_total Requests by status code, as OpenFaaS counts them.\n"
     "# TYPE gateway_function_invocation_total counter\n",
     family_openfaas, false},
    {"# HELP skerry_starts_total Starts that went on from a snapshot (restored), found a furnished "
     "sandbox (pooled) or waited for one (cold).\n"
     "# TYPE skerry_starts_total counter\n",
     family_starts, false},
    {"# HELP skerry_in_flight Requests that a sandbox has.\n# TYPE skerry_in_flight gauge\n",
     family_in_flight, false},
    {"# HELP skerry_queued Requests that wait for a sandbox.\n# TYPE skerry_queued gauge\n",
     family_queued, false},
    {"# HELP skerry_slots Sandboxes that may run at once now.\n# TYPE skerry_slots gauge\n",
     family_slots, false},
    {"# HELP skerry_cpu_seconds_total CPU time of the function's programs.\n"
     "# TYPE skerry_cpu_seconds_total counter\n",
     family_cpu, false},
    {"# HELP skerry_max_rss_bytes Largest resident set of one program so far.\n"
     "# TYPE skerry_max_rss_bytes gauge\n",
     family_memory, false},
    {"# HELP skerry_duration_seconds From the parsed head to the last byte of the answer.\n"
     "# TYPE skerry_duration_seconds histogram\n",
     family_duration, false},
    {"# HELP skerry_stage_seconds Time to reach each stage of a start (see the documentation).\n"
     "# TYPE skerry_stage_seconds histogram\n",
     NULL, true},
};
#define FAMILIES (sizeof(families) / sizeof(families[0]))

static void global(struct text *text, const char *name, const char *type, const char *help,
                   uint64_t value)
{
    const char *const parts[] = {"# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n"};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        text_put(text, parts[i]);
    text_put(text, name);
    text_char(text, ' ');
    text_uint(text, value);
    text_char(text, '\n');
}

static void globals(struct text *text, const struct stats_page *page)
{
    global(text, "skerry_start_time_seconds", "gauge",
           "When the daemon started, seconds since 1970.", load(&page->started_unix_s));
    global(text, "skerry_connections_total", "counter", "Connections accepted.",
           load(&page->connections));
    global(text, "skerry_requests_total", "counter", "Requests of any kind.",
           load(&page->requests));
    global(text, "skerry_bad_requests_total", "counter", "Requests that were refused as malformed.",
           load(&page->bad_requests));
    global(text, "skerry_pool_memory_limit_bytes", "gauge",
           "What sandboxes may need together (--pool-memory); 0: no bound.",
           load(&page->pool_limit_bytes));
    global(text, "skerry_pool_memory_bytes", "gauge",
           "What sandboxes that wait or run are counted for.", load(&page->pool_bytes));
    global(text, "skerry_pool_sandboxes", "gauge", "Sandboxes that wait or run.",
           load(&page->pool_sandboxes));
}

/* One function in one family, or one of its stages; moves the cursor. */
static void step(struct out *out, struct metrics_cursor *cursor)
{
    const struct function_stats *stats = &out->page->function[cursor->function];
    if (!families[cursor->family - 1].by_stage) {
        families[cursor->family - 1].write(out, stats);
        cursor->function++;
        return;
    }
    enum stage stage = (enum stage)cursor->part;
    if (load(&stats->stage[stage].count) > 0)
        histogram(out, "skerry_stage_seconds", stage_name(stage), &stats->stage[stage]);
    if (++cursor->part == STAGE_COUNT) {
        cursor->part = 0;
        cursor->function++;
    }
}

size_t metrics_write(const struct stats_page *page, metrics_label_fn label_of, const void *arg,
                     struct metrics_cursor *cursor, char *out, size_t room)
{
    struct out to = {.text = text_over(out, room), .page = page};
    if (cursor->family == 0) {
        globals(&to.text, page);
        text_put(&to.text, families[0].help);
        cursor->family = 1;
    }
    while (cursor->family <= FAMILIES && (size_t)(to.text.end - to.text.at) >= METRICS_ROOM_MIN) {
        if (cursor->function == FUNCTIONS_MAX) {
            cursor->function = 0;
            if (++cursor->family <= FAMILIES)
                text_put(&to.text, families[cursor->family - 1].help);
            continue;
        }
        if (label_of(arg, cursor->function, &to.name, &to.tenant)) {
            step(&to, cursor);
        } else {
            cursor->function++;
            cursor->part = 0;
        }
    }
    return (size_t)(to.text.at - out);
}
