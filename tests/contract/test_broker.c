/* What every broker promises, held over all of them (broker/broker.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/defs.h"
#include "broker_rig.h"

#include <pthread.h>
#include <stdio.h>

static struct eater other;

static void test_a_token_goes_to_who_asked_and_only_as_many_as_were_asked_for(void **state) {
    (void)state;
    publish(rig.b, "a", 0);
    publish(rig.b, "b", 0);
    publish(rig.b, "c", 0);
    eater_run(&rig.one, 1, 20);
    assert_int_equal(rig.one.n, 0);
    broker_want(rig.one.consumer, 2);
    eater_run(&rig.one, 2, LONG_MS);
    eater_run(&rig.one, 3, 200);
    assert_int_equal(rig.one.n, 2);
    assert_string_equal(rig.one.seen[0], "a");
    assert_string_equal(rig.one.seen[1], "b");
    assert_waiting(1);
}

static void test_the_highest_priority_goes_first_and_the_oldest_among_equals(void **state) {
    static const char *const order[] = {"urgent", "first", "second", "late"};
    (void)state;
    publish(rig.b, "late", -5);
    publish(rig.b, "first", 0);
    publish(rig.b, "second", 0);
    publish(rig.b, "urgent", 9);
    assert_waiting(4);
    publish(rig.b, "first", 0);   /* again: it keeps its place, */
    publish(rig.b, "urgent", -9); /* and what is higher */
    broker_want(rig.one.consumer, 4);
    eater_run(&rig.one, 4, LONG_MS);
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        assert_string_equal(rig.one.seen[i], order[i]);
    }
}

static void test_a_job_has_one_token_however_often_it_is_published(void **state) {
    (void)state;
    for (int i = 0; i < 1000; i++) {
        publish(rig.b, "again", i % 7);
    }
    if (!rig.backend->exact) { /* it has a second one where the priority was lower */
        broker_want(rig.one.consumer, 5);
        eater_run(&rig.one, 1, LONG_MS);
        eater_run(&rig.one, 3, 500);
        assert_in_range(rig.one.n, 1, 2);
        return;
    }
    assert_waiting(1);
    publish(rig.b, "other", 3);
    broker_want(rig.one.consumer, 5);
    eater_run(&rig.one, 2, LONG_MS);
    assert_int_equal(rig.one.n, 2);
    assert_string_equal(rig.one.seen[0], "again"); /* with its highest priority */
}

static void test_what_waits_is_bounded_and_the_lowest_is_dropped(void **state) {
    char id[BROKER_JOB_ID_BYTES];
    (void)state;
    publish(rig.b, "low", -1);
    for (size_t i = 0; i < BROKER_TOKENS_MAX; i++) {
        (void)snprintf(id, sizeof id, "job%zu", i);
        publish(rig.b, id, 0);
    }
    if (!rig.backend->exact) { /* it counts each priority by itself, and soon takes no more */
        for (int i = 0; i < 1000; i++) {
            (void)snprintf(id, sizeof id, "more%d", i);
            publish(rig.b, id, 0);
        }
        broker_want(rig.one.consumer, INT64_C(1) << 40);
        eater_run(&rig.one, (int)BROKER_TOKENS_MAX + 1, LONG_MS);
        eater_run(&rig.one, SEEN_MAX, 1000);
        assert_in_range(rig.one.n, BROKER_TOKENS_MAX + 1, BROKER_TOKENS_MAX + 500);
        return;
    }
    assert_waiting(BROKER_TOKENS_MAX);
    broker_want(rig.one.consumer, INT64_C(1) << 40);
    eater_run(&rig.one, (int)BROKER_TOKENS_MAX, LONG_MS);
    assert_int_equal(rig.one.n, BROKER_TOKENS_MAX);
    for (int i = 0; i < rig.one.n; i++) {
        assert_string_not_equal(rig.one.seen[i], "low");
    }
}

static void test_a_token_under_way_to_who_leaves_goes_to_another(void **state) {
    (void)state;
    eater_begin(&other, rig.b);
    broker_want(rig.one.consumer, 1);
    publish(rig.b, "a", 0);
    eater_leave(&rig.one); /* before its loop ran */
    broker_want(other.consumer, 1);
    eater_run(&other, 1, LONG_MS);
    assert_int_equal(other.n, 1);
    eater_run(&rig.one, 1, 20);
    assert_int_equal(rig.one.n, 0);
    eater_end(&other);
}

static void *publish_many(void *arg) {
    char id[BROKER_JOB_ID_BYTES];
    for (int i = 0; i < 2000; i++) {
        (void)snprintf(id, sizeof id, "%s%d", (const char *)arg, i);
        publish(rig.b, id, i % 3);
    }
    return NULL;
}

static void test_tokens_from_many_threads_all_arrive_once(void **state) {
    static const char *const names[] = {"a", "b", "c", "d"};
    pthread_t threads[ARRAY_LEN(names)];
    (void)state;
    broker_want(rig.one.consumer, INT64_C(1) << 40);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_int_equal(
            pthread_create(&threads[i], NULL, publish_many, (void *)(uintptr_t)names[i]), 0);
    }
    eater_run(&rig.one, 8000, LONG_MS);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(rig.one.n, 8000);
}

int main(void) {
    int failed = 0;
    for (size_t i = 0; i < BACKENDS; i++) {
        const struct CMUnitTest tests[] = {
            with_rig(test_a_token_goes_to_who_asked_and_only_as_many_as_were_asked_for),
            with_rig(test_the_highest_priority_goes_first_and_the_oldest_among_equals),
            with_rig(test_a_job_has_one_token_however_often_it_is_published),
            with_rig(test_what_waits_is_bounded_and_the_lowest_is_dropped),
            with_rig(test_a_token_under_way_to_who_leaves_goes_to_another),
            with_rig(test_tokens_from_many_threads_all_arrive_once),
        };
        rig_start(&backends[i], NULL);
        failed += _cmocka_run_group_tests(backends[i].name, tests, ARRAY_LEN(tests), NULL, NULL);
        rig_stop();
    }
    return failed;
}
