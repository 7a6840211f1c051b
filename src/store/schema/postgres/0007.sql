-- Parts of limits that workers share, as leases: name is that of a limit, counted what the worker may use at
-- most, in billionths, until until_ms by the store's clock.

CREATE TABLE parts (
    name           TEXT    COLLATE "C" NOT NULL,
    worker         BIGINT  NOT NULL,
    counted        BIGINT  NOT NULL,
    demand         BIGINT  NOT NULL,
    until_ms       BIGINT  NOT NULL,
    PRIMARY KEY (name, worker)
);
