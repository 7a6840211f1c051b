-- What workers have set aside of what a key may spend in a day: schema/0010.sql.

CREATE TABLE purses (
    tenant         BIGINT  NOT NULL,
    worker         BIGINT  NOT NULL,
    held_nusd      BIGINT  NOT NULL,
    day            BIGINT  NOT NULL,
    PRIMARY KEY (tenant, worker)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

CREATE TABLE key_rates (
    tenant         BIGINT  PRIMARY KEY,
    due_us         BIGINT  NOT NULL
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
