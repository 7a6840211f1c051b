-- Version 11: tries whose end nobody saw, and the most that they may have cost beside what is in the ledger.

ALTER TABLE jobs ADD COLUMN tries_lost INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN lost_nusd  INTEGER NOT NULL DEFAULT 0;
