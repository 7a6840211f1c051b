/* What a job's rows hold, page by page: problems, events, the calls of an attempt, hashes. */
#include "store/reader.h"

#include "core/attempt.h"
#include "store/names.h"
#include "store/store_work.h"

#include <inttypes.h>

/* --- problems and events */

static enum err read_page_too_big(struct store_op *op, const char *job_id) {
    return errinfo_set(&op->detail, ERR_TOO_BIG, "a page of job %s does not fit the memory given",
                       job_id);
}

static struct sql_query *reader_use_problems(struct store_reader *r, int64_t job, unsigned mask,
                                             int64_t after_seq, int64_t limit) {
    struct sql_query *q = sql_use(r->db, R_PROBLEMS);
    sql_put_int(q, job);
    sql_put_int(q, after_seq);
    for (int outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
        bool wanted = (mask & 1u << outcome) != 0;
        sql_put_str(q, wanted ? str_of(outcome_name((enum outcome)outcome)) : S(""));
    }
    sql_put_int(q, limit);
    return q;
}

enum err read_get_problems(struct store_reader *r, struct store_op *op) {
    struct store_get_problems *o = CONTAINER_OF(op, struct store_get_problems, op);
    struct reader_job job;
    size_t bytes = 0;
    ASSERT(o->limit >= 1 && o->limit <= STORE_PAGE_ROWS_MAX);
    if (!reader_find_job(r, o->job_id, o->tenant, &job)) {
        return reader_no_job(r, o->job_id, o->tenant, &op->detail);
    }
    o->ret = ARENA_ARRAY(o->a, struct problem_row, (size_t)o->limit);
    o->ret_n = 0;
    o->ret_more = false;
    o->ret_state = job.state;
    struct sql_query *q = reader_use_problems(r, job.key, o->mask, o->after_seq, o->limit + 1);
    while (sql_next(q)) {
        o->ret_more = o->ret_n == (size_t)o->limit || bytes > STORE_PAGE_BYTES;
        if (o->ret_more) {
            sql_end(q);
            break;
        }
        struct problem_row *row = &o->ret[o->ret_n++];
        row->seq = sql_int(q, 0);
        row->attempt_no = sql_int(q, 1);
        row->outcome = outcome_from_name(sql_str(q, 2));
        if (!row_get_str(q, 3, o->a, &row->id) || !row_get_str(q, 4, o->a, &row->line)) {
            sql_end(q);
            return read_page_too_big(op, o->job_id);
        }
        bytes += row->line.n;
    }
    return ERR_OK;
}

enum err read_get_events(struct store_reader *r, struct store_op *op) {
    struct store_get_events *o = CONTAINER_OF(op, struct store_get_events, op);
    struct reader_job job;
    size_t bytes = 0;
    ASSERT(o->limit >= 1 && o->limit <= STORE_PAGE_ROWS_MAX);
    if (!reader_find_job(r, o->job_id, o->tenant, &job)) {
        return reader_no_job(r, o->job_id, o->tenant, &op->detail);
    }
    o->ret = ARENA_ARRAY(o->a, struct event_row, (size_t)o->limit);
    o->ret_n = 0;
    o->ret_more = false;
    o->ret_state = job.state;
    struct sql_query *q = sql_use(r->db, R_EVENTS);
    sql_put_int(q, job.key);
    sql_put_int(q, o->after_seq);
    sql_put_int(q, o->limit + 1);
    while (sql_next(q)) {
        o->ret_more = o->ret_n == (size_t)o->limit || bytes > STORE_PAGE_BYTES;
        if (o->ret_more) {
            sql_end(q);
            break;
        }
        struct event_row *row = &o->ret[o->ret_n++];
        row->seq = sql_int(q, 0);
        row->at_ms = sql_int(q, 3);
        if (!row_get_str(q, 1, o->a, &row->kind) || !row_get_str(q, 2, o->a, &row->data)) {
            sql_end(q);
            return read_page_too_big(op, o->job_id);
        }
        bytes += row->data.n;
    }
    return ERR_OK;
}

/* --- calls */

/* Unknown numbers are -1 in memory and NULL in the row, so that sums stay honest. */
static int64_t reader_get_known(struct sql_query *q, int column) {
    return sql_is_null(q, column) ? -1 : sql_int(q, column);
}

/* False if the texts do not fit into @a. */
static bool reader_get_call(struct store_reader *r, struct sql_query *q, struct arena *a,
                            struct ledger_call *ret) {
    struct call_answer *answer = &ret->answer;
    int column = 0;
    ret->call_no = sql_int(q, column++);
    ret->role = names_role(sql_str(q, column++));
    bool fits = row_get_str(q, column++, a, &ret->model);
    answer->finish = names_finish(sql_str(q, column++));
    answer->usage.input_tokens = reader_get_known(q, column++);
    answer->usage.cached_tokens = reader_get_known(q, column++);
    answer->usage.output_tokens = reader_get_known(q, column++);
    answer->usage.reasoning_tokens = reader_get_known(q, column++);
    answer->usage.cache_write_tokens = reader_get_known(q, column++);
    answer->cost_nusd = reader_get_known(q, column++);
    answer->latency_ms = sql_int(q, column++);
    answer->tries = sql_int(q, column++);
    answer->reused = answer->tries == 0;
    ret->created_ms = sql_int(q, column++);
    fits = fits && row_get_str(q, column, a, &answer->model_id) &&
           row_get_str(q, column + 1, a, &answer->request_id) &&
           row_get_str(q, column + 2, a, &answer->text);
    if (ret->role == ROLE_COUNT) {
        sql_found_corrupt(r->db, "a call has an unknown role");
    }
    return fits;
}

enum err read_calls(struct store_reader *r, struct store_op *op) {
    struct store_calls *o = CONTAINER_OF(op, struct store_calls, op);
    struct reader_job job;
    if (!reader_find_job(r, o->job_id, STORE_TENANT_ANY, &job)) {
        return reader_no_job(r, o->job_id, STORE_TENANT_ANY, &op->detail);
    }
    o->ret = ARENA_ARRAY(o->a, struct ledger_call, ATTEMPT_CALLS_MAX);
    o->ret_n = 0;
    struct sql_query *q = sql_use(r->db, R_CALLS);
    sql_put_int(q, job.key);
    sql_put_int(q, o->attempt_no);
    while (sql_next(q)) {
        if (o->ret_n == ATTEMPT_CALLS_MAX) {
            sql_end(q);
            sql_found_corrupt(r->db, "an attempt has too many calls");
            break;
        }
        struct ledger_call *call = &o->ret[o->ret_n++];
        if (!reader_get_call(r, q, o->a, call)) {
            sql_end(q);
            return errinfo_set(&op->detail, ERR_TOO_BIG,
                               "the calls of attempt %" PRId64 " do not fit the memory given",
                               o->attempt_no);
        }
        call->attempt_no = o->attempt_no;
    }
    return ERR_OK;
}

/* --- hashes */

enum err reader_get_hashes(struct store_reader *r, int64_t job, struct arena *a, uint64_t **ret,
                           size_t *ret_n, struct errinfo *reterr) {
    int64_t n = 0;
    struct sql_query *q = sql_use(r->db, R_HASHES_COUNT);
    sql_put_int(q, job);
    while (sql_next(q)) {
        n = sql_int(q, 0);
    }
    if ((size_t)n >= arena_room(a) / sizeof **ret) {
        return errinfo_set(reterr, ERR_TOO_BIG, "%s holds too many problems", r->path);
    }
    uint64_t *hashes = ARENA_ARRAY(a, uint64_t, (size_t)n);
    size_t got = 0;
    q = sql_use(r->db, R_HASHES);
    sql_put_int(q, job);
    while (sql_next(q)) {
        hashes[got++] = (uint64_t)sql_int(q, 0);
    }
    *ret = hashes;
    *ret_n = got;
    return ERR_OK;
}

enum err read_hashes(struct store_reader *r, struct store_op *op) {
    struct store_hashes *o = CONTAINER_OF(op, struct store_hashes, op);
    struct reader_job job;
    if (!reader_find_job(r, o->job_id, STORE_TENANT_ANY, &job)) {
        return reader_no_job(r, o->job_id, STORE_TENANT_ANY, &op->detail);
    }
    return reader_get_hashes(r, job.key, o->a, &o->ret, &o->ret_n, &op->detail);
}
