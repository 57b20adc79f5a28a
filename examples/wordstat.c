/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A function in C: text on stdin, what stands in it as JSON on stdout. It knows nothing of HTTP or
 * of skerry; `wordstat < file` in a shell does the same.
 *
 * Words are divided by white space, as wc divides them. The most frequent are counted without case
 * and without the punctuation around them.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MAX 64u
#define BUCKETS  16384u /* a power of two; later words of a larger vocabulary are only counted */
#define SHOWN    5u

struct word {
    char text[WORD_MAX];
    unsigned long count;
};

struct statistics {
    unsigned long lines, words, bytes, different, longest;
    struct word table[BUCKETS];
};

static unsigned int hash(const char *text)
{
    unsigned int value = 2166136261u; /* FNV-1a */
    for (; *text != '\0'; text++)
        value = (value ^ (unsigned char)*text) * 16777619u;
    return value;
}

static void count_word(struct statistics *all, const char *text)
{
    unsigned int at = hash(text) % BUCKETS;
    for (unsigned int tries = 0; tries < BUCKETS; tries++, at = (at + 1) % BUCKETS) {
        struct word *word = &all->table[at];
        if (word->count == 0) {
            memcpy(word->text, text, strlen(text) + 1);
            all->different++;
        }
        if (word->count == 0 || strcmp(word->text, text) == 0) {
            word->count++;
            return;
        }
    }
}

/* "(The" is "the"; a word of punctuation alone is none. */
static void take_word(struct statistics *all, char *text, size_t length)
{
    all->words++;
    if (length > all->longest)
        all->longest = length;
    size_t begin = 0, end = strlen(text);
    while (begin < end && !isalnum((unsigned char)text[begin]))
        begin++;
    while (end > begin && !isalnum((unsigned char)text[end - 1]))
        end--;
    text[end] = '\0';
    for (size_t i = begin; i < end; i++)
        text[i] = (char)tolower((unsigned char)text[i]);
    if (begin < end)
        count_word(all, text + begin);
}

static void read_all(struct statistics *all)
{
    char text[WORD_MAX] = "";
    size_t length = 0; /* of the word, of which text holds the beginning */
    for (int byte; (byte = getchar()) != EOF;) {
        all->bytes++;
        all->lines += byte == '\n';
        if (!isspace(byte)) {
            if (length + 1 < WORD_MAX)
                text[length] = (char)byte;
            length++;
        } else if (length > 0) {
            text[length + 1 < WORD_MAX ? length : WORD_MAX - 1] = '\0';
            take_word(all, text, length);
            length = 0;
        }
    }
    if (length > 0) {
        text[length + 1 < WORD_MAX ? length : WORD_MAX - 1] = '\0';
        take_word(all, text, length);
    }
}

/* More frequent first, then by the alphabet, so that the same text gives the same answer. */
static int compare(const void *a, const void *b)
{
    const struct word *left = a, *right = b;
    if (left->count != right->count)
        return left->count < right->count ? 1 : -1;
    return strcmp(left->text, right->text);
}

static void print_text(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\')
            printf("\\%c", byte);
        else if (byte < ' ' || byte >= 127)
            printf("\\u%04x", byte); /* taken as Latin-1 */
        else
            putchar(byte);
    }
    putchar('"');
}

int main(void)
{
    static struct statistics all;
    read_all(&all);
    qsort(all.table, BUCKETS, sizeof(all.table[0]), compare);
    printf("{\"lines\": %lu, \"words\": %lu, \"bytes\": %lu, \"different\": %lu, \"longest\": %lu, "
           "\"most_frequent\": {",
           all.lines, all.words, all.bytes, all.different, all.longest);
    for (unsigned int i = 0; i < SHOWN && all.table[i].count > 0; i++) {
        printf("%s", i > 0 ? ", " : "");
        print_text(all.table[i].text);
        printf(": %lu", all.table[i].count);
    }
    printf("}}\n");
    return ferror(stdin) || fflush(stdout) != 0;
}
