-- Version 10: what workers have set aside of what a key may spend in a day, for calls in flight. A dead worker's
-- purse counts until the day is over on which it was filled last.

CREATE TABLE purses (
    tenant         INTEGER NOT NULL,
    worker         INTEGER NOT NULL,
    held_nusd      INTEGER NOT NULL,
    day            INTEGER NOT NULL,
    PRIMARY KEY (tenant, worker)
) STRICT, WITHOUT ROWID;

-- Requests a minute: when the next one of a key is due, by GCRA, in microseconds since 1970.
CREATE TABLE key_rates (
    tenant         INTEGER PRIMARY KEY,
    due_us         INTEGER NOT NULL
) STRICT;
