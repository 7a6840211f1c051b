#include "api/render.h"

#include "base/clock.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define MS_PER_S 1000.0

void render_time(struct jwrite *w, const char *key, int64_t ms) {
    char text[CLOCK_RFC3339_BYTES];
    jwrite_key(w, key);
    if (ms <= 0) {
        jwrite_null(w);
        return;
    }
    clock_rfc3339(ms, text);
    jwrite_cstr(w, text);
}

static void render_url(struct jwrite *w, const char *key, const char *before, const char *job_id,
                       const char *after) {
    char url[STORE_ID_BYTES + 32];
    (void)snprintf(url, sizeof url, "%s%s%s", before, job_id, after);
    jwrite_key(w, key);
    jwrite_cstr(w, url);
}

void render_links(struct jwrite *w, const char *job_id) {
    render_url(w, "status_url", "/status/", job_id, "");
    render_url(w, "results_url", "/jobs/", job_id, "/results");
    render_url(w, "events_url", "/jobs/", job_id, "/events");
    render_url(w, "cancel_url", "/jobs/", job_id, "/cancel");
}

static void render_int(struct jwrite *w, const char *key, int64_t v) {
    jwrite_key(w, key);
    jwrite_int(w, v);
}

static void render_counts(struct jwrite *w, const struct job_row *job) {
    jwrite_key(w, "counts");
    jwrite_object(w);
    render_int(w, "wanted", job->wanted);
    for (int o = 0; o < OUTCOME_COUNT; o++) {
        render_int(w, outcome_name((enum outcome)o), job->outcomes[o]);
    }
    render_int(w, "in_flight", job->in_flight);
    render_int(w, "attempts", job->attempts);
    jwrite_end(w);
}

/* Shares of what has ended: failures say nothing about problems, but they take time. */
static void render_pace(struct jwrite *w, const struct job_row *job) {
    int64_t good = job->outcomes[OUTCOME_ACCEPTED] + job->outcomes[OUTCOME_SURPLUS], ended = 0;
    for (int o = 0; o < OUTCOME_COUNT; o++) {
        ended += job->outcomes[o];
    }
    jwrite_key(w, "acceptance_rate");
    if (ended > 0) {
        jwrite_real(w, round((double)good / (double)ended * 1e4) / 1e4);
    } else {
        jwrite_null(w);
    }
    jwrite_key(w, "eta_seconds");
    int64_t accepted = job->outcomes[OUTCOME_ACCEPTED];
    if (job->state != JOB_RUNNING || accepted == 0) {
        jwrite_null(w);
        return;
    }
    double each_ms = (double)job->running_ms / (double)accepted;
    jwrite_int(w, (int64_t)ceil(each_ms * (double)(job->wanted - accepted) / MS_PER_S));
}

static void render_usage_row(struct jwrite *w, const struct usage_row *u) {
    jwrite_object(w);
    jwrite_key(w, "role");
    jwrite_cstr(w, role_name(u->role));
    jwrite_key(w, "model");
    jwrite_str(w, u->model);
    render_int(w, "calls", u->calls);
    render_int(w, "input_tokens", u->input_tokens);
    render_int(w, "cached_tokens", u->cached_tokens);
    render_int(w, "output_tokens", u->output_tokens);
    render_int(w, "reasoning_tokens", u->reasoning_tokens);
    jwrite_key(w, "cost_usd");
    jwrite_usd(w, money_told(u->cost_nusd, u->calls_unpriced));
    render_int(w, "calls_unpriced", u->calls_unpriced);
    render_int(w, "calls_reused", u->calls_reused);
    jwrite_end(w);
}

static void render_usage(struct jwrite *w, const struct job_row *job,
                         const struct render_extra *extra) {
    jwrite_key(w, "usage");
    jwrite_object(w);
    render_int(w, "calls", job->calls);
    render_int(w, "input_tokens", job->input_tokens);
    render_int(w, "output_tokens", job->output_tokens);
    jwrite_key(w, "cost_usd");
    jwrite_usd(w, money_told(job->cost_nusd, job->calls_unpriced));
    render_int(w, "calls_unpriced", job->calls_unpriced);
    render_int(w, "tries_lost", job->tries_lost);
    jwrite_key(w, "lost_usd_max");
    jwrite_usd(w, money_told(job->lost_nusd, job->tries_lost));
    if (extra->with_usage) {
        int64_t reused = 0;
        jwrite_key(w, "by_model");
        jwrite_array(w);
        for (size_t i = 0; i < extra->usage_n; i++) {
            render_usage_row(w, &extra->usage[i]);
            reused += extra->usage[i].calls_reused;
        }
        jwrite_end(w);
        render_int(w, "calls_reused", reused);
    }
    jwrite_end(w);
}

void render_job(struct jwrite *w, const struct job_row *job, const struct render_extra *extra) {
    jwrite_key(w, "job_id");
    jwrite_cstr(w, job->id);
    jwrite_key(w, "status");
    jwrite_cstr(w, job_state_name(job->state));
    jwrite_key(w, "name");
    if (job->name.n > 0) {
        jwrite_str(w, job->name);
    } else {
        jwrite_null(w);
    }
    render_int(w, "priority", job->priority);
    render_time(w, "created_at", job->created_ms);
    render_time(w, "started_at", job->started_ms);
    render_time(w, "paused_at", job->paused_ms);
    render_time(w, "cancelling_at", job->cancelling_ms);
    render_time(w, "ended_at", job->ended_ms);
    bool expires = extra->retain_ms > 0 && job->ended_ms > 0;
    render_time(w, "expires_at", expires ? job->ended_ms + extra->retain_ms : 0);
    render_counts(w, job);
    render_pace(w, job);
    render_usage(w, job, extra);
    jwrite_key(w, "reason");
    if (job->reason.n > 0) {
        jwrite_str(w, job->reason);
    } else {
        jwrite_null(w);
    }
    render_links(w, job->id);
}

void render_accepted(struct jwrite *w, const char *job_id, enum job_state state,
                     int64_t created_ms) {
    jwrite_object(w);
    jwrite_key(w, "job_id");
    jwrite_cstr(w, job_id);
    jwrite_key(w, "status");
    jwrite_cstr(w, job_state_name(state));
    render_time(w, "created_at", created_ms);
    render_time(w, "expires_at", 0); /* not before it has ended */
    render_links(w, job_id);
    jwrite_end(w);
}

void render_problem(struct sbuf *out, const struct problem_row *row) {
    ASSERT(row->line.n > 2 && row->line.p[0] == '{'); /* problem_write() */
    sbuf_addf(out, "{\"seq\":%" PRId64 ",", row->seq);
    sbuf_add(out, str_skip(row->line, 1));
}
