/* The table of operations. A new one needs: its struct and its contract in a header beside store.h,
 * a rule or a read, a row here, and the function that begins it. */
#include "store/ops.h"

#include "store/store_batch.h"
#include "store/store_job.h"
#include "store/store_key.h"
#include "store/store_outbox.h"
#include "store/store_work.h"
#include "store/store_workers.h"

#include <stddef.h>
#include <string.h>

enum store_kind_no {
    STORE_SUBMIT,
    STORE_ASK,
    STORE_DELETE,
    STORE_SWEEP,
    STORE_JOIN,
    STORE_BEAT,
    STORE_WORKER_DRAIN,
    STORE_QUIT,
    STORE_REAP,
    STORE_TAKE,
    STORE_LEAVE,
    STORE_JOB_SET,
    STORE_CLAIM,
    STORE_LEND,
    STORE_RECORD,
    STORE_LOSE,
    STORE_FINISH,
    STORE_RELEASE,
    STORE_BATCH_INTEND,
    STORE_BATCH_MADE,
    STORE_KEY_ADD,
    STORE_KEY_REVOKE,
    STORE_PURSE,
    STORE_KEY_REQUESTS,
    STORE_OUTBOX_TAKE,
    STORE_OUTBOX_TELL,
    STORE_GET_JOB,
    STORE_LIST_JOBS,
    STORE_GET_PROBLEMS,
    STORE_GET_EVENTS,
    STORE_TOTALS,
    STORE_RUNNABLE,
    STORE_CALLS,
    STORE_HASHES,
    STORE_BATCHES,
    STORE_WORKER_LIST,
    STORE_KEY_LIST,
    STORE_KEY_FIND,
    STORE_KINDS
};

#define KIND(patient, rule, name, job_at)                                                          \
    { patient, rule, "store." name ".before_commit", "store." name ".after_commit", NULL, job_at }
#define WRITES(rule, name) KIND(false, rule, name, 0)
#define WRITES_JOB(rule, name) KIND(false, rule, #name, offsetof(struct store_##name, job_id))
#define WORKS(rule, name) KIND(true, rule, name, 0)
#define WORKS_ON_JOB(rule, name) KIND(true, rule, #name, offsetof(struct store_##name, job_id))
#define READS(read)                                                                                \
    { false, NULL, NULL, NULL, read, 0 }
#define READS_TO_WORK(read)                                                                        \
    { true, NULL, NULL, NULL, read, 0 }

static const struct store_kind store_kinds[STORE_KINDS] = {
    [STORE_SUBMIT] = WRITES(rule_submit, "submit"),
    [STORE_ASK] = WRITES_JOB(rule_ask, ask),
    [STORE_DELETE] = WRITES_JOB(rule_delete, delete),
    [STORE_SWEEP] = WRITES(rule_sweep, "sweep"),
    [STORE_JOIN] = WRITES(rule_join, "join"),
    [STORE_BEAT] = WRITES(rule_beat, "beat"),
    [STORE_WORKER_DRAIN] = WRITES(rule_worker_drain, "worker_drain"),
    [STORE_QUIT] = WRITES(rule_quit, "quit"),
    [STORE_REAP] = WRITES(rule_reap, "reap"),
    [STORE_TAKE] = WORKS_ON_JOB(rule_take, take),
    [STORE_LEAVE] = WORKS_ON_JOB(rule_leave, leave),
    [STORE_JOB_SET] = WORKS_ON_JOB(rule_job_set, job_set),
    [STORE_CLAIM] = WORKS_ON_JOB(rule_claim, claim),
    [STORE_LEND] = WORKS_ON_JOB(rule_lend, lend),
    [STORE_RECORD] = WORKS_ON_JOB(rule_record, record),
    [STORE_LOSE] = WORKS_ON_JOB(rule_lose, lose),
    [STORE_FINISH] = WORKS_ON_JOB(rule_finish, finish),
    [STORE_RELEASE] = WORKS_ON_JOB(rule_release, release),
    [STORE_BATCH_INTEND] = WORKS_ON_JOB(rule_batch_intend, batch_intend),
    [STORE_BATCH_MADE] = WORKS(rule_batch_made, "batch_made"),
    [STORE_KEY_ADD] = WRITES(rule_key_add, "key_add"),
    [STORE_KEY_REVOKE] = WRITES(rule_key_revoke, "key_revoke"),
    [STORE_PURSE] = WORKS(rule_purse, "purse"),
    [STORE_KEY_REQUESTS] = WRITES(rule_key_requests, "key_requests"),
    [STORE_OUTBOX_TAKE] = WRITES(rule_outbox_take, "outbox_take"),
    [STORE_OUTBOX_TELL] = WORKS(rule_outbox_tell, "outbox_tell"),
    [STORE_GET_JOB] = READS(read_get_job),
    [STORE_LIST_JOBS] = READS(read_list_jobs),
    [STORE_GET_PROBLEMS] = READS(read_get_problems),
    [STORE_GET_EVENTS] = READS(read_get_events),
    [STORE_TOTALS] = READS(read_totals),
    [STORE_RUNNABLE] = READS(read_runnable),
    [STORE_CALLS] = READS_TO_WORK(read_calls),
    [STORE_HASHES] = READS_TO_WORK(read_hashes),
    [STORE_BATCHES] = READS_TO_WORK(read_batches),
    [STORE_WORKER_LIST] = READS(read_worker_list),
    [STORE_KEY_LIST] = READS(read_key_list),
    [STORE_KEY_FIND] = READS(read_key_find),
};

const struct store_kind *store_kind(const struct store_op *op) {
    return &store_kinds[op->kind];
}

const char *store_op_job(const struct store_op *op) {
    size_t at = store_kinds[op->kind].job_at;
    const char *job_id = NULL;
    if (at != 0) {
        memcpy(&job_id, (const char *)op + at, sizeof job_id);
    }
    return job_id;
}

int64_t store_op_key(const struct store_op *op) {
    if (op->kind == STORE_SUBMIT) {
        const struct store_submit *o = (const struct store_submit *)(const void *)op;
        return o->limited ? o->tenant : 0;
    }
    if (op->kind == STORE_KEY_REQUESTS) {
        return ((const struct store_key_requests *)(const void *)op)->tenant;
    }
    return 0;
}

size_t store_op_bytes(struct store_op *op) {
    const struct ledger_call *call = NULL;
    size_t bytes = 0;
    if (op->kind == STORE_RECORD) {
        call = CONTAINER_OF(op, struct store_record, op)->call;
    } else if (op->kind == STORE_FINISH) {
        const struct store_finish *o = CONTAINER_OF(op, struct store_finish, op);
        call = o->call;
        bytes = o->problem->problem.n + o->problem->target_text.n + o->problem->raw.n;
    } else if (op->kind == STORE_SUBMIT) {
        bytes = CONTAINER_OF(op, struct store_submit, op)->spec.n;
    }
    return bytes + (call != NULL ? call->answer.text.n : 0);
}

static void store_begin(struct store *s, struct store_op *op, enum store_kind_no kind) {
    op->store = s;
    op->kind = (int)kind;
    (void)atomic_fetch_add(&s->refs, 1);
    if (!store_kinds[kind].patient && atomic_load(&s->waiting) > 0) {
        desk_refuse(op, ERR_UNAVAILABLE, "the database is away");
        return;
    }
    desk_send(store_kinds[kind].read != NULL ? &s->reading : &s->writing, op);
}

/* --- orders */

void store_submit(struct store *s, struct store_submit *o) {
    store_begin(s, &o->op, STORE_SUBMIT);
}
void store_ask(struct store *s, struct store_ask *o) {
    store_begin(s, &o->op, STORE_ASK);
}
void store_delete(struct store *s, struct store_delete *o) {
    store_begin(s, &o->op, STORE_DELETE);
}
void store_sweep(struct store *s, struct store_sweep *o) {
    store_begin(s, &o->op, STORE_SWEEP);
}

/* --- work */

void store_join(struct store *s, struct store_join *o) {
    store_begin(s, &o->op, STORE_JOIN);
}
void store_beat(struct store *s, struct store_beat *o) {
    store_begin(s, &o->op, STORE_BEAT);
}
void store_quit(struct store *s, struct store_quit *o) {
    store_begin(s, &o->op, STORE_QUIT);
}
void store_reap(struct store *s, struct store_reap *o) {
    store_begin(s, &o->op, STORE_REAP);
}
void store_take(struct store *s, struct store_take *o) {
    ASSERT(o->worker > 0);
    store_begin(s, &o->op, STORE_TAKE);
}
void store_leave(struct store *s, struct store_leave *o) {
    store_begin(s, &o->op, STORE_LEAVE);
}
void store_job_set(struct store *s, struct store_job_set *o) {
    store_begin(s, &o->op, STORE_JOB_SET);
}
void store_claim(struct store *s, struct store_claim *o) {
    ASSERT(o->n > 0 && o->n <= STORE_CLAIM_MAX);
    store_begin(s, &o->op, STORE_CLAIM);
}
void store_lend(struct store *s, struct store_lend *o) {
    ASSERT(o->n >= 0 && o->each_nusd >= 0);
    store_begin(s, &o->op, STORE_LEND);
}
void store_record(struct store *s, struct store_record *o) {
    store_begin(s, &o->op, STORE_RECORD);
}
void store_lose(struct store *s, struct store_lose *o) {
    ASSERT(o->tries > 0 && o->nusd >= 0);
    store_begin(s, &o->op, STORE_LOSE);
}
void store_finish(struct store *s, struct store_finish *o) {
    store_begin(s, &o->op, STORE_FINISH);
}
void store_release(struct store *s, struct store_release *o) {
    store_begin(s, &o->op, STORE_RELEASE);
}
void store_calls(struct store *s, struct store_calls *o) {
    store_begin(s, &o->op, STORE_CALLS);
}
void store_hashes(struct store *s, struct store_hashes *o) {
    store_begin(s, &o->op, STORE_HASHES);
}
void store_runnable(struct store *s, struct store_runnable *o) {
    store_begin(s, &o->op, STORE_RUNNABLE);
}

/* --- looking after workers */

void store_worker_list(struct store *s, struct store_worker_list *o) {
    store_begin(s, &o->op, STORE_WORKER_LIST);
}
void store_worker_drain(struct store *s, struct store_worker_drain *o) {
    store_begin(s, &o->op, STORE_WORKER_DRAIN);
}

/* --- batches */

void store_batch_intend(struct store *s, struct store_batch_intend *o) {
    ASSERT(o->n > 0);
    store_begin(s, &o->op, STORE_BATCH_INTEND);
}
void store_batch_made(struct store *s, struct store_batch_made *o) {
    store_begin(s, &o->op, STORE_BATCH_MADE);
}
void store_batches(struct store *s, struct store_batches *o) {
    store_begin(s, &o->op, STORE_BATCHES);
}

/* --- reads */

void store_get_job(struct store *s, struct store_get_job *o) {
    store_begin(s, &o->op, STORE_GET_JOB);
}
void store_list_jobs(struct store *s, struct store_list_jobs *o) {
    store_begin(s, &o->op, STORE_LIST_JOBS);
}
void store_get_problems(struct store *s, struct store_get_problems *o) {
    store_begin(s, &o->op, STORE_GET_PROBLEMS);
}
void store_get_events(struct store *s, struct store_get_events *o) {
    store_begin(s, &o->op, STORE_GET_EVENTS);
}
void store_totals(struct store *s, struct store_totals *o) {
    store_begin(s, &o->op, STORE_TOTALS);
}

/* --- keys and webhooks */

void store_key_add(struct store *s, struct store_key_add *o) {
    store_begin(s, &o->op, STORE_KEY_ADD);
}
void store_key_revoke(struct store *s, struct store_key_revoke *o) {
    store_begin(s, &o->op, STORE_KEY_REVOKE);
}
void store_purse(struct store *s, struct store_purse *o) {
    ASSERT(o->worker > 0 && 0 <= o->keep_nusd && o->keep_nusd <= o->need_nusd &&
           o->need_nusd <= o->want_nusd);
    store_begin(s, &o->op, STORE_PURSE);
}
void store_key_requests(struct store *s, struct store_key_requests *o) {
    ASSERT(o->n > 0);
    store_begin(s, &o->op, STORE_KEY_REQUESTS);
}
void store_key_list(struct store *s, struct store_key_list *o) {
    store_begin(s, &o->op, STORE_KEY_LIST);
}
void store_key_find(struct store *s, struct store_key_find *o) {
    store_begin(s, &o->op, STORE_KEY_FIND);
}
void store_outbox_take(struct store *s, struct store_outbox_take *o) {
    store_begin(s, &o->op, STORE_OUTBOX_TAKE);
}
void store_outbox_tell(struct store *s, struct store_outbox_tell *o) {
    store_begin(s, &o->op, STORE_OUTBOX_TELL);
}
