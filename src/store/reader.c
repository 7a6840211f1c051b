/* Reading beside the writer: the connection, its texts, and what all reads share. Every transaction
 * is short: a long one would keep the writer's log from being folded back into the file. */
#include "store/reader.h"

#include "store/schema.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define READER_JOB "SELECT " ROW_JOB_COLUMNS ", '', NULL FROM jobs j WHERE j.deleted_ms IS NULL"

/* In the words of the index jobs_runnable. */
#define READER_RUNNABLE                                                                            \
    " AND (worker IS NULL AND state IN ('queued', 'running', 'cancelling') OR lent > 0)"           \
    " AND deleted_ms IS NULL"

static const char *const reader_texts[R_COUNT] = {
    [R_JOB] = READER_JOB " AND j.id = $1",
    [R_JOB_WITH_SPEC] = ROW_JOB_WITH_SPEC " AND j.id = $1",
    [R_JOB_NEWEST] = ROW_JOB_WITH_SPEC " ORDER BY j.key DESC LIMIT 1",
    [R_JOB_KEY] = "SELECT key, tenant, state FROM jobs WHERE id = $1 AND deleted_ms IS NULL",
    [R_JOBS] = READER_JOB " AND j.key < $1 ORDER BY j.key DESC LIMIT $2",
    [R_JOBS_OF_TENANT] = READER_JOB " AND j.tenant = $1 AND j.key < $2 ORDER BY j.key DESC"
                                    " LIMIT $3",
    [R_JOBS_IN_STATE] = READER_JOB " AND j.state = $1 AND j.key < $2 ORDER BY j.key DESC LIMIT $3",
    [R_JOBS_OF_TENANT_IN_STATE] = READER_JOB " AND j.state = $1 AND j.tenant = $2 AND j.key < $3"
                                             " ORDER BY j.key DESC LIMIT $4",
    [R_JOBS_NAMED] = READER_JOB " AND j.name = $1 AND j.name <> '' AND j.key < $2"
                                " AND ($3 < 0 OR j.tenant = $3) AND ($4 = '' OR j.state = $4)"
                                " ORDER BY j.key DESC LIMIT $5",
    [R_JOBS_COUNT] = "SELECT count(*) FROM jobs WHERE state = $1 AND deleted_ms IS NULL",
    [R_USAGE] =
        "SELECT role, model, calls, input_tokens, cached_tokens, output_tokens,"
        " reasoning_tokens, cost_nusd, calls_unpriced, calls_reused FROM usage WHERE job = $1",
    [R_TENANT_NEXT] = "SELECT min(tenant) FROM jobs WHERE tenant > $1" READER_RUNNABLE,
    [R_RUNNABLE] = "SELECT id, priority FROM jobs WHERE tenant = $1" READER_RUNNABLE
                   " ORDER BY priority DESC, key LIMIT $2",
    [R_IN_FLIGHT] = "SELECT count(token) FROM attempts",
    [R_PROBLEMS] = "SELECT seq, attempt_no, outcome, id, line FROM problems"
                   " WHERE job = $1 AND seq > $2 AND outcome IN ($3, $4, $5, $6, $7, $8)"
                   " ORDER BY seq LIMIT $9",
    [R_EVENTS] = "SELECT seq, kind, data, at_ms FROM events WHERE job = $1 AND seq > $2"
                 " ORDER BY seq LIMIT $3",
    [R_CALLS] = "SELECT call_no, role, model, finish, input_tokens, cached_tokens, output_tokens,"
                " reasoning_tokens, cache_write_tokens, cost_nusd, latency_ms, tries, created_ms,"
                " model_id, request_id, text FROM calls"
                " WHERE job = $1 AND attempt_no = $2 AND stale = 0 ORDER BY call_no",
    [R_HASHES_COUNT] = "SELECT count(*) FROM problems WHERE job = $1 AND hash <> 0"
                       " AND outcome <> 'duplicate'",
    [R_HASHES] = "SELECT hash FROM problems WHERE job = $1 AND hash <> 0"
                 " AND outcome <> 'duplicate'",
    [R_AWAITED_COUNT] = "SELECT count(*) FROM awaited WHERE job = $1",
    [R_AWAITED] = "SELECT b.mark, b.model, coalesce(b.id, ''), b.created_ms, w.attempt_no,"
                  " w.call_no FROM batches b JOIN awaited w ON w.batch = b.key WHERE w.job = $1"
                  " ORDER BY b.key, w.attempt_no, w.call_no",
    [R_SPEND] = "SELECT c.role, c.model, c.stale, c.input_tokens, c.cached_tokens, c.output_tokens,"
                " c.reasoning_tokens, c.cost_nusd, c.latency_ms, p.outcome, c.cache_write_tokens,"
                " c.tries FROM calls c"
                " LEFT JOIN problems p ON p.job = c.job AND p.attempt_no = c.attempt_no"
                " WHERE c.job = $1",
    [R_WORKERS] = "SELECT w.key, w.name, w.version, w.slots, w.joined_ms, w.drain, $1 - w.beat_ms,"
                  " (SELECT count(*) FROM jobs j WHERE j.worker = w.key),"
                  " (SELECT count(*) FROM attempts a WHERE a.worker = w.key"
                  " AND a.token IS NOT NULL) FROM workers w ORDER BY w.key",
    [R_KEYS] = "SELECT key, id, name, hash, scopes, requests_per_minute, jobs_max, day_nusd_max,"
               " created_ms, revoked_ms FROM keys ORDER BY key",
    [R_KEY_OF_HASH] = "SELECT key, id, name, hash, scopes, requests_per_minute, jobs_max,"
                      " day_nusd_max, created_ms, revoked_ms FROM keys"
                      " WHERE hash = $1 AND revoked_ms IS NULL",
    [R_GONE] = "SELECT tenant FROM gone WHERE id = $1",
    [R_OUTBOX_COUNT] = "SELECT (SELECT count(*) FROM outbox WHERE due_ms IS NOT NULL)"
                       " + (SELECT count(*) FROM outbox WHERE due_ms IS NULL AND ended_ms IS NULL)",
#define X(name, text, query) [R_CHECK_##name] = (query),
    STORE_CHECKS(X)
#undef X
};

enum err store_reader_open(const char *path, struct store_reader **ret, struct errinfo *reterr) {
    struct sql *db;
    enum err e = sql_open(path, SQL_READER, &store_schema, reader_texts, R_COUNT, &db, reterr);
    if (e != ERR_OK) {
        return e;
    }
    struct store_reader *r = mem_new(sizeof *r);
    *r = (struct store_reader){.db = db, .path = mem_dup_cstr(sql_name(db), strlen(sql_name(db)))};
    *ret = r;
    return ERR_OK;
}

void store_reader_close(struct store_reader *r) {
    sql_close(r->db);
    free(r->path);
    free(r);
}

bool reader_find_job(struct store_reader *r, const char *job_id, int64_t tenant,
                     struct reader_job *ret) {
    struct sql_query *q = sql_use(r->db, R_JOB_KEY);
    sql_put_str(q, str_of(job_id));
    if (!sql_next(q)) {
        return false;
    }
    *ret = (struct reader_job){
        .key = sql_int(q, 0), .tenant = sql_int(q, 1), .state = job_state_from_name(sql_str(q, 2))};
    sql_end(q);
    if (ret->state == JOB_STATES) {
        sql_found_corrupt(r->db, "a job has an unknown state");
        return false;
    }
    return tenant == STORE_TENANT_ANY || tenant == ret->tenant;
}

bool reader_is_gone(struct store_reader *r, const char *job_id, int64_t *ret_tenant) {
    struct sql_query *q = sql_use(r->db, R_GONE);
    bool gone = false;
    sql_put_str(q, str_of(job_id));
    while (sql_next(q)) {
        *ret_tenant = sql_int(q, 0);
        gone = true;
    }
    return gone;
}

enum err reader_no_job(struct store_reader *r, const char *job_id, int64_t tenant,
                       struct errinfo *reterr) {
    int64_t owner;
    bool gone =
        reader_is_gone(r, job_id, &owner) && (tenant == STORE_TENANT_ANY || tenant == owner);
    return gone ? errinfo_set(reterr, ERR_GONE, "job %s was deleted", job_id)
                : errinfo_set(reterr, ERR_NOT_FOUND, "there is no job %s", job_id);
}
