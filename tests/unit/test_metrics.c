/* Promises of base/metrics.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/metrics.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static const struct metric_family calls = {
    "stumper_calls_total", "Calls.", METRIC_COUNTER, 0, NULL, 0};
static const struct metric_family cost = {
    "stumper_cost_dollars_total", "Money.", METRIC_COUNTER, 1e-9, NULL, 0};
static const struct metric_family took = {"stumper_call_seconds", "Time.",
                                          METRIC_HISTOGRAM,       1e-6,
                                          METRIC_BOUNDS_FAST,     METRIC_BOUNDS_FAST_N};

static const char *rendered(struct metrics *m) {
    static struct sbuf out;
    if (out.bytes_max == 0) {
        sbuf_init(&out, 1 << 20);
    }
    sbuf_clear(&out);
    metrics_render(m, &out);
    assert_false(sbuf_overflowed(&out));
    return out.p;
}

static void test_series_are_found_again_and_rendered_with_their_labels(void **state) {
    (void)state;
    struct metrics *m = metrics_new();
    const struct metric_label a[] = {{"model", S("a\"b\\\n")}, {"role", S("target")}};
    metric_add(metric_get(m, &calls, a, 2), 2);
    metric_add(metric_get(m, &calls, a, 2), 1);
    metric_add(metric_get(m, &cost, NULL, 0), 1500000000);
    assert_string_equal(rendered(m),
                        "# HELP stumper_calls_total Calls.\n"
                        "# TYPE stumper_calls_total counter\n"
                        "stumper_calls_total{model=\"a\\\"b\\\\ \",role=\"target\"} 3\n"
                        "# HELP stumper_cost_dollars_total Money.\n"
                        "# TYPE stumper_cost_dollars_total counter\n"
                        "stumper_cost_dollars_total 1.5\n");
    metrics_free(m);
}

static void test_a_histogram_counts_into_the_bucket_that_holds_the_value(void **state) {
    (void)state;
    struct metrics *m = metrics_new();
    struct metric *s = metric_get(m, &took, NULL, 0);
    metric_observe(s, 100);
    metric_observe(s, 101);
    metric_observe(s, 60000000);
    const char *text = rendered(m);
    assert_non_null(strstr(text, "stumper_call_seconds_bucket{le=\"0.0001\"} 1\n"));
    assert_non_null(strstr(text, "stumper_call_seconds_bucket{le=\"0.00025\"} 2\n"));
    assert_non_null(strstr(text, "stumper_call_seconds_bucket{le=\"10\"} 2\n"));
    assert_non_null(strstr(text, "stumper_call_seconds_bucket{le=\"+Inf\"} 3\n"));
    assert_non_null(strstr(text, "stumper_call_seconds_sum 60.000201\n"));
    assert_non_null(strstr(text, "stumper_call_seconds_count 3\n"));
    metrics_free(m);
}

static void test_series_beyond_the_limit_are_counted_together(void **state) {
    (void)state;
    struct metrics *m = metrics_new();
    char name[16];
    for (int i = 0; i < METRIC_SERIES_MAX + 10; i++) {
        (void)snprintf(name, sizeof name, "m%d", i);
        const struct metric_label label = {"model", str_of(name)};
        metric_add(metric_get(m, &calls, &label, 1), 1);
    }
    assert_non_null(strstr(rendered(m), "stumper_calls_total{model=\"other\"} 10\n"));
    metrics_free(m);
}

static void *count_many(void *m) {
    for (int i = 0; i < 10000; i++) {
        const struct metric_label label = {"n", i % 2 == 0 ? S("even") : S("odd")};
        metric_add(metric_get(m, &calls, &label, 1), 1);
    }
    return NULL;
}

static void test_threads_lose_no_count(void **state) {
    (void)state;
    struct metrics *m = metrics_new();
    pthread_t threads[4];
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count_many, m), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    const struct metric_label even = {"n", S("even")};
    assert_int_equal(metric_value(metric_get(m, &calls, &even, 1)), 20000);
    metrics_free(m);
}

static void test_no_registry_is_a_registry_that_forgets(void **state) {
    (void)state;
    struct metric *none = metric_get(NULL, &calls, NULL, 0);
    metric_add(none, 1);
    metric_observe(none, 1);
    assert_int_equal(metric_value(none), 0);
    metrics_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_series_are_found_again_and_rendered_with_their_labels),
        cmocka_unit_test(test_a_histogram_counts_into_the_bucket_that_holds_the_value),
        cmocka_unit_test(test_series_beyond_the_limit_are_counted_together),
        cmocka_unit_test(test_threads_lose_no_count),
        cmocka_unit_test(test_no_registry_is_a_registry_that_forgets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
