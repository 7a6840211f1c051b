-- Version 9: the home of a job lends attempts of it to other workers, its guests.

ALTER TABLE jobs ADD COLUMN lent      INTEGER NOT NULL DEFAULT 0;  -- attempts that guests may still begin
ALTER TABLE jobs ADD COLUMN lent_nusd INTEGER NOT NULL DEFAULT 0;  -- what each of them may cost; 0: no matter
ALTER TABLE attempts ADD COLUMN worker INTEGER;                    -- who has, or had, the lease

DROP INDEX jobs_runnable;
CREATE INDEX jobs_runnable ON jobs (tenant, priority DESC, key)
    WHERE (worker IS NULL AND state IN ('queued', 'running') OR lent > 0) AND deleted_ms IS NULL;
CREATE INDEX attempts_of_worker ON attempts (worker, job) WHERE token IS NOT NULL;
CREATE INDEX problems_accepted  ON problems (job, hash) WHERE outcome = 'accepted';
