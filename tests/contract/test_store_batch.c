/* What the store promises of batches: each call is awaited from the latest batch that it went in,
 * until its answer is in the ledger or its attempt has ended, whoever asks, whatever was killed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "contract/store_rig.h"
#include "store/store_batch.h"
#include "store/store_job.h"
#include "store/store_work.h"

#include <stdio.h>

#define BATCH_TEST(test) cmocka_unit_test_setup_teardown(test, rig_set_up, rig_tear_down)

static void intend(struct rig *r, const char *mark, const struct batch_call *calls, size_t n) {
    struct store_batch_intend op = {.op = RIG_OP(r),
                                    .job_id = RIG_JOB,
                                    .mark = str_of(mark),
                                    .model = S("sim/target"),
                                    .calls = calls,
                                    .n = n,
                                    .now_ms = 7};
    store_batch_intend(r->store, &op);
    assert_int_equal(rig_wait(r, &op.op), ERR_OK);
}

static void made(struct rig *r, const char *mark, const char *id) {
    struct store_batch_made op = {.op = RIG_OP(r), .mark = str_of(mark), .id = str_of(id)};
    store_batch_made(r->store, &op);
    assert_int_equal(rig_wait(r, &op.op), ERR_OK);
}

/* All that is awaited, as text: "MARK=ID:1.0,1.1 …". */
static const char *awaited(struct rig *r) {
    static char text[512];
    struct store_batches op = {.op = RIG_OP(r), .job_id = RIG_JOB, .a = &r->arena};
    size_t at = 0;
    store_batches(r->store, &op);
    assert_int_equal(rig_wait(r, &op.op), ERR_OK);
    text[0] = '\0';
    for (size_t i = 0; i < op.ret_n; i++) {
        const struct batch_row *row = &op.ret[i];
        assert_true(str_eq(row->model, S("sim/target")));
        assert_int_equal(row->created_ms, 7);
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%.*s=%.*s:", i > 0 ? " " : "",
                               STR_ARG(row->mark), STR_ARG(row->id));
        for (size_t j = 0; j < row->n; j++) {
            at += (size_t)snprintf(text + at, sizeof text - at, "%s%d.%d", j > 0 ? "," : "",
                                   (int)row->calls[j].attempt_no, (int)row->calls[j].call_no);
        }
    }
    return text;
}

static void begin(struct rig *r, int64_t n, struct lease *ret) {
    int64_t got;
    assert_int_equal(rig_submit(r, 100), ERR_OK);
    assert_int_equal(rig_claim(r, n, 0, ret, &got), ERR_OK);
    assert_int_equal(got, n);
}

static void test_a_call_is_awaited_until_its_answer_is_in_the_ledger(void **state) {
    struct rig *r = *state;
    struct lease leases[3];
    begin(r, 3, leases);
    assert_string_equal(awaited(r), "");
    intend(r, "a", (struct batch_call[]){{1, 0}, {2, 0}, {3, 0}}, 3);
    assert_string_equal(awaited(r), "a=:1.0,2.0,3.0");
    made(r, "a", "batch_7");
    assert_string_equal(awaited(r), "a=batch_7:1.0,2.0,3.0");
    assert_int_equal(rig_record(r, leases[1], 0, S("paid")), ERR_OK);
    assert_string_equal(awaited(r), "a=batch_7:1.0,3.0");
    assert_int_equal(rig_finish(r, leases[0], OUTCOME_FAILED, NULL), ERR_OK); /* it had given up */
    assert_string_equal(awaited(r), "a=batch_7:3.0");
    rig_succeed(r);
    assert_string_equal(awaited(r), "a=batch_7:3.0");
    assert_int_equal(rig_record(r, rig_claim_one(r), 0, S("paid")), ERR_OK); /* of attempt 2 */
    assert_int_equal(rig_record(r, rig_claim_one(r), 0, S("paid")), ERR_OK);
    assert_string_equal(awaited(r), "");
}

static void test_a_call_is_awaited_from_the_latest_batch_alone(void **state) {
    struct rig *r = *state;
    struct lease leases[2];
    begin(r, 2, leases);
    intend(r, "a", (struct batch_call[]){{1, 0}, {2, 0}}, 2);
    made(r, "a", "one");
    intend(r, "b", (struct batch_call[]){{2, 0}}, 1); /* it had expired, say */
    assert_string_equal(awaited(r), "a=one:1.0 b=:2.0");
    intend(r, "c", (struct batch_call[]){{1, 0}, {2, 0}}, 2);
    assert_string_equal(awaited(r), "c=:1.0,2.0");
    made(r, "a", "late"); /* forgotten */
    made(r, "c", "three");
    assert_string_equal(awaited(r), "c=three:1.0,2.0");
}

static void test_an_answer_under_a_lost_lease_is_still_awaited(void **state) {
    struct rig *r = *state;
    struct lease lease;
    begin(r, 1, &lease);
    intend(r, "a", (struct batch_call[]){{1, 0}}, 1);
    rig_succeed(r);
    assert_int_equal(rig_record(r, lease, 0, S("paid")), ERR_STALE);
    assert_string_equal(awaited(r), "a=:1.0");
}

static void test_waiting_for_a_batch_is_no_crash_however_often_it_is_killed(void **state) {
    struct rig *r = *state;
    struct lease leases[2];
    begin(r, 2, leases);
    intend(r, "a", (struct batch_call[]){{1, 0}}, 1);
    for (int kills = 0; kills < 6; kills++) {
        int64_t n;
        rig_succeed(r);
        assert_int_equal(rig_claim(r, 2, 2, leases, &n), ERR_OK);
        assert_int_equal(n, kills < 2 ? 2 : 1); /* the other one may be what crashes */
        assert_int_equal(leases[0].attempt_no, 1);
        assert_int_equal(leases[0].crashes, 0);
    }
    assert_string_equal(awaited(r), "a=:1.0");
}

/* --- cancelled with batches under way */

static int64_t join(struct rig *r) {
    struct store_join o = {.op = RIG_OP(r), .name = S("here"), .slots = 4};
    store_join(r->store, &o);
    assert_int_equal(rig_wait(r, &o.op), ERR_OK);
    return o.ret_worker;
}

static enum job_state take(struct rig *r, int64_t worker) {
    struct store_take o = {.op = RIG_OP(r), .job_id = RIG_JOB, .worker = worker, .a = &r->arena};
    store_take(r->store, &o);
    assert_int_equal(rig_wait(r, &o.op), ERR_OK);
    return o.ret.state;
}

static enum job_state leave(struct rig *r, int64_t worker, enum job_state state) {
    struct store_leave o = {
        .op = RIG_OP(r), .job_id = RIG_JOB, .worker = worker, .state = state, .reason = S("")};
    store_leave(r->store, &o);
    assert_int_equal(rig_wait(r, &o.op), ERR_OK);
    return o.ret_state;
}

static enum job_state ask(struct rig *r, enum store_wish wish) {
    struct store_ask o = {.op = RIG_OP(r),
                          .job_id = RIG_JOB,
                          .tenant = STORE_TENANT_ANY,
                          .wish = wish,
                          .reason = S("")};
    store_ask(r->store, &o);
    assert_int_equal(rig_wait(r, &o.op), ERR_OK);
    return o.ret_state;
}

static enum err claim(struct rig *r, int64_t worker, bool again, struct lease *ret,
                      int64_t *ret_n) {
    struct store_claim o = {
        .op = RIG_OP(r), .job_id = RIG_JOB, .worker = worker, .n = 5, .again = again, .ret = ret};
    store_claim(r->store, &o);
    enum err e = rig_wait(r, &o.op);
    *ret_n = o.ret_n;
    return e;
}

static size_t runnable(struct rig *r) {
    static struct runnable_row rows[STORE_RUNNABLE_MAX];
    struct store_runnable o = {.op = RIG_OP(r), .each_max = 10, .ret = rows};
    store_runnable(r->store, &o);
    assert_int_equal(rig_wait(r, &o.op), ERR_OK);
    return o.ret_n;
}

/* Paused with attempts 1 and 2 in a batch, then cancelled; nobody has it. */
static void cancel_without_a_home(struct rig *r) {
    struct lease leases[2];
    begin(r, 2, leases);
    intend(r, "a", (struct batch_call[]){{1, 0}, {2, 0}}, 2);
    assert_int_equal(rig_release_leases(r, leases, 2), ERR_OK);
    assert_int_equal(ask(r, STORE_PAUSE), JOB_PAUSED);
    assert_int_equal(runnable(r), 0);
    assert_int_equal(ask(r, STORE_CANCEL), JOB_CANCELLING);
}

static void
test_a_job_cancelled_without_a_home_is_work_until_its_batches_are_seen_to(void **state) {
    struct rig *r = *state;
    struct lease leases[5];
    int64_t n, worker = join(r);
    cancel_without_a_home(r);
    assert_int_equal(ask(r, STORE_RESUME), JOB_CANCELLING);
    assert_int_equal(runnable(r), 1);
    assert_int_equal(take(r, worker), JOB_CANCELLING);
    assert_int_equal(runnable(r), 0);
    assert_int_equal(rig_job(r, &r->arena).state, JOB_CANCELLING);
    assert_int_equal(claim(r, worker, false, leases, &n), ERR_CONFLICT);
    assert_int_equal(claim(r, worker, true, leases, &n), ERR_OK);
    assert_int_equal(n, 2); /* none is new */
    assert_int_equal(rig_record(r, leases[0], 0, S("paid")), ERR_OK);
    assert_int_equal(leave(r, worker, JOB_CANCELLED), JOB_CANCELLED);
    assert_int_equal(runnable(r), 0);
    assert_int_equal(rig_job(r, &r->arena).calls, 1);
}

static void test_whoever_dies_or_is_drained_leaves_its_cancelling_to_the_next(void **state) {
    struct rig *r = *state;
    int64_t worker = join(r);
    cancel_without_a_home(r);
    assert_int_equal(take(r, worker), JOB_CANCELLING);
    assert_int_equal(leave(r, worker, JOB_QUEUED), JOB_CANCELLING);
    assert_int_equal(runnable(r), 1);
    assert_int_equal(take(r, worker), JOB_CANCELLING);
    rig_succeed(r);
    assert_int_equal(rig_job(r, &r->arena).state, JOB_CANCELLING);
    assert_int_equal(runnable(r), 1);
    worker = join(r);
    assert_int_equal(take(r, worker), JOB_CANCELLING);
    assert_int_equal(leave(r, worker, JOB_FAILED), JOB_CANCELLED); /* it knows no such model, say */
}

static void test_a_job_that_awaits_nothing_is_cancelled_at_once(void **state) {
    struct rig *r = *state;
    struct lease lease;
    begin(r, 1, &lease);
    intend(r, "a", (struct batch_call[]){{1, 0}}, 1);
    assert_int_equal(rig_record(r, lease, 0, S("paid")), ERR_OK);
    assert_int_equal(ask(r, STORE_PAUSE), JOB_PAUSED);
    assert_int_equal(ask(r, STORE_CANCEL), JOB_CANCELLED);
}

static void test_a_job_that_is_not_there_has_no_batches(void **state) {
    struct rig *r = *state;
    struct store_batches read = {.op = RIG_OP(r), .job_id = "job_0", .a = &r->arena};
    store_batches(r->store, &read);
    assert_int_equal(rig_wait(r, &read.op), ERR_NOT_FOUND);
    struct store_batch_intend op = {.op = RIG_OP(r),
                                    .job_id = "job_0",
                                    .mark = S("a"),
                                    .model = S("m"),
                                    .calls = (struct batch_call[]){{1, 0}},
                                    .n = 1};
    store_batch_intend(r->store, &op);
    assert_int_equal(rig_wait(r, &op.op), ERR_NOT_FOUND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BATCH_TEST(test_a_call_is_awaited_until_its_answer_is_in_the_ledger),
        BATCH_TEST(test_a_call_is_awaited_from_the_latest_batch_alone),
        BATCH_TEST(test_an_answer_under_a_lost_lease_is_still_awaited),
        BATCH_TEST(test_waiting_for_a_batch_is_no_crash_however_often_it_is_killed),
        BATCH_TEST(test_a_job_cancelled_without_a_home_is_work_until_its_batches_are_seen_to),
        BATCH_TEST(test_whoever_dies_or_is_drained_leaves_its_cancelling_to_the_next),
        BATCH_TEST(test_a_job_that_awaits_nothing_is_cancelled_at_once),
        BATCH_TEST(test_a_job_that_is_not_there_has_no_batches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
