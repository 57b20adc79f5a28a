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
    *widths = (struct widths){.cpus = cpus > 0 ? cpus : 1, .uptime = uptime};
    if (!widths_idle(widths, &idle_ns))
        widths->uptime = -1;
}

void widths_begin(struct widths *widths, uint64_t now_ns, uint64_t idle_ns)
{
    widths->last = widths->period = (struct width_point){now_ns, idle_ns};
}

/* The part of all CPUs' time that was idle, in percent. */
static uint64_t idle_percent(const struct widths *widths, const struct width_point *since,
                             uint64_t now_ns, uint64_t idle_ns)
{
    uint64_t all_ns = (now_ns - since->at_ns) * widths->cpus;
    uint64_t left_ns = idle_ns > since->idle_ns ? idle_ns - since->idle_ns : 0;
    return all_ns > 0 ? left_ns * 100 / all_ns : 0;
}

enum width_view widths_look(struct widths *widths, uint64_t now_ns, uint64_t idle_ns)
{
    enum width_view view = WIDTH_UNKNOWN;
    bool over = now_ns - widths->period.at_ns >= WIDTH_PERIOD_NS;
    if (idle_percent(widths, &widths->last, now_ns, idle_ns) >= 50)
        view = WIDTH_IDLE;
    else if (over)
        view = idle_percent(widths, &widths->period, now_ns, idle_ns) >= 10 ? WIDTH_ROOM
                                                                             : WIDTH_FULL;
    widths->last = (struct width_point){now_ns, idle_ns};
    if (over)
        widths->period = widths->last;
    return view;
}

bool widths_computes(const struct widths *widths, uint64_t period_ns, uint64_t cpu_ns,
                     uint32_t tenants)
{
    return cpu_ns * (tenants > 0 ? tenants : 1) * 4 >= period_ns * widths->cpus;
}

uint32_t width_of(const struct widths *widths, struct width *width, uint32_t concurrency)
{
    if (widths->uptime < 0)
        return concurrency;
    if (width->now == 0)
        width->now = narrowest(widths);
    return width->now < concurrency ? width->now : concurrency;
}

bool width_is_watched(const struct widths *widths, const struct width *width, uint32_t in_flight)
{
    return width->held || (widths->uptime >= 0 && in_flight > narrowest(widths));
}

bool width_judge(const struct widths *widths, struct width *width, uint32_t concurrency,
                 enum width_view view, bool computes)
{
    uint32_t before = width_of(widths, width, concurrency), now = before;
    if (view == WIDTH_UNKNOWN)
        return false;
    bool held = width->held;
    width->held = false;
    if (view == WIDTH_FULL && computes) {
        now = before - before / 4;
        width->now = now > narrowest(widths) ? now : narrowest(widths);
        return false;
    }
    if (!held)
        return false;
    now += view == WIDTH_IDLE ? before : before / 4 + 1;
    width->now = now < concurrency ? now : concurrency;
    return width->now > before;
}
