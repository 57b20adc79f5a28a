/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of the verb table, each defined in the file of its name. */
#ifndef SKERRY_CLI_VERBS_H
#define SKERRY_CLI_VERBS_H

#include "cli/verb.h"

extern const struct verb verb_run, verb_serve, verb_deploy, verb_list, verb_describe, verb_invoke,
    verb_logs, verb_remove, verb_image_import, verb_image_list, verb_image_remove, verb_doctor,
    verb_completion, verb_version, verb_help, verb_complete;

/* help.c: the verb's own page, or with NULL that of the program. */
void help_print(const struct verb *verb);

/* manpage.c: skerry-VERB.1 in mdoc on stdout. */
void manpage_print(const struct verb *verb);

#endif
