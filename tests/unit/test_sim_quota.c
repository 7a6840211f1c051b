/* Promises of sim/limit.h: what is admitted stays under the limit over every window, who waits as
 * told is let in, each provider's tokens are counted its own way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "sim/quota.h"

#include <stdio.h>
#include <stdlib.h>

#define S_US INT64_C(1000000)
#define BEGIN_US INT64_C(5000000000)

static struct quota_plan plan(const char *text) {
    struct quota_plan p;
    assert_true(quota_plan_read(str_of(text), &p));
    return p;
}

/* Limits with one account; @text as for --rpm, NULL: none. */
struct bench {
    struct quota_options options;
    struct quotas *limits;
    struct quota_account *account;
};

static void bench_begin(struct bench *b) {
    b->limits = malloc(sizeof *b->limits);
    assert_non_null(b->limits);
    quotas_init(b->limits, &b->options);
    b->account = quotas_account(b->limits, S("key"), S("model"));
}

static bool admit(struct bench *b, enum quota_rule rule, int64_t input, int64_t output_max,
                  int64_t now_us, struct quota_verdict *v) {
    return quotas_admit(b->limits, b->account, rule, input, output_max, now_us, v);
}

static void test_a_plan_is_read_or_refused(void **state) {
    (void)state;
    struct quota_plan p = plan("600,30s:300, 90s:1000");
    assert_int_equal(p.n, 3);
    assert_int_equal(p.steps[1].from_s, 30);
    assert_int_equal(p.steps[1].value, 300);
    assert_int_equal(p.steps[2].value, 1000);
    static const char *const bad[] = {"",
                                      "0",
                                      "-1",
                                      "6x",
                                      "600,30:5",
                                      "30s:5",
                                      "600,s:5",
                                      "5,9s:1,9s:2",
                                      "5,0s:1",
                                      "5,9s:1,8s:2",
                                      "1,1s:1,2s:1,3s:1,4s:1,5s:1,6s:1,7s:1,8s:1"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (quota_plan_read(str_of(bad[i]), &p)) {
            fail_msg("taken for a limit: %s", bad[i]);
        }
    }
}

static void test_no_window_sees_more_than_the_limit_and_the_burst(void **state) {
    (void)state;
    enum { N = 3000, LIMIT = 600, BURST_S = 2 };
    struct bench b = {.options = {.burst_s = BURST_S}};
    static int64_t at_us[N];
    struct rng r;
    rng_init(&r, 3);
    b.options.of[QUOTA_REQUESTS] = plan("600");
    bench_begin(&b);
    size_t n = 0;
    for (int64_t now_us = BEGIN_US; n < N; now_us += (int64_t)rng_below(&r, 60000)) {
        struct quota_verdict v;
        if (admit(&b, QUOTA_RULE_ADMISSION, 10, 10, now_us, &v)) {
            at_us[n++] = now_us;
        }
    }
    for (size_t from = 0; from < N; from++) {
        for (size_t to = from; to < N; to += 1 + (to - from) / 8) {
            double window_s = (double)(at_us[to] - at_us[from]) / (double)S_US;
            assert_true((double)(to - from + 1) <= (window_s + BURST_S) * LIMIT / 60 + 1e-3);
        }
    }
    double all_s = (double)(at_us[N - 1] - at_us[0]) / (double)S_US;
    assert_true(N >= all_s * LIMIT / 60 * 0.99); /* and all of it can be had */
    free(b.limits);
}

static void test_who_waits_as_told_is_let_in_and_not_before(void **state) {
    (void)state;
    struct bench b = {.options = {.burst_s = 1}};
    struct rng r;
    rng_init(&r, 4);
    b.options.of[QUOTA_REQUESTS] = plan("900");
    b.options.of[QUOTA_TOKENS] = plan("60000");
    bench_begin(&b);
    int64_t now_us = BEGIN_US;
    int refusals = 0;
    for (int i = 0; i < 2000; i++) {
        struct quota_verdict v;
        int64_t tokens = 1 + (int64_t)rng_below(&r, 3000);
        while (!admit(&b, QUOTA_RULE_ADMISSION, tokens, tokens, now_us, &v)) {
            assert_true(v.wait_us > 0 && !v.never);
            struct quota_verdict early;
            if (v.wait_us > 10) {
                assert_false(admit(&b, QUOTA_RULE_ADMISSION, tokens, tokens,
                                   now_us + v.wait_us - 10, &early));
            }
            now_us += v.wait_us;
            refusals++;
        }
    }
    assert_true(refusals > 1000);
    free(b.limits);
}

static void test_a_limit_changes_when_the_plan_says_so(void **state) {
    (void)state;
    struct bench b = {.options = {.burst_s = 1}};
    b.options.of[QUOTA_REQUESTS] = plan("6000,10s:600,20s:6000");
    bench_begin(&b);
    int admitted[3] = {0};
    for (int64_t ms = 0; ms < 30000; ms += 5) {
        struct quota_verdict v;
        bool in = admit(&b, QUOTA_RULE_INPUT, 1, 0, BEGIN_US + ms * 1000, &v);
        admitted[ms / 10000] += in;
        assert_int_equal(v.views[QUOTA_REQUESTS].limit, ms / 10000 == 1 ? 600 : 6000);
    }
    assert_in_range(admitted[0], 1000, 1100);
    assert_in_range(admitted[1], 100, 110);
    assert_in_range(admitted[2], 1000, 1100);
    free(b.limits);
}

static void test_each_rule_counts_its_own_tokens(void **state) {
    (void)state;
    static const struct {
        enum quota_rule rule;
        int64_t left;
    } cases[] = {{QUOTA_RULE_ADMISSION, 1000 - 100 - 400},
                 {QUOTA_RULE_PRODUCED, 1000 - 100},
                 {QUOTA_RULE_INPUT, 1000 - 100}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench b = {0};
        struct quota_verdict v;
        b.options.of[QUOTA_TOKENS] = plan("1000");
        bench_begin(&b);
        assert_true(admit(&b, cases[i].rule, 100, 400, BEGIN_US, &v));
        assert_int_equal(v.views[QUOTA_TOKENS].remaining, cases[i].left);
        quotas_produced(b.limits, b.account, cases[i].rule, 500, BEGIN_US);
        assert_true(admit(&b, cases[i].rule, 0, 0, BEGIN_US, &v));
        assert_int_equal(v.views[QUOTA_TOKENS].remaining, cases[i].left);
        free(b.limits);
    }
}

static void test_output_is_counted_when_it_is_produced(void **state) {
    (void)state;
    struct bench b = {0};
    struct quota_verdict v;
    b.options.of[QUOTA_OUTPUT] = plan("600");
    bench_begin(&b);
    assert_true(admit(&b, QUOTA_RULE_PRODUCED, 10, 100000, BEGIN_US, &v)); /* the cap is nothing */
    quotas_produced(b.limits, b.account, QUOTA_RULE_PRODUCED, 900, BEGIN_US);
    assert_false(admit(&b, QUOTA_RULE_PRODUCED, 10, 1, BEGIN_US, &v));
    assert_int_equal(v.refused, QUOTA_OUTPUT);
    assert_int_equal(v.views[QUOTA_OUTPUT].remaining, 0);
    assert_int_equal(v.wait_us, 301 * S_US / 10); /* 301 tokens at 10 a second */
    assert_true(admit(&b, QUOTA_RULE_PRODUCED, 10, 1, BEGIN_US + v.wait_us, &v));
    free(b.limits);
}

static void test_what_is_larger_than_a_minute_never_passes(void **state) {
    (void)state;
    struct bench b = {.options = {.burst_s = 1}};
    struct quota_verdict v;
    b.options.of[QUOTA_TOKENS] = plan("6000");
    bench_begin(&b);
    assert_false(admit(&b, QUOTA_RULE_ADMISSION, 1, 6000, BEGIN_US, &v));
    assert_true(v.never && v.wait_us == 0);
    assert_true(admit(&b, QUOTA_RULE_ADMISSION, 1, 5999, BEGIN_US, &v)); /* on credit */
    assert_false(admit(&b, QUOTA_RULE_ADMISSION, 1, 1, BEGIN_US + 50 * S_US, &v));
    free(b.limits);
}

static void test_counts_are_of_what_is_under_way_and_of_the_day(void **state) {
    (void)state;
    struct bench b = {0};
    struct quota_verdict v;
    b.options.of[QUOTA_CONCURRENCY] = plan("2");
    b.options.of[QUOTA_DAY] = plan("3");
    bench_begin(&b);
    assert_true(admit(&b, QUOTA_RULE_INPUT, 1, 1, BEGIN_US, &v));
    assert_true(admit(&b, QUOTA_RULE_INPUT, 1, 1, BEGIN_US, &v));
    assert_false(admit(&b, QUOTA_RULE_INPUT, 1, 1, BEGIN_US, &v));
    assert_int_equal(v.refused, QUOTA_CONCURRENCY);
    quotas_leave(b.account);
    assert_true(admit(&b, QUOTA_RULE_INPUT, 1, 1, BEGIN_US, &v));
    quotas_leave(b.account);
    assert_false(admit(&b, QUOTA_RULE_INPUT, 1, 1, BEGIN_US, &v));
    assert_int_equal(v.refused, QUOTA_DAY);
    free(b.limits);
}

static void test_keys_and_models_have_limits_of_their_own(void **state) {
    (void)state;
    struct bench b = {0};
    struct quota_account *a;
    char key[32];
    bench_begin(&b);
    assert_ptr_equal(quotas_account(b.limits, S("key"), S("model")), b.account);
    assert_ptr_not_equal(quotas_account(b.limits, S("other"), S("model")), b.account);
    assert_ptr_not_equal(quotas_account(b.limits, S("key"), S("other")), b.account);
    for (int i = 0; i < 2 * QUOTA_ACCOUNTS_MAX; i++) { /* strangers do not make it grow */
        int n = snprintf(key, sizeof key, "stranger %d", i);
        a = quotas_account(b.limits, (struct str){key, (size_t)n}, S("model"));
        assert_true(a >= b.limits->accounts && a < b.limits->accounts + QUOTA_ACCOUNTS_MAX);
    }
    free(b.limits);
}

static void test_use_may_rise_by_half_in_its_time_and_no_quicker(void **state) {
    (void)state;
    struct bench b = {.options = {.of[QUOTA_RAMP] = plan("60000"), .burst_s = 1, .ramp_s = 60}};
    struct quota_verdict v;
    int64_t admitted[2] = {0};
    bench_begin(&b);
    for (int64_t ms = 0; ms < 121000; ms++) { /* 600,000 a minute are asked for */
        bool in = admit(&b, QUOTA_RULE_INPUT, 10, 0, BEGIN_US + ms * 1000, &v);
        assert_true(in || v.refused == QUOTA_RAMP);
        admitted[ms >= 60000] += in && (ms < 10000 || ms >= 111000) ? 10 : 0;
        if (in) {
            quotas_leave(b.account);
        }
    }
    assert_in_range(admitted[0], 10000, 11600);
    assert_in_range(admitted[1], 20000, 22600);
    bool in = admit(&b, QUOTA_RULE_INPUT, 1000, 0, BEGIN_US + 1000000000, &v);
    assert_true(in && admit(&b, QUOTA_RULE_INPUT, 100, 0, BEGIN_US + 1000000000, &v) == false);
    assert_true(v.limit < 61000); /* what was not used is lost */
    free(b.limits);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_plan_is_read_or_refused),
        cmocka_unit_test(test_no_window_sees_more_than_the_limit_and_the_burst),
        cmocka_unit_test(test_who_waits_as_told_is_let_in_and_not_before),
        cmocka_unit_test(test_a_limit_changes_when_the_plan_says_so),
        cmocka_unit_test(test_each_rule_counts_its_own_tokens),
        cmocka_unit_test(test_output_is_counted_when_it_is_produced),
        cmocka_unit_test(test_what_is_larger_than_a_minute_never_passes),
        cmocka_unit_test(test_counts_are_of_what_is_under_way_and_of_the_day),
        cmocka_unit_test(test_keys_and_models_have_limits_of_their_own),
        cmocka_unit_test(test_use_may_rise_by_half_in_its_time_and_no_quicker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
