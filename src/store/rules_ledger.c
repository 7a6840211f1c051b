/* What an attempt leaves behind: its paid calls, and at the end its problem. */
#include "store/rules_job.h"

#include "store/names.h"

#include <inttypes.h>

#define RULES_LINE_BYTES_KEPT ((size_t)1024 * 1024)

/* Unknown numbers are -1 in memory and NULL in the row, so that sums stay honest. */
static void rules_put_known(struct sql_query *q, int64_t value) {
    if (value < 0) {
        sql_put_null(q);
    } else {
        sql_put_int(q, value);
    }
}

/* The row of @role and @model among what the transaction adds to the job's usage. */
static struct usage_row *rules_usage_of(struct rules *r, struct rules_job *job, enum role role,
                                        struct str model) {
    for (struct rules_usage *u = job->usage; u != NULL; u = u->next) {
        if (u->row.role == role && str_eq(u->row.model, model)) {
            return &u->row;
        }
    }
    struct rules_usage *u = ARENA_NEW(&r->arena, struct rules_usage);
    *u = (struct rules_usage){job->usage, {.role = role, .model = str_dup(&r->arena, model)}};
    job->usage = u;
    return &u->row;
}

static void rules_count_call(struct rules *r, struct rules_job *job, int64_t worker,
                             const struct ledger_call *call) {
    const struct call_answer *answer = &call->answer;
    struct usage_row *usage = rules_usage_of(r, job, call->role, call->model);
    usage->calls++;
    usage->input_tokens += MAX(answer->usage.input_tokens, 0);
    usage->cached_tokens += MAX(answer->usage.cached_tokens, 0);
    usage->output_tokens += MAX(answer->usage.output_tokens, 0);
    usage->reasoning_tokens += MAX(answer->usage.reasoning_tokens, 0);
    usage->cost_nusd += MAX(answer->cost_nusd, 0);
    usage->calls_unpriced += answer->cost_nusd < 0;
    usage->calls_reused += answer->tries == 0;
    job->calls++;
    job->input_tokens += MAX(answer->usage.input_tokens, 0);
    job->output_tokens += MAX(answer->usage.output_tokens, 0);
    job->cost_nusd += MAX(answer->cost_nusd, 0);
    job->calls_unpriced += answer->cost_nusd < 0;
    rules_spend(r, job->tenant, worker, MAX(answer->cost_nusd, 0));
    job->count = true;
    job->what |= STORE_CHANGED_COUNTS;
}

/* The same call under the same lease is kept and counted once. */
static void rules_add_call(struct rules *r, struct rules_job *job, const struct lease *lease,
                           const struct ledger_call *call, bool stale) {
    const struct call_answer *answer = &call->answer;
    ASSERT(answer->err == ERR_OK && call->attempt_no == lease->attempt_no);
    struct sql_query *q = sql_use(r->db, Q_CALL_ADD);
    sql_put_int(q, job->key);
    sql_put_int(q, call->attempt_no);
    sql_put_int(q, call->call_no);
    sql_put_int(q, lease->token);
    sql_put_int(q, stale);
    sql_put_str(q, str_of(role_name(call->role)));
    sql_put_str(q, call->model);
    sql_put_str(q, str_of(names_of_finish(answer->finish)));
    rules_put_known(q, answer->usage.input_tokens);
    rules_put_known(q, answer->usage.cached_tokens);
    rules_put_known(q, answer->usage.output_tokens);
    rules_put_known(q, answer->usage.reasoning_tokens);
    rules_put_known(q, answer->cost_nusd);
    sql_put_int(q, answer->latency_ms);
    sql_put_int(q, answer->tries);
    sql_put_int(q, call->created_ms);
    sql_put_str(q, answer->model_id);
    sql_put_str(q, answer->request_id);
    sql_put_str(q, answer->text);
    rules_put_known(q, answer->usage.cache_write_tokens);
    if (sql_run(q) == 0) {
        return;
    }
    rules_count_call(r, job, lease->worker, call);
}

enum err rule_record(struct rules *r, struct store_op *op) {
    struct store_record *o = CONTAINER_OF(op, struct store_record, op);
    struct rules_job *job = rules_job(r, o->job_id, STORE_TENANT_ANY);
    if (job == NULL) {
        return rules_no_job(op, o->job_id);
    }
    bool live = rules_lease_is_live(r, job, &o->lease);
    rules_add_call(r, job, &o->lease, o->call, !live);
    return live ? ERR_OK : rules_stale(op, &o->lease);
}

enum err rule_lose(struct rules *r, struct store_op *op) {
    struct store_lose *o = CONTAINER_OF(op, struct store_lose, op);
    struct rules_job *job = rules_job(r, o->job_id, STORE_TENANT_ANY);
    if (job == NULL) {
        return rules_no_job(op, o->job_id);
    }
    struct sql_query *q = sql_use(r->db, Q_JOB_LOSE);
    sql_put_int(q, o->tries);
    sql_put_int(q, o->nusd);
    sql_put_int(q, job->key);
    (void)sql_run(q);
    job->what |= STORE_CHANGED_COUNTS;
    return ERR_OK;
}

/* --- ends */

bool rules_write_line(struct rules *r, const struct problem *p, const struct problem_ids *ids) {
    struct jwrite w;
    if (r->line.capacity > RULES_LINE_BYTES_KEPT) {
        sbuf_release(&r->line);
    }
    sbuf_clear(&r->line);
    jwrite_init(&w, &r->line);
    problem_write(p, ids, &w);
    return !sbuf_overflowed(&r->line);
}

static void rules_tell_accepted(struct rules *r, struct rules_job *job,
                                const struct problem_ids *ids, int64_t seq) {
    struct jwrite w;
    rules_begin_data(r, &w);
    jwrite_key(&w, "id");
    jwrite_cstr(&w, ids->id);
    jwrite_key(&w, "seq");
    jwrite_int(&w, seq);
    jwrite_key(&w, "attempt");
    jwrite_int(&w, ids->attempt);
    rules_write_counts(job, &w);
    jwrite_end(&w);
    rules_add_event(r, job, "problem.accepted");
}

void rules_add_problem(struct rules *r, struct rules_job *job, const struct problem *p,
                       const struct problem_ids *ids) {
    int64_t seq = 1;
    for (int outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
        seq += job->outcomes[outcome];
    }
    struct sql_query *q = sql_use(r->db, Q_PROBLEM_ADD);
    sql_put_int(q, job->key);
    sql_put_int(q, seq);
    sql_put_int(q, ids->attempt);
    sql_put_str(q, str_of(outcome_name(p->outcome)));
    sql_put_int(q, (int64_t)p->hash);
    sql_put_str(q, str_of(ids->id));
    sql_put_str(q, sbuf_str(&r->line));
    (void)sql_run(q);
    job->outcomes[p->outcome]++;
    job->count = true;
    job->what |= STORE_CHANGED_COUNTS;
    if (p->outcome == OUTCOME_ACCEPTED) {
        rules_tell_accepted(r, job, ids, seq);
    } else {
        job->progress = true;
    }
}

/* Workers that help with one job do not know of each other's problems. */
static bool rules_is_known(struct rules *r, const struct rules_job *job, uint64_t hash) {
    struct sql_query *q = sql_use(r->db, Q_PROBLEM_KNOWN);
    sql_put_int(q, job->key);
    sql_put_int(q, (int64_t)hash);
    bool known = sql_next(q);
    if (known) {
        sql_end(q);
    }
    return known;
}

enum err rule_finish(struct rules *r, struct store_op *op) {
    struct store_finish *o = CONTAINER_OF(op, struct store_finish, op);
    ASSERT(o->ids.attempt == o->lease.attempt_no);
    struct rules_job *job = rules_job(r, o->job_id, STORE_TENANT_ANY);
    if (job == NULL) {
        return rules_no_job(op, o->job_id);
    }
    struct problem problem = *o->problem;
    if (problem.outcome == OUTCOME_ACCEPTED && problem.hash != 0 &&
        rules_is_known(r, job, problem.hash)) {
        problem.outcome = OUTCOME_DUPLICATE;
    }
    if (problem.outcome == OUTCOME_ACCEPTED && job->outcomes[OUTCOME_ACCEPTED] >= job->wanted) {
        problem.outcome = OUTCOME_SURPLUS; /* invariant 1 */
    }
    if (!rules_write_line(r, &problem, &o->ids)) {
        return errinfo_set(&op->detail, ERR_TOO_BIG,
                           "the problem of attempt %" PRId64 " is longer than %zu bytes",
                           o->lease.attempt_no, RULES_LINE_BYTES_MAX);
    }
    bool live = rules_lease_end(r, job, &o->lease); /* invariant 2 */
    if (o->call != NULL) {
        rules_add_call(r, job, &o->lease, o->call, !live);
    }
    if (!live) {
        return rules_stale(op, &o->lease);
    }
    rules_add_problem(r, job, &problem, &o->ids);
    o->ret_outcome = problem.outcome;
    o->ret_accepted = job->outcomes[OUTCOME_ACCEPTED];
    return ERR_OK;
}
