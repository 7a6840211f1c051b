-- Large tables that grow until retention takes its part of them: a fifth of them would be too late for autovacuum.

ALTER TABLE calls    SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE problems SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE specs    SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE outbox   SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
