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
#include "store/sql.h"

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
enum { SQL_BEGIN_WRITE, SQL_BEGIN_READ, SQL_COMMIT, SQL_OWN_TEXTS };
static const char *const sql_own_texts[SQL_OWN_TEXTS] = {
    [SQL_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [SQL_BEGIN_READ] = "BEGIN",
    [SQL_COMMIT] = "COMMIT",
};

struct sql_query {
    struct sql *db;
    sqlite3_stmt *handle; /* prepared at the first use */
    const char *text;
    int bound, parameters;
};

struct sql {
    sqlite3 *handle;
    char *path;
    enum sql_mode mode;
    enum err err; /* the first failure that was not taken yet */
    struct errinfo detail;
    int wal_pages; /* in the WAL after the last commit */
    int checkpoint_at_pages;
    size_t texts_n;
    struct sql_query queries[]; /* texts_n of the caller, then our own */
};

/* --- errors */

static enum err sql_err_of_errno(int errnum) {
    switch (errnum) {
    case 0:
    case ENOENT:
        return ERR_IO;
    default:
        return file_err(errnum);
    }
}

static enum err sql_err_of(int rc, int errnum) {
    switch (rc & 0xff) {
    case SQLITE_FULL:
        return ERR_DISK_FULL;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return ERR_READ_ONLY;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return sql_err_of_errno(errnum);
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
static int sql_errno(struct sql *db) {
    int errnum = sqlite3_system_errno(db->handle);
    sqlite3_file *log = NULL;
    (void)sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (errnum == 0 && log != NULL && log->pMethods != NULL) {
        (void)log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &errnum);
    }
    return errnum;
}

static void sql_fail(struct sql *db, int rc) {
    if (db->err != ERR_OK) {
        return;
    }
    int errnum = sql_errno(db);
    db->err = sql_err_of(rc, errnum);
    bool from_system = (rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN;
    const char *reason = from_system && errnum != 0 ? strerror(errnum) : sqlite3_errmsg(db->handle);
    (void)errinfo_set(&db->detail, db->err, "%s: %s", db->path, reason);
}

void sql_found_corrupt(struct sql *db, const char *what) {
    if (db->err == ERR_OK) {
        db->err = errinfo_set(&db->detail, ERR_CORRUPT, "%s: %s", db->path, what);
    }
}

bool sql_failed(const struct sql *db) {
    return db->err != ERR_OK;
}

enum err sql_take_err(struct sql *db, struct errinfo *reterr) {
    enum err e = db->err;
    if (e != ERR_OK) {
        (void)errinfo_set(reterr, e, "%s", db->detail.text);
        db->err = ERR_OK;
    }
    return e;
}

/* --- queries */

static void sql_prepare(struct sql_query *q) {
    struct sql *db = q->db;
    int rc =
        sqlite3_prepare_v3(db->handle, q->text, -1, SQLITE_PREPARE_PERSISTENT, &q->handle, NULL);
    if (rc != SQLITE_OK) {
        sql_fail(db, rc);
        return;
    }
    q->parameters = sqlite3_bind_parameter_count(q->handle);
    for (int i = 1; i <= q->parameters; i++) {
        char name[16]; /* $1 must come first in the text, then $2: PostgreSQL counts by name */
        (void)snprintf(name, sizeof name, "$%d", i);
        ASSERT(strcmp(sqlite3_bind_parameter_name(q->handle, i), name) == 0);
    }
}

struct sql_query *sql_use(struct sql *db, size_t index) {
    struct sql_query *q = &db->queries[index];
    ASSERT(q->bound == 0); /* nobody is in the middle of it */
    if (q->handle == NULL && db->err == ERR_OK) {
        sql_prepare(q);
    }
    return q;
}

static void sql_put_done(struct sql_query *q, int rc) {
    if (rc != SQLITE_OK) {
        sql_fail(q->db, rc);
    }
}

void sql_put_int(struct sql_query *q, int64_t value) {
    if (q->db->err == ERR_OK) {
        sql_put_done(q, sqlite3_bind_int64(q->handle, ++q->bound, value));
    }
}

void sql_put_str(struct sql_query *q, struct str value) {
    if (q->db->err == ERR_OK) {
        const char *p = value.p != NULL ? value.p : "";
        sql_put_done(
            q, sqlite3_bind_text64(q->handle, ++q->bound, p, value.n, SQLITE_STATIC, SQLITE_UTF8));
    }
}

void sql_put_null(struct sql_query *q) {
    if (q->db->err == ERR_OK) {
        sql_put_done(q, sqlite3_bind_null(q->handle, ++q->bound));
    }
}

void sql_end(struct sql_query *q) {
    (void)sqlite3_reset(q->handle); /* repeats what the step said */
    q->bound = 0;
}

bool sql_next(struct sql_query *q) {
    struct sql *db = q->db;
    if (db->err == ERR_OK) {
        ASSERT(q->bound == q->parameters);
        int rc = sqlite3_step(q->handle);
        if (rc == SQLITE_ROW) {
            return true;
        }
        if (rc != SQLITE_DONE) {
            sql_fail(db, rc);
        }
    }
    sql_end(q);
    return false;
}

int64_t sql_run(struct sql_query *q) {
    ASSERT(!sql_next(q));
    return q->db->err == ERR_OK ? sqlite3_changes64(q->db->handle) : 0;
}

int64_t sql_int(struct sql_query *q, int column) {
    return sqlite3_column_int64(q->handle, column);
}

struct str sql_str(struct sql_query *q, int column) {
    const char *p = (const char *)sqlite3_column_text(q->handle, column);
    return (struct str){p, (size_t)sqlite3_column_bytes(q->handle, column)};
}

bool sql_is_null(struct sql_query *q, int column) {
    return sqlite3_column_type(q->handle, column) == SQLITE_NULL;
}

/* --- texts that run once, while opening and closing */

static void sql_exec(struct sql *db, const char *text) {
    if (db->err == ERR_OK) {
        int rc = sqlite3_exec(db->handle, text, NULL, NULL, NULL);
        if (rc != SQLITE_OK) {
            sql_fail(db, rc);
        }
    }
}

/* The first column of the first row, as @ret (cut off at @size); "" on failure. */
static void sql_ask(struct sql *db, const char *text, char *ret, size_t size) {
    struct sql_query q = {.db = db, .text = text};
    ret[0] = '\0';
    if (db->err == ERR_OK) {
        sql_prepare(&q);
    }
    if (sql_next(&q)) {
        (void)snprintf(ret, size, "%.*s", STR_ARG(sql_str(&q, 0)));
    }
    (void)sqlite3_finalize(q.handle);
}

static int64_t sql_ask_int(struct sql *db, const char *text) {
    char value[32];
    int64_t n = 0;
    sql_ask(db, text, value, sizeof value);
    return str_to_i64(str_of(value), &n) ? n : 0;
}

void sql_check(struct sql *db) {
    char verdict[256];
    sql_ask(db, "PRAGMA quick_check(1)", verdict, sizeof verdict);
    if (strcmp(verdict, "ok") != 0) {
        sql_found_corrupt(db, verdict);
    }
}

/* --- transactions */

static struct sql_query *sql_own(struct sql *db, size_t index) {
    return sql_use(db, db->texts_n + index);
}

void sql_begin(struct sql *db) {
    (void)sql_run(sql_own(db, db->mode == SQL_WRITER ? SQL_BEGIN_WRITE : SQL_BEGIN_READ));
}

void sql_rollback(struct sql *db) {
    if (sqlite3_get_autocommit(db->handle) == 0) {
        (void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL); /* of itself it cannot fail */
    }
    db->err = ERR_OK;
}

enum err sql_commit(struct sql *db, struct errinfo *reterr) {
    (void)sql_run(sql_own(db, SQL_COMMIT));
    enum err e = sql_take_err(db, reterr);
    if (e != ERR_OK) {
        sql_rollback(db);
    }
    return e;
}

static int sql_on_commit(void *ctx, sqlite3 *handle, const char *name, int wal_pages) {
    (void)handle;
    (void)name;
    struct sql *db = ctx;
    db->wal_pages = wal_pages;
    return SQLITE_OK;
}

/* A checkpoint that fails loses nothing: the WAL holds it all, and the next one tries again.
 * Neither does a reader that stays too long, whose view of the log must be kept: it only makes the
 * log grow until it has gone. */
int64_t sql_upkeep(struct sql *db) {
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

static void sql_init_library_once(void) {
    /* Counting the bytes of all connections costs a lock per allocation. */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    ASSERT(sqlite3_initialize() == SQLITE_OK);
}

/* Is it ours? Nothing is written before this is known. */
static enum err sql_identify(struct sql *db, const struct sql_schema *schema, size_t *ret_version,
                             struct errinfo *reterr) {
    int64_t application = sql_ask_int(db, "PRAGMA application_id");
    int64_t version = sql_ask_int(db, "PRAGMA user_version");
    int64_t tables = sql_ask_int(db, "SELECT count(*) FROM sqlite_schema");
    enum err e = sql_take_err(db, reterr);
    if (e == ERR_CORRUPT) {
        return errinfo_set(reterr, e, "%s is not a Stumper store: it is no SQLite database",
                           db->path);
    }
    if (e != ERR_OK) {
        return e;
    }
    if (application != schema->application_id && (application != 0 || version != 0 || tables > 0)) {
        return errinfo_set(reterr, ERR_CORRUPT,
                           "%s is not a Stumper store: it is another program's database", db->path);
    }
    if (version < 0 || (size_t)version > schema->texts_n) {
        return errinfo_set(reterr, ERR_CORRUPT,
                           "%s was written by a newer Stumper (its schema is %" PRId64
                           ", this one knows %zu)",
                           db->path, version, schema->texts_n);
    }
    if (db->mode == SQL_READER && (size_t)version < schema->texts_n) {
        return version == 0 ? errinfo_set(reterr, ERR_NOT_FOUND, "%s holds no job", db->path)
                            : errinfo_set(reterr, ERR_CORRUPT,
                                          "%s was written by an older Stumper (schema %" PRId64
                                          "); run `stumper generate` on it once to convert it",
                                          db->path, version);
    }
    *ret_version = (size_t)version;
    return ERR_OK;
}

static void sql_migrate(struct sql *db, const struct sql_schema *schema, size_t version) {
    for (; version < schema->texts_n; version++) {
        char stamp[96];
        (void)snprintf(stamp, sizeof stamp,
                       "PRAGMA application_id = %" PRId32 "; PRAGMA user_version = %zu",
                       schema->application_id, version + 1);
        sql_exec(db, "BEGIN IMMEDIATE");
        sql_exec(db, schema->texts[version]);
        sql_exec(db, stamp);
        FAILPOINT("store.migrate.before_commit");
        sql_exec(db, "COMMIT");
        FAILPOINT("store.migrate.after_commit");
    }
}

static void sql_become_writer(struct sql *db, const struct sql_schema *schema, size_t version) {
    char mode[16];
    sql_exec(db,
             "PRAGMA page_size = " SQL_TEXT(SQL_PAGE_BYTES)); /* of a file that is still empty */
    sql_ask(db, "PRAGMA journal_mode = WAL", mode, sizeof mode);
    if (db->err == ERR_OK && strcmp(mode, "wal") != 0) {
        db->err = errinfo_set(&db->detail, ERR_IO,
                              "%s: this file system cannot hold a write-ahead log", db->path);
    }
    sql_exec(db, "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = OFF;"
                 "PRAGMA journal_size_limit = 67108864");
    (void)sqlite3_wal_hook(db->handle, sql_on_commit, db); /* replaces SQLite's own checkpoints */
    db->checkpoint_at_pages = SQL_WAL_PAGES_CHECKPOINT;
    sql_migrate(db, schema, version);
}

/* Settings that a hostile file cannot change. */
static void sql_harden(struct sql *db) {
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    (void)sqlite3_busy_timeout(db->handle, SQL_BUSY_MS);
    sql_exec(db, "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY;"
                 "PRAGMA wal_autocheckpoint = 0");
}

static enum err sql_connect(struct sql *db, struct errinfo *reterr) {
    char name[4096]; /* SQLite would take "file:x" for a URI and ":memory:" for no file at all */
    if ((size_t)snprintf(name, sizeof name, "%s%s", db->path[0] == '/' ? "" : "./", db->path) >=
        sizeof name) {
        return errinfo_set(reterr, ERR_IO, "cannot open %s: the path is too long", db->path);
    }
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                (db->mode == SQL_WRITER ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
                                        : SQLITE_OPEN_READONLY);
    int rc = sqlite3_open_v2(name, &db->handle, flags, NULL);
    ASSERT(db->handle != NULL); /* or there is no memory */
    if (rc != SQLITE_OK) {
        if (db->mode == SQL_READER && sqlite3_system_errno(db->handle) == ENOENT) {
            return errinfo_set(reterr, ERR_NOT_FOUND, "%s: no such file", db->path);
        }
        sql_fail(db, rc);
        return sql_take_err(db, reterr);
    }
    if (db->mode == SQL_WRITER && sqlite3_db_readonly(db->handle, "main") == 1) {
        return errinfo_set(reterr, ERR_READ_ONLY, "%s is not writable", db->path);
    }
    return ERR_OK;
}

static enum err sql_set_up(struct sql *db, const struct sql_schema *schema,
                           struct errinfo *reterr) {
    size_t version = 0;
    enum err e = sql_connect(db, reterr);
    if (e != ERR_OK) {
        return e;
    }
    sql_harden(db);
    e = sql_identify(db, schema, &version, reterr);
    if (e == ERR_OK && db->mode == SQL_WRITER) {
        sql_become_writer(db, schema, version);
        e = sql_take_err(db, reterr);
    }
    return e;
}

enum err sql_open(const char *path, enum sql_mode mode, const struct sql_schema *schema,
                  const char *const *texts, size_t texts_n, struct sql **ret,
                  struct errinfo *reterr) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    ASSERT(pthread_once(&once, sql_init_library_once) == 0);
    size_t queries_n = texts_n + SQL_OWN_TEXTS;
    struct sql *db = mem_new(sizeof *db + queries_n * sizeof db->queries[0]);
    db->path = mem_dup_cstr(path, strlen(path));
    db->mode = mode;
    db->texts_n = texts_n;
    for (size_t i = 0; i < queries_n; i++) {
        db->queries[i].db = db;
        db->queries[i].text = i < texts_n ? texts[i] : sql_own_texts[i - texts_n];
    }
    enum err e = sql_set_up(db, schema, reterr);
    if (e != ERR_OK) {
        sql_close(db);
        return e;
    }
    *ret = db;
    return ERR_OK;
}

/* Failures are of no account here: what was committed is on disk, and the next writer tidies up. */
static void sql_leave_one_file(struct sql *db) {
    (void)sqlite3_busy_timeout(db->handle, 0);
    (void)sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    (void)sqlite3_exec(db->handle, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
}

void sql_close(struct sql *db) {
    for (size_t i = 0; i < db->texts_n + SQL_OWN_TEXTS; i++) {
        (void)sqlite3_finalize(db->queries[i].handle);
    }
    if (db->mode == SQL_WRITER && db->checkpoint_at_pages > 0) { /* it came to be one */
        sql_leave_one_file(db);
    }
    ASSERT(sqlite3_close(db->handle) == SQLITE_OK);
    free(db->path);
    free(db);
}
