/* Promises of core/limit.h, against a provider that is played with simulated time: its buckets
 * refill continuously, a request is admitted or refused when it arrives, and the reply tells the
 * limits as they stood then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "core/limit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RING_MS 8192 /* longer than any call takes */

/* What the provider does. */
struct play {
    int64_t rpm, tpm;       /* 0: none */
    double hold_s;          /* its buckets hold so many seconds' worth */
    int64_t in_flight_max;  /* 0: none */
    bool tells;             /* in headers */
    bool in_force;          /* false: it answers everything */
    int64_t latency_ms[2];  /* from, to */
    int64_t network_ms[2];  /* one way */
    int64_t retry_after_ms; /* in its refusals */
    int64_t change_ms, change_rpm;
    int64_t down_from_ms, down_to_ms; /* fails everything meanwhile */
    int64_t lone_refusals;            /* one of so many, for no reason; 0: none */
    enum limit_rule rule;
    struct limit_set set;
    int64_t slots; /* calls that want to go, and come again at once */
    int64_t for_ms;
    int64_t output_tokens[2], output_tokens_max;
};

enum fate { FATE_ANSWER, FATE_REFUSE, FATE_FAIL };

struct sent {
    struct sent *next;
    struct limit_ticket ticket;
    enum fate fate;
    bool arrived;
    int64_t input_tokens, output_tokens;
    struct limit_told told;
};

struct stage {
    const struct play *p;
    struct limit limit;
    struct rng rng;
    struct sent *ring[RING_MS];
    double requests, tokens; /* the provider's levels */
    int64_t rpm, serving;
    int64_t sent, answered, refused, failed;
    int64_t last_sent_ms, longest_pause_ms;
    int64_t used_tokens;
    int64_t *sent_at; /* every sending */
};

static int64_t between(struct stage *s, const int64_t range[2]) {
    return range[0] + (int64_t)(rng_u64(&s->rng) % (uint64_t)(range[1] - range[0] + 1));
}

static void put(struct stage *s, struct sent *c, int64_t at_ms) {
    c->next = s->ring[at_ms % RING_MS];
    s->ring[at_ms % RING_MS] = c;
}

static void refill(struct stage *s) {
    double rpm = (double)s->rpm, tpm = (double)s->p->tpm;
    s->requests = MIN(s->requests + rpm / 60000, rpm / 60 * s->p->hold_s);
    s->tokens = MIN(s->tokens + tpm / 60000, tpm / 60 * s->p->hold_s);
}

/* At the provider's door. */
static void arrive(struct stage *s, struct sent *c, int64_t now_ms) {
    const struct play *p = s->p;
    double counted =
        (double)c->input_tokens +
        (double)(p->rule == LIMIT_AT_ADMISSION ? p->output_tokens_max : c->output_tokens);
    bool fits = (s->rpm == 0 || s->requests >= 1) && (p->tpm == 0 || s->tokens >= counted) &&
                (p->in_flight_max == 0 || s->serving < p->in_flight_max);
    c->arrived = true;
    c->fate = FATE_ANSWER;
    if (now_ms >= p->down_from_ms && now_ms < p->down_to_ms) {
        c->fate = FATE_FAIL;
    } else if (!fits ||
               (p->lone_refusals > 0 && between(s, (int64_t[]){1, p->lone_refusals}) == 1)) {
        c->fate = FATE_REFUSE;
    }
    if (c->fate == FATE_ANSWER) {
        s->requests -= 1;
        s->tokens -= counted;
        s->serving++;
    }
    memset(&c->told, -1, sizeof c->told);
    if (p->tells) {
        c->told.of[LIMIT_REQUESTS].per_minute = s->rpm > 0 ? s->rpm : -1;
        c->told.of[LIMIT_REQUESTS].remaining = (int64_t)MAX(s->requests, 0);
        c->told.of[LIMIT_TOKENS].per_minute = p->tpm > 0 ? p->tpm : -1;
        c->told.of[LIMIT_TOKENS].remaining = (int64_t)MAX(s->tokens, 0);
    }
    int64_t work_ms = c->fate == FATE_ANSWER ? between(s, p->latency_ms) : 0;
    put(s, c, now_ms + work_ms + MAX(between(s, p->network_ms), 1));
}

static void come_back(struct stage *s, struct sent *c, int64_t now_ms) {
    limit_tell(&s->limit, now_ms, &c->ticket, &c->told);
    if (c->fate == FATE_ANSWER) {
        s->serving--;
        s->answered++;
        s->used_tokens += c->input_tokens + c->output_tokens;
        limit_answered(&s->limit, now_ms, &c->ticket, c->input_tokens, c->output_tokens);
    } else if (c->fate == FATE_REFUSE) {
        s->refused++;
        limit_refused(&s->limit, now_ms, &c->ticket, s->p->retry_after_ms);
    } else {
        s->failed++;
        limit_failed(&s->limit, now_ms, &c->ticket);
    }
    free(c);
}

static void send_all(struct stage *s, int64_t now_ms) {
    const struct limit_cost cost = {.input_bytes = 4000,
                                    .output_tokens_max = s->p->output_tokens_max};
    while (s->limit.in_flight < s->p->slots && limit_wait_ms(&s->limit, now_ms, &cost) == 0) {
        struct sent *c = mem_new(sizeof *c);
        limit_send(&s->limit, now_ms, &cost, &c->ticket);
        c->input_tokens = between(s, (int64_t[]){900, 1100});
        c->output_tokens = between(s, s->p->output_tokens);
        s->sent_at[s->sent++] = now_ms;
        s->last_sent_ms = now_ms;
        put(s, c, now_ms + MAX(between(s, s->p->network_ms), 1));
    }
    if (s->limit.in_flight < s->p->slots) { /* somebody would like to go */
        s->longest_pause_ms = MAX(s->longest_pause_ms, now_ms - s->last_sent_ms);
    } else {
        s->last_sent_ms = now_ms;
    }
}

/* Play it; free with leave(). */
static struct stage *perform(const struct play *p, uint64_t seed) {
    struct stage *s = mem_new(sizeof *s);
    *s = (struct stage){.p = p, .rpm = p->rpm};
    s->sent_at = mem_new_array((size_t)(p->for_ms * 10), sizeof *s->sent_at);
    rng_init(&s->rng, seed);
    limit_init(&s->limit, p->rule, &p->set);
    s->requests = (double)p->rpm / 60 * p->hold_s;
    s->tokens = (double)p->tpm / 60 * p->hold_s;
    for (int64_t now_ms = 1; now_ms <= p->for_ms; now_ms++) {
        struct sent *due = s->ring[now_ms % RING_MS], *next;
        s->ring[now_ms % RING_MS] = NULL;
        s->rpm = p->change_ms > 0 && now_ms >= p->change_ms ? p->change_rpm : s->rpm;
        refill(s);
        for (; due != NULL; due = next) {
            next = due->next;
            if (due->arrived) {
                come_back(s, due, now_ms);
            } else {
                arrive(s, due, now_ms);
            }
        }
        send_all(s, now_ms);
    }
    return s;
}

static void leave(struct stage *s) {
    for (size_t i = 0; i < RING_MS; i++) {
        for (struct sent *c = s->ring[i], *next; c != NULL; c = next) {
            next = c->next;
            free(c);
        }
    }
    free(s->sent_at);
    free(s);
}

static struct play usual(int64_t rpm) {
    return (struct play){.rpm = rpm,
                         .hold_s = 60,
                         .tells = true,
                         .latency_ms = {300, 3000},
                         .network_ms = {1, 20},
                         .retry_after_ms = 500,
                         .slots = MAX(rpm / 60 * 8, 64),
                         .for_ms = 60000,
                         .output_tokens = {200, 1000},
                         .output_tokens_max = 2000};
}

/* The most that was sent in any span of @span_ms. */
static int64_t most_within(const struct stage *s, int64_t span_ms) {
    int64_t most = 0;
    for (int64_t from = 0, to = 0; to < s->sent; to++) {
        while (s->sent_at[to] - s->sent_at[from] >= span_ms) {
            from++;
        }
        most = MAX(most, to - from + 1);
    }
    return most;
}

static void assert_refused_below(const struct stage *s, double share) {
    if ((double)s->refused > share * (double)s->sent) {
        fail_msg("%lld of %lld refused", (long long)s->refused, (long long)s->sent);
    }
}

static void assert_used(const struct stage *s, double calls) {
    if ((double)s->answered + (double)s->serving < 0.95 * calls) {
        fail_msg("%lld of %.0f answered", (long long)(s->answered + s->serving), calls);
    }
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
        p.set.sharers = 4;
        struct stage *s = perform(&p, 1);
        assert_in_range(s->sent, 1440, 1500 + 10); /* a minute's worth, a quarter of it */
        leave(s);
    }
    struct play p = usual(0);
    p.set.in_flight = 10;
    p.set.sharers = 4;
    struct stage *s = perform(&p, 1);
    assert_int_equal(s->limit.in_flight, 2);
    leave(s);
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
    limit_answered(&l, 1010, &t, 100, 20);
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
        limit_refused(&l, 10, &t[i], 700);
    }
    assert_int_equal(limit_wait_ms(&l, 10, &cost), 700);
    assert_int_equal(limit_wait_ms(&l, 710, &cost), 0);
    limit_send(&l, 710, &cost, &t[0]);
    assert_true(limit_wait_ms(&l, 720, &cost) > 0);
    limit_answered(&l, 730, &t[10], 1, 1); /* sent before the pause: proves nothing */
    assert_true(limit_wait_ms(&l, 740, &cost) > 0);
    limit_answered(&l, 750, &t[0], 1, 1);
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
        limit_answered(&l, 1000, &t, 1, 1);
    }
    at_once = 0;
    while (limit_retry_ms(&l, 1000) == 0) {
        at_once++;
    }
    assert_in_range(at_once, 90, 100);
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

static struct limit_told read_headers(const char *text) {
    struct limit_told told;
    limit_read_headers(str_of(text), &told);
    return told;
}

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
    assert_int_equal(t.of[LIMIT_INPUT].remaining, 1999000);
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
        cmocka_unit_test(test_what_others_use_up_is_waited_for),
        cmocka_unit_test(test_old_news_do_not_undo_newer_ones),
        cmocka_unit_test(test_where_nothing_is_told_a_limit_of_calls_in_flight_is_found_and_used),
        cmocka_unit_test(test_where_nothing_is_told_a_limit_per_minute_is_found_and_used),
        cmocka_unit_test(test_where_nothing_is_told_a_low_limit_is_found_and_used),
        cmocka_unit_test(test_where_nothing_is_told_a_limit_that_changes_is_followed),
        cmocka_unit_test(test_a_fixed_number_of_calls_in_flight_is_kept),
        cmocka_unit_test(test_no_pause_is_longer_than_asked_for_and_a_second),
        cmocka_unit_test(test_a_lone_refusal_stops_nobody_else),
        cmocka_unit_test(test_after_a_pause_one_probe_goes_before_the_others),
        cmocka_unit_test(test_failures_in_a_row_open_the_circuit_and_an_answer_closes_it),
        cmocka_unit_test(test_retries_of_failures_stay_a_tenth_of_the_answers),
        cmocka_unit_test(test_a_key_that_is_stopped_is_not_tried_for_a_while),
        cmocka_unit_test(test_each_providers_headers_are_read),
        cmocka_unit_test(test_what_is_no_limit_per_minute_is_not_told),
        cmocka_unit_test(test_durations_are_read_as_go_writes_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
