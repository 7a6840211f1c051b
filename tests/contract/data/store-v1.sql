-- A store as version 1 of the schema left it: a run of `stumper generate` that was killed. Wanted are 3 problems; attempts
-- 1 and 2 have ended, 3 was leased and has paid for one call, 4 waits to be leased again. It never changes: whatever
-- becomes of src/store/schema, files like this one are on people's disks.
PRAGMA journal_mode = DELETE;
PRAGMA application_id = 0x53544d50;
PRAGMA user_version = 1;

CREATE TABLE jobs (
    key            INTEGER PRIMARY KEY,
    id             TEXT    NOT NULL UNIQUE,
    state          TEXT    NOT NULL,
    reason         TEXT    NOT NULL DEFAULT '',
    wanted         INTEGER NOT NULL,
    attempts       INTEGER NOT NULL DEFAULT 0,
    accepted       INTEGER NOT NULL DEFAULT 0,
    rejected       INTEGER NOT NULL DEFAULT 0,
    solved         INTEGER NOT NULL DEFAULT 0,
    duplicate      INTEGER NOT NULL DEFAULT 0,
    surplus        INTEGER NOT NULL DEFAULT 0,
    failed         INTEGER NOT NULL DEFAULT 0,
    calls          INTEGER NOT NULL DEFAULT 0,
    input_tokens   INTEGER NOT NULL DEFAULT 0,
    output_tokens  INTEGER NOT NULL DEFAULT 0,
    cost_nusd      INTEGER NOT NULL DEFAULT 0,
    calls_unpriced INTEGER NOT NULL DEFAULT 0,
    created_ms     INTEGER NOT NULL,
    ended_ms       INTEGER
) STRICT;

CREATE TABLE specs (
    job            INTEGER PRIMARY KEY REFERENCES jobs,
    spec           TEXT    NOT NULL
) STRICT;

CREATE TABLE tokens (
    last           INTEGER NOT NULL
) STRICT;
INSERT INTO tokens VALUES (0);

CREATE TABLE attempts (
    job            INTEGER NOT NULL REFERENCES jobs,
    no             INTEGER NOT NULL,
    token          INTEGER,
    crashes        INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (job, no)
) STRICT, WITHOUT ROWID;
CREATE INDEX attempts_waiting ON attempts (job, no) WHERE token IS NULL;

CREATE TABLE calls (
    job            INTEGER NOT NULL REFERENCES jobs,
    attempt_no     INTEGER NOT NULL,
    call_no        INTEGER NOT NULL,
    token          INTEGER NOT NULL,
    stale          INTEGER NOT NULL,
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
    text           TEXT    NOT NULL,
    UNIQUE (job, attempt_no, call_no, token)
) STRICT;

CREATE TABLE problems (
    job            INTEGER NOT NULL REFERENCES jobs,
    seq            INTEGER NOT NULL,
    attempt_no     INTEGER NOT NULL,
    outcome        TEXT    NOT NULL,
    hash           INTEGER NOT NULL,
    id             TEXT    NOT NULL,
    line           TEXT    NOT NULL,
    UNIQUE (job, attempt_no)
) STRICT;
CREATE INDEX problems_in_order ON problems (job, seq, outcome, hash);

CREATE TABLE events (
    job            INTEGER NOT NULL REFERENCES jobs,
    seq            INTEGER NOT NULL,
    kind           TEXT    NOT NULL,
    data           TEXT    NOT NULL,
    at_ms          INTEGER NOT NULL,
    PRIMARY KEY (job, seq)
) STRICT, WITHOUT ROWID;

INSERT INTO jobs VALUES (1, 'job_1', 'running', '', 3, 4, 1, 1, 0, 0, 0, 0, 6, 610, 305, 700, 1, 1000, NULL);
INSERT INTO specs VALUES (1, '{"num_problems":3}');
UPDATE tokens SET last = 5;
INSERT INTO attempts VALUES (1, 3, 5, 0);
INSERT INTO attempts VALUES (1, 4, NULL, 2);
INSERT INTO calls VALUES
    (1, 1, 0, 1, 0, 'engineer', 'lab/engineer', 'stop', 100, 10, 50, 5, 100, 80, 1, 2000, 'm', 'r', 'a problem'),
    (1, 1, 1, 1, 0, 'target', 'lab/target', 'stop', 101, 0, 51, 0, 200, 81, 1, 2001, 'm', 'r', 'an answer'),
    (1, 2, 0, 2, 0, 'engineer', 'lab/engineer', 'stop', 102, 0, 52, 0, 150, 82, 1, 2002, 'm', 'r', 'a problem'),
    (1, 2, 0, 4, 1, 'engineer', 'lab/engineer', 'stop', 103, 0, 50, 0, 150, 83, 1, 2003, 'm', 'r', 'paid again'),
    (1, 3, 0, 5, 0, 'engineer', 'lab/engineer', 'stop', 104, NULL, 52, NULL, 100, 84, 2, 2004, 'm', 'r', 'of the third'),
    (1, 4, 0, 3, 0, 'engineer', 'lab/free', 'length', 100, NULL, 50, NULL, NULL, 85, 1, 2005, 'm', 'r', 'of the fourth');
INSERT INTO problems VALUES
    (1, 1, 1, 'accepted', -77, 'p1', '{"id":"p1","status":"accepted"}'),
    (1, 2, 2, 'rejected', 78, 'p2', '{"id":"p2","status":"rejected"}');
INSERT INTO events VALUES
    (1, 1, 'job.queued', '{}', 1000),
    (1, 2, 'job.running', '{}', 1001),
    (1, 3, 'problem.accepted', '{}', 2010);
