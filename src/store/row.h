/* row.h - a job's row, as both connections read it. Inside the room only. */
#ifndef STUMPER_STORE_ROW_H
#define STUMPER_STORE_ROW_H

#include "store/sql.h"
#include "store/store_read.h"

#define ROW_JOB_COLUMNS                                                                            \
    "j.id, j.state, j.tenant, j.reason, j.name, j.webhook_url, j.priority, j.concurrency,"         \
    " j.wanted, j.attempts, j.accepted, j.rejected, j.solved, j.duplicate, j.surplus, j.failed,"   \
    " j.created_ms, j.started_ms, j.paused_ms, j.cancelling_ms, j.ended_ms,"                       \
    " (SELECT count(*) FROM attempts a WHERE a.job = j.key),"                                      \
    " (SELECT count(a.token) FROM attempts a WHERE a.job = j.key),"                                \
    " j.calls, j.input_tokens, j.output_tokens, j.cost_nusd, j.calls_unpriced, j.events, j.key,"   \
    " j.tries_lost, j.lost_nusd"
#define ROW_JOB_WITH_SPEC                                                                          \
    "SELECT " ROW_JOB_COLUMNS ", s.spec, t.text FROM jobs j JOIN specs s ON s.job = j.key"         \
    " LEFT JOIN texts t ON t.key = s.taxonomy WHERE j.deleted_ms IS NULL"

/** A job's row from the columns of such a query. ERR_TOO_BIG: not enough room in @a. */
enum err row_get_job(struct sql *db, struct sql_query *q, struct arena *a, struct job_row *ret);

/** Copy a column into @a; false if there is no room. */
bool row_get_str(struct sql_query *q, int column, struct arena *a, struct str *ret);

#endif
