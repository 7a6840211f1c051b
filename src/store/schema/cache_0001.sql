CREATE TABLE answers (
    hash           INTEGER NOT NULL,        -- of the request
    finish         TEXT    NOT NULL,
    model_id       TEXT    NOT NULL,
    created_ms     INTEGER NOT NULL,
    request        TEXT    NOT NULL,
    text           TEXT    NOT NULL
) STRICT;
CREATE INDEX answers_by_hash ON answers (hash);
