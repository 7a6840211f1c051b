-- Workers tell which program they are, and may be asked to go: schema/0006.sql.

ALTER TABLE workers ADD COLUMN version TEXT NOT NULL DEFAULT '';
ALTER TABLE workers ADD COLUMN drain BIGINT NOT NULL DEFAULT 0;
