#include "store/queries.h"

const char *const queries_texts[Q_COUNT] = {
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
    [Q_REAP] = "UPDATE attempts SET token = NULL, crashes = CASE WHEN EXISTS"
               " (SELECT 1 FROM calls c WHERE c.job = attempts.job AND c.attempt_no = attempts.no"
               " AND c.token = attempts.token) THEN 1 ELSE crashes + 1 END WHERE token IS NOT NULL",
    [Q_CRASHED] = "SELECT j.id, a.no, a.crashes FROM attempts a JOIN jobs j ON j.key = a.job"
                  " WHERE a.token IS NULL AND a.crashes > $1 LIMIT 1",
};
