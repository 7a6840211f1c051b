-- Version 2: a job does not get its own answers back; of older ones it is not known whose they were.

ALTER TABLE answers ADD COLUMN job TEXT NOT NULL DEFAULT ''; -- that paid for it
