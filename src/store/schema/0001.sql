-- The store, version 1. Jobs get a small number (`key`) so that the many rows stay narrow; enums are
-- their names, so that the file explains itself; times are milliseconds since 1970; money is in
-- billionths of a dollar (nusd); NULL means that nobody knows.

CREATE TABLE jobs (                         -- narrow: its counters change with every transaction
    key            INTEGER PRIMARY KEY,
    id             TEXT    NOT NULL UNIQUE,
    state          TEXT    NOT NULL,
    reason         TEXT    NOT NULL DEFAULT '',
    wanted         INTEGER NOT NULL,
    attempts       INTEGER NOT NULL DEFAULT 0,  -- ever numbered: 1, 2, 3 …
    accepted       INTEGER NOT NULL DEFAULT 0,
    rejected       INTEGER NOT NULL DEFAULT 0,
    solved         INTEGER NOT NULL DEFAULT 0,
    duplicate      INTEGER NOT NULL DEFAULT 0,
    surplus        INTEGER NOT NULL DEFAULT 0,
    failed         INTEGER NOT NULL DEFAULT 0,
    calls          INTEGER NOT NULL DEFAULT 0,
    input_tokens   INTEGER NOT NULL DEFAULT 0,
    output_tokens  INTEGER NOT NULL DEFAULT 0,
    cost_nusd      INTEGER NOT NULL DEFAULT 0,  -- of the calls whose cost is known
    calls_unpriced INTEGER NOT NULL DEFAULT 0,
    created_ms     INTEGER NOT NULL,
    ended_ms       INTEGER
) STRICT;

CREATE TABLE specs (                        -- apart from jobs: it may be large and never changes
    job            INTEGER PRIMARY KEY REFERENCES jobs,
    spec           TEXT    NOT NULL
) STRICT;

CREATE TABLE tokens (                       -- one row: the number of the last lease
    last           INTEGER NOT NULL
) STRICT;
INSERT INTO tokens VALUES (0);

CREATE TABLE attempts (                     -- those that have not ended; one that has is a problem
    job            INTEGER NOT NULL REFERENCES jobs,
    no             INTEGER NOT NULL,
    token          INTEGER,                 -- its live lease; NULL: waiting to be leased again
    crashes        INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (job, no)
) STRICT, WITHOUT ROWID;
CREATE INDEX attempts_waiting ON attempts (job, no) WHERE token IS NULL;

CREATE TABLE calls (                        -- the ledger
    job            INTEGER NOT NULL REFERENCES jobs,
    attempt_no     INTEGER NOT NULL,
    call_no        INTEGER NOT NULL,
    token          INTEGER NOT NULL,        -- the lease it was made under
    stale          INTEGER NOT NULL,        -- 1: that lease was over; paid, but not part of the attempt
    role           TEXT    NOT NULL,
    model          TEXT    NOT NULL,
    finish         TEXT    NOT NULL,
    input_tokens   INTEGER,
    cached_tokens  INTEGER,
    output_tokens  INTEGER,
    reasoning_tokens INTEGER,
    cost_nusd      INTEGER,
    latency_ms     INTEGER NOT NULL,
    tries          INTEGER NOT NULL,
    created_ms     INTEGER NOT NULL,
    model_id       TEXT    NOT NULL,
    request_id     TEXT    NOT NULL,
    text           TEXT    NOT NULL,        -- last: long ones spill to pages that sums never read
    UNIQUE (job, attempt_no, call_no, token)
) STRICT;

CREATE TABLE problems (
    job            INTEGER NOT NULL REFERENCES jobs,
    seq            INTEGER NOT NULL,        -- place in the order of finishing: 1, 2, 3 …
    attempt_no     INTEGER NOT NULL,
    outcome        TEXT    NOT NULL,
    hash           INTEGER NOT NULL,        -- of the normalised problem text; 0: there is none
    id             TEXT    NOT NULL,
    line           TEXT    NOT NULL,
    UNIQUE (job, attempt_no)
) STRICT;
CREATE INDEX problems_in_order ON problems (job, seq, outcome, hash);

CREATE TABLE events (
    job            INTEGER NOT NULL REFERENCES jobs,
    seq            INTEGER NOT NULL,
    kind           TEXT    NOT NULL,
    data           TEXT    NOT NULL,        -- a JSON object
    at_ms          INTEGER NOT NULL,
    PRIMARY KEY (job, seq)
) STRICT, WITHOUT ROWID;
