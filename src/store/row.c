#include "store/row.h"

#include "store/names.h"

bool row_get_str(struct sql_query *q, int column, struct arena *a, struct str *ret) {
    struct str value = sql_str(q, column);
    if (value.n + ARENA_CHUNK_BYTES_MIN > arena_room(a)) {
        return false;
    }
    *ret = str_dup(a, value);
    return true;
}

enum err row_get_job(struct sql *db, struct sql_query *q, struct arena *a, struct job_row *ret) {
    int column = 0;
    struct str id = sql_str(q, column++);
    *ret = (struct job_row){.state = job_state_from_name(sql_str(q, column++))};
    if (ret->state == JOB_STATES) {
        sql_found_corrupt(db, "a job has an unknown state");
        return ERR_OK;
    }
    if (id.n + ARENA_CHUNK_BYTES_MIN > arena_room(a)) {
        return ERR_TOO_BIG;
    }
    ret->id = str_cstr(a, id);
    ret->tenant = sql_int(q, column++);
    bool fits = row_get_str(q, column++, a, &ret->reason);
    fits = fits && row_get_str(q, column, a, &ret->name);
    fits = fits && row_get_str(q, column + 1, a, &ret->webhook_url);
    column += 2;
    ret->priority = sql_int(q, column++);
    ret->concurrency = sql_int(q, column++);
    ret->wanted = sql_int(q, column++);
    ret->attempts = sql_int(q, column++);
    for (int outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
        ret->outcomes[outcome] = sql_int(q, column++);
    }
    ret->created_ms = sql_int(q, column++);
    ret->started_ms = sql_int(q, column++);
    ret->running_ms = ret->started_ms > 0 ? MAX(sql_wall_ms(db) - ret->started_ms, INT64_C(0)) : 0;
    ret->paused_ms = sql_int(q, column++);
    ret->cancelling_ms = sql_int(q, column++);
    ret->ended_ms = sql_int(q, column++);
    ret->leased = sql_int(q, column++);
    ret->in_flight = sql_int(q, column++);
    ret->calls = sql_int(q, column++);
    ret->input_tokens = sql_int(q, column++);
    ret->output_tokens = sql_int(q, column++);
    ret->cost_nusd = sql_int(q, column++);
    ret->calls_unpriced = sql_int(q, column++);
    ret->events = sql_int(q, column++);
    column++; /* the job's key */
    ret->tries_lost = sql_int(q, column++);
    ret->lost_nusd = sql_int(q, column++);
    fits = fits && row_get_str(q, column, a, &ret->spec);
    fits = fits && row_get_str(q, column + 1, a, &ret->taxonomy);
    return fits ? ERR_OK : ERR_TOO_BIG;
}
