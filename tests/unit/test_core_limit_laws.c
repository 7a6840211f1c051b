/* The laws of core/limit.h: what must hold over any span of time, for calls of any size, whatever
 * the provider does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/turn.h"
#include "limit_play.h"

#include <string.h>

/* --- never above --- */

static void assert_no_span_above(const struct stage *s, double tpm, double call, double slack) {
    static const int64_t spans_ms[] = {1, 50, 1000, 7000, 60000};
    for (size_t k = 0; k < ARRAY_LEN(spans_ms); k++) {
        double most = most_tokens_within(s, spans_ms[k]);
        double allowed = tpm / 60000 * (double)(spans_ms[k] + LIMIT_BURST_MS) + call + slack;
        if (most > allowed) {
            fail_msg("%.0f tokens in %lld ms, %.0f allowed", most, (long long)spans_ms[k], allowed);
        }
    }
}

static void test_no_span_of_time_sees_more_tokens_counted_at_admission_than_allowed(void **state) {
    (void)state;
    static const int64_t tpms[] = {100000, 2000000, 50000000};
    for (size_t i = 0; i < ARRAY_LEN(tpms); i++) {
        struct play p = usual(0);
        p.tpm = p.set.per_minute[LIMIT_TOKENS] = tpms[i];
        p.large_tokens = 12000;
        p.large_every = 7;
        p.slots = 5000;
        p.for_ms = 150000;
        struct stage *s = perform(&p, i + 1);
        /* 4 bytes a token, where less is reckoned with at first: the first calls teach that */
        assert_no_span_above(s, (double)tpms[i], 14000 + 2000, (double)tpms[i] / 60000 * 600);
        assert_true(s->answered > 10);
        leave(s);
    }
}

static void test_no_minute_sees_more_tokens_counted_as_produced_than_allowed(void **state) {
    (void)state;
    static const int64_t tpms[] = {100000, 2000000, 20000000};
    for (size_t i = 0; i < ARRAY_LEN(tpms); i++) {
        struct play p = usual(0);
        p.rule = LIMIT_AS_PRODUCED;
        p.tpm = p.set.per_minute[LIMIT_TOKENS] = tpms[i];
        p.large_tokens = 12000;
        p.large_every = 7;
        p.slots = 5000;
        p.for_ms = 300000;
        struct stage *s = perform(&p, i + 1);
        /* What is written is not known when a call goes: what was in flight (3 s of it, a third
         * written more than is likely) may be wrong, until it is settled. */
        double most = most_tokens_within(s, 60000);
        double allowed =
            (double)tpms[i] * (60000.0 + LIMIT_BURST_MS) / 60000 + 14000 + (double)tpms[i] * 0.02;
        if (most > allowed) {
            fail_msg("%.0f tokens in a minute, %.0f allowed", most, allowed);
        }
        assert_true((double)s->used_tokens > 0.9 * (double)tpms[i] * 4.5);
        leave(s);
    }
}

static void test_no_span_of_time_sees_more_calls_than_a_share_of_the_limit(void **state) {
    (void)state;
    struct play p = usual(0);
    p.set.per_minute[LIMIT_REQUESTS] = 6000;
    p.set.shared = true;
    p.part = 0.25;
    struct stage *s = perform(&p, 1);
    for (int64_t span_ms = 1; span_ms < 60000; span_ms *= 3) {
        assert_true((double)most_within(s, span_ms) <=
                    0.025 * (double)(span_ms + LIMIT_BURST_MS) + 1);
    }
    leave(s);
}

static void test_never_are_more_calls_in_flight_than_allowed_whatever_fails(void **state) {
    (void)state;
    static const int64_t most[] = {1, 7, 500};
    for (size_t i = 0; i < ARRAY_LEN(most); i++) {
        struct play p = usual(0);
        p.tells = false;
        p.set.in_flight = most[i];
        p.slots = 5000;
        p.down_from_ms = 20000;
        p.down_to_ms = 22000;
        struct stage *s = perform(&p, i + 1);
        assert_true(s->most_in_flight <= most[i] + 1); /* the probe, whatever is in flight */
        if (s->answered <= 10 * most[i]) {
            fail_msg("%lld in flight: %lld answered", (long long)most[i], (long long)s->answered);
        }
        leave(s);
    }
}

/* --- everybody goes --- */

static void test_a_large_call_goes_within_the_time_that_its_tokens_take(void **state) {
    (void)state;
    for (int rule = LIMIT_AT_ADMISSION; rule <= LIMIT_AS_PRODUCED; rule++) {
        struct play p = usual(0);
        p.rule = (enum limit_rule)rule;
        p.tpm = p.set.per_minute[LIMIT_TOKENS] = 600000;
        p.large_tokens = 120000; /* 12 s of the limit */
        p.large_every = 40;
        p.slots = 400;
        p.for_ms = 300000;
        struct stage *s = perform(&p, 1);
        assert_true(s->large_sent >= 5);
        assert_in_range(s->large_waited_ms, 0, 30000);
        leave(s);
    }
}

static void test_a_call_larger_than_a_minutes_limit_goes_too_and_is_paid_for(void **state) {
    (void)state;
    const struct limit_set set = {.per_minute = {[LIMIT_TOKENS] = 1000}};
    const struct limit_cost cost = {.input_bytes = 100000, .output_tokens_max = 100};
    struct limit_ticket t;
    struct limit l;
    limit_init(&l, LIMIT_AT_ADMISSION, &set);
    assert_int_equal(limit_wait_ms(&l, 1000, &cost), 0);
    limit_send(&l, 1000, &cost, &t);
    assert_in_range(limit_wait_ms(&l, 1000, &cost), 55000, 62000);
}

/* Calls of any priority come again and again, faster than they can go. */
static void test_whoever_waits_goes_within_a_bounded_number_of_turns(void **state) {
    (void)state;
    enum { QUEUES = 8, DEPTH = 64 };
    struct rng r;
    rng_init(&r, 1);
    for (int busy = 0; busy < QUEUES; busy++) { /* the one that never gets empty */
        struct turn t = {0};
        int64_t came[QUEUES][DEPTH], turn_came[QUEUES][DEPTH], now = 0;
        size_t n[QUEUES] = {0};
        int64_t bound[QUEUES][DEPTH];
        for (int64_t turns = 0; turns < 20000; turns++) {
            for (int news = 0; news < 3; news++) {
                size_t q = news < 2 ? (size_t)busy : (size_t)(rng_u64(&r) % QUEUES);
                int64_t waiting = 0;
                for (size_t i = 0; i < QUEUES; i++) {
                    waiting += (int64_t)n[i];
                }
                if (n[q] < DEPTH) {
                    came[q][n[q]] = now++;
                    turn_came[q][n[q]] = turns;
                    bound[q][n[q]++] = (waiting + 1) * TURN_OLDEST;
                }
            }
            int64_t oldest[QUEUES];
            for (size_t i = 0; i < QUEUES; i++) {
                oldest[i] = n[i] > 0 ? came[i][0] : -1;
            }
            size_t q = turn_next(&t, oldest, QUEUES);
            assert_true(q < QUEUES && turns - turn_came[q][0] < bound[q][0]);
            turn_use(&t);
            n[q]--;
            memmove(came[q], came[q] + 1, n[q] * sizeof came[q][0]);
            memmove(turn_came[q], turn_came[q] + 1, n[q] * sizeof turn_came[q][0]);
            memmove(bound[q], bound[q] + 1, n[q] * sizeof bound[q][0]);
        }
        for (size_t q = 0; q < QUEUES; q++) {
            assert_true(n[q] == 0 || 20000 - turn_came[q][0] < bound[q][0]);
        }
    }
}

static void test_what_has_cost_most_already_goes_first(void **state) {
    (void)state;
    struct turn t = {0};
    const int64_t oldest[] = {1, -1, 5, 3, -1};
    const int64_t none[] = {-1, -1};
    for (int i = 0; i < TURN_OLDEST - 1; i++) {
        assert_int_equal(turn_next(&t, oldest, ARRAY_LEN(oldest)), 3);
        turn_use(&t);
    }
    assert_int_equal(turn_next(&t, oldest, ARRAY_LEN(oldest)), 0); /* now and then the oldest … */
    assert_int_equal(turn_next(&t, oldest, ARRAY_LEN(oldest)), 0); /* … until it has gone */
    turn_use(&t);
    assert_int_equal(turn_next(&t, oldest, ARRAY_LEN(oldest)), 3);
    assert_true(turn_next(&t, none, ARRAY_LEN(none)) == TURN_NOBODY);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_span_of_time_sees_more_tokens_counted_at_admission_than_allowed),
        cmocka_unit_test(test_no_minute_sees_more_tokens_counted_as_produced_than_allowed),
        cmocka_unit_test(test_no_span_of_time_sees_more_calls_than_a_share_of_the_limit),
        cmocka_unit_test(test_never_are_more_calls_in_flight_than_allowed_whatever_fails),
        cmocka_unit_test(test_a_large_call_goes_within_the_time_that_its_tokens_take),
        cmocka_unit_test(test_a_call_larger_than_a_minutes_limit_goes_too_and_is_paid_for),
        cmocka_unit_test(test_whoever_waits_goes_within_a_bounded_number_of_turns),
        cmocka_unit_test(test_what_has_cost_most_already_goes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
