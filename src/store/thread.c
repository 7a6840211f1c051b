/* The store thread and its group commit.
 *
 *     loop thread                          store thread
 *     store_…(op) ── inbox ──────────────► take all that wait, up to a cap: one batch
 *                                          BEGIN, the rule of each, counters, COMMIT (one fsync)
 *     done(op), done(op) … ◄── one message of the loop for the whole batch
 *
 * An operation belongs to the store thread from store_…() until its batch is posted; the message
 * that carries the batch is the one inside its first operation, so nothing is allocated. If the
 * transaction fails, all of the batch fail alike and nothing of it is kept; the connection is as
 * usable as before. The loop is held while an answer is awaited.
 */
#include "store/store.h"

#include "store/lock.h"
#include "store/queries.h"
#include "store/rules.h"
#include "store/schema.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/mem.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define STORE_BATCH_OPS_MAX 4096
#define STORE_BATCH_BYTES_MAX ((size_t)8 * 1024 * 1024)

enum store_kind {
    STORE_SUBMIT,
    STORE_CLAIM,
    STORE_RECORD,
    STORE_FINISH,
    STORE_RELEASE,
    STORE_JOB_SET,
    STORE_CALLS,
    STORE_STOP, /* the thread's end; comes last */
    STORE_KINDS
};

static const struct {
    rule_fn *rule;
    const char *before_commit, *after_commit;
} store_kinds[STORE_KINDS] = {
    [STORE_SUBMIT] = {rule_submit, "store.submit.before_commit", "store.submit.after_commit"},
    [STORE_CLAIM] = {rule_claim, "store.claim.before_commit", "store.claim.after_commit"},
    [STORE_RECORD] = {rule_record, "store.record.before_commit", "store.record.after_commit"},
    [STORE_FINISH] = {rule_finish, "store.finish.before_commit", "store.finish.after_commit"},
    [STORE_RELEASE] = {rule_release, "store.release.before_commit", "store.release.after_commit"},
    [STORE_JOB_SET] = {rule_job_set, "store.job_set.before_commit", "store.job_set.after_commit"},
    [STORE_CALLS] = {rule_calls, "store.calls.before_commit", "store.calls.after_commit"},
};

struct store {
    struct loop *loop;
    struct store_lock lock;
    struct sql *db; /* of the store thread while it runs */
    struct rules rules;
    struct mailbox inbox;
    pthread_t thread;
    /* loop thread only */
    int64_t pending; /* operations whose `done` was not called yet */
    bool closed;     /* free it with the last of them */
    struct store_op stop;
};

/* --- the store thread */

static struct store_op *store_op_of(struct mailbox_msg *link) {
    return link == NULL ? NULL : CONTAINER_OF(link, struct store_op, msg.link);
}

/* About how much memory an operation will make dirty. */
static size_t store_op_bytes(struct store_op *op) {
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

/* Cut the next batch off @waiting (linked by `msg.link`): its first operation, the others by
 * `next`.
 */
static struct store_op *store_take_batch(struct store_op *waiting, struct store_op **ret_rest) {
    struct store_op *last = waiting;
    size_t bytes = store_op_bytes(waiting);
    struct store_op *rest = store_op_of(waiting->msg.link.next);
    for (size_t n = 1; rest != NULL && rest->kind != STORE_STOP && n < STORE_BATCH_OPS_MAX &&
                       bytes < STORE_BATCH_BYTES_MAX;
         n++) {
        bytes += store_op_bytes(rest);
        last->next = rest;
        last = rest;
        rest = store_op_of(rest->msg.link.next);
    }
    last->next = NULL;
    *ret_rest = rest;
    return waiting;
}

static void store_hit_failpoints(const struct store_op *batch, bool committed) {
    for (const struct store_op *op = batch; failpoint_armed && op != NULL; op = op->next) {
        FAILPOINT(committed ? store_kinds[op->kind].after_commit
                            : store_kinds[op->kind].before_commit);
    }
}

static void store_run_batch(struct store *s, struct store_op *batch) {
    struct errinfo detail = {0};
    sql_begin(s->db);
    for (struct store_op *op = batch; op != NULL && !sql_failed(s->db); op = op->next) {
        op->err = store_kinds[op->kind].rule(&s->rules, op);
    }
    rules_flush(&s->rules);
    store_hit_failpoints(batch, false);
    enum err e = sql_commit(s->db, &detail);
    store_hit_failpoints(batch, true);
    rules_forget(&s->rules);
    for (struct store_op *op = batch; e != ERR_OK && op != NULL; op = op->next) {
        op->err = e;
        op->detail = detail;
    }
}

static void store_deliver(struct loop_msg *msg);

static void *store_thread(void *ctx) {
    struct store *s = ctx;
    for (;;) {
        struct store_op *waiting = store_op_of(mailbox_wait(&s->inbox));
        while (waiting != NULL && waiting->kind != STORE_STOP) {
            struct store_op *batch = store_take_batch(waiting, &waiting);
            store_run_batch(s, batch);
            batch->msg.fn = store_deliver;
            loop_post(s->loop, &batch->msg);
            sql_upkeep(s->db);
        }
        if (waiting != NULL) {
            return NULL;
        }
    }
}

/* --- the loop thread */

static void store_free(struct store *s) {
    mailbox_release(&s->inbox);
    free(s);
}

static void store_deliver(struct loop_msg *msg) {
    struct store_op *op = CONTAINER_OF(msg, struct store_op, msg);
    struct store *s = op->store;
    int64_t n = 0;
    for (struct store_op *next; op != NULL; op = next, n++) {
        next = op->next; /* done() may free or reuse the operation */
        op->done(op);
    }
    s->pending -= n; /* only now: done() may have closed the store */
    if (s->pending == 0) {
        loop_unhold(s->loop);
        if (s->closed) {
            store_free(s);
        }
    }
}

static void store_send(struct store *s, struct store_op *op, enum store_kind kind) {
    ASSERT(!s->closed);
    op->store = s;
    op->kind = (int)kind;
    op->err = ERR_OK;
    op->detail.text[0] = '\0';
    if (s->pending++ == 0) {
        loop_hold(s->loop);
    }
    mailbox_send(&s->inbox, &op->msg.link);
}

void store_submit(struct store *s, struct store_submit *o) {
    store_send(s, &o->op, STORE_SUBMIT);
}
void store_claim(struct store *s, struct store_claim *o) {
    ASSERT(o->n > 0 && o->n <= STORE_CLAIM_MAX);
    store_send(s, &o->op, STORE_CLAIM);
}
void store_record(struct store *s, struct store_record *o) {
    store_send(s, &o->op, STORE_RECORD);
}
void store_finish(struct store *s, struct store_finish *o) {
    store_send(s, &o->op, STORE_FINISH);
}
void store_release(struct store *s, struct store_release *o) {
    store_send(s, &o->op, STORE_RELEASE);
}
void store_job_set(struct store *s, struct store_job_set *o) {
    store_send(s, &o->op, STORE_JOB_SET);
}
void store_calls(struct store *s, struct store_calls *o) {
    store_send(s, &o->op, STORE_CALLS);
}

/* --- open and close */

/* The lock says that nobody else lives: every lease in the file belongs to the dead. */
static enum err store_take_over(struct store *s, struct errinfo *reterr) {
    sql_begin(s->db);
    rules_reap(&s->rules, clock_wall_ms());
    rules_flush(&s->rules);
    FAILPOINT("store.open.before_commit");
    enum err e = sql_commit(s->db, reterr);
    FAILPOINT("store.open.after_commit");
    rules_forget(&s->rules);
    return e;
}

/* Signals are for the threads of the loop. */
static void store_start_thread(struct store *s) {
    sigset_t all, before;
    (void)sigfillset(&all);
    ASSERT(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    ASSERT(pthread_create(&s->thread, NULL, store_thread, s) == 0);
    ASSERT(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
}

static void store_let_go(struct store *s) {
    rules_release(&s->rules);
    sql_close(s->db);
    store_lock_release(&s->lock);
}

enum err store_open(struct loop *l, const char *path, struct store **ret, struct errinfo *reterr) {
    struct store_lock lock;
    struct sql *db;
    enum err e = store_lock_take(&lock, path, reterr);
    if (e != ERR_OK) {
        return e;
    }
    e = sql_open(path, SQL_WRITER, &store_schema, queries_texts, Q_COUNT, &db, reterr);
    if (e != ERR_OK) {
        store_lock_release(&lock);
        return e;
    }
    struct store *s = mem_new(sizeof *s);
    *s = (struct store){.loop = l, .lock = lock, .db = db};
    rules_init(&s->rules, db);
    mailbox_init(&s->inbox, NULL, NULL);
    e = store_take_over(s, reterr);
    if (e != ERR_OK) {
        store_let_go(s);
        store_free(s);
        return e;
    }
    store_start_thread(s);
    *ret = s;
    return ERR_OK;
}

void store_close(struct store *s) {
    s->stop.kind = STORE_STOP;
    mailbox_send(&s->inbox, &s->stop.msg.link);
    ASSERT(pthread_join(s->thread, NULL) == 0);
    store_let_go(s);
    s->closed = true;
    if (s->pending == 0) {
        store_free(s);
    }
}
