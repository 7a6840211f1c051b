/* Deletion: a mark that hides the job from everybody, then its rows, a few in each transaction. */
#include "store/rules_job.h"
#include "store/store_job.h"

/* Of one table, in one transaction: some milliseconds. */
#define RULES_PURGE_ROWS 500

#define RULES_SPEND_DAYS 62
#define RULES_GONE_DAYS 90

/* Of each that comes, ten old ones go at most. */
static void rules_remember_gone(struct rules *r, const struct rules_job *job, int64_t now_ms) {
    struct sql_query *q = sql_use(r->db, Q_GONE_ADD);
    sql_put_str(q, str_of(job->id));
    sql_put_int(q, job->tenant);
    sql_put_int(q, now_ms);
    (void)sql_run(q);
    (void)rules_run_int(r, Q_GONE_SWEEP, now_ms - RULES_GONE_DAYS * RULES_DAY_MS);
}

static void rules_mark_deleted(struct rules *r, struct rules_job *job, int64_t now_ms) {
    struct sql_query *q = sql_use(r->db, Q_JOB_DELETE);
    sql_put_int(q, now_ms);
    sql_put_int(q, job->key);
    (void)sql_run(q);
    (void)rules_run_int(r, Q_OUTBOX_DROP, job->key);
    rules_remember_gone(r, job, now_ms);
    job->deleted = true;
    job->what |= STORE_CHANGED_DELETED;
    r->deleted = true;
}

enum err rule_delete(struct rules *r, struct store_op *op) {
    struct store_delete *o = CONTAINER_OF(op, struct store_delete, op);
    struct rules_job *job = rules_job(r, o->job_id, o->tenant);
    if (job == NULL) {
        return rules_no_job_of(r, op, o->job_id, o->tenant);
    }
    if (!job_state_is_final(job->state)) {
        return errinfo_set(&op->detail, ERR_CONFLICT, "job %s is %s", o->job_id,
                           job_state_name(job->state));
    }
    rules_mark_deleted(r, job, sql_wall_ms(r->db));
    return ERR_OK;
}

/* Not while another process is at it. */
static bool rules_may_sweep(struct rules *r) {
    bool mine = sql_process(r->db) == 0;
    if (!mine) {
        struct sql_query *q = sql_use(r->db, Q_SWEEP_TURN);
        while (sql_next(q)) {
            mine = sql_int(q, 0) == 1;
        }
    }
    return mine;
}

enum err rule_sweep(struct rules *r, struct store_op *op) {
    struct store_sweep *o = CONTAINER_OF(op, struct store_sweep, op);
    const char **ids = ARENA_ARRAY(&r->arena, const char *, STORE_SWEEP_MAX);
    int64_t before_ms = sql_wall_ms(r->db) - o->retain_ms;
    o->ret_n = 0;
    r->deleted = true; /* perhaps: another process may have died over it */
    if (!rules_may_sweep(r)) {
        return ERR_OK;
    }
    struct sql_query *q = sql_use(r->db, Q_JOBS_ENDED);
    sql_put_int(q, before_ms);
    sql_put_int(q, STORE_SWEEP_MAX);
    while (sql_next(q)) {
        ids[o->ret_n++] = str_cstr(&r->arena, sql_str(q, 0));
    }
    for (int64_t i = 0; i < o->ret_n; i++) {
        struct rules_job *job = rules_job(r, ids[i], STORE_TENANT_ANY);
        if (job != NULL) { /* or the database failed */
            rules_mark_deleted(r, job, sql_wall_ms(r->db));
        }
    }
    (void)rules_run_int(r, Q_OUTBOX_SWEEP, before_ms);
    int64_t today = sql_wall_ms(r->db) / RULES_DAY_MS;
    (void)rules_run_int(r, Q_KEY_SPEND_SWEEP, today - RULES_SPEND_DAYS);
    (void)rules_run_int(r, Q_PURSES_SWEEP, today);
    return ERR_OK;
}

/* Up to RULES_PURGE_ROWS rows of @query's table; how many there were. */
static int64_t rules_purge_rows(struct rules *r, size_t query, int64_t job_key) {
    struct sql_query *q = sql_use(r->db, query);
    sql_put_int(q, job_key);
    sql_put_int(q, RULES_PURGE_ROWS);
    return sql_run(q);
}

/* Unless a job has it, or is being given it by another process. */
static void rules_drop_text(struct rules *r, int64_t key) {
    struct sql_query *q = sql_use(r->db, Q_TEXT_LOCK);
    sql_put_int(q, key);
    while (sql_next(q)) { /* nobody begins to use it from now on */
    }
    if (rules_run_int(r, Q_TEXT_DROP, key) > 0 && r->taxonomy.key == key) {
        r->taxonomy.key = 0;
    }
}

/* The job's specification and row, and the taxonomy if nobody else has it. */
static void rules_purge_job(struct rules *r, int64_t job_key) {
    int64_t taxonomy = 0;
    struct sql_query *q = sql_use(r->db, Q_SPEC_DROP);
    sql_put_int(q, job_key);
    while (sql_next(q)) {
        taxonomy = sql_int(q, 0);
    }
    (void)rules_run_int(r, Q_USAGE_DROP, job_key);
    (void)rules_run_int(r, Q_OUTBOX_DROP, job_key);
    (void)rules_run_int(r, Q_BATCHES_DROP, job_key);
    (void)rules_run_int(r, Q_JOB_DROP, job_key);
    if (taxonomy != 0) {
        rules_drop_text(r, taxonomy);
    }
}

void rules_purge(struct rules *r) {
    static const size_t tables[] = {Q_CALLS_DROP, Q_PROBLEMS_DROP, Q_EVENTS_DROP, Q_ATTEMPTS_DROP,
                                    Q_BATCH_CALLS_DROP};
    int64_t job_key = 0;
    struct sql_query *q = sql_use(r->db, Q_JOB_DELETED);
    while (sql_next(q)) {
        job_key = sql_int(q, 0);
    }
    r->deleted = job_key != 0;
    if (job_key == 0) {
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        if (rules_purge_rows(r, tables[i], job_key) > 0) {
            return;
        }
    }
    rules_purge_job(r, job_key);
}
