-- Parts of limits that workers share, as leases: name is that of a limit, counted what the worker may use at
-- most, in billionths, until until_ms by the store's clock.

CREATE TABLE parts (
    name           TEXT    NOT NULL,
    worker         INTEGER NOT NULL,
    counted        INTEGER NOT NULL,
    demand         INTEGER NOT NULL,
    until_ms       INTEGER NOT NULL,
    PRIMARY KEY (name, worker)
) WITHOUT ROWID;
