/* SPDX-License-Identifier: Apache-2.0 */
/* A function as a row of the registry's table; private to the registry. */
#ifndef SKERRY_CONTROL_REGISTRY_ROW_H
#define SKERRY_CONTROL_REGISTRY_ROW_H

#include <sqlite3.h>
#include <stddef.h>

#include "base/err.h"
#include "sandbox/function.h"

#define ROW_LIST_ROOM 2048
/* "rw", source, target for each bind, each with its NUL */
#define ROW_SCRATCH_ROOM (FUNCTION_BINDS_MAX * (3 + 2 * FUNCTION_PATH_MAX))

enum row_form {
    ROW_DEFINITIONS, /* name TYPE NOT NULL, ... */
    ROW_NAMES,       /* name, ... */
    ROW_MARKS,       /* ?, ... */
};

/* Writes all columns in this form; tenant and name are the first two. */
void row_list(enum row_form form, char out[ROW_LIST_ROOM]);

/* Binds all columns of spec in their order; spec and scratch must stay until the statement has run.
 */
void row_bind(sqlite3_stmt *statement, const struct function_spec *spec,
              char scratch[ROW_SCRATCH_ROOM]);

/*
 * Reads a row of ROW_NAMES. 0; -EBADMSG when it does not pass function_check, then the texts of
 * *out are terminated and nothing else holds.
 */
int row_read(sqlite3_stmt *statement, struct function_spec *out, struct err *err);

#endif
