/* A transaction remembers the jobs that it touches: the first operation on a job reads its row, the
 * following ones count in memory, rules_flush() writes the row once before the commit. Nothing is
 * remembered across transactions but the last taxonomy's number and how many jobs are queued, which
 * only a cap on them asks for.
 *
 * Several writers (a server)   whoever reads a job locks its row until the commit, and everything
 * that hangs on a job is read and written under that lock only. Rows are locked in this order, so
 * that transactions wait in line and not in a ring: the jobs, then the API keys that the batch
 * names, by key; workers;
 * what single rules touch; what many jobs share, at the very end. Who cleans up after others skips
 * what is locked. Should there be a ring all the same, the server breaks it, and the batch is run
 * again.
 *
 * Invariants (those of store.h)
 * (1) accepted <= wanted: rule_finish() turns what is beyond into surplus;
 * (2) an attempt is a row of `attempts` until it ends, with at most one token; a finish deletes the
 *     row by number and token, so only one finish can ever succeed;
 * (3) the numbers of leases and workers come from one counter that only grows;
 * (4) counters change in the transaction of the rows that they count;
 * (5) states and homes change in rules_set_state() only;
 * (6) events are numbered by a counter of the job's row.
 */
#include "store/rules_job.h"

#include "base/clock.h"

#include <inttypes.h>
#include <string.h>

#define RULES_ARENA_BYTES_MAX ((size_t)256 * 1024 * 1024)

void rules_init(struct rules *r, struct sql *db) {
    *r = (struct rules){.db = db, .wall_ahead_ms = clock_wall_ms() - clock_mono_ms()};
    arena_init(&r->arena, RULES_ARENA_BYTES_MAX);
    sbuf_init(&r->line, RULES_LINE_BYTES_MAX);
    sbuf_init(&r->taxonomy.text, RULES_LINE_BYTES_MAX);
}

void rules_release(struct rules *r) {
    arena_release(&r->arena);
    sbuf_release(&r->line);
    sbuf_release(&r->taxonomy.text);
}

void rules_forget(struct rules *r, bool committed) {
    r->jobs = NULL;
    r->spends = NULL;
    memset(r->buckets, 0, sizeof r->buckets);
    r->events = r->outbox = r->keys = r->taxonomy.kept = false;
    if (committed) {
        r->queued += r->queued_more;
    } else {
        r->taxonomy.key = 0;
    }
    r->queued_more = 0;
    arena_reset(&r->arena);
}

/* --- jobs */

static struct rules_job **rules_bucket(struct rules *r, const char *id) {
    return &r->buckets[str_hash(str_of(id)) & (RULES_BUCKETS - 1)];
}

struct rules_job *rules_know_job(struct rules *r, const char *id) {
    struct rules_job *job = ARENA_NEW(&r->arena, struct rules_job);
    struct rules_job **bucket = rules_bucket(r, id);
    job->id = str_cstr(&r->arena, str_of(id));
    job->next = r->jobs;
    r->jobs = job;
    job->next_in_bucket = *bucket;
    *bucket = job;
    return job;
}

/* Know the job of the current row. */
static struct rules_job *rules_read_job(struct rules *r, struct sql_query *q) {
    enum job_state state = job_state_from_name(sql_str(q, 1));
    struct rules_job *job = rules_know_job(r, str_cstr(&r->arena, sql_str(q, 20)));
    int column = 2;
    if (state == JOB_STATES) {
        sql_found_corrupt(r->db, "a job has an unknown state");
    }
    job->key = sql_int(q, 0);
    job->state = state;
    job->tenant = sql_int(q, column++);
    job->worker = sql_int(q, column++);
    job->wanted = sql_int(q, column++);
    job->attempts = sql_int(q, column++);
    for (int outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
        job->outcomes[outcome] = sql_int(q, column++);
    }
    job->calls = sql_int(q, column++);
    job->input_tokens = sql_int(q, column++);
    job->output_tokens = sql_int(q, column++);
    job->cost_nusd = sql_int(q, column++);
    job->calls_unpriced = sql_int(q, column++);
    job->events = sql_int(q, column++);
    job->progress_seq = sql_int(q, column++);
    job->priority = sql_int(q, column++);
    job->lent = sql_int(q, 21);
    return job;
}

void rules_lock_jobs(struct rules *r, struct str ids) {
    struct sql_query *q = sql_use(r->db, Q_JOBS_LOCK);
    sql_put_str(q, ids);
    while (sql_next(q)) {
        (void)rules_read_job(r, q);
    }
}

static struct rules_job *rules_find_job(struct rules *r, const char *id) {
    struct sql_query *q = sql_use(r->db, Q_JOB_FIND);
    struct rules_job *job = NULL;
    sql_put_str(q, str_of(id));
    while (sql_next(q)) {
        job = rules_read_job(r, q);
    }
    return sql_failed(r->db) ? NULL : job;
}

struct rules_job *rules_job(struct rules *r, const char *id, int64_t tenant) {
    struct rules_job *job = *rules_bucket(r, id);
    while (job != NULL && strcmp(job->id, id) != 0) {
        job = job->next_in_bucket;
    }
    if (job == NULL) {
        job = rules_find_job(r, id);
    }
    bool shown =
        job != NULL && !job->deleted && (tenant == STORE_TENANT_ANY || tenant == job->tenant);
    return shown ? job : NULL;
}

enum err rules_no_job(struct store_op *op, const char *id) {
    return errinfo_set(&op->detail, ERR_NOT_FOUND, "there is no job %s", id);
}

/* ERR_GONE, if @tenant could have seen it. */
enum err rules_no_job_of(struct rules *r, struct store_op *op, const char *id, int64_t tenant) {
    struct sql_query *q = sql_use(r->db, Q_GONE);
    bool gone = false;
    sql_put_str(q, str_of(id));
    while (sql_next(q)) {
        gone = tenant == STORE_TENANT_ANY || tenant == sql_int(q, 0);
    }
    return gone ? errinfo_set(&op->detail, ERR_GONE, "job %s was deleted", id)
                : rules_no_job(op, id);
}

enum err rules_stale(struct store_op *op, const struct lease *lease) {
    return errinfo_set(&op->detail, ERR_STALE, "lease %" PRId64 " of attempt %" PRId64 " is over",
                       lease->token, lease->attempt_no);
}

enum err rules_not_home(struct store_op *op, const char *id, int64_t worker) {
    return errinfo_set(&op->detail, ERR_STALE, "job %s is not at home with worker %" PRId64, id,
                       worker);
}

enum err rules_no_worker(struct store_op *op, int64_t worker) {
    return errinfo_set(&op->detail, ERR_STALE, "worker %" PRId64 " was taken for dead", worker);
}

int64_t rules_take_numbers(struct rules *r, int64_t n) {
    struct sql_query *q = sql_use(r->db, Q_TOKENS_TAKE);
    int64_t last = 0;
    sql_put_int(q, n);
    while (sql_next(q)) {
        last = sql_int(q, 0);
    }
    return last - n + 1;
}

int64_t rules_run_int(struct rules *r, size_t query, int64_t value) {
    struct sql_query *q = sql_use(r->db, query);
    sql_put_int(q, value);
    return sql_run(q);
}

/* --- before the commit */

static void rules_tell_progress(struct rules *r, struct rules_job *job) {
    struct jwrite w;
    struct sql_query *q = sql_use(r->db, Q_EVENT_DROP);
    sql_put_int(q, job->key);
    sql_put_int(q, job->progress_seq);
    (void)sql_run(q);
    rules_begin_data(r, &w);
    rules_write_counts(job, &w);
    jwrite_end(&w);
    rules_add_event(r, job, "job.progress");
    job->progress_seq = job->events;
    job->progress = false;
}

static void rules_count(struct rules *r, const struct rules_job *job) {
    struct sql_query *q = sql_use(r->db, Q_JOB_COUNT);
    sql_put_int(q, job->attempts);
    for (int outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
        sql_put_int(q, job->outcomes[outcome]);
    }
    sql_put_int(q, job->calls);
    sql_put_int(q, job->input_tokens);
    sql_put_int(q, job->output_tokens);
    sql_put_int(q, job->cost_nusd);
    sql_put_int(q, job->calls_unpriced);
    sql_put_int(q, job->events);
    sql_put_int(q, job->progress_seq);
    sql_put_int(q, job->key);
    (void)sql_run(q);
}

static void rules_add_usage(struct rules *r, const struct rules_job *job) {
    for (const struct rules_usage *u = job->usage; u != NULL; u = u->next) {
        struct sql_query *q = sql_use(r->db, Q_USAGE_ADD);
        sql_put_int(q, job->key);
        sql_put_str(q, str_of(role_name(u->row.role)));
        sql_put_str(q, u->row.model);
        sql_put_int(q, u->row.calls);
        sql_put_int(q, u->row.input_tokens);
        sql_put_int(q, u->row.cached_tokens);
        sql_put_int(q, u->row.output_tokens);
        sql_put_int(q, u->row.reasoning_tokens);
        sql_put_int(q, u->row.cost_nusd);
        sql_put_int(q, u->row.calls_unpriced);
        sql_put_int(q, u->row.calls_reused);
        (void)sql_run(q);
    }
}

void rules_flush_job(struct rules *r, struct rules_job *job) {
    if (job->progress) {
        rules_tell_progress(r, job);
    }
    if (job->count) {
        rules_count(r, job);
    }
    rules_add_usage(r, job);
    job->count = false;
    job->usage = NULL;
}

void rules_flush(struct rules *r) {
    for (struct rules_job *job = r->jobs; job != NULL; job = job->next) {
        rules_flush_job(r, job);
    }
    rules_settle_purses(r);
}
