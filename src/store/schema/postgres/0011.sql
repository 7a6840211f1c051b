-- A job that is cancelled while no worker has it is work too: schema/0012.sql.

DROP INDEX jobs_runnable;
CREATE INDEX jobs_runnable ON jobs (tenant, priority DESC, key)
    WHERE (worker IS NULL AND state IN ('queued', 'running', 'cancelling') OR lent > 0) AND deleted_ms IS NULL;
