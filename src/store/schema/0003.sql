-- Version 3: calls that go to a provider in batches, and come back hours later, perhaps to another run.

CREATE TABLE batches (
    key            INTEGER PRIMARY KEY,
    job            INTEGER NOT NULL REFERENCES jobs,
    mark           TEXT    NOT NULL UNIQUE, -- our own name for it
    model          TEXT    NOT NULL,        -- who was asked: provider/model
    id             TEXT,                    -- the provider's; NULL: it may never have been made
    created_ms     INTEGER NOT NULL
) STRICT;
CREATE INDEX batches_of_job ON batches (job);

CREATE TABLE batch_calls (                  -- each call, with the latest batch that it went in
    job            INTEGER NOT NULL REFERENCES jobs,
    attempt_no     INTEGER NOT NULL,
    call_no        INTEGER NOT NULL,
    batch          INTEGER NOT NULL REFERENCES batches,
    PRIMARY KEY (job, attempt_no, call_no)
) STRICT, WITHOUT ROWID;
CREATE INDEX batch_calls_in ON batch_calls (batch);

-- Those whose answers are still to come: neither in the ledger, nor given up with their attempts. Whatever
-- puts an answer into the ledger thereby ends the waiting for it, in the same transaction.
CREATE VIEW awaited AS SELECT b.job, b.batch, b.attempt_no, b.call_no
    FROM batch_calls b JOIN attempts a ON a.job = b.job AND a.no = b.attempt_no
    WHERE NOT EXISTS (SELECT 1 FROM calls c WHERE c.job = b.job AND c.attempt_no = b.attempt_no
                      AND c.call_no = b.call_no AND c.stale = 0);
