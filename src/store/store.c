/* The two desks of a store: one writes, one reads (see desk.h).
 *
 * Writing: BEGIN, the rule of each operation, counters, COMMIT (one fsync), the watchers, answers.
 * If the transaction fails, all of the batch fail alike and nothing of it is kept; the connection
 * is as usable as before. While nothing waits, rows of deleted jobs are removed, a few at a time.
 *
 * Reading: one unchanging view for a batch, which is small, so that the view is short-lived and the
 * log can be folded back behind it.
 */
#include "store/ops.h"
#include "store/queries.h"
#include "store/schema.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/mem.h"

#include <stdlib.h>

#define STORE_BATCH_OPS_MAX 4096
#define STORE_BATCH_BYTES_MAX ((size_t)8 * 1024 * 1024)
#define STORE_VIEW_READS_MAX 64

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

static void store_write(void *ctx, struct store_op *batch) {
    struct store *s = ctx;
    struct errinfo detail = {0};
    sql_begin(s->db);
    for (struct store_op *op = batch; op != NULL && !sql_failed(s->db); op = op->next) {
        op->err = store_kind(op)->rule(&s->rules, op);
        metric_add(s->measured.operations, 1);
    }
    rules_flush(&s->rules);
    store_hit_failpoints(s, batch, false);
    int64_t began_us = clock_mono_us();
    enum err e = sql_commit(s->db, &detail);
    metric_observe(s->measured.commits, clock_mono_us() - began_us);
    metric_add(s->measured.failures, e != ERR_OK);
    store_hit_failpoints(s, batch, true);
    if (e == ERR_OK) {
        watches_tell(&s->watches, &s->rules);
    }
    rules_forget(&s->rules, e == ERR_OK);
    for (struct store_op *op = batch; e != ERR_OK && op != NULL; op = op->next) {
        op->err = e;
        op->detail = detail;
    }
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

static void store_read(void *ctx, struct store_op *batch) {
    const struct store *s = ctx;
    struct sql *db = s->reader->db;
    sql_begin(db);
    for (struct store_op *op = batch; op != NULL; op = op->next) {
        op->err = store_kind(op)->read(s->reader, op);
        struct errinfo detail = {0};
        enum err e = sql_take_err(db, &detail); /* one's corrupt row is not another's */
        if (e != ERR_OK) {
            op->err = e;
            op->detail = detail;
        }
    }
    sql_rollback(db); /* of a view: nothing can be lost */
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
    static const struct metric_family failures = {.name = "stumper_store_commit_failures_total",
                                                  .help = "Commits that failed.",
                                                  .kind = METRIC_COUNTER};
    static const struct metric_family log_bytes = {.name = "stumper_store_log_bytes",
                                                   .help = "Size of the write-ahead log.",
                                                   .kind = METRIC_GAUGE};
    s->measured.commits = metric_get(m, &commits, NULL, 0);
    s->measured.operations = metric_get(m, &operations, NULL, 0);
    s->measured.failures = metric_get(m, &failures, NULL, 0);
    s->measured.log_bytes = metric_get(m, &log_bytes, NULL, 0);
}

static enum err store_take_over(struct store *s, struct errinfo *reterr) {
    sql_begin(s->db);
    rules_take_over(&s->rules);
    rules_flush(&s->rules);
    FAILPOINT("store.open.before_commit");
    enum err e = sql_commit(s->db, reterr);
    FAILPOINT("store.open.after_commit");
    rules_forget(&s->rules, e == ERR_OK);
    return e;
}

void store_unref(struct store *s) {
    if (atomic_fetch_sub(&s->refs, 1) == 1) {
        free(s);
    }
}

static void store_let_go(struct store *s) {
    rules_release(&s->rules);
    sql_close(s->db);
    store_lock_release(&s->lock);
    store_unref(s);
}

static void store_start(struct store *s) {
    watches_init(&s->watches);
    s->writing = (struct desk){.batch_max = STORE_BATCH_OPS_MAX,
                               .batch_bytes_max = STORE_BATCH_BYTES_MAX,
                               .bytes = store_op_bytes,
                               .serve = store_write,
                               .idle = store_tidy,
                               .ctx = s};
    s->reading = (struct desk){.batch_max = STORE_VIEW_READS_MAX,
                               .batch_bytes_max = SIZE_MAX,
                               .serve = store_read,
                               .ctx = s};
    desk_start(&s->writing);
    desk_start(&s->reading);
}

enum err store_open(const char *path, struct metrics *metrics, struct store **ret,
                    struct errinfo *reterr) {
    struct store_lock lock = {.fd = -1}; /* on a server, the connection is the lock */
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
    rules_init(&s->rules, db);
    e = store_take_over(s, reterr);
    if (e == ERR_OK) {
        e = store_reader_open(path, &s->reader, reterr);
    }
    if (e != ERR_OK) {
        store_let_go(s);
        return e;
    }
    store_start(s);
    *ret = s;
    return ERR_OK;
}

void store_close(struct store *s) {
    desk_stop(&s->writing);
    desk_stop(&s->reading);
    store_reader_close(s->reader);
    watches_release(&s->watches);
    store_let_go(s);
}

struct store_watch *store_watch(struct store *s, struct loop *l, store_watch_fn *fn, void *ctx) {
    return watches_add(&s->watches, l, fn, ctx);
}
