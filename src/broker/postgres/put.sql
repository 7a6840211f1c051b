-- Hand in tokens: $1 the fleet, $2 jobs, $3 tenants, $4 priorities. Returns how many are new here or have become more
-- urgent.
--
-- A job has one token that waits; it keeps its place. Those that change nothing are not even locked, and the others are
-- locked in the order of their names, so that no two who put the same jobs wait for each other.
WITH news AS MATERIALIZED (
    SELECT nextval('stumper_broker.tokens_key_seq') AS key, n.job, n.tenant, n.priority
    FROM (
        SELECT job, tenant, priority
        FROM unnest($2::text[], $3::bigint[], $4::bigint[]) WITH ORDINALITY AS n (job, tenant, priority, place)
        WHERE NOT EXISTS (
            SELECT FROM stumper_broker.tokens t
            WHERE t.fleet = $1 AND t.job = n.job AND t.given IS NULL AND t.priority >= n.priority)
        ORDER BY place) n
), put AS (
    INSERT INTO stumper_broker.tokens AS t (key, fleet, job, tenant, priority)
    SELECT key, $1, job, tenant, priority FROM news ORDER BY job COLLATE "C"
    ON CONFLICT (fleet, job) WHERE given IS NULL
    DO UPDATE SET priority = excluded.priority WHERE t.priority < excluded.priority
    RETURNING 1
)
SELECT count(*) FROM put
