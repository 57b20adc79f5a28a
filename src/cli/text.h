/* SPDX-License-Identifier: Apache-2.0 */
/* Words for a person: wrapped paragraphs, aligned tables, sizes, and the one way to say an error.
 */
#ifndef SKERRY_CLI_TEXT_H
#define SKERRY_CLI_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

/*
 * Prints text wrapped to `width` columns, each line after `indent` spaces; the cursor stands at
 * column `column` already. An empty line divides paragraphs; a line that begins with two spaces is
 * printed as it is.
 */
void text_wrap(FILE *out, const char *text, int column, int indent, int width);

/* The width of the terminal behind out, between 60 and 100; 80 when it is none. */
int text_width(FILE *out);

/*
 * Calls word(arg, word, length) for each word and word(arg, NULL, 0) between paragraphs, and
 * literal(arg, line, length) for each line that begins with two spaces.
 */
struct text_walker {
    void (*word)(void *arg, const char *word, size_t length);
    void (*literal)(void *arg, const char *line, size_t length);
    void (*paragraph)(void *arg);
    void *arg;
};
void text_walk(const char *text, const struct text_walker *walker);

/* A table: rows of cells, columns as wide as their widest cell, the last one free. */
#define TABLE_COLUMNS_MAX 10
struct table {
    int columns;
    size_t rows;
    size_t room;
    char **cells; /* rows * columns, owned */
};
void table_init(struct table *table, int columns);
/* Sets the next cell, row by row. Out of memory ends the program. */
void table_cell(struct table *table, size_t *cursor, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void table_print(const struct table *table, FILE *out);
void table_free(struct table *table);

/* "128M", "1.5G", "300B": powers of 1024. */
const char *text_size(uint64_t bytes, char *buf, size_t room);
/* "10s", "250ms", "85us". */
const char *text_duration(uint64_t ns, char *buf, size_t room);
/* "3 min", "2 h", "5 d": how long ago. */
const char *text_age(uint64_t seconds, char *buf, size_t room);

/* "skerry: text" on stderr. */
void say_error(const struct err *err);
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
