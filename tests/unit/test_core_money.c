/* Promises of core's money and time arithmetic: prices are exact or rounded up, a cap is never
 * passed, quantiles are near, waits are bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "core/backoff.h"
#include "core/budget.h"
#include "core/builtin.h"
#include "core/histogram.h"
#include "core/price.h"

#include <stdlib.h>
#include <string.h>

/* --- prices --- */

static struct price_table *read_prices(struct arena *a, struct jcheck *c, struct str text) {
    const struct jnode *doc;
    struct price_table *t = NULL;
    jcheck_init(c, a);
    assert_int_equal(jnode_parse(text, a, &doc, NULL), ERR_OK);
    (void)price_table_read(c, doc, a, &t);
    return t;
}

static void assert_price(const struct price_table *t, const char *provider, const char *model,
                         int64_t in, int64_t cached, int64_t out) {
    const struct price *p = price_find(t, str_of(provider), str_of(model));
    assert_non_null(p);
    assert_int_equal(p->rates.input, in);
    assert_int_equal(p->rates.cached_input, cached);
    assert_int_equal(p->rates.output, out);
}

static void test_the_built_in_prices_are_read_and_exact(void **state) {
    (void)state;
    struct arena a;
    struct jcheck c;
    arena_init(&a, 1 << 22);
    struct price_table *t = read_prices(&a, &c, builtin_prices());
    assert_non_null(t);
    assert_price(t, "openai", "gpt-5.4-mini", 750, 75, 4500);
    assert_price(t, "openai", "gpt-5.4-mini-2026-03-17", 750, 75, 4500);
    assert_price(t, "anthropic", "claude-haiku-4-5-20251001", 1000, 100, 5000);
    assert_price(t, "fireworks", "accounts/fireworks/models/gpt-oss-120b", 150, 14, 600);
    assert_price(t, "perplexity", "sonar", 1000, 1000, 1000); /* no cached price: as input */
    assert_price(t, "sim", "whatever", 50, 5, 200);
    assert_null(price_find(t, S("openai"), S("gpt-5.4-mini-tuned")));
    assert_null(price_find(t, S("lab"), S("our-model")));
    arena_release(&a);
}

static void test_the_longest_pattern_wins_and_exact_names_win_over_it(void **state) {
    (void)state;
    struct arena a;
    struct jcheck c;
    arena_init(&a, 1 << 20);
    struct price_table *t = read_prices(&a, &c,
                                        S("{\"_note\": [\"prose\"],"
                                          "\"p/*\": {\"input\": 1, \"output\": 1},"
                                          "\"p/big-*\": {\"input\": 2, \"output\": 2},"
                                          "\"p/big-one\": {\"input\": 3, \"output\": 0.0281}}"));
    assert_non_null(t);
    assert_price(t, "p", "small", 1000, 1000, 1000);
    assert_price(t, "p", "big-two", 2000, 2000, 2000);
    assert_price(t, "p", "big-one", 3000, 3000, 29); /* 28.1 rounded up */
    assert_price(t, "p", "big-one-2026-01-31", 3000, 3000, 29);
    assert_price(t, "p", "big-one-2026-1-31", 2000, 2000, 2000); /* not a date */
    assert_int_equal(price_table_set(t, S("p/big-one=4,8"), NULL), ERR_OK);
    assert_price(t, "p", "big-one", 4000, 4000, 8000);
    assert_int_equal(price_table_set(t, S(" p/new = 4, 0.4, 8 "), NULL), ERR_OK);
    assert_price(t, "p", "new", 4000, 400, 8000);
    arena_release(&a);
}

static void test_bad_prices_are_named_with_their_place(void **state) {
    (void)state;
    struct arena a;
    struct jcheck c;
    arena_init(&a, 1 << 20);
    assert_null(read_prices(&a, &c,
                            S("{\"p/m\": {\"input\": -1, \"output\": \"2\", \"outptu\": 3},"
                              "\"noslash\": {\"input\": 1, \"output\": 1}, \"p/n\": {}}")));
    const char *text = str_cstr(&a, jcheck_text(&c, &a));
    assert_non_null(strstr(text, "/p~1m/input"));
    assert_non_null(strstr(text, "/p~1m/output"));
    assert_non_null(strstr(text, "did you mean \"output\""));
    assert_non_null(strstr(text, "/noslash"));
    assert_non_null(strstr(text, "\"input\" is missing"));
    arena_release(&a);
}

static void test_a_price_flag_needs_a_model_and_two_or_three_numbers(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",       "p/m",    "p/m=",     "p/m=1",   "p/m=1,2,3,4", "p/m=a,b",    "m=1,2",
        "p/=1,2", "/m=1,2", "p/m=-1,2", "p/m=1,,", "p/m=1e9,1e9", "p/m=nan,nan"};
    struct arena a;
    struct jcheck c;
    arena_init(&a, 1 << 20);
    struct price_table *t = read_prices(&a, &c, S("{}"));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct errinfo info = {0};
        assert_int_equal(price_table_set(t, str_of(bad[i]), &info), ERR_INVALID);
        assert_non_null(strstr(info.text, "INPUT,OUTPUT"));
    }
    arena_release(&a);
}

static void test_a_cost_counts_cached_tokens_apart_and_is_unknown_without_usage(void **state) {
    (void)state;
    struct price p = {
        .rates = {.input = 1000, .cached_input = 100, .output = 5000, .reasoning = 5000}};
    struct call_usage u = {.input_tokens = 10, .cached_tokens = 4, .output_tokens = 3};
    assert_int_equal(price_cost(&p, &u, 0, PRICE_DIRECT), 6 * 1000 + 4 * 100 + 3 * 5000);
    u.cached_tokens = 40; /* more than the input: a provider's slip */
    assert_int_equal(price_cost(&p, &u, 0, PRICE_DIRECT), 10 * 100 + 3 * 5000);
    assert_int_equal(price_cost(NULL, &u, 0, PRICE_DIRECT), MONEY_UNKNOWN);
    u.output_tokens = -1;
    assert_int_equal(price_cost(&p, &u, 0, PRICE_DIRECT), MONEY_UNKNOWN);
    u = (struct call_usage){.input_tokens = INT64_MAX, .output_tokens = INT64_MAX};
    assert_int_equal(price_cost(&p, &u, 0, PRICE_DIRECT), INT64_MAX); /* never wraps */
}

static void test_a_bound_covers_every_byte_and_all_output(void **state) {
    (void)state;
    struct price p = {.rates = {.input = 10, .cached_input = 20, .output = 1000}};
    struct call_schema schema = {.name = "x", .json = S("{}")};
    struct call_spec call = {.messages = {{CALL_SYSTEM, S("abc")}, {CALL_USER, S("defgh")}},
                             .messages_n = 2,
                             .output_tokens_max = 7};
    int64_t bare = price_bound(&p, &call, 0, PRICE_DIRECT);
    assert_true(bare >= 8 * 20 + 7 * 1000);
    call.schema = &schema;
    assert_true(price_bound(&p, &call, 0, PRICE_DIRECT) >= bare + 2 * 20);
    call.output_tokens_max = INT64_MAX;
    assert_int_equal(price_bound(&p, &call, 0, PRICE_DIRECT), INT64_MAX);
}

#define DAY_2027_MS INT64_C(1798761600000) /* 2027-01-01T00:00Z */

static const struct price *only_price(struct arena *a, struct str json) {
    struct jcheck c;
    struct price_table *t = read_prices(a, &c, json);
    if (t == NULL) {
        fail_msg("%s", jcheck_text(&c, a).p);
    }
    const struct price *p = price_find(t, S("p"), S("m"));
    assert_non_null(p);
    return p;
}

static void test_every_kind_of_token_and_the_request_have_their_price(void **state) {
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    const struct price *p = only_price(&a, S("{\"p/m\": {\"input\": 2, \"cached_input\": 0.2,"
                                             "\"cache_write\": 2.5, \"output\": 10,"
                                             "\"reasoning\": 4, \"request\": 0.005}}"));
    struct call_usage u = {.input_tokens = 100,
                           .cached_tokens = 30,
                           .cache_write_tokens = 20,
                           .output_tokens = 50,
                           .reasoning_tokens = 40};
    assert_int_equal(price_cost(p, &u, 0, PRICE_DIRECT),
                     50 * 2000 + 30 * 200 + 20 * 2500 + 10 * 10000 + 40 * 4000 + 5000000);
    u.cache_write_tokens = 1000; /* slips of a provider: parts are never more than the whole */
    u.reasoning_tokens = 1000;
    assert_int_equal(price_cost(p, &u, 0, PRICE_DIRECT),
                     30 * 200 + 70 * 2500 + 50 * 4000 + 5000000);
    struct call_spec call = {
        .messages = {{CALL_USER, S("abc")}}, .messages_n = 1, .output_tokens_max = 50};
    assert_true(price_bound(p, &call, 0, PRICE_DIRECT) >= 3 * 2500 + 50 * 10000 + 5000000);
    arena_release(&a);
}

static void test_long_requests_pay_their_tier_for_all_of_it(void **state) {
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    const struct price *p =
        only_price(&a, S("{\"p/m\": {\"input\": 2, \"output\": 12, \"above\": {\"200000\":"
                         "{\"input\": 4, \"output\": 18}, \"500000\": {\"input\": 8}}}}"));
    struct call_usage u = {.input_tokens = 200000, .output_tokens = 1};
    assert_int_equal(price_cost(p, &u, 0, PRICE_DIRECT), 200000 * 2000 + 12000);
    u.input_tokens = 200001;
    assert_int_equal(price_cost(p, &u, 0, PRICE_DIRECT), 200001 * INT64_C(4000) + 18000);
    u.input_tokens = 600000;
    assert_int_equal(price_cost(p, &u, 0, PRICE_DIRECT), 600000 * INT64_C(8000) + 18000);
    struct call_spec call = {.messages_n = 1};
    call.messages[0].text = (struct str){"", 300000}; /* only its length counts */
    assert_true(price_bound(p, &call, 0, PRICE_DIRECT) >= 300000 * INT64_C(4000));
    arena_release(&a);
}

static void test_a_price_holds_from_its_day_on_and_in_its_hours(void **state) {
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    const struct price *p = only_price(
        &a, S("{\"p/m\": [{\"input\": 1, \"output\": 0, \"peak\": {\"hours\": [\"01:00-04:00\","
              "\"06:30-10:00\"], \"factor\": 2}}, {\"from\": \"2027-01-01\", \"input\": 5,"
              "\"output\": 0}]}"));
    const struct call_usage u = {.input_tokens = 1};
    const struct call_spec call = {.messages = {{CALL_USER, S("a")}}, .messages_n = 1};
    static const struct {
        int64_t minute, nusd;
    } cases[] = {{0, 1000},   {59, 1000},  {60, 2000},  {239, 2000}, {240, 1000},
                 {389, 1000}, {390, 2000}, {599, 2000}, {600, 1000}, {1439, 1000}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t at_ms = DAY_2027_MS - 86400000 * 10 + cases[i].minute * 60000;
        assert_int_equal(price_cost(p, &u, at_ms, PRICE_DIRECT), cases[i].nusd);
    }
    assert_int_equal(price_cost(p, &u, DAY_2027_MS - 1, PRICE_DIRECT), 1000);
    assert_int_equal(price_cost(p, &u, DAY_2027_MS, PRICE_DIRECT), 5000);
    int64_t before = price_bound(p, &call, DAY_2027_MS - 86400000 * 10, PRICE_DIRECT);
    assert_true(before >= 2000); /* it may become peak */
    assert_true(price_bound(p, &call, DAY_2027_MS - 60000, PRICE_DIRECT) >
                2 * before); /* and tomorrow */
    arena_release(&a);
}

static void test_a_batch_costs_its_part_rounded_up(void **state) {
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    const struct price *p = only_price(
        &a, S("{\"p/m\": [{\"input\": 1.001, \"output\": 4, \"batch\": 0.5, \"above\": {\"10\":"
              "{\"input\": 2}}}, {\"from\": \"2027-01-01\", \"input\": 40, \"output\": 0}]}"));
    struct call_usage u = {.input_tokens = 1};
    struct call_spec call = {.messages = {{CALL_USER, S("a")}}, .messages_n = 1};
    assert_int_equal(price_cost(p, &u, 0, PRICE_DIRECT), 1001);
    assert_int_equal(price_cost(p, &u, 0, PRICE_BATCH), 501);
    u = (struct call_usage){.input_tokens = 11,
                            .output_tokens = 1}; /* tiers hold in batches, too */
    assert_int_equal(price_cost(p, &u, 0, PRICE_BATCH), (11 * 2000 + 4000) / 2);
    assert_int_equal(price_cost(p, &u, DAY_2027_MS, PRICE_BATCH), 11 * 40000); /* no part is told */
    u.output_tokens = -1;
    assert_int_equal(price_cost(p, &u, 0, PRICE_BATCH), MONEY_UNKNOWN);
    int64_t bound = price_bound(p, &call, 0, PRICE_DIRECT);
    assert_int_equal(price_bound(p, &call, 0, PRICE_BATCH), (bound + 1) / 2);
    int64_t near_ms = DAY_2027_MS - INT64_C(86400000) * 3; /* asked again, it may last until then */
    assert_int_equal(price_bound(p, &call, near_ms, PRICE_DIRECT), bound);
    assert_true(price_bound(p, &call, near_ms, PRICE_BATCH) >= 40000);
    arena_release(&a);
}

static void test_a_bound_knows_every_price_until_the_answer(void **state) {
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    const struct price *p = only_price(
        &a, S("{\"p/m\": [{\"input\": 1, \"output\": 0}, {\"from\": \"2027-01-01\", \"input\": 40,"
              "\"output\": 0}, {\"from\": \"2027-01-03\", \"input\": 1, \"output\": 0}]}"));
    struct call_spec call = {.messages = {{CALL_USER, S("a")}}, .messages_n = 1};
    int64_t begun_ms = DAY_2027_MS - INT64_C(86400000) * 3;
    assert_true(price_bound(p, &call, begun_ms, PRICE_BATCH) >= 40000);
    assert_true(price_bound(p, &call, begun_ms, PRICE_DIRECT) < 40000);
    arena_release(&a);
}

static void test_what_is_known_of_batches_stays_with_a_price_from_a_flag(void **state) {
    (void)state;
    struct arena a;
    struct jcheck c;
    const struct call_usage u = {.input_tokens = 10};
    arena_init(&a, 1 << 22);
    struct price_table *t = read_prices(&a, &c, builtin_prices());
    static const struct {
        const char *provider, *model;
        int64_t nusd;
    } cases[] = {{"openai", "gpt-5.4-mini", 5000},
                 {"anthropic", "claude-haiku-4-5", 5000},
                 {"sim", "target", 5000},
                 {"openai", "a-tuned-model", 5000},
                 {"gemini", "gemini-2.5-pro", 10000},
                 {"lab", "our-model", 10000}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str flag = str_fmt(&a, "%s/%s=1,1", cases[i].provider, cases[i].model);
        assert_int_equal(price_table_set(t, flag, NULL), ERR_OK);
        const struct price *p = price_find(t, str_of(cases[i].provider), str_of(cases[i].model));
        assert_int_equal(price_cost(p, &u, 0, PRICE_BATCH), cases[i].nusd);
    }
    arena_release(&a);
}

static void test_prices_that_cannot_be_are_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "[]",
        "[{\"input\": 1, \"output\": 1}, {\"input\": 1, \"output\": 1}]",
        "[{\"from\": \"2027-01-01\", \"input\": 1, \"output\": 1},"
        " {\"from\": \"2026-01-01\", \"input\": 1, \"output\": 1}]",
        "{\"input\": 1, \"output\": 1, \"from\": \"1 May\"}",
        "{\"input\": 1, \"output\": 1, \"from\": \"2027-13-01\"}",
        "{\"input\": 1, \"output\": 1, \"above\": {\"many\": {}}}",
        "{\"input\": 1, \"output\": 1, \"batch\": 0}",
        "{\"input\": 1, \"output\": 1, \"batch\": 1.5}",
        "{\"input\": 1, \"output\": 1, \"above\": {\"9\": {}, \"8\": {}}}",
        "{\"input\": 1, \"output\": 1, \"above\": {\"9\": {\"inptu\": 1}}}",
        "{\"input\": 1, \"output\": 1, \"above\": {\"1\": {}, \"2\": {}, \"3\": {}, \"4\": {},"
        " \"5\": {}}}",
        "{\"input\": 1, \"output\": 1, \"peak\": {\"factor\": 2}}",
        "{\"input\": 1, \"output\": 1, \"peak\": {\"hours\": [\"4-5\"], \"factor\": 2}}",
        "{\"input\": 1, \"output\": 1, \"peak\": {\"hours\": [\"05:00-04:00\"]}}",
        "{\"input\": 1, \"output\": 1, \"request\": -1}",
    };
    struct arena a;
    arena_init(&a, 1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct jcheck c;
        if (read_prices(&a, &c, str_fmt(&a, "{\"p/m\": %s}", bad[i])) != NULL) {
            fail_msg("taken: %s", bad[i]);
        }
    }
    arena_release(&a);
}

/* --- budget --- */

/* What a budget's user must know by himself: each reservation is given back exactly once. */
static void random_reservations(struct rng *r, struct budget *b, int64_t cap) {
    int64_t held[32];
    size_t n = 0;
    for (int step = 0; step < 2000; step++) {
        if (n < ARRAY_LEN(held) && rng_chance(r, 0.55)) {
            int64_t wish = rng_chance(r, 0.02) ? INT64_MAX : rng_range(r, 0, cap / 8 + 1);
            int64_t room = cap - b->spent_nusd - b->reserved_nusd;
            assert_int_equal(budget_reserve(b, wish), wish <= room);
            if (wish <= room) {
                held[n++] = wish;
            }
        } else if (n > 0) {
            size_t i = (size_t)rng_below(r, n);
            int64_t reserved = held[i];
            held[i] = held[--n];
            if (rng_chance(r, 0.2)) {
                budget_release(b, reserved);
            } else { /* below, at, far above the reservation, or unknown */
                int64_t costs[] = {reserved / 2, reserved, INT64_MAX, MONEY_UNKNOWN};
                budget_settle(b, reserved, costs[rng_below(r, ARRAY_LEN(costs))]);
            }
        }
        assert_true(b->spent_nusd >= 0 && b->reserved_nusd >= 0 && b->excess_nusd >= 0);
        assert_true(b->spent_nusd + b->reserved_nusd <= cap);
    }
}

static void test_spent_and_reserved_never_pass_the_cap(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct rng r;
        struct budget b;
        rng_init(&r, seed);
        int64_t cap = rng_range(&r, 0, 1000000);
        budget_init(&b, cap, rng_range(&r, 0, cap));
        random_reservations(&r, &b, cap);
    }
}

static void test_a_cost_above_its_reservation_is_kept_apart(void **state) {
    (void)state;
    struct budget b;
    budget_init(&b, 100, 0);
    assert_true(budget_reserve(&b, 60));
    budget_settle(&b, 60, 75);
    assert_int_equal(b.spent_nusd, 60);
    assert_int_equal(b.excess_nusd, 15);
    assert_true(budget_reserve(&b, 40));
    budget_settle(&b, 40, MONEY_UNKNOWN);
    assert_int_equal(b.spent_nusd, 100);
    assert_false(budget_reserve(&b, 1));
    budget_init(&b, 50, 80); /* the cap was lowered between two runs */
    assert_int_equal(b.spent_nusd, 50);
    assert_int_equal(b.excess_nusd, 30);
    assert_false(budget_reserve(&b, 1));
}

static void test_what_may_have_been_spent_leaves_less_to_spend(void **state) {
    (void)state;
    struct budget b;
    budget_init(&b, 100, 0);
    assert_true(budget_reserve(&b, 50));
    budget_lose(&b, 30);
    assert_int_equal(budget_left(&b), 20);
    assert_int_equal(b.spent_nusd, 0);
    assert_false(budget_reserve(&b, 21));
    budget_lose(&b, 30); /* as far as there is room */
    assert_int_equal(budget_left(&b), 0);
    budget_settle(&b, 50, 40);
    assert_int_equal(b.spent_nusd, 40);
    assert_int_equal(budget_left(&b), 10);
}

static void test_without_a_cap_money_is_counted_and_never_refused(void **state) {
    (void)state;
    struct budget b;
    budget_init(&b, MONEY_UNKNOWN, 5);
    assert_true(budget_reserve(&b, INT64_MAX / 2));
    assert_true(budget_reserve(&b, INT64_MAX / 4));
    budget_settle(&b, INT64_MAX / 2, 7);
    budget_release(&b, INT64_MAX / 4);
    assert_int_equal(b.spent_nusd, 12);
    assert_int_equal(b.reserved_nusd, 0);
}

/* --- waits and latencies --- */

static void test_a_backoff_is_uniform_up_to_a_bound_that_doubles(void **state) {
    (void)state;
    struct rng r;
    rng_init(&r, 7);
    for (int64_t failures = 0; failures < 100; failures++) {
        int64_t bound =
            failures < 6 ? (int64_t)BACKOFF_BASE_MS << failures : (int64_t)BACKOFF_MAX_MS;
        int64_t sum = 0, n = 2000;
        for (int64_t i = 0; i < n; i++) {
            int64_t ms = backoff_ms(failures, rng_u64(&r));
            assert_in_range(ms, 0, bound);
            sum += ms;
        }
        assert_in_range(sum / n, bound * 46 / 100, bound * 54 / 100);
    }
    assert_int_equal(backoff_ms(INT64_MAX, UINT64_MAX) <= BACKOFF_MAX_MS, 1);
}

static int compare_i64(const void *va, const void *vb) {
    int64_t a = *(const int64_t *)va, b = *(const int64_t *)vb;
    return (a > b) - (a < b);
}

static void test_quantiles_are_within_a_tenth_of_the_truth(void **state) {
    (void)state;
    static int64_t values[20000];
    static const double qs[] = {0.01, 0.25, 0.5, 0.9, 0.95, 0.99};
    struct histogram h = {0};
    struct rng r;
    rng_init(&r, 3);
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        values[i] = rng_range(&r, 10, 10 + rng_range(&r, 0, 100000));
        histogram_add(&h, values[i]);
    }
    qsort(values, ARRAY_LEN(values), sizeof values[0], compare_i64);
    for (size_t i = 0; i < ARRAY_LEN(qs); i++) {
        double truth = (double)values[(size_t)(qs[i] * (double)ARRAY_LEN(values))];
        double found = (double)histogram_quantile(&h, qs[i]);
        assert_true(found > truth * 0.9 && found < truth * 1.1);
    }
    assert_int_equal(histogram_quantile(&h, 0), h.min);
    assert_true(histogram_quantile(&h, 1) <= h.max);
}

static void test_a_histogram_takes_the_smallest_and_the_largest(void **state) {
    (void)state;
    struct histogram h = {0};
    assert_int_equal(histogram_quantile(&h, 0.5), 0);
    histogram_add(&h, 0);
    assert_int_equal(histogram_quantile(&h, 0.5), 0);
    histogram_add(&h, INT64_MAX / 2);
    assert_int_equal(h.n, 2);
    assert_true(histogram_quantile(&h, 1) > 10000000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_built_in_prices_are_read_and_exact),
        cmocka_unit_test(test_the_longest_pattern_wins_and_exact_names_win_over_it),
        cmocka_unit_test(test_bad_prices_are_named_with_their_place),
        cmocka_unit_test(test_a_price_flag_needs_a_model_and_two_or_three_numbers),
        cmocka_unit_test(test_a_cost_counts_cached_tokens_apart_and_is_unknown_without_usage),
        cmocka_unit_test(test_every_kind_of_token_and_the_request_have_their_price),
        cmocka_unit_test(test_long_requests_pay_their_tier_for_all_of_it),
        cmocka_unit_test(test_a_price_holds_from_its_day_on_and_in_its_hours),
        cmocka_unit_test(test_a_batch_costs_its_part_rounded_up),
        cmocka_unit_test(test_a_bound_knows_every_price_until_the_answer),
        cmocka_unit_test(test_what_is_known_of_batches_stays_with_a_price_from_a_flag),
        cmocka_unit_test(test_prices_that_cannot_be_are_refused),
        cmocka_unit_test(test_a_bound_covers_every_byte_and_all_output),
        cmocka_unit_test(test_spent_and_reserved_never_pass_the_cap),
        cmocka_unit_test(test_a_cost_above_its_reservation_is_kept_apart),
        cmocka_unit_test(test_what_may_have_been_spent_leaves_less_to_spend),
        cmocka_unit_test(test_without_a_cap_money_is_counted_and_never_refused),
        cmocka_unit_test(test_a_backoff_is_uniform_up_to_a_bound_that_doubles),
        cmocka_unit_test(test_quantiles_are_within_a_tenth_of_the_truth),
        cmocka_unit_test(test_a_histogram_takes_the_smallest_and_the_largest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
