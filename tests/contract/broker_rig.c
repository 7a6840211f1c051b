#include "broker_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define LONG_MS 20000 /* on a slow machine; what is waited for ends the wait */

static void redis_wipe(struct server *s) {
    (void)server_redis(s, "FLUSHALL");
}

const struct backend backends[BACKENDS] = {
    {"local", NULL, "", NULL, NULL},
    {"redis", broker_redis_new, "redis://127.0.0.1", server_start_redis, redis_wipe},
};

bool is_degraded(struct broker *b) {
    return broker_degraded(b) != NULL;
}

bool is_well(struct broker *b) {
    return broker_degraded(b) == NULL;
}

void await_broker(struct broker *b, bool (*condition)(struct broker *b)) {
    int64_t until_ms = clock_mono_ms() + LONG_MS;
    while (!condition(b) && clock_mono_ms() < until_ms) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    assert_true(condition(b));
}

struct broker *backend_open(const struct backend *backend, const struct server *s) {
    struct broker *b;
    char url[64];
    if (backend->new == NULL) {
        return broker_local_new();
    }
    (void)snprintf(url, sizeof url, "%s:%d", backend->url, s->port);
    assert_int_equal(backend->new (url, NULL, &b, NULL), ERR_OK);
    await_broker(b, is_well);
    return b;
}

static void on_token(void *ctx, const struct broker_token *token) {
    struct eater *e = ctx;
    assert_true(e->n < SEEN_MAX);
    (void)snprintf(e->seen[e->n++], BROKER_JOB_ID_BYTES, "%s", token->job_id);
    if (!e->silent) {
        broker_ack(e->consumer, token->job_id);
    }
    if (e->n == e->stop_at) {
        loop_stop(e->loop);
    }
}

void eater_begin(struct eater *e, struct broker *b) {
    e->broker = b;
    e->loop = loop_new();
    e->n = e->stop_at = 0;
    e->silent = false;
    e->consumer = broker_join(b, e->loop, on_token, e);
}

static void on_time(void *ctx) {
    struct eater *e = ctx;
    loop_stop(e->loop);
}

void eater_run(struct eater *e, int n, int64_t ms) {
    struct loop_timer timer = {0};
    e->stop_at = n;
    loop_timer_start(e->loop, &timer, ms, on_time, e);
    loop_run(e->loop);
    loop_timer_stop(&timer);
}

void eater_leave(struct eater *e) {
    if (e->consumer != NULL) {
        broker_leave(e->consumer);
        e->consumer = NULL;
    }
}

void eater_end(struct eater *e) {
    eater_leave(e);
    eater_run(e, -1, 10); /* what was under way comes home */
    loop_free(e->loop);
}

void publish(struct broker *b, const char *job_id, int64_t priority) {
    struct broker_token token = {.priority = priority};
    (void)snprintf(token.job_id, sizeof token.job_id, "%s", job_id);
    broker_publish(b, &token);
}
