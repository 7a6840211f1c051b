/* What a store promises to workers: a job is at home with one of them, the silent are buried, and
 * whoever was buried changes nothing any more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "contract/store_rig.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t join(struct rig *r) {
    struct store_join o = {.op = RIG_OP(r), .name = S("here/1/0"), .slots = 4};
    store_join(r->store, &o);
    assert_int_equal(rig_wait(r, &o.op), ERR_OK);
    return o.ret_worker;
}

static enum err beat(struct rig *r, int64_t worker) {
    struct store_beat o = {.op = RIG_OP(r), .worker = worker};
    store_beat(r->store, &o);
    return rig_wait(r, &o.op);
}

static void quit(struct rig *r, int64_t worker) {
    struct store_quit o = {.op = RIG_OP(r), .worker = worker};
    store_quit(r->store, &o);
    assert_int_equal(rig_wait(r, &o.op), ERR_OK);
}

static int64_t reap(struct rig *r, int64_t silent_ms) {
    struct store_reap o = {.op = RIG_OP(r), .silent_ms = silent_ms};
    store_reap(r->store, &o);
    assert_int_equal(rig_wait(r, &o.op), ERR_OK);
    return o.ret_n;
}

static enum err take(struct rig *r, const char *job_id, int64_t worker) {
    struct store_take o = {.op = RIG_OP(r), .job_id = job_id, .worker = worker, .a = &r->arena};
    store_take(r->store, &o);
    return rig_wait(r, &o.op);
}

static enum err leave(struct rig *r, int64_t worker, enum job_state state, enum job_state *ret) {
    struct store_leave o = {
        .op = RIG_OP(r), .job_id = RIG_JOB, .worker = worker, .state = state, .reason = S("so")};
    store_leave(r->store, &o);
    enum err e = rig_wait(r, &o.op);
    *ret = o.ret_state;
    return e;
}

static enum err claim(struct rig *r, int64_t worker, int64_t n, struct lease *ret, int64_t *ret_n) {
    struct store_claim o = {
        .op = RIG_OP(r), .job_id = RIG_JOB, .worker = worker, .n = n, .ret = ret};
    store_claim(r->store, &o);
    enum err e = rig_wait(r, &o.op);
    *ret_n = o.ret_n;
    return e;
}

/* Borrow up to @n attempts; how many there were, or -1 - the error. */
static int64_t borrow(struct rig *r, int64_t worker, int64_t n, struct lease *ret) {
    struct store_claim o = {
        .op = RIG_OP(r), .job_id = RIG_JOB, .worker = worker, .n = n, .borrow = true, .ret = ret};
    store_claim(r->store, &o);
    enum err e = rig_wait(r, &o.op);
    return e == ERR_OK ? o.ret_n : -1 - (int64_t)e;
}

/* Guests may have @n attempts, each for 50. */
static struct store_lend lend(struct rig *r, int64_t worker, int64_t n) {
    struct store_lend o = {
        .op = RIG_OP(r), .job_id = RIG_JOB, .worker = worker, .n = n, .each_nusd = 50};
    store_lend(r->store, &o);
    o.op.err = rig_wait(r, &o.op);
    return o;
}

static enum job_state ask(struct rig *r, enum store_wish wish) {
    struct store_ask o = {.op = RIG_OP(r), .job_id = RIG_JOB, .wish = wish};
    store_ask(r->store, &o);
    assert_int_equal(rig_wait(r, &o.op), ERR_OK);
    return o.ret_state;
}

/* A worker with a job at home and one attempt leased. */
static int64_t settle(struct rig *r, struct lease *ret) {
    int64_t n, worker = join(r);
    assert_int_equal(rig_submit(r, 7), ERR_OK);
    assert_int_equal(take(r, RIG_JOB, worker), ERR_OK);
    assert_int_equal(claim(r, worker, 1, ret, &n), ERR_OK);
    return worker;
}

/* --- homes */

static void test_a_job_is_at_home_with_one_worker(void **state) {
    struct rig *r = *state;
    struct lease lease;
    int64_t n;
    int64_t worker = settle(r, &lease), other = join(r);
    assert_true(other > worker);
    assert_int_equal(rig_job(r, &r->arena).state, JOB_RUNNING);
    int64_t started_ms = rig_job(r, &r->arena).started_ms;
    assert_true(rig_is_now(started_ms));
    assert_int_equal(take(r, RIG_JOB, other), ERR_CONFLICT);
    assert_int_equal(claim(r, other, 1, &lease, &n), ERR_STALE);
    assert_int_equal(claim(r, 0, 1, &lease, &n), ERR_STALE);
    assert_int_equal(rig_job_set(r, JOB_FAILED, ""), ERR_STALE);
    assert_int_equal(take(r, "job_x", other), ERR_NOT_FOUND);
    enum job_state now;
    assert_int_equal(leave(r, other, JOB_FAILED, &now), ERR_STALE);
    assert_int_equal(leave(r, worker, JOB_QUEUED, &now), ERR_OK);
    assert_int_equal(take(r, RIG_JOB, other), ERR_OK);
    assert_int_equal(rig_job(r, &r->arena).started_ms, started_ms); /* the first time counts */
}

static void test_a_job_that_comes_home_tells_itself_and_brings_its_first_lease_once(void **state) {
    struct rig *r = *state;
    struct store_take o = {.op = RIG_OP(r), .job_id = RIG_JOB, .begin = true, .a = &r->arena};
    enum job_state now;
    o.worker = join(r);
    assert_int_equal(rig_submit(r, 7), ERR_OK);
    store_take(r->store, &o);
    assert_int_equal(rig_wait(r, &o.op), ERR_OK);
    assert_string_equal(o.ret.id, RIG_JOB);
    assert_int_equal(o.ret.wanted, 7);
    assert_int_equal(o.ret.attempts, 0);
    assert_true(o.ret.spec.n > 0);
    assert_int_equal(o.ret_lease.attempt_no, 1);
    assert_int_equal(rig_job(r, &r->arena).in_flight, 1);
    assert_int_equal(rig_finish(r, o.ret_lease, OUTCOME_ACCEPTED, NULL), ERR_OK);
    assert_int_equal(leave(r, o.worker, JOB_QUEUED, &now), ERR_OK);
    store_take(r->store, &o);
    assert_int_equal(rig_wait(r, &o.op), ERR_OK);
    assert_int_equal(o.ret.attempts, 1);
    assert_int_equal(o.ret.outcomes[OUTCOME_ACCEPTED], 1);
    assert_int_equal(o.ret_lease.token, 0); /* it was begun: who has it claims */
}

static void test_a_leaving_worker_gives_its_leases_back_without_a_crash(void **state) {
    struct rig *r = *state;
    struct lease lease, again;
    enum job_state now;
    int64_t n, worker = settle(r, &lease);
    assert_int_equal(leave(r, worker, JOB_QUEUED, &now), ERR_OK);
    assert_int_equal(now, JOB_QUEUED);
    assert_int_equal(rig_job(r, &r->arena).in_flight, 0);
    assert_int_equal(rig_job(r, &r->arena).leased, 1);
    assert_int_equal(take(r, RIG_JOB, worker), ERR_OK);
    assert_int_equal(claim(r, worker, 1, &again, &n), ERR_OK);
    assert_int_equal(again.attempt_no, lease.attempt_no);
    assert_int_equal(again.crashes, 0);
    assert_int_equal(rig_finish(r, lease, OUTCOME_ACCEPTED, NULL), ERR_STALE);
}

/* What was asked for while the worker still had it, and what becomes of it. */
static void test_a_leaving_worker_hears_what_was_asked_meanwhile(void **state) {
    static const struct {
        enum store_wish wishes[3];
        int wishes_n;
        enum job_state left_with, becomes;
    } stories[] = {
        {{STORE_CANCEL}, 1, JOB_QUEUED, JOB_CANCELLED},
        {{STORE_CANCEL}, 1, JOB_CANCELLED, JOB_CANCELLED},
        {{STORE_CANCEL}, 1, JOB_SUCCEEDED, JOB_SUCCEEDED},
        {{STORE_CANCEL, STORE_PAUSE, STORE_RESUME}, 3, JOB_PAUSED, JOB_CANCELLED},
        {{STORE_PAUSE}, 1, JOB_QUEUED, JOB_PAUSED},
        {{STORE_PAUSE}, 1, JOB_PAUSED, JOB_PAUSED},
        {{STORE_PAUSE}, 1, JOB_PARTIAL, JOB_PARTIAL},
        {{STORE_PAUSE, STORE_RESUME}, 2, JOB_PAUSED, JOB_QUEUED},
        {{STORE_PAUSE, STORE_CANCEL}, 2, JOB_PAUSED, JOB_CANCELLED},
        {{STORE_RESUME}, 1, JOB_QUEUED, JOB_QUEUED},
    };
    struct rig *r = *state;
    int64_t worker = join(r);
    assert_int_equal(rig_submit(r, 7), ERR_OK);
    for (size_t i = 0; i < ARRAY_LEN(stories); i++) {
        enum job_state now = JOB_RUNNING;
        assert_int_equal(rig_job_set(r, JOB_QUEUED, ""), ERR_OK);
        assert_int_equal(take(r, RIG_JOB, worker), ERR_OK);
        for (int w = 0; w < stories[i].wishes_n; w++) {
            now = ask(r, stories[i].wishes[w]);
            assert_false(job_state_is_final(now)); /* its worker has to let go first */
        }
        assert_int_equal(leave(r, worker, stories[i].left_with, &now), ERR_OK);
        assert_int_equal(now, stories[i].becomes);
        assert_int_equal(rig_job(r, &r->arena).state, stories[i].becomes);
    }
}

static void test_nothing_is_claimed_of_a_job_that_is_paused_or_cancelling(void **state) {
    struct rig *r = *state;
    struct lease lease, more;
    int64_t n, worker = settle(r, &lease);
    assert_int_equal(ask(r, STORE_PAUSE), JOB_PAUSED);
    assert_int_equal(claim(r, worker, 1, &more, &n), ERR_CONFLICT);
    assert_int_equal(rig_record(r, lease, 0, S("paid")), ERR_OK); /* what was begun goes on */
    assert_int_equal(ask(r, STORE_RESUME), JOB_RUNNING);
    assert_int_equal(claim(r, worker, 1, &more, &n), ERR_OK);
    assert_int_equal(ask(r, STORE_CANCEL), JOB_CANCELLING);
    assert_int_equal(claim(r, worker, 1, &more, &n), ERR_CONFLICT);
    assert_int_equal(rig_finish(r, lease, OUTCOME_ACCEPTED, NULL), ERR_OK);
    assert_int_equal(rig_job(r, &r->arena).outcomes[OUTCOME_ACCEPTED], 1);
    assert_int_equal(ask(r, STORE_CANCEL), JOB_CANCELLING); /* as often as one likes */
}

/* --- the silent */

static void sleep_ms(int64_t ms) {
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&t, NULL);
}

static void test_a_silent_worker_is_buried_and_its_ghost_changes_nothing(void **state) {
    struct rig *r = *state;
    struct lease lease, again;
    enum job_state now;
    int64_t n, worker = settle(r, &lease);
    assert_int_equal(reap(r, 50), 0); /* the first time all are spared: nobody reaped before */
    assert_int_equal(reap(r, 10000), 0);
    sleep_ms(60);
    assert_int_equal(reap(r, 50), 1);
    assert_int_equal(rig_job(r, &r->arena).state, JOB_QUEUED);

    int64_t heir = join(r);
    assert_int_equal(take(r, RIG_JOB, heir), ERR_OK);
    assert_int_equal(claim(r, heir, 1, &again, &n), ERR_OK);
    assert_int_equal(again.attempt_no, lease.attempt_no);
    assert_int_equal(again.crashes, 1);

    assert_int_equal(beat(r, worker), ERR_STALE);
    assert_int_equal(take(r, RIG_JOB, worker), ERR_STALE);
    assert_int_equal(claim(r, worker, 1, &lease, &n), ERR_STALE);
    assert_int_equal(leave(r, worker, JOB_FAILED, &now), ERR_STALE);
    assert_int_equal(rig_record(r, lease, 0, S("paid all the same")), ERR_STALE);
    assert_int_equal(rig_finish(r, lease, OUTCOME_ACCEPTED, NULL), ERR_STALE);
    quit(r, worker); /* passed over */
    struct job_row job = rig_job(r, &r->arena);
    assert_int_equal(job.state, JOB_RUNNING);
    assert_int_equal(job.outcomes[OUTCOME_ACCEPTED], 0);
    assert_int_equal(job.calls, 1);
    assert_int_equal(rig_finish(r, again, OUTCOME_ACCEPTED, NULL), ERR_OK);
}

static void test_who_beats_is_not_buried(void **state) {
    struct rig *r = *state;
    struct lease lease;
    int64_t worker = settle(r, &lease);
    (void)reap(r, 3500);
    for (int i = 0; i < 4; i++) { /* the last two are after the time in which all are spared */
        sleep_ms(1200);
        assert_int_equal(beat(r, worker), ERR_OK);
        assert_int_equal(reap(r, 3500), 0);
    }
}

static void test_what_the_buried_was_to_cancel_is_cancelled(void **state) {
    struct rig *r = *state;
    struct lease lease;
    (void)settle(r, &lease);
    assert_int_equal(ask(r, STORE_CANCEL), JOB_CANCELLING);
    (void)reap(r, 1);
    sleep_ms(5);
    assert_int_equal(reap(r, 1), 1);
    assert_int_equal(rig_job(r, &r->arena).state, JOB_CANCELLED);
    assert_true(rig_job(r, &r->arena).ended_ms > 0);
}

static void test_a_quitting_worker_leaves_no_crash_behind(void **state) {
    struct rig *r = *state;
    struct lease lease, again;
    int64_t n, worker = settle(r, &lease);
    quit(r, worker);
    assert_int_equal(rig_job(r, &r->arena).state, JOB_QUEUED);
    int64_t heir = join(r);
    assert_int_equal(take(r, RIG_JOB, heir), ERR_OK);
    assert_int_equal(claim(r, heir, 1, &again, &n), ERR_OK);
    assert_int_equal(again.attempt_no, lease.attempt_no);
    assert_int_equal(again.crashes, 0);
}

static void
test_an_attempt_that_buries_its_workers_is_set_aside_while_the_job_goes_on(void **state) {
    struct rig *r = *state;
    struct lease lease;
    int64_t n;
    assert_int_equal(rig_submit(r, 7), ERR_OK);
    (void)reap(r, 1);
    for (int64_t crashes = 0; crashes < 3; crashes++) {
        int64_t worker = join(r);
        assert_int_equal(take(r, RIG_JOB, worker), ERR_OK);
        assert_int_equal(claim(r, worker, 1, &lease, &n), ERR_OK);
        assert_int_equal(lease.attempt_no, 1);
        assert_int_equal(lease.crashes, crashes);
        sleep_ms(5);
        assert_int_equal(reap(r, 1), 1);
    }
    assert_int_equal(rig_job(r, &r->arena).outcomes[OUTCOME_FAILED], 1);
    int64_t worker = join(r);
    assert_int_equal(take(r, RIG_JOB, worker), ERR_OK);
    assert_int_equal(claim(r, worker, 1, &lease, &n), ERR_OK);
    assert_int_equal(lease.attempt_no, 2);
}

static void test_a_new_process_finds_no_homes_and_no_cancelling_jobs(void **state) {
    struct rig *r = *state;
    struct lease lease, again;
    int64_t n, worker = settle(r, &lease);
    rig_succeed(r);
    assert_int_equal(beat(r, worker), ERR_STALE);
    assert_int_equal(rig_job(r, &r->arena).state, JOB_QUEUED);
    int64_t heir = join(r);
    assert_true(heir > worker);
    assert_int_equal(take(r, RIG_JOB, heir), ERR_OK);
    assert_int_equal(claim(r, heir, 1, &again, &n), ERR_OK);
    assert_int_equal(again.crashes, 1);
    assert_int_equal(ask(r, STORE_CANCEL), JOB_CANCELLING);
    rig_succeed(r);
    assert_int_equal(rig_job(r, &r->arena).state, JOB_CANCELLED);
}

/* --- what is there to do */

static void test_no_tenant_hides_another_from_those_who_look_for_work(void **state) {
    enum { MANY = 50 };
    struct rig *r = *state;
    struct runnable_row *rows = mem_new_array(STORE_RUNNABLE_MAX, sizeof *rows);
    for (int i = 0; i < MANY + 2; i++) {
        char id[STORE_ID_BYTES];
        (void)snprintf(id, sizeof id, "job_%d", i);
        struct store_submit o = {.op = RIG_OP(r),
                                 .job_id = id,
                                 .tenant = i < MANY ? 1 : 2,
                                 .spec = S("{}"),
                                 .wanted = 1,
                                 .priority = i == 30 ? 9 : 0};
        store_submit(r->store, &o);
        assert_int_equal(rig_wait(r, &o.op), ERR_OK);
    }
    int64_t worker = join(r);
    assert_int_equal(take(r, "job_0", worker), ERR_OK);
    struct store_runnable o = {.op = RIG_OP(r), .each_max = 3, .ret = rows};
    store_runnable(r->store, &o);
    assert_int_equal(rig_wait(r, &o.op), ERR_OK);
    static const char *const expected[] = {"job_30", "job_1", "job_2", "job_50", "job_51"};
    assert_int_equal(o.ret_n, ARRAY_LEN(expected));
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        assert_string_equal(rows[i].job_id, expected[i]);
        assert_int_equal(rows[i].tenant, i < 3 ? 1 : 2);
        assert_int_equal(rows[i].priority, i == 0 ? 9 : 0);
    }
    free(rows);
}

/* --- anything, in any order */

enum { WORKERS = 3, STEPS = 1500, LEASES = 4 };

struct mess {
    struct rig *r;
    struct rng rng;
    int64_t workers[WORKERS];
    struct lease leases[LEASES]; /* of any worker, live or stale */
    int64_t calls;
};

static void mess_claim(struct mess *m, int64_t worker) {
    struct lease lease;
    int64_t n;
    if (claim(m->r, worker, 1, &lease, &n) == ERR_OK && n == 1) {
        m->leases[rng_below(&m->rng, LEASES)] = lease;
    }
}

static void mess_borrow(struct mess *m, int64_t worker) {
    struct lease lease;
    if (borrow(m->r, worker, 1, &lease) == 1) {
        m->leases[rng_below(&m->rng, LEASES)] = lease;
    }
}

/* One random operation, with whatever is at hand, right or wrong. */
static void mess_step(struct mess *m) {
    int64_t *worker = &m->workers[rng_below(&m->rng, WORKERS)];
    struct lease lease = m->leases[rng_below(&m->rng, LEASES)];
    enum job_state now;
    switch (rng_below(&m->rng, 15)) {
    case 0:
        if (beat(m->r, *worker) == ERR_STALE) {
            *worker = join(m->r);
        }
        break;
    case 1:
        (void)take(m->r, RIG_JOB, *worker);
        break;
    case 2:
    case 3:
    case 4:
        mess_claim(m, *worker);
        break;
    case 5:
    case 6:
        (void)rig_record(m->r, lease, m->calls++ % 5, S("x"));
        break;
    case 7:
        (void)rig_finish(m->r, lease, (enum outcome)rng_below(&m->rng, OUTCOME_COUNT), NULL);
        break;
    case 8:
        (void)ask(m->r, (enum store_wish)rng_below(&m->rng, 2) + 1); /* pause, resume */
        break;
    case 9:
        if (rng_chance(&m->rng, 0.2)) {
            (void)leave(m->r, *worker, JOB_QUEUED, &now);
        }
        break;
    case 10:
        (void)reap(m->r, rng_chance(&m->rng, 0.05) ? 0 : 10000);
        break;
    case 11:
        (void)lend(m->r, *worker, (int64_t)rng_below(&m->rng, 4));
        break;
    case 12:
    case 13:
        mess_borrow(m, *worker);
        break;
    default:
        if (rng_chance(&m->rng, 0.3)) {
            (void)rig_release_leases(m->r, &lease, 1);
        }
        break;
    }
}

static void test_whatever_workers_do_the_invariants_hold(void **state) {
    struct rig *r = *state;
    struct mess m = {.r = r};
    rng_init(&m.rng, 20261125);
    for (int i = 0; i < WORKERS; i++) {
        m.workers[i] = join(r);
    }
    for (int i = 0; i < LEASES; i++) {
        m.leases[i] = (struct lease){.attempt_no = 1, .token = 1};
    }
    assert_int_equal(rig_submit(r, 20), ERR_OK);
    for (int i = 0; i < STEPS; i++) {
        mess_step(&m);
        if (i % 250 == 0 && rig_check(r) != ERR_OK) {
            fail_msg("after step %d: %s", i, r->detail.text);
        }
    }
    assert_true(rig_job(r, &r->arena).outcomes[OUTCOME_ACCEPTED] <= 20);
    assert_true(rig_job(r, &r->arena).attempts > 20); /* something did happen */
}

/* --- guests */

static void test_guests_have_no_more_attempts_than_their_host_lends(void **state) {
    struct rig *r = *state;
    struct lease lease, lent[5];
    int64_t home = settle(r, &lease), guest = join(r);
    assert_int_equal(take(r, RIG_JOB, guest), ERR_CONFLICT);
    assert_int_equal(borrow(r, guest, 5, lent), 0); /* nothing is lent yet */
    assert_int_equal(lend(r, home, 3).ret_open, 3);
    assert_int_equal(take(r, RIG_JOB, guest), ERR_OK);
    assert_int_equal(borrow(r, guest, 5, lent), 3);
    assert_int_equal(lent[0].attempt_no, 2); /* new ones, though 1 is at home */
    assert_false(lent[0].again);
    assert_int_equal(borrow(r, guest, 5, lent + 3), 0);
    assert_int_equal(rig_record(r, lent[0], 0, S("a")), ERR_OK);
    struct store_lend told = lend(r, home, 3);
    assert_int_equal(told.ret_running, 3);
    assert_int_equal(told.ret_running_nusd, 7);
    assert_int_equal(told.ret_each_nusd, 50);
    assert_int_equal(told.ret_open, 0);
    assert_int_equal(rig_finish(r, lent[0], OUTCOME_ACCEPTED, NULL), ERR_OK);
    assert_int_equal(rig_release_leases(r, &lent[1], 1), ERR_OK);
    told = lend(r, home, 3);
    assert_int_equal(told.ret_running, 1);
    assert_int_equal(told.ret_running_nusd, 0);
    assert_int_equal(told.ret_open, 2);
    assert_int_equal(told.ret_outcomes[OUTCOME_ACCEPTED], 1);
    assert_int_equal(told.ret_cost_nusd, 7);
    assert_int_equal(lend(r, guest, 3).op.err, ERR_STALE); /* a guest does not lend */
    assert_int_equal(rig_check(r), ERR_OK);
}

static void test_who_lends_is_seen_by_those_who_look_for_work(void **state) {
    struct rig *r = *state;
    struct lease lease;
    struct runnable_row rows[STORE_RUNNABLE_MAX];
    int64_t home = settle(r, &lease);
    for (int64_t n = 0; n < 2; n++) {
        (void)lend(r, home, n);
        struct store_runnable o = {.op = RIG_OP(r), .each_max = 10, .ret = rows};
        store_runnable(r->store, &o);
        assert_int_equal(rig_wait(r, &o.op), ERR_OK);
        assert_int_equal(o.ret_n, n);
    }
}

static void test_a_dead_guests_attempts_go_on_at_home_and_nobody_elses(void **state) {
    struct rig *r = *state;
    struct lease lease, lent[2], other, again;
    int64_t n, home = settle(r, &lease), guest = join(r), second = join(r);
    (void)lend(r, home, 3);
    assert_int_equal(borrow(r, guest, 2, lent), 2);
    assert_int_equal(borrow(r, second, 1, &other), 1);
    assert_int_equal(reap(r, 3500), 0);
    sleep_ms(3600);
    assert_int_equal(beat(r, home), ERR_OK);
    assert_int_equal(beat(r, second), ERR_OK);
    assert_int_equal(reap(r, 3500), 1);
    assert_int_equal(rig_job(r, &r->arena).in_flight, 2);
    assert_int_equal(rig_finish(r, lent[0], OUTCOME_ACCEPTED, NULL), ERR_STALE);
    assert_int_equal(rig_finish(r, other, OUTCOME_ACCEPTED, NULL), ERR_OK);
    assert_int_equal(claim(r, home, 1, &again, &n), ERR_OK);
    assert_int_equal(again.attempt_no, lent[0].attempt_no);
    assert_true(again.again);
    assert_int_equal(again.crashes, 1);
    assert_int_equal(borrow(r, guest, 1, lent), -1 - (int64_t)ERR_STALE);
    assert_int_equal(rig_check(r), ERR_OK);
}

static void test_guests_outlive_the_home_of_a_job_but_not_its_end(void **state) {
    struct rig *r = *state;
    struct lease lease, lent[3];
    enum job_state now;
    int64_t home = settle(r, &lease), guest = join(r);
    (void)lend(r, home, 3);
    assert_int_equal(borrow(r, guest, 2, lent), 2);
    assert_int_equal(leave(r, home, JOB_QUEUED, &now), ERR_OK);
    assert_int_equal(borrow(r, guest, 1, lent + 2), -1 - (int64_t)ERR_CONFLICT);
    assert_int_equal(rig_finish(r, lent[0], OUTCOME_ACCEPTED, NULL), ERR_OK);
    assert_int_equal(take(r, RIG_JOB, home), ERR_OK);
    struct store_lend dearer = {
        .op = RIG_OP(r), .job_id = RIG_JOB, .worker = home, .n = 2, .each_nusd = 70};
    store_lend(r->store, &dearer);
    assert_int_equal(rig_wait(r, &dearer.op), ERR_OK);
    assert_int_equal(dearer.ret_running, 1);
    assert_int_equal(dearer.ret_each_nusd, 50); /* who runs has been given so much */
    assert_int_equal(rig_release_leases(r, &lent[1], 1), ERR_OK);
    dearer.op = (struct store_op)RIG_OP(r);
    store_lend(r->store, &dearer);
    assert_int_equal(rig_wait(r, &dearer.op), ERR_OK);
    assert_int_equal(dearer.ret_each_nusd, 70); /* nobody has any: as the new home reckons */
    assert_int_equal(borrow(r, guest, 1, &lent[1]), 1);
    assert_int_equal(leave(r, home, JOB_PARTIAL, &now), ERR_OK);
    assert_int_equal(rig_finish(r, lent[1], OUTCOME_ACCEPTED, NULL), ERR_STALE);
    assert_int_equal(rig_job(r, &r->arena).outcomes[OUTCOME_ACCEPTED], 1);
    assert_int_equal(rig_check(r), ERR_OK);
}

static void test_a_problem_that_two_workers_found_is_accepted_once(void **state) {
    struct rig *r = *state;
    struct lease lease, lent;
    struct problem problem = {.outcome = OUTCOME_ACCEPTED, .problem = S("p"), .hash = 5};
    enum outcome came_to[2];
    int64_t home = settle(r, &lease), guest = join(r);
    (void)lend(r, home, 1);
    assert_int_equal(borrow(r, guest, 1, &lent), 1);
    for (int i = 0; i < 2; i++) {
        struct lease by = i == 0 ? lent : lease;
        struct store_finish o = {
            .op = RIG_OP(r),
            .job_id = RIG_JOB,
            .lease = by,
            .problem = &problem,
            .ids = {.id = "p", .job_id = RIG_JOB, .attempt = by.attempt_no, .created_ms = 1}};
        store_finish(r->store, &o);
        assert_int_equal(rig_wait(r, &o.op), ERR_OK);
        came_to[i] = o.ret_outcome;
    }
    assert_int_equal(came_to[0], OUTCOME_ACCEPTED);
    assert_int_equal(came_to[1], OUTCOME_DUPLICATE);
    assert_int_equal(rig_check(r), ERR_OK);
}

enum { CROWD = 1100, ROUNDS = 3 };

/* All of a crowd ask for their parts of one limit; what they have then. */
static int64_t crowd_asks(struct rig *r, const int64_t *workers, struct store_part *parts) {
    struct store_beat *beats = mem_new_array(CROWD, sizeof *beats);
    int64_t sum = 0;
    for (int i = 0; i < CROWD; i++) {
        parts[i] = (struct store_part){.name = "a", .demand = 10, .held = parts[i].ret_part};
        beats[i] = (struct store_beat){
            .op = RIG_OP(r), .worker = workers[i], .parts = &parts[i], .parts_n = 1};
        store_beat(r->store, &beats[i]);
    }
    loop_run(r->loop);
    for (int i = 0; i < CROWD; i++) {
        assert_int_equal(beats[i].op.err, ERR_OK);
        sum += parts[i].ret_part;
    }
    free(beats);
    return sum;
}

static bool crowd_is_served(const struct store_part *parts) {
    int served = 0;
    for (int i = 0; i < CROWD; i++) {
        served += parts[i].ret_part >= STORE_PART_WHOLE / CROWD / 2;
    }
    return served == CROWD;
}

static void test_each_of_more_than_a_thousand_workers_has_its_part_of_a_limit(void **state) {
    struct rig *r = *state;
    struct store_join *joins = mem_new_array(CROWD, sizeof *joins);
    struct store_part *parts = mem_new_array(CROWD, sizeof *parts);
    int64_t workers[CROWD];
    for (int i = 0; i < CROWD; i++) {
        joins[i] = (struct store_join){.op = RIG_OP(r), .name = S("here/1/0"), .slots = 1};
        store_join(r->store, &joins[i]);
    }
    loop_run(r->loop);
    for (int i = 0; i < CROWD; i++) {
        workers[i] = joins[i].ret_worker;
    }
    int64_t until_ms = clock_mono_ms() + 60000; /* where rounds take longer than parts are lent */
    for (int round = 0; round < ROUNDS || !crowd_is_served(parts); round++) {
        assert_true(crowd_asks(r, workers, parts) <= STORE_PART_WHOLE);
        assert_true(round < ROUNDS || clock_mono_ms() < until_ms);
    }
    free(joins);
    free(parts);
}

#define HOME_TEST(f) cmocka_unit_test_setup_teardown(f, rig_set_up, rig_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        HOME_TEST(test_a_job_is_at_home_with_one_worker),
        HOME_TEST(test_a_job_that_comes_home_tells_itself_and_brings_its_first_lease_once),
        HOME_TEST(test_a_leaving_worker_gives_its_leases_back_without_a_crash),
        HOME_TEST(test_a_leaving_worker_hears_what_was_asked_meanwhile),
        HOME_TEST(test_nothing_is_claimed_of_a_job_that_is_paused_or_cancelling),
        HOME_TEST(test_a_silent_worker_is_buried_and_its_ghost_changes_nothing),
        HOME_TEST(test_who_beats_is_not_buried),
        HOME_TEST(test_what_the_buried_was_to_cancel_is_cancelled),
        HOME_TEST(test_a_quitting_worker_leaves_no_crash_behind),
        HOME_TEST(test_an_attempt_that_buries_its_workers_is_set_aside_while_the_job_goes_on),
        HOME_TEST(test_a_new_process_finds_no_homes_and_no_cancelling_jobs),
        HOME_TEST(test_no_tenant_hides_another_from_those_who_look_for_work),
        HOME_TEST(test_guests_have_no_more_attempts_than_their_host_lends),
        HOME_TEST(test_who_lends_is_seen_by_those_who_look_for_work),
        HOME_TEST(test_a_dead_guests_attempts_go_on_at_home_and_nobody_elses),
        HOME_TEST(test_guests_outlive_the_home_of_a_job_but_not_its_end),
        HOME_TEST(test_a_problem_that_two_workers_found_is_accepted_once),
        HOME_TEST(test_each_of_more_than_a_thousand_workers_has_its_part_of_a_limit),
        HOME_TEST(test_whatever_workers_do_the_invariants_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
