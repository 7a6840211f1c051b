/* What an attempt leaves behind: its paid calls, and at the end its problem. */
#include "store/rules_job.h"

#include "core/attempt.h"
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

static int64_t rules_get_known(struct sql_query *q, int column) {
    return sql_is_null(q, column) ? -1 : sql_int(q, column);
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
    if (sql_run(q) == 0) {
        return;
    }
    job->calls++;
    job->input_tokens += MAX(answer->usage.input_tokens, 0);
    job->output_tokens += MAX(answer->usage.output_tokens, 0);
    job->cost_nusd += MAX(answer->cost_nusd, 0);
    job->calls_unpriced += answer->cost_nusd < 0;
    job->changed = true;
}

enum err rule_record(struct rules *r, struct store_op *op) {
    struct store_record *o = CONTAINER_OF(op, struct store_record, op);
    struct rules_job *job = rules_job(r, o->job_id);
    if (job == NULL) {
        return rules_no_job(op, o->job_id);
    }
    bool live = rules_lease_is_live(r, job, &o->lease);
    rules_add_call(r, job, &o->lease, o->call, !live);
    return live ? ERR_OK : rules_stale(op, &o->lease);
}

static bool rules_get_str(struct sql_query *q, int column, struct arena *a, struct str *ret) {
    struct str value = sql_str(q, column);
    if (value.n + ARENA_CHUNK_BYTES_MIN > arena_room(a)) {
        return false;
    }
    *ret = str_dup(a, value);
    return true;
}

/* False if the texts do not fit into @a. */
static bool rules_get_call(struct rules *r, struct sql_query *q, struct arena *a,
                           struct ledger_call *ret) {
    struct call_answer *answer = &ret->answer;
    int column = 0;
    ret->call_no = sql_int(q, column++);
    ret->role = names_role(sql_str(q, column++));
    bool fits = rules_get_str(q, column++, a, &ret->model);
    answer->finish = names_finish(sql_str(q, column++));
    answer->usage.input_tokens = rules_get_known(q, column++);
    answer->usage.cached_tokens = rules_get_known(q, column++);
    answer->usage.output_tokens = rules_get_known(q, column++);
    answer->usage.reasoning_tokens = rules_get_known(q, column++);
    answer->cost_nusd = rules_get_known(q, column++);
    answer->latency_ms = sql_int(q, column++);
    answer->tries = sql_int(q, column++);
    ret->created_ms = sql_int(q, column++);
    fits = fits && rules_get_str(q, column++, a, &answer->model_id) &&
           rules_get_str(q, column++, a, &answer->request_id) &&
           rules_get_str(q, column++, a, &answer->text);
    if (ret->role == ROLE_COUNT) {
        sql_found_corrupt(r->db, "a call has an unknown role");
    }
    return fits;
}

enum err rule_calls(struct rules *r, struct store_op *op) {
    struct store_calls *o = CONTAINER_OF(op, struct store_calls, op);
    const struct rules_job *job = rules_job(r, o->job_id);
    if (job == NULL) {
        return rules_no_job(op, o->job_id);
    }
    o->ret = ARENA_ARRAY(o->a, struct ledger_call, ATTEMPT_CALLS_MAX);
    o->ret_n = 0;
    struct sql_query *q = sql_use(r->db, Q_CALLS_OF);
    sql_put_int(q, job->key);
    sql_put_int(q, o->attempt_no);
    while (sql_next(q)) {
        if (o->ret_n == ATTEMPT_CALLS_MAX) {
            sql_end(q);
            sql_found_corrupt(r->db, "an attempt has too many calls");
            break;
        }
        struct ledger_call *call = &o->ret[o->ret_n++];
        if (!rules_get_call(r, q, o->a, call)) {
            sql_end(q);
            return errinfo_set(&op->detail, ERR_TOO_BIG,
                               "the calls of attempt %" PRId64 " do not fit the memory given",
                               o->attempt_no);
        }
        call->attempt_no = o->attempt_no;
    }
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
    job->changed = true;
}

enum err rule_finish(struct rules *r, struct store_op *op) {
    struct store_finish *o = CONTAINER_OF(op, struct store_finish, op);
    ASSERT(o->ids.attempt == o->lease.attempt_no);
    struct rules_job *job = rules_job(r, o->job_id);
    if (job == NULL) {
        return rules_no_job(op, o->job_id);
    }
    struct problem problem = *o->problem;
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
