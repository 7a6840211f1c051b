#include "store/queries.h"

#include "store/row.h"

#define QUERY_JOB                                                                                  \
    "SELECT key, state, tenant, worker, wanted, attempts, accepted, rejected, solved, duplicate,"  \
    " surplus, failed, calls, input_tokens, output_tokens, cost_nusd, calls_unpriced, events,"     \
    " progress_seq, priority, id, lent FROM jobs WHERE deleted_ms IS NULL"

/* A job's row is locked before anything of the job is read or written. */
#define QUERY_LOCK " /*! FOR NO KEY UPDATE */"
#define QUERY_LOCK_IF_FREE " /*! FOR NO KEY UPDATE SKIP LOCKED */"

/* At home with a worker, or with attempts that it has. */
#define QUERY_JOBS_WITH                                                                            \
    "SELECT id FROM jobs WHERE key IN (SELECT key FROM jobs WHERE worker = $1 UNION"               \
    " SELECT job FROM attempts WHERE worker = $1 AND token IS NOT NULL) ORDER BY key"

/* Locks of the server, each with a number of its own; 1398033744 is who migrates (postgres.c). */
#define LOCK_ALONE "1398033745, hashtext(current_schema())"
#define LOCK_CARETAKER "1398033746, hashtext(current_schema())" /* held by a session */
#define LOCK_SWEEP "1398033747, hashtext(current_schema())"
#define LOCK_PARTS "1398033748, hashtext(current_schema())"
#define LOCK_PURSES "1398033749, hashtext(current_schema() || '/' || $1)" /* of one key */

#define QUERY_PURSES                                                                               \
    " (SELECT coalesce(sum(p.held_nusd), 0) FROM purses p WHERE p.tenant = $1 AND p.worker <> $3"
#define QUERY_PURSE_OWNER "(SELECT 1 FROM workers w WHERE w.key = p.worker)"

const char *const queries_texts[Q_COUNT] = {
    [Q_JOB_FIND] = QUERY_JOB " AND id = $1" QUERY_LOCK,
    [Q_JOBS_LOCK] = QUERY_JOB " AND id = ANY (string_to_array($1, chr(10))) ORDER BY key"
                              " FOR NO KEY UPDATE",
    [Q_JOB_TAKEN] = ROW_JOB_WITH_SPEC " AND j.key = $1",
    [Q_JOB_ADD] = "INSERT INTO jobs (id, state, wanted, created_ms, tenant, priority, concurrency,"
                  " name, webhook_url, idem_key, fingerprint, events) VALUES"
                  " ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 1) ON CONFLICT DO NOTHING"
                  " RETURNING key",
    [Q_JOB_COUNT] = "UPDATE jobs SET attempts = $1, accepted = $2, rejected = $3, solved = $4,"
                    " duplicate = $5, surplus = $6, failed = $7, calls = $8, input_tokens = $9,"
                    " output_tokens = $10, cost_nusd = $11, calls_unpriced = $12, events = $13,"
                    " progress_seq = $14 WHERE key = $15",
    [Q_JOB_LOSE] = "UPDATE jobs SET tries_lost = tries_lost + $1, lost_nusd = lost_nusd + $2"
                   " WHERE key = $3",
    /* A cancelled job keeps the reason that it was to be cancelled for. */
    [Q_JOB_STATE] =
        "UPDATE jobs SET state = $1,"
        " reason = CASE WHEN $2 = '' AND state = 'cancelling' THEN reason ELSE $2 END,"
        " worker = $3, ended_ms = $4, started_ms = coalesce(started_ms, $5),"
        " paused_ms = coalesce($6, paused_ms),"
        " cancelling_ms = coalesce($7, cancelling_ms),"
        " lent = CASE WHEN $1 = 'running' AND CAST($3 AS BIGINT) IS NOT NULL THEN lent ELSE 0 END"
        " WHERE key = $8",
    [Q_JOB_LEND] = "UPDATE jobs SET lent = $1,"
                   " lent_nusd = CASE WHEN $2 < 0 THEN lent_nusd ELSE $2 END"
                   " WHERE key = $3 RETURNING lent_nusd",
    [Q_SPEC_ADD] = "INSERT INTO specs (job, spec, taxonomy) VALUES ($1, $2, $3)",
    [Q_TEXT_FIND] =
        "SELECT key FROM texts WHERE hash = $1 AND text = $2 LIMIT 1 /*! FOR KEY SHARE */",
    [Q_TEXT_KEEP] = "SELECT key FROM texts WHERE key = $1 /*! FOR KEY SHARE */",
    [Q_TEXT_ADD] = "INSERT INTO texts (hash, text) VALUES ($1, $2) RETURNING key",
    [Q_IDEM_FIND] = "SELECT id, fingerprint, created_ms FROM jobs WHERE tenant = $1"
                    " AND idem_key = $2",
    [Q_EVENT_ADD] = "INSERT INTO events (job, seq, kind, data, at_ms) VALUES ($1, $2, $3, $4, $5)",
    [Q_EVENT_DROP] = "DELETE FROM events WHERE job = $1 AND seq = $2",
    [Q_USAGE_ADD] =
        "INSERT INTO usage AS u (job, role, model, calls, input_tokens, cached_tokens,"
        " output_tokens, reasoning_tokens, cost_nusd, calls_unpriced, calls_reused) VALUES"
        " ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (job, role, model)"
        " DO UPDATE SET calls = u.calls + excluded.calls,"
        " input_tokens = u.input_tokens + excluded.input_tokens,"
        " cached_tokens = u.cached_tokens + excluded.cached_tokens,"
        " output_tokens = u.output_tokens + excluded.output_tokens,"
        " reasoning_tokens = u.reasoning_tokens + excluded.reasoning_tokens,"
        " cost_nusd = u.cost_nusd + excluded.cost_nusd,"
        " calls_unpriced = u.calls_unpriced + excluded.calls_unpriced,"
        " calls_reused = u.calls_reused + excluded.calls_reused",
    [Q_TOKENS_TAKE] = "UPDATE tokens SET last = last + $1 RETURNING last"
                      " /*= SELECT nextval('numbers') + $1 - 1 */",
    [Q_WAITING] = "SELECT no, crashes FROM attempts WHERE job = $1 AND token IS NULL"
                  " ORDER BY no LIMIT $2",
    [Q_WAITING_END] = "DELETE FROM attempts WHERE job = $1 AND no = $2 AND token IS NULL",
    [Q_LEASE_AGAIN] = "UPDATE attempts SET token = $1, worker = $2 WHERE job = $3 AND no = $4",
    [Q_LEASE_NEW] = "INSERT INTO attempts (token, worker, job, no) VALUES ($1, $2, $3, $4)",
    [Q_LEASES_LENT] = "SELECT count(*), sum((SELECT sum(c.cost_nusd) FROM calls c"
                      " WHERE c.job = a.job AND c.attempt_no = a.no)) FROM attempts a"
                      " WHERE a.job = $1 AND a.token IS NOT NULL AND a.worker <> $2",
    [Q_LEASE_LIVE] = "SELECT 1 FROM attempts WHERE job = $1 AND no = $2 AND token = $3",
    [Q_LEASE_END] = "DELETE FROM attempts WHERE job = $1 AND no = $2 AND token = $3",
    [Q_LEASE_BACK] = "UPDATE attempts SET token = NULL WHERE job = $1 AND no = $2 AND token = $3",
    /* An answer that an earlier lease recorded stays the attempt's. */
    [Q_CALL_ADD] = "INSERT INTO calls (job, attempt_no, call_no, token, stale, role, model, finish,"
                   " input_tokens, cached_tokens, output_tokens, reasoning_tokens, cost_nusd,"
                   " latency_ms, tries, created_ms, model_id, request_id, text, cache_write_tokens)"
                   " VALUES ($1, $2, $3, $4, CASE WHEN $5 = 1 OR EXISTS (SELECT 1 FROM calls"
                   " WHERE job = $1 AND attempt_no = $2 AND call_no = $3 AND stale = 0)"
                   " THEN 1 ELSE 0 END, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,"
                   " $17, $18, $19, $20) ON CONFLICT DO NOTHING",
    [Q_CALLS_SUM] = "SELECT count(*), sum(input_tokens), sum(cached_tokens), sum(output_tokens),"
                    " sum(reasoning_tokens), sum(cost_nusd), count(cost_nusd) FROM calls"
                    " WHERE job = $1 AND attempt_no = $2",
    [Q_PROBLEM_KNOWN] = "SELECT 1 FROM problems WHERE job = $1 AND hash = $2"
                        " AND outcome = 'accepted' LIMIT 1",
    [Q_PROBLEM_ADD] = "INSERT INTO problems (job, seq, attempt_no, outcome, hash, id, line)"
                      " VALUES ($1, $2, $3, $4, $5, $6, $7)",
    /* An answer recorded under a lease begins the count of crashes anew. */
    [Q_LEASES_LOST] = "UPDATE attempts SET token = NULL, crashes = CASE WHEN EXISTS"
                      " (SELECT 1 FROM calls c WHERE c.job = attempts.job"
                      " AND c.attempt_no = attempts.no AND c.token = attempts.token)"
                      " THEN 1 WHEN EXISTS (SELECT 1 FROM awaited w WHERE w.job = attempts.job"
                      " AND w.attempt_no = attempts.no)" /* it waits: nothing that crashes */
                      " THEN crashes ELSE crashes + 1 END WHERE job = $1 AND token IS NOT NULL"
                      " AND ($2 < 0 OR worker = $2)",
    [Q_LEASES_BACK] = "UPDATE attempts SET token = NULL WHERE job = $1 AND token IS NOT NULL"
                      " AND ($2 < 0 OR worker = $2)",
    [Q_CRASHED] = "SELECT no, crashes FROM attempts"
                  " WHERE job = $1 AND token IS NULL AND crashes >= $2 LIMIT 1",

    [Q_BATCH_ADD] = "INSERT INTO batches (job, mark, model, created_ms) VALUES ($1, $2, $3, $4)"
                    " RETURNING key",
    [Q_BATCH_CALL] = "INSERT INTO batch_calls (job, attempt_no, call_no, batch)"
                     " VALUES ($1, $2, $3, $4) ON CONFLICT (job, attempt_no, call_no)"
                     " DO UPDATE SET batch = excluded.batch",
    [Q_BATCH_CALLS_FORGET] = "DELETE FROM batch_calls WHERE job = $1 AND NOT EXISTS"
                             " (SELECT 1 FROM awaited w WHERE w.job = batch_calls.job"
                             " AND w.attempt_no = batch_calls.attempt_no"
                             " AND w.call_no = batch_calls.call_no)",
    [Q_BATCHES_FORGET] = "DELETE FROM batches WHERE job = $1 AND NOT EXISTS"
                         " (SELECT 1 FROM batch_calls WHERE batch = batches.key)",
    [Q_BATCH_MADE] = "UPDATE batches SET id = $1 WHERE mark = $2",
    [Q_AWAITS] = "SELECT 1 FROM awaited WHERE job = $1 LIMIT 1",

    [Q_WORKER_ADD] = "INSERT INTO workers (key, name, version, slots, joined_ms, beat_ms)"
                     " VALUES ($1, $2, $3, $4, $5, $6)"
                     " /*= INSERT INTO workers (key, name, version, slots, joined_ms, beat_ms,"
                     " process) VALUES ($1, $2, $3, $4, $5, $6, $7) */",
    [Q_WORKER_BEAT] = "UPDATE workers SET beat_ms = $1 WHERE key = $2 RETURNING drain",
    [Q_WORKER_DRAIN] = "UPDATE workers SET drain = 1 WHERE key = $1",
    [Q_PARTS_LOCK] = "SELECT 1 /*= SELECT pg_advisory_xact_lock(" LOCK_PARTS ") */",
    [Q_PARTS_FORGET] = "DELETE FROM parts",
    [Q_PARTS_SWEEP] = "DELETE FROM parts WHERE until_ms <= $1 OR until_ms > $2",
    /* Who never asked is idle, too: what is kept for such lets a newcomer begin at once. */
    [Q_PARTS_OTHERS] = "SELECT count(*), count(CASE WHEN demand = 0 THEN 1 END), sum(counted),"
                       " sum(demand) FROM (SELECT counted, demand FROM parts"
                       " WHERE name = $1 AND worker <> $2"
                       " UNION ALL SELECT 0, 0 FROM workers WHERE key <> $2"
                       " AND key NOT IN (SELECT worker FROM parts WHERE name = $1)) AS others",
    [Q_PART_SET] = "INSERT INTO parts (name, worker, counted, demand, until_ms)"
                   " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name, worker) DO UPDATE SET"
                   " counted = excluded.counted, demand = excluded.demand,"
                   " until_ms = excluded.until_ms",
    [Q_PARTS_DROP] = "DELETE FROM parts WHERE worker = $1",
    [Q_WORKERS_SILENT] = "SELECT key FROM workers WHERE beat_ms < $1 ORDER BY key LIMIT $2 /*! FOR "
                         "UPDATE SKIP LOCKED */",
    [Q_WORKERS_OF] = "SELECT key FROM workers WHERE process = $1 ORDER BY key LIMIT $2"
                     " FOR UPDATE SKIP LOCKED",
    [Q_WORKER_DROP] = "DELETE FROM workers WHERE key = $1"
                      " AND NOT EXISTS (SELECT 1 FROM jobs WHERE worker = $1)"
                      " AND NOT EXISTS (SELECT 1 FROM attempts WHERE worker = $1"
                      " AND token IS NOT NULL)",
    [Q_WORKERS_CALM] = "UPDATE workers SET beat_ms = $1 WHERE beat_ms > $1",
    [Q_WORKERS_DROP] = "DELETE FROM workers",
    [Q_JOBS_WITH] = QUERY_JOBS_WITH QUERY_LOCK,
    [Q_JOBS_WITH_FREE] = QUERY_JOBS_WITH QUERY_LOCK_IF_FREE,
    [Q_JOBS_LEASED] = "SELECT id FROM jobs WHERE key IN"
                      " (SELECT DISTINCT job FROM attempts WHERE token IS NOT NULL)",
    [Q_JOBS_UNDER_WAY] = "SELECT id FROM jobs WHERE deleted_ms IS NULL"
                         " AND state IN ('running', 'cancelling')"
                         " UNION SELECT id FROM jobs WHERE worker IS NOT NULL",
    [Q_JOBS_QUEUED] = "SELECT count(*) FROM jobs WHERE state = 'queued' AND deleted_ms IS NULL",

    /* processes: of a server only */
    [Q_PROCESS_ALONE] = "SELECT pg_advisory_xact_lock(" LOCK_ALONE ")",
    [Q_PROCESS_LEADS] = "SELECT CASE WHEN locked"
                        " THEN pg_try_advisory_lock(" LOCK_CARETAKER ")"
                        " ELSE false END::int FROM writers WHERE key = $1",
    [Q_PROCESS_OTHERS] = "SELECT count(*), max(reaped_ms) FROM writers"
                         " WHERE key <> $1 AND NOT buried",
    [Q_PROCESS_LOOKS] = "UPDATE writers SET reaped_ms = $1 WHERE key = $2",
    [Q_SERVER_STARTED] = "SELECT (extract(epoch FROM pg_postmaster_start_time()) * 1000)::bigint",
    [Q_PROCESSES_GONE] =
        "SELECT key, coalesce(missing_ms, 0), (at < to_timestamp($2 / 1000.0))::int"
        " FROM writers WHERE key <> $1 AND NOT buried"
        " AND (at < to_timestamp($2 / 1000.0) OR CASE WHEN locked"
        " THEN pg_try_advisory_xact_lock(key) ELSE false END)"
        " AND (at > pg_postmaster_start_time()" /* or there was no time to return */
        " OR pg_postmaster_start_time() < to_timestamp($3 / 1000.0))"
        " ORDER BY key LIMIT $4 FOR UPDATE SKIP LOCKED",
    [Q_PROCESS_MISSED] = "UPDATE writers SET missing_ms = $1 WHERE key = $2",
    [Q_PROCESS_BURY] = "UPDATE writers SET buried = true WHERE key = $1"
                       " AND NOT EXISTS (SELECT 1 FROM workers WHERE process = $1)",
    [Q_PROCESS_SIGN_OUT] = "DELETE FROM writers WHERE key = $1 AND buried",
    [Q_PROCESSES_FORGET] = "DELETE FROM writers WHERE buried AND at < now() - interval '1 day'",

    /* for other processes: of a server only */
    [Q_CHANGES_ADD] = "INSERT INTO changes (process, job, what) SELECT $1, split_part(c, ':', 1),"
                      " split_part(c, ':', 2)::bigint FROM unnest(string_to_array($2, ',')) AS c",

    [Q_KEY_ADD] = "INSERT INTO keys (id, name, hash, scopes, requests_per_minute, jobs_max,"
                  " day_nusd_max, created_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
                  " ON CONFLICT DO NOTHING RETURNING key",
    [Q_KEY_REVOKE] = "UPDATE keys SET revoked_ms = coalesce(revoked_ms, $1) WHERE id = $2",
    [Q_KEYS_LOCK] = "SELECT key FROM keys WHERE"
                    " key = ANY (CAST(string_to_array(rtrim($1, chr(10)), chr(10)) AS BIGINT[]))"
                    " ORDER BY key FOR NO KEY UPDATE",
    [Q_KEY_USE] = "SELECT k.jobs_max, k.day_nusd_max, (SELECT count(*) FROM jobs WHERE"
                  " state IN ('queued', 'running', 'paused', 'cancelling') AND tenant = $1"
                  " AND deleted_ms IS NULL),"
                  " coalesce((SELECT cost_nusd FROM key_spend WHERE tenant = $1 AND day = $2), 0),"
                  " CASE WHEN EXISTS (SELECT 1 FROM jobs WHERE state = 'paused' AND tenant = $1"
                  " AND reason = $3 AND paused_ms >= $4 AND deleted_ms IS NULL) THEN 1 ELSE 0 END"
                  " FROM keys k WHERE k.key = $1",
    [Q_KEY_LIMITED] = "SELECT 1 FROM keys WHERE key = $1 AND day_nusd_max > 0",
    [Q_KEY_RATE] = "SELECT k.requests_per_minute, coalesce(r.due_us, 0) FROM keys k"
                   " LEFT JOIN key_rates r ON r.tenant = k.key WHERE k.key = $1",
    [Q_KEY_RATE_SET] = "INSERT INTO key_rates (tenant, due_us) VALUES ($1, $2)"
                       " ON CONFLICT (tenant) DO UPDATE SET due_us = excluded.due_us",
    [Q_KEY_SPEND_ADD] = "INSERT INTO key_spend AS s (tenant, day, cost_nusd) VALUES ($1, $2, $3)"
                        " ON CONFLICT (tenant, day)"
                        " DO UPDATE SET cost_nusd = s.cost_nusd + excluded.cost_nusd",
    [Q_KEY_SPEND_SWEEP] = "DELETE FROM key_spend WHERE day < $1",
    [Q_PURSES_LOCK] = "SELECT $1 /*= SELECT pg_advisory_xact_lock(" LOCK_PURSES ") */",
    /* What a key may spend, has spent, what others alive have of it, and what the dead had. */
    [Q_PURSES_STATE] =
        "SELECT k.day_nusd_max, coalesce((SELECT cost_nusd FROM key_spend"
        " WHERE tenant = $1 AND day = $2), 0)," QUERY_PURSES " AND EXISTS " QUERY_PURSE_OWNER
        ")," QUERY_PURSES " AND p.day = $2 AND NOT EXISTS " QUERY_PURSE_OWNER
        ") FROM keys k WHERE k.key = $1 AND k.day_nusd_max > 0",
    [Q_PURSE_SET] = "INSERT INTO purses (tenant, worker, held_nusd, day) VALUES ($1, $2, $3, $4)"
                    " ON CONFLICT (tenant, worker) DO UPDATE SET"
                    " held_nusd = excluded.held_nusd, day = excluded.day",
    [Q_PURSE_TAKE] = "UPDATE purses SET held_nusd = CASE WHEN held_nusd > $1 THEN held_nusd - $1"
                     " ELSE 0 END, day = $2 WHERE tenant = $3 AND worker = $4",
    [Q_PURSES_DROP] = "DELETE FROM purses WHERE worker = $1",
    [Q_PURSES_SWEEP] = "DELETE FROM purses WHERE day < $1"
                       " AND NOT EXISTS (SELECT 1 FROM workers w WHERE w.key = purses.worker)",
    [Q_OUTBOX_ADD] = "INSERT INTO outbox (id, body, created_ms, due_ms, job, url)"
                     " SELECT $1, $2, $3, $3, key, webhook_url FROM jobs"
                     " WHERE key = $4 AND webhook_url <> ''",
    [Q_OUTBOX_FIND_DUE] = "SELECT o.key, o.id, j.id, o.url, o.body, o.tries, o.created_ms,"
                          " coalesce(k.id, '') FROM outbox o JOIN jobs j ON j.key = o.job"
                          " LEFT JOIN keys k ON k.key = j.tenant"
                          " WHERE o.due_ms <= $1 ORDER BY o.due_ms, o.key LIMIT $2 /*! FOR UPDATE "
                          "OF o SKIP LOCKED */",
    [Q_OUTBOX_TAKEN] =
        "UPDATE outbox SET due_ms = NULL, tries = tries + 1 WHERE key = $1"
        " /*= UPDATE outbox SET due_ms = NULL, tries = tries + 1, process = $2 WHERE key = $1 */",
    [Q_OUTBOX_NEXT] = "SELECT min(due_ms) FROM outbox WHERE due_ms IS NOT NULL",
    [Q_OUTBOX_TELL] =
        "UPDATE outbox SET problem = $1, due_ms = $2, ended_ms = $3"
        " WHERE key = $4 AND due_ms IS NULL AND ended_ms IS NULL /*! AND process = $5 */",
    [Q_OUTBOX_UNTAKE] = "UPDATE outbox SET due_ms = $1 WHERE due_ms IS NULL AND ended_ms IS NULL",
    [Q_OUTBOX_UNTAKE_OF] = "UPDATE outbox SET due_ms = $1, process = NULL WHERE process = $2"
                           " AND due_ms IS NULL AND ended_ms IS NULL",
    [Q_OUTBOX_DROP] = "DELETE FROM outbox WHERE job = $1",
    [Q_OUTBOX_SWEEP] = "DELETE FROM outbox WHERE ended_ms IS NOT NULL AND ended_ms < $1",

    [Q_JOB_DELETE] = "UPDATE jobs SET deleted_ms = $1, idem_key = NULL WHERE key = $2",
    [Q_GONE_ADD] = "INSERT INTO gone (id, tenant, gone_ms) VALUES ($1, $2, $3)"
                   " ON CONFLICT DO NOTHING",
    [Q_GONE_SWEEP] = "DELETE FROM gone WHERE id IN"
                     " (SELECT id FROM gone WHERE gone_ms < $1 ORDER BY gone_ms LIMIT 10 /*! FOR "
                     "UPDATE SKIP LOCKED */"
                     ")",
    [Q_GONE] = "SELECT tenant FROM gone WHERE id = $1",
    [Q_JOB_DELETED] =
        "SELECT key FROM jobs WHERE deleted_ms IS NOT NULL LIMIT 1 /*! FOR UPDATE SKIP LOCKED */",
    [Q_SWEEP_TURN] = "SELECT pg_try_advisory_xact_lock(" LOCK_SWEEP ")::int", /* server
                                                                               */
    [Q_JOBS_ENDED] = "SELECT id FROM jobs WHERE ended_ms IS NOT NULL AND ended_ms < $1"
                     " AND deleted_ms IS NULL ORDER BY ended_ms LIMIT $2" QUERY_LOCK_IF_FREE,
    [Q_CALLS_DROP] = "DELETE FROM calls WHERE job = $1 AND (attempt_no, call_no, token) IN (SELECT"
                     " attempt_no, call_no, token FROM calls WHERE job = $1 LIMIT $2)",
    [Q_PROBLEMS_DROP] = "DELETE FROM problems WHERE job = $1 AND attempt_no IN"
                        " (SELECT attempt_no FROM problems WHERE job = $1 LIMIT $2)",
    [Q_EVENTS_DROP] = "DELETE FROM events WHERE job = $1 AND seq IN"
                      " (SELECT seq FROM events WHERE job = $1 LIMIT $2)",
    [Q_ATTEMPTS_DROP] = "DELETE FROM attempts WHERE job = $1 AND no IN"
                        " (SELECT no FROM attempts WHERE job = $1 LIMIT $2)",
    [Q_BATCH_CALLS_DROP] = "DELETE FROM batch_calls WHERE job = $1 AND (attempt_no, call_no) IN"
                           " (SELECT attempt_no, call_no FROM batch_calls WHERE job = $1 LIMIT $2)",
    [Q_BATCHES_DROP] = "DELETE FROM batches WHERE job = $1",
    [Q_SPEC_DROP] = "DELETE FROM specs WHERE job = $1 RETURNING taxonomy",
    [Q_USAGE_DROP] = "DELETE FROM usage WHERE job = $1",
    [Q_JOB_DROP] = "DELETE FROM jobs WHERE key = $1",
    [Q_TEXT_LOCK] = "SELECT key FROM texts WHERE key = $1 /*! FOR UPDATE */",
    [Q_TEXT_DROP] = "DELETE FROM texts WHERE key = $1"
                    " AND NOT EXISTS (SELECT 1 FROM specs WHERE taxonomy = $1)",
};
