/* The SQLite driver: the only file that knows sqlite3.h.
 *
 * While a writer has the file open it is in WAL mode with synchronous=FULL: a commit is one append
 * and one fsync, and readers see the last commit without waiting. The writer alone checkpoints (two
 * connections that do so at once can corrupt a WAL file, and no version in Debian has the fix), so
 * readers are opened read-only. At the end the writer turns the file back into rollback mode: a
 * store at rest is one plain file, which can be copied and read from a read-only folder.
 *
 * No code of ours may open() and close() the database file itself: that would drop the POSIX locks
 * that SQLite holds on it in this process.
 */
#include "store/sql_driver.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SQL_BUSY_MS 5000
#define SQL_CHECKPOINT_BUSY_MS 100 /* the writer stands still so long at most */
/* Twice SQLite's own: half the system calls a byte, and texts of 1 to 4 KB fill pages better.
 * Larger ones would make a commit of a single call too heavy, since it writes at least four pages.
 */
#define SQL_PAGE_BYTES 8192
#define SQL_WAL_PAGES_CHECKPOINT 1000 /* 8 MB: then checkpoint what no reader needs */
#define SQL_WAL_PAGES_MAX 8000        /* 64 MB: then wait for the readers and start over */

#define SQL_TEXT(n) SQL_TEXT_OF(n)
#define SQL_TEXT_OF(n) #n

/* The texts that every connection has, behind the caller's. */
enum { OWN_BEGIN_WRITE, OWN_BEGIN_READ, OWN_COMMIT, OWN_TEXTS };
static const char *const sqlite_own_texts[OWN_TEXTS] = {
    [OWN_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [OWN_BEGIN_READ] = "BEGIN",
    [OWN_COMMIT] = "COMMIT",
};

struct sqlite_query {
    struct sql_query head;
    sqlite3_stmt *handle; /* prepared at the first use */
    int parameters;
};

struct sqlite {
    struct sql head;
    sqlite3 *handle;
    int wal_pages; /* in the WAL after the last commit */
    int checkpoint_at_pages;
    size_t texts_n;
    struct sqlite_query queries[]; /* texts_n of the caller, then our own */
};

static struct sqlite *sqlite_of(struct sql *db) {
    return CONTAINER_OF(db, struct sqlite, head);
}

static struct sqlite_query *sqlite_query_of(struct sql_query *q) {
    return CONTAINER_OF(q, struct sqlite_query, head);
}

static struct sqlite *sqlite_db_of(const struct sqlite_query *q) {
    return sqlite_of(q->head.db);
}

/* --- errors */

static enum err sqlite_err_of_errno(int errnum) {
    switch (errnum) {
    case 0:
    case ENOENT:
        return ERR_IO;
    default:
        return file_err(errnum);
    }
}

static enum err sqlite_err_of(int rc, int errnum) {
    switch (rc & 0xff) {
    case SQLITE_FULL:
        return ERR_DISK_FULL;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return ERR_READ_ONLY;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return sqlite_err_of_errno(errnum);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_CORRUPT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_BUSY;
    case SQLITE_TOOBIG:
        return ERR_TOO_BIG;
    default:
        return ERR_INTERNAL;
    }
}

/* Why the operating system refused. SQLite forgets it when a commit fails; the log's file still
 * knows. 0: nothing is known. */
static int sqlite_errno(struct sqlite *db) {
    int errnum = sqlite3_system_errno(db->handle);
    sqlite3_file *log = NULL;
    (void)sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (errnum == 0 && log != NULL && log->pMethods != NULL) {
        (void)log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &errnum);
    }
    return errnum;
}

#define SQLITE_DAMAGED                                                                             \
    "the file is damaged; put a backup in its place (`stumper doctor --store` says what is wrong)"

static void sqlite_fail(struct sqlite *db, int rc) {
    if (db->head.err != ERR_OK) {
        return;
    }
    int errnum = sqlite_errno(db);
    bool from_system = (rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN;
    const char *reason = sqlite3_errmsg(db->handle);
    if (from_system && errnum != 0) {
        reason = strerror(errnum);
    } else if ((rc & 0xff) == SQLITE_NOTADB) {
        reason = "it is no SQLite database, so no Stumper store";
    } else if ((rc & 0xff) == SQLITE_CORRUPT) {
        reason = SQLITE_DAMAGED;
    }
    sql_fail_as(&db->head, sqlite_err_of(rc, errnum), reason);
}

/* --- queries */

static void sqlite_prepare(struct sqlite_query *q) {
    struct sqlite *db = sqlite_db_of(q);
    int rc = sqlite3_prepare_v3(db->handle, q->head.text, -1, SQLITE_PREPARE_PERSISTENT, &q->handle,
                                NULL);
    if (rc != SQLITE_OK) {
        sqlite_fail(db, rc);
        return;
    }
    q->parameters = sqlite3_bind_parameter_count(q->handle);
    for (int i = 1; i <= q->parameters; i++) {
        char name[16]; /* $1 must come first in the text, then $2: PostgreSQL counts by name */
        (void)snprintf(name, sizeof name, "$%d", i);
        ASSERT(strcmp(sqlite3_bind_parameter_name(q->handle, i), name) == 0);
    }
}

static struct sql_query *sqlite_use(struct sql *head, size_t index) {
    struct sqlite_query *q = &sqlite_of(head)->queries[index];
    if (q->handle == NULL && head->err == ERR_OK) {
        sqlite_prepare(q);
    }
    return &q->head;
}

static void sqlite_put_done(struct sqlite_query *q, int rc) {
    if (rc != SQLITE_OK) {
        sqlite_fail(sqlite_db_of(q), rc);
    }
}

static void sqlite_put_int(struct sql_query *head, int64_t value) {
    struct sqlite_query *q = sqlite_query_of(head);
    sqlite_put_done(q, sqlite3_bind_int64(q->handle, ++head->bound, value));
}

static void sqlite_put_str(struct sql_query *head, struct str value) {
    struct sqlite_query *q = sqlite_query_of(head);
    const char *p = value.p != NULL ? value.p : "";
    sqlite_put_done(
        q, sqlite3_bind_text64(q->handle, ++head->bound, p, value.n, SQLITE_STATIC, SQLITE_UTF8));
}

static void sqlite_put_null(struct sql_query *head) {
    struct sqlite_query *q = sqlite_query_of(head);
    sqlite_put_done(q, sqlite3_bind_null(q->handle, ++head->bound));
}

static void sqlite_end(struct sql_query *head) {
    (void)sqlite3_reset(sqlite_query_of(head)->handle); /* repeats what the step said */
    head->bound = 0;
}

static bool sqlite_next(struct sql_query *head) {
    struct sqlite_query *q = sqlite_query_of(head);
    if (head->db->err == ERR_OK) {
        ASSERT(head->bound == q->parameters);
        int rc = sqlite3_step(q->handle);
        if (rc == SQLITE_ROW) {
            return true;
        }
        if (rc != SQLITE_DONE) {
            sqlite_fail(sqlite_db_of(q), rc);
        }
    }
    sqlite_end(head);
    return false;
}

static int64_t sqlite_run(struct sql_query *q) {
    ASSERT(!sqlite_next(q));
    return q->db->err == ERR_OK ? sqlite3_changes64(sqlite_of(q->db)->handle) : 0;
}

static int64_t sqlite_column_int(struct sql_query *q, int column) {
    return sqlite3_column_int64(sqlite_query_of(q)->handle, column);
}

static struct str sqlite_column_str(struct sql_query *head, int column) {
    sqlite3_stmt *handle = sqlite_query_of(head)->handle;
    const char *p = (const char *)sqlite3_column_text(handle, column);
    return (struct str){p, (size_t)sqlite3_column_bytes(handle, column)};
}

static bool sqlite_column_is_null(struct sql_query *q, int column) {
    return sqlite3_column_type(sqlite_query_of(q)->handle, column) == SQLITE_NULL;
}

/* --- texts that run once, while opening and closing */

static void sqlite_exec(struct sqlite *db, const char *text) {
    if (db->head.err == ERR_OK) {
        int rc = sqlite3_exec(db->handle, text, NULL, NULL, NULL);
        if (rc != SQLITE_OK) {
            sqlite_fail(db, rc);
        }
    }
}

/* The first column of the first row, as @ret (cut off at @size); "" on failure. */
static void sqlite_ask(struct sqlite *db, const char *text, char *ret, size_t size) {
    struct sqlite_query q = {.head = {.db = &db->head, .text = text}};
    ret[0] = '\0';
    if (db->head.err == ERR_OK) {
        sqlite_prepare(&q);
    }
    if (sqlite_next(&q.head)) {
        (void)snprintf(ret, size, "%.*s", STR_ARG(sqlite_column_str(&q.head, 0)));
    }
    (void)sqlite3_finalize(q.handle);
}

static int64_t sqlite_ask_int(struct sqlite *db, const char *text) {
    char value[32];
    int64_t n = 0;
    sqlite_ask(db, text, value, sizeof value);
    return str_to_i64(str_of(value), &n) ? n : 0;
}

static void sqlite_check(struct sql *head) {
    char verdict[256];
    sqlite_ask(sqlite_of(head), "PRAGMA quick_check(1)", verdict, sizeof verdict);
    if (strcmp(verdict, "ok") != 0) {
        sql_found_corrupt(head, verdict);
    }
}

/* --- transactions */

static enum sql_fate sqlite_fate(struct sql *head) {
    (void)head; /* a file is never away */
    return SQL_LOST;
}

static struct sql_query *sqlite_own(struct sql *head, size_t index) {
    return sqlite_use(head, sqlite_of(head)->texts_n + index);
}

static void sqlite_begin(struct sql *head) {
    head->clock_ms = clock_mono_ms();
    head->wall_ms = clock_wall_ms();
    (void)sqlite_run(sqlite_own(head, head->mode == SQL_WRITER ? OWN_BEGIN_WRITE : OWN_BEGIN_READ));
}

static void sqlite_rollback(struct sql *head) {
    sqlite3 *handle = sqlite_of(head)->handle;
    if (sqlite3_get_autocommit(handle) == 0) {
        (void)sqlite3_exec(handle, "ROLLBACK", NULL, NULL, NULL); /* of itself it cannot fail */
    }
    head->err = ERR_OK;
}

static enum err sqlite_commit(struct sql *head, struct errinfo *reterr) {
    (void)sqlite_run(sqlite_own(head, OWN_COMMIT));
    enum err e = sql_take_err(head, reterr);
    if (e != ERR_OK) {
        sqlite_rollback(head);
    }
    return e;
}

static int sqlite_on_commit(void *ctx, sqlite3 *handle, const char *name, int wal_pages) {
    (void)handle;
    (void)name;
    struct sqlite *db = ctx;
    db->wal_pages = wal_pages;
    return SQLITE_OK;
}

/* A checkpoint that fails loses nothing: the WAL holds it all, and the next one tries again.
 * Neither does a reader that stays too long, whose view of the log must be kept: it only makes the
 * log grow until it has gone. */
static int64_t sqlite_upkeep(struct sql *head) {
    struct sqlite *db = sqlite_of(head);
    int64_t bytes = (int64_t)db->wal_pages * SQL_PAGE_BYTES;
    if (db->wal_pages < db->checkpoint_at_pages) {
        return bytes;
    }
    int pages = 0, done = 0;
    int mode =
        db->wal_pages < SQL_WAL_PAGES_MAX ? SQLITE_CHECKPOINT_PASSIVE : SQLITE_CHECKPOINT_RESTART;
    (void)sqlite3_busy_timeout(db->handle, SQL_CHECKPOINT_BUSY_MS);
    FAILPOINT("store.checkpoint.before");
    int rc = sqlite3_wal_checkpoint_v2(db->handle, NULL, mode, &pages, &done);
    FAILPOINT("store.checkpoint.after");
    (void)sqlite3_busy_timeout(db->handle, SQL_BUSY_MS);
    bool whole = rc == SQLITE_OK && done == pages;
    db->checkpoint_at_pages = (whole ? 0 : db->wal_pages) + SQL_WAL_PAGES_CHECKPOINT;
    db->wal_pages = 0;
    return bytes;
}

/* --- opening */

static void sqlite_init_library_once(void) {
    /* Counting the bytes of all connections costs a lock per allocation. Pages of the cache come
     * one by one, as they are needed, and not twenty for each connection. */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    (void)sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
    ASSERT(sqlite3_initialize() == SQLITE_OK);
}

/* Is it ours? Nothing is written before this is known. */
static enum err sqlite_identify(struct sqlite *db, const struct sql_schema *schema,
                                size_t *ret_version, struct errinfo *reterr) {
    int64_t application = sqlite_ask_int(db, "PRAGMA application_id");
    int64_t version = sqlite_ask_int(db, "PRAGMA user_version");
    int64_t tables = sqlite_ask_int(db, "SELECT count(*) FROM sqlite_schema");
    enum err e = sql_take_err(&db->head, reterr);
    if (e != ERR_OK) {
        return e;
    }
    if (application != schema->application_id && (application != 0 || version != 0 || tables > 0)) {
        return errinfo_set(reterr, ERR_CORRUPT,
                           "%s is not a Stumper store: it is another program's database",
                           db->head.name);
    }
    if (version < 0 || (size_t)version > schema->texts_n) {
        return errinfo_set(reterr, ERR_CORRUPT,
                           "%s was written by a newer Stumper (its schema is %" PRId64
                           ", this one knows %zu): use that version, or another file",
                           db->head.name, version, schema->texts_n);
    }
    if (db->head.mode == SQL_READER && (size_t)version < schema->texts_n) {
        return version == 0 ? errinfo_set(reterr, ERR_NOT_FOUND, "%s holds no job", db->head.name)
                            : errinfo_set(reterr, ERR_CORRUPT,
                                          "%s was written by an older Stumper (schema %" PRId64
                                          "); run `stumper generate` on it once to convert it",
                                          db->head.name, version);
    }
    *ret_version = (size_t)version;
    return ERR_OK;
}

static void sqlite_migrate(struct sqlite *db, const struct sql_schema *schema, size_t version) {
    for (; version < schema->texts_n; version++) {
        char stamp[96];
        (void)snprintf(stamp, sizeof stamp,
                       "PRAGMA application_id = %" PRId32 "; PRAGMA user_version = %zu",
                       schema->application_id, version + 1);
        sqlite_exec(db, "BEGIN IMMEDIATE");
        sqlite_exec(db, schema->texts[version]);
        sqlite_exec(db, stamp);
        FAILPOINT("store.migrate.before_commit");
        sqlite_exec(db, "COMMIT");
        FAILPOINT("store.migrate.after_commit");
    }
}

static void sqlite_become_writer(struct sqlite *db, const struct sql_schema *schema,
                                 size_t version) {
    char mode[16];
    sqlite_exec(db,
                "PRAGMA page_size = " SQL_TEXT(SQL_PAGE_BYTES)); /* of a file that is still empty */
    sqlite_ask(db, "PRAGMA journal_mode = WAL", mode, sizeof mode);
    if (db->head.err == ERR_OK && strcmp(mode, "wal") != 0) {
        db->head.err =
            errinfo_set(&db->head.detail, ERR_IO,
                        "%s: this file system cannot hold a write-ahead log", db->head.name);
    }
    sqlite_exec(db,
                "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = OFF;"
                "PRAGMA journal_size_limit = 67108864");
    (void)sqlite3_wal_hook(db->handle, sqlite_on_commit,
                           db); /* replaces SQLite's own checkpoints */
    db->checkpoint_at_pages = SQL_WAL_PAGES_CHECKPOINT;
    sqlite_migrate(db, schema, version);
    (void)sqlite3_db_release_memory(db->handle); /* pages of a schema that was just made */
}

/* Settings that a hostile file cannot change. */
static void sqlite_harden(struct sqlite *db) {
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    (void)sqlite3_busy_timeout(db->handle, SQL_BUSY_MS);
    sqlite_exec(db, "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY;"
                    "PRAGMA wal_autocheckpoint = 0");
}

static enum err sqlite_connect(struct sqlite *db, struct errinfo *reterr) {
    char name[4096]; /* SQLite would take "file:x" for a URI and ":memory:" for no file at all */
    if ((size_t)snprintf(name, sizeof name, "%s%s", db->head.name[0] == '/' ? "" : "./",
                         db->head.name) >= sizeof name) {
        return errinfo_set(reterr, ERR_IO, "cannot open %s: the path is too long", db->head.name);
    }
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                (db->head.mode == SQL_WRITER ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
                                             : SQLITE_OPEN_READONLY);
    int rc = sqlite3_open_v2(name, &db->handle, flags, NULL);
    ASSERT(db->handle != NULL); /* or there is no memory */
    if (rc != SQLITE_OK) {
        if (db->head.mode != SQL_WRITER && sqlite3_system_errno(db->handle) == ENOENT) {
            return errinfo_set(reterr, ERR_NOT_FOUND, "%s: no such file", db->head.name);
        }
        sqlite_fail(db, rc);
        return sql_take_err(&db->head, reterr);
    }
    if (db->head.mode == SQL_WRITER && sqlite3_db_readonly(db->handle, "main") == 1) {
        return errinfo_set(reterr, ERR_READ_ONLY, "%s is not writable", db->head.name);
    }
    return ERR_OK;
}

static enum err sqlite_set_up(struct sqlite *db, const struct sql_schema *schema,
                              struct errinfo *reterr) {
    size_t version = 0;
    enum err e = sqlite_connect(db, reterr);
    if (e != ERR_OK) {
        return e;
    }
    sqlite_harden(db);
    e = sqlite_identify(db, schema, &version, reterr);
    db->head.found_version = (int64_t)version;
    if (e == ERR_OK && db->head.mode == SQL_WRITER) {
        sqlite_become_writer(db, schema, version);
        e = sql_take_err(&db->head, reterr);
    }
    return e;
}

/* Failures are of no account here: what was committed is on disk, and the next writer tidies up. */
static void sqlite_leave_one_file(struct sqlite *db) {
    (void)sqlite3_busy_timeout(db->handle, 0);
    (void)sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    (void)sqlite3_exec(db->handle, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
}

static void sqlite_close(struct sql *head) {
    struct sqlite *db = sqlite_of(head);
    for (size_t i = 0; i < db->texts_n + OWN_TEXTS; i++) {
        (void)sqlite3_finalize(db->queries[i].handle);
    }
    if (head->mode == SQL_WRITER && db->checkpoint_at_pages > 0) { /* it came to be one */
        sqlite_leave_one_file(db);
    }
    ASSERT(sqlite3_close(db->handle) == SQLITE_OK);
    free(head->name);
    free(db);
}

static const struct sql_driver sqlite_driver = {
    .close = sqlite_close,
    .begin = sqlite_begin,
    .commit = sqlite_commit,
    .fate = sqlite_fate,
    .rollback = sqlite_rollback,
    .upkeep = sqlite_upkeep,
    .check = sqlite_check,
    .use = sqlite_use,
    .put_int = sqlite_put_int,
    .put_str = sqlite_put_str,
    .put_null = sqlite_put_null,
    .run = sqlite_run,
    .next = sqlite_next,
    .end = sqlite_end,
    .column_int = sqlite_column_int,
    .column_str = sqlite_column_str,
    .column_is_null = sqlite_column_is_null,
};

enum err sqlite_open(const struct sql_request *request, struct sql **ret, struct errinfo *reterr) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    ASSERT(pthread_once(&once, sqlite_init_library_once) == 0);
    size_t queries_n = request->texts_n + OWN_TEXTS;
    struct sqlite *db = mem_new(sizeof *db + queries_n * sizeof db->queries[0]);
    db->head = (struct sql){.driver = &sqlite_driver,
                            .name = mem_dup_cstr(request->place, strlen(request->place)),
                            .mode = request->mode};
    db->texts_n = request->texts_n;
    for (size_t i = 0; i < queries_n; i++) {
        db->queries[i].head.db = &db->head;
        db->queries[i].head.text =
            i < db->texts_n ? request->texts[i] : sqlite_own_texts[i - db->texts_n];
    }
    enum err e = sqlite_set_up(db, request->schema, reterr);
    if (e != ERR_OK) {
        sqlite_close(&db->head);
        return e;
    }
    *ret = &db->head;
    return ERR_OK;
}
