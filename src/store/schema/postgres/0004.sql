-- What commits have changed, for the other processes, which ask now and then (news.c); a row for each job of a
-- transaction, with the bits of STORE_CHANGED_… and two more. Nothing of it is missed after a crash of the
-- server, since everybody then takes all for changed.

CREATE UNLOGGED TABLE changes (
    xid            XID8    NOT NULL DEFAULT pg_current_xact_id(),
    process        BIGINT  NOT NULL,
    job            TEXT    COLLATE "C" NOT NULL,
    what           BIGINT  NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
        autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 20000);
CREATE INDEX changes_since ON changes (xid);

-- Those of older transactions were removed. One row.
CREATE TABLE changes_swept (
    xid            XID8    NOT NULL,
    at             TIMESTAMPTZ NOT NULL
) WITH (fillfactor = 10);
INSERT INTO changes_swept VALUES ('0', now());
