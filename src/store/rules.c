/* A transaction remembers the jobs that it touches: the first operation on a job reads its row, the
 * following ones count in memory, rules_flush() writes the row once before the commit. Nothing is
 * remembered across transactions, so the rules hold with several writers too, where the first read
 * would also lock the row.
 *
 * Invariants (those of store.h)
 * (1) accepted <= wanted: rule_finish() turns what is beyond into surplus;
 * (2) an attempt is a row of `attempts` until it ends, with at most one token; a finish deletes the
 *     row by number and token, so only one finish can ever succeed;
 * (3) tokens come from one counter that only grows;
 * (4) counters change in the transaction of the rows that they count.
 */
#include "store/rules_job.h"

#include "store/names.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define RULES_ARENA_BYTES_MAX ((size_t)64 * 1024 * 1024)

void rules_init(struct rules *r, struct sql *db) {
    *r = (struct rules){.db = db};
    arena_init(&r->arena, RULES_ARENA_BYTES_MAX);
    sbuf_init(&r->line, RULES_LINE_BYTES_MAX);
}

void rules_release(struct rules *r) {
    arena_release(&r->arena);
    sbuf_release(&r->line);
}

void rules_forget(struct rules *r) {
    r->jobs = NULL;
    arena_reset(&r->arena);
}

static struct rules_job *rules_read_job(struct rules *r, const char *id) {
    struct sql_query *q = sql_use(r->db, Q_JOB_FIND);
    sql_put_str(q, str_of(id));
    if (!sql_next(q)) {
        return NULL;
    }
    struct rules_job *job = ARENA_NEW(&r->arena, struct rules_job);
    int column = 0;
    job->id = str_cstr(&r->arena, str_of(id));
    job->key = sql_int(q, column++);
    job->state = names_job_state(sql_str(q, column++));
    job->wanted = sql_int(q, column++);
    job->attempts = sql_int(q, column++);
    for (int outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
        job->outcomes[outcome] = sql_int(q, column++);
    }
    job->calls = sql_int(q, column++);
    job->input_tokens = sql_int(q, column++);
    job->output_tokens = sql_int(q, column++);
    job->cost_nusd = sql_int(q, column++);
    job->calls_unpriced = sql_int(q, column++);
    sql_end(q);
    if (job->state == JOB_STATES) {
        sql_found_corrupt(r->db, "a job has an unknown state");
        return NULL;
    }
    return job;
}

struct rules_job *rules_job(struct rules *r, const char *id) {
    struct rules_job **at = &r->jobs;
    while (*at != NULL && strcmp((*at)->id, id) != 0) {
        at = &(*at)->next;
    }
    struct rules_job *job = *at;
    if (job != NULL) {
        *at = job->next;
    } else {
        job = rules_read_job(r, id);
    }
    if (job != NULL) { /* to the front: the next operation is likely to be on the same job */
        job->next = r->jobs;
        r->jobs = job;
    }
    return job;
}

enum err rules_no_job(struct store_op *op, const char *id) {
    return errinfo_set(&op->detail, ERR_NOT_FOUND, "there is no job %s", id);
}

enum err rules_stale(struct store_op *op, const struct lease *lease) {
    return errinfo_set(&op->detail, ERR_STALE, "lease %" PRId64 " of attempt %" PRId64 " is over",
                       lease->token, lease->attempt_no);
}

static void rules_count(struct rules *r, const struct rules_job *job) {
    struct sql_query *q = sql_use(r->db, Q_JOB_COUNT);
    sql_put_int(q, job->attempts);
    for (int outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
        sql_put_int(q, job->outcomes[outcome]);
    }
    sql_put_int(q, job->calls);
    sql_put_int(q, job->input_tokens);
    sql_put_int(q, job->output_tokens);
    sql_put_int(q, job->cost_nusd);
    sql_put_int(q, job->calls_unpriced);
    sql_put_int(q, job->key);
    (void)sql_run(q);
}

void rules_flush(struct rules *r) {
    for (struct rules_job *job = r->jobs; job != NULL; job = job->next) {
        if (job->changed) {
            rules_count(r, job);
            job->changed = false;
        }
    }
}

static void rules_add_event(struct rules *r, int64_t job_key, enum job_state state,
                            struct str reason, int64_t at_ms) {
    char kind[32];
    struct jwrite w;
    (void)snprintf(kind, sizeof kind, "job.%s", job_state_name(state));
    sbuf_clear(&r->line);
    jwrite_init(&w, &r->line);
    jwrite_object(&w);
    jwrite_key(&w, "reason");
    jwrite_str(&w, reason);
    jwrite_end(&w);
    struct sql_query *q = sql_use(r->db, Q_EVENT_ADD);
    sql_put_int(q, job_key);
    sql_put_str(q, str_of(kind));
    sql_put_str(q, sbuf_str(&r->line));
    sql_put_int(q, at_ms);
    (void)sql_run(q);
}

enum err rule_submit(struct rules *r, struct store_op *op) {
    struct store_submit *o = CONTAINER_OF(op, struct store_submit, op);
    struct sql_query *q = sql_use(r->db, Q_JOB_ADD);
    sql_put_str(q, str_of(o->job_id));
    sql_put_str(q, str_of(job_state_name(JOB_RUNNING)));
    sql_put_int(q, o->wanted);
    sql_put_int(q, o->created_ms);
    if (sql_run(q) == 0) {
        return errinfo_set(&op->detail, ERR_EXISTS, "there is a job %s already", o->job_id);
    }
    const struct rules_job *job = rules_job(r, o->job_id);
    if (job != NULL) {
        q = sql_use(r->db, Q_SPEC_ADD);
        sql_put_int(q, job->key);
        sql_put_str(q, o->spec);
        (void)sql_run(q);
        rules_add_event(r, job->key, JOB_RUNNING, S(""), o->created_ms);
    }
    return ERR_OK;
}

enum err rule_job_set(struct rules *r, struct store_op *op) {
    struct store_job_set *o = CONTAINER_OF(op, struct store_job_set, op);
    struct rules_job *job = rules_job(r, o->job_id);
    if (job == NULL) {
        return rules_no_job(op, o->job_id);
    }
    struct sql_query *q = sql_use(r->db, Q_JOB_STATE);
    sql_put_str(q, str_of(job_state_name(o->state)));
    sql_put_str(q, o->reason);
    if (job_state_is_final(o->state)) {
        sql_put_int(q, o->now_ms);
    } else {
        sql_put_null(q);
    }
    sql_put_int(q, job->key);
    (void)sql_run(q);
    if (job->state != o->state) {
        rules_add_event(r, job->key, o->state, o->reason, o->now_ms);
        job->state = o->state;
    }
    return ERR_OK;
}
