-- Version 5: what of a call's input was written to the provider's cache, where that is told.

ALTER TABLE calls ADD COLUMN cache_write_tokens INTEGER;
