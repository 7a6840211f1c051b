/* The two desks of a store: one writes, one reads (see desk.h).
 *
 * Writing: BEGIN, the rule of each operation, counters, COMMIT (one fsync), the watchers, answers.
 * If the transaction fails, all of the batch fail alike and nothing of it is kept; the connection
 * is as usable as before. While nothing waits, rows of deleted jobs are removed, a few at a time.
 *
 * Reading: one unchanging view for a batch, which is small, so that the view is short-lived and the
 * log can be folded back behind it.
 *
 * A server may be away. Then the operations of a worker wait in the hands of their desk and are run
 * again from the start, which they do not notice, when it is back; all others fail at once. A
 * commit that has lost the server is first asked after, for it may have happened.
 */
#include "store/ops.h"
#include "store/queries.h"
#include "store/schema.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define STORE_BATCH_OPS_MAX 4096
#define STORE_BATCH_BYTES_MAX ((size_t)8 * 1024 * 1024)
#define STORE_VIEW_READS_MAX 64
#define STORE_PATIENCE_MS                                                                          \
    600000 /* how long patient operations wait for a database that is away                         \
            */
#define STORE_PAUSE_MS 50
#define STORE_BUSY_MS 15000
#define STORE_REST_MS 500 /* a connection that was lost meanwhile is made again so soon */

/* --- while the database is away, which only a server's can be */

static void store_pause(void) {
    (void)nanosleep(&(struct timespec){.tv_nsec = STORE_PAUSE_MS * 1000000L}, NULL);
}

static bool store_is_impatient(const struct store_op *op, const void *ctx) {
    (void)ctx;
    return !store_kind(op)->patient;
}

static void store_fail(struct store_op *batch, enum err e, const struct errinfo *why) {
    for (struct store_op *op = batch; op != NULL; op = op->next) {
        op->err = e;
        op->detail = *why;
    }
}

static void store_refuse(struct store_op *batch, enum err e, const struct errinfo *why) {
    store_fail(batch, e, why);
    desk_answer(batch);
}

/* Whoever may not wait and came before it was known that there is nothing but waiting. */
static void store_turn_away(struct desk *d, enum err e, const struct errinfo *why) {
    store_refuse(desk_cut_waiting(d, store_is_impatient, NULL), e, why);
}

/* --- writing */

static void store_hit_failpoints(const struct store *s, const struct store_op *batch,
                                 bool committed) {
    if (!failpoint_armed) {
        return;
    }
    for (const struct store_op *op = batch; op != NULL; op = op->next) {
        const struct store_kind *kind = store_kind(op);
        FAILPOINT(committed ? kind->after_commit : kind->before_commit);
    }
    if (s->rules.events) {
        FAILPOINT(committed ? "store.event.after_commit" : "store.event.before_commit");
    }
    if (s->rules.outbox) {
        FAILPOINT(committed ? "store.webhook.after_commit" : "store.webhook.before_commit");
    }
}

/* What became of a commit that has lost the server: asked until it answers, which may take a while;
 * the operations cannot be answered before. */
static enum err store_learn_fate(struct store *s, int64_t until_ms, enum err e,
                                 const struct errinfo *why) {
    enum sql_fate fate = sql_fate(s->db);
    (void)atomic_fetch_add(&s->waiting, 1);
    while (fate == SQL_UNKNOWN && clock_mono_ms() < until_ms) {
        store_turn_away(&s->writing, e, why);
        store_pause();
        fate = sql_fate(s->db);
    }
    (void)atomic_fetch_sub(&s->waiting, 1);
    return fate == SQL_KEPT ? ERR_OK : e;
}

/* Before anything else, those jobs and keys that the batch names: see rules.c. */
static void store_lock_named(struct store *s, const struct store_op *batch) {
    sbuf_clear(&s->job_ids);
    sbuf_clear(&s->keys);
    for (const struct store_op *op = batch; op != NULL; op = op->next) {
        const char *job_id = store_op_job(op);
        int64_t key = store_op_key(op);
        if (job_id != NULL) {
            sbuf_add(&s->job_ids, str_of(job_id));
            sbuf_add(&s->job_ids, S("\n"));
        }
        if (key != 0) {
            sbuf_addf(&s->keys, "%" PRId64 "\n", key);
        }
    }
    if (sbuf_str(&s->job_ids).n > 0) {
        rules_lock_jobs(&s->rules, sbuf_str(&s->job_ids));
    }
    if (sbuf_str(&s->keys).n > 0) {
        rules_lock_keys(&s->rules, sbuf_str(&s->keys));
    }
}

/* The end of a transaction, before its commit. @ret: what watchers are told after it. */
static void store_flush(struct store *s, struct watch_news *ret) {
    rules_flush(&s->rules);
    news_gather(&s->rules, ret);
    if (sql_process(s->db) != 0) {
        news_write(&s->rules, ret);
    }
}

/* One transaction with all of @batch; nothing of it is kept unless ERR_OK is returned. */
static enum err store_try(struct store *s, struct store_op *batch, int64_t until_ms,
                          struct errinfo *reterr) {
    struct watch_news news;
    sql_begin(s->db);
    if (sql_process(s->db) != 0) {
        store_lock_named(s, batch);
    }
    for (struct store_op *op = batch; op != NULL && !sql_failed(s->db); op = op->next) {
        op->err = store_kind(op)->rule(&s->rules, op);
        metric_add(s->measured.operations, 1);
    }
    store_flush(s, &news);
    store_hit_failpoints(s, batch, false);
    int64_t began_us = clock_mono_us();
    enum err e = sql_commit(s->db, reterr);
    metric_observe(s->measured.commits, clock_mono_us() - began_us);
    metric_add(s->measured.failures, e != ERR_OK);
    if (e == ERR_UNAVAILABLE) {
        e = store_learn_fate(s, until_ms, e, reterr);
    }
    atomic_store(&s->trouble, (int)e);
    store_hit_failpoints(s, batch, true);
    if (e == ERR_OK) {
        watches_tell(&s->watches, &news);
    }
    rules_forget(&s->rules, e == ERR_OK);
    return e;
}

/* store_try(), again where another process was in the way: in a ring of locks, which was broken, or
 * with a lock that it keeps for long. */
static enum err store_try_hard(struct store *s, struct store_op *batch, int64_t until_ms,
                               struct errinfo *reterr) {
    int64_t enough_ms = clock_mono_ms() + STORE_BUSY_MS;
    enum err e = store_try(s, batch, until_ms, reterr);
    while (e == ERR_BUSY && sql_process(s->db) != 0 && clock_mono_ms() < enough_ms) {
        e = store_try(s, batch, until_ms, reterr);
    }
    return e;
}

/* May it do later? */
static bool store_is_passing(const struct store *s, enum err e) {
    return e == ERR_UNAVAILABLE || (e == ERR_BUSY && sql_process(s->db) != 0);
}

/* The server is away: keep trying for those of @batch that may wait. */
static enum err store_write_patiently(struct store *s, struct store_op **batch, int64_t until_ms,
                                      enum err e, struct errinfo *reterr) {
    (void)atomic_fetch_add(&s->waiting, 1);
    while (store_is_passing(s, e) && clock_mono_ms() < until_ms) {
        store_refuse(desk_cut(batch, store_is_impatient, NULL), e, reterr);
        if (*batch == NULL) {
            break;
        }
        store_turn_away(&s->writing, e, reterr);
        store_pause();
        e = store_try_hard(s, *batch, until_ms, reterr);
    }
    (void)atomic_fetch_sub(&s->waiting, 1);
    return e;
}

static struct store_op *store_write(void *ctx, struct store_op *batch) {
    struct store *s = ctx;
    struct errinfo why = {0};
    int64_t until_ms = clock_mono_ms() + STORE_PATIENCE_MS;
    enum err e = store_try_hard(s, batch, until_ms, &why);
    if (store_is_passing(s, e)) {
        e = store_write_patiently(s, &batch, until_ms, e, &why);
    }
    if (e != ERR_OK) {
        store_fail(batch, e, &why);
    }
    return batch;
}

/* Between batches. */
static bool store_tidy(void *ctx) {
    struct store *s = ctx;
    metric_set(s->measured.log_bytes, sql_upkeep(s->db));
    if (!s->rules.deleted) {
        return false;
    }
    sql_begin(s->db);
    rules_purge(&s->rules);
    FAILPOINT("store.purge.before_commit");
    enum err e = sql_commit(s->db, NULL);
    FAILPOINT("store.purge.after_commit");
    rules_forget(&s->rules, e == ERR_OK);
    return e == ERR_OK && s->rules.deleted; /* on failure the next batch brings it up again */
}

/* --- reading */

/* One view for all of @batch; after a read that failed another one, for a server gives it up then.
 */
static void store_view(const struct store *s, struct store_op *batch) {
    struct sql *db = s->reader->db;
    struct errinfo why = {0};
    sql_begin(db);
    enum err begun = sql_take_err(db, &why);
    for (; batch != NULL && begun == ERR_OK; batch = batch->next) {
        struct errinfo detail = {0};
        batch->err = store_kind(batch)->read(s->reader, batch);
        metric_add(s->measured.reads, 1);
        enum err e = sql_take_err(db, &detail);
        if (e != ERR_OK) {
            batch->err = e;
            batch->detail = detail;
            sql_rollback(db);
            sql_begin(db);
            begun = sql_take_err(db, &why);
        }
    }
    sql_rollback(db); /* of a view: nothing can be lost */
    if (begun != ERR_OK) {
        store_fail(batch, begun, &why);
    }
}

static bool store_is_done(const struct store_op *op, const void *ctx) {
    return op->err != ERR_UNAVAILABLE || store_is_impatient(op, ctx);
}

static struct store_op *store_read(void *ctx, struct store_op *batch) {
    struct store *s = ctx;
    int64_t until_ms = clock_mono_ms() + STORE_PATIENCE_MS;
    store_view(s, batch);
    desk_answer(desk_cut(&batch, store_is_done, NULL));
    if (batch == NULL) {
        return NULL;
    }
    (void)atomic_fetch_add(&s->waiting, 1);
    while (batch != NULL && clock_mono_ms() < until_ms) {
        store_turn_away(&s->reading, batch->err, &batch->detail);
        store_pause();
        store_view(s, batch);
        desk_answer(desk_cut(&batch, store_is_done, NULL));
    }
    (void)atomic_fetch_sub(&s->waiting, 1);
    return batch;
}

/* --- open and close */

static void store_measure(struct store *s, struct metrics *m) {
    static const struct metric_family commits = {.name = "stumper_store_commit_seconds",
                                                 .help = "How long commits take, fsync included.",
                                                 .kind = METRIC_HISTOGRAM,
                                                 .unit = 1e-6,
                                                 .bounds = METRIC_BOUNDS_FAST,
                                                 .bounds_n = METRIC_BOUNDS_FAST_N};
    static const struct metric_family operations = {.name = "stumper_store_operations_total",
                                                    .help = "Writing operations run.",
                                                    .kind = METRIC_COUNTER};
    static const struct metric_family reads = {.name = "stumper_store_reads_total",
                                               .help = "Reading operations run.",
                                               .kind = METRIC_COUNTER};
    static const struct metric_family failures = {.name = "stumper_store_commit_failures_total",
                                                  .help = "Commits that failed.",
                                                  .kind = METRIC_COUNTER};
    static const struct metric_family log_bytes = {.name = "stumper_store_log_bytes",
                                                   .help = "Size of the write-ahead log.",
                                                   .kind = METRIC_GAUGE};
    s->measured.commits = metric_get(m, &commits, NULL, 0);
    s->measured.operations = metric_get(m, &operations, NULL, 0);
    s->measured.reads = metric_get(m, &reads, NULL, 0);
    s->measured.failures = metric_get(m, &failures, NULL, 0);
    s->measured.log_bytes = metric_get(m, &log_bytes, NULL, 0);
}

enum err store_trouble(const struct store *s) {
    return (enum err)atomic_load(&s->trouble);
}

static enum err store_take_over(struct store *s, struct errinfo *reterr) {
    struct watch_news news;
    sql_begin(s->db);
    rules_take_over(&s->rules);
    store_flush(s, &news);
    FAILPOINT("store.open.before_commit");
    enum err e = sql_commit(s->db, reterr);
    FAILPOINT("store.open.after_commit");
    rules_forget(&s->rules, e == ERR_OK);
    return e;
}

/* If the server is not there now, others see that this process has gone. */
static void store_sign_out(struct store *s) {
    struct watch_news news;
    sql_begin(s->db);
    rules_sign_out(&s->rules);
    store_flush(s, &news);
    enum err e = sql_commit(s->db, NULL);
    rules_forget(&s->rules, e == ERR_OK);
}

void store_unref(struct store *s) {
    if (atomic_fetch_sub(&s->refs, 1) == 1) {
        free(s);
    }
}

static void store_let_go(struct store *s) {
    watches_release(&s->watches);
    if (sql_process(s->db) != 0) {
        store_sign_out(s);
    }
    rules_release(&s->rules);
    sbuf_release(&s->job_ids);
    sbuf_release(&s->keys);
    sql_close(s->db);
    store_lock_release(&s->lock);
    store_unref(s);
}

static void store_start(struct store *s) {
    s->writing = (struct desk){.batch_max = STORE_BATCH_OPS_MAX,
                               .batch_bytes_max = STORE_BATCH_BYTES_MAX,
                               .bytes = store_op_bytes,
                               .serve = store_write,
                               .idle = store_tidy,
                               .rest_ms = sql_process(s->db) != 0 ? STORE_REST_MS : 0,
                               .ctx = s};
    s->reading = (struct desk){.batch_max = STORE_VIEW_READS_MAX,
                               .batch_bytes_max = SIZE_MAX,
                               .serve = store_read,
                               .ctx = s};
    desk_start(&s->writing);
    desk_start(&s->reading);
}

bool store_is_server(const char *path) {
    return sql_is_server(path);
}

void store_place(const char *path, char ret[STORE_PLACE_BYTES]) {
    if (sql_is_server(path)) {
        sql_server_name(path, ret, STORE_PLACE_BYTES);
    } else {
        (void)snprintf(ret, STORE_PLACE_BYTES, "%s", path);
    }
}

enum err store_open(const char *path, struct metrics *metrics, struct store **ret,
                    struct errinfo *reterr) {
    struct store_lock lock = {.fd = -1}; /* a server serves many */
    struct sql *db;
    enum err e = sql_is_server(path) ? ERR_OK : store_lock_take(&lock, path, reterr);
    if (e != ERR_OK) {
        return e;
    }
    e = sql_open(path, SQL_WRITER, &store_schema, queries_texts, Q_COUNT, &db, reterr);
    if (e != ERR_OK) {
        store_lock_release(&lock);
        return e;
    }
    struct store *s = mem_new(sizeof *s);
    *s = (struct store){.lock = lock, .db = db};
    atomic_init(&s->refs, 1);
    store_measure(s, metrics);
    watches_init(&s->watches);
    rules_init(&s->rules, db);
    sbuf_init(&s->job_ids, STORE_BATCH_OPS_MAX * (STORE_ID_BYTES + 1));
    sbuf_init(&s->keys, STORE_BATCH_OPS_MAX * STORE_ID_BYTES);
    e = store_take_over(s, reterr);
    if (e == ERR_OK) {
        e = store_reader_open(path, &s->reader, reterr);
    }
    if (e == ERR_OK && sql_process(db) != 0) {
        e = news_open(path, sql_process(db), &s->watches, metrics, &s->news, reterr);
        if (e != ERR_OK) {
            store_reader_close(s->reader);
        }
    }
    if (e != ERR_OK) {
        store_let_go(s);
        return e;
    }
    store_start(s);
    *ret = s;
    return ERR_OK;
}

bool store_is_away(const struct store *s) {
    return atomic_load(&s->waiting) > 0;
}

void store_close(struct store *s) {
    desk_stop(&s->writing);
    desk_stop(&s->reading);
    if (s->news != NULL) {
        news_close(s->news);
    }
    store_reader_close(s->reader);
    store_let_go(s);
}

void store_attend(struct store *s) {
    if (s->news != NULL) {
        news_attend(s->news);
    }
}

void store_unattend(struct store *s) {
    if (s->news != NULL) {
        news_unattend(s->news);
    }
}

struct store_watch *store_watch(struct store *s, struct loop *l, store_watch_fn *fn, void *ctx) {
    return watches_add(&s->watches, l, fn, ctx);
}
