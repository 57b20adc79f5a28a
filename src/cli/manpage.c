/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manual page of a verb in mdoc, from the same tables as its --help: `skerry help --mdoc VERB`.
 * The build makes skerry-VERB.1 with it. Each sentence begins a line of the source, as mdoc wants.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "cli/text.h"
#include "cli/verbs.h"

#define SOURCE_WIDTH 72

struct page {
    int column;
    bool literal;   /* within a display */
    bool paragraph; /* one is due; a display begins one by itself */
};

/* Roff reads a backslash as an escape and a hyphen as one that may break a line. */
static void put_escaped(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\\')
            fputs("\\e", stdout);
        else if (text[i] == '-')
            fputs("\\-", stdout);
        else
            putchar(text[i]);
    }
}

static void end_literal(struct page *page)
{
    if (page->literal)
        printf(".Ed\n");
    page->literal = false;
}

/* "fine." and "fine.)", but not "e.g." */
static bool ends_sentence(const char *word, size_t length)
{
    size_t at = length;
    while (at > 0 && strchr(")\"'", word[at - 1]) != NULL)
        at--;
    return at > 1 && (word[at - 1] == '.' || word[at - 1] == '?') &&
           memchr(word, '.', at - 1) == NULL;
}

static void page_word(void *arg, const char *word, size_t length)
{
    struct page *page = arg;
    if (page->literal || page->paragraph) {
        end_literal(page);
        printf(".Pp\n");
        page->paragraph = false;
    }
    if (page->column > 0 && page->column + 1 + (int)length > SOURCE_WIDTH) {
        putchar('\n');
        page->column = 0;
    }
    if (page->column > 0) {
        putchar(' ');
        page->column++;
    } else if (word[0] == '.' || word[0] == '\'') {
        fputs("\\&", stdout);
    }
    put_escaped(word, length);
    page->column += (int)length;
    if (ends_sentence(word, length)) {
        putchar('\n');
        page->column = 0;
    }
}

static void page_line_end(struct page *page)
{
    if (page->column > 0)
        putchar('\n');
    page->column = 0;
}

static void page_literal(void *arg, const char *line, size_t length)
{
    struct page *page = arg;
    page_line_end(page);
    if (!page->literal)
        printf(".Bd -literal -offset indent\n");
    page->literal = true;
    page->paragraph = false;
    if (line[0] == '.' || line[0] == '\'')
        fputs("\\&", stdout);
    put_escaped(line, length);
    putchar('\n');
}

static void page_paragraph(void *arg)
{
    struct page *page = arg;
    page_line_end(page);
    end_literal(page);
    page->paragraph = true;
}

static void put_text(const char *text)
{
    struct page page = {0};
    struct text_walker walker = {page_word, page_literal, page_paragraph, &page};
    text_walk(text, &walker);
    page_line_end(&page);
    end_literal(&page);
}

static void put_upper(const char *text)
{
    for (; *text != '\0'; text++)
        putchar(*text == ' ' ? '-' : toupper((unsigned char)*text));
}

static void put_dashed(const char *text)
{
    for (; *text != '\0'; text++)
        putchar(*text == ' ' ? '-' : *text);
}

/* "Fl e , Fl -env Ar K=V", or in the synopsis only the long form. */
static void put_option(const struct option *option, bool synopsis)
{
    if (option->letter != 0 && !synopsis)
        printf("Fl %c , ", option->letter);
    printf("Fl \\-%s", option->name);
    if (option->value != NULL)
        printf(" Ar %s", option->value);
    putchar('\n');
}

static void put_synopsis(const struct verb *verb)
{
    printf(".Nm skerry %s\n", verb->name);
    for (const unsigned char *at = verb->options; *at != OPT_COUNT; at++) {
        printf(".Op ");
        put_option(option_get((enum option_id) * at), true);
    }
    if (verb->operands[0] != '\0')
        printf(".Ar %s\n", verb->operands);
}

static void put_options(const struct verb *verb)
{
    if (verb->options[0] == OPT_COUNT)
        return;
    printf(".Pp\nThe options are as follows:\n.Bl -tag -width Ds\n");
    for (const unsigned char *at = verb->options; *at != OPT_COUNT; at++) {
        const struct option *option = option_get((enum option_id) * at);
        printf(".It ");
        put_option(option, false);
        put_text(option->help);
    }
    printf(".El\n");
}

static void put_sections(const struct verb *verb)
{
    for (const struct verb_section *section = verb->sections;
         section != NULL && section->title != NULL; section++) {
        printf(".Sh ");
        for (const char *at = section->title; *at != '\0'; at++)
            putchar(toupper((unsigned char)*at));
        putchar('\n');
        put_text(section->text);
    }
}

void manpage_print(const struct verb *verb)
{
    printf(".\\\" SPDX-License-Identifier: Apache-2.0\n"
           ".\\\" Made from the tables of the program: skerry help --mdoc %s\n"
           ".Dd November 21, 2026\n.Dt SKERRY-",
           verb->name);
    put_upper(verb->name);
    printf(" 1\n.Os\n.Sh NAME\n.Nm skerry-");
    put_dashed(verb->name);
    printf("\n.Nd %s\n.Sh SYNOPSIS\n", verb->summary);
    put_synopsis(verb);
    printf(".Sh DESCRIPTION\n");
    put_text(verb->description);
    put_options(verb);
    put_sections(verb);
    printf(".Sh SEE ALSO\n.Xr skerry 1 ,\n.Xr skerryd 8\n");
}
