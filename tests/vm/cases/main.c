// SPDX-License-Identifier: Apache-2.0
/* abi-cases NAME runs a case; without a name it prints all names. */
#include "case.h"

static struct case_entry *all;

void case_register(struct case_entry *entry)
{
    entry->next = all;
    all = entry;
}

long case_show(const char *text, long result)
{
    if (result == -1 && errno)
        printf("%s = -1 %s\n", text, strerrorname_np(errno));
    else
        printf("%s = %ld\n", text, result);
    fflush(stdout);
    return result;
}

void case_true(const char *text, int is)
{
    printf("%s: %s\n", text, is ? "yes" : "no");
    fflush(stdout);
}

void case_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        printf("cannot make %s: %s\n", path, strerrorname_np(errno));
    close(fd);
}

void case_cat(const char *path)
{
    char text[4096];
    int fd = open(path, O_RDONLY);
    ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text));
    if (len < 0)
        printf("%s: %s\n", path, strerrorname_np(errno));
    else
        printf("%s: [%.*s]\n", path, (int)len, text);
    close(fd);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    for (struct case_entry *entry = all; entry; entry = entry->next) {
        if (argc < 2) {
            puts(entry->name);
        } else if (!strcmp(entry->name, argv[1])) {
            entry->run();
            return 0;
        }
    }
    return argc < 2 ? 0 : 99;
}
