-- Workers tell which program they are, and may be asked to go.

ALTER TABLE workers ADD COLUMN version TEXT NOT NULL DEFAULT '';
ALTER TABLE workers ADD COLUMN drain INTEGER NOT NULL DEFAULT 0;
