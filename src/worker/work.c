/* A job at home with a worker. work_pump() is the only place that decides: it is called whenever
 * something changed, and reckons how many slots the job wants, hands free money to those who wait
 * for it, or ends the run.
 *
 * Invariants (1) busy = slots that are not free, and those that a claim will fill; the
 * job is left when busy is 0 and the scheduler has stopped; (2) at most one claim is under way;
 * slots that the job is given meanwhile are kept for the next one, so that one with the right of
 * way loses none of those that fall free; (3) once the scheduler has stopped, no attempt is begun,
 * and calls are begun only where the way it stopped leaves attempts to be finished (work_may_call).
 */
#include "worker/work.h"

#include "base/mem.h"
#include "worker/book.h"
#include "worker/meter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* First caps on output tokens, reasoning included: near the 99th percentile of what the roles
 * write, since providers count the cap against their limits and a budget reserves all of it. */
static const int64_t work_output_tokens_max[ROLE_COUNT] = {
    [ROLE_ENGINEER] = 16000, [ROLE_CHECKER] = 16000, [ROLE_TARGET] = 32000};

#define WORK_LOOK_MS 500
#define WORK_LOOK_SOON_MS 100 /* while attempts go to guests and come back */
#define WORK_LENDING_MS 3000  /* a home looks so often for so long after one has ended */
#define WORK_THIRST_MS 1000   /* and a guest, who found nothing to borrow */
#define WORK_LINGER_MS 5000   /* of a guest that finds nothing to borrow */
#define WORK_GRACE_MS_MAX 60000
#define WORK_PATIENCE_AFTER 20
#define WORK_PATIENCE_FACTOR 3 /* times the 95th percentile of a role's latency */
#define WORK_PATIENCE_MS_MIN 2000
#define WORK_PATIENCE_MS_MAX 600000

static bool work_stopped(const struct work *k) {
    return k->view.sched.stop != STOP_NOT_YET;
}

bool work_collects(const struct work *k) {
    return work_stopped(k) && !k->cut_off && k->view.sched.owed > 0;
}

bool work_may_call(const struct work *k) {
    if (k->cut_off) {
        return false;
    }
    switch (k->view.sched.stop) {
    case STOP_NOT_YET:
    case STOP_MAX_ATTEMPTS: /* what was begun is finished */
    case STOP_INTERRUPTED:
        return true;
    case STOP_DONE:
    case STOP_MAX_COST:
    case STOP_DEADLINE:
    case STOP_STALLED:
    case STOP_ERRORS:
    case STOP_CANCELLED:
    case STOP_COUNT:
        break;
    }
    return false;
}

void work_cut_off(struct work *k) {
    struct slot *s, *next;
    if (k->cut_off) {
        return;
    }
    k->cut_off = true;
    sched_stop_for(&k->view.sched, STOP_INTERRUPTED);
    for (s = LIST_FIRST(&k->slots); s != NULL; s = next) {
        next = LIST_NEXT(s, link);
        slot_give_up(s);
    }
    if (k->state == WORK_WAITING) {
        work_turn_back(k);
    } else {
        work_pump(k);
    }
}

void work_note_fatal(struct work *k, enum err e, const struct errinfo *detail) {
    if (k->view.fatal == ERR_OK) {
        k->view.fatal = e;
        (void)snprintf(k->view.fatal_detail, sizeof k->view.fatal_detail, "%s",
                       errinfo_text(detail, e));
    }
}

void work_fail(struct work *k, enum err e, const struct errinfo *detail) {
    work_note_fatal(k, e, detail);
    work_cut_off(k);
}

void work_lose(struct work *k) {
    k->lost = true;
    work_cut_off(k);
}

enum work_pool work_pool(const struct work *k) {
    return k->spec != NULL && k->spec->batches ? WORK_BATCHES : WORK_DIRECT;
}

void work_interrupt(struct work *k) {
    if (work_pool(k) == WORK_BATCHES || k->state == WORK_WAITING) {
        work_cut_off(k); /* batches go on without us; what waits was not begun */
        return;
    }
    if (k->is_guest && k->state == WORK_LEAVING) {
        work_leave(k, JOB_QUEUED, str_of("")); /* at once */
    }
    sched_stop_for(&k->view.sched, STOP_INTERRUPTED);
    work_pump(k);
}

void work_finish(struct work *k) {
    sched_stop_for(&k->view.sched, STOP_DONE);
    work_pump(k);
}

void work_cancel(struct work *k) {
    if (k->view.sched.stop == STOP_INTERRUPTED && !k->cut_off) {
        k->view.sched.stop = STOP_CANCELLED; /* a claim had come back with a hint of it */
    }
    sched_stop_for(&k->view.sched, STOP_CANCELLED);
    work_pump(k);
}

/* --- guests */

static void work_look(void *ctx);

/* Until the next look: what a guest's attempts leave free is lent again soon, and borrowed soon;
 * where little ends, or a job is near its end, nobody asks the store so often. */
static int64_t work_look_ms(const struct work *k) {
    int64_t now_ms = loop_now_ms(k->loop);
    bool soon = k->is_guest ? k->dry_ms != 0 && now_ms - k->dry_ms < WORK_THIRST_MS
                            : k->lent.ended_ms != 0 && now_ms - k->lent.ended_ms < WORK_LENDING_MS;
    return soon ? WORK_LOOK_SOON_MS : WORK_LOOK_MS;
}

/* There was less to borrow than was wanted, just now. */
static bool work_is_dry(const struct work *k) {
    return k->dry_ms != 0 && loop_now_ms(k->loop) - k->asked_ms < work_look_ms(k);
}

bool work_is_idle_guest(const struct work *k) {
    return k->is_guest && k->state == WORK_RUNNING && k->busy == 0;
}

static void work_end_if_dry(struct work *k) {
    if (work_is_idle_guest(k) && k->dry_ms != 0 &&
        loop_now_ms(k->loop) - k->dry_ms > WORK_LINGER_MS) {
        sched_stop_for(&k->view.sched, STOP_INTERRUPTED);
    }
}

/* --- patience */

/* Longer than nearly every answer to this role takes; long, while too few came to tell. */
static int64_t work_patience_ms(const struct work *k, enum role role) {
    const struct histogram *h = &k->view.latency_ms[role];
    return h->n < WORK_PATIENCE_AFTER
               ? WORK_PATIENCE_MS_MAX
               : MAX(WORK_PATIENCE_FACTOR * histogram_quantile(h, 0.95), WORK_PATIENCE_MS_MIN);
}

/* Once in a while: which attempts hang? Near N the scheduler replaces them. */
static void work_look(void *ctx) {
    struct work *k = ctx;
    const struct slot *s;
    int64_t now_ms = loop_now_ms(k->loop);
    int64_t late[ATTEMPT_STAGES] = {0};
    LIST_FOREACH(s, &k->slots, link) {
        if (s->state == SLOT_CALL && !k->spec->batches &&
            now_ms - s->called_ms > work_patience_ms(k, s->action.call->role)) {
            late[s->stage]++;
        }
    }
    sched_set_late(&k->view.sched, late);
    loop_timer_start(k->loop, &k->look, work_look_ms(k), work_look, k);
    work_lend(k);
    work_end_if_dry(k);
    work_pump(k);
    if (k->waiting_money == 0) {
        purse_rest(k->purse);
    }
}

static void work_grace_over(void *ctx) {
    work_cut_off(ctx);
}

/* What has not left, and what is in batches, is taken back; what is on its way, or was answered
 * there before, is paid for, and awaited. */
static void work_relinquish(struct work *k) {
    struct slot *s;
    LIST_FOREACH(s, &k->slots, link) {
        if (s->state == SLOT_CALL) {
            llm_relinquish(s->call);
        }
    }
    if (k->book != NULL && !k->cut_off) { /* else they are left to whoever has it next */
        llm_relinquish_batches(k->worker->options.llm, book_for_llm(k->book));
    }
}

/* No call is started any more, and those under way are paid: wait for their answers, but not much
 * longer than answers take. */
static void work_begin_grace(struct work *k) {
    int64_t grace_ms = WORK_PATIENCE_MS_MIN;
    k->in_grace = true;
    work_relinquish(k);
    if (k->spec->batches) {
        return;
    }
    for (int role = 0; role < ROLE_COUNT; role++) {
        grace_ms = MIN(MAX(grace_ms, work_patience_ms(k, (enum role)role)), WORK_GRACE_MS_MAX);
    }
    loop_timer_start(k->loop, &k->grace, grace_ms, work_grace_over, k);
}

/* --- attempts */

static void work_borrowed(struct work *k, int64_t n, int64_t asked) {
    int64_t now_ms = loop_now_ms(k->loop);
    if (n > 0) {
        k->borrow_nusd = k->op.claim.ret_each_nusd;
    }
    bool was_dry = k->dry_ms != 0;
    k->asked_ms = now_ms;
    k->dry_ms = n == asked ? 0 : was_dry ? k->dry_ms : now_ms;
    if (k->dry_ms != 0 && !was_dry) {
        loop_timer_start(k->loop, &k->look, work_look_ms(k), work_look, k);
    }
}

static void work_begin(struct work *k, const struct lease *lease) {
    if (!k->is_guest && k->row.attempts == 0 && k->view.sched.launched == 0) {
        meter_wait(k->worker->options.metrics, k->age_ms);
    }
    slot_begin(worker_take_slot(k->worker, k), lease);
}

void work_waive(struct work *k) {
    if (k->kept) {
        k->kept = false;
        worker_give_back(k, 1);
        worker_share(k->worker);
    }
}

/* The attempt that it came home with; if the job is not to be worked on after all, its lease is
 * taken back when it is left. */
static void work_begin_first(struct work *k) {
    if (sched_launch_now(&k->view.sched, loop_now_ms(k->loop)) == 0) {
        work_waive(k);
    } else if (k->kept) {
        k->kept = false;
        work_begin(k, &k->first);
    }
}

/* What it is to have beside the slots that are busy or promised to it; the ones too many are given
 * back. */
static void work_want(struct work *k, int64_t wants) {
    int64_t more = wants - k->claiming - k->granted;
    int64_t excess = MIN(MAX(-more, 0), k->granted);
    k->granted -= excess;
    worker_give_back(k, excess);
    k->share.wants = MIN(MAX(more, 0), STORE_CLAIM_MAX - k->granted);
    if (excess > 0 || k->share.wants > 0) {
        worker_share(k->worker);
    }
}

static void work_claimed(struct store_op *op) {
    struct work *k = CONTAINER_OF(op, struct work, op.claim.op);
    struct lease *leases = k->leases;
    int64_t n = op->err == ERR_OK ? k->op.claim.ret_n : 0;
    if (k->is_guest && (op->err == ERR_OK || op->err == ERR_CONFLICT)) {
        work_borrowed(k, n, k->claiming);
    } else if (op->err == ERR_STALE || op->err == ERR_NOT_FOUND) {
        work_lose(k);
    } else if (op->err == ERR_CONFLICT) {
        sched_stop_for(&k->view.sched, STOP_INTERRUPTED); /* the news are still on their way */
    } else if (op->err != ERR_OK) {
        work_fail(k, op->err, &op->detail);
    } else if (n == 0) {
        sched_stop_for(&k->view.sched, STOP_MAX_ATTEMPTS); /* the store numbers no more */
        sched_owe(&k->view.sched, 0);
    }
    worker_give_back(k, k->claiming - n);
    for (int64_t i = 0; i < n; i++) {
        k->claiming = n - i - 1;
        work_begin(k, &leases[i]);
    }
    k->claiming = 0;
    k->leases =
        NULL; /* only now: beginning a slot may pump, and nothing may be claimed meanwhile */
    free(leases);
    work_pump(k);
    worker_share(k->worker); /* what was given back, and what was granted meanwhile */
}

void work_claim(struct work *k) {
    int64_t n = k->granted;
    ASSERT(k->leases == NULL && n > 0 && n <= STORE_CLAIM_MAX);
    k->granted = 0;
    k->claiming = n;
    k->leases = mem_new_array((size_t)n, sizeof *k->leases);
    k->op.claim = (struct store_claim){.op = {.loop = k->loop, .done = work_claimed},
                                       .job_id = k->job_id,
                                       .worker = k->worker->number,
                                       .n = n,
                                       .attempts_max = k->spec->max_attempts,
                                       .again = work_stopped(k),
                                       .borrow = k->is_guest,
                                       .ret = k->leases};
    store_claim(k->store, &k->op.claim);
}

/* --- money */

bool work_reserve(struct work *k, int64_t nusd) {
    if (!budget_reserve(&k->view.budget, nusd)) {
        return false;
    }
    if (!purse_reserve(k->purse, nusd)) {
        budget_release(&k->view.budget, nusd);
        k->purse_empty = true;
        return false;
    }
    return true;
}

int64_t work_reserve_owed(struct work *k, int64_t nusd) {
    if (!budget_reserve(&k->view.budget, nusd)) {
        return 0;
    }
    if (!purse_reserve(k->purse, nusd)) {
        budget_release(&k->view.budget, nusd);
        return 0;
    }
    return nusd;
}

void work_settle(struct work *k, int64_t reserved_nusd, int64_t cost_nusd) {
    budget_settle(&k->view.budget, reserved_nusd, cost_nusd);
    purse_settle(k->purse, reserved_nusd, cost_nusd);
}

void work_unreserve(struct work *k, int64_t nusd) {
    budget_release(&k->view.budget, nusd);
    purse_release(k->purse, nusd);
}

/* The order of the store's operations lets the job outlive it: the attempt's own comes behind. */
struct work_loss {
    struct store_lose op;
    struct work *work;
};

static void work_loss_told(struct store_op *op) {
    struct work_loss *loss = CONTAINER_OF(op, struct work_loss, op.op);
    if (op->err != ERR_OK) {
        work_fail(loss->work, op->err, &op->detail);
    }
    free(loss);
}

void work_count_lost(struct work *k, int64_t tries, int64_t nusd) {
    struct work_loss *loss = mem_new(sizeof *loss);
    budget_lose(&k->view.budget, nusd);
    *loss = (struct work_loss){.work = k,
                               .op = {.op = {.loop = k->loop, .done = work_loss_told},
                                      .job_id = k->job_id,
                                      .tries = tries,
                                      .nusd = nusd}};
    store_lose(k->store, &loss->op);
}

static void work_give_up_waiting(struct work *k) {
    struct slot *s, *next;
    for (s = LIST_FIRST(&k->slots); s != NULL; s = next) {
        next = LIST_NEXT(s, link);
        if (s->state == SLOT_MONEY) {
            slot_give_up(s);
        }
    }
}

/* Those nearest to their end first: they have cost most already. */
static void work_share_money(struct work *k) {
    struct slot *s, *next;
    k->purse_empty = false;
    for (int stage = ATTEMPT_STAGES - 1; stage >= 0; stage--) {
        for (s = LIST_FIRST(&k->slots); k->waiting_money > 0 && s != NULL; s = next) {
            next = LIST_NEXT(s, link);
            if (s->state == SLOT_MONEY && (int)s->stage == stage && !slot_retry_money(s)) {
                break; /* one of the same stage costs about the same */
            }
        }
    }
    if (k->waiting_money > 0 && k->purse_empty) {
        purse_ask(k->purse, k->waiting_money);
    }
    if (k->waiting_money > 0 && k->view.calls_in_flight == 0 && k->lent.nusd == 0 &&
        (!k->purse_empty || purse_is_spent(k->purse))) {
        /* Nobody will give any back. Also where it had stopped before, and lets attempts finish. */
        k->day_spent = k->purse_empty;
        sched_stop_for(&k->view.sched, k->day_spent ? STOP_INTERRUPTED : STOP_MAX_COST);
        work_give_up_waiting(k);
    }
}

/* --- the end */

static enum job_state work_end_state(const struct work *k) {
    switch (k->view.sched.stop) {
    case STOP_DONE:
        return JOB_SUCCEEDED;
    case STOP_ERRORS:
        return k->view.sched.outcomes[OUTCOME_ACCEPTED] > 0 ? JOB_PARTIAL : JOB_FAILED;
    case STOP_CANCELLED:
        return JOB_CANCELLED;
    case STOP_INTERRUPTED:
        return JOB_QUEUED;
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

static struct str work_end_reason(const struct work *k) {
    const struct sched *s = &k->view.sched;
    if (s->stop == STOP_DONE || s->stop == STOP_CANCELLED || s->stop == STOP_INTERRUPTED) {
        return str_of(""); /* done, or somebody knows why he asked for it */
    }
    return str_of(s->stop == STOP_ERRORS ? k->view.error : stop_name(s->stop));
}

void work_pump(struct work *k) {
    if (k->state != WORK_RUNNING) {
        return;
    }
    if (k->waiting_money > 0 && work_may_call(k)) {
        work_share_money(k);
    }
    if (k->waiting_money > 0 && !work_may_call(k)) {
        work_give_up_waiting(k);
    }
    int64_t wants = sched_launch_now(&k->view.sched, loop_now_ms(k->loop));
    if (work_collects(k)) {
        wants = sched_collect_now(&k->view.sched);
    }
    if (work_stopped(k) && !work_may_call(k) && !k->in_grace) {
        work_begin_grace(k);
    }
    bool may_launch = !k->lent.unheard && !work_is_dry(k) &&
                      (work_stopped(k) ? work_collects(k) : k->waiting_money == 0);
    work_want(k, may_launch ? wants : 0);
    bool over = work_stopped(k) && k->busy == 0 && k->share.wants == 0 && !work_awaits_guests(k);
    if (over && k->day_spent && k->view.sched.stop == STOP_INTERRUPTED) {
        work_pause(k, S(STORE_DAY_SPENT));
    } else if (over) {
        work_leave(k, work_end_state(k), work_end_reason(k));
    }
}

static void work_deadline(void *ctx) {
    work_pump(ctx);
}

void work_start(struct work *k, const uint64_t *hashes, size_t hashes_n) {
    const struct job_spec *spec = k->spec;
    const struct job_row *job = &k->row;
    struct job_spec limits = *spec;
    int64_t now_ms = loop_now_ms(k->loop);
    bool cancelled = job->state == JOB_CANCELLING || k->view.sched.stop == STOP_CANCELLED;
    k->setup = (struct attempt_setup){.spec = spec, .prompts = k->worker->options.prompts};
    memcpy(k->setup.output_tokens_max, work_output_tokens_max, sizeof work_output_tokens_max);
    /* A job of the service has its deadline from its submission on; one of worker_run() from now.
     */
    int64_t passed_ms = k->done != NULL ? 0 : k->age_ms;
    if (k->is_guest) { /* all but time is for its home to decide */
        limits.num_problems = INT64_MAX;
        limits.max_attempts = limits.stall_attempts = 0;
        limits.max_cost_nusd = MONEY_UNKNOWN;
    }
    sched_init(&k->view.sched, &limits, now_ms - passed_ms,
               k->is_guest ? 0 : job->outcomes[OUTCOME_ACCEPTED], job->attempts - job->leased);
    sched_recall(&k->view.sched, job->outcomes);
    if (spec->batches) {
        sched_owe(&k->view.sched, job->leased);
    }
    if (cancelled) {
        sched_stop_for(&k->view.sched, STOP_CANCELLED);
    }
    budget_init(&k->view.budget, limits.max_cost_nusd, k->is_guest ? 0 : job->cost_nusd);
    budget_lose(&k->view.budget, k->is_guest ? 0 : job->lost_nusd);
    for (size_t i = 0; i < hashes_n; i++) {
        (void)hashset_add(&k->hashes, hashes[i]);
    }
    if (spec->deadline_ms > 0) {
        loop_timer_start(k->loop, &k->deadline, MAX(spec->deadline_ms - passed_ms, INT64_C(0)),
                         work_deadline, k);
    }
    arena_release(&k->coming);
    k->state = WORK_RUNNING;
    loop_timer_start(k->loop, &k->look, WORK_LOOK_MS, work_look, k);
    if (k->worker->options.lends && !k->is_guest && !spec->batches && job->in_flight > 0) {
        work_inherit_lent(k);
    }
    work_begin_first(k);
    work_pump(k);
}
