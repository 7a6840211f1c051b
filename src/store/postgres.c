/* The PostgreSQL driver. One connection to write, one of any number (postgres_link.h), and others
 * that read, each transaction of them one unchanging view.
 *
 * Dialect  how a transaction begins, and what the texts hide from SQLite in comments: which rows
 *          they lock. Numbers travel as eight bytes and text as it is; what the server thinks of as
 *          numeric or a small integer is read as text.
 * Text     PostgreSQL knows no NUL and only UTF-8: what it could not store becomes U+FFFD.
 * Later    what is run later is sent at once and answered with the next statement: one journey.
 * Losses   a connection that ends fails what is under way with ERR_UNAVAILABLE; the next
 *          transaction makes a new one. If it ended during the commit, nobody knows what became of
 *          it: each transaction therefore leaves its number in the writer's row of `writers`, and
 *          sql_fate() looks there. It locks the row, so it waits for a former session that still
 *          commits.
 */
#include "store/postgres_link.h"

#include "base/failpoint.h"
#include "base/mem.h"
#include "base/sbuf.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POSTGRES_PARAMETERS_MAX 20
#define POSTGRES_LATER_MAX 100         /* statements in a row, their answers fit into buffers, */
#define POSTGRES_LATER_BYTES_MAX 10000 /* and so long a text at most */
#define POSTGRES_TEXT_BYTES_MAX ((size_t)1024 * 1024 * 1024)

/* From the server's catalog, which does not change: pg_type.dat. */
#define POSTGRES_INT8 20
#define POSTGRES_TEXT 25

struct postgres_query {
    struct sql_query head;
    char *text;         /* head.text, its own */
    int64_t generation; /* of the connection that it is prepared in; 0: none */
    PGresult *rows;
    int row; /* the current one */
    int64_t ints[POSTGRES_PARAMETERS_MAX];
    const char *values[POSTGRES_PARAMETERS_MAX];
    int bytes[POSTGRES_PARAMETERS_MAX];
    Oid types[POSTGRES_PARAMETERS_MAX];
    struct sbuf mended[POSTGRES_PARAMETERS_MAX]; /* texts that had to be changed */
};

struct postgres {
    struct sql head;
    struct postgres_link link;
    bool in_transaction;
    size_t later;       /* statements that were sent and whose answers are not read yet */
    bool in_doubt;      /* the last commit may or may not have happened */
    int64_t commits;    /* the number of the last transaction that was begun */
    int64_t generation; /* of the connection that head.connected_ms is about */
    size_t texts_n;
    struct postgres_query queries[];
};

static struct postgres *postgres_of(struct sql *db) {
    return CONTAINER_OF(db, struct postgres, head);
}

static struct postgres_query *postgres_query_of(struct sql_query *q) {
    return CONTAINER_OF(q, struct postgres_query, head);
}

static void postgres_fail(struct postgres *db, const PGresult *result) {
    const char *reason;
    enum err e = pq_judge(result, &reason);
    sql_fail_as(&db->head, e, reason);
    if (e == ERR_UNAVAILABLE && result != NULL) {
        pq_drop(&db->link.pq);
    }
}

/* --- parameters */

static struct sql_query *postgres_use(struct sql *db, size_t index) {
    return &postgres_of(db)->queries[index].head;
}

static void postgres_put(struct sql_query *head, const char *value, size_t bytes, Oid type) {
    struct postgres_query *q = postgres_query_of(head);
    ASSERT(head->bound < POSTGRES_PARAMETERS_MAX);
    if (bytes > POSTGRES_TEXT_BYTES_MAX) {
        sql_fail_as(head->db, ERR_TOO_BIG, "a text is longer than PostgreSQL stores");
        return;
    }
    q->values[head->bound] = value;
    q->bytes[head->bound] = (int)bytes;
    if (type != 0 && q->types[head->bound] == 0) {
        q->types[head->bound] = type;
    }
    head->bound++;
}

static void postgres_put_int(struct sql_query *head, int64_t value) {
    int64_t *place = &postgres_query_of(head)->ints[head->bound];
    *place = (int64_t)htobe64((uint64_t)value);
    postgres_put(head, (const char *)place, sizeof *place, POSTGRES_INT8);
}

/* @value with U+FFFD for what PostgreSQL cannot store, in @ret. */
static void postgres_mend(struct str value, struct sbuf *ret) {
    sbuf_clear(ret);
    while (value.n > 0) {
        size_t n = 1;
        while (n <= 4 && n <= value.n && !str_is_utf8(str_take(value, n))) {
            n++;
        }
        bool good = value.p[0] != '\0' && n <= 4 && n <= value.n;
        sbuf_add(ret, good ? str_take(value, n) : S("\xEF\xBF\xBD"));
        value = str_skip(value, good ? n : 1);
    }
}

static void postgres_put_str(struct sql_query *head, struct str value) {
    struct sbuf *mended = &postgres_query_of(head)->mended[head->bound];
    if (value.n > 0 && (memchr(value.p, '\0', value.n) != NULL || !str_is_utf8(value))) {
        postgres_mend(value, mended);
        value = sbuf_str(mended);
    }
    postgres_put(head, value.n > 0 ? value.p : "", value.n, POSTGRES_TEXT);
}

static void postgres_put_null(struct sql_query *head) {
    postgres_put(head, NULL, 0, 0);
}

/* --- running */

static bool postgres_prepare(struct postgres *db, struct postgres_query *q, const char *name) {
    if (q->generation == db->link.generation) {
        return true;
    }
    PGresult *result =
        PQsendPrepare(db->link.pq.conn, name, q->head.text, q->head.bound, q->types) == 1
            ? pq_await(&db->link.pq)
            : NULL;
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        postgres_fail(db, result);
        PQclear(result);
        return false;
    }
    PQclear(result);
    q->generation = db->link.generation;
    return true;
}

/* The answers that were left for later; a failure is that of the transaction. */
static void postgres_catch_up(struct postgres *db) {
    const char *reason;
    size_t n = db->later;
    db->later = 0;
    if (n == 0 || db->link.pq.conn == NULL) {
        return;
    }
    PGresult *result = pq_end_row(&db->link.pq, n);
    if (pq_judge(result, &reason) != ERR_OK) {
        postgres_fail(db, result);
    }
    PQclear(result);
}

static bool postgres_send(struct postgres *db, struct postgres_query *q, const char *name) {
    static const int binary[POSTGRES_PARAMETERS_MAX] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                                        1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    int sent = db->link.pq.pooled ? PQsendQueryParams(db->link.pq.conn, q->text, q->head.bound,
                                                      q->types, q->values, q->bytes, binary, 0)
                                  : PQsendQueryPrepared(db->link.pq.conn, name, q->head.bound,
                                                        q->values, q->bytes, binary, 0);
    return sent == 1;
}

static void postgres_name(const struct postgres *db, const struct postgres_query *q, char *ret,
                          size_t size) {
    (void)snprintf(ret, size, "q%zu", (size_t)(q - db->queries));
}

static void postgres_execute(struct postgres_query *q) {
    struct postgres *db = postgres_of(q->head.db);
    char name[24];
    postgres_name(db, q, name, sizeof name);
    if (q->generation != db->link.generation) {
        postgres_catch_up(db);
    }
    if (db->link.pq.conn == NULL) {
        postgres_fail(db, NULL);
    }
    if (db->head.err != ERR_OK || (!db->link.pq.pooled && !postgres_prepare(db, q, name))) {
        return;
    }
    size_t n = db->later + 1;
    bool sent = postgres_send(db, q, name);
    db->later = 0;
    if (!sent) {
        pq_drop(&db->link.pq);
    }
    q->rows = !sent ? NULL : n > 1 ? pq_end_row(&db->link.pq, n) : pq_await(&db->link.pq);
    q->row = -1;
    const char *reason;
    if (pq_judge(q->rows, &reason) != ERR_OK) {
        postgres_fail(db, q->rows);
    }
}

static void postgres_end(struct sql_query *head) {
    struct postgres_query *q = postgres_query_of(head);
    PQclear(q->rows);
    q->rows = NULL;
    head->bound = 0;
}

static bool postgres_next(struct sql_query *head) {
    struct postgres_query *q = postgres_query_of(head);
    if (q->rows == NULL && head->db->err == ERR_OK) {
        postgres_execute(q);
    }
    if (head->db->err == ERR_OK && ++q->row < PQntuples(q->rows)) {
        return true;
    }
    postgres_end(head);
    return false;
}

static int64_t postgres_run(struct sql_query *head) {
    struct postgres_query *q = postgres_query_of(head);
    int64_t n = 0;
    if (head->db->err == ERR_OK) {
        postgres_execute(q);
    }
    if (head->db->err != ERR_OK || !str_to_i64(str_of(PQcmdTuples(q->rows)), &n)) {
        n = 0;
    }
    postgres_end(head);
    return n;
}

static bool postgres_may_wait(const struct postgres *db, const struct postgres_query *q) {
    int longest = 0;
    for (int i = 0; i < q->head.bound; i++) {
        longest = MAX(longest, q->bytes[i]);
    }
    return !db->link.pq.pooled && db->link.pq.conn != NULL &&
           q->generation == db->link.generation && db->later < POSTGRES_LATER_MAX &&
           longest <= POSTGRES_LATER_BYTES_MAX;
}

static void postgres_run_later(struct sql_query *head) {
    struct postgres_query *q = postgres_query_of(head);
    struct postgres *db = postgres_of(head->db);
    char name[24];
    if (head->db->err != ERR_OK || !postgres_may_wait(db, q) ||
        (db->later == 0 && !pq_begin_row(&db->link.pq))) {
        (void)postgres_run(head);
        return;
    }
    postgres_name(db, q, name, sizeof name);
    if (postgres_send(db, q, name)) {
        db->later++;
    } else {
        pq_drop(&db->link.pq);
        postgres_fail(db, NULL);
    }
    postgres_end(head);
}

static int64_t postgres_column_int(struct sql_query *head, int column) {
    const struct postgres_query *q = postgres_query_of(head);
    int64_t n = 0;
    if (PQgetisnull(q->rows, q->row, column) == 0 &&
        !str_to_i64(str_of(PQgetvalue(q->rows, q->row, column)), &n)) {
        sql_found_corrupt(head->db, "a number is none");
    }
    return n;
}

static struct str postgres_column_str(struct sql_query *head, int column) {
    const struct postgres_query *q = postgres_query_of(head);
    return (struct str){PQgetvalue(q->rows, q->row, column),
                        (size_t)PQgetlength(q->rows, q->row, column)};
}

static bool postgres_column_is_null(struct sql_query *head, int column) {
    const struct postgres_query *q = postgres_query_of(head);
    return PQgetisnull(q->rows, q->row, column) == 1;
}

/* --- transactions */

#define POSTGRES_CLOCK_MS "(extract(epoch FROM now()) * 1000)::bigint"

/* One journey to the server, which tells the time. A writer's comes with the number of the
 * transaction; whoever begins one is alive. */
static void postgres_begin_text(struct postgres *db, char *ret, size_t size) {
    const char *settings = postgres_link_settings(&db->link);
    if (db->head.mode == SQL_READER) {
        (void)snprintf(
            ret, size,
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;%s SELECT " POSTGRES_CLOCK_MS,
            settings);
    } else {
        (void)snprintf(ret, size,
                       "BEGIN ISOLATION LEVEL READ COMMITTED;%s"
                       " INSERT INTO writers (key, commits, locked) VALUES (%" PRId64 ", %" PRId64
                       ", %s) ON CONFLICT (key) DO UPDATE SET commits = excluded.commits,"
                       " at = now(), missing_ms = NULL, buried = false"
                       " RETURNING " POSTGRES_CLOCK_MS,
                       settings, db->link.key, ++db->commits,
                       db->link.pq.pooled ? "false" : "true");
    }
}

static void postgres_connect(struct sql *head) {
    struct errinfo why = {0};
    enum err e = postgres_link_revive(&postgres_of(head)->link, &why);
    if (e != ERR_OK && head->err == ERR_OK) {
        head->err = errinfo_set(&head->detail, e, "%s", why.text);
    }
}

static void postgres_begin(struct sql *head) {
    struct postgres *db = postgres_of(head);
    char text[768];
    ASSERT(!db->in_transaction);
    db->in_doubt = false; /* nobody has asked */
    db->later = 0;
    postgres_connect(head);
    if (db->link.pq.conn == NULL) {
        return;
    }
    postgres_begin_text(db, text, sizeof text);
    PGresult *result = pq_ask(&db->link.pq, text);
    const char *reason;
    db->in_transaction = true;
    if (pq_judge(result, &reason) != ERR_OK) {
        postgres_fail(db, result);
    } else if (PQntuples(result) == 1 &&
               str_to_i64(str_of(PQgetvalue(result, 0, 0)), &head->clock_ms)) {
        head->wall_ms = head->clock_ms;
        if (db->generation != db->link.generation) {
            db->generation = db->link.generation;
            head->connected_ms = head->clock_ms;
        }
    }
    PQclear(result);
}

static void postgres_rollback(struct sql *head) {
    struct postgres *db = postgres_of(head);
    postgres_catch_up(db);
    if (db->in_transaction && db->link.pq.conn != NULL &&
        postgres_link_do(&db->link, "ROLLBACK", NULL) != ERR_OK) {
        pq_drop(&db->link.pq);
    }
    db->in_transaction = false;
    head->err = ERR_OK;
}

static enum err postgres_commit(struct sql *head, struct errinfo *reterr) {
    struct postgres *db = postgres_of(head);
    postgres_catch_up(db);
    if (head->err == ERR_OK) {
        PGresult *result = db->link.pq.conn != NULL ? pq_ask(&db->link.pq, "COMMIT") : NULL;
        const char *reason;
        enum err judged = pq_judge(result, &reason);
        if (judged != ERR_OK) {
            db->in_doubt = judged == ERR_UNAVAILABLE && head->mode == SQL_WRITER;
            postgres_fail(db, result);
        } else if (strcmp(PQcmdStatus(result), "COMMIT") != 0) {
            sql_fail_as(head, ERR_INTERNAL, "the server rolled back");
        }
        PQclear(result);
    }
    enum err e = sql_take_err(head, reterr);
    if (e != ERR_OK && !db->in_doubt) {
        postgres_rollback(head);
    }
    db->in_transaction = false;
    return e;
}

static enum sql_fate postgres_fate(struct sql *head) {
    struct postgres *db = postgres_of(head);
    char text[128];
    int64_t commits;
    if (!db->in_doubt) {
        return SQL_LOST;
    }
    (void)snprintf(text, sizeof text,
                   "SELECT commits FROM writers WHERE key = %" PRId64 " FOR UPDATE", db->link.key);
    if (postgres_link_revive(&db->link, NULL) != ERR_OK ||
        postgres_link_ask_int(&db->link, text, -1, &commits, NULL) != ERR_OK) {
        return SQL_UNKNOWN;
    }
    db->in_doubt = false;
    return commits == db->commits ? SQL_KEPT : SQL_LOST;
}

/* The tables are the business of the server's autovacuum, as the schema tells it. */
static int64_t postgres_upkeep(struct sql *head) {
    struct postgres *db = postgres_of(head);
    postgres_link_notice(&db->link);
    enum err e = db->in_doubt ? ERR_OK : postgres_link_revive(&db->link, NULL);
    (void)e; /* the next transaction tells */
    return 0;
}

static void postgres_check(struct sql *head) {
    (void)head; /* pages have checksums of the server's own; there is nothing to ask for */
}

/* --- the schema */

/* Asked in one statement, so in one view: the tables of whoever migrates meanwhile are there with
 * their version, or not at all. */
#define POSTGRES_TABLES                                                                            \
    "SELECT max((tablename = 'stumper_schema')::int) FROM pg_tables"                               \
    " WHERE schemaname = current_schema()"

static enum err postgres_version(struct postgres *db, int64_t *ret, struct errinfo *reterr) {
    int64_t ours;
    *ret = 0;
    enum err e = postgres_link_ask_int(&db->link, POSTGRES_TABLES, -1, &ours, reterr);
    if (e == ERR_OK && ours == 0) {
        return errinfo_set(reterr, ERR_CORRUPT,
                           "%s is not a Stumper store: there are another program's tables",
                           db->head.name);
    }
    return e == ERR_OK && ours == 1
               ? postgres_link_ask_int(&db->link, "SELECT max(version) FROM stumper_schema", 0, ret,
                                       reterr)
               : e;
}

static enum err postgres_accept(struct postgres *db, int64_t version,
                                const struct sql_schema *schema, struct errinfo *reterr) {
    if (version > (int64_t)schema->postgres_n) {
        return errinfo_set(reterr, ERR_CORRUPT,
                           "%s was written by a newer Stumper (its schema is %" PRId64
                           ", this one knows %zu)",
                           db->head.name, version, schema->postgres_n);
    }
    if (db->head.mode == SQL_READER && version < (int64_t)schema->postgres_n) {
        return version == 0 ? errinfo_set(reterr, ERR_NOT_FOUND, "%s holds no job", db->head.name)
                            : errinfo_set(reterr, ERR_CORRUPT,
                                          "%s was written by an older Stumper (schema %" PRId64 ")",
                                          db->head.name, version);
    }
    return ERR_OK;
}

/* "STMP", and the schema that the tables are in: whoever migrates has this lock, and so had the one
 * process of before version 3. */
#define POSTGRES_MIGRATOR "1398033744, hashtext(current_schema())"

/* The first of those who start at the same time migrates, the others wait and find it done. */
static enum err postgres_begin_to_migrate(struct postgres *db, struct errinfo *reterr) {
    enum err e = postgres_link_do(&db->link,
                                  "BEGIN; SET LOCAL lock_timeout = '10s';"
                                  " SELECT pg_advisory_xact_lock(" POSTGRES_MIGRATOR ")",
                                  reterr);
    return e != ERR_BUSY ? e
                         : errinfo_set(reterr, ERR_BUSY,
                                       "%s is in use by an older Stumper, which knows no others: "
                                       "stop it first (if there is none, another process is "
                                       "bringing it to this version)",
                                       db->head.name);
}

/* What takes @version to the next. */
static enum err postgres_apply(struct postgres *db, int64_t version, const char *text,
                               struct errinfo *reterr) {
    char stamp[128];
    (void)snprintf(stamp, sizeof stamp, "INSERT INTO stumper_schema VALUES (%" PRId64 ")",
                   version + 1);
    enum err e = postgres_link_do(&db->link,
                                  "CREATE TABLE IF NOT EXISTS stumper_schema"
                                  " (version BIGINT PRIMARY KEY, at TIMESTAMPTZ DEFAULT now())",
                                  reterr);
    if (e == ERR_OK) {
        e = postgres_link_do(&db->link, text, reterr);
    }
    return e == ERR_OK ? postgres_link_do(&db->link, stamp, reterr) : e;
}

/* All in one transaction. */
static enum err postgres_migrate(struct postgres *db, const struct sql_schema *schema,
                                 struct errinfo *reterr) {
    int64_t version = 0;
    enum err e = postgres_begin_to_migrate(db, reterr);
    if (e == ERR_OK) {
        e = postgres_version(db, &version, reterr);
    }
    db->head.found_version = version;
    for (; e == ERR_OK && version < (int64_t)schema->postgres_n; version++) {
        e = postgres_apply(db, version, schema->postgres[version], reterr);
    }
    FAILPOINT("store.migrate.before_commit");
    if (e == ERR_OK) {
        e = postgres_link_do(&db->link, "COMMIT", reterr);
    }
    FAILPOINT("store.migrate.after_commit");
    return e;
}

/* --- opening */

static void postgres_close(struct sql *head) {
    struct postgres *db = postgres_of(head);
    for (size_t i = 0; i < db->texts_n; i++) {
        free(db->queries[i].text);
        for (int k = 0; k < POSTGRES_PARAMETERS_MAX; k++) {
            sbuf_release(&db->queries[i].mended[k]);
        }
    }
    pq_release(&db->link.pq);
    free(head->name);
    free(db);
}

static enum err postgres_set_up(struct postgres *db, const struct sql_schema *schema,
                                struct errinfo *reterr) {
    int64_t version = 0;
    enum err e = postgres_link_connect(&db->link, reterr);
    if (e == ERR_OK) {
        e = postgres_version(db, &version, reterr);
    }
    db->head.found_version = version;
    if (e == ERR_OK) {
        e = postgres_accept(db, version, schema, reterr);
    }
    if (e == ERR_OK && db->head.mode == SQL_WRITER && version < (int64_t)schema->postgres_n) {
        e = postgres_migrate(db, schema, reterr);
    }
    return e;
}

static const struct sql_driver postgres_driver = {
    .close = postgres_close,
    .connect = postgres_connect,
    .begin = postgres_begin,
    .commit = postgres_commit,
    .fate = postgres_fate,
    .rollback = postgres_rollback,
    .upkeep = postgres_upkeep,
    .check = postgres_check,
    .use = postgres_use,
    .put_int = postgres_put_int,
    .put_str = postgres_put_str,
    .put_null = postgres_put_null,
    .run = postgres_run,
    .run_later = postgres_run_later,
    .next = postgres_next,
    .end = postgres_end,
    .column_int = postgres_column_int,
    .column_str = postgres_column_str,
    .column_is_null = postgres_column_is_null,
};

/* @text as a server reads it (see sql.h); to be freed. */
static char *postgres_text(const char *text) {
    const char *instead = strstr(text, "/*=");
    char *ret = mem_dup_cstr(instead != NULL ? instead + 3 : text,
                             strlen(instead != NULL ? instead + 3 : text));
    for (char *at; (at = strstr(ret, "/*!")) != NULL;) {
        memcpy(at, "   ", 3);
    }
    for (char *at; (at = strstr(ret, "*/")) != NULL;) {
        memcpy(at, "  ", 2);
    }
    return ret;
}

static void postgres_init_query(struct postgres *db, size_t index, const char *text) {
    struct postgres_query *q = &db->queries[index];
    q->text = postgres_text(text);
    q->head = (struct sql_query){.db = &db->head, .text = q->text};
    for (int k = 0; k < POSTGRES_PARAMETERS_MAX; k++) {
        sbuf_init(&q->mended[k], POSTGRES_TEXT_BYTES_MAX);
    }
}

enum err postgres_open(const struct sql_request *request, struct sql **ret,
                       struct errinfo *reterr) {
    struct postgres_link link;
    enum err e = postgres_link_init(&link, request->place, request->mode, reterr);
    if (e != ERR_OK) {
        return e;
    }
    struct postgres *db = mem_new(sizeof *db + request->texts_n * sizeof db->queries[0]);
    db->head = (struct sql){.driver = &postgres_driver,
                            .name = mem_dup_cstr(link.pq.name, strlen(link.pq.name)),
                            .mode = request->mode,
                            .process = request->mode == SQL_WRITER ? link.key : 0};
    db->link = link;
    db->texts_n = request->texts_n;
    for (size_t i = 0; i < request->texts_n; i++) {
        postgres_init_query(db, i, request->texts[i]);
    }
    e = postgres_set_up(db, request->schema, reterr);
    if (e != ERR_OK) {
        postgres_close(&db->head);
        return e;
    }
    *ret = &db->head;
    return ERR_OK;
}

void sql_server_name(const char *place, char *ret, size_t size) {
    struct postgres_link link;
    ret[0] = '\0';
    if (postgres_link_init(&link, place, SQL_READER, NULL) == ERR_OK) {
        (void)snprintf(ret, size, "%s", link.pq.name);
        pq_release(&link.pq);
    }
}
