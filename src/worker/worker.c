/* The worker of one job. worker_pump() is the only place that decides: it is called whenever
 * something changed, and launches what the scheduler wants, hands free money to those who wait for
 * it, or ends the run.
 *
 * Invariants (1) busy = slots that are not free; the run ends when busy is 0, no claim is under way
 * and the scheduler has stopped; (2) at most one claim is under way, so that no attempt is launched
 * twice; (3) once the scheduler has stopped, no attempt is begun, and calls are begun only where
 * the way it stopped leaves attempts to be finished (worker_may_call).
 */
#include "worker/slot.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* First caps on output tokens, reasoning included: near the 99th percentile of what the roles
 * write, since providers count the cap against their limits and a budget reserves all of it. */
static const int64_t worker_output_tokens_max[ROLE_COUNT] = {
    [ROLE_ENGINEER] = 16000, [ROLE_CHECKER] = 16000, [ROLE_TARGET] = 32000};

#define WORKER_LOOK_MS 500
#define WORKER_GRACE_MS_MAX 60000
#define WORKER_PATIENCE_AFTER 20
#define WORKER_PATIENCE_FACTOR 3 /* times the 95th percentile of a role's latency */
#define WORKER_PATIENCE_MS_MIN 2000
#define WORKER_PATIENCE_MS_MAX 600000

static bool worker_stopped(const struct worker *w) {
    return w->view.sched.stop != STOP_NOT_YET;
}

bool worker_may_call(const struct worker *w) {
    if (w->cut_off) {
        return false;
    }
    switch (w->view.sched.stop) {
    case STOP_NOT_YET:
    case STOP_MAX_ATTEMPTS: /* what was begun is finished */
    case STOP_INTERRUPTED:
        return true;
    case STOP_DONE:
    case STOP_MAX_COST:
    case STOP_DEADLINE:
    case STOP_STALLED:
    case STOP_ERRORS:
    case STOP_COUNT:
        break;
    }
    return false;
}

void worker_slot_done(struct worker *w, struct slot *s) {
    s->next_free = w->free;
    w->free = s;
    w->busy--;
    worker_pump(w);
}

static void worker_cut_off(struct worker *w) {
    if (w->cut_off) {
        return;
    }
    w->cut_off = true;
    for (int64_t i = 0; i < w->options.spec->concurrency; i++) {
        slot_give_up(&w->slots[i]);
    }
}

void worker_fail(struct worker *w, enum err e, const struct errinfo *detail) {
    if (w->view.fatal == ERR_OK) {
        w->view.fatal = e;
        (void)snprintf(w->view.fatal_detail, sizeof w->view.fatal_detail, "%s",
                       errinfo_text(detail, e));
    }
    sched_stop_for(&w->view.sched, STOP_INTERRUPTED);
    worker_cut_off(w);
}

/* Longer than nearly every answer to this role takes; long, while too few came to tell. */
static int64_t worker_patience_ms(const struct worker *w, enum role role) {
    const struct histogram *h = &w->view.latency_ms[role];
    return h->n < WORKER_PATIENCE_AFTER
               ? WORKER_PATIENCE_MS_MAX
               : MAX(WORKER_PATIENCE_FACTOR * histogram_quantile(h, 0.95), WORKER_PATIENCE_MS_MIN);
}

/* Once in a while: which attempts hang? Near N the scheduler replaces them. */
static void worker_look(void *ctx) {
    struct worker *w = ctx;
    int64_t now_ms = loop_now_ms(w->options.loop);
    int64_t late[ATTEMPT_STAGES] = {0};
    for (int64_t i = 0; i < w->options.spec->concurrency; i++) {
        const struct slot *s = &w->slots[i];
        if (s->state == SLOT_CALL &&
            now_ms - s->called_ms > worker_patience_ms(w, s->action.call->role)) {
            late[s->stage]++;
        }
    }
    sched_set_late(&w->view.sched, late);
    loop_timer_start(w->options.loop, &w->look, WORKER_LOOK_MS, worker_look, w);
    worker_pump(w);
}

static void worker_grace_over(void *ctx) {
    struct worker *w = ctx;
    worker_cut_off(w);
    worker_pump(w);
}

/* No call is started any more, and those under way are paid: wait for their answers, but not much
 * longer than answers take. */
static void worker_begin_grace(struct worker *w) {
    int64_t grace_ms = WORKER_PATIENCE_MS_MIN;
    for (int role = 0; role < ROLE_COUNT; role++) {
        grace_ms = MIN(MAX(grace_ms, worker_patience_ms(w, (enum role)role)), WORKER_GRACE_MS_MAX);
    }
    w->in_grace = true;
    loop_timer_start(w->options.loop, &w->grace, grace_ms, worker_grace_over, w);
}

static void worker_claimed(struct store_op *op) {
    struct worker *w = CONTAINER_OF(op, struct worker, claim.op);
    int64_t n = op->err == ERR_OK ? w->claim.ret_n : 0;
    if (op->err != ERR_OK) {
        worker_fail(w, op->err, &op->detail);
    } else if (n == 0) {
        sched_stop_for(&w->view.sched, STOP_MAX_ATTEMPTS); /* the store numbers no more */
    }
    for (int64_t i = 0; i < n; i++) {
        struct slot *s = w->free;
        ASSERT(s != NULL);
        w->free = s->next_free;
        w->busy++;
        slot_begin(s, &w->leases[i]);
    }
    w->claiming = false; /* only now: beginning a slot may pump, and the leases are being read */
    worker_pump(w);
}

static void worker_claim(struct worker *w, int64_t n) {
    w->claiming = true;
    w->claim = (struct store_claim){.op = {.loop = w->options.loop, .done = worker_claimed},
                                    .job_id = w->options.job_id,
                                    .n = MIN(n, STORE_CLAIM_MAX),
                                    .attempts_max = w->options.spec->max_attempts,
                                    .ret = w->leases};
    store_claim(w->options.store, &w->claim);
}

static void worker_give_up_waiting(struct worker *w) {
    for (int64_t i = 0; w->waiting_money > 0 && i < w->options.spec->concurrency; i++) {
        if (w->slots[i].state == SLOT_MONEY) {
            slot_give_up(&w->slots[i]);
        }
    }
}

/* Those nearest to their end first: they have cost most already. */
static void worker_share_money(struct worker *w) {
    for (int stage = ATTEMPT_STAGES - 1; stage >= 0; stage--) {
        for (int64_t i = 0; w->waiting_money > 0 && i < w->options.spec->concurrency; i++) {
            struct slot *s = &w->slots[i];
            if (s->state == SLOT_MONEY && (int)s->stage == stage && !slot_retry_money(s)) {
                break; /* one of the same stage costs about the same */
            }
        }
    }
    if (w->waiting_money > 0 && w->view.calls_in_flight == 0) {
        sched_stop_for(&w->view.sched, STOP_MAX_COST); /* nobody will give any back */
        worker_give_up_waiting(w); /* also where it had stopped before, and lets attempts finish */
    }
}

static enum job_state worker_end_state(const struct worker *w) {
    switch (w->view.sched.stop) {
    case STOP_DONE:
        return JOB_SUCCEEDED;
    case STOP_ERRORS:
        return w->view.sched.outcomes[OUTCOME_ACCEPTED] > 0 ? JOB_PARTIAL : JOB_FAILED;
    case STOP_INTERRUPTED:
        return JOB_QUEUED; /* it goes on where it stopped */
    case STOP_NOT_YET:
    case STOP_MAX_ATTEMPTS:
    case STOP_MAX_COST:
    case STOP_DEADLINE:
    case STOP_STALLED:
    case STOP_COUNT:
        break;
    }
    return JOB_PARTIAL;
}

static void worker_ended(struct store_op *op) {
    struct worker *w = CONTAINER_OF(op, struct worker, end.op);
    if (op->err != ERR_OK) {
        worker_fail(w, op->err, &op->detail);
    }
    w->options.done(w->options.ctx);
}

static void worker_end(struct worker *w) {
    w->ending = true;
    loop_timer_stop(&w->deadline);
    loop_timer_stop(&w->grace);
    loop_timer_stop(&w->look);
    const struct sched *s = &w->view.sched;
    w->end = (struct store_job_set){.op = {.loop = w->options.loop, .done = worker_ended},
                                    .job_id = w->options.job_id,
                                    .state = worker_end_state(w),
                                    .reason = str_of(s->stop == STOP_DONE     ? ""
                                                     : s->stop == STOP_ERRORS ? w->view.error
                                                                              : stop_name(s->stop)),
                                    .now_ms = clock_wall_ms()};
    store_job_set(w->options.store, &w->end);
}

void worker_pump(struct worker *w) {
    if (!w->started || w->ending) {
        return;
    }
    if (w->waiting_money > 0 && worker_may_call(w)) {
        worker_share_money(w);
    }
    if (w->waiting_money > 0 && !worker_may_call(w)) {
        worker_give_up_waiting(w);
    }
    if (worker_stopped(w) && !worker_may_call(w) && !w->in_grace) {
        worker_begin_grace(w);
    }
    int64_t n = w->claiming ? 0 : sched_launch_now(&w->view.sched, loop_now_ms(w->options.loop));
    if (n > 0 && !worker_stopped(w) && w->waiting_money == 0) {
        worker_claim(w, n);
    }
    if (worker_stopped(w) && w->busy == 0 && !w->claiming) {
        worker_end(w);
    }
}

static void worker_deadline(void *ctx) {
    worker_pump(ctx);
}

static void worker_started(struct store_op *op) {
    struct worker *w = CONTAINER_OF(op, struct worker, end.op);
    if (op->err != ERR_OK) {
        worker_fail(w, op->err, &op->detail);
    }
    w->started = true;
    loop_timer_start(w->options.loop, &w->look, WORKER_LOOK_MS, worker_look, w);
    worker_pump(w);
}

struct worker *worker_start(const struct worker_options *options) {
    struct worker *w = mem_new(sizeof *w);
    const struct job_spec *spec = options->spec;
    const struct job_row *job = options->job;
    w->options = *options;
    w->setup = (struct attempt_setup){.spec = spec, .prompts = options->prompts};
    memcpy(w->setup.output_tokens_max, worker_output_tokens_max, sizeof worker_output_tokens_max);
    sched_init(&w->view.sched, spec, loop_now_ms(options->loop), job->outcomes[OUTCOME_ACCEPTED],
               job->attempts - job->leased);
    budget_init(&w->view.budget, spec->max_cost_nusd, job->cost_nusd);
    w->attempts_before = job->attempts;
    hashset_init(&w->hashes);
    for (size_t i = 0; i < options->hashes_n; i++) {
        (void)hashset_add(&w->hashes, options->hashes[i]);
    }
    w->slots = mem_new_array((size_t)spec->concurrency, sizeof *w->slots);
    w->leases = mem_new_array(STORE_CLAIM_MAX, sizeof *w->leases);
    for (int64_t i = spec->concurrency; i-- > 0;) {
        w->slots[i].worker = w;
        w->slots[i].next_free = w->free;
        w->free = &w->slots[i];
    }
    if (spec->deadline_ms > 0) {
        loop_timer_start(options->loop, &w->deadline, spec->deadline_ms, worker_deadline, w);
    }
    w->end = (struct store_job_set){.op = {.loop = options->loop, .done = worker_started},
                                    .job_id = options->job_id,
                                    .state = JOB_RUNNING,
                                    .now_ms = clock_wall_ms()};
    store_job_set(options->store, &w->end);
    return w;
}

void worker_interrupt(struct worker *w) {
    if (w->view.sched.stop == STOP_INTERRUPTED || worker_stopped(w)) {
        worker_cut_off(w);
    } else {
        sched_stop_for(&w->view.sched, STOP_INTERRUPTED);
    }
    worker_pump(w);
}

const struct worker_view *worker_view(const struct worker *w) {
    return &w->view;
}

void worker_free(struct worker *w) {
    ASSERT(w->busy == 0 && w->ending);
    hashset_release(&w->hashes);
    free(w->slots);
    free(w->leases);
    free(w);
}
