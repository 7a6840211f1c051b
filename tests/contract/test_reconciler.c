/* A broker may lose what it likes: every job that waits and has no home is told of again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "contract/store_rig.h"
#include "worker/reconciler.h"

#define SOON_MS 20000 /* on a slow machine; what is waited for ends the wait */
#define NEVER_MS 1500 /* longer than from one look to the next */

static struct {
    struct rig rig;    /* its loop is for the test's own operations */
    struct loop *loop; /* of reconciler and consumer */
    struct broker *broker;
    struct broker_consumer *consumer;
    struct reconciler *reconciler;
    int64_t worker;
    struct broker_token seen; /* the last one */
    bool told, over;
} r;

static void on_token(void *ctx, const struct broker_token *token) {
    (void)ctx;
    r.seen = *token;
    r.told = true;
    loop_stop(r.loop);
}

static void on_time(void *ctx) {
    (void)ctx;
    r.over = true;
    loop_stop(r.loop);
}

/* True if a worker that wants one is given a token within @ms. */
static bool told_within(int64_t ms) {
    struct loop_timer timer = {0};
    r.told = r.over = false;
    broker_want(r.consumer, 1);
    loop_timer_start(r.loop, &timer, ms, on_time, NULL);
    while (!r.told && !r.over) {
        loop_run(r.loop);
    }
    loop_timer_stop(&timer);
    return r.told;
}

/* True if no token comes any more but those that were published before. */
static bool falls_silent(void) {
    int late = 0;
    while (late < 3 && told_within(NEVER_MS)) {
        late++;
    }
    return late < 3;
}

static void begin(void) {
    r.broker = broker_local_new();
    r.consumer = broker_join(r.broker, r.loop, on_token, NULL);
    r.reconciler = reconciler_start(r.loop, r.rig.store, r.broker);
}

static void on_stopped(void *ctx) {
    (void)ctx;
    loop_stop(r.loop);
}

/* The loop runs no longer than until it is told: nothing may be under way then. */
static void end(void) {
    broker_leave(r.consumer);
    reconciler_stop(r.reconciler, on_stopped, NULL);
    loop_run(r.loop);
    broker_free(r.broker);
}

static int set_up(void **state) {
    (void)state;
    rig_init(&r.rig);
    if (rig_open(&r.rig) != ERR_OK) {
        return -1;
    }
    struct store_join join = {.op = RIG_OP(&r.rig), .name = S("here/1"), .slots = 1};
    store_join(r.rig.store, &join);
    if (rig_wait(&r.rig, &join.op) != ERR_OK) {
        return -1;
    }
    r.worker = join.ret_worker;
    r.loop = loop_new();
    begin();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    end();
    loop_free(r.loop);
    rig_release(&r.rig);
    return 0;
}

static void submit(const char *id, int64_t tenant, int64_t priority) {
    struct store_submit o = {.op = RIG_OP(&r.rig),
                             .job_id = id,
                             .tenant = tenant,
                             .priority = priority,
                             .spec = S("{\"num_problems\":7}"),
                             .wanted = 7};
    store_submit(r.rig.store, &o);
    assert_int_equal(rig_wait(&r.rig, &o.op), ERR_OK);
}

static void take(void) {
    struct store_take o = {
        .op = RIG_OP(&r.rig), .job_id = RIG_JOB, .worker = r.worker, .a = &r.rig.arena};
    store_take(r.rig.store, &o);
    assert_int_equal(rig_wait(&r.rig, &o.op), ERR_OK);
}

static void leave(void) {
    struct store_leave o = {
        .op = RIG_OP(&r.rig), .job_id = RIG_JOB, .worker = r.worker, .state = JOB_QUEUED};
    store_leave(r.rig.store, &o);
    assert_int_equal(rig_wait(&r.rig, &o.op), ERR_OK);
}

static void ask(enum store_wish wish) {
    struct store_ask o = {.op = RIG_OP(&r.rig), .job_id = RIG_JOB, .wish = wish};
    store_ask(r.rig.store, &o);
    assert_int_equal(rig_wait(&r.rig, &o.op), ERR_OK);
}

static void test_a_job_that_is_submitted_is_told_of_whole(void **state) {
    (void)state;
    assert_false(told_within(NEVER_MS));
    submit("job_9", 3, -2);
    assert_true(told_within(SOON_MS));
    assert_string_equal(r.seen.job_id, "job_9");
    assert_int_equal(r.seen.tenant, 3);
    assert_int_equal(r.seen.priority, -2);
}

static void test_a_token_that_was_lost_is_published_again(void **state) {
    (void)state;
    submit(RIG_JOB, 0, 0);
    for (int lost = 0; lost < 3; lost++) {
        assert_true(told_within(SOON_MS)); /* and nothing is done about it */
        assert_string_equal(r.seen.job_id, RIG_JOB);
    }
}

static void test_a_broker_that_is_wiped_learns_of_all_that_waits(void **state) {
    (void)state;
    submit(RIG_JOB, 0, 0);
    end();
    begin();
    assert_true(told_within(SOON_MS));
    assert_string_equal(r.seen.job_id, RIG_JOB);
}

static void test_it_has_not_stopped_before_the_store_has_answered_its_last_look(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++) {
        end(); /* it has just begun to look; what is still under way, loop_free() would find */
        loop_free(r.loop);
        r.loop = loop_new();
        begin();
    }
}

static void test_nobody_is_told_of_a_job_that_has_a_home_until_it_is_left(void **state) {
    (void)state;
    submit(RIG_JOB, 0, 0);
    assert_true(told_within(SOON_MS));
    take();
    assert_true(falls_silent());
    leave();
    assert_true(told_within(SOON_MS));
}

static void test_nobody_is_told_of_a_paused_job_until_it_is_resumed(void **state) {
    (void)state;
    submit(RIG_JOB, 0, 0);
    ask(STORE_PAUSE);
    assert_true(falls_silent());
    ask(STORE_RESUME);
    assert_true(told_within(SOON_MS));
}

#define reconciler_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        reconciler_test(test_a_job_that_is_submitted_is_told_of_whole),
        reconciler_test(test_a_token_that_was_lost_is_published_again),
        reconciler_test(test_a_broker_that_is_wiped_learns_of_all_that_waits),
        reconciler_test(test_it_has_not_stopped_before_the_store_has_answered_its_last_look),
        reconciler_test(test_nobody_is_told_of_a_job_that_has_a_home_until_it_is_left),
        reconciler_test(test_nobody_is_told_of_a_paused_job_until_it_is_resumed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
