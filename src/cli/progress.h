/* SPDX-License-Identifier: Apache-2.0 */
/* How far work has come, on stderr: a bar on a terminal, now and then a line elsewhere. */
#ifndef SKERRY_CLI_PROGRESS_H
#define SKERRY_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    uint64_t begun_ns;
    uint64_t shown_ns; /* 0: nothing was shown yet */
    bool terminal;
    bool drawn;          /* a bar stands on the terminal */
    unsigned int tenths; /* of the work, when the last line was printed */
};

void progress_begin(struct progress *progress);

/* As image_progress_fn, with the struct as its argument. Shows nothing during the first second. */
void progress_show(void *progress, const char *what, uint64_t done, uint64_t total);

/* Wipes the bar. */
void progress_end(struct progress *progress);

#endif
