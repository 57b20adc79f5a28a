/* SPDX-License-Identifier: Apache-2.0 */
/* The options that `run` and `deploy` share, as the description of a function. */
#ifndef SKERRY_CLI_SPEC_H
#define SKERRY_CLI_SPEC_H

#include "base/err.h"
#include "cli/verb.h"
#include "sandbox/function.h"

/*
 * Fills *out with what the options say of limits, confinement, environment, binds, labels and HTTP;
 * the rest has its defaults. Name, image and program are the caller's to add, then
 * function_check(). 0, or -errno with a sentence.
 */
int spec_of_settings(const struct settings *settings, struct function_spec *out, struct err *err);

/*
 * Parses every --bind of list into binds (room for FUNCTION_BINDS_MAX). A relative SRC is taken
 * from the current directory and must exist; DST must be absolute. 0, or -errno with a sentence.
 */
int binds_parse(const struct text_list *list, struct function_bind *binds, uint32_t *out_count,
                struct err *err);

/* Appends operands[first..] to the arguments. 0, or -E2BIG with a sentence. */
int spec_add_operands(const struct settings *settings, int first, struct function_spec *out,
                      struct err *err);
int spec_add_arg(const char *text, struct function_spec *out, struct err *err);

#endif
