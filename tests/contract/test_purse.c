/* What a key may spend in a day is never passed, whichever workers its jobs are with: purses in the
 * store, and what a worker does with its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "contract/store_rig.h"

#include "store/store_key.h"
#include "worker/purse.h"

#include <stdio.h>
#include <unistd.h>

#define CALL_NUSD 7 /* what rig_call() costs */
#define DAY_NUSD 100

static int64_t add_key(struct rig *r, const char *id, int64_t day_nusd_max) {
    struct store_key_add o = {.op = RIG_OP(r),
                              .key = {.scopes = STORE_SCOPE_SUBMIT, .day_nusd_max = day_nusd_max}};
    (void)snprintf(o.key.id, sizeof o.key.id, "%s", id);
    (void)snprintf(o.key.hash, sizeof o.key.hash, "%s", id);
    store_key_add(r->store, &o);
    assert_int_equal(rig_wait(r, &o.op), ERR_OK);
    return o.key.number;
}

static int64_t join(struct rig *r) {
    struct store_join o = {.op = RIG_OP(r), .name = S("here/1/0"), .slots = 4};
    store_join(r->store, &o);
    assert_int_equal(rig_wait(r, &o.op), ERR_OK);
    return o.ret_worker;
}

/* What is in the worker's purse now. */
static int64_t fill(struct rig *r, int64_t tenant, int64_t worker, int64_t keep, int64_t need,
                    int64_t want, int64_t *ret_others) {
    struct store_purse o = {.op = RIG_OP(r),
                            .tenant = tenant,
                            .worker = worker,
                            .keep_nusd = keep,
                            .need_nusd = need,
                            .want_nusd = want};
    store_purse(r->store, &o);
    assert_int_equal(rig_wait(r, &o.op), ERR_OK);
    if (ret_others != NULL) {
        *ret_others = o.ret_others_nusd;
    }
    return o.ret_nusd;
}

/* A job of @tenant at home with @worker, and a lease of it. */
static struct lease lease_of(struct rig *r, int64_t tenant, int64_t worker) {
    struct lease lease;
    struct store_submit submit = {
        .op = RIG_OP(r), .job_id = RIG_JOB, .tenant = tenant, .spec = S("{}"), .wanted = 9};
    store_submit(r->store, &submit);
    assert_int_equal(rig_wait(r, &submit.op), ERR_OK);
    struct store_take take = {.op = RIG_OP(r), .job_id = RIG_JOB, .worker = worker, .a = &r->arena};
    store_take(r->store, &take);
    assert_int_equal(rig_wait(r, &take.op), ERR_OK);
    struct store_claim claim = {
        .op = RIG_OP(r), .job_id = RIG_JOB, .worker = worker, .n = 1, .ret = &lease};
    store_claim(r->store, &claim);
    assert_int_equal(rig_wait(r, &claim.op), ERR_OK);
    assert_int_equal(lease.worker, worker);
    return lease;
}

/* --- in the store */

static void test_purses_and_what_is_spent_never_pass_the_keys_day(void **state) {
    struct rig *r = *state;
    int64_t key = add_key(r, "key_1", DAY_NUSD), others;
    int64_t a = join(r), b = join(r);
    struct lease lease = lease_of(r, key, a);
    assert_int_equal(fill(r, key, a, 0, 10, 60, &others), 60);
    assert_int_equal(others, 0);
    assert_int_equal(fill(r, key, b, 0, 50, 80, &others), 0);
    assert_int_equal(others, 60);
    assert_int_equal(fill(r, key, b, 0, 30, 80, NULL), 40);
    assert_int_equal(rig_record(r, lease, 1, S("x")), ERR_OK);
    assert_int_equal(fill(r, key, b, 40, 41, 80, &others), 40); /* what was spent is no room */
    assert_int_equal(others, 60 - CALL_NUSD);
    assert_int_equal(fill(r, key, a, 0, 0, 0, NULL), 0);
    assert_int_equal(fill(r, key, b, 40, 41, 200, NULL), DAY_NUSD - CALL_NUSD);
    assert_int_equal(fill(r, key, a, 0, 1, 1, NULL), 0);
}

static void test_another_keys_purses_and_a_key_without_a_limit_are_nothing_to_it(void **state) {
    struct rig *r = *state;
    int64_t one = add_key(r, "key_1", DAY_NUSD), two = add_key(r, "key_2", DAY_NUSD);
    int64_t free = add_key(r, "key_3", 0), a = join(r), others;
    assert_int_equal(fill(r, one, a, 0, 1, 1000, NULL), DAY_NUSD);
    assert_int_equal(fill(r, two, a, 0, 1, 1000, NULL), DAY_NUSD);
    assert_int_equal(fill(r, free, a, 0, 1000, 2000, NULL), 2000);
    assert_int_equal(fill(r, free, join(r), 0, 1000, 2000, &others), 2000);
    assert_int_equal(others, 0);
}

static void
test_a_purse_goes_with_a_worker_that_quits_and_stays_set_aside_of_a_dead_one(void **state) {
    struct rig *r = *state;
    int64_t key = add_key(r, "key_1", DAY_NUSD), others;
    int64_t quitter = join(r), dead = join(r);
    assert_int_equal(fill(r, key, quitter, 0, 50, 50, NULL), 50);
    assert_int_equal(fill(r, key, dead, 0, 30, 30, NULL), 30);
    struct store_quit quit = {.op = RIG_OP(r), .worker = quitter};
    store_quit(r->store, &quit);
    assert_int_equal(rig_wait(r, &quit.op), ERR_OK);
    rig_succeed(r); /* the process is gone, and all its workers are dead */
    int64_t next = join(r);
    assert_int_equal(fill(r, key, next, 0, 71, 200, &others), 0);
    assert_int_equal(others, 0); /* nobody will give that back */
    assert_int_equal(fill(r, key, next, 0, 70, 200, NULL), 70);
}

static void test_what_is_spent_after_a_purse_was_asked_for_comes_out_of_it(void **state) {
    struct rig *r = *state;
    int64_t key = add_key(r, "key_1", DAY_NUSD), a = join(r), b = join(r), others;
    struct lease lease = lease_of(r, key, a);
    assert_int_equal(fill(r, key, a, 0, 20, 20, NULL), 20);
    struct ledger_call call = rig_call(lease.attempt_no, 1, S("x"));
    struct store_purse ask = {.op = RIG_OP(r),
                              .tenant = key,
                              .worker = a,
                              .keep_nusd = 20,
                              .need_nusd = DAY_NUSD,
                              .want_nusd = DAY_NUSD};
    struct store_record record = {
        .op = RIG_OP(r), .job_id = RIG_JOB, .lease = lease, .call = &call};
    store_purse(r->store, &ask);
    store_record(r->store, &record); /* perhaps in one transaction, perhaps in two */
    assert_int_equal(rig_wait(r, &record.op), ERR_OK);
    assert_int_equal(ask.op.err, ERR_OK);
    assert_int_equal(ask.ret_nusd, DAY_NUSD);
    assert_int_equal(fill(r, key, b, 0, 1, 1, &others), 0);
    assert_int_equal(others, DAY_NUSD - CALL_NUSD);
}

/* --- in a worker */

struct owner {
    struct rig *rig;
    struct purses purses;
    int told, gone;
};

static void on_told(void *ctx, const struct purse *p) {
    struct owner *o = ctx;
    o->told += p != NULL;
    o->gone += p == NULL;
}

static void own(struct owner *o, struct rig *r) {
    *o = (struct owner){.rig = r,
                        .purses = {.loop = r->loop, .store = r->store, .told = on_told, .ctx = o}};
}

/* Reserve, if need be after having asked. */
static bool reserve(struct owner *o, struct purse *p, int64_t nusd) {
    if (purse_reserve(p, nusd)) {
        return true;
    }
    int told = o->told;
    purse_ask(p, 1);
    loop_run(o->rig->loop);
    assert_int_equal(o->told, told + 1);
    return purse_reserve(p, nusd);
}

static void test_workers_of_a_key_together_spend_no_more_than_its_day(void **state) {
    struct rig *r = *state;
    struct owner a, b;
    int64_t key = add_key(r, "key_1", DAY_NUSD);
    own(&a, r);
    own(&b, r);
    struct purse *one = purse_get(&a.purses, key, join(r));
    struct purse *two = purse_get(&b.purses, key, join(r));
    assert_true(reserve(&a, one, 60));
    assert_false(reserve(&b, two, 60));
    assert_false(purse_is_spent(two)); /* something may come back */
    purse_release(one, 60);
    purse_rest(one); /* nothing needs it */
    loop_run(r->loop);
    assert_true(purse_reserve(NULL, 1));
    purse_release(two, 0); /* … and now it is there */
    assert_true(reserve(&b, two, 60));
    purse_release(two, 60);
    purse_put(one);
    purse_put(two);
    loop_run(r->loop);
    assert_true(purses_are_gone(&a.purses) && purses_are_gone(&b.purses));
    assert_int_equal(a.gone + b.gone, 2);
    assert_int_equal(fill(r, key, join(r), 0, DAY_NUSD, DAY_NUSD, NULL), DAY_NUSD);
}

/* Settle a call, and record it. */
static void pay(struct rig *r, struct purse *p, struct lease lease, int64_t reserved_nusd,
                int64_t cost_nusd) {
    struct ledger_call call = rig_call(lease.attempt_no, cost_nusd, S("x"));
    struct store_record o = {.op = RIG_OP(r), .job_id = RIG_JOB, .lease = lease, .call = &call};
    call.answer.cost_nusd = cost_nusd;
    purse_settle(p, reserved_nusd, cost_nusd);
    store_record(r->store, &o);
    assert_int_equal(rig_wait(r, &o.op), ERR_OK);
}

static void
test_a_day_is_spent_where_the_rest_pays_for_no_call_and_nothing_comes_back(void **state) {
    struct rig *r = *state;
    struct owner a;
    own(&a, r);
    int64_t key = add_key(r, "key_1", DAY_NUSD), worker = join(r);
    struct lease lease = lease_of(r, key, worker);
    struct purse *p = purse_get(&a.purses, key, worker);
    assert_true(reserve(&a, p, 90));
    assert_false(reserve(&a, p, 90));
    assert_false(purse_is_spent(p)); /* what is set aside may come back */
    pay(r, p, lease, 90, 50);
    assert_true(purse_reserve(p, 40)); /* no need to ask */
    pay(r, p, lease, 40, 40);
    assert_false(reserve(&a, p, 90));
    assert_true(purse_is_spent(p));
    purse_put(p);
    loop_run(r->loop);
    assert_true(purses_are_gone(&a.purses));
}

#define TOLD_MAX 20

/* Two jobs of a key, each with a call that waits; the dearer one's turn comes first. */
struct queue {
    struct purses purses;
    struct purse *purse;
    int told;
    bool cheap_goes;
};

static void queue_pump(struct queue *q) {
    if (!purse_reserve(q->purse, 60)) {
        purse_ask(q->purse, 1);
    }
    if (!q->cheap_goes && !purse_reserve(q->purse, 30)) {
        purse_ask(q->purse, 1);
    } else {
        q->cheap_goes = true;
    }
}

static void on_queue_told(void *ctx, const struct purse *p) {
    struct queue *q = ctx;
    if (p != NULL && ++q->told < TOLD_MAX) {
        queue_pump(q);
    }
}

static void test_a_call_that_costs_more_than_is_left_keeps_nothing_from_the_others(void **state) {
    struct rig *r = *state;
    struct queue q = {
        .purses = {.loop = r->loop, .store = r->store, .told = on_queue_told, .ctx = &q}};
    int64_t key = add_key(r, "key_1", DAY_NUSD), worker = join(r);
    assert_int_equal(fill(r, key, join(r), 0, 55, 55, NULL), 55);
    q.purse = purse_get(&q.purses, key, worker);
    for (int i = 0; i < 4 && !q.cheap_goes; i++) {
        queue_pump(&q);
        loop_run(r->loop);
        (void)usleep(410000); /* who was refused asks again after a while */
    }
    assert_true(q.told < TOLD_MAX); /* or they ask for ever */
    assert_true(q.cheap_goes);
    purse_release(q.purse, 30);
    purse_put(q.purse);
    loop_run(r->loop);
    assert_true(purses_are_gone(&q.purses));
}

#define PURSE_TEST(name) cmocka_unit_test_setup_teardown(name, rig_set_up, rig_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        PURSE_TEST(test_purses_and_what_is_spent_never_pass_the_keys_day),
        PURSE_TEST(test_another_keys_purses_and_a_key_without_a_limit_are_nothing_to_it),
        PURSE_TEST(test_a_purse_goes_with_a_worker_that_quits_and_stays_set_aside_of_a_dead_one),
        PURSE_TEST(test_what_is_spent_after_a_purse_was_asked_for_comes_out_of_it),
        PURSE_TEST(test_workers_of_a_key_together_spend_no_more_than_its_day),
        PURSE_TEST(test_a_day_is_spent_where_the_rest_pays_for_no_call_and_nothing_comes_back),
        PURSE_TEST(test_a_call_that_costs_more_than_is_left_keeps_nothing_from_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
