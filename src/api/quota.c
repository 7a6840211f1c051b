#include "api/quota.h"

#include "api/call.h"
#include "api/problem.h"
#include "base/clock.h"

static void quota_ask(struct api *api, struct key *key);

static void quota_leave(struct call *c) {
    TAILQ_REMOVE(&c->key->waiting, c, in_quota);
    c->in_line = false;
}

/* Whoever can be counted now goes on, or is refused. */
static void quota_serve(struct key *key) {
    struct call *c;
    int64_t now_us = clock_mono_us();
    while ((c = TAILQ_FIRST(&key->waiting)) != NULL) {
        struct auth_rate rate = auth_count(key, now_us);
        if (rate.ask) {
            quota_ask(c->api, key);
            return;
        }
        quota_leave(c);
        c->rate = rate;
        call_go(c);
    }
}

static void quota_told(struct store_op *op) {
    struct key *key = CONTAINER_OF(op, struct key, ask.op);
    struct call *c;
    key->asking = false;
    if (op->err == ERR_OK) {
        auth_give(key, key->ask.ret_n, key->ask.ret_ahead_us, clock_mono_us());
        quota_serve(key);
        return;
    }
    while ((c = TAILQ_FIRST(&key->waiting)) != NULL) {
        quota_leave(c);
        problem_send_store(c, op->err, &op->detail);
    }
}

static void quota_ask(struct api *api, struct key *key) {
    const struct call *c;
    int64_t n = 0;
    if (key->asking) {
        return;
    }
    TAILQ_FOREACH(c, &key->waiting, in_quota) {
        n++;
    }
    key->asking = true;
    key->ask = (struct store_key_requests){.op = {.loop = api->loop, .done = quota_told},
                                           .tenant = key->row.number,
                                           .n = auth_want(key, n)};
    store_key_requests(api->o.store, &key->ask);
}

void quota_wait(struct call *c) {
    c->in_line = true;
    TAILQ_INSERT_TAIL(&c->key->waiting, c, in_quota);
    quota_ask(c->api, c->key);
}

void quota_forget(struct call *c) {
    if (c->in_line) {
        quota_leave(c);
    }
}
