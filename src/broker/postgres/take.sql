-- Be given tokens, the most urgent first: $1 the fleet, $2 how many. Those that somebody else is about to take are
-- passed over.
WITH chosen AS MATERIALIZED (
    SELECT key FROM stumper_broker.tokens
    WHERE fleet = $1 AND given IS NULL
    ORDER BY priority DESC, key LIMIT $2::bigint
    FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE stumper_broker.tokens t SET given = (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
    FROM chosen WHERE t.key = chosen.key
    RETURNING t.key, t.given, left(t.job, 64) AS job, t.tenant, t.priority
)
SELECT key, given, job, tenant, priority FROM taken ORDER BY priority DESC, key
