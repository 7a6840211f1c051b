/* The loop is libuv's; its timers are ours.
 *
 * libuv wants a handle that is closed asynchronously for each timer; a deadline must be startable
 * and stoppable thousands of times a second inside a struct that is freed right after. So running
 * timers are a heap of pointers (timer_heap.h), and one uv_timer bounds how long the poll may
 * sleep:
 *
 *     poll sleeps until the uv_timer ─► sockets ─► check: run what is due, arm for what is first
 *
 * Timers only run in the check phase, once an iteration. One that is due at once (0 ms) keeps the
 * poll from sleeping through the idle handle. A stopped timer leaves the uv_timer as it is: one
 * wakeup too many costs less than rearming at every stop.
 *
 * Invariants
 * (1) while a timer runs, the uv_timer is armed for it or earlier, or the idle handle is on;
 * (2) a timer started by a timer waits for the next iteration, so sockets are never starved;
 * (3) the wake handle keeps uv_run() going only while loop_hold() asks for it.
 */
#include "io/loop.h"

#include "base/mem.h"
#include "io/timer_heap.h"

#include <signal.h>
#include <stdlib.h>
#include <uv.h>

#define LOOP_NS_PER_MS ((uint64_t)1000000)
#define LOOP_TIMER_MS_MAX (INT64_C(1) << 50)

struct loop_signal {
    struct loop_signal *next;
    uv_signal_t uv;
    void (*fn)(void *ctx, int signum);
    void *ctx;
};

struct loop {
    uv_loop_t uv;
    uv_timer_t timer;
    uv_idle_t idle;
    uv_check_t check;
    uv_async_t wake;
    struct mailbox mailbox;
    struct timer_heap timers;
    int64_t armed_ms; /* what the uv_timer is armed for; INT64_MAX: it is off */
    int64_t holds;
    bool stopping;
    struct loop_signal *signals;
};

static void loop_on_idle(uv_idle_t *handle) {
    (void)handle; /* that it runs is all: the poll does not sleep */
}

static void loop_dont_sleep(struct loop *l) {
    ASSERT(uv_idle_start(&l->idle, loop_on_idle) == 0);
}

static void loop_on_alarm(uv_timer_t *handle) {
    struct loop *l = handle->data;
    l->armed_ms = INT64_MAX;
    loop_dont_sleep(l);
}

/* Uphold invariant 1. */
static void loop_arm(struct loop *l) {
    const struct timer_heap_entry *first = timer_heap_first(&l->timers);
    if (first == NULL) {
        ASSERT(uv_timer_stop(&l->timer) == 0);
        l->armed_ms = INT64_MAX;
    } else if (first->due_ms <= loop_now_ms(l)) {
        loop_dont_sleep(l);
    } else if (first->due_ms < l->armed_ms) {
        uint64_t ms = (uint64_t)(first->due_ms - loop_now_ms(l));
        ASSERT(uv_timer_start(&l->timer, loop_on_alarm, ms, 0) == 0);
        l->armed_ms = first->due_ms;
    }
}

static void loop_on_check(uv_check_t *handle) {
    struct loop *l = handle->data;
    ASSERT(uv_idle_stop(&l->idle) == 0);
    int64_t now_ms = loop_now_ms(l);
    uint64_t order = l->timers.next_order; /* invariant 2 */
    const struct timer_heap_entry *first;
    while ((first = timer_heap_first(&l->timers)) != NULL && first->due_ms <= now_ms &&
           first->order < order) {
        struct loop_timer *t = first->timer;
        timer_heap_remove(&l->timers, t);
        t->fn(t->ctx); /* may free it */
    }
    loop_arm(l);
}

void loop_timer_start(struct loop *l, struct loop_timer *t, int64_t ms, void (*fn)(void *ctx),
                      void *ctx) {
    ASSERT(ms >= 0);
    if (t->slot != 0) {
        timer_heap_remove(&l->timers, t);
    }
    /* From the real time rounded up, not from the iteration's: that one may be long past. */
    int64_t from_ms =
        ms == 0 ? loop_now_ms(l) : (int64_t)((uv_hrtime() + LOOP_NS_PER_MS - 1) / LOOP_NS_PER_MS);
    t->loop = l;
    t->fn = fn;
    t->ctx = ctx;
    t->due_ms = from_ms + MIN(ms, LOOP_TIMER_MS_MAX);
    timer_heap_add(&l->timers, t);
    loop_arm(l);
}

void loop_timer_stop(struct loop_timer *t) {
    if (t->slot != 0) {
        timer_heap_remove(&t->loop->timers, t);
        if (t->loop->timers.n == 0) {
            loop_arm(t->loop);
        }
    }
}

/* True if there was a message. */
static bool loop_deliver(struct loop *l) {
    struct mailbox_msg *link = mailbox_take(&l->mailbox);
    bool any = link != NULL;
    while (link != NULL) {
        struct mailbox_msg *next = link->next;
        struct loop_msg *msg = CONTAINER_OF(link, struct loop_msg, link);
        msg->fn(msg); /* may free it */
        link = next;
    }
    return any;
}

static void loop_on_wake(uv_async_t *handle) {
    (void)loop_deliver(handle->data); /* an earlier wake may have taken all */
}

static void loop_wake(void *ctx) {
    struct loop *l = ctx;
    ASSERT(uv_async_send(&l->wake) == 0);
}

void loop_post(struct loop *l, struct loop_msg *msg) {
    mailbox_send(&l->mailbox, &msg->link);
}

void loop_hold(struct loop *l) {
    if (l->holds++ == 0) {
        uv_ref((uv_handle_t *)&l->wake);
    }
}

void loop_unhold(struct loop *l) {
    ASSERT(l->holds > 0);
    if (--l->holds == 0) {
        uv_unref((uv_handle_t *)&l->wake);
    }
}

static void loop_on_uv_signal(uv_signal_t *handle, int signum) {
    struct loop_signal *s = handle->data;
    s->fn(s->ctx, signum);
}

void loop_on_signal(struct loop *l, int signum, void (*fn)(void *ctx, int signum), void *ctx) {
    struct loop_signal *s = mem_new(sizeof *s);
    *s = (struct loop_signal){.next = l->signals, .fn = fn, .ctx = ctx};
    l->signals = s;
    ASSERT(uv_signal_init(&l->uv, &s->uv) == 0);
    s->uv.data = s;
    ASSERT(uv_signal_start(&s->uv, loop_on_uv_signal, signum) == 0);
    uv_unref((uv_handle_t *)&s->uv);
}

struct loop *loop_new(void) {
    struct loop *l = mem_new(sizeof *l);
    l->armed_ms = INT64_MAX;
    ASSERT(uv_loop_init(&l->uv) == 0);
    ASSERT(uv_timer_init(&l->uv, &l->timer) == 0);
    ASSERT(uv_idle_init(&l->uv, &l->idle) == 0);
    ASSERT(uv_check_init(&l->uv, &l->check) == 0);
    ASSERT(uv_async_init(&l->uv, &l->wake, loop_on_wake) == 0);
    l->timer.data = l;
    l->check.data = l;
    l->wake.data = l;
    ASSERT(uv_check_start(&l->check, loop_on_check) == 0);
    uv_unref((uv_handle_t *)&l->check);
    uv_unref((uv_handle_t *)&l->wake);
    mailbox_init(&l->mailbox, loop_wake, l);
    return l;
}

void loop_run(struct loop *l) {
    do {
        (void)uv_run(&l->uv, UV_RUN_DEFAULT); /* what it returns says no more than loop_deliver() */
    } while (!l->stopping && loop_deliver(l));
    l->stopping = false;
}

void loop_stop(struct loop *l) {
    l->stopping = true;
    uv_stop(&l->uv);
}

void loop_free(struct loop *l) {
    ASSERT(l->timers.n == 0 && l->holds == 0);
    uv_close((uv_handle_t *)&l->timer, NULL);
    uv_close((uv_handle_t *)&l->idle, NULL);
    uv_close((uv_handle_t *)&l->check, NULL);
    uv_close((uv_handle_t *)&l->wake, NULL);
    for (struct loop_signal *s = l->signals; s != NULL; s = s->next) {
        uv_close((uv_handle_t *)&s->uv, NULL);
    }
    (void)uv_run(&l->uv, UV_RUN_DEFAULT);
    ASSERT(uv_loop_close(&l->uv) == 0);
    while (l->signals != NULL) {
        struct loop_signal *s = l->signals;
        l->signals = s->next;
        free(s);
    }
    mailbox_release(&l->mailbox);
    timer_heap_release(&l->timers);
    free(l);
}

int64_t loop_now_ms(const struct loop *l) {
    return (int64_t)uv_now(&l->uv);
}

void *loop_uv(struct loop *l) {
    return &l->uv;
}
