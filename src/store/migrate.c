#include "store/migrate.h"

#include "base/clock.h"
#include "store/lock.h"
#include "store/schema.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define MIGRATE_WAIT_MS 60000
#define MIGRATE_PAUSE_NS 200000000

static int64_t migrate_known(const char *path) {
    return (int64_t)(sql_is_server(path) ? store_schema.postgres_n : store_schema.texts_n);
}

/* Open and close: as a writer that migrates. */
static enum err migrate_open(const char *path, enum sql_mode mode, int64_t *ret_version,
                             struct errinfo *reterr) {
    struct sql *db;
    enum err e = sql_open(path, mode, &store_schema, NULL, 0, &db, reterr);
    if (e == ERR_OK) {
        *ret_version = sql_found_version(db);
        sql_close(db);
    }
    return e;
}

static enum err migrate_look(const char *path, int64_t *ret_version, struct errinfo *reterr) {
    enum err e = migrate_open(path, SQL_LOOKER, ret_version, reterr);
    if (e == ERR_NOT_FOUND) {
        *ret_version = 0;
        return ERR_OK;
    }
    return e;
}

static enum err migrate_now(const char *path, int64_t *ret_version, struct errinfo *reterr) {
    struct store_lock lock = {.fd = -1};
    enum err e = sql_is_server(path) ? ERR_OK : store_lock_take(&lock, path, reterr);
    if (e == ERR_OK) {
        e = migrate_open(path, SQL_WRITER, ret_version, reterr);
        store_lock_release(&lock);
    }
    return e;
}

enum err store_migrate(const char *path, bool dry_run, struct store_migration *ret,
                       struct errinfo *reterr) {
    int64_t until_ms = clock_mono_ms() + MIGRATE_WAIT_MS;
    *ret = (struct store_migration){.to = migrate_known(path)};
    enum err e = migrate_look(path, &ret->from, reterr);
    if (e != ERR_OK || dry_run || ret->from == ret->to) {
        return e;
    }
    while ((e = migrate_now(path, &ret->from, reterr)) == ERR_BUSY && clock_mono_ms() < until_ms) {
        (void)nanosleep(&(struct timespec){.tv_nsec = MIGRATE_PAUSE_NS}, NULL);
    }
    return e;
}

void store_migration_step(const char *path, int64_t version, char ret_name[48],
                          const char **ret_text) {
    bool server = sql_is_server(path);
    ASSERT(version >= 0 && version < migrate_known(path));
    (void)snprintf(ret_name, 48, "schema/%s%04" PRId64 ".sql", server ? "postgres/" : "",
                   version + 1);
    *ret_text = (server ? store_schema.postgres : store_schema.texts)[version];
}
