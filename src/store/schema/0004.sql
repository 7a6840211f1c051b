-- Version 4: jobs that are gone are remembered for a while, so that who asks for one is told so.

CREATE TABLE gone (
    id             TEXT    NOT NULL PRIMARY KEY,
    tenant         INTEGER NOT NULL,
    gone_ms        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX gone_since ON gone (gone_ms);
