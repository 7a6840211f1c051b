-- Calls that an earlier job had paid for (--cache), summed like the others: schema/0007.sql.

ALTER TABLE usage ADD COLUMN calls_reused BIGINT NOT NULL DEFAULT 0;
UPDATE usage SET calls_reused = (SELECT count(*) FROM calls c WHERE c.job = usage.job
    AND c.role = usage.role AND c.model = usage.model AND c.tries = 0);
