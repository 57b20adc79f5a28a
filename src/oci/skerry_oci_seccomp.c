/* SPDX-License-Identifier: Apache-2.0 */
/*
 * skerry-oci-seccomp: a seccomp profile (the JSON object `linux.seccomp`) on stdin becomes a
 * program of the kernel on stdout, behind a header that names the libseccomp that made it. What
 * goes wrong is one line on stderr and status 1. Runs with its caller's rights and opens nothing.
 */
#include <dlfcn.h>
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "oci/seccomp_answer.h"
#include "oci/seccomp_compile.h"
#include "oci/spec.h"

/* An unknown place of the library makes a program that no cache will keep. */
static void name_library(struct seccomp_library *out)
{
    Dl_info place;
    struct stat facts;
    if (dladdr((void *)(uintptr_t)seccomp_init, &place) == 0 || place.dli_fname == NULL ||
        strlen(place.dli_fname) >= sizeof(out->path) || stat(place.dli_fname, &facts) < 0)
        return;
    memcpy(out->path, place.dli_fname, strlen(place.dli_fname));
    out->device = facts.st_dev;
    out->inode = facts.st_ino;
    out->size = (uint64_t)facts.st_size;
    out->modified_ns = facts.st_mtim.tv_sec * 1000000000 + facts.st_mtim.tv_nsec;
}

static int answer(const char *text, size_t size, struct err *err)
{
    struct {
        struct seccomp_answer head;
        struct sock_filter code[SECCOMP_INSTRUCTIONS_MAX];
    } *out = calloc(1, sizeof(*out));
    struct oci_spec spec = {0};
    int result = out != NULL ? oci_seccomp_parse(text, size, &spec, err)
                             : err_set(err, ENOMEM, "compile the seccomp profile:");
    if (result == 0)
        result = oci_seccomp_compile(spec.linux_.seccomp, out->code, SECCOMP_INSTRUCTIONS_MAX, err);
    if (out != NULL && result > 0) {
        out->head.count = (uint32_t)result;
        name_library(&out->head.library);
        result = fd_write_all(STDOUT_FILENO, out,
                              sizeof(out->head) + (size_t)result * sizeof(out->code[0]));
        if (result < 0)
            err_set(err, -result, "write the program:");
    }
    oci_spec_free(&spec);
    free(out);
    return result;
}

int main(void)
{
    struct err err = {0};
    char *text = malloc(JSON_SIZE_MAX);
    ssize_t size = text != NULL ? fd_read_all(STDIN_FILENO, text, JSON_SIZE_MAX) : -ENOMEM;
    int result = size >= 0 ? answer(text, (size_t)size, &err)
                           : err_set(&err, (int)-size, "read the seccomp profile:");
    free(text);
    if (result < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    return 0;
}
