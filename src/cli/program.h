/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the program that a command line names, on this machine. */
#ifndef SKERRY_CLI_PROGRAM_H
#define SKERRY_CLI_PROGRAM_H

#include <limits.h>

#include "base/err.h"
#include "sandbox/function.h"

/*
 * Resolves a path of this machine, or a bare name in the usual directories, to the real path of a
 * file that may be executed. 0, -ENOENT (and what else keeps one from finding it), or -EACCES when
 * it is no program.
 */
int program_find(const char *program, char real[PATH_MAX], struct err *err);

/*
 * For a machine that is to hold only the program at `real` and the libraries that it links:
 * -ENOEXEC with a sentence for an interpreter that is nothing without its tree of modules, else 0.
 */
int program_stands_alone(const char *real, struct err *err);

/*
 * Makes `program` the first argument of a spec that shows the machine's /usr. A name is left to the
 * sandbox's PATH, and so is a path that is the same there. Any other path is a file of the user's:
 * it is shown alone, read-only, in /app. Results as program_find, and -E2BIG without room for a
 * bind.
 */
int program_on_usr(const char *program, struct function_spec *spec, struct err *err);

#endif
