/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/width.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As many as there are CPUs, and two: while one is answered and reset another runs. */
static uint32_t narrowest(const struct widths *widths)
{
    return widths->cpus + 2;
}

bool widths_idle(const struct widths *widths, uint64_t *out_idle_ns)
{
    char text[64]; /* "12345.67 23456.78\n": since boot, and idle */
    ssize_t size = widths->uptime < 0 ? -1 : pread(widths->uptime, text, sizeof(text) - 1, 0);
    if (size <= 0)
        return false;
    text[size] = '\0';
    char *at = strchr(text, ' ');
    if (at == NULL)
        return false;
    *out_idle_ns = strtoull(at, &at, 10) * NS_PER_SEC;
    if (*at == '.')
        *out_idle_ns += strtoull(at + 1, NULL, 10) * (10 * NS_PER_MS);
    return true;
}

void widths_init(struct widths *widths, uint32_t cpus, int uptime)
{
    uint64_t idle_ns;
    *widths = (struct widths){.cpus = cpus > 0 ? cpus : 1, .uptime = uptime, .shared = 1};
    if (!widths_idle(widths, &idle_ns))
        widths->uptime = -1;
}

void widths_begin(struct widths *widths, uint64_t now_ns, uint64_t idle_ns)
{
    uint64_t gone = (now_ns - widths->begun.at_ns) / WIDTH_PERIOD_NS;
    widths->period += gone == 0 ? 1 : gone < UINT32_MAX / 2 ? (uint32_t)gone : UINT32_MAX / 2;
    widths->last = widths->begun = (struct width_point){now_ns, idle_ns};
    widths->shared = widths->computing > 0 ? widths->computing : 1;
    widths->computing = 0;
}

/* The part of all CPUs' time that was idle, in percent. */
static uint64_t idle_percent(const struct widths *widths, const struct width_point *since,
                             uint64_t now_ns, uint64_t idle_ns)
{
    uint64_t all_ns = (now_ns - since->at_ns) * widths->cpus;
    uint64_t left_ns = idle_ns > since->idle_ns ? idle_ns - since->idle_ns : 0;
    return all_ns > 0 ? left_ns * 100 / all_ns : 0;
}

static bool period_is_over(const struct widths *widths, uint64_t now_ns)
{
    return now_ns - widths->begun.at_ns >= WIDTH_PERIOD_NS;
}

enum width_view widths_look(struct widths *widths, uint64_t now_ns, uint64_t idle_ns)
{
    uint64_t left = idle_percent(widths, &widths->last, now_ns, idle_ns);
    widths->last = (struct width_point){now_ns, idle_ns};
    if (left >= 50)
        return WIDTH_IDLE;
    if (!period_is_over(widths, now_ns))
        return WIDTH_UNKNOWN;
    return idle_percent(widths, &widths->begun, now_ns, idle_ns) >= 10 ? WIDTH_ROOM : WIDTH_FULL;
}

void widths_looked(struct widths *widths, uint64_t now_ns, uint64_t idle_ns)
{
    if (period_is_over(widths, now_ns))
        widths_begin(widths, now_ns, idle_ns);
}

uint32_t width_of(const struct widths *widths, struct width *width, uint32_t concurrency)
{
    if (widths->uptime < 0)
        return concurrency;
    if (width->now == 0)
        width->now = narrowest(widths);
    return width->now < concurrency ? width->now : concurrency;
}

void width_charge(struct widths *widths, struct width *width, uint64_t cpu_ns)
{
    uint64_t before_ns = width->cpu_ns;
    if (width->period != widths->period) { /* no more than its share was used in each since then */
        uint64_t gone_ns = (uint64_t)(widths->period - width->period) * WIDTH_PERIOD_NS;
        gone_ns = gone_ns * widths->cpus / widths->shared;
        width->cpu_ns = width->cpu_ns > gone_ns ? width->cpu_ns - gone_ns : 0;
        width->period = widths->period;
        before_ns = 0;
    }
    width->cpu_ns += cpu_ns;
    if (before_ns < WIDTH_CPU_NS && width->cpu_ns >= WIDTH_CPU_NS)
        widths->computing++;
}

bool width_is_wide(const struct widths *widths, uint32_t in_flight)
{
    return widths->uptime >= 0 && in_flight > narrowest(widths);
}

/* Whether it took a large part of the period's time: an eighth of what each of those that computed
 * could have had. */
static bool computes(const struct widths *widths, const struct width *width)
{
    uint64_t sharers = widths->computing > 0 ? widths->computing : 1;
    return width->cpu_ns >= WIDTH_CPU_NS &&
           width->cpu_ns * sharers * 8 >= WIDTH_PERIOD_NS * widths->cpus;
}

bool width_judge(const struct widths *widths, struct width *width, uint32_t concurrency,
                 enum width_view view)
{
    uint32_t before = width_of(widths, width, concurrency), now = before;
    switch (view) {
    case WIDTH_UNKNOWN:
        return false;
    case WIDTH_IDLE:
        now += before;
        break;
    case WIDTH_ROOM:
        now += before / 4 + 1;
        break;
    case WIDTH_FULL:
        if (computes(widths, width))
            now -= before / 4;
        else /* others use it up; if none is known to, its own that have not ended may */
            now += widths->computing > (width->cpu_ns >= WIDTH_CPU_NS) ? before / 4 + 1 : 1;
        break;
    }
    if (now > before && !width->held)
        return false;
    if (now < before && now < narrowest(widths))
        now = narrowest(widths);
    width->now = now < concurrency ? now : concurrency;
    return width->now > before;
}
