-- Many processes on one store, each with a row in `writers`, a connection that holds the advisory lock of that
-- row's key, and workers. It is buried when its lock was missing for a while: missing_ms is when that was seen.
-- reaped_ms is when the process last looked for such.

ALTER TABLE writers ADD COLUMN locked BOOLEAN NOT NULL DEFAULT true; -- false: a pooler keeps it from that
ALTER TABLE writers ADD COLUMN missing_ms BIGINT;
ALTER TABLE writers ADD COLUMN reaped_ms BIGINT;
ALTER TABLE writers ADD COLUMN buried BOOLEAN NOT NULL DEFAULT false;
DELETE FROM writers; -- of before: who migrates has seen that nobody is there

ALTER TABLE workers ADD COLUMN process BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN process BIGINT; -- that has taken it

-- Numbers are given in blocks of a thousand, the most that is asked for at once, and wait for nobody's commit.
CREATE SEQUENCE numbers INCREMENT 1000;
SELECT setval('numbers', last + 1) FROM tokens;
DROP TABLE tokens;
CREATE VIEW tokens AS SELECT last_value + 999 AS last FROM numbers;
