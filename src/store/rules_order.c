/* What who orders problems may ask: submit, change of mind, deletion, retention. */
#include "store/rules_job.h"
#include "store/store_job.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define RULES_COUNT_EVERY_MS 1000

/* --- submit */

/* Another process may have deleted the text that is known. */
static bool rules_keep_text(struct rules *r) {
    if (sql_process(r->db) != 0) {
        struct sql_query *q = sql_use(r->db, Q_TEXT_KEEP);
        sql_put_int(q, r->taxonomy.key);
        r->taxonomy.key = 0;
        while (sql_next(q)) {
            r->taxonomy.key = sql_int(q, 0);
        }
    }
    r->taxonomy.kept = r->taxonomy.key != 0;
    return r->taxonomy.kept;
}

/* The number of a taxonomy's text, which is stored if it is new; 0: there is none. */
static int64_t rules_text_key(struct rules *r, struct str text) {
    struct rules_text *known = &r->taxonomy;
    if (text.n == 0 || (known->key != 0 && str_eq(sbuf_str(&known->text), text) &&
                        (known->kept || rules_keep_text(r)))) {
        return text.n == 0 ? 0 : known->key;
    }
    int64_t hash = (int64_t)str_hash(text), key = 0;
    struct sql_query *q = sql_use(r->db, Q_TEXT_FIND);
    sql_put_int(q, hash);
    sql_put_str(q, text);
    while (sql_next(q)) {
        key = sql_int(q, 0);
    }
    if (key == 0) {
        q = sql_use(r->db, Q_TEXT_ADD);
        sql_put_int(q, hash);
        sql_put_str(q, text);
        while (sql_next(q)) {
            key = sql_int(q, 0);
        }
    }
    sbuf_clear(&known->text);
    sbuf_add(&known->text, text);
    known->key = sbuf_overflowed(&known->text) ? 0 : key;
    known->kept = true;
    return key;
}

static void rules_put_text_or_null(struct sql_query *q, struct str text) {
    if (text.n > 0) {
        sql_put_str(q, text);
    } else {
        sql_put_null(q);
    }
}

/* The key of the new job; 0 if its id is taken. */
static int64_t rules_add_job(struct rules *r, const struct store_submit *o) {
    struct sql_query *q = sql_use(r->db, Q_JOB_ADD);
    int64_t key = 0;
    sql_put_str(q, str_of(o->job_id));
    sql_put_str(q, str_of(job_state_name(JOB_QUEUED)));
    sql_put_int(q, o->wanted);
    sql_put_int(q, o->ret_created_ms);
    sql_put_int(q, o->tenant);
    sql_put_int(q, o->priority);
    sql_put_int(q, o->concurrency);
    sql_put_str(q, o->name);
    sql_put_str(q, o->webhook_url);
    rules_put_text_or_null(q, o->idem_key);
    rules_put_text_or_null(q, o->fingerprint);
    while (sql_next(q)) {
        key = sql_int(q, 0);
    }
    return key;
}

static void rules_add_spec(struct rules *r, int64_t job_key, const struct store_submit *o) {
    int64_t taxonomy = rules_text_key(r, o->taxonomy);
    struct sql_query *q = sql_use(r->db, Q_SPEC_ADD);
    sql_put_int(q, job_key);
    sql_put_str(q, o->spec);
    if (taxonomy != 0) {
        sql_put_int(q, taxonomy);
    } else {
        sql_put_null(q);
    }
    sql_run_later(q);
}

/* Its row was written with the number of this event already. */
static void rules_tell_submitted(struct rules *r, struct rules_job *job) {
    struct jwrite w;
    rules_begin_data(r, &w);
    jwrite_key(&w, "reason");
    jwrite_cstr(&w, "");
    rules_write_counts(job, &w);
    jwrite_end(&w);
    rules_add_event(r, job, "job.queued");
    job->count = false;
}

/* Is it a repetition? Then @ret is what to answer. */
static bool rules_is_replay(struct rules *r, struct store_submit *o, enum err *ret) {
    struct sql_query *q = sql_use(r->db, Q_IDEM_FIND);
    bool found = false, same = false;
    sql_put_int(q, o->tenant);
    sql_put_str(q, o->idem_key);
    while (sql_next(q)) {
        found = true;
        same = str_eq(sql_str(q, 1), o->fingerprint);
        (void)snprintf(o->ret_job_id, sizeof o->ret_job_id, "%.*s", STR_ARG(sql_str(q, 0)));
        o->ret_created_ms = sql_int(q, 2);
    }
    if (found) {
        o->ret_replayed = same;
        *ret = same ? ERR_OK
                    : errinfo_set(&o->op.detail, ERR_CONFLICT,
                                  "the idempotency key came with another request before");
    }
    return found;
}

/* How many jobs are queued, counted once; where other processes submit too, once a second. */
static int64_t rules_queued(struct rules *r) {
    int64_t now_ms = clock_mono_ms();
    bool known = r->counted_ms > 0 &&
                 (sql_process(r->db) == 0 || now_ms - r->counted_ms < RULES_COUNT_EVERY_MS);
    if (!known) {
        struct sql_query *q = sql_use(r->db, Q_JOBS_QUEUED);
        while (sql_next(q)) {
            r->queued = sql_int(q, 0) - r->queued_more;
        }
        r->counted_ms = now_ms;
    }
    return r->queued + r->queued_more;
}

enum err rule_submit(struct rules *r, struct store_op *op) {
    struct store_submit *o = CONTAINER_OF(op, struct store_submit, op);
    ASSERT(strlen(o->job_id) < STORE_ID_BYTES && o->tenant >= 0);
    enum err e = ERR_OK;
    o->ret_replayed = false;
    if (o->idem_key.n > 0 && rules_is_replay(r, o, &e)) {
        return e;
    }
    o->ret_limit = o->limited ? rules_key_limit(r, o->tenant, &o->ret_use) : STORE_LIMIT_NONE;
    if (o->ret_limit != STORE_LIMIT_NONE) {
        return errinfo_set(&op->detail, ERR_RATE_LIMIT, "key %" PRId64 " has reached a limit",
                           o->tenant);
    }
    if (o->queued_max > 0 && rules_queued(r) >= o->queued_max) {
        o->ret_limit = STORE_LIMIT_QUEUED;
        return errinfo_set(&op->detail, ERR_RATE_LIMIT, "%" PRId64 " jobs are queued already",
                           o->queued_max);
    }
    o->ret_created_ms = sql_wall_ms(r->db);
    int64_t key = rules_add_job(r, o);
    if (key == 0 && o->idem_key.n > 0 && rules_is_replay(r, o, &e)) {
        return e; /* another process was quicker */
    }
    if (key == 0) {
        return errinfo_set(&op->detail, ERR_EXISTS, "there is a job %s already", o->job_id);
    }
    struct rules_job *job = rules_know_job(r, o->job_id);
    job->key = key;
    job->tenant = o->tenant;
    job->priority = o->priority;
    job->state = JOB_QUEUED;
    job->wanted = o->wanted;
    job->what = STORE_CHANGED_STATE;
    r->queued_more++;
    rules_add_spec(r, key, o);
    rules_tell_submitted(r, job);
    (void)snprintf(o->ret_job_id, sizeof o->ret_job_id, "%s", o->job_id);
    return ERR_OK;
}

/* --- a change of mind */

static enum job_state rules_wished(struct rules *r, const struct rules_job *job,
                                   enum store_wish wish) {
    bool at_home = job->worker != 0, begun = job->state == JOB_QUEUED || job->state == JOB_RUNNING;
    switch (wish) {
    case STORE_CANCEL:
        return at_home || rules_awaits(r, job) ? JOB_CANCELLING : JOB_CANCELLED;
    case STORE_PAUSE:
        return begun ? JOB_PAUSED : job->state;
    case STORE_RESUME:
        break;
    }
    return job->state != JOB_PAUSED ? job->state : at_home ? JOB_RUNNING : JOB_QUEUED;
}

enum err rule_ask(struct rules *r, struct store_op *op) {
    struct store_ask *o = CONTAINER_OF(op, struct store_ask, op);
    struct rules_job *job = rules_job(r, o->job_id, o->tenant);
    if (job == NULL) {
        return rules_no_job_of(r, op, o->job_id, o->tenant);
    }
    if (!job_state_is_final(job->state)) {
        enum job_state state = rules_wished(r, job, o->wish);
        if (state != job->state) {
            rules_set_state(r, job, state, o->reason);
        }
    }
    o->ret_state = job->state;
    return ERR_OK;
}
