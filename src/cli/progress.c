/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/text.h"

#define QUIET_NS  NS_PER_SEC /* shorter work shows nothing */
#define REDRAW_NS (100 * NS_PER_MS)
#define BAR_WIDTH 30u

void progress_begin(struct progress *progress)
{
    *progress = (struct progress){.begun_ns = clock_now_ns(), .terminal = isatty(STDERR_FILENO)};
}

static void draw_bar(struct progress *progress, const char *what, uint64_t done, uint64_t total)
{
    char bar[BAR_WIDTH + 1], have[16], all[16];
    if (total == 0) {
        fprintf(stderr, "\r\033[K%s: %s", what, text_size(done, have, sizeof(have)));
    } else {
        unsigned int filled = (unsigned int)((double)done / (double)total * BAR_WIDTH);
        memset(bar, '.', BAR_WIDTH);
        memset(bar, '#', filled < BAR_WIDTH ? filled : BAR_WIDTH);
        bar[BAR_WIDTH] = '\0';
        fprintf(stderr, "\r\033[K[%s] %3.0f%% of %s  %s", bar, (double)done / (double)total * 100,
                text_size(total, all, sizeof(all)), what);
    }
    fflush(stderr);
    progress->drawn = true;
}

/* A file or a pipe gets a line for each tenth of the work, or every ten seconds. */
static void print_line(struct progress *progress, const char *what, uint64_t done, uint64_t total)
{
    char have[16];
    unsigned int tenths =
        total == 0 ? (unsigned int)((progress->shown_ns - progress->begun_ns) / (10 * NS_PER_SEC))
                   : (unsigned int)((double)done / (double)total * 10);
    if (tenths <= progress->tenths)
        return;
    progress->tenths = tenths;
    if (total == 0)
        say("%s: %s so far", what, text_size(done, have, sizeof(have)));
    else
        say("%s: %u%%", what, tenths * 10);
}

void progress_show(void *arg, const char *what, uint64_t done, uint64_t total)
{
    struct progress *progress = arg;
    uint64_t now = clock_now_ns();
    if (now - progress->begun_ns < QUIET_NS ||
        (progress->shown_ns != 0 && now - progress->shown_ns < REDRAW_NS))
        return;
    progress->shown_ns = now;
    if (done > total && total != 0)
        done = total;
    if (progress->terminal)
        draw_bar(progress, what, done, total);
    else
        print_line(progress, what, done, total);
}

void progress_end(struct progress *progress)
{
    if (progress->drawn)
        fprintf(stderr, "\r\033[K");
    progress->drawn = false;
}
