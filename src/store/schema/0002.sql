-- Version 2: many jobs of many tenants, worked on by workers, watched by clients.

ALTER TABLE jobs ADD COLUMN tenant        INTEGER NOT NULL DEFAULT 0;  -- keys.key; 0: nobody's
ALTER TABLE jobs ADD COLUMN priority      INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN concurrency   INTEGER NOT NULL DEFAULT 0;  -- cap; 0: none
ALTER TABLE jobs ADD COLUMN name          TEXT    NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN webhook_url   TEXT    NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN idem_key      TEXT;                        -- of the tenant; goes with the job
ALTER TABLE jobs ADD COLUMN fingerprint   TEXT;                        -- of the request that had it
ALTER TABLE jobs ADD COLUMN worker        INTEGER;                     -- its home; NULL: none
ALTER TABLE jobs ADD COLUMN started_ms    INTEGER;
ALTER TABLE jobs ADD COLUMN paused_ms     INTEGER;
ALTER TABLE jobs ADD COLUMN cancelling_ms INTEGER;
ALTER TABLE jobs ADD COLUMN deleted_ms    INTEGER;                     -- gone; its rows are being removed
ALTER TABLE jobs ADD COLUMN events        INTEGER NOT NULL DEFAULT 0;  -- number of its last event
ALTER TABLE jobs ADD COLUMN progress_seq  INTEGER NOT NULL DEFAULT 0;  -- its one job.progress; 0: none

UPDATE jobs SET events = (SELECT coalesce(max(seq), 0) FROM events WHERE job = key),
    started_ms = created_ms;

CREATE UNIQUE INDEX jobs_idem ON jobs (tenant, idem_key) WHERE idem_key IS NOT NULL;
CREATE INDEX jobs_of_tenant   ON jobs (tenant, key) WHERE deleted_ms IS NULL;
CREATE INDEX jobs_in_state    ON jobs (state, tenant, key) WHERE deleted_ms IS NULL;
CREATE INDEX jobs_named       ON jobs (name, key) WHERE name <> '' AND deleted_ms IS NULL;
CREATE INDEX jobs_runnable    ON jobs (tenant, priority DESC, key)
    WHERE worker IS NULL AND state IN ('queued', 'running') AND deleted_ms IS NULL;
CREATE INDEX jobs_at_home     ON jobs (worker) WHERE worker IS NOT NULL;
CREATE INDEX jobs_ended       ON jobs (ended_ms) WHERE ended_ms IS NOT NULL AND deleted_ms IS NULL;
CREATE INDEX jobs_deleted     ON jobs (key) WHERE deleted_ms IS NOT NULL;

CREATE TABLE texts (                        -- taxonomies, each once, however many jobs have it
    key            INTEGER PRIMARY KEY,
    hash           INTEGER NOT NULL,
    text           TEXT    NOT NULL
) STRICT;
CREATE INDEX texts_by_hash ON texts (hash);

ALTER TABLE specs ADD COLUMN taxonomy INTEGER REFERENCES texts;       -- NULL: the spec names its own
CREATE INDEX specs_of_taxonomy ON specs (taxonomy) WHERE taxonomy IS NOT NULL;

CREATE TABLE usage (                        -- the ledger, summed: what a status needs
    job            INTEGER NOT NULL REFERENCES jobs,
    role           TEXT    NOT NULL,
    model          TEXT    NOT NULL,
    calls          INTEGER NOT NULL,
    input_tokens   INTEGER NOT NULL,
    cached_tokens  INTEGER NOT NULL,
    output_tokens  INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    cost_nusd      INTEGER NOT NULL,
    calls_unpriced INTEGER NOT NULL,
    PRIMARY KEY (job, role, model)
) STRICT, WITHOUT ROWID;
INSERT INTO usage SELECT job, role, model, count(*), coalesce(sum(input_tokens), 0),
    coalesce(sum(cached_tokens), 0), coalesce(sum(output_tokens), 0),
    coalesce(sum(reasoning_tokens), 0), coalesce(sum(cost_nusd), 0), count(*) - count(cost_nusd)
    FROM calls GROUP BY job, role, model;

CREATE TABLE keys (
    key            INTEGER PRIMARY KEY AUTOINCREMENT,
    id             TEXT    NOT NULL UNIQUE,
    name           TEXT    NOT NULL,
    hash           TEXT    NOT NULL UNIQUE, -- SHA-256 in hex; the key itself is nowhere
    scopes         INTEGER NOT NULL,
    requests_per_minute INTEGER NOT NULL,
    jobs_max       INTEGER NOT NULL,
    day_nusd_max   INTEGER NOT NULL,
    created_ms     INTEGER NOT NULL,
    revoked_ms     INTEGER
) STRICT;

CREATE TABLE key_spend (
    tenant         INTEGER NOT NULL,
    day            INTEGER NOT NULL,        -- since 1970, UTC
    cost_nusd      INTEGER NOT NULL,
    PRIMARY KEY (tenant, day)
) STRICT, WITHOUT ROWID;

CREATE TABLE workers (                      -- those alive, as far as the store knows
    key            INTEGER PRIMARY KEY,     -- from the counter of leases: only grows
    name           TEXT    NOT NULL,
    slots          INTEGER NOT NULL,
    joined_ms      INTEGER NOT NULL,
    beat_ms        INTEGER NOT NULL         -- by the store's own clock, which is not the time of day
) STRICT;

CREATE TABLE outbox (                       -- webhooks
    key            INTEGER PRIMARY KEY AUTOINCREMENT,
    job            INTEGER NOT NULL REFERENCES jobs,
    id             TEXT    NOT NULL,
    url            TEXT    NOT NULL,
    body           TEXT    NOT NULL,
    tries          INTEGER NOT NULL DEFAULT 0,
    created_ms     INTEGER NOT NULL,
    due_ms         INTEGER,                 -- NULL: somebody is at it, or it has ended
    ended_ms       INTEGER,
    problem        TEXT    NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX outbox_due    ON outbox (due_ms) WHERE due_ms IS NOT NULL;
CREATE INDEX outbox_taken  ON outbox (key) WHERE due_ms IS NULL AND ended_ms IS NULL;
CREATE INDEX outbox_ended  ON outbox (ended_ms) WHERE ended_ms IS NOT NULL;
CREATE INDEX outbox_of_job ON outbox (job);
