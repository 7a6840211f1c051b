-- How many wait, and, as of take.sql, those that were given to somebody who is silent about them: $1 the fleet, $2
-- microseconds of silence, $3 how many. There is always a first row; without a key there are none.
WITH lost AS MATERIALIZED (
    SELECT key FROM stumper_broker.tokens
    WHERE fleet = $1 AND given < (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - $2::bigint
    ORDER BY given LIMIT $3::bigint
    FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE stumper_broker.tokens t SET given = (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
    FROM lost WHERE t.key = lost.key
    RETURNING t.key, t.given, left(t.job, 64) AS job, t.tenant, t.priority
), waiting AS (
    SELECT count(*) AS n FROM stumper_broker.tokens WHERE fleet = $1 AND given IS NULL
)
SELECT t.key, t.given, t.job, t.tenant, t.priority, waiting.n FROM waiting LEFT JOIN taken t ON true
