/* SPDX-License-Identifier: Apache-2.0 */
/* The registry on SQLite; see registry.h. How a function becomes a row is in registry_row.c. */
#include "control/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "control/registry_row.h"

struct registry {
    sqlite3 *db;
    sqlite3_stmt *put, *get, *each, *remove;
    sqlite3_stmt *revision_next, *revision_keep;
    sqlite3_stmt *tenant_find, *tenant_add;
};

static int db_error(struct registry *registry, const char *what, struct err *err)
{
    int code = sqlite3_errcode(registry->db) & 0xff;
    int system = sqlite3_system_errno(registry->db);
    int number = code == SQLITE_FULL    ? ENOSPC
                 : code == SQLITE_NOMEM ? ENOMEM
                 : system != 0          ? system
                                        : EIO;
    return err_set(err, number, "%s: %s", what, sqlite3_errmsg(registry->db));
}

static int run(struct registry *registry, const char *sql, const char *what, struct err *err)
{
    if (sqlite3_exec(registry->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return db_error(registry, what, err);
    return 0;
}

/* Steps a statement that gives no row; resets it. */
static int step_done(struct registry *registry, sqlite3_stmt *statement, const char *what,
                     struct err *err)
{
    int rc = sqlite3_step(statement) == SQLITE_DONE ? 0 : db_error(registry, what, err);
    sqlite3_reset(statement);
    return rc;
}

static int make_schema(struct registry *registry, struct err *err)
{
    char definitions[ROW_LIST_ROOM], sql[ROW_LIST_ROOM + 1024];
    row_list(ROW_DEFINITIONS, definitions);
    snprintf(sql, sizeof(sql),
             "BEGIN IMMEDIATE;"
             "CREATE TABLE functions (%s, PRIMARY KEY (tenant, name)) WITHOUT ROWID;"
             "CREATE TABLE revisions (tenant TEXT NOT NULL, name TEXT NOT NULL,"
             " last INTEGER NOT NULL, PRIMARY KEY (tenant, name)) WITHOUT ROWID;"
             "CREATE TABLE tenants (name TEXT NOT NULL PRIMARY KEY,"
             " uid_index INTEGER NOT NULL UNIQUE) WITHOUT ROWID;"
             "PRAGMA user_version = %d; COMMIT;",
             definitions, REGISTRY_SCHEMA_VERSION);
    return run(registry, sql, "make the registry's tables", err);
}

static int schema_version(struct registry *registry, int *out, struct err *err)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(registry->db, "PRAGMA user_version", -1, &statement, NULL) != SQLITE_OK)
        return db_error(registry, "read the registry's version", err);
    int rc = 0;
    if (sqlite3_step(statement) == SQLITE_ROW)
        *out = sqlite3_column_int(statement, 0);
    else
        rc = db_error(registry, "read the registry's version", err);
    sqlite3_finalize(statement);
    return rc;
}

static int check_schema(struct registry *registry, struct err *err)
{
    int version = 0;
    int rc = schema_version(registry, &version, err);
    if (rc < 0)
        return rc;
    if (version == 0)
        return make_schema(registry, err);
    if (version != REGISTRY_SCHEMA_VERSION)
        return err_set(err, EPROTO,
                       "the registry has schema version %d and this program knows %d: start the "
                       "skerryd that made it, or choose another state directory",
                       version, REGISTRY_SCHEMA_VERSION);
    return 0;
}

static int prepare(struct registry *registry, sqlite3_stmt **out, const char *sql, struct err *err)
{
    if (sqlite3_prepare_v3(registry->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL) !=
        SQLITE_OK)
        return db_error(registry, "prepare a statement of the registry", err);
    return 0;
}

static int prepare_all(struct registry *registry, struct err *err)
{
    char names[ROW_LIST_ROOM], marks[ROW_LIST_ROOM];
    char put[2 * ROW_LIST_ROOM + 128], get[ROW_LIST_ROOM + 128], each[ROW_LIST_ROOM + 128];
    row_list(ROW_NAMES, names);
    row_list(ROW_MARKS, marks);
    snprintf(put, sizeof(put), "INSERT OR REPLACE INTO functions (%s) VALUES (%s)", names, marks);
    snprintf(get, sizeof(get), "SELECT %s FROM functions WHERE tenant = ? AND name = ?", names);
    snprintf(each, sizeof(each), "SELECT %s FROM functions ORDER BY tenant, name", names);
    const struct {
        sqlite3_stmt **statement;
        const char *sql;
    } all[] = {
        {&registry->put, put},
        {&registry->get, get},
        {&registry->each, each},
        {&registry->remove, "DELETE FROM functions WHERE tenant = ? AND name = ?"},
        {&registry->revision_next, "SELECT last + 1 FROM revisions WHERE tenant = ? AND name = ?"},
        {&registry->revision_keep,
         "INSERT OR REPLACE INTO revisions (tenant, name, last) VALUES (?, ?, ?)"},
        {&registry->tenant_find, "SELECT uid_index FROM tenants WHERE name = ?"},
        {&registry->tenant_add,
         "INSERT INTO tenants SELECT ?, ifnull(max(uid_index) + 1, 0) FROM tenants"},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        int rc = prepare(registry, all[i].statement, all[i].sql, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* The file exists with its mode before SQLite opens it: its own files then take the same mode. */
static int make_file(const char *path, struct err *err)
{
    fd_owner fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd < 0 ? err_set(err, errno, "open the registry %s:", path) : 0;
}

int registry_open(const char *path, struct registry **out, struct err *err)
{
    int rc = make_file(path, err);
    if (rc < 0)
        return rc;
    struct registry *registry = calloc(1, sizeof(*registry));
    if (registry == NULL)
        return err_set(err, ENOMEM, "open the registry %s:", path);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
    if (sqlite3_open_v2(path, &registry->db, flags, NULL) != SQLITE_OK)
        rc = registry->db == NULL ? err_set(err, ENOMEM, "open the registry %s:", path)
                                  : db_error(registry, path, err);
    if (rc == 0) {
        /* somebody who reads along with the sqlite3 shell must not make a deploy fail at once */
        sqlite3_busy_timeout(registry->db, 2000);
        rc = run(registry,
                 "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                 "PRAGMA trusted_schema = OFF; PRAGMA secure_delete = ON;",
                 "set up the registry", err);
    }
    if (rc == 0)
        rc = check_schema(registry, err);
    if (rc == 0)
        rc = prepare_all(registry, err);
    if (rc < 0) {
        err_prefix(err, "the registry %s", path);
        registry_close(registry);
        return rc;
    }
    *out = registry;
    return 0;
}

void registry_close(struct registry *registry)
{
    if (registry == NULL)
        return;
    sqlite3_stmt *all[] = {registry->put,         registry->get,           registry->each,
                           registry->remove,      registry->revision_next, registry->revision_keep,
                           registry->tenant_find, registry->tenant_add};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        sqlite3_finalize(all[i]);
    sqlite3_close(registry->db);
    free(registry);
}

static void bind_key(sqlite3_stmt *statement, const char *tenant, const char *name)
{
    sqlite3_bind_text(statement, 1, tenant, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, name, -1, SQLITE_STATIC);
}

static int next_revision(struct registry *registry, const struct function_spec *spec, uint64_t *out,
                         struct err *err)
{
    bind_key(registry->revision_next, spec->tenant, spec->name);
    int step = sqlite3_step(registry->revision_next);
    int rc = 0;
    if (step == SQLITE_ROW)
        *out = (uint64_t)sqlite3_column_int64(registry->revision_next, 0);
    else if (step == SQLITE_DONE)
        *out = 1;
    else
        rc = db_error(registry, "read the function's last revision", err);
    sqlite3_reset(registry->revision_next);
    if (rc < 0)
        return rc;
    bind_key(registry->revision_keep, spec->tenant, spec->name);
    sqlite3_bind_int64(registry->revision_keep, 3, (sqlite3_int64)*out);
    return step_done(registry, registry->revision_keep, "keep the function's revision", err);
}

static int put_in_transaction(struct registry *registry, struct function_spec *spec,
                              struct err *err)
{
    char scratch[ROW_SCRATCH_ROOM];
    uint64_t revision = 0;
    int rc = next_revision(registry, spec, &revision, err);
    if (rc < 0)
        return rc;
    spec->revision = revision;
    row_bind(registry->put, spec, scratch);
    rc = step_done(registry, registry->put, "store the function", err);
    sqlite3_clear_bindings(registry->put); /* they point into spec and scratch */
    return rc;
}

int registry_put(struct registry *registry, struct function_spec *spec, struct err *err)
{
    uint64_t before = spec->revision;
    int rc = run(registry, "BEGIN IMMEDIATE", "begin to store the function", err);
    if (rc < 0)
        return rc;
    rc = put_in_transaction(registry, spec, err);
    if (rc == 0)
        rc = run(registry, "COMMIT", "store the function", err);
    if (rc < 0) {
        sqlite3_exec(registry->db, "ROLLBACK", NULL, NULL, NULL);
        spec->revision = before;
    }
    return rc;
}

int registry_remove(struct registry *registry, const char *tenant, const char *name,
                    struct err *err)
{
    bind_key(registry->remove, tenant, name);
    int rc = step_done(registry, registry->remove, "remove the function", err);
    if (rc == 0 && sqlite3_changes(registry->db) == 0)
        rc = err_set(err, ENOENT, "there is no function %s in %s", name, tenant);
    return rc;
}

int registry_get(struct registry *registry, const char *tenant, const char *name,
                 struct function_spec *out, struct err *err)
{
    bind_key(registry->get, tenant, name);
    int step = sqlite3_step(registry->get);
    int rc;
    if (step == SQLITE_ROW)
        rc = row_read(registry->get, out, err);
    else if (step == SQLITE_DONE)
        rc = err_set(err, ENOENT, "there is no function %s in %s", name, tenant);
    else
        rc = db_error(registry, "read the function", err);
    sqlite3_reset(registry->get);
    return rc;
}

int registry_each(struct registry *registry, registry_each_fn each, void *arg, struct err *err)
{
    struct function_spec *spec = malloc(sizeof(*spec));
    if (spec == NULL)
        return err_set(err, ENOMEM, "read the registry:");
    int rc = 0;
    while (rc >= 0) {
        int step = sqlite3_step(registry->each);
        if (step == SQLITE_DONE)
            break;
        if (step != SQLITE_ROW) {
            rc = db_error(registry, "read the registry", err);
            break;
        }
        struct err why;
        rc = each(arg, spec, row_read(registry->each, spec, &why) < 0 ? &why : NULL);
    }
    sqlite3_reset(registry->each);
    free(spec);
    return rc < 0 ? rc : 0;
}

static int find_tenant(struct registry *registry, const char *tenant, uint32_t *out,
                       struct err *err)
{
    sqlite3_bind_text(registry->tenant_find, 1, tenant, -1, SQLITE_STATIC);
    int step = sqlite3_step(registry->tenant_find);
    int rc;
    if (step == SQLITE_ROW) {
        *out = (uint32_t)sqlite3_column_int64(registry->tenant_find, 0);
        rc = 1;
    } else {
        rc = step == SQLITE_DONE ? 0 : db_error(registry, "look for the tenant", err);
    }
    sqlite3_reset(registry->tenant_find);
    return rc;
}

int registry_tenant(struct registry *registry, const char *tenant, uint32_t *out_index,
                    struct err *err)
{
    uint32_t index = 0;
    int rc = find_tenant(registry, tenant, &index, err);
    if (rc == 0) {
        sqlite3_bind_text(registry->tenant_add, 1, tenant, -1, SQLITE_STATIC);
        rc = step_done(registry, registry->tenant_add, "add the tenant", err);
        if (rc == 0)
            rc = find_tenant(registry, tenant, &index, err);
    }
    if (rc < 0)
        return rc;
    *out_index = index;
    return 0;
}
