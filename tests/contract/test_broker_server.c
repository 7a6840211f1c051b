/* What every broker with a server promises beyond test_broker.c: processes meet there, and work
 * goes on without it. Each broker stands for a process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/defs.h"
#include "broker_rig.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>

static struct broker *there;
static struct eater other;

static int set_up(void **state) {
    (void)rig_set_up(state);
    there = backend_open(rig.backend, &rig.server, rig.fleet);
    eater_begin(&other, there);
    return 0;
}

static int tear_down(void **state) {
    eater_end(&other);
    broker_free(there);
    return rig_tear_down(state);
}

static void test_a_token_goes_to_another_process_that_wants_one(void **state) {
    char id[BROKER_JOB_ID_BYTES];
    (void)state;
    broker_want(other.consumer, 1000);
    for (int i = 0; i < 100; i++) {
        (void)snprintf(id, sizeof id, "job%d", i);
        publish(rig.b, id, 0);
        eater_run(&other, i + 1, LONG_MS);
        assert_int_equal(other.n, i + 1);
        assert_string_equal(other.seen[i], id);
    }
}

static void test_each_token_goes_to_one_of_many_that_want_them(void **state) {
    char id[BROKER_JOB_ID_BYTES];
    int64_t until_ms = clock_mono_ms() + LONG_MS;
    (void)state;
    broker_want(rig.one.consumer, 150);
    broker_want(other.consumer, 150);
    for (int i = 0; i < 300; i++) {
        (void)snprintf(id, sizeof id, "job%d", i);
        publish(rig.b, id, 0);
    }
    while (rig.one.n + other.n < 300 && clock_mono_ms() < until_ms) {
        eater_run(&rig.one, -1, 10);
        eater_run(&other, -1, 10);
    }
    assert_int_equal(rig.one.n, 150);
    assert_int_equal(other.n, 150);
}

static void test_after_a_wipe_tokens_go_on(void **state) {
    (void)state;
    publish(rig.b, "lost", 0);
    broker_want(other.consumer, 1);
    eater_run(&other, 1, LONG_MS);
    broker_want(rig.one.consumer, 10); /* waits at the server */
    eater_run(&rig.one, 1, 50);
    rig.backend->wipe(&rig.server, rig.fleet);
    publish(there, "next", 0);
    eater_run(&rig.one, 1, LONG_MS);
    assert_int_equal(rig.one.n, 1);
    assert_string_equal(rig.one.seen[0], "next");
    await_broker(rig.b, is_well);
}

static void test_while_the_server_is_away_tokens_pass_within_the_process(void **state) {
    (void)state;
    server_stop(&rig.server, rig.backend->stop);
    await_broker(rig.b, is_degraded);
    await_broker(there, is_degraded);
    broker_want(rig.one.consumer, 1);
    publish(rig.b, "near", 0);
    eater_run(&rig.one, 1, LONG_MS);
    assert_int_equal(rig.one.n, 1);
    publish(rig.b, "kept", 0); /* nobody here wants it */
    broker_want(other.consumer, 1);
    eater_run(&other, 1, 50);
    assert_int_equal(other.n, 0);

    rig.backend->start(&rig.server, NULL);
    await_broker(rig.b, is_well);
    await_broker(there, is_well);
    eater_run(&other, 1, LONG_MS);
    assert_int_equal(other.n, 1);
    assert_string_equal(other.seen[0], "kept");
}

static void test_a_server_that_answers_nothing_is_as_one_that_is_away(void **state) {
    (void)state;
    broker_want(rig.one.consumer, 1);
    server_signal(&rig.server, SIGSTOP);
    publish(rig.b, "near", 0);
    eater_run(&rig.one, 1, LONG_MS);
    assert_int_equal(rig.one.n, 1);
    assert_non_null(broker_degraded(rig.b));
    server_signal(&rig.server, SIGCONT);
    await_broker(rig.b, is_well);
}

static void test_what_was_given_and_not_acknowledged_is_handed_in_again_at_the_end(void **state) {
    (void)state;
    rig.one.silent = true;
    broker_want(rig.one.consumer, 1);
    publish(there, "again", 0);
    eater_run(&rig.one, 1, LONG_MS);
    assert_int_equal(rig.one.n, 1);
    broker_want(other.consumer, 1);
    eater_run(&other, 1, 100);
    assert_int_equal(other.n, 0);
    eater_leave(&rig.one);
    eater_run(&other, 1, LONG_MS);
    assert_int_equal(other.n, 1);
    assert_string_equal(other.seen[0], "again");
}

/* Each time at another moment of what the thread does with the first. */
static void test_what_waits_at_the_end_is_given_to_the_server(void **state) {
    char id[BROKER_JOB_ID_BYTES];
    (void)state;
    broker_want(other.consumer, 80);
    for (int i = 0; i < 40; i++) {
        struct broker *brief = backend_open(rig.backend, &rig.server, rig.fleet);
        (void)snprintf(id, sizeof id, "first%d", i);
        publish(brief, id, 0);
        (void)nanosleep(&(struct timespec){.tv_nsec = i * 25000}, NULL);
        (void)snprintf(id, sizeof id, "last%d", i);
        publish(brief, id, 0);
        broker_free(brief);
    }
    eater_run(&other, 80, LONG_MS);
    assert_int_equal(other.n, 80);
}

#define server_test(name)                                                                          \
    { #name, name, set_up, tear_down, NULL }

int main(void) {
    int failed = 0;
    for (size_t i = 1; i < BACKENDS; i++) {
        const struct CMUnitTest tests[] = {
            server_test(test_a_token_goes_to_another_process_that_wants_one),
            server_test(test_each_token_goes_to_one_of_many_that_want_them),
            server_test(test_after_a_wipe_tokens_go_on),
            server_test(test_while_the_server_is_away_tokens_pass_within_the_process),
            server_test(test_a_server_that_answers_nothing_is_as_one_that_is_away),
            server_test(test_what_was_given_and_not_acknowledged_is_handed_in_again_at_the_end),
            server_test(test_what_waits_at_the_end_is_given_to_the_server),
        };
        rig_start(&backends[i], NULL);
        failed += _cmocka_run_group_tests(backends[i].name, tests, ARRAY_LEN(tests), NULL, NULL);
        rig_stop();
    }
    return failed;
}
