/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "Did you mean ...?": the distance between what was typed and what exists. A slip of the fingers
 * is one or two edits; more than a third of the word is another word.
 */
#include <string.h>

#include "cli/verb.h"

#define WORD_MAX 32u

static unsigned int least(unsigned int a, unsigned int b)
{
    return a < b ? a : b;
}

unsigned int suggest_distance(const char *a, const char *b)
{
    size_t a_length = strlen(a), b_length = strlen(b);
    if (a_length > WORD_MAX || b_length > WORD_MAX)
        return 99;
    unsigned int cost[WORD_MAX + 1][WORD_MAX + 1];
    for (unsigned int i = 0; i <= a_length; i++)
        cost[i][0] = i;
    for (unsigned int j = 0; j <= b_length; j++)
        cost[0][j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        for (size_t j = 1; j <= b_length; j++) {
            unsigned int best = cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            best = least(best, least(cost[i - 1][j], cost[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = least(best, cost[i - 2][j - 2] + 1);
            cost[i][j] = best;
        }
    }
    return cost[a_length][b_length];
}

bool suggest_better(const char *text, const char *candidate, unsigned int *best)
{
    unsigned int distance = suggest_distance(text, candidate);
    size_t length = strlen(candidate) > strlen(text) ? strlen(candidate) : strlen(text);
    unsigned int allowed = length < 3 ? 1 : (unsigned int)(length + 2) / 3;
    if (distance > allowed || distance >= *best || distance >= length)
        return false;
    *best = distance;
    return true;
}
