/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Output for a person. One walker knows the form of our texts (paragraphs, literal lines); --help
 * and the manual pages differ only in what they do with each word.
 */
#include "cli/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

void text_walk(const char *text, const struct text_walker *walker)
{
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        if (length == 0) {
            walker->paragraph(walker->arg);
        } else if (length > 2 && text[0] == ' ' && text[1] == ' ') {
            walker->literal(walker->arg, text + 2, length - 2);
        } else {
            for (size_t at = 0; at < length;) {
                size_t size = strcspn(text + at, " \n");
                if (size > 0)
                    walker->word(walker->arg, text + at, size);
                at += size + 1;
            }
        }
        text += length + (text[length] == '\n');
    }
}

struct wrap {
    FILE *out;
    int column, indent, width;
    bool empty; /* nothing stands on this line but its indent */
    bool literal;
};

static void wrap_newline(struct wrap *wrap)
{
    fputc('\n', wrap->out);
    wrap->column = 0;
    wrap->empty = true;
}

static void wrap_word(void *arg, const char *word, size_t length)
{
    struct wrap *wrap = arg;
    if (wrap->literal && !wrap->empty)
        wrap_newline(wrap);
    wrap->literal = false;
    if (!wrap->empty && wrap->column + 1 + (int)length > wrap->width)
        wrap_newline(wrap);
    if (wrap->empty) {
        fprintf(wrap->out, "%*s", wrap->column < wrap->indent ? wrap->indent - wrap->column : 0,
                "");
        wrap->column = wrap->column < wrap->indent ? wrap->indent : wrap->column;
    } else {
        fputc(' ', wrap->out);
        wrap->column++;
    }
    fwrite(word, 1, length, wrap->out);
    wrap->column += (int)length;
    wrap->empty = false;
}

static void wrap_literal(void *arg, const char *line, size_t length)
{
    struct wrap *wrap = arg;
    if (!wrap->empty)
        wrap_newline(wrap);
    fprintf(wrap->out, "%*s%.*s", wrap->indent + 4, "", (int)length, line);
    wrap->empty = false;
    wrap->literal = true;
}

static void wrap_paragraph(void *arg)
{
    struct wrap *wrap = arg;
    if (!wrap->empty)
        wrap_newline(wrap);
    wrap->literal = false;
    fputc('\n', wrap->out);
}

void text_wrap(FILE *out, const char *text, int column, int indent, int width)
{
    struct wrap wrap = {
        .out = out, .column = column, .indent = indent, .width = width, .empty = true};
    struct text_walker walker = {wrap_word, wrap_literal, wrap_paragraph, &wrap};
    text_walk(text, &walker);
    if (!wrap.empty)
        fputc('\n', out);
}

int text_width(FILE *out)
{
    struct winsize size;
    if (ioctl(fileno(out), TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
        return 80;
    return size.ws_col < 60 ? 60 : size.ws_col > 100 ? 100 : size.ws_col;
}

static _Noreturn void die_memory(void)
{
    fputs("skerry: out of memory\n", stderr);
    exit(1);
}

void table_init(struct table *table, int columns)
{
    *table = (struct table){.columns = columns};
}

void table_cell(struct table *table, size_t *cursor, const char *format, ...)
{
    if (*cursor >= table->room) {
        size_t room = table->room == 0 ? 64 : table->room * 2;
        char **cells = realloc(table->cells, room * sizeof(*cells));
        if (cells == NULL)
            die_memory();
        table->cells = cells;
        table->room = room;
    }
    va_list args;
    va_start(args, format);
    if (vasprintf(&table->cells[*cursor], format, args) < 0)
        die_memory();
    va_end(args);
    (*cursor)++;
    table->rows = *cursor / (size_t)table->columns;
}

/* Columns of a terminal that a UTF-8 text takes, counting each code point as one. */
static int columns_of(const char *text)
{
    int count = 0;
    for (; *text != '\0'; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

void table_print(const struct table *table, FILE *out)
{
    size_t columns = (size_t)table->columns;
    int widths[TABLE_COLUMNS_MAX] = {0};
    for (size_t i = 0; i < table->rows * columns; i++) {
        int width = columns_of(table->cells[i]);
        if (width > widths[i % columns])
            widths[i % columns] = width;
    }
    for (size_t i = 0; i < table->rows * columns; i++) {
        bool last = i % columns == columns - 1;
        int pad = widths[i % columns] - columns_of(table->cells[i]) + 2;
        fprintf(out, "%s%*s", table->cells[i], last ? 0 : pad, "");
        if (last)
            fputc('\n', out);
    }
}

void table_free(struct table *table)
{
    for (size_t i = 0; i < table->rows * (size_t)table->columns; i++)
        free(table->cells[i]);
    free(table->cells);
    *table = (struct table){0};
}

const char *text_size(uint64_t bytes, char *buf, size_t room)
{
    static const char units[] = "BKMGTP";
    double value = (double)bytes;
    unsigned int unit = 0;
    while (value >= 1024 && unit < 5) {
        value /= 1024;
        unit++;
    }
    bool whole = value >= 100 || value - (double)(uint64_t)value < 0.05;
    snprintf(buf, room, whole ? "%.0f%c" : "%.1f%c", value, units[unit]);
    return buf;
}

const char *text_duration(uint64_t ns, char *buf, size_t room)
{
    uint64_t tenths_us = ns / 100, hundredths_ms = ns / 10000;
    if (ns >= UINT64_C(1000000000))
        snprintf(buf, room, "%gs", (double)ns / 1e9);
    else if (ns >= 1000000)
        snprintf(buf, room, "%gms", (double)hundredths_ms / 100);
    else
        snprintf(buf, room, "%gus", (double)tenths_us / 10);
    return buf;
}

const char *text_age(uint64_t seconds, char *buf, size_t room)
{
    if (seconds < 120)
        snprintf(buf, room, "%" PRIu64 " s", seconds);
    else if (seconds < 120 * 60)
        snprintf(buf, room, "%" PRIu64 " min", seconds / 60);
    else if (seconds < 48 * 3600)
        snprintf(buf, room, "%" PRIu64 " h", seconds / 3600);
    else
        snprintf(buf, room, "%" PRIu64 " d", seconds / 86400);
    return buf;
}

void say_error(const struct err *err)
{
    fprintf(stderr, "skerry: %s\n", err->text);
}

void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("skerry: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}
