/* SPDX-License-Identifier: Apache-2.0 */
/* What is told to people and to clients: errors on stderr and in --log. */
#ifndef SKERRY_OCI_REPORT_H
#define SKERRY_OCI_REPORT_H

#include "oci/verb.h"

/* One line in --log (text or json) and on stderr. level: "error", "warning", "info" (on stderr only
 * with --debug; clients take that for the program's), "debug" (only with --debug). */
void oci_report(const struct oci_settings *set, const char *level, const char *text);

#endif
