/* A transaction remembers the jobs that it touches: the first operation on a job reads its row, the
 * following ones count in memory, rules_flush() writes the row once before the commit. Nothing is
 * remembered across transactions, so the rules hold with several writers too, where the first read
 * would also lock the row.
 *
 * Invariants (those of store.h)
 * (1) accepted <= wanted: rule_finish() turns what is beyond into surplus;
 * (2) an attempt is a row of `attempts` until it ends, with at most one token; a finish deletes the
 *     row by number and token, so only one finish can ever succeed;
 * (3) tokens come from one counter that only grows;
 * (4) counters change in the transaction of the rows that they count.
 */
#include "store/rules.h"

#include "core/attempt.h"
#include "store/names.h"

#include "base/id.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define RULES_LINE_BYTES_MAX ((size_t)256 * 1024 * 1024)
#define RULES_LINE_BYTES_KEPT ((size_t)1024 * 1024)
#define RULES_ARENA_BYTES_MAX ((size_t)64 * 1024 * 1024)

enum {
    Q_JOB_FIND,
    Q_JOB_ADD,
    Q_JOB_COUNT,
    Q_JOB_STATE,
    Q_SPEC_ADD,
    Q_EVENT_ADD,
    Q_TOKENS_TAKE,
    Q_WAITING,
    Q_WAITING_END,
    Q_LEASE_AGAIN,
    Q_LEASE_NEW,
    Q_LEASE_LIVE,
    Q_LEASE_END,
    Q_LEASE_BACK,
    Q_CALL_ADD,
    Q_CALLS_OF,
    Q_CALLS_SUM,
    Q_PROBLEM_ADD,
    Q_REAP,
    Q_CRASHED,
    Q_COUNT
};

const char *const rules_texts[] = {
    [Q_JOB_FIND] = "SELECT key, state, wanted, attempts, accepted, rejected, solved, duplicate,"
                   " surplus, failed, calls, input_tokens, output_tokens, cost_nusd,"
                   " calls_unpriced FROM jobs WHERE id = $1",
    [Q_JOB_ADD] = "INSERT INTO jobs (id, state, wanted, created_ms) VALUES ($1, $2, $3, $4)"
                  " ON CONFLICT DO NOTHING",
    [Q_JOB_COUNT] = "UPDATE jobs SET attempts = $1, accepted = $2, rejected = $3, solved = $4,"
                    " duplicate = $5, surplus = $6, failed = $7, calls = $8, input_tokens = $9,"
                    " output_tokens = $10, cost_nusd = $11, calls_unpriced = $12 WHERE key = $13",
    [Q_JOB_STATE] = "UPDATE jobs SET state = $1, reason = $2, ended_ms = $3 WHERE key = $4",
    [Q_SPEC_ADD] = "INSERT INTO specs (job, spec) VALUES ($1, $2)",
    [Q_EVENT_ADD] = "INSERT INTO events (job, seq, kind, data, at_ms)"
                    " SELECT $1, coalesce(max(seq), 0) + 1, $2, $3, $4 FROM events WHERE job = $1",
    [Q_TOKENS_TAKE] = "UPDATE tokens SET last = last + $1 RETURNING last",
    [Q_WAITING] = "SELECT no, crashes FROM attempts WHERE job = $1 AND token IS NULL"
                  " ORDER BY no LIMIT $2",
    [Q_WAITING_END] = "DELETE FROM attempts WHERE job = $1 AND no = $2 AND token IS NULL",
    [Q_LEASE_AGAIN] = "UPDATE attempts SET token = $1 WHERE job = $2 AND no = $3",
    [Q_LEASE_NEW] = "INSERT INTO attempts (job, no, token) VALUES ($1, $2, $3)",
    [Q_LEASE_LIVE] = "SELECT 1 FROM attempts WHERE job = $1 AND no = $2 AND token = $3",
    [Q_LEASE_END] = "DELETE FROM attempts WHERE job = $1 AND no = $2 AND token = $3",
    [Q_LEASE_BACK] = "UPDATE attempts SET token = NULL WHERE job = $1 AND no = $2 AND token = $3",
    [Q_CALL_ADD] = "INSERT INTO calls (job, attempt_no, call_no, token, stale, role, model, finish,"
                   " input_tokens, cached_tokens, output_tokens, reasoning_tokens, cost_nusd,"
                   " latency_ms, tries, created_ms, model_id, request_id, text)"
                   " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,"
                   " $17, $18, $19) ON CONFLICT DO NOTHING",
    [Q_CALLS_OF] = "SELECT call_no, role, model, finish, input_tokens, cached_tokens,"
                   " output_tokens, reasoning_tokens, cost_nusd, latency_ms, tries, created_ms,"
                   " model_id, request_id, text FROM calls"
                   " WHERE job = $1 AND attempt_no = $2 AND stale = 0 ORDER BY call_no",
    [Q_CALLS_SUM] = "SELECT count(*), sum(input_tokens), sum(cached_tokens), sum(output_tokens),"
                    " sum(reasoning_tokens), sum(cost_nusd), count(cost_nusd) FROM calls"
                    " WHERE job = $1 AND attempt_no = $2",
    [Q_PROBLEM_ADD] = "INSERT INTO problems (job, seq, attempt_no, outcome, hash, id, line)"
                      " VALUES ($1, $2, $3, $4, $5, $6, $7)",
    [Q_REAP] = "UPDATE attempts SET token = NULL, crashes = crashes + 1 WHERE token IS NOT NULL",
    [Q_CRASHED] = "SELECT j.id, a.no, a.crashes FROM attempts a JOIN jobs j ON j.key = a.job"
                  " WHERE a.token IS NULL AND a.crashes > $1 LIMIT 1",
};
const size_t rules_texts_n = Q_COUNT;

struct rules_job {
    struct rules_job *next;
    const char *id;
    int64_t key;
    enum job_state state;
    int64_t wanted, attempts, outcomes[OUTCOME_COUNT];
    int64_t calls, input_tokens, output_tokens, cost_nusd, calls_unpriced;
    bool changed;
};

void rules_init(struct rules *r, struct sql *db) {
    *r = (struct rules){.db = db};
    arena_init(&r->arena, RULES_ARENA_BYTES_MAX);
    sbuf_init(&r->line, RULES_LINE_BYTES_MAX);
}

void rules_release(struct rules *r) {
    arena_release(&r->arena);
    sbuf_release(&r->line);
}

void rules_forget(struct rules *r) {
    r->jobs = NULL;
    arena_reset(&r->arena);
}

/* --- jobs */

static struct rules_job *rules_read_job(struct rules *r, const char *id) {
    struct sql_query *q = sql_use(r->db, Q_JOB_FIND);
    sql_put_str(q, str_of(id));
    if (!sql_next(q)) {
        return NULL;
    }
    struct rules_job *job = ARENA_NEW(&r->arena, struct rules_job);
    int column = 0;
    job->id = str_cstr(&r->arena, str_of(id));
    job->key = sql_int(q, column++);
    job->state = names_job_state(sql_str(q, column++));
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
    sql_end(q);
    if (job->state == JOB_STATES) {
        sql_found_corrupt(r->db, "a job has an unknown state");
        return NULL;
    }
    return job;
}

/* NULL if there is none, or if the database failed. */
static struct rules_job *rules_job(struct rules *r, const char *id) {
    struct rules_job **at = &r->jobs;
    while (*at != NULL && strcmp((*at)->id, id) != 0) {
        at = &(*at)->next;
    }
    struct rules_job *job = *at;
    if (job != NULL) {
        *at = job->next;
    } else {
        job = rules_read_job(r, id);
    }
    if (job != NULL) { /* to the front: the next operation is likely to be on the same job */
        job->next = r->jobs;
        r->jobs = job;
    }
    return job;
}

static enum err rules_no_job(struct store_op *op, const char *id) {
    return errinfo_set(&op->detail, ERR_NOT_FOUND, "there is no job %s", id);
}

static enum err rules_stale(struct store_op *op, const struct lease *lease) {
    return errinfo_set(&op->detail, ERR_STALE, "lease %" PRId64 " of attempt %" PRId64 " is over",
                       lease->token, lease->attempt_no);
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
    sql_put_int(q, job->key);
    (void)sql_run(q);
}

void rules_flush(struct rules *r) {
    for (struct rules_job *job = r->jobs; job != NULL; job = job->next) {
        if (job->changed) {
            rules_count(r, job);
            job->changed = false;
        }
    }
}

static void rules_add_event(struct rules *r, int64_t job_key, enum job_state state,
                            struct str reason, int64_t at_ms) {
    char kind[32];
    struct jwrite w;
    (void)snprintf(kind, sizeof kind, "job.%s", job_state_name(state));
    sbuf_clear(&r->line);
    jwrite_init(&w, &r->line);
    jwrite_object(&w);
    jwrite_key(&w, "reason");
    jwrite_str(&w, reason);
    jwrite_end(&w);
    struct sql_query *q = sql_use(r->db, Q_EVENT_ADD);
    sql_put_int(q, job_key);
    sql_put_str(q, str_of(kind));
    sql_put_str(q, sbuf_str(&r->line));
    sql_put_int(q, at_ms);
    (void)sql_run(q);
}

enum err rule_submit(struct rules *r, struct store_op *op) {
    struct store_submit *o = CONTAINER_OF(op, struct store_submit, op);
    struct sql_query *q = sql_use(r->db, Q_JOB_ADD);
    sql_put_str(q, str_of(o->job_id));
    sql_put_str(q, str_of(job_state_name(JOB_RUNNING)));
    sql_put_int(q, o->wanted);
    sql_put_int(q, o->created_ms);
    if (sql_run(q) == 0) {
        return errinfo_set(&op->detail, ERR_EXISTS, "there is a job %s already", o->job_id);
    }
    const struct rules_job *job = rules_job(r, o->job_id);
    if (job != NULL) {
        q = sql_use(r->db, Q_SPEC_ADD);
        sql_put_int(q, job->key);
        sql_put_str(q, o->spec);
        (void)sql_run(q);
        rules_add_event(r, job->key, JOB_RUNNING, S(""), o->created_ms);
    }
    return ERR_OK;
}

enum err rule_job_set(struct rules *r, struct store_op *op) {
    struct store_job_set *o = CONTAINER_OF(op, struct store_job_set, op);
    struct rules_job *job = rules_job(r, o->job_id);
    if (job == NULL) {
        return rules_no_job(op, o->job_id);
    }
    struct sql_query *q = sql_use(r->db, Q_JOB_STATE);
    sql_put_str(q, str_of(job_state_name(o->state)));
    sql_put_str(q, o->reason);
    if (job_state_is_final(o->state)) {
        sql_put_int(q, o->now_ms);
    } else {
        sql_put_null(q);
    }
    sql_put_int(q, job->key);
    (void)sql_run(q);
    if (job->state != o->state) {
        rules_add_event(r, job->key, o->state, o->reason, o->now_ms);
        job->state = o->state;
    }
    return ERR_OK;
}

/* --- leases */

/* The first of @n new tokens. */
static int64_t rules_take_tokens(struct rules *r, int64_t n) {
    struct sql_query *q = sql_use(r->db, Q_TOKENS_TAKE);
    int64_t last = 0;
    sql_put_int(q, n);
    while (sql_next(q)) {
        last = sql_int(q, 0);
    }
    return last - n + 1;
}

/* Attempts that wait to be leased again, without their tokens yet. */
static int64_t rules_find_waiting(struct rules *r, const struct rules_job *job, int64_t n,
                                  struct lease *ret) {
    struct sql_query *q = sql_use(r->db, Q_WAITING);
    int64_t found = 0;
    sql_put_int(q, job->key);
    sql_put_int(q, n);
    while (sql_next(q)) {
        ASSERT(found < n);
        ret[found++] = (struct lease){.attempt_no = sql_int(q, 0), .crashes = sql_int(q, 1)};
    }
    return found;
}

static void rules_lease(struct rules *r, const struct rules_job *job, const struct lease *lease,
                        bool again) {
    struct sql_query *q = sql_use(r->db, again ? Q_LEASE_AGAIN : Q_LEASE_NEW);
    if (again) {
        sql_put_int(q, lease->token);
    }
    sql_put_int(q, job->key);
    sql_put_int(q, lease->attempt_no);
    if (!again) {
        sql_put_int(q, lease->token);
    }
    (void)sql_run(q);
}

enum err rule_claim(struct rules *r, struct store_op *op) {
    struct store_claim *o = CONTAINER_OF(op, struct store_claim, op);
    ASSERT(o->n > 0 && o->n <= STORE_CLAIM_MAX);
    struct rules_job *job = rules_job(r, o->job_id);
    if (job == NULL) {
        return rules_no_job(op, o->job_id);
    }
    if (job->state != JOB_RUNNING && job->state != JOB_QUEUED) {
        return errinfo_set(&op->detail, ERR_CONFLICT, "job %s is %s", o->job_id,
                           job_state_name(job->state));
    }
    int64_t waiting = rules_find_waiting(r, job, o->n, o->ret);
    int64_t fresh = o->n - waiting;
    if (o->attempts_max > 0) {
        fresh = MAX(MIN(fresh, o->attempts_max - job->attempts), 0);
    }
    o->ret_n = waiting + fresh;
    if (o->ret_n == 0) {
        return ERR_OK;
    }
    int64_t token = rules_take_tokens(r, o->ret_n);
    for (int64_t i = 0; i < o->ret_n; i++) {
        bool again = i < waiting;
        if (!again) {
            o->ret[i] = (struct lease){.attempt_no = ++job->attempts};
        }
        o->ret[i].token = token + i;
        rules_lease(r, job, &o->ret[i], again);
    }
    job->changed = true;
    return ERR_OK;
}

/* Run a query whose parameters are a lease; returns the number of rows. */
static int64_t rules_with_lease(struct rules *r, size_t query, const struct rules_job *job,
                                const struct lease *lease) {
    struct sql_query *q = sql_use(r->db, query);
    sql_put_int(q, job->key);
    sql_put_int(q, lease->attempt_no);
    sql_put_int(q, lease->token);
    if (query != Q_LEASE_LIVE) {
        return sql_run(q);
    }
    int64_t rows = 0;
    while (sql_next(q)) {
        rows++;
    }
    return rows;
}

enum err rule_release(struct rules *r, struct store_op *op) {
    struct store_release *o = CONTAINER_OF(op, struct store_release, op);
    const struct rules_job *job = rules_job(r, o->job_id);
    if (job == NULL) {
        return rules_no_job(op, o->job_id);
    }
    for (size_t i = 0; i < o->n; i++) {
        (void)rules_with_lease(r, Q_LEASE_BACK, job, &o->leases[i]); /* a stale one has gone */
    }
    return ERR_OK;
}

/* --- the ledger */

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
    bool live = rules_with_lease(r, Q_LEASE_LIVE, job, &o->lease) > 0;
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

/* Write the problem's line; false if it is too long to be kept. */
static bool rules_write_line(struct rules *r, const struct problem *p,
                             const struct problem_ids *ids) {
    struct jwrite w;
    if (r->line.capacity > RULES_LINE_BYTES_KEPT) {
        sbuf_release(&r->line);
    }
    sbuf_clear(&r->line);
    jwrite_init(&w, &r->line);
    problem_write(p, ids, &w);
    return !sbuf_overflowed(&r->line);
}

/* With the line that was just written. */
static void rules_add_problem(struct rules *r, struct rules_job *job, const struct problem *p,
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
    bool live = rules_with_lease(r, Q_LEASE_END, job, &o->lease) > 0; /* invariant 2 */
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

static void rules_give_up_on(struct rules *r, const char *job_id, const struct lease *lease,
                             int64_t now_ms) {
    char id[ID_BYTES], reason[128];
    struct rules_job *job = rules_job(r, job_id);
    if (job == NULL) {
        return; /* the database failed */
    }
    (void)snprintf(reason, sizeof reason,
                   "the process died %" PRId64 " times while it worked on this attempt",
                   lease->crashes);
    struct problem problem = {
        .outcome = OUTCOME_FAILED, .reason = str_of(reason), .cause = "process died"};
    id_new("p", id);
    struct problem_ids ids = {
        .id = id, .job_id = job_id, .attempt = lease->attempt_no, .created_ms = now_ms};
    rules_sum_calls(r, job, lease->attempt_no, &problem);
    ASSERT(rules_write_line(r, &problem, &ids));
    struct sql_query *q = sql_use(r->db, Q_WAITING_END);
    sql_put_int(q, job->key);
    sql_put_int(q, lease->attempt_no);
    (void)sql_run(q);
    rules_add_problem(r, job, &problem, &ids);
}

void rules_reap(struct rules *r, int64_t now_ms) {
    (void)sql_run(sql_use(r->db, Q_REAP));
    for (bool more = true; more;) {
        struct sql_query *q = sql_use(r->db, Q_CRASHED);
        sql_put_int(q, RULES_CRASHES_MAX);
        more = sql_next(q);
        if (more) {
            const char *job_id = str_cstr(&r->arena, sql_str(q, 0));
            struct lease lease = {.attempt_no = sql_int(q, 1), .crashes = sql_int(q, 2)};
            sql_end(q);
            rules_give_up_on(r, job_id, &lease, now_ms);
        }
    }
}
