/* What every broker promises, held over all of them (broker/broker.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/defs.h"
#include "broker_rig.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#define LONG_MS 20000 /* on a slow machine; what is waited for ends the wait */

static const struct backend *backend;
static struct broker *b;
static struct eater one, other;
static struct server server;

/* Tokens that wait, here or at a server: what it says @n to be at once, or soon. */
static void assert_waiting(size_t n) {
    int64_t until_ms = clock_mono_ms() + SOON_MS;
    while (broker_waiting(b) != n && clock_mono_ms() < until_ms && backend->start != NULL) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    assert_int_equal(broker_waiting(b), n);
}

/* Each test has a fleet of its own. */
static int set_up(void **state) {
    static int n;
    char fleet[24];
    backend = *state;
    (void)snprintf(fleet, sizeof fleet, "fleet%d", ++n);
    b = backend_open(backend, &server, fleet);
    eater_begin(&one, b);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    eater_end(&one);
    broker_free(b);
    return 0;
}

static void test_a_token_goes_to_who_asked_and_only_as_many_as_were_asked_for(void **state) {
    (void)state;
    publish(b, "a", 0);
    publish(b, "b", 0);
    publish(b, "c", 0);
    eater_run(&one, 1, 20);
    assert_int_equal(one.n, 0);
    broker_want(one.consumer, 2);
    eater_run(&one, 3, 500);
    assert_int_equal(one.n, 2);
    assert_string_equal(one.seen[0], "a");
    assert_string_equal(one.seen[1], "b");
    assert_waiting(1);
}

static void test_the_highest_priority_goes_first_and_the_oldest_among_equals(void **state) {
    static const char *const order[] = {"urgent", "first", "second", "late"};
    (void)state;
    publish(b, "late", -5);
    publish(b, "first", 0);
    publish(b, "second", 0);
    publish(b, "urgent", 9);
    assert_waiting(4);
    publish(b, "first", 0);   /* again: it keeps its place, */
    publish(b, "urgent", -9); /* and what is higher */
    broker_want(one.consumer, 4);
    eater_run(&one, 4, 1000);
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        assert_string_equal(one.seen[i], order[i]);
    }
}

static void test_a_job_has_one_token_however_often_it_is_published(void **state) {
    (void)state;
    for (int i = 0; i < 1000; i++) {
        publish(b, "again", i % 7);
    }
    if (!backend->exact) { /* it has a second one where the priority was lower */
        broker_want(one.consumer, 5);
        eater_run(&one, 3, 500);
        assert_in_range(one.n, 1, 2);
        return;
    }
    assert_waiting(1);
    publish(b, "other", 3);
    broker_want(one.consumer, 5);
    eater_run(&one, 2, 1000);
    assert_int_equal(one.n, 2);
    assert_string_equal(one.seen[0], "again"); /* with its highest priority */
}

static void test_what_waits_is_bounded_and_the_lowest_is_dropped(void **state) {
    char id[BROKER_JOB_ID_BYTES];
    (void)state;
    publish(b, "low", -1);
    for (size_t i = 0; i < BROKER_TOKENS_MAX; i++) {
        (void)snprintf(id, sizeof id, "job%zu", i);
        publish(b, id, 0);
    }
    if (!backend->exact) { /* it counts each priority by itself, and soon takes no more */
        for (int i = 0; i < 1000; i++) {
            (void)snprintf(id, sizeof id, "more%d", i);
            publish(b, id, 0);
        }
        broker_want(one.consumer, INT64_C(1) << 40);
        eater_run(&one, (int)BROKER_TOKENS_MAX + 1, LONG_MS);
        eater_run(&one, SEEN_MAX, 1000);
        assert_in_range(one.n, BROKER_TOKENS_MAX + 1, BROKER_TOKENS_MAX + 500);
        return;
    }
    assert_waiting(BROKER_TOKENS_MAX);
    broker_want(one.consumer, INT64_C(1) << 40);
    eater_run(&one, (int)BROKER_TOKENS_MAX, LONG_MS);
    assert_int_equal(one.n, BROKER_TOKENS_MAX);
    for (int i = 0; i < one.n; i++) {
        assert_string_not_equal(one.seen[i], "low");
    }
}

static void test_a_token_under_way_to_who_leaves_goes_to_another(void **state) {
    (void)state;
    eater_begin(&other, b);
    broker_want(one.consumer, 1);
    publish(b, "a", 0);
    eater_leave(&one); /* before its loop ran */
    broker_want(other.consumer, 1);
    eater_run(&other, 1, 1000);
    assert_int_equal(other.n, 1);
    eater_run(&one, 1, 20);
    assert_int_equal(one.n, 0);
    eater_end(&other);
}

static void *publish_many(void *arg) {
    char id[BROKER_JOB_ID_BYTES];
    for (int i = 0; i < 2000; i++) {
        (void)snprintf(id, sizeof id, "%s%d", (const char *)arg, i);
        publish(b, id, i % 3);
    }
    return NULL;
}

static void test_tokens_from_many_threads_all_arrive_once(void **state) {
    static const char *const names[] = {"a", "b", "c", "d"};
    pthread_t threads[ARRAY_LEN(names)];
    (void)state;
    broker_want(one.consumer, INT64_C(1) << 40);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_int_equal(
            pthread_create(&threads[i], NULL, publish_many, (void *)(uintptr_t)names[i]), 0);
    }
    eater_run(&one, 8000, 10000);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(one.n, 8000);
}

#define broker_test(name)                                                                          \
    { #name, name, set_up, tear_down, (void *)(uintptr_t)&backends[i] }

int main(void) {
    int failed = 0;
    for (size_t i = 0; i < ARRAY_LEN(backends); i++) {
        const struct CMUnitTest tests[] = {
            broker_test(test_a_token_goes_to_who_asked_and_only_as_many_as_were_asked_for),
            broker_test(test_the_highest_priority_goes_first_and_the_oldest_among_equals),
            broker_test(test_a_job_has_one_token_however_often_it_is_published),
            broker_test(test_what_waits_is_bounded_and_the_lowest_is_dropped),
            broker_test(test_a_token_under_way_to_who_leaves_goes_to_another),
            broker_test(test_tokens_from_many_threads_all_arrive_once),
        };
        if (backends[i].start != NULL) {
            server_init(&server);
            backends[i].start(&server, NULL);
        }
        failed += _cmocka_run_group_tests(backends[i].name, tests, ARRAY_LEN(tests), NULL, NULL);
        if (backends[i].start != NULL) {
            server_release(&server);
        }
    }
    return failed;
}
