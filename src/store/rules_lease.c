/* Leases: given out, given back, and taken back from the dead. A row of `attempts` whose token is
 * NULL waits to be leased again. */
#include "store/rules_job.h"

#include "base/id.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Attempts that wait to be leased again, without their tokens yet. */
static int64_t rules_find_waiting(struct rules *r, const struct rules_job *job, int64_t n,
                                  struct lease *ret) {
    struct sql_query *q = sql_use(r->db, Q_WAITING);
    int64_t found = 0;
    sql_put_int(q, job->key);
    sql_put_int(q, n);
    while (sql_next(q)) {
        ASSERT(found < n);
        ret[found++] =
            (struct lease){.attempt_no = sql_int(q, 0), .crashes = sql_int(q, 1), .again = true};
    }
    return found;
}

static void rules_lease(struct rules *r, const struct rules_job *job, const struct lease *lease) {
    struct sql_query *q = sql_use(r->db, lease->again ? Q_LEASE_AGAIN : Q_LEASE_NEW);
    sql_put_int(q, lease->token);
    sql_put_int(q, lease->worker);
    sql_put_int(q, job->key);
    sql_put_int(q, lease->attempt_no);
    (void)sql_run(q);
}

/* What each attempt may cost that is lent. @each_nusd: negative: as before. */
static int64_t rules_set_lent(struct rules *r, struct rules_job *job, int64_t n,
                              int64_t each_nusd) {
    struct sql_query *q = sql_use(r->db, Q_JOB_LEND);
    sql_put_int(q, n);
    sql_put_int(q, each_nusd);
    sql_put_int(q, job->key);
    while (sql_next(q)) {
        each_nusd = sql_int(q, 0);
    }
    job->lent = n;
    return each_nusd;
}

enum err rule_lend(struct rules *r, struct store_op *op) {
    struct store_lend *o = CONTAINER_OF(op, struct store_lend, op);
    struct rules_job *job = rules_job(r, o->job_id, STORE_TENANT_ANY);
    if (job == NULL) {
        return rules_no_job(op, o->job_id);
    }
    if (job->worker != o->worker) {
        return rules_not_home(op, o->job_id, o->worker);
    }
    struct sql_query *q = sql_use(r->db, Q_LEASES_LENT);
    sql_put_int(q, job->key);
    sql_put_int(q, o->worker);
    o->ret_running = o->ret_running_nusd = 0;
    while (sql_next(q)) {
        o->ret_running = sql_int(q, 0);
        o->ret_running_nusd = sql_int(q, 1);
    }
    o->ret_open = job->state == JOB_RUNNING ? MAX(o->n - o->ret_running, 0) : 0;
    job->what |= o->ret_open > 0 ? STORE_CHANGED_LENT : 0; /* until somebody comes */
    o->ret_each_nusd = rules_set_lent(r, job, o->ret_open, o->ret_running > 0 ? -1 : o->each_nusd);
    memcpy(o->ret_outcomes, job->outcomes, sizeof o->ret_outcomes);
    o->ret_cost_nusd = job->cost_nusd;
    return ERR_OK;
}

/* May this worker claim attempts of the job? */
static enum err rules_admit(struct rules *r, struct store_op *op, const struct rules_job *job) {
    const struct store_claim *o = CONTAINER_OF(op, struct store_claim, op);
    bool drain;
    if (!o->borrow && job->worker != o->worker) {
        return rules_not_home(op, o->job_id, o->worker);
    }
    if (o->borrow && !rules_worker_beats(r, o->worker, &drain)) {
        return rules_no_worker(op, o->worker);
    }
    if (o->borrow && (job->worker == 0 || job->worker == o->worker)) {
        return errinfo_set(&op->detail, ERR_CONFLICT, "job %s has no home that could lend",
                           o->job_id);
    }
    if (job->state != JOB_RUNNING && job->state != JOB_QUEUED &&
        !(o->again && job->state == JOB_CANCELLING)) {
        return errinfo_set(&op->detail, ERR_CONFLICT, "job %s is %s", o->job_id,
                           job_state_name(job->state));
    }
    return ERR_OK;
}

/* Lease @n attempts for @worker: the first @waiting of them are named, the others are new. */
static void rules_lease_all(struct rules *r, struct rules_job *job, int64_t worker,
                            struct lease *leases, int64_t waiting, int64_t n) {
    int64_t token = rules_take_numbers(r, n);
    for (int64_t i = 0; i < n; i++) {
        if (i >= waiting) {
            leases[i] = (struct lease){.attempt_no = ++job->attempts};
        }
        leases[i].token = token + i;
        leases[i].worker = worker;
        rules_lease(r, job, &leases[i]);
    }
    job->count = true;
    job->what |= STORE_CHANGED_COUNTS;
}

enum err rule_claim(struct rules *r, struct store_op *op) {
    struct store_claim *o = CONTAINER_OF(op, struct store_claim, op);
    ASSERT(o->n > 0 && o->n <= STORE_CLAIM_MAX);
    struct rules_job *job = rules_job(r, o->job_id, STORE_TENANT_ANY);
    if (job == NULL) {
        return rules_no_job(op, o->job_id);
    }
    enum err e = rules_admit(r, op, job);
    if (e != ERR_OK) {
        return e;
    }
    int64_t waiting = o->borrow ? 0 : rules_find_waiting(r, job, o->n, o->ret);
    int64_t fresh = o->again ? 0 : o->borrow ? MIN(o->n, job->lent) : o->n - waiting;
    if (o->attempts_max > 0) {
        fresh = MAX(MIN(fresh, o->attempts_max - job->attempts), 0);
    }
    o->ret_n = waiting + fresh;
    if (o->ret_n == 0) {
        return ERR_OK;
    }
    rules_lease_all(r, job, o->worker, o->ret, waiting, o->ret_n);
    if (o->borrow) {
        o->ret_each_nusd = rules_set_lent(r, job, job->lent - fresh, -1);
    }
    return ERR_OK;
}

struct lease rules_lease_first(struct rules *r, struct rules_job *job) {
    struct lease lease;
    rules_lease_all(r, job, job->worker, &lease, 0, 1);
    return lease;
}

/* Run a query whose parameters are a lease; returns the number of rows it changed. */
static int64_t rules_with_lease(struct rules *r, size_t query, const struct rules_job *job,
                                const struct lease *lease) {
    struct sql_query *q = sql_use(r->db, query);
    sql_put_int(q, job->key);
    sql_put_int(q, lease->attempt_no);
    sql_put_int(q, lease->token);
    return sql_run(q);
}

bool rules_lease_end(struct rules *r, const struct rules_job *job, const struct lease *lease) {
    return rules_with_lease(r, Q_LEASE_END, job, lease) > 0;
}

bool rules_lease_is_live(struct rules *r, const struct rules_job *job, const struct lease *lease) {
    struct sql_query *q = sql_use(r->db, Q_LEASE_LIVE);
    sql_put_int(q, job->key);
    sql_put_int(q, lease->attempt_no);
    sql_put_int(q, lease->token);
    bool live = sql_next(q);
    if (live) {
        sql_end(q);
    }
    return live;
}

enum err rule_release(struct rules *r, struct store_op *op) {
    struct store_release *o = CONTAINER_OF(op, struct store_release, op);
    struct rules_job *job = rules_job(r, o->job_id, STORE_TENANT_ANY);
    if (job == NULL) {
        return rules_no_job(op, o->job_id);
    }
    job->what |= STORE_CHANGED_COUNTS;
    for (size_t i = 0; i < o->n; i++) {
        (void)rules_with_lease(r, Q_LEASE_BACK, job, &o->leases[i]); /* a stale one has gone */
    }
    return ERR_OK;
}

/* --- after a crash */

static void rules_sum_calls(struct rules *r, const struct rules_job *job, int64_t attempt_no,
                            struct problem *ret) {
    struct sql_query *q = sql_use(r->db, Q_CALLS_SUM);
    sql_put_int(q, job->key);
    sql_put_int(q, attempt_no);
    while (sql_next(q)) {
        ret->calls = sql_int(q, 0);
        ret->usage = (struct call_usage){.input_tokens = sql_int(q, 1),
                                         .cached_tokens = sql_int(q, 2),
                                         .output_tokens = sql_int(q, 3),
                                         .reasoning_tokens = sql_int(q, 4)};
        ret->cost_nusd = sql_int(q, 6) == ret->calls ? sql_int(q, 5) : MONEY_UNKNOWN;
    }
}

static void rules_give_up_on(struct rules *r, struct rules_job *job, const struct lease *lease) {
    char id[ID_BYTES], reason[128];
    (void)snprintf(reason, sizeof reason,
                   "the process died %" PRId64 " times while it worked on this attempt",
                   lease->crashes);
    struct problem problem = {
        .outcome = OUTCOME_FAILED, .reason = str_of(reason), .cause = "process died"};
    id_new("p", id);
    struct problem_ids ids = {.id = id,
                              .job_id = job->id,
                              .attempt = lease->attempt_no,
                              .created_ms = sql_wall_ms(r->db)};
    rules_sum_calls(r, job, lease->attempt_no, &problem);
    ASSERT(rules_write_line(r, &problem, &ids));
    struct sql_query *q = sql_use(r->db, Q_WAITING_END);
    sql_put_int(q, job->key);
    sql_put_int(q, lease->attempt_no);
    (void)sql_run(q);
    rules_add_problem(r, job, &problem, &ids);
}

void rules_take_leases_back(struct rules *r, struct rules_job *job, int64_t worker, bool crashed) {
    struct sql_query *back = sql_use(r->db, crashed ? Q_LEASES_LOST : Q_LEASES_BACK);
    sql_put_int(back, job->key);
    sql_put_int(back, worker);
    (void)sql_run(back);
    job->what |= STORE_CHANGED_COUNTS;
    for (bool more = crashed; more;) {
        struct sql_query *q = sql_use(r->db, Q_CRASHED);
        sql_put_int(q, job->key);
        sql_put_int(q, RULES_CRASHES_MAX);
        more = sql_next(q);
        if (more) {
            struct lease lease = {.attempt_no = sql_int(q, 0), .crashes = sql_int(q, 1)};
            sql_end(q);
            rules_give_up_on(r, job, &lease);
        }
    }
}
