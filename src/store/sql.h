/* sql.h - what the store asks of a database: one connection, prepared queries, transactions.
 *
 * Inside the room only. A driver keeps this contract for each kind of database (sql_driver.h:
 * sqlite.c, postgres.c); the texts are the same for all ($1, $2 …, ON CONFLICT, RETURNING), but for
 * what only a server reads, where others write at the same time: what stands in a comment that
 * begins with "!", besides the text, and what stands in one that begins with "=", instead of it.
 *
 * Errors     the first failure sticks: from then on every call does nothing, rows end and numbers
 *            are 0, until sql_commit(), sql_rollback() or sql_take_err() reports it. So rules read
 *            straight through and nothing after a failure is ever written.
 * Threading  one thread at a time.
 */
#ifndef STUMPER_STORE_SQL_H
#define STUMPER_STORE_SQL_H

#include "base/err.h"
#include "base/str.h"

struct sql;       /* a connection */
struct sql_query; /* one prepared text of it */

enum sql_mode {
    SQL_WRITER, /* makes and migrates; of a file there is one in the world */
    SQL_READER, /* never writes, never checkpoints */
    SQL_LOOKER  /* likewise, for sql_found_version() alone: an older schema will do, too */
};

/* What became of a transaction whose commit failed with ERR_UNAVAILABLE. */
enum sql_fate {
    SQL_LOST,   /* nothing of it was kept */
    SQL_KEPT,   /* it was committed after all */
    SQL_UNKNOWN /* the server is away still: ask again, somewhat later */
};

/* Numbered migrations: texts[i] takes version i to i + 1. Each kind of database counts its own. */
struct sql_schema {
    int32_t application_id;
    const char *const *texts; /* of a file */
    size_t texts_n;
    const char *const *postgres; /* of a PostgreSQL database */
    size_t postgres_n;
};

/** Is @place a server's address (postgresql://…), not a file's path? / An address without its
 * secrets; "" if it is none. */
bool sql_is_server(const char *place);
void sql_server_name(const char *place, char *ret, size_t size);

/**
 * Open @place, a file's path or a server's address; as a writer make or migrate it. A server has
 * any number of writers; that a file has one only its caller sees to.
 *
 * @texts   the queries, known by their index from now on; must outlive the connection
 * @return  ERR_NOT_FOUND (reader: no such file, or an empty one) | ERR_CORRUPT (not ours, or newer
 *          than @schema) | ERR_BUSY | ERR_READ_ONLY | ERR_DISK_FULL | ERR_IO | ERR_UNAVAILABLE (no
 *          server) | ERR_USAGE (no address); @reterr names the file, or the server without its
 * secrets
 */
NODISCARD enum err sql_open(const char *place, enum sql_mode mode, const struct sql_schema *schema,
                            const char *const *texts, size_t texts_n, struct sql **ret,
                            struct errinfo *reterr);

/** What it is called: the path, or the address without its secrets. Borrowed. */
const char *sql_name(const struct sql *db);

/** The version of its schema when it was opened, before anything was done about that; 0: there was
 * none. */
int64_t sql_found_version(const struct sql *db);

/** Of a writer: 0 if nobody else writes to the database; else a number that no other process has.
 */
int64_t sql_process(const struct sql *db);

/** When the transaction began, in milliseconds. All processes that share the database see one
 * clock, the server's time of day; of a file it is this process' own, which never jumps. */
int64_t sql_clock_ms(const struct sql *db);

/** The time of day then: the server's, or this process'. */
int64_t sql_wall_ms(const struct sql *db);

/** By sql_clock_ms(): when the first transaction of this connection began. */
int64_t sql_connected_ms(const struct sql *db);

/** A writer leaves one file behind, without companions, unless a reader is still connected. */
void sql_close(struct sql *db);

/** Be connected: the queries that follow, until sql_take_err(), are a transaction each. */
void sql_connect(struct sql *db);

/** Begin a transaction: of a writer, with the right to write; of a reader, one unchanging view. */
void sql_begin(struct sql *db);

/** Commit, durably. On any failure since sql_begin(), and in here, nothing is kept. The failure is
 * taken. ERR_BUSY: somebody else was in the way; the same transaction may do when it is run again.
 */
NODISCARD enum err sql_commit(struct sql *db, struct errinfo *reterr);
void sql_rollback(struct sql *db);

/** After sql_commit() has said ERR_UNAVAILABLE, which only servers do, and before the next
 * transaction. */
enum sql_fate sql_fate(struct sql *db);

/** True if something has failed and was not taken yet. */
bool sql_failed(const struct sql *db);

/** Take the failure. ERR_OK if there is none. */
NODISCARD enum err sql_take_err(struct sql *db, struct errinfo *reterr);

/** Fail with ERR_CORRUPT: a row says @what, which cannot be. */
void sql_found_corrupt(struct sql *db, const char *what);

/** Between transactions: keep a file in shape (checkpoint once the WAL is long), and the connection
 * to a server. Returns how many bytes the log held before. */
int64_t sql_upkeep(struct sql *db);

/** The database's own integrity check. Reported like any other failure. */
void sql_check(struct sql *db);

/* --- queries
 * ------------------------------------------------------------------------------------------------
 * sql_use() → sql_put_…() for every parameter, in order → sql_run(), or sql_next() until it is
 * false (sql_end() gives up the rest). Text that is put must live until then.
 */
struct sql_query *sql_use(struct sql *db, size_t index);
void sql_put_int(struct sql_query *q, int64_t value);
void sql_put_str(struct sql_query *q, struct str value);
void sql_put_null(struct sql_query *q);

/** Run a query that gives no rows; returns how many it inserted, changed or deleted. */
int64_t sql_run(struct sql_query *q);

/** Likewise, if nothing depends on how many: it may be sent with what comes next, and its failure
 * be found by that, or by the commit. */
void sql_run_later(struct sql_query *q);

/** Step to the next row. False: no more, or failed; the query is then ended. */
bool sql_next(struct sql_query *q);
void sql_end(struct sql_query *q);

/* Columns of the current row, from 0. Text is borrowed until the next step. */
int64_t sql_int(struct sql_query *q, int column);
struct str sql_str(struct sql_query *q, int column);
bool sql_is_null(struct sql_query *q, int column);

#endif
