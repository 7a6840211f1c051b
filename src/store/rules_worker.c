/* Workers come, beat, and go; a job is at home with one of them at a time. */
#include "store/rules_job.h"

#include "base/clock.h"

#include <inttypes.h>

static bool rules_worker_beats(struct rules *r, int64_t worker) {
    struct sql_query *q = sql_use(r->db, Q_WORKER_BEAT);
    sql_put_int(q, clock_mono_ms());
    sql_put_int(q, worker);
    return sql_run(q) > 0;
}

enum err rule_join(struct rules *r, struct store_op *op) {
    struct store_join *o = CONTAINER_OF(op, struct store_join, op);
    o->ret_worker = rules_take_numbers(r, 1);
    struct sql_query *q = sql_use(r->db, Q_WORKER_ADD);
    sql_put_int(q, o->ret_worker);
    sql_put_str(q, o->name);
    sql_put_int(q, o->slots);
    sql_put_int(q, clock_wall_ms());
    sql_put_int(q, clock_mono_ms());
    (void)sql_run(q);
    return ERR_OK;
}

enum err rule_beat(struct rules *r, struct store_op *op) {
    const struct store_beat *o = CONTAINER_OF(op, struct store_beat, op);
    return rules_worker_beats(r, o->worker) ? ERR_OK : rules_no_worker(op, o->worker);
}

/* The ids that a query gives (with @value as its parameter, if it is not negative), in the
 * transaction's arena: what is done to them may change what the query would give. */
static size_t rules_list_ids(struct rules *r, size_t query, int64_t value, const char ***ret) {
    struct id_link {
        struct id_link *next;
        const char *id;
    } *links = NULL;
    size_t n = 0;
    struct sql_query *q = sql_use(r->db, query);
    if (value >= 0) {
        sql_put_int(q, value);
    }
    while (sql_next(q)) {
        struct id_link *link = ARENA_NEW(&r->arena, struct id_link);
        *link = (struct id_link){links, str_cstr(&r->arena, sql_str(q, 0))};
        links = link;
        n++;
    }
    const char **ids = ARENA_ARRAY(&r->arena, const char *, n);
    for (size_t i = n; i-- > 0; links = links->next) {
        ids[i] = links->id;
    }
    *ret = ids;
    return n;
}

static void rules_bury_worker(struct rules *r, int64_t worker, bool crashed) {
    const char **ids;
    size_t n = rules_list_ids(r, Q_JOBS_AT_HOME, worker, &ids);
    int64_t now_ms = clock_wall_ms();
    for (size_t i = 0; i < n; i++) {
        struct rules_job *job = rules_job(r, ids[i], STORE_TENANT_ANY);
        if (job != NULL) {
            rules_take_leases_back(r, job, crashed, now_ms);
            rules_set_homeless(r, job, now_ms);
        }
    }
    (void)rules_run_int(r, Q_WORKER_DROP, worker);
}

enum err rule_quit(struct rules *r, struct store_op *op) {
    const struct store_quit *o = CONTAINER_OF(op, struct store_quit, op);
    rules_bury_worker(r, o->worker, false);
    return ERR_OK;
}

enum err rule_reap(struct rules *r, struct store_op *op) {
    struct store_reap *o = CONTAINER_OF(op, struct store_reap, op);
    int64_t now_ms = clock_mono_ms();
    bool stood_still = now_ms - r->reaped_mono_ms > STORE_REAP_LATE_MS;
    r->reaped_mono_ms = now_ms;
    o->ret_n = 0;
    if (stood_still) {
        (void)rules_run_int(r, Q_WORKERS_SPARE, now_ms);
        return ERR_OK;
    }
    for (int64_t worker = 1; worker > 0; o->ret_n += worker > 0) {
        struct sql_query *q = sql_use(r->db, Q_WORKER_SILENT);
        worker = 0;
        sql_put_int(q, now_ms - o->silent_ms);
        while (sql_next(q)) {
            worker = sql_int(q, 0);
        }
        if (worker > 0) {
            rules_bury_worker(r, worker, true);
        }
    }
    return ERR_OK;
}

void rules_take_over(struct rules *r) {
    const char **ids;
    int64_t now_ms = clock_wall_ms();
    size_t n = rules_list_ids(r, Q_JOBS_LEASED, -1, &ids);
    for (size_t i = 0; i < n; i++) {
        struct rules_job *job = rules_job(r, ids[i], STORE_TENANT_ANY);
        if (job != NULL) {
            rules_take_leases_back(r, job, true, now_ms);
        }
    }
    n = rules_list_ids(r, Q_JOBS_UNDER_WAY, -1, &ids);
    for (size_t i = 0; i < n; i++) {
        struct rules_job *job = rules_job(r, ids[i], STORE_TENANT_ANY);
        if (job != NULL) {
            rules_set_homeless(r, job, now_ms);
        }
    }
    (void)sql_run(sql_use(r->db, Q_WORKERS_DROP));
    (void)rules_run_int(r, Q_OUTBOX_UNTAKE, now_ms);
    r->deleted = true; /* perhaps: rules_purge() will see */
}

/* --- homes */

enum err rule_take(struct rules *r, struct store_op *op) {
    const struct store_take *o = CONTAINER_OF(op, struct store_take, op);
    ASSERT(o->worker > 0);
    if (!rules_worker_beats(r, o->worker)) {
        return rules_no_worker(op, o->worker);
    }
    struct rules_job *job = rules_job(r, o->job_id, STORE_TENANT_ANY);
    if (job == NULL) {
        return rules_no_job(op, o->job_id);
    }
    if (job->worker != 0) {
        return errinfo_set(&op->detail, ERR_CONFLICT, "job %s is at home with worker %" PRId64,
                           o->job_id, job->worker);
    }
    if (job->state != JOB_QUEUED && job->state != JOB_RUNNING) {
        return errinfo_set(&op->detail, ERR_CONFLICT, "job %s is %s", o->job_id,
                           job_state_name(job->state));
    }
    job->worker = o->worker;
    job->what |= STORE_CHANGED_HOME;
    rules_set_state(r, job, JOB_RUNNING, S(""), o->now_ms);
    return ERR_OK;
}

/* What a job becomes that its worker leaves with @state. */
static enum job_state rules_left_as(const struct rules_job *job, enum job_state state) {
    if (job_state_is_final(state)) {
        return state;
    }
    return job->state == JOB_CANCELLING ? JOB_CANCELLED
           : job->state == JOB_PAUSED   ? JOB_PAUSED
                                        : JOB_QUEUED;
}

enum err rule_leave(struct rules *r, struct store_op *op) {
    struct store_leave *o = CONTAINER_OF(op, struct store_leave, op);
    ASSERT(o->state == JOB_QUEUED || o->state == JOB_PAUSED || job_state_is_final(o->state));
    struct rules_job *job = rules_job(r, o->job_id, STORE_TENANT_ANY);
    if (job == NULL) {
        return rules_no_job(op, o->job_id);
    }
    if (job->worker != o->worker) {
        return rules_not_home(op, o->job_id, o->worker);
    }
    rules_take_leases_back(r, job, false, o->now_ms);
    job->worker = 0;
    job->what |= STORE_CHANGED_HOME;
    rules_set_state(r, job, rules_left_as(job, o->state), o->reason, o->now_ms);
    o->ret_state = job->state;
    return ERR_OK;
}

enum err rule_job_set(struct rules *r, struct store_op *op) {
    const struct store_job_set *o = CONTAINER_OF(op, struct store_job_set, op);
    struct rules_job *job = rules_job(r, o->job_id, STORE_TENANT_ANY);
    if (job == NULL) {
        return rules_no_job(op, o->job_id);
    }
    if (job->worker != o->worker) {
        return rules_not_home(op, o->job_id, o->worker);
    }
    rules_set_state(r, job, o->state, o->reason, o->now_ms);
    return ERR_OK;
}
