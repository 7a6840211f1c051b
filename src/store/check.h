/* check.h - the store's invariants as queries that find what breaks them: a job's id and a number.
 * Inside the room only. */
#ifndef STUMPER_STORE_CHECK_H
#define STUMPER_STORE_CHECK_H

#define STORE_CHECKS(X) /* name, what is broken (%d: the number), the query */                     \
    X(ACCEPTED_BEYOND, "%d problems are accepted, more than wanted",                               \
      "SELECT id, accepted FROM jobs WHERE accepted > wanted AND deleted_ms IS NULL")              \
    X(ATTEMPT_TWICE, "attempt %d has ended and is open too",                                       \
      "SELECT j.id, a.no FROM attempts a JOIN jobs j ON j.key = a.job"                             \
      " JOIN problems p ON p.job = a.job AND p.attempt_no = a.no")                                 \
    X(ATTEMPT_LOST, "%d attempts were numbered, but some are neither open nor ended",              \
      "SELECT id, attempts FROM jobs WHERE deleted_ms IS NULL AND attempts <>"                     \
      " (SELECT count(*) FROM attempts WHERE job = key)"                                           \
      " + (SELECT count(*) FROM problems WHERE job = key)")                                        \
    X(ATTEMPT_UNNUMBERED, "attempt %d has a number that was never given",                          \
      "SELECT j.id, a.no FROM (SELECT job, no FROM attempts"                                       \
      " UNION ALL SELECT job, attempt_no FROM problems) a"                                         \
      " JOIN jobs j ON j.key = a.job WHERE a.no < 1 OR a.no > j.attempts")                         \
    X(TOKEN_TWICE, "lease %d is held by two attempts",                                             \
      "SELECT min(j.id), a.token FROM attempts a JOIN jobs j ON j.key = a.job"                     \
      " WHERE a.token IS NOT NULL GROUP BY a.token HAVING count(*) > 1")                           \
    X(TOKEN_UNNUMBERED, "lease %d was never given",                                                \
      "SELECT j.id, a.token FROM (SELECT job, token FROM attempts"                                 \
      " UNION ALL SELECT job, token FROM calls) a"                                                 \
      " JOIN jobs j ON j.key = a.job, tokens t WHERE a.token > t.last")                            \
    X(CALL_TWICE, "attempt %d has two answers to one call",                                        \
      "SELECT min(j.id), c.attempt_no FROM calls c JOIN jobs j ON j.key = c.job"                   \
      " WHERE c.stale = 0 GROUP BY c.job, c.attempt_no, c.call_no HAVING count(*) > 1")            \
    X(OUTCOMES, "the counters of outcomes are not those of its problems",                          \
      "SELECT id, accepted FROM jobs WHERE deleted_ms IS NULL AND"                                 \
      " (accepted, rejected, solved, duplicate, surplus, failed) <>"                               \
      " (SELECT count(CASE outcome WHEN 'accepted' THEN 1 END),"                                   \
      " count(CASE outcome WHEN 'rejected' THEN 1 END),"                                           \
      " count(CASE outcome WHEN 'solved' THEN 1 END),"                                             \
      " count(CASE outcome WHEN 'duplicate' THEN 1 END),"                                          \
      " count(CASE outcome WHEN 'surplus' THEN 1 END),"                                            \
      " count(CASE outcome WHEN 'failed' THEN 1 END) FROM problems WHERE job = key)")              \
    X(SPEND, "the counters of calls are not those of its ledger",                                  \
      "SELECT id, calls FROM jobs WHERE deleted_ms IS NULL AND"                                    \
      " (calls, input_tokens, output_tokens, cost_nusd, calls_unpriced) <>"                        \
      " (SELECT count(*), coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0),"        \
      " coalesce(sum(cost_nusd), 0), count(*) - count(cost_nusd) FROM calls WHERE job = key)")     \
    X(ORDER, "its %d problems are not numbered 1, 2, 3 and so on",                                 \
      "SELECT min(j.id), count(*) FROM problems p JOIN jobs j ON j.key = p.job"                    \
      " WHERE j.deleted_ms IS NULL GROUP BY p.job"                                                 \
      " HAVING min(p.seq) <> 1 OR max(p.seq) <> count(*) OR count(DISTINCT p.seq) <> count(*)")    \
    X(USAGE, "its calls are not summed up as its ledger says (%d of them)",                        \
      "SELECT id, calls FROM jobs WHERE deleted_ms IS NULL AND"                                    \
      " (calls, input_tokens, output_tokens, cost_nusd, calls_unpriced) <>"                        \
      " (SELECT coalesce(sum(calls), 0), coalesce(sum(input_tokens), 0),"                          \
      " coalesce(sum(output_tokens), 0), coalesce(sum(cost_nusd), 0),"                             \
      " coalesce(sum(calls_unpriced), 0) FROM usage WHERE job = key)")                             \
    X(REUSED, "its reused calls are not summed up as its ledger says (of %d)",                     \
      "SELECT id, calls FROM jobs WHERE deleted_ms IS NULL AND"                                    \
      " (SELECT count(*) FROM calls WHERE job = key AND tries = 0) <>"                             \
      " (SELECT coalesce(sum(calls_reused), 0) FROM usage WHERE job = key)")                       \
    X(EVENTS, "event %d has a number that was never given",                                        \
      "SELECT j.id, e.seq FROM events e JOIN jobs j ON j.key = e.job"                              \
      " WHERE e.seq < 1 OR e.seq > j.events")                                                      \
    X(LENDING, "it lends %d attempts, but no worker has it at home",                               \
      "SELECT id, lent FROM jobs WHERE lent > 0 AND (worker IS NULL OR state <> 'running')")       \
    X(CANCELLING, "it is cancelling, but no worker has it, and it awaits nothing",                 \
      "SELECT id, 0 FROM jobs WHERE state = 'cancelling' AND worker IS NULL"                       \
      " AND NOT EXISTS (SELECT 1 FROM awaited WHERE job = key)")                                   \
    X(BATCH, "attempt %d awaits a batch that is not known",                                        \
      "SELECT j.id, b.attempt_no FROM batch_calls b JOIN jobs j ON j.key = b.job"                  \
      " WHERE NOT EXISTS (SELECT 1 FROM batches WHERE key = b.batch AND job = b.job)")             \
    X(HOME, "it is at home with worker %d, which is none",                                         \
      "SELECT id, worker FROM jobs WHERE worker IS NOT NULL"                                       \
      " AND NOT EXISTS (SELECT 1 FROM workers w WHERE w.key = jobs.worker)")

#endif
