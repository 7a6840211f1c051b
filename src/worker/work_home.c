/* How a job comes home to a worker, and how it is let go: take ─► (key) ─► (recall) ─► start …
 * leave.
 *
 * If a slot is free when a job is taken, it is kept for it: a job that was never begun brings the
 * lease of its first attempt home, and its first call is made one commit after it was taken. What
 * is only needed until it starts (its row's texts, the trees of its spec) is in an arena that ends
 * then.
 *
 * While the store is asked, the job may be lost or the worker may drain; that is looked at when the
 * answer comes. A leave that the store could not write down is tried again, for a job that nobody
 * knows to be free would never go on; only where somebody waits for the end (worker_run()) he is
 * told at once.
 */
#include "worker/book.h"
#include "worker/work.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

#define WORK_ARENA_BYTES_MAX ((size_t)4 << 30) /* seeds and hashes of millions of problems */
#define WORK_AGAIN_MS 1000
#define WORK_SHY_MS 10000

static void work_gone_now(void *ctx) {
    struct work *k = ctx;
    void (*done)(void *ctx, const struct work_view *view) = k->done;
    work_waive(k);
    if (done != NULL) {
        done(k->ctx, &k->view);
    }
    worker_forget(k->worker, k);
}

static void work_gone(struct work *k) {
    if (k->book != NULL) {
        llm_abandon(k->worker->options.llm, book_for_llm(k->book));
        book_close(k->book, work_gone_now, k);
    } else {
        work_gone_now(k);
    }
}

void work_turn_back(struct work *k) {
    work_gone(k);
}

/* It never started, and is to be left as @state. */
static void work_refuse(struct work *k, enum job_state state, enum err e,
                        const struct errinfo *detail) {
    work_note_fatal(k, e, detail);
    work_leave(k, state, str_of(k->view.fatal_detail));
}

/* True if there is no sense in going on to start it. */
static bool work_is_unwanted(struct work *k, const struct store_op *op) {
    if (k->lost || op->err == ERR_STALE || op->err == ERR_NOT_FOUND) {
        work_gone(k);
        return true;
    }
    if (op->err != ERR_OK) {
        work_refuse(k, JOB_QUEUED, op->err, &op->detail);
        return true;
    }
    bool cancelled = k->view.sched.stop == STOP_CANCELLED; /* its batches are still to be */
    if (k->cut_off || (k->view.sched.stop != STOP_NOT_YET && !cancelled)) {
        work_leave(k, JOB_QUEUED, str_of(""));
        return true;
    }
    return false;
}

/* --- coming */

/* The stored spec; an error can only come of a store that another version wrote. */
static enum err work_parse(struct work *k, const struct job_row *job, struct errinfo *reterr) {
    struct job_spec *spec = ARENA_NEW(&k->arena, struct job_spec);
    struct taxonomy taxonomy = {0};
    const struct jnode *doc;
    struct jcheck c;
    jcheck_init(&c, &k->coming);
    if (job->taxonomy.n > 0) {
        enum err e = jnode_parse(job->taxonomy, &k->coming, &doc, reterr);
        if (e != ERR_OK) {
            return errinfo_wrap(reterr, ERR_CORRUPT, "its taxonomy");
        }
        (void)taxonomy_read(&c, jcheck_root(doc), &k->arena, &taxonomy);
    }
    enum err e = jnode_parse(job->spec, &k->coming, &doc, reterr);
    if (e != ERR_OK) {
        return errinfo_wrap(reterr, ERR_CORRUPT, "its specification");
    }
    if (!job_spec_read(&c, doc, &taxonomy, &k->arena, spec)) {
        return errinfo_set(reterr, ERR_CORRUPT, "its specification: %s",
                           jcheck_text(&c, &k->coming).p);
    }
    worker_know_spec(k, spec);
    return ERR_OK;
}

static enum err work_resolve(struct work *k, struct errinfo *reterr) {
    for (int role = 0; role < ROLE_COUNT; role++) {
        enum err e = llm_chain_resolve(k->worker->options.llm, &k->spec->models[role],
                                       &k->models[role], reterr);
        if (e != ERR_OK) {
            return errinfo_wrap(reterr, e, "%s model", role_name((enum role)role));
        }
    }
    return ERR_OK;
}

/* What is in batches still is known to the client. */
static void work_book_was_read(void *ctx, enum err err, const struct errinfo *why, size_t n) {
    struct work *k = ctx;
    const struct store_op op = {.err = k->lost ? ERR_STALE : ERR_OK};
    (void)n;
    if (work_is_unwanted(k, &op)) {
        return;
    }
    if (err != ERR_OK) {
        struct errinfo detail = *why;
        (void)errinfo_wrap(&detail, err, "its batches");
        work_refuse(k, JOB_FAILED, err, &detail);
    } else {
        work_start(k, k->op.hashes.ret, k->op.hashes.ret_n);
    }
}

static void work_open_book(struct work *k) {
    if (!k->spec->batches) {
        work_start(k, k->op.hashes.ret, k->op.hashes.ret_n);
        return;
    }
    k->book = book_open(k->loop, k->store, k->job_id);
    book_read(k->book, k->worker->options.llm, work_book_was_read, k);
}

static void work_recalled(struct store_op *op) {
    struct work *k = CONTAINER_OF(op, struct work, op.hashes.op);
    if (!work_is_unwanted(k, op)) {
        work_open_book(k);
    }
}

static void work_recall(struct work *k) {
    if (k->row.attempts == 0) {
        k->op.hashes = (struct store_hashes){0};
        work_open_book(k);
        return;
    }
    k->state = WORK_RECALLING;
    k->op.hashes = (struct store_hashes){
        .op = {.loop = k->loop, .done = work_recalled}, .job_id = k->job_id, .a = &k->coming};
    store_hashes(k->store, &k->op.hashes);
}

static void work_prepare(struct work *k) {
    struct errinfo detail;
    enum err e = k->spec == NULL ? work_parse(k, &k->row, &detail) : ERR_OK;
    if (e == ERR_OK) {
        e = work_resolve(k, &detail);
    }
    worker_tell_tenant(k);
    if (e != ERR_OK) {
        work_refuse(k, JOB_FAILED, e, &detail);
    } else {
        work_recall(k);
    }
}

static void work_taken(struct store_op *op) {
    struct work *k = CONTAINER_OF(op, struct work, op.take.op);
    worker_settle(k);
    if (op->err != ERR_OK) { /* somebody else was quicker, say: nothing has to be given back */
        work_note_fatal(k, op->err, &op->detail);
        work_gone(k);
    } else if (!work_is_unwanted(k, op)) {
        k->is_guest = k->op.take.ret_lends;
        k->row = k->op.take.ret;
        k->age_ms = k->op.take.ret_age_ms;
        k->first = k->op.take.ret_lease;
        if (k->op.take.ret_purse) {
            k->purse = purse_get(&k->worker->purses, k->row.tenant, k->worker->number);
        }
        if (k->first.token == 0) {
            work_waive(k);
        }
        work_prepare(k);
    }
}

void work_take(struct work *k) {
    k->state = WORK_TAKING;
    k->op.take = (struct store_take){.op = {.loop = k->loop, .done = work_taken},
                                     .job_id = k->job_id,
                                     .worker = k->worker->number,
                                     .begin = worker_keep_slot(k->worker, k),
                                     .a = &k->coming};
    store_take(k->store, &k->op.take);
}

/* --- going */

static void work_leave_again(void *ctx);

static void work_left(struct store_op *op) {
    struct work *k = CONTAINER_OF(op, struct work, op.leave.op);
    if (op->err == ERR_OK || op->err == ERR_STALE || op->err == ERR_NOT_FOUND || k->lost) {
        work_gone(k);
    } else if (k->done != NULL) {
        work_note_fatal(k, op->err, &op->detail);
        work_gone(k);
    } else if (k->cut_off && k->worker->draining) {
        log_warn("job %s: %s; it goes on when the store can be written again", k->job_id,
                 errinfo_text(&op->detail, op->err));
        work_gone(k);
    } else {
        log_warn("job %s: %s; trying again", k->job_id, errinfo_text(&op->detail, op->err));
        loop_timer_start(k->loop, &k->again, WORK_AGAIN_MS, work_leave_again, k);
    }
}

static void work_leave_again(void *ctx) {
    struct work *k = ctx;
    k->op.leave.op = (struct store_op){.loop = k->loop, .done = work_left};
    store_leave(k->store, &k->op.leave);
}

static void work_vanish(void *ctx) {
    work_gone(ctx);
}

/* A guest that cannot help: it stays where it is for a while, or it would be asked again at once.
 */
static bool work_has_failed(const struct work *k) {
    if (k->view.fatal != ERR_OK) {
        log_warn("job %s: cannot help with it: %s", k->job_id, k->view.fatal_detail);
    }
    return k->view.fatal != ERR_OK || k->view.sched.stop == STOP_ERRORS;
}

void work_leave(struct work *k, enum job_state state, struct str reason) {
    k->state = WORK_LEAVING;
    k->share.wants = 0;
    loop_timer_stop(&k->deadline);
    loop_timer_stop(&k->grace);
    loop_timer_stop(&k->look);
    if (k->lost || k->is_guest) { /* it is not ours to leave; on a later tick, for the caller still
                                     holds it */
        bool failed = k->is_guest && !k->lost && work_has_failed(k);
        loop_timer_start(k->loop, &k->again, failed ? WORK_SHY_MS : 0, work_vanish, k);
        return;
    }
    k->op.leave = (struct store_leave){
        .job_id = k->job_id,
        .worker = k->worker->number,
        .state = k->view.fatal != ERR_OK && state != JOB_FAILED ? JOB_QUEUED : state,
        .reason = reason};
    work_leave_again(k);
}

static void work_paused(struct store_op *op) {
    struct work *k = CONTAINER_OF(op, struct work, op.pause.op);
    if (op->err != ERR_OK) {
        log_warn("job %s: cannot pause it: %s", k->job_id, errinfo_text(&op->detail, op->err));
    }
    struct str reason = k->op.pause.reason;
    work_leave(k, JOB_QUEUED, reason); /* the store knows that it is paused */
}

void work_pause(struct work *k, struct str reason) {
    k->state = WORK_LEAVING;
    k->op.pause = (struct store_ask){.op = {.loop = k->loop, .done = work_paused},
                                     .job_id = k->job_id,
                                     .tenant = STORE_TENANT_ANY,
                                     .wish = STORE_PAUSE,
                                     .reason = reason};
    store_ask(k->store, &k->op.pause);
}

struct work *work_new(struct worker *w, const char *job_id, const struct job_spec *spec) {
    struct work *k = mem_new(sizeof *k);
    k->worker = w;
    k->loop = w->options.loop;
    k->store = w->options.store;
    k->spec = spec;
    (void)snprintf(k->job_id, sizeof k->job_id, "%s", job_id);
    arena_init(&k->arena, WORK_ARENA_BYTES_MAX);
    arena_init(&k->coming, WORK_ARENA_BYTES_MAX);
    hashset_init(&k->hashes);
    LIST_INIT(&k->slots);
    k->share.tenant = &w->unknown;
    store_attend(k->store); /* it may be cancelled elsewhere */
    return k;
}

void work_free(struct work *k) {
    ASSERT(k->busy == 0 && LIST_EMPTY(&k->slots) && k->leases == NULL);
    store_unattend(k->store);
    loop_timer_stop(&k->again);
    purse_put(k->purse);
    if (k->book != NULL) {
        book_free(k->book);
    }
    hashset_release(&k->hashes);
    arena_release(&k->arena);
    arena_release(&k->coming);
    free(k);
}
