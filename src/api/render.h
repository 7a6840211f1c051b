/* render.h - inside the room: what the store knows, as docs/openapi.yaml writes it. */
#ifndef STUMPER_API_RENDER_H
#define STUMPER_API_RENDER_H

#include "store/store_read.h"
#include "json/write.h"

/* What of a job is not in its row. */
struct render_extra {
    bool with_usage; /* by role and model */
    const struct usage_row *usage;
    size_t usage_n;
    int64_t retain_ms; /* how long it is kept after its end; 0: for ever */
};

/** A time as text, 0 as null. */
void render_time(struct jwrite *w, const char *key, int64_t ms);

/** The members that lead on from a job: status_url, results_url, events_url, cancel_url. */
void render_links(struct jwrite *w, const char *job_id);

/** The members of a job, into the object that is open. */
void render_job(struct jwrite *w, const struct job_row *job, const struct render_extra *extra);

/** Append a problem's JSON object, with "seq", its place in the job's results, as first member. */
void render_problem(struct sbuf *out, const struct problem_row *row);

/** An answer to a submission. */
void render_accepted(struct jwrite *w, const char *job_id, enum job_state state,
                     int64_t created_ms);

#endif
