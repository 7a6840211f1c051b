/* How the home of a job lends attempts of it.
 *
 * The store keeps how many attempts guests may still begin; who has room takes some of them (a
 * claim that borrows) and works on them as on its own. The home hears of that by asking, twice a
 * second while anything is lent, ten times while some of it ends: how many are running, what those
 * that ended came to, what others have spent. So near N the scheduler counts on what is lent, and
 * the budget holds across workers:
 *
 * Invariants (1) the scheduler counts what is lent, running or still open, as in flight; (2) for
 * each of those the most that an attempt may cost is set aside, less what it has spent already; a
 * guest never passes it; (3) own and others' outcomes and costs add up to the store's: its answer
 * contains exactly what was told to it before it was asked.
 */
#include "worker/work.h"

#include "core/money.h"

static bool work_is_capped(const struct work *k) {
    return k->view.budget.max_nusd != MONEY_UNKNOWN;
}

void work_note_bound(struct work *k, enum role role, int64_t bound_nusd) {
    k->lent.bound_nusd[role] = MAX(k->lent.bound_nusd[role], bound_nusd);
}

/* What an attempt may cost: an engineer's, a target's and two checker's calls as dear as they were
 * so far, and half as much again, for some are repeated. 0: not known yet. */
static int64_t work_attempt_nusd(const struct work *k) {
    const int64_t *bound = k->lent.bound_nusd;
    for (int role = 0; role < ROLE_COUNT; role++) {
        if (bound[role] == 0) {
            return 0;
        }
    }
    return (bound[ROLE_ENGINEER] + bound[ROLE_TARGET] + 2 * bound[ROLE_CHECKER]) / 2 * 3;
}

/* How many attempts guests may have, those that they have among them. */
static int64_t work_lendable(struct work *k) {
    const struct work_lent *lent = &k->lent;
    int64_t each_nusd = lent->each_nusd;
    bool may = k->view.sched.stop == STOP_NOT_YET && k->waiting_money == 0;
    int64_t claimed = k->claiming + k->granted; /* and not begun yet */
    if (!may || (work_is_capped(k) && each_nusd == 0)) {
        return lent->running;
    }
    struct sched plan = k->view.sched;
    plan.lent = lent->running;
    int64_t more =
        sched_launch_now(&plan, loop_now_ms(k->loop)) - claimed - k->worker->free_n[WORK_DIRECT];
    if (work_is_capped(k)) {
        int64_t left_nusd = budget_left(&k->view.budget) + lent->nusd - each_nusd * lent->running;
        more = MIN(more, left_nusd / each_nusd);
    }
    return lent->running + MIN(MAX(more, 0), STORE_CLAIM_MAX);
}

/* Others have spent so much more, and so much is set aside for what is lent. */
static void work_book_lent(struct work *k, int64_t spent_nusd, int64_t aside_nusd) {
    struct budget *b = &k->view.budget;
    budget_release(b, k->lent.nusd);
    int64_t fits_nusd = MIN(spent_nusd, budget_left(b));
    ASSERT(budget_reserve(b, fits_nusd));
    budget_settle(b, fits_nusd, spent_nusd);
    k->lent.nusd = MIN(aside_nusd, budget_left(b));
    ASSERT(budget_reserve(b, k->lent.nusd));
}

static void work_hear_of_lent(struct work *k) {
    struct work_lent *lent = &k->lent;
    const struct store_lend *o = &lent->op;
    int64_t ended[OUTCOME_COUNT];
    for (int outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
        int64_t before = outcome == OUTCOME_ACCEPTED ? 0 : k->row.outcomes[outcome];
        ended[outcome] =
            MAX(o->ret_outcomes[outcome] - before - k->view.sched.outcomes[outcome], 0);
        lent->ended_ms = ended[outcome] > 0 ? loop_now_ms(k->loop) : lent->ended_ms;
    }
    int64_t spent_nusd = MAX(o->ret_cost_nusd - lent->own_nusd - lent->others_nusd, 0);
    lent->others_nusd += spent_nusd;
    lent->unheard = false;
    lent->each_nusd = o->ret_each_nusd;
    lent->running = o->ret_running;
    lent->open = o->ret_open;
    int64_t aside_nusd = (lent->running + lent->open) * lent->each_nusd - o->ret_running_nusd;
    work_book_lent(k, spent_nusd, work_is_capped(k) ? MAX(aside_nusd, 0) : 0);
    sched_tell_lent(&k->view.sched, lent->running + lent->open, ended);
}

static void work_lent_some(struct store_op *op) {
    struct work *k = CONTAINER_OF(op, struct work, lent.op.op);
    k->lent.asking = false;
    if (op->err == ERR_STALE || op->err == ERR_NOT_FOUND) {
        work_lose(k);
    } else if (op->err != ERR_OK) {
        work_fail(k, op->err, &op->detail);
    } else {
        work_hear_of_lent(k);
    }
    work_pump(k);
}

void work_lend(struct work *k) {
    struct work_lent *lent = &k->lent;
    if (!k->worker->options.lends || k->spec->batches || k->is_guest || lent->asking || k->lost) {
        return;
    }
    if (lent->each_nusd == 0 && work_is_capped(k)) {
        lent->each_nusd = work_attempt_nusd(k);
    }
    int64_t n = work_lendable(k);
    if (n == 0 && lent->running == 0 && lent->open == 0) {
        return;
    }
    int64_t aside_nusd = MAX(lent->each_nusd * (n - lent->running - lent->open), 0);
    ASSERT(budget_reserve(&k->view.budget, aside_nusd)); /* work_lendable() has seen to it */
    lent->nusd += aside_nusd;
    const struct budget *b = &k->view.budget;
    lent->own_nusd = b->spent_nusd + b->excess_nusd - lent->others_nusd;
    lent->asking = true;
    lent->op = (struct store_lend){.op = {.loop = k->loop, .done = work_lent_some},
                                   .job_id = k->job_id,
                                   .worker = k->worker->number,
                                   .n = n,
                                   .each_nusd = lent->each_nusd};
    store_lend(k->store, &lent->op);
}

void work_inherit_lent(struct work *k) {
    struct work_lent *lent = &k->lent;
    lent->running = k->row.in_flight;
    lent->unheard = lent->running > 0;
    sched_tell_lent(&k->view.sched, lent->running, (const int64_t[OUTCOME_COUNT]){0});
    work_lend(k);
}

bool work_awaits_guests(const struct work *k) {
    enum stop why = k->view.sched.stop;
    bool theirs_count = why != STOP_DONE && why != STOP_INTERRUPTED && why != STOP_CANCELLED;
    return k->lent.asking || (theirs_count && !k->cut_off && k->lent.running > 0);
}
