/* What every broker promises, held over all of them (broker/broker.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/defs.h"
#include "broker/broker.h"
#include "server_rig.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SEEN_MAX 20000
#define SOON_MS 3000 /* a server is asked once a second how many tokens wait */

/* A consumer and what it was given. */
struct eater {
    struct loop *loop;
    struct broker_consumer *consumer;
    char seen[SEEN_MAX][BROKER_JOB_ID_BYTES];
    int n, stop_at;
};

static struct broker *b;
static struct eater one, other;
static struct server server;

/* The backends: the suite runs over each, with a server that has nothing to start with. */
struct backend {
    const char *name;
    struct broker *(*new)(void);
    void (*start)(struct server *s, const char *const *more); /* NULL: it needs no server */
};

static struct broker *redis_new(void) {
    struct broker *ret;
    char url[64];
    (void)snprintf(url, sizeof url, "redis://127.0.0.1:%d", server.port);
    assert_int_equal(broker_redis_new(url, NULL, &ret, NULL), ERR_OK);
    return ret;
}

static const struct backend backends[] = {
    {"local", broker_local_new, NULL},
    {"redis", redis_new, server_start_redis},
};

static void on_token(void *ctx, const struct broker_token *token) {
    struct eater *e = ctx;
    assert_true(e->n < SEEN_MAX);
    (void)snprintf(e->seen[e->n++], BROKER_JOB_ID_BYTES, "%s", token->job_id);
    broker_ack(e->consumer, token->job_id);
    if (e->n == e->stop_at) {
        loop_stop(e->loop);
    }
}

static void eater_begin(struct eater *e) {
    e->loop = loop_new();
    e->n = e->stop_at = 0;
    e->consumer = broker_join(b, e->loop, on_token, e);
}

static void on_time(void *ctx) {
    struct eater *e = ctx;
    loop_stop(e->loop);
}

/* Run until there are @n tokens, or for @ms. */
static void eater_run(struct eater *e, int n, int64_t ms) {
    struct loop_timer timer = {0};
    e->stop_at = n;
    loop_timer_start(e->loop, &timer, ms, on_time, e);
    loop_run(e->loop);
    loop_timer_stop(&timer);
}

static void eater_end(struct eater *e) {
    if (e->consumer != NULL) {
        broker_leave(e->consumer);
        e->consumer = NULL;
    }
    eater_run(e, -1, 10); /* what was under way comes home */
    loop_free(e->loop);
}

static void publish(const char *job_id, int64_t priority) {
    struct broker_token token = {.priority = priority};
    (void)snprintf(token.job_id, sizeof token.job_id, "%s", job_id);
    broker_publish(b, &token);
}

/* Tokens that wait, here or at a server: what it says @n to be at once, or soon. */
static void assert_waiting(size_t n) {
    int64_t until_ms = clock_mono_ms() + SOON_MS;
    while (broker_waiting(b) != n && clock_mono_ms() < until_ms && server.port != 0) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    assert_int_equal(broker_waiting(b), n);
}

static int set_up(void **state) {
    const struct backend *backend = *state;
    int64_t until_ms = clock_mono_ms() + SOON_MS;
    if (backend->start != NULL) {
        server_init(&server);
        backend->start(&server, NULL);
    }
    b = backend->new ();
    while (broker_degraded(b) != NULL && clock_mono_ms() < until_ms) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    assert_null(broker_degraded(b));
    eater_begin(&one);
    return 0;
}

static int tear_down(void **state) {
    const struct backend *backend = *state;
    eater_end(&one);
    broker_free(b);
    if (backend->start != NULL) {
        server_release(&server);
        server.port = 0;
    }
    return 0;
}

static void test_a_token_goes_to_who_asked_and_only_as_many_as_were_asked_for(void **state) {
    (void)state;
    publish("a", 0);
    publish("b", 0);
    publish("c", 0);
    eater_run(&one, 1, 20);
    assert_int_equal(one.n, 0);
    broker_want(one.consumer, 2);
    eater_run(&one, 3, 50);
    assert_int_equal(one.n, 2);
    assert_string_equal(one.seen[0], "a");
    assert_string_equal(one.seen[1], "b");
    assert_waiting(1);
}

static void test_the_highest_priority_goes_first_and_the_oldest_among_equals(void **state) {
    static const char *const order[] = {"urgent", "first", "second", "late"};
    (void)state;
    publish("late", -5);
    publish("first", 0);
    publish("second", 0);
    publish("urgent", 9);
    broker_want(one.consumer, 4);
    eater_run(&one, 4, 1000);
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        assert_string_equal(one.seen[i], order[i]);
    }
}

static void test_a_job_has_one_token_however_often_it_is_published(void **state) {
    (void)state;
    for (int i = 0; i < 1000; i++) {
        publish("again", i % 7);
    }
    assert_waiting(1);
    publish("other", 3);
    broker_want(one.consumer, 5);
    eater_run(&one, 2, 1000);
    assert_int_equal(one.n, 2);
    assert_string_equal(one.seen[0], "again"); /* with its highest priority */
}

static void test_what_waits_is_bounded_and_the_lowest_is_dropped(void **state) {
    char id[BROKER_JOB_ID_BYTES];
    (void)state;
    publish("low", -1);
    for (size_t i = 0; i < BROKER_TOKENS_MAX; i++) {
        (void)snprintf(id, sizeof id, "job%zu", i);
        publish(id, 0);
    }
    assert_waiting(BROKER_TOKENS_MAX);
    broker_want(one.consumer, INT64_C(1) << 40);
    eater_run(&one, (int)BROKER_TOKENS_MAX, 5000);
    assert_int_equal(one.n, BROKER_TOKENS_MAX);
    for (int i = 0; i < one.n; i++) {
        assert_string_not_equal(one.seen[i], "low");
    }
}

static void test_a_token_under_way_to_who_leaves_goes_to_another(void **state) {
    (void)state;
    eater_begin(&other);
    broker_want(one.consumer, 1);
    publish("a", 0);
    broker_leave(one.consumer); /* before its loop ran */
    one.consumer = NULL;
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
        publish(id, i % 3);
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
        failed += _cmocka_run_group_tests(backends[i].name, tests, ARRAY_LEN(tests), NULL, NULL);
    }
    return failed;
}
