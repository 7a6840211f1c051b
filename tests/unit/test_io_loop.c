/* Promises of io/loop.h: timers that are never early and can be stopped anywhere, messages from
 * other threads, and a loop that ends when nothing is left to wait for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "io/loop.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static int make_loop(void **state) {
    *state = loop_new();
    return 0;
}

static int drop_loop(void **state) {
    loop_free(*state);
    return 0;
}

struct ring {
    struct loop_timer timer;
    int64_t started_us, ms, seen_us;
    int place;
};

static int ring_order;

static void note_ring(void *ctx) {
    struct ring *r = ctx;
    r->seen_us = clock_mono_us();
    r->place = ring_order++;
}

static void test_timers_come_in_order_and_never_early(void **state) {
    struct loop *l = *state;
    struct ring rings[200] = {0};
    struct rng rng;
    rng_init(&rng, 7);
    for (size_t i = 0; i < ARRAY_LEN(rings); i++) {
        rings[i].ms = rng_range(&rng, 0, 40);
        rings[i].started_us = clock_mono_us();
        loop_timer_start(l, &rings[i].timer, rings[i].ms, note_ring, &rings[i]);
        usleep(20);
    }
    ring_order = 0;
    loop_run(l);
    assert_int_equal(ring_order, ARRAY_LEN(rings));
    for (size_t i = 0; i < ARRAY_LEN(rings); i++) {
        assert_true(rings[i].seen_us - rings[i].started_us >= rings[i].ms * 1000);
        for (size_t j = 0; j < ARRAY_LEN(rings); j++) {
            if (rings[i].timer.due_ms < rings[j].timer.due_ms) {
                assert_true(rings[i].place < rings[j].place);
            }
        }
    }
}

static void test_equal_timers_keep_the_order_of_their_start(void **state) {
    struct loop *l = *state;
    struct ring rings[50] = {0};
    for (size_t i = 0; i < ARRAY_LEN(rings); i++) {
        loop_timer_start(l, &rings[i].timer, 0, note_ring, &rings[i]);
    }
    ring_order = 0;
    loop_run(l);
    for (size_t i = 0; i < ARRAY_LEN(rings); i++) {
        assert_int_equal(rings[i].place, i);
    }
}

struct killer {
    struct loop_timer timer;
    struct ring *victims;
    size_t n;
};

static void kill_all(void *ctx) {
    struct killer *k = ctx;
    for (size_t i = 0; i < k->n; i++) {
        loop_timer_stop(&k->victims[i].timer);
    }
    free(k->victims); /* allowed at once */
    loop_timer_stop(&k->timer);
}

static void test_timers_stopped_inside_a_callback_never_fire(void **state) {
    struct loop *l = *state;
    struct killer k = {.n = 1000, .victims = mem_new_array(1000, sizeof(struct ring))};
    ring_order = 0;
    loop_timer_start(l, &k.timer, 0, kill_all, &k);
    for (size_t i = 0; i < k.n; i++) {
        loop_timer_start(l, &k.victims[i].timer, (int64_t)(i % 7), note_ring, &k.victims[i]);
    }
    loop_run(l);
    assert_int_equal(ring_order, 0);
}

static void test_a_moved_timer_fires_once_at_its_new_time(void **state) {
    struct loop *l = *state;
    struct ring later = {0}, sooner = {0};
    ring_order = 0;
    loop_timer_start(l, &later.timer, 5, note_ring, &later);
    loop_timer_start(l, &sooner.timer, 3600000, note_ring, &sooner);
    loop_timer_start(l, &later.timer, 30, note_ring, &later);
    loop_timer_start(l, &sooner.timer, 10, note_ring, &sooner);
    loop_run(l);
    assert_int_equal(ring_order, 2);
    assert_int_equal(sooner.place, 0);
    assert_int_equal(later.place, 1);
}

struct storm {
    struct loop *loop;
    struct loop_timer timers[3000];
    struct rng rng;
    int64_t left, fired;
};

static void storm_step(void *ctx) {
    struct storm *s = ctx;
    s->fired++;
    for (int i = 0; i < 20 && s->left > 0; i++, s->left--) {
        struct loop_timer *t = &s->timers[rng_below(&s->rng, ARRAY_LEN(s->timers))];
        if (rng_chance(&s->rng, 0.5)) {
            loop_timer_stop(t);
        } else {
            loop_timer_start(s->loop, t, rng_range(&s->rng, 0, 20), storm_step, s);
        }
    }
    if (s->left == 0) {
        for (size_t i = 0; i < ARRAY_LEN(s->timers); i++) {
            loop_timer_stop(&s->timers[i]);
        }
    }
}

static void test_many_random_starts_and_stops_leave_nothing_behind(void **state) {
    struct storm *s = mem_new(sizeof *s);
    s->loop = *state;
    s->left = 100000;
    rng_init(&s->rng, 3);
    for (size_t i = 0; i < ARRAY_LEN(s->timers); i++) {
        loop_timer_start(s->loop, &s->timers[i], rng_range(&s->rng, 0, 50), storm_step, s);
    }
    loop_run(s->loop);
    assert_int_equal(s->left, 0);
    assert_true(s->fired > 1000);
    for (size_t i = 0; i < ARRAY_LEN(s->timers); i++) {
        assert_int_equal(s->timers[i].slot, 0);
    }
    free(s);
}

struct relay {
    struct loop *loop;
    struct loop_timer self;
    struct loop_msg msg;
    int turns;
    bool inside, seen;
};

static void relay_turn(void *ctx) {
    struct relay *r = ctx;
    if (r->turns-- > 0) {
        r->inside = true;
        loop_timer_start(r->loop, &r->self, 0, relay_turn, r);
        r->inside = false;
    }
}

static void relay_seen(struct loop_msg *msg) {
    struct relay *r = CONTAINER_OF(msg, struct relay, msg);
    assert_false(r->inside);
    r->seen = r->turns > 0;
}

static void test_a_timer_that_restarts_itself_does_not_starve_messages(void **state) {
    struct relay r = {.loop = *state, .turns = 10000};
    loop_timer_start(r.loop, &r.self, 0, relay_turn, &r);
    r.msg.fn = relay_seen;
    loop_post(r.loop, &r.msg);
    loop_run(r.loop);
    assert_true(r.seen);
    assert_int_equal(r.turns, -1);
}

#define POSTS 5000

struct posted {
    struct loop_msg msg;
    int thread, no;
};

struct poster {
    struct loop *loop;
    struct posted posts[POSTS];
};

static int posted_next[4], posted_out_of_order;
static struct loop *posted_loop;

static void note_post(struct loop_msg *msg) {
    struct posted *p = CONTAINER_OF(msg, struct posted, msg);
    posted_out_of_order += posted_next[p->thread] != p->no;
    posted_next[p->thread]++;
    loop_unhold(posted_loop);
}

static void *post_all(void *arg) {
    struct poster *p = arg;
    for (int i = 0; i < POSTS; i++) {
        p->posts[i].msg.fn = note_post;
        loop_post(p->loop, &p->posts[i].msg);
    }
    return NULL;
}

static void test_posts_from_threads_arrive_once_and_in_order(void **state) {
    struct poster *posters = mem_new_array(4, sizeof *posters);
    pthread_t threads[4];
    posted_loop = *state;
    posted_out_of_order = 0;
    for (int t = 0; t < 4; t++) {
        posted_next[t] = 0;
        posters[t].loop = *state;
        for (int i = 0; i < POSTS; i++) {
            posters[t].posts[i].thread = t;
            posters[t].posts[i].no = i;
            loop_hold(*state);
        }
    }
    for (int t = 0; t < 4; t++) {
        assert_int_equal(pthread_create(&threads[t], NULL, post_all, &posters[t]), 0);
    }
    loop_run(*state);
    for (int t = 0; t < 4; t++) {
        pthread_join(threads[t], NULL);
        assert_int_equal(posted_next[t], POSTS);
    }
    assert_int_equal(posted_out_of_order, 0);
    free(posters);
}

static void *post_later(void *arg) {
    struct posted *p = arg;
    usleep(30000);
    p->msg.fn = note_post;
    loop_post(posted_loop, &p->msg);
    return NULL;
}

static void test_a_hold_keeps_the_loop_until_the_answer_comes(void **state) {
    struct posted late = {.thread = 0};
    pthread_t thread;
    posted_loop = *state;
    posted_next[0] = 0;
    loop_hold(*state);
    assert_int_equal(pthread_create(&thread, NULL, post_later, &late), 0);
    loop_run(*state);
    assert_int_equal(posted_next[0], 1);
    pthread_join(thread, NULL);
    loop_run(*state); /* nothing left: comes back at once */
}

static void test_a_message_posted_before_the_run_is_delivered(void **state) {
    struct posted early = {.msg.fn = note_post};
    posted_loop = *state;
    posted_next[0] = 0;
    loop_hold(*state); /* note_post gives it back */
    loop_post(*state, &early.msg);
    loop_run(*state);
    assert_int_equal(posted_next[0], 1);
}

struct stopper {
    struct loop *loop;
    struct loop_timer stop, never;
    int signals;
};

static void stop_now(void *ctx) {
    struct stopper *s = ctx;
    loop_stop(s->loop);
}

static void test_stop_returns_although_timers_run_and_the_loop_can_go_on(void **state) {
    struct stopper s = {.loop = *state};
    struct ring r = {0};
    loop_timer_start(*state, &s.never, 3600000, note_ring, &r);
    loop_timer_start(*state, &s.stop, 1, stop_now, &s);
    loop_run(*state);
    loop_timer_start(*state, &s.stop, 1, stop_now, &s);
    loop_run(*state);
    assert_int_equal(s.stop.slot, 0);
    assert_int_not_equal(s.never.slot, 0);
    loop_timer_stop(&s.never);
    loop_run(*state);
}

static void on_usr1(void *ctx, int signum) {
    struct stopper *s = ctx;
    assert_int_equal(signum, SIGUSR1);
    if (++s->signals == 2) {
        loop_timer_stop(&s->never);
    } else {
        raise(SIGUSR1);
    }
}

static void test_signals_are_told_each_time(void **state) {
    struct stopper s = {.loop = *state};
    loop_on_signal(*state, SIGUSR1, on_usr1, &s);
    loop_timer_start(*state, &s.never, 3600000, stop_now, &s);
    raise(SIGUSR1);
    loop_run(*state);
    assert_int_equal(s.signals, 2);
}

#define LOOP_TEST(fn) cmocka_unit_test_setup_teardown(fn, make_loop, drop_loop)

int main(void) {
    const struct CMUnitTest tests[] = {
        LOOP_TEST(test_timers_come_in_order_and_never_early),
        LOOP_TEST(test_equal_timers_keep_the_order_of_their_start),
        LOOP_TEST(test_timers_stopped_inside_a_callback_never_fire),
        LOOP_TEST(test_a_moved_timer_fires_once_at_its_new_time),
        LOOP_TEST(test_many_random_starts_and_stops_leave_nothing_behind),
        LOOP_TEST(test_a_timer_that_restarts_itself_does_not_starve_messages),
        LOOP_TEST(test_posts_from_threads_arrive_once_and_in_order),
        LOOP_TEST(test_a_hold_keeps_the_loop_until_the_answer_comes),
        LOOP_TEST(test_a_message_posted_before_the_run_is_delivered),
        LOOP_TEST(test_stop_returns_although_timers_run_and_the_loop_can_go_on),
        LOOP_TEST(test_signals_are_told_each_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
