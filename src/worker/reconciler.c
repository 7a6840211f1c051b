#include "worker/reconciler.h"

#include "base/log.h"
#include "base/mem.h"
#include "store/store_work.h"

#include <stdio.h>
#include <stdlib.h>

#define RECONCILER_EVERY_MS 1000 /* unless it is told otherwise */
#define RECONCILER_REST_MS 20    /* before a look that news ask for */
#define RECONCILER_OF_TENANT_MAX 250
#define RECONCILER_AT_ONCE_MAX 8 /* jobs in news that are handed on without a look */

struct reconciler {
    struct loop *loop;
    struct store *store;
    struct broker *broker;
    struct store_watch *watch;
    struct loop_timer timer;
    int64_t every_ms;
    struct store_runnable op;
    struct runnable_row *rows;
    bool looking;
    bool soon;                  /* the next look is after a short rest only */
    void (*stopped)(void *ctx); /* not NULL: it ends */
    void *ctx;
    struct loop_msg end; /* behind the last news, which may be on their way */
};

static void reconciler_look(void *ctx);

static void reconciler_publish(struct reconciler *r, const char *job_id, int64_t tenant,
                               int64_t priority) {
    struct broker_token token = {.tenant = tenant, .priority = priority};
    (void)snprintf(token.job_id, sizeof token.job_id, "%s", job_id);
    broker_publish(r->broker, &token);
}

static void reconciler_ended(struct loop_msg *msg) {
    struct reconciler *r = CONTAINER_OF(msg, struct reconciler, end);
    void (*stopped)(void *ctx) = r->stopped;
    void *ctx = r->ctx;
    free(r->rows);
    free(r);
    stopped(ctx);
}

static void reconciler_end(struct reconciler *r) {
    r->end.fn = reconciler_ended;
    loop_post(r->loop, &r->end);
}

/* Until the next look, unless one is under way. */
static void reconciler_wait(struct reconciler *r) {
    int64_t wait_ms = r->soon ? RECONCILER_REST_MS : r->every_ms;
    if (!r->looking) {
        loop_timer_start(r->loop, &r->timer, wait_ms, reconciler_look, r);
    }
}

static void reconciler_saw(struct store_op *op) {
    struct reconciler *r = CONTAINER_OF(op, struct reconciler, op.op);
    r->looking = false;
    if (r->stopped != NULL) {
        reconciler_end(r);
        return;
    }
    if (op->err != ERR_OK) {
        log_warn("cannot see which jobs wait: %s", errinfo_text(&op->detail, op->err));
    }
    for (size_t i = 0; op->err == ERR_OK && i < r->op.ret_n; i++) {
        const struct runnable_row *row = &r->rows[i];
        reconciler_publish(r, row->job_id, row->tenant, row->priority);
    }
    reconciler_wait(r);
}

static void reconciler_look(void *ctx) {
    struct reconciler *r = ctx;
    r->looking = true;
    r->soon = false;
    r->op = (struct store_runnable){.op = {.loop = r->loop, .done = reconciler_saw},
                                    .each_max = RECONCILER_OF_TENANT_MAX,
                                    .ret = r->rows};
    store_runnable(r->store, &r->op);
}

static bool reconciler_waits(const struct store_change *job) {
    return (job->state == JOB_QUEUED &&
            (job->what & (STORE_CHANGED_STATE | STORE_CHANGED_HOME)) != 0) ||
           (job->what & STORE_CHANGED_LENT) != 0;
}

/* The first news are handed on as they are, so that a lone job begins at once; those until the next
 * look, and a flood, are left to that look, which is bounded and fair. */
static void reconciler_on_news(void *ctx, const struct store_news *news) {
    struct reconciler *r = ctx;
    bool at_once = !r->soon && news->jobs_n <= RECONCILER_AT_ONCE_MAX;
    bool waits = news->lost;
    for (size_t i = 0; i < news->jobs_n; i++) {
        const struct store_change *job = &news->jobs[i];
        if (!reconciler_waits(job)) {
            continue;
        }
        if (at_once) {
            reconciler_publish(r, job->job_id, job->tenant, job->priority);
        }
        waits = true;
    }
    if (waits && !r->soon) {
        r->soon = true;
        reconciler_wait(r);
    }
}

struct reconciler *reconciler_start(struct loop *l, struct store *s, struct broker *b) {
    struct reconciler *r = mem_new(sizeof *r);
    r->loop = l;
    r->store = s;
    r->broker = b;
    r->every_ms = RECONCILER_EVERY_MS;
    r->rows = mem_new_array(STORE_RUNNABLE_MAX, sizeof *r->rows);
    r->watch = store_watch(s, l, reconciler_on_news, r);
    reconciler_look(r);
    return r;
}

void reconciler_pace(struct reconciler *r, int64_t every_ms) {
    r->every_ms = every_ms;
}

void reconciler_stop(struct reconciler *r, void (*stopped)(void *ctx), void *ctx) {
    store_unwatch(r->watch);
    loop_timer_stop(&r->timer);
    r->stopped = stopped;
    r->ctx = ctx;
    if (!r->looking) {
        reconciler_end(r);
    }
}
