/* A worker's slots, the jobs that share them, and its standing in the store.
 *
 * Invariants (1) in each pool free_n + the sum of the jobs' busy = its slots; (2) a job is in
 * jobs[] from work_new() to work_free(), whatever its state; (3) one operation of the worker's own
 * is under way at most: join, then beats, then quit.
 */
#include "worker/work.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/part.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORKER_BEAT_MS 5000
#define WORKER_JOIN_AGAIN_MS 1000
/* Of one tenant, so that a thousand jobs of one leave room for the first of another. */
#define WORKER_JOBS_OF_TENANT_MAX (WORKER_JOBS_MAX / 4)

static void worker_join(void *ctx);
static void worker_beat_within(struct worker *w, int64_t ms);
static void worker_want(struct worker *w);

/* --- slots */

static void worker_grant(struct work *k) {
    k->busy++;
    k->share.in_flight++;
    k->share.tenant->in_flight++;
    k->worker->free_n[work_pool(k)]--;
}

static void worker_share_pool(struct worker *w, enum work_pool pool) {
    struct share_job *wanting[WORKER_JOBS_MAX], *j;
    size_t n = 0;
    for (size_t i = 0; i < w->jobs_n; i++) {
        if (w->jobs[i]->share.wants > 0 && work_pool(w->jobs[i]) == pool) {
            wanting[n++] = &w->jobs[i]->share;
        }
    }
    while (w->free_n[pool] > 0 && (j = share_next(wanting, n)) != NULL) {
        struct work *k = CONTAINER_OF(j, struct work, share);
        j->wants--;
        k->granted++;
        worker_grant(k);
    }
}

void worker_share(struct worker *w) {
    for (int pool = 0; pool < WORK_POOLS; pool++) {
        worker_share_pool(w, (enum work_pool)pool);
    }
    for (size_t i = 0; i < w->jobs_n; i++) {
        if (w->jobs[i]->granted > 0 && w->jobs[i]->leases == NULL) {
            work_claim(w->jobs[i]);
        }
    }
}

bool worker_keep_slot(struct worker *w, struct work *k) {
    k->kept = w->free_n[work_pool(k)] > 0;
    if (k->kept) {
        worker_grant(k);
    }
    return k->kept;
}

void worker_know_spec(struct work *k, const struct job_spec *spec) {
    int64_t *free_n = k->worker->free_n;
    free_n[work_pool(k)] += k->kept;
    k->spec = spec;
    free_n[work_pool(k)] -= k->kept;
}

void worker_give_back(struct work *k, int64_t n) {
    k->busy -= n;
    k->share.in_flight -= n;
    k->share.tenant->in_flight -= n;
    k->worker->free_n[work_pool(k)] += n;
}

struct slot *worker_take_slot(struct worker *w, struct work *k) {
    struct slot *s = w->free;
    if (s != NULL) {
        w->free = s->next_free;
    } else {
        ASSERT(w->slots_used < w->options.slots + w->options.batch_slots);
        s = &w->slots[w->slots_used++];
    }
    s->work = k;
    LIST_INSERT_HEAD(&k->slots, s, link);
    return s;
}

void worker_give_slot(struct worker *w, struct slot *s) {
    struct work *k = s->work;
    LIST_REMOVE(s, link);
    s->work = NULL;
    s->next_free = w->free;
    w->free = s;
    worker_give_back(k, 1);
    work_pump(k);
    worker_share(w);
}

/* --- jobs */

static struct work *worker_find(const struct worker *w, const char *job_id) {
    for (size_t i = 0; i < w->jobs_n; i++) {
        if (strcmp(w->jobs[i]->job_id, job_id) == 0) {
            return w->jobs[i];
        }
    }
    return NULL;
}

static struct worker_tenant *worker_find_tenant(const struct worker *w, int64_t number) {
    struct worker_tenant *t;
    LIST_FOREACH(t, &w->tenants, link) {
        if (t->number == number) {
            return t;
        }
    }
    return NULL;
}

void worker_tell_tenant(struct work *k) {
    struct worker *w = k->worker;
    struct worker_tenant *t = worker_find_tenant(w, k->row.tenant);
    ASSERT(k->share.tenant == &w->unknown);
    if (t == NULL) {
        t = mem_new(sizeof *t);
        t->number = k->row.tenant;
        LIST_INSERT_HEAD(&w->tenants, t, link);
    }
    t->jobs++;
    w->unknown.in_flight -= k->share.in_flight;
    k->share.tenant = &t->share[work_pool(k)];
    k->share.tenant->in_flight += k->share.in_flight;
    k->share.priority = k->row.priority;
}

static void worker_forget_tenant(struct worker *w, const struct work *k) {
    if (k->share.tenant == &w->unknown) {
        return;
    }
    struct worker_tenant *t = worker_find_tenant(w, k->row.tenant);
    ASSERT(t != NULL);
    if (--t->jobs == 0) {
        LIST_REMOVE(t, link);
        free(t);
    }
}

static struct work *worker_add(struct worker *w, const char *job_id, const struct job_spec *spec) {
    ASSERT(w->jobs_n < WORKER_JOBS_MAX);
    struct work *k = work_new(w, job_id, spec);
    w->jobs[w->jobs_n++] = k;
    if (w->jobs_n == 1) {
        worker_beat_within(w, part_claim_every_ms(w->sharers));
    }
    return k;
}

static void worker_quit_if_empty(struct worker *w);

void worker_forget(struct worker *w, struct work *k) {
    size_t i = 0;
    while (w->jobs[i] != k) {
        i++;
    }
    w->jobs_n--;
    memmove(&w->jobs[i], &w->jobs[i + 1], (w->jobs_n - i) * sizeof(struct work *));
    worker_forget_tenant(w, k);
    worker_settle(k);
    work_free(k);
    worker_want(w);
    worker_quit_if_empty(w);
}

/* --- the broker's tokens */

/* Jobs come home before there are slots for them: who gets those is decided here, fairly, and not
 * by who came first. */
static void worker_want(struct worker *w) {
    if (w->consumer != NULL) {
        broker_want(w->consumer, w->draining ? 0 : (int64_t)(WORKER_JOBS_MAX - w->jobs_n));
    }
}

void worker_settle(const struct work *k) {
    if (k->worker->consumer != NULL) {
        broker_ack(k->worker->consumer, k->job_id);
    }
}

static void worker_on_token(void *ctx, const struct broker_token *token) {
    struct worker *w = ctx;
    const struct worker_tenant *t = worker_find_tenant(w, token->tenant);
    bool has_room = w->jobs_n < WORKER_JOBS_MAX &&
                    (t == NULL || t->jobs < MAX(WORKER_JOBS_OF_TENANT_MAX, w->options.slots));
    struct work *known = worker_find(w, token->job_id);
    if (known != NULL && work_is_idle_guest(known)) {
        work_interrupt(known); /* it comes again, perhaps to have its home here */
    }
    if (!w->draining && has_room && known == NULL) {
        struct work *k = worker_add(w, token->job_id, NULL);
        if (w->number != 0) {
            work_take(k);
        }
    } else {
        broker_ack(w->consumer, token->job_id);
    }
    worker_want(w);
}

void worker_run(struct worker *w, const struct worker_run *run) {
    ASSERT(worker_find(w, run->job_id) == NULL);
    struct work *k = worker_add(w, run->job_id, run->spec);
    k->done = run->done;
    k->ctx = run->ctx;
    if (w->number != 0) {
        work_take(k);
    }
}

/* --- what the store tells */

static void worker_on_news(void *ctx, const struct store_news *news) {
    struct worker *w = ctx;
    for (size_t i = 0; i < news->jobs_n; i++) {
        const struct store_change *c = &news->jobs[i];
        if (!(c->what & (STORE_CHANGED_STATE | STORE_CHANGED_DELETED))) {
            continue;
        }
        struct work *k = worker_find(w, c->job_id);
        if (k == NULL) {
            continue;
        }
        if (c->what & STORE_CHANGED_DELETED) {
            work_lose(k);
        } else if (c->state == JOB_CANCELLING) {
            work_cancel(k);
        } else if (c->state == JOB_PAUSED) {
            work_interrupt(k);
        } else if (k->is_guest && job_state_is_final(c->state)) {
            work_finish(k);
        }
    }
}

/* Somebody else has its jobs by now. */
static void worker_was_reaped(struct worker *w) {
    log_warn("worker %" PRId64 " was silent for too long and has lost its jobs", w->number);
    w->number = 0;
    for (size_t i = w->jobs_n; i-- > 0;) {
        work_lose(w->jobs[i]);
    }
    worker_join(w);
}

/* The store has filled a purse, or one is gone. */
static void worker_purse_told(void *ctx, const struct purse *p) {
    struct worker *w = ctx;
    for (size_t i = w->jobs_n; p != NULL && i-- > 0;) {
        if (w->jobs[i]->purse == p) {
            work_pump(w->jobs[i]);
        }
    }
    worker_quit_if_empty(w);
}

static void worker_beat(void *ctx);

/* Parts were granted; until when they may be used is reckoned from when they were asked for. True
 * if one is much smaller than before: others wait until the store has heard that less is used. */
static bool worker_take_parts(struct worker *w, size_t n) {
    bool shrank = false;
    w->sharers = n > 0 ? 0 : w->sharers;
    for (size_t i = 0; i < n; i++) {
        w->sharers = MAX(w->sharers, w->claims[i].ret_others);
        shrank = shrank || w->claims[i].ret_part < w->claims[i].held / 10 * 9;
        w->parts[i].held = (double)w->claims[i].ret_part / (double)STORE_PART_WHOLE;
    }
    llm_grant(w->options.llm, w->parts, n, w->beat_ms + PART_LEASE_MS);
    return shrank;
}

static size_t worker_claim_parts(struct worker *w) {
    size_t n = llm_parts(w->options.llm, w->parts, ARRAY_LEN(w->parts));
    for (size_t i = 0; i < n; i++) {
        const struct llm_part *p = &w->parts[i];
        int64_t held = (int64_t)ceil(p->held * (double)STORE_PART_WHOLE);
        w->claims[i] = (struct store_part){.name = p->name,
                                           .demand = p->demand,
                                           .held = MIN(held, STORE_PART_WHOLE),
                                           .units = p->units};
    }
    return n;
}

/* The next beat comes @ms after the last. */
static void worker_beat_within(struct worker *w, int64_t ms) {
    int64_t past_ms = loop_now_ms(w->options.loop) - w->beat_ms;
    if (w->number != 0 && !w->op_under_way && !w->quitting) {
        loop_timer_start(w->options.loop, &w->beat, MAX(ms - past_ms, 0), worker_beat, w);
    }
}

/* Somebody waits for a limit of which there is no part yet. */
static void worker_partless(void *ctx) {
    struct worker *w = ctx;
    worker_beat_within(w, part_claim_soon_ms(w->sharers));
}

static void worker_beaten(struct store_op *op) {
    struct worker *w = CONTAINER_OF(op, struct worker, op.beat.op);
    size_t parts_n = w->op.beat.parts_n;
    w->op_under_way = false;
    bool shrank = op->err == ERR_OK && worker_take_parts(w, parts_n);
    if (op->err == ERR_OK && w->op.beat.ret_drain && !w->draining &&
        w->options.asked_to_go != NULL) {
        log_info("worker %" PRId64 " was asked to go", w->number);
        w->options.asked_to_go(w->options.ctx);
    }
    if (w->quitting || (w->draining && w->jobs_n == 0)) {
        worker_quit_if_empty(w);
    } else if (op->err == ERR_STALE) {
        worker_was_reaped(w);
    } else {
        int64_t wait_ms = shrank                         ? part_claim_soon_ms(w->sharers)
                          : parts_n > 0 && w->jobs_n > 0 ? part_claim_every_ms(w->sharers)
                                                         : WORKER_BEAT_MS;
        loop_timer_start(w->options.loop, &w->beat, wait_ms, worker_beat, w);
    }
}

static void worker_beat(void *ctx) {
    struct worker *w = ctx;
    w->op_under_way = true;
    w->beat_ms = loop_now_ms(w->options.loop);
    w->op.beat = (struct store_beat){.op = {.loop = w->options.loop, .done = worker_beaten},
                                     .worker = w->number,
                                     .parts = w->claims,
                                     .parts_n = worker_claim_parts(w)};
    store_beat(w->options.store, &w->op.beat);
}

static void worker_joined(struct store_op *op) {
    struct worker *w = CONTAINER_OF(op, struct worker, op.join.op);
    w->op_under_way = false;
    if (op->err != ERR_OK) {
        log_warn("cannot join the store: %s; trying again", errinfo_text(&op->detail, op->err));
        loop_timer_start(w->options.loop, &w->beat, WORKER_JOIN_AGAIN_MS, worker_join, w);
        worker_quit_if_empty(w);
        return;
    }
    w->number = w->op.join.ret_worker;
    loop_timer_start(w->options.loop, &w->beat, WORKER_BEAT_MS, worker_beat, w);
    for (size_t i = w->jobs_n; i-- > 0;) {
        if (w->jobs[i]->state == WORK_WAITING) {
            work_take(w->jobs[i]);
        }
    }
    worker_quit_if_empty(w);
}

static void worker_join(void *ctx) {
    struct worker *w = ctx;
    w->op_under_way = true;
    w->op.join = (struct store_join){.op = {.loop = w->options.loop, .done = worker_joined},
                                     .name = str_of(w->name),
                                     .version = S(STUMPER_VERSION),
                                     .slots = w->options.slots};
    store_join(w->options.store, &w->op.join);
}

struct worker *worker_start(const struct worker_options *options) {
    struct worker *w = mem_new(sizeof *w);
    char host[WORKER_NAME_BYTES / 2] = "";
    w->options = *options;
    (void)gethostname(host, sizeof host - 1);
    (void)snprintf(w->name, sizeof w->name, "%s/%ld", host, (long)getpid());
    w->slots = mem_new_array((size_t)(options->slots + options->batch_slots), sizeof *w->slots);
    w->free_n[WORK_DIRECT] = options->slots;
    w->free_n[WORK_BATCHES] = options->batch_slots;
    LIST_INIT(&w->tenants);
    w->purses = (struct purses){
        .loop = options->loop, .store = options->store, .told = worker_purse_told, .ctx = w};
    w->watch = store_watch(options->store, options->loop, worker_on_news, w);
    if (options->broker != NULL) {
        w->consumer = broker_join(options->broker, options->loop, worker_on_token, w);
    }
    llm_on_partless(options->llm, worker_partless, w);
    worker_join(w);
    worker_want(w);
    return w;
}

const struct work_view *worker_view(const struct worker *w, const char *job_id) {
    const struct work *k = worker_find(w, job_id);
    return k == NULL ? NULL : &k->view;
}

/* --- the end */

static void worker_quitted(struct store_op *op) {
    struct worker *w = CONTAINER_OF(op, struct worker, op.quit.op);
    if (op->err != ERR_OK && w->number != 0) {
        log_warn("cannot quit the store: %s", errinfo_text(&op->detail, op->err));
    }
    w->drained(w->drained_ctx);
}

static void worker_quit_if_empty(struct worker *w) {
    if (!w->draining || w->quitting || w->jobs_n > 0 || w->op_under_way ||
        !purses_are_gone(&w->purses)) {
        return;
    }
    w->quitting = true;
    llm_on_partless(w->options.llm, NULL, NULL);
    loop_timer_stop(&w->beat);
    loop_timer_stop(&w->grace);
    store_unwatch(w->watch);
    w->op.quit = (struct store_quit){.op = {.loop = w->options.loop, .done = worker_quitted},
                                     .worker = w->number};
    store_quit(w->options.store, &w->op.quit);
}

static void worker_grace_over(void *ctx) {
    struct worker *w = ctx;
    for (size_t i = w->jobs_n; i-- > 0;) {
        work_cut_off(w->jobs[i]);
    }
}

void worker_drain(struct worker *w, int64_t grace_ms, void (*done)(void *ctx), void *ctx) {
    w->drained = done;
    w->drained_ctx = ctx;
    if (w->quitting) {
        return;
    }
    loop_timer_start(w->options.loop, &w->grace, grace_ms, worker_grace_over, w);
    if (!w->draining) {
        w->draining = true;
        if (w->consumer != NULL) {
            broker_leave(w->consumer);
            w->consumer = NULL;
        }
        for (size_t i = w->jobs_n; i-- > 0;) {
            work_interrupt(w->jobs[i]);
        }
    }
    worker_quit_if_empty(w);
}

void worker_free(struct worker *w) {
    ASSERT(w->quitting && w->jobs_n == 0 && LIST_EMPTY(&w->tenants));
    free(w->slots);
    free(w);
}
