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
    assert_int_equal(p->input_nusd, in);
    assert_int_equal(p->cached_input_nusd, cached);
    assert_int_equal(p->output_nusd, out);
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
    struct price p = {.input_nusd = 1000, .cached_input_nusd = 100, .output_nusd = 5000};
    struct call_usage u = {.input_tokens = 10, .cached_tokens = 4, .output_tokens = 3};
    assert_int_equal(price_cost(&p, &u), 6 * 1000 + 4 * 100 + 3 * 5000);
    u.cached_tokens = 40; /* more than the input: a provider's slip */
    assert_int_equal(price_cost(&p, &u), 10 * 100 + 3 * 5000);
    assert_int_equal(price_cost(NULL, &u), MONEY_UNKNOWN);
    u.output_tokens = -1;
    assert_int_equal(price_cost(&p, &u), MONEY_UNKNOWN);
    u = (struct call_usage){.input_tokens = INT64_MAX, .output_tokens = INT64_MAX};
    assert_int_equal(price_cost(&p, &u), INT64_MAX); /* never wraps */
}

static void test_a_bound_covers_every_byte_and_all_output(void **state) {
    (void)state;
    struct price p = {.input_nusd = 10, .cached_input_nusd = 20, .output_nusd = 1000};
    struct call_schema schema = {.name = "x", .json = S("{}")};
    struct call_spec call = {.messages = {{CALL_SYSTEM, S("abc")}, {CALL_USER, S("defgh")}},
                             .messages_n = 2,
                             .output_tokens_max = 7};
    int64_t bare = price_bound(&p, &call);
    assert_true(bare >= 8 * 20 + 7 * 1000);
    call.schema = &schema;
    assert_true(price_bound(&p, &call) >= bare + 2 * 20);
    call.output_tokens_max = INT64_MAX;
    assert_int_equal(price_bound(&p, &call), INT64_MAX);
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
        cmocka_unit_test(test_a_bound_covers_every_byte_and_all_output),
        cmocka_unit_test(test_spent_and_reserved_never_pass_the_cap),
        cmocka_unit_test(test_a_cost_above_its_reservation_is_kept_apart),
        cmocka_unit_test(test_without_a_cap_money_is_counted_and_never_refused),
        cmocka_unit_test(test_a_backoff_is_uniform_up_to_a_bound_that_doubles),
        cmocka_unit_test(test_quantiles_are_within_a_tenth_of_the_truth),
        cmocka_unit_test(test_a_histogram_takes_the_smallest_and_the_largest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
