/* Each hand (a worker and its thread) gets its orders as messages to its loop, and reports its end
 * as a message to the crew's. */
#include "worker/crew.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/store_job.h"
#include "worker/reconciler.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define CREW_REAP_MS 1000 /* to begin with */
#define CREW_SWEEP_MS 60000
#define CREW_SWEEP_FIRST_MS 1000

struct crew_hand {
    struct crew *crew;
    pthread_t thread;
    struct loop *loop; /* its own; made before the thread */
    struct llm *llm;
    struct worker *worker;
    struct loop_msg order; /* to it; one at a time */
    bool ordered, gone;    /* under the crew's lock: the order is under way / its loop has ended */
    struct loop_msg ended; /* from it */
};

struct crew {
    struct crew_options options;
    struct reconciler *reconciler;
    pthread_mutex_t lock;
    int64_t grace_ms; /* under the lock */
    struct crew_hand *hands;
    int64_t hands_n, working;
    struct loop_timer reap_timer, sweep_timer;
    struct store_reap reap;
    struct store_sweep sweep;
    int64_t chores; /* that have still to come home */
    bool draining;
    void (*drained)(void *ctx);
    void *ctx;
};

static void crew_end_if_done(struct crew *c) {
    if (c->draining && c->working == 0 && c->chores == 0) {
        c->draining = false; /* once */
        loop_unhold(c->options.loop);
        c->drained(c->ctx);
    }
}

/* --- chores */

static void crew_reap(void *ctx);
static void crew_sweep(void *ctx);

static void crew_reaped(struct store_op *op) {
    struct crew *c = CONTAINER_OF(op, struct crew, reap.op);
    c->chores--;
    if (c->draining) {
        crew_end_if_done(c);
        return;
    }
    if (op->err != ERR_OK) {
        log_warn("cannot look for dead workers: %s", errinfo_text(&op->detail, op->err));
    }
    int64_t again_ms = op->err == ERR_OK ? c->reap.ret_again_ms : CREW_REAP_MS;
    reconciler_pace(c->reconciler, again_ms); /* a fleet looks as often as one process does */
    loop_timer_start(c->options.loop, &c->reap_timer, again_ms, crew_reap, c);
}

static void crew_reap(void *ctx) {
    struct crew *c = ctx;
    c->chores++;
    c->reap = (struct store_reap){.op = {.loop = c->options.loop, .done = crew_reaped},
                                  .silent_ms = STORE_SILENT_MS};
    store_reap(c->options.store, &c->reap);
}

static void crew_swept(struct store_op *op) {
    struct crew *c = CONTAINER_OF(op, struct crew, sweep.op);
    c->chores--;
    if (c->draining) {
        crew_end_if_done(c);
        return;
    }
    if (op->err != ERR_OK) {
        log_warn("cannot delete old jobs: %s", errinfo_text(&op->detail, op->err));
    }
    bool more = op->err == ERR_OK && c->sweep.ret_n == STORE_SWEEP_MAX;
    loop_timer_start(c->options.loop, &c->sweep_timer, more ? 0 : CREW_SWEEP_MS, crew_sweep, c);
}

static void crew_sweep(void *ctx) {
    struct crew *c = ctx;
    c->chores++;
    c->sweep = (struct store_sweep){.op = {.loop = c->options.loop, .done = crew_swept},
                                    .retain_ms = c->options.retain_ms};
    store_sweep(c->options.store, &c->sweep);
}

static void crew_reconciled(void *ctx) {
    struct crew *c = ctx;
    c->chores--;
    crew_end_if_done(c);
}

/* --- hands */

static void hand_drained(void *ctx) {
    struct crew_hand *h = ctx;
    loop_stop(h->loop);
}

static void hand_drain(struct loop_msg *msg) {
    struct crew_hand *h = CONTAINER_OF(msg, struct crew_hand, order);
    (void)pthread_mutex_lock(&h->crew->lock);
    int64_t grace_ms = h->crew->grace_ms;
    h->ordered = false;
    (void)pthread_mutex_unlock(&h->crew->lock);
    worker_drain(h->worker, grace_ms, hand_drained, h);
}

static void hand_asked_to_go(void *ctx) {
    struct crew_hand *h = ctx;
    worker_drain(h->worker, h->crew->options.drain_ms, hand_drained, h);
}

static void hand_ended(struct loop_msg *msg) {
    struct crew_hand *h = CONTAINER_OF(msg, struct crew_hand, ended);
    struct crew *c = h->crew;
    (void)pthread_join(h->thread, NULL);
    c->working--;
    if (c->working == 0 && !c->draining && c->options.deserted != NULL) {
        c->options.deserted(c->options.ctx);
    }
    crew_end_if_done(c);
}

static void *hand_main(void *arg) {
    struct crew_hand *h = arg;
    const struct crew_options *o = &h->crew->options;
    h->llm = llm_new(h->loop, o->llm);
    h->worker = worker_start(&(struct worker_options){.loop = h->loop,
                                                      .store = o->store,
                                                      .llm = h->llm,
                                                      .prompts = o->prompts,
                                                      .judge = o->judge,
                                                      .slots = o->slots,
                                                      .batch_slots = o->batch_slots,
                                                      .broker = o->broker,
                                                      .lends = o->shared || o->workers > 1,
                                                      .metrics = o->metrics,
                                                      .asked_to_go = hand_asked_to_go,
                                                      .ctx = h});
    loop_run(h->loop);
    (void)pthread_mutex_lock(&h->crew->lock);
    bool ordered = h->ordered;
    h->gone = true;
    (void)pthread_mutex_unlock(&h->crew->lock);
    if (ordered) {
        loop_run(h->loop); /* take in the message that came too late */
    }
    worker_free(h->worker);
    llm_free(h->llm);
    h->ended.fn = hand_ended;
    loop_post(o->loop, &h->ended);
    return NULL;
}

static enum err crew_hire(struct crew *c, struct crew_hand *h, struct errinfo *reterr) {
    sigset_t all, before;
    h->crew = c;
    h->loop = loop_new();
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the main thread */
    int failed = pthread_create(&h->thread, NULL, hand_main, h);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        loop_free(h->loop);
        return errinfo_set(reterr, ERR_UNAVAILABLE, "cannot start a thread for a worker: %s",
                           strerror(failed));
    }
    c->hands_n++;
    c->working++;
    return ERR_OK;
}

enum err crew_start(const struct crew_options *options, struct crew **ret, struct errinfo *reterr) {
    struct crew *c = mem_new(sizeof *c);
    enum err e = ERR_OK;
    ASSERT(options->workers >= 0 && options->workers <= CREW_WORKERS_MAX);
    c->options = *options;
    (void)pthread_mutex_init(&c->lock, NULL);
    c->hands = mem_new_array((size_t)options->workers, sizeof *c->hands);
    for (int64_t i = 0; i < options->workers && e == ERR_OK; i++) {
        e = crew_hire(c, &c->hands[i], reterr);
    }
    if (e != ERR_OK && c->hands_n == 0) {
        free(c->hands);
        free(c);
        return e;
    }
    if (e != ERR_OK) {
        log_warn("%s; %d of %d are at work", errinfo_text(reterr, e), (int)c->hands_n,
                 (int)options->workers);
    }
    c->reconciler = reconciler_start(options->loop, options->store, options->broker);
    loop_timer_start(options->loop, &c->reap_timer, CREW_REAP_MS, crew_reap, c);
    if (options->retain_ms > 0) {
        loop_timer_start(options->loop, &c->sweep_timer, CREW_SWEEP_FIRST_MS, crew_sweep, c);
    }
    *ret = c;
    return ERR_OK;
}

void crew_drain(struct crew *c, int64_t grace_ms, void (*done)(void *ctx), void *ctx) {
    if (!c->draining) {
        c->draining = true;
        loop_hold(c->options.loop);
        c->chores++;
        reconciler_stop(c->reconciler, crew_reconciled, c);
        loop_timer_stop(&c->reap_timer);
        loop_timer_stop(&c->sweep_timer);
    }
    c->drained = done;
    c->ctx = ctx;
    (void)pthread_mutex_lock(&c->lock);
    c->grace_ms = grace_ms;
    for (int64_t i = 0; i < c->hands_n; i++) {
        struct crew_hand *h = &c->hands[i];
        if (!h->ordered && !h->gone) { /* one under way reads the new grace */
            h->ordered = true;
            h->order.fn = hand_drain;
            loop_post(h->loop, &h->order);
        }
    }
    (void)pthread_mutex_unlock(&c->lock);
}

void crew_free(struct crew *c) {
    ASSERT(c->working == 0 && c->chores == 0);
    for (int64_t i = 0; i < c->hands_n; i++) {
        loop_free(c->hands[i].loop);
    }
    (void)pthread_mutex_destroy(&c->lock);
    free(c->hands);
    free(c);
}
