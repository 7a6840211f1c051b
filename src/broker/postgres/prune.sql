-- Let no more wait than may: $1 the fleet, $2 how many. The newest of the least urgent go.
DELETE FROM stumper_broker.tokens
WHERE key IN (
    SELECT key FROM stumper_broker.tokens
    WHERE given IS NULL AND key IN (
        SELECT key FROM stumper_broker.tokens
        WHERE fleet = $1 AND given IS NULL
        ORDER BY priority DESC, key OFFSET $2::bigint)
    FOR UPDATE SKIP LOCKED)
