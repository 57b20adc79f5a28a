// SPDX-License-Identifier: Apache-2.0
/* abi-cases NAME runs a case; without a name it prints all names. */
#include <dirent.h>

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

void case_list(const char *path)
{
    char *names[64];
    int count = 0;
    DIR *dir = opendir(path);
    if (!dir) {
        printf("%s: %s\n", path, strerrorname_np(errno));
        return;
    }
    for (struct dirent *e; (e = readdir(dir)) && count < 64;) {
        names[count] = malloc(strlen(e->d_name) + 4);
        sprintf(names[count++], "%s/%d", e->d_name, e->d_type);
    }
    closedir(dir);
    for (int i = 0; i < count; i++) {
        for (int k = i + 1; k < count; k++) {
            if (strcmp(names[i], names[k]) > 0) {
                char *t = names[i];
                names[i] = names[k];
                names[k] = t;
            }
        }
        printf("%s ", names[i]);
    }
    printf("\n");
    fflush(stdout);
}

void case_stat(const char *path)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        printf("%s: %s\n", path, strerrorname_np(errno));
    else
        printf("%s: mode %o links %ld size %ld\n", path, st.st_mode, (long)st.st_nlink,
               S_ISDIR(st.st_mode) ? 0 : (long)st.st_size);
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
