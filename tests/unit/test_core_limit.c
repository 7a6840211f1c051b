/* Promises of core/limit.h: what it does with what it is told, and how it finds out the rest. The
 * laws that hold over any span of time are in test_core_limit_laws.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "limit_play.h"

#include <string.h>

static struct limit_told read_headers(const char *text) {
    struct limit_told told;
    limit_read_headers(str_of(text), &told);
    return told;
}

/* --- the goal --- */

static void test_limits_are_used_to_the_full_from_a_cold_start(void **state) {
    (void)state;
    static const int64_t rpms[] = {500, 3000, 20000, 100000};
    for (size_t i = 0; i < ARRAY_LEN(rpms); i++) {
        for (int held = 0; held < 2; held++) {
            struct play p = usual(rpms[i]);
            p.hold_s = held == 0 ? 60 : 1;
            p.for_ms = rpms[i] < 10000 ? 180000 : 30000;
            struct stage *s = perform(&p, i + 1);
            assert_refused_below(s, 0.005);
            assert_used(s, (double)rpms[i] * (double)(p.for_ms - 3000) / 60000);
            leave(s);
        }
    }
}

static void test_a_limit_that_changes_in_mid_run_is_followed(void **state) {
    (void)state;
    static const int64_t changes[][2] = {
        {500, 1500}, {1500, 500}, {20000, 5000}, {5000, 20000}, {60000, 30000}};
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        struct play p = usual(changes[i][0]);
        p.change_rpm = changes[i][1];
        p.hold_s = 1;
        p.slots = MAX(changes[i][0], changes[i][1]) / 60 * 8;
        p.for_ms = changes[i][0] < 10000 ? 300000 : 60000;
        p.change_ms = p.for_ms / 2;
        struct stage *s = perform(&p, i + 1);
        assert_refused_below(s, 0.005);
        assert_used(s,
                    (double)(changes[i][0] + changes[i][1]) * (double)(p.for_ms - 6000) / 120000);
        leave(s);
    }
}

static void test_tokens_that_are_counted_at_admission_are_used_to_the_full(void **state) {
    (void)state;
    struct play p = usual(0);
    p.tpm = 2000000; /* 3,000 a call: 667 a minute */
    p.slots = 200;
    p.for_ms = 180000;
    struct stage *s = perform(&p, 1);
    assert_refused_below(s, 0.005);
    assert_used(s, (double)p.tpm / 3000 * (double)(p.for_ms - 3000) / 60000);
    leave(s);
}

static void test_tokens_that_are_counted_as_produced_are_settled(void **state) {
    (void)state;
    struct play p = usual(0);
    p.rule = LIMIT_AS_PRODUCED;
    p.tpm = 2000000; /* 1,600 a call in the mean, of 3,000 allowed: 1,250 a minute */
    p.slots = 300;
    p.for_ms = 180000;
    struct stage *s = perform(&p, 1);
    assert_refused_below(s, 0.005);
    assert_used(s, (double)p.tpm / 1600 * (double)(p.for_ms - 3000) / 60000);
    leave(s);
}

/* --- never above it --- */

static void test_no_span_of_time_sees_more_than_its_share_and_the_burst(void **state) {
    (void)state;
    static const int64_t spans_ms[] = {1, 10, 100, 1000, 5000, 30000};
    static const int64_t rpms[] = {30, 500, 6000, 90000};
    for (size_t i = 0; i < ARRAY_LEN(rpms); i++) {
        struct play p = usual(rpms[i]);
        p.set.per_minute[LIMIT_REQUESTS] = rpms[i];
        p.lone_refusals = 200;
        p.down_from_ms = 10000;
        p.down_to_ms = 13000;
        p.for_ms = 45000;
        struct stage *s = perform(&p, i + 1);
        for (size_t k = 0; k < ARRAY_LEN(spans_ms); k++) {
            double most = (double)rpms[i] / 60000 * (double)(spans_ms[k] + LIMIT_BURST_MS) + 1;
            assert_true((double)most_within(s, spans_ms[k]) <= most);
        }
        leave(s);
    }
}

static void test_the_lower_of_two_limits_holds(void **state) {
    (void)state;
    struct play p = usual(6000);
    p.set.per_minute[LIMIT_REQUESTS] = 600;
    struct stage *s = perform(&p, 1);
    assert_true(s->sent <= 602 && s->sent > 570);
    leave(s);
    p = usual(600);
    p.set.per_minute[LIMIT_REQUESTS] = 6000;
    p.hold_s = 1;
    s = perform(&p, 1);
    assert_true(s->sent - s->refused <= 611);
    assert_refused_below(s, 0.05); /* it was told a limit that is not there */
    leave(s);
}

static void test_clients_that_share_a_limit_keep_it_together(void **state) {
    (void)state;
    for (int tells = 0; tells < 2; tells++) {
        struct play p = usual(6000);
        p.set.per_minute[LIMIT_REQUESTS] = tells ? 0 : 6000;
        p.set.shared = true;
        p.part = 0.25;
        struct stage *s = perform(&p, 1);
        assert_in_range(s->sent, 1440, 1500 + 10); /* a minute's worth, a quarter of it */
        leave(s);
    }
    struct play p = usual(0);
    p.set.in_flight = 10;
    p.set.shared = true;
    p.part = 0.25;
    struct stage *s = perform(&p, 1);
    assert_int_equal(s->limit.in_flight, 2);
    leave(s);
}

/* The store was away for long, say, while a call was under way. */
static void
test_an_answer_that_comes_when_a_part_has_ended_is_paid_off_in_the_next_one(void **state) {
    (void)state;
    const struct limit_set set = {.per_minute[LIMIT_OUTPUT] = 60000, .shared = true};
    const struct limit_cost cost = {.input_bytes = 400, .output_tokens_max = 20000};
    const struct call_usage usage = {.input_tokens = 100, .output_tokens = 11000};
    struct limit_ticket t;
    struct limit l;
    limit_init(&l, LIMIT_AS_PRODUCED, &set);
    limit_share(&l, 0, 0.5, 15000);
    assert_int_equal(limit_wait_ms(&l, 1000, &cost), 0);
    limit_send(&l, 1000, &cost, &t);
    assert_true(limit_wait_ms(&l, 20000, &cost) > 0); /* it has ended */
    limit_answered(&l, 20000, &t, &usage);
    limit_share(&l, 20000, 0.25, 35000);
    /* 11,000 at 495 a second from 1 s on; what is left at 20 s lasts twice as long now. */
    assert_in_range(limit_wait_ms(&l, 20000, &cost), 6000, 6500);
}

static void test_where_answers_told_of_no_limit_nobody_waits_for_a_part_of_it(void **state) {
    (void)state;
    const struct limit_set set = {.shared = true}, in_flight = {.in_flight = 2, .shared = true};
    const struct limit_cost cost = {.input_bytes = 400, .output_tokens_max = 100};
    const struct call_usage usage = {.input_tokens = 100, .output_tokens = 20};
    struct limit_ticket t;
    struct limit_told told;
    struct limit l;
    limit_init(&l, LIMIT_AT_ADMISSION, &set);
    assert_true(limit_wait_ms(&l, 0, &cost) > 0); /* there may be one */
    limit_share(&l, 0, 1, 1000);
    limit_send(&l, 0, &cost, &t);
    assert_true(limit_wait_ms(&l, 1000, &cost) > 0);
    limit_answered(&l, 1000, &t, &usage);
    assert_int_equal(limit_wait_ms(&l, 1000, &cost), 0);
    limit_send(&l, 1000, &cost, &t);
    memset(&told, -1, sizeof told);
    told.of[LIMIT_REQUESTS].per_minute = 6000;
    limit_tell(&l, 2000, &t, &told);
    assert_true(limit_wait_ms(&l, 2000, &cost) > 0); /* there is one */
    limit_init(&l, LIMIT_AT_ADMISSION, &in_flight);
    limit_share(&l, 0, 1, 1000);
    limit_send(&l, 0, &cost, &t);
    limit_answered(&l, 100, &t, &usage);
    assert_true(limit_wait_ms(&l, 1000, &cost) > 0);
}

static void test_what_others_use_up_is_waited_for(void **state) {
    (void)state;
    const struct limit_set set = {0};
    const struct limit_cost cost = {.input_bytes = 400, .output_tokens_max = 100};
    struct limit_ticket t;
    struct limit_told told;
    struct limit l;
    limit_init(&l, LIMIT_AT_ADMISSION, &set);
    limit_send(&l, 1000, &cost, &t);
    memset(&told, -1, sizeof told);
    told.of[LIMIT_REQUESTS].per_minute = 60;
    told.of[LIMIT_REQUESTS].remaining = 0; /* somebody else with our key */
    limit_tell(&l, 1010, &t, &told);
    limit_answered(&l, 1010, &t, &(struct call_usage){.input_tokens = 100, .output_tokens = 20});
    assert_in_range(limit_wait_ms(&l, 1010, &cost), 900, 1000);
    assert_int_equal(limit_wait_ms(&l, 2010, &cost), 0);
}

static void test_old_news_do_not_undo_newer_ones(void **state) {
    (void)state;
    const struct limit_set set = {0};
    const struct limit_cost cost = {.input_bytes = 400, .output_tokens_max = 100};
    struct limit_ticket first, second;
    struct limit_told told;
    struct limit l;
    limit_init(&l, LIMIT_AT_ADMISSION, &set);
    limit_send(&l, 1000, &cost, &first);
    limit_send(&l, 1500, &cost, &second);
    memset(&told, -1, sizeof told);
    told.of[LIMIT_REQUESTS].per_minute = 60;
    limit_tell(&l, 1600, &second, &told);
    told.of[LIMIT_REQUESTS].per_minute = 6000;
    limit_tell(&l, 1700, &first, &told);
    assert_int_equal(limit_per_minute(&l, LIMIT_REQUESTS), 60);
    assert_int_equal(limit_per_minute(&l, LIMIT_TOKENS), -1);
}

/* --- refusals --- */

static void test_where_nothing_is_told_a_limit_of_calls_in_flight_is_found_and_used(void **state) {
    (void)state;
    static const int64_t most[] = {10, 40, 100};
    for (size_t i = 0; i < ARRAY_LEN(most); i++) {
        for (uint64_t seed = 1; seed <= 5; seed++) {
            struct play p = usual(0);
            p.tells = false;
            p.in_flight_max = most[i];
            p.slots = 10 * most[i];
            p.for_ms = 600000;
            struct stage *s = perform(&p, seed);
            assert_refused_below(s, 0.005);
            assert_used(s, (double)(most[i] * p.for_ms) / 1650);
            leave(s);
        }
    }
}

static void test_where_nothing_is_told_a_limit_per_minute_is_found_and_used(void **state) {
    (void)state;
    static const double holds_s[] = {1, 10, 60};
    for (size_t i = 0; i < ARRAY_LEN(holds_s); i++) {
        for (uint64_t seed = 1; seed <= 5; seed++) {
            struct play p = usual(3000);
            p.tells = false;
            p.hold_s = holds_s[i];
            p.for_ms = 600000;
            struct stage *s = perform(&p, seed);
            assert_refused_below(s, 0.005);
            assert_used(s, 50.0 * (double)p.for_ms / 1000);
            leave(s);
        }
    }
}

/* A bucket of a second holds eight calls, and a dozen that were in flight when the first were
 * refused are easily taken for what is allowed. */
static void test_where_nothing_is_told_a_low_limit_is_found_and_used(void **state) {
    (void)state;
    static const int64_t rpms[] = {500, 1000};
    for (size_t i = 0; i < ARRAY_LEN(rpms); i++) {
        for (uint64_t seed = 1; seed <= 8; seed++) {
            struct play p = usual(rpms[i]);
            p.tells = false;
            p.hold_s = 1;
            p.for_ms = 600000;
            struct stage *s = perform(&p, seed);
            assert_refused_below(s, 0.005);
            assert_used(s, (double)rpms[i] / 60 * (double)p.for_ms / 1000);
            leave(s);
        }
    }
}

static void test_where_nothing_is_told_a_limit_that_changes_is_followed(void **state) {
    (void)state;
    static const struct {
        int64_t from, to;
        double found_ms; /* a higher one is looked for in small steps */
    } changes[] = {{3000, 1500, 60000}, {3000, 6000, 60000}, {1000, 500, 0}, {500, 1000, 180000}};
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        struct play p = usual(changes[i].from);
        p.tells = false;
        p.hold_s = 1;
        p.slots = 800;
        p.change_rpm = changes[i].to;
        p.for_ms = 1200000;
        p.change_ms = p.for_ms / 2;
        struct stage *s = perform(&p, i + 1);
        double after_ms = (double)(p.for_ms - p.change_ms) - changes[i].found_ms;
        assert_refused_below(s, 0.005);
        assert_used(s, ((double)p.rpm * (double)p.change_ms + (double)p.change_rpm * after_ms) /
                           60000);
        leave(s);
    }
}

/* Gemini: no headers, but the words of a refusal. */
static void test_a_limit_that_a_refusal_names_is_used_to_the_full_from_a_cold_start(void **state) {
    (void)state;
    static const int64_t rpms[] = {500, 3000, 20000, 100000};
    for (size_t i = 0; i < ARRAY_LEN(rpms); i++) {
        for (int held = 0; held < 2; held++) {
            struct play p = usual(rpms[i]);
            p.tells = false;
            p.names = true;
            p.hold_s = held == 0 ? 60 : 1;
            struct stage *s = perform(&p, i + 1);
            assert_refused_below(s, 0.005);
            assert_used(s, (double)rpms[i]); /* the first minute */
            leave(s);
        }
    }
}

static void test_a_limit_that_a_refusal_named_is_followed_when_it_changes(void **state) {
    (void)state;
    static const struct {
        int64_t from, to;
        double found_ms; /* a rise: a look costs a refusal, and 300 calls must have earned it */
    } changes[] = {{3000, 1500, 0}, {3000, 9000, 8000}, {20000, 60000, 6000}, {500, 1000, 40000}};
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        struct play p = usual(changes[i].from);
        p.tells = false;
        p.names = true;
        p.hold_s = 1;
        p.slots = changes[i].to / 60 * 8 + 200;
        p.change_rpm = changes[i].to;
        p.change_ms = 60000;
        p.for_ms = 180000;
        struct stage *s = perform(&p, i + 1);
        assert_refused_below(s, 0.005);
        assert_used(s, (double)(p.rpm + 2 * p.change_rpm) -
                           (double)p.change_rpm * changes[i].found_ms / 60000);
        leave(s);
    }
}

static void test_a_limit_on_tokens_that_a_refusal_names_is_used_to_the_full(void **state) {
    (void)state;
    struct play p = usual(0);
    p.tells = false;
    p.names = true;
    p.tpm = 2000000; /* 3,000 a call: 667 a minute */
    p.hold_s = 2;
    p.slots = 200;
    p.for_ms = 120000;
    struct stage *s = perform(&p, 1);
    assert_refused_below(s, 0.006);
    assert_used(s, (double)p.tpm / 3000 * (double)(p.for_ms - 3000) / 60000);
    leave(s);
}

static void test_a_refusal_that_names_no_limit_is_not_taken_for_one(void **state) {
    (void)state;
    struct play p = usual(3000);
    p.tells = false;
    p.names = true;
    p.hold_s = 1;
    p.lone_refusals = 100; /* a proxy's, say: with nothing in it */
    struct stage *s = perform(&p, 1);
    assert_int_equal(limit_per_minute(&s->limit, LIMIT_TOKENS), -1);
    assert_used(s, 3000 * 0.95);
    leave(s);
}

static void test_one_call_a_second_is_never_two_within_it(void **state) {
    (void)state;
    struct play p = usual(60);
    p.set.per_minute[LIMIT_REQUESTS] = 60;
    p.hold_s = 1; /* a bucket of one */
    p.for_ms = 300000;
    struct stage *s = perform(&p, 1);
    assert_int_equal(s->refused, 0);
    assert_used(s, 300);
    leave(s);
}

static void test_a_fixed_number_of_calls_in_flight_is_kept(void **state) {
    (void)state;
    struct play p = usual(0);
    p.tells = false;
    p.in_flight_max = p.set.in_flight = 40;
    p.slots = 400;
    struct stage *s = perform(&p, 1);
    assert_int_equal(s->refused, 0);
    assert_true(s->limit.in_flight <= 40);
    leave(s);
}

static void test_no_pause_is_longer_than_asked_for_and_a_second(void **state) {
    (void)state;
    static const int64_t asked_ms[] = {0, 50, 1000, 10000};
    for (size_t i = 0; i < ARRAY_LEN(asked_ms); i++) {
        for (int tells = 0; tells < 2; tells++) {
            struct play p = usual(1200);
            p.tells = tells == 1;
            p.hold_s = 2;
            p.latency_ms[0] = p.latency_ms[1] = tells ? 3000 : 100; /* not by the window */
            p.retry_after_ms = asked_ms[i];
            p.change_ms = 20000;
            p.change_rpm = 600;
            struct stage *s = perform(&p, i + 1);
            assert_true(s->refused > 0);
            if (s->longest_pause_ms > asked_ms[i] + LIMIT_PROBE_MS + 40) {
                fail_msg("asked for %lld ms, %s told: paused for %lld ms", (long long)asked_ms[i],
                         tells == 1 ? "limits" : "nothing", (long long)s->longest_pause_ms);
            }
            leave(s);
        }
    }
}

static void test_a_lone_refusal_stops_nobody_else(void **state) {
    (void)state;
    struct play p = usual(0);
    p.tells = false;
    p.lone_refusals = 100;
    p.slots = 100;
    p.retry_after_ms = 5000;
    struct stage *s = perform(&p, 3);
    assert_true(s->refused > 20);
    assert_used(s, 100.0 * 57000 / 1672);
    leave(s);
}

static void test_after_a_pause_one_probe_goes_before_the_others(void **state) {
    (void)state;
    const struct limit_set set = {.per_minute = {[LIMIT_REQUESTS] = 60000}};
    const struct limit_cost cost = {.input_bytes = 400, .output_tokens_max = 100};
    struct limit_ticket t[20];
    struct limit l;
    limit_init(&l, LIMIT_AT_ADMISSION, &set);
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        assert_int_equal(limit_wait_ms(&l, 0, &cost), 0);
        limit_send(&l, 0, &cost, &t[i]);
    }
    for (size_t i = 0; i < 10; i++) {
        limit_refused(&l, 10, &t[i], 700, &(struct limit_words){0});
    }
    assert_int_equal(limit_wait_ms(&l, 10, &cost), 700);
    assert_int_equal(limit_wait_ms(&l, 710, &cost), 0);
    limit_send(&l, 710, &cost, &t[0]);
    assert_true(limit_wait_ms(&l, 720, &cost) > 0);
    limit_answered(
        &l, 730, &t[10],
        &(struct call_usage){.input_tokens = 1,
                             .output_tokens = 1}); /* sent before the pause: proves nothing */
    assert_true(limit_wait_ms(&l, 740, &cost) > 0);
    limit_answered(&l, 750, &t[0], &(struct call_usage){.input_tokens = 1, .output_tokens = 1});
    assert_int_equal(limit_wait_ms(&l, 750, &cost), 0);
}

/* --- trouble --- */

static void test_failures_in_a_row_open_the_circuit_and_an_answer_closes_it(void **state) {
    (void)state;
    struct play p = usual(0);
    p.tells = false;
    p.slots = 50;
    p.latency_ms[0] = p.latency_ms[1] = 100;
    p.down_from_ms = 10000;
    p.down_to_ms = 25000;
    p.for_ms = 90000;
    struct stage *s = perform(&p, 1);
    assert_true(s->failed > LIMIT_TROUBLE_IN_ROW);
    assert_true(s->failed < 200); /* in 15 s without a circuit: 30,000 */
    assert_true(s->answered > 50 * 10 * 50);
    assert_false(limit_is_broken(&s->limit));
    leave(s);
}

static void test_retries_of_failures_stay_a_tenth_of_the_answers(void **state) {
    (void)state;
    const struct limit_set set = {0};
    struct limit_ticket t;
    struct limit l;
    limit_init(&l, LIMIT_AT_ADMISSION, &set);
    int64_t at_once = 0;
    while (limit_retry_ms(&l, 1000) == 0) {
        at_once++;
    }
    assert_in_range(at_once, 10, 30);
    assert_true(limit_retry_ms(&l, 1000) > limit_retry_ms(&l, 1000) - 200);
    for (int i = 0; i < 1000; i++) {
        limit_send(&l, 1000, &(struct limit_cost){.input_bytes = 10}, &t);
        limit_answered(&l, 1000, &t, &(struct call_usage){.input_tokens = 1, .output_tokens = 1});
    }
    at_once = 0;
    while (limit_retry_ms(&l, 1000) == 0) {
        at_once++;
    }
    assert_in_range(at_once, 90, 100);
}

/* --- ramps --- */

static void test_a_rate_that_rose_too_quickly_is_halved_and_grows_by_half_in_a_quarter_of_an_hour(
    void **state) {
    (void)state;
    const struct limit_set set = {.per_minute = {[LIMIT_REQUESTS] = 60000}};
    const struct limit_cost cost = {.input_bytes = 40000, .output_tokens_max = 100};
    const struct limit_words words = {.slow_down = true};
    struct limit_ticket t = {0};
    struct limit l;
    int64_t sent[3] = {0};
    limit_init(&l, LIMIT_AT_ADMISSION, &set);
    for (int64_t ms = 0; ms < 1860000; ms++) {
        while (limit_wait_ms(&l, ms, &cost) == 0) {
            limit_send(&l, ms, &cost, &t);
            limit_left(&l, ms, &t);
            sent[0] += ms >= 40000 && ms < 60000;
            sent[1] += ms >= 61000 && ms < 81000;
            sent[2] += ms >= 961000 && ms < 981000;
        }
        if (ms == 60000) {
            limit_send(&l, ms, &cost, &t);
            limit_refused(&l, ms, &t, 0, &words);
        }
    }
    assert_in_range(sent[0], 19700, 20100);
    assert_in_range(sent[1], 9000, 10400);
    assert_in_range(sent[2], 13500, 15600);
}

static void test_a_provider_that_says_how_quickly_the_rate_may_rise_is_followed(void **state) {
    (void)state;
    const struct limit_set set = {0};
    const struct limit_cost cost = {.input_bytes = 4000, .output_tokens_max = 100};
    struct limit_words words = {0};
    struct limit_ticket t;
    struct limit l;
    int64_t sent = 0;
    limit_read_words(
        S("This request would exceed your organization's maximum usage increase rate for input "
          "tokens "
          "per minute. Your current limit is 60,000 input tokens per minute, and will increase to "
          "70,000 at the next minute boundary."),
        &words);
    assert_int_equal(words.input_per_minute, 60000);
    assert_int_equal(words.input_next_minute, 70000);
    limit_init(&l, LIMIT_AS_PRODUCED, &set);
    limit_send(&l, 0, &cost, &t);
    limit_refused(&l, 0, &t, 0, &words);
    for (int64_t ms = 0; ms < 120000; ms++) {
        while (limit_wait_ms(&l, ms, &cost) == 0) {
            limit_send(&l, ms, &cost, &t);
            limit_left(&l, ms, &t);
            sent++; /* 1,200 tokens, as far as is known */
        }
    }
    assert_in_range(sent, 110, 130);
}

static void test_a_small_client_that_is_told_to_slow_down_waits_as_for_any_refusal(void **state) {
    (void)state;
    const struct limit_set set = {0};
    const struct limit_cost cost = {.input_bytes = 4000, .output_tokens_max = 100};
    struct limit_ticket t;
    struct limit l;
    limit_init(&l, LIMIT_AT_ADMISSION, &set);
    for (int i = 0; i < 4; i++) {
        limit_send(&l, 0, &cost, &t);
        limit_refused(&l, 10, &t, 5000, &(struct limit_words){.slow_down = true});
    }
    assert_int_equal(limit_wait_ms(&l, 10, &cost), 5000);
}

/* --- what refusals say --- */

static struct limit_words read_words(const char *text) {
    struct limit_words words = {0};
    limit_read_words(str_of(text), &words);
    return words;
}

static void test_the_limit_is_read_out_of_each_providers_words(void **state) {
    (void)state;
    struct limit_words w =
        read_words("Rate limit reached for gpt-4o in organization org-x on tokens per min (TPM): "
                   "Limit 30,000, Used 29000, Requested 2000. Please try again in 2s.");
    assert_int_equal(w.per_minute[LIMIT_TOKENS], 30000);
    assert_int_equal(w.per_minute[LIMIT_REQUESTS], 0);
    w = read_words("Rate limit reached for model `x` on requests per minute (RPM): Limit 30, Used "
                   "30, Requested 1.");
    assert_int_equal(w.per_minute[LIMIT_REQUESTS], 30);
    w = read_words(
        "Rate limit reached on tokens per day (TPD): Limit 100000, Used 97050, Requested 3619.");
    for (int k = 0; k < LIMIT_KINDS; k++) {
        assert_int_equal(w.per_minute[k], 0);
    }
    w = read_words(
        "Rate limit reached for x on requests per min (RPM): Limit 99999999999999999999, Used 1.");
    assert_true(w.per_minute[LIMIT_REQUESTS] <= LIMIT_SET_MAX);
    assert_false(w.slow_down);
    assert_true(read_words("stay within the acceleration limit").slow_down);
}

static void test_googles_quotas_are_read_by_their_ids(void **state) {
    (void)state;
    struct limit_words w = {0};
    limit_read_quota(S("GenerateRequestsPerMinutePerProjectPerModel-FreeTier"), 15, &w);
    limit_read_quota(S("GenerateContentInputTokensPerModelPerMinute-FreeTier"), 250000, &w);
    limit_read_quota(S("GenerateRequestsPerDayPerProjectPerModel-FreeTier"), 20, &w);
    assert_int_equal(w.per_minute[LIMIT_REQUESTS], 15);
    assert_int_equal(w.per_minute[LIMIT_INPUT], 250000);
    assert_int_equal(w.per_minute[LIMIT_TOKENS], 0);
}

static void test_fireworks_headers_are_read(void **state) {
    (void)state;
    struct limit_told t = read_headers("x-ratelimit-limit-tokens-prompt: 60000\r\n"
                                       "x-ratelimit-remaining-tokens-prompt: 50000\r\n"
                                       "x-ratelimit-limit-tokens-cache-adjusted-prompt: 15000\r\n"
                                       "x-ratelimit-limit-tokens-generated: 600\r\n");
    assert_int_equal(t.of[LIMIT_INPUT].per_minute, 3600000);
    assert_int_equal(t.of[LIMIT_INPUT].remaining, 3000000);
    assert_int_equal(t.of[LIMIT_FRESH].per_minute, 900000);
    assert_int_equal(t.of[LIMIT_OUTPUT].per_minute, 36000);
    assert_int_equal(t.of[LIMIT_FRESH].remaining, -1);
    t = read_headers("X-Ratelimit-Over-Limit: yes\r\nx-ratelimit-limit-requests: 60\r\n");
    assert_int_equal(t.of[LIMIT_REQUESTS].per_minute, 60);
    assert_int_equal(t.of[LIMIT_REQUESTS].remaining, 0); /* served from what others left */
    assert_int_equal(t.of[LIMIT_TOKENS].per_minute, -1);
}

static void test_what_a_cache_gave_is_not_counted_where_it_is_free(void **state) {
    (void)state;
    const struct limit_set set = {.per_minute = {[LIMIT_FRESH] = 60000}};
    const struct limit_cost cost = {.input_bytes = 4000, .output_tokens_max = 100};
    struct limit_ticket t;
    struct limit l;
    int64_t sent = 0;
    limit_init(&l, LIMIT_AS_PRODUCED, &set);
    for (int64_t ms = 0; ms < 120000; ms++) {
        while (limit_wait_ms(&l, ms, &cost) == 0) {
            limit_send(&l, ms, &cost, &t);
            limit_answered(&l, ms, &t,
                           &(struct call_usage){
                               .input_tokens = 1000, .cached_tokens = 900, .output_tokens = 9});
            sent++;
        }
    }
    assert_in_range(sent, 1100, 1210); /* of a hundred tokens each */
}

static void test_a_key_that_is_stopped_is_not_tried_for_a_while(void **state) {
    (void)state;
    const struct limit_set set = {0};
    const struct limit_cost cost = {.input_bytes = 1};
    struct limit l;
    limit_init(&l, LIMIT_AT_ADMISSION, &set);
    limit_stop(&l, 1000);
    assert_true(limit_is_stopped(&l, 1000));
    assert_int_equal(limit_wait_ms(&l, 1000, &cost), LIMIT_STOP_MS);
    assert_false(limit_is_stopped(&l, 1000 + LIMIT_STOP_MS));
    assert_int_equal(limit_wait_ms(&l, 1000 + LIMIT_STOP_MS, &cost), 0);
}

/* --- headers --- */

static void test_each_providers_headers_are_read(void **state) {
    (void)state;
    struct limit_told t = read_headers("HTTP/1.1 200 OK\r\nx-ratelimit-limit-requests: 10,000\r\n"
                                       "x-ratelimit-limit-tokens: 200000\r\n"
                                       "X-RateLimit-Remaining-Requests: 9999\r\n"
                                       "x-ratelimit-remaining-tokens: 149984\r\n"
                                       "x-ratelimit-reset-requests: 6ms\r\n"
                                       "x-ratelimit-reset-tokens: 15.004s\r\n\r\n");
    assert_int_equal(t.of[LIMIT_REQUESTS].per_minute, 10000);
    assert_int_equal(t.of[LIMIT_REQUESTS].remaining, 9999);
    assert_int_equal(t.of[LIMIT_TOKENS].per_minute, 200000);
    assert_int_equal(t.of[LIMIT_TOKENS].remaining, 149984);
    assert_int_equal(t.of[LIMIT_INPUT].per_minute, -1);
    t = read_headers("anthropic-ratelimit-requests-limit: 4000\r\n"
                     "anthropic-ratelimit-requests-remaining: 3999\r\n"
                     "anthropic-ratelimit-requests-reset: 2026-04-23T12:00:00Z\r\n"
                     "anthropic-ratelimit-input-tokens-limit: 2000000\r\n"
                     "anthropic-ratelimit-input-tokens-remaining: 1999000\r\n"
                     "anthropic-ratelimit-output-tokens-limit: 400000\r\n"
                     "anthropic-ratelimit-output-tokens-remaining: 0\r\n"
                     "anthropic-ratelimit-tokens-limit: 2400000\r\n");
    assert_int_equal(t.of[LIMIT_REQUESTS].per_minute, 4000);
    assert_int_equal(t.of[LIMIT_FRESH].remaining, 1999000); /* cache reads are not counted */
    assert_int_equal(t.of[LIMIT_OUTPUT].per_minute, 400000);
    assert_int_equal(t.of[LIMIT_OUTPUT].remaining, 0);
    assert_int_equal(t.of[LIMIT_TOKENS].per_minute, 2400000);
    assert_int_equal(t.of[LIMIT_TOKENS].remaining, -1);
    t = read_headers("x-ratelimit-limit-tokens: 900\r\nx-ratelimit-remaining-tokens: 10\r\n"
                     "x-ratelimit-limit-project-tokens: 600\r\n"
                     "x-ratelimit-remaining-project-tokens: 500\r\n");
    assert_int_equal(t.of[LIMIT_TOKENS].per_minute, 600);
    assert_int_equal(t.of[LIMIT_TOKENS].remaining, 10);
    t = read_headers("X-Ratelimit-Limit-Tokens-Prompt: 60000\nx-ratelimit-limit-tokens-generated: "
                     "600\nx-ratelimit-remaining-tokens-generated: 60\n");
    assert_int_equal(t.of[LIMIT_INPUT].per_minute, 3600000);
    assert_int_equal(t.of[LIMIT_OUTPUT].per_minute, 36000);
    assert_int_equal(t.of[LIMIT_OUTPUT].remaining, 3600);
}

static void test_what_is_no_limit_per_minute_is_not_told(void **state) {
    (void)state;
    static const char *const none[] = {
        "",
        "x-ratelimit-limit-requests: 0\r\nx-ratelimit-remaining-requests: -1\r\n",
        "x-ratelimit-limit-requests: -1\r\n",
        "x-ratelimit-limit-requests: many\r\n",
        "x-ratelimit-limit-requests: 99999999999999999999999999999999999999\r\n",
        "x-ratelimit-limit-requests: 14400\r\nx-ratelimit-remaining-requests: 14370\r\n"
        "x-ratelimit-reset-requests: 2m59.56s\r\n", /* Groq's requests are per day */
        "x-ratelimit-limit\r\n:\r\n::\n\n\nx-ratelimit-limit-requests",
        "my-x-ratelimit-limit-requests: 5\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(none); i++) {
        struct limit_told t = read_headers(none[i]);
        for (int k = 0; k < LIMIT_KINDS; k++) {
            assert_int_equal(t.of[k].per_minute, -1);
            assert_int_equal(t.of[k].remaining, -1);
        }
    }
}

static void test_durations_are_read_as_go_writes_them(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {{"12ms", 12},
                 {"1s", 1000},
                 {"6m0s", 360000},
                 {"1m30s", 90000},
                 {"1h2m3.5s", 3723500},
                 {"250\xc2\xb5s", 1},
                 {"7us", 1},
                 {"5ns", 1},
                 {"20", 20000},
                 {"0.5", 500},
                 {"", -1},
                 {"s", -1},
                 {"5x", -1},
                 {"5 s", -1},
                 {"-5s", -1},
                 {"1s2", -1},
                 {"1s 2s", -1},
                 {"1e400s", -1},
                 {"2026-04-23T12:00:00Z", -1}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(limit_duration_ms(str_of(cases[i].text)), cases[i].ms);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits_are_used_to_the_full_from_a_cold_start),
        cmocka_unit_test(test_a_limit_that_changes_in_mid_run_is_followed),
        cmocka_unit_test(test_tokens_that_are_counted_at_admission_are_used_to_the_full),
        cmocka_unit_test(test_tokens_that_are_counted_as_produced_are_settled),
        cmocka_unit_test(test_no_span_of_time_sees_more_than_its_share_and_the_burst),
        cmocka_unit_test(test_the_lower_of_two_limits_holds),
        cmocka_unit_test(test_clients_that_share_a_limit_keep_it_together),
        cmocka_unit_test(
            test_an_answer_that_comes_when_a_part_has_ended_is_paid_off_in_the_next_one),
        cmocka_unit_test(test_where_answers_told_of_no_limit_nobody_waits_for_a_part_of_it),
        cmocka_unit_test(test_what_others_use_up_is_waited_for),
        cmocka_unit_test(test_old_news_do_not_undo_newer_ones),
        cmocka_unit_test(test_where_nothing_is_told_a_limit_of_calls_in_flight_is_found_and_used),
        cmocka_unit_test(test_where_nothing_is_told_a_limit_per_minute_is_found_and_used),
        cmocka_unit_test(test_where_nothing_is_told_a_low_limit_is_found_and_used),
        cmocka_unit_test(test_where_nothing_is_told_a_limit_that_changes_is_followed),
        cmocka_unit_test(test_a_limit_that_a_refusal_names_is_used_to_the_full_from_a_cold_start),
        cmocka_unit_test(test_a_limit_that_a_refusal_named_is_followed_when_it_changes),
        cmocka_unit_test(test_a_limit_on_tokens_that_a_refusal_names_is_used_to_the_full),
        cmocka_unit_test(test_a_refusal_that_names_no_limit_is_not_taken_for_one),
        cmocka_unit_test(test_one_call_a_second_is_never_two_within_it),
        cmocka_unit_test(test_a_fixed_number_of_calls_in_flight_is_kept),
        cmocka_unit_test(test_no_pause_is_longer_than_asked_for_and_a_second),
        cmocka_unit_test(test_a_lone_refusal_stops_nobody_else),
        cmocka_unit_test(test_after_a_pause_one_probe_goes_before_the_others),
        cmocka_unit_test(test_failures_in_a_row_open_the_circuit_and_an_answer_closes_it),
        cmocka_unit_test(test_retries_of_failures_stay_a_tenth_of_the_answers),
        cmocka_unit_test(
            test_a_rate_that_rose_too_quickly_is_halved_and_grows_by_half_in_a_quarter_of_an_hour),
        cmocka_unit_test(test_a_provider_that_says_how_quickly_the_rate_may_rise_is_followed),
        cmocka_unit_test(test_a_small_client_that_is_told_to_slow_down_waits_as_for_any_refusal),
        cmocka_unit_test(test_the_limit_is_read_out_of_each_providers_words),
        cmocka_unit_test(test_googles_quotas_are_read_by_their_ids),
        cmocka_unit_test(test_fireworks_headers_are_read),
        cmocka_unit_test(test_what_a_cache_gave_is_not_counted_where_it_is_free),
        cmocka_unit_test(test_a_key_that_is_stopped_is_not_tried_for_a_while),
        cmocka_unit_test(test_each_providers_headers_are_read),
        cmocka_unit_test(test_what_is_no_limit_per_minute_is_not_told),
        cmocka_unit_test(test_durations_are_read_as_go_writes_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
