/* What a job is, and who is told: states, homes, events, webhooks. */
#include "store/rules_job.h"

#include "base/clock.h"
#include "base/id.h"

#include <stdio.h>

/* --- events */

void rules_begin_data(struct rules *r, struct jwrite *w) {
    sbuf_clear(&r->line);
    jwrite_init(w, &r->line);
    jwrite_object(w);
}

void rules_write_counts(const struct rules_job *job, struct jwrite *w) {
    jwrite_key(w, "counts");
    jwrite_object(w);
    jwrite_key(w, "wanted");
    jwrite_int(w, job->wanted);
    for (int outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
        jwrite_key(w, outcome_name((enum outcome)outcome));
        jwrite_int(w, job->outcomes[outcome]);
    }
    jwrite_key(w, "attempts");
    jwrite_int(w, job->attempts);
    jwrite_end(w);
}

void rules_add_event(struct rules *r, struct rules_job *job, const char *kind) {
    struct sql_query *q = sql_use(r->db, Q_EVENT_ADD);
    sql_put_int(q, job->key);
    sql_put_int(q, ++job->events);
    sql_put_str(q, str_of(kind));
    sql_put_str(q, sbuf_str(&r->line));
    sql_put_int(q, sql_wall_ms(r->db));
    sql_run_later(q);
    job->count = true;
    job->what |= STORE_CHANGED_EVENTS;
    r->events = true;
}

/* --- states */

static void rules_tell_state(struct rules *r, struct rules_job *job, struct str reason) {
    char kind[32];
    struct jwrite w;
    (void)snprintf(kind, sizeof kind, "job.%s", job_state_name(job->state));
    rules_begin_data(r, &w);
    jwrite_key(&w, "reason");
    jwrite_str(&w, reason);
    rules_write_counts(job, &w);
    jwrite_end(&w);
    rules_add_event(r, job, kind);
}

/* A thin message: whoever gets it asks for the rest. */
static void rules_write_webhook(struct rules *r, const struct rules_job *job, struct str reason) {
    char type[32], timestamp[CLOCK_RFC3339_BYTES];
    struct jwrite w;
    (void)snprintf(type, sizeof type, "job.%s", job_state_name(job->state));
    clock_rfc3339(sql_wall_ms(r->db), timestamp);
    rules_begin_data(r, &w);
    jwrite_key(&w, "type");
    jwrite_cstr(&w, type);
    jwrite_key(&w, "timestamp");
    jwrite_cstr(&w, timestamp);
    jwrite_key(&w, "data");
    jwrite_object(&w);
    jwrite_key(&w, "job_id");
    jwrite_cstr(&w, job->id);
    jwrite_key(&w, "status");
    jwrite_cstr(&w, job_state_name(job->state));
    jwrite_key(&w, "reason");
    jwrite_str(&w, reason);
    rules_write_counts(job, &w);
    jwrite_end(&w);
    jwrite_end(&w);
}

static void rules_add_webhook(struct rules *r, const struct rules_job *job, struct str reason) {
    char id[ID_BYTES];
    id_new("msg", id);
    rules_write_webhook(r, job, reason);
    struct sql_query *q = sql_use(r->db, Q_OUTBOX_ADD);
    sql_put_str(q, str_of(id));
    sql_put_str(q, sbuf_str(&r->line));
    sql_put_int(q, rules_due_ms(r));
    sql_put_int(q, job->key);
    r->outbox |= sql_run(q) > 0; /* it has a webhook_url */
}

static void rules_put_if(struct sql_query *q, bool put, int64_t value) {
    if (put) {
        sql_put_int(q, value);
    } else {
        sql_put_null(q);
    }
}

void rules_set_state(struct rules *r, struct rules_job *job, enum job_state state,
                     struct str reason) {
    int64_t now_ms = sql_wall_ms(r->db);
    struct sql_query *q = sql_use(r->db, Q_JOB_STATE);
    sql_put_str(q, str_of(job_state_name(state)));
    sql_put_str(q, reason);
    rules_put_if(q, job->worker != 0, job->worker);
    rules_put_if(q, job_state_is_final(state), now_ms);
    rules_put_if(q, state == JOB_RUNNING, now_ms);
    rules_put_if(q, state == JOB_PAUSED, now_ms);
    rules_put_if(q, state == JOB_CANCELLING && job->state != state, now_ms);
    sql_put_int(q, job->key);
    (void)sql_run(q);
    job->what |= STORE_CHANGED_STATE;
    if (job_state_is_final(state)) { /* what is in flight, guests' too, comes too late */
        rules_take_leases_back(r, job, RULES_ALL, false);
    }
    if (state != JOB_RUNNING || job->worker == 0) {
        job->lent = 0;
    }
    if (job->state == state) {
        return;
    }
    r->queued_more += (state == JOB_QUEUED) - (job->state == JOB_QUEUED);
    job->state = state;
    rules_tell_state(r, job, reason);
    if (job_state_is_final(state)) {
        rules_add_webhook(r, job, reason);
    }
}

void rules_set_homeless(struct rules *r, struct rules_job *job) {
    enum job_state state = job->state == JOB_RUNNING ? JOB_QUEUED : job->state;
    if (state == JOB_CANCELLING && !rules_awaits(r, job)) {
        state = JOB_CANCELLED;
    }
    job->worker = 0;
    job->what |= STORE_CHANGED_HOME;
    rules_set_state(r, job, state, S(""));
}
