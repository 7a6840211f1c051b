-- Tries whose end nobody saw, and the most that they may have cost: schema/0011.sql.

ALTER TABLE jobs ADD COLUMN tries_lost BIGINT NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN lost_nusd  BIGINT NOT NULL DEFAULT 0;
