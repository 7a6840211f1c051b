/* Promises of the simulator's small parts: table, timers, spread, fault, form, score. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "sim/fault.h"
#include "sim/form.h"
#include "sim/score.h"
#include "sim/spread.h"
#include "sim/table.h"
#include "sim/timers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void test_a_table_keeps_what_it_was_told_last(void **state) {
    (void)state;
    struct table t;
    table_init(&t, 50000);
    for (uint64_t i = 2; i < 200000; i++) { /* the keys 0 and 1 are one */
        *table_put(&t, i) = i + 1;
        assert_int_equal(*table_get(&t, 2), 3); /* used all the time */
    }
    for (uint64_t i = 150001; i < 200000; i++) {
        assert_int_equal(*table_get(&t, i), i + 1);
    }
    assert_null(table_get(&t, 777777));
    table_release(&t);
}

static void test_a_full_table_drops_the_oldest_and_stays_bounded(void **state) {
    (void)state;
    struct table t;
    table_init(&t, 1000);
    for (uint64_t i = 2; i < 100000; i++) {
        *table_put(&t, i) = 1;
        assert_true(t.young.n + t.old.n <= 2000 && t.young.capacity <= 2048);
    }
    assert_null(table_get(&t, 3));
    assert_int_equal(*table_put(&t, 3), 0);
    table_release(&t);
}

static void test_hashes_of_like_texts_differ(void **state) {
    (void)state;
    const char *const texts[] = {
        "", "a", "b", "aaaaaaaa", "aaaaaaab", "aaaaaaaaa", "aaaaaaaaaaaaaaaa"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        for (size_t j = 0; j < i; j++) {
            assert_true(table_hash(str_of(texts[i]), 1) != table_hash(str_of(texts[j]), 1));
        }
        assert_true(table_hash(str_of(texts[i]), 1) != table_hash(str_of(texts[i]), 2));
    }
}

static void test_timers_come_out_in_order_whatever_is_taken_out(void **state) {
    (void)state;
    enum { N = 3000 };
    static struct timer all[N];
    struct timers t = {0};
    struct rng r;
    rng_init(&r, 5);
    for (int i = 0; i < N; i++) {
        timers_add(&t, &all[i], rng_range(&r, 0, 1000));
    }
    for (int i = 0; i < N; i += 3) {
        timers_remove(&t, &all[i]);
        timers_remove(&t, &all[i]); /* harmless */
    }
    int64_t last = -1;
    size_t n = 0;
    for (struct timer *first; (first = timers_first(&t)) != NULL; n++) {
        assert_true(first->due_us >= last);
        last = first->due_us;
        timers_remove(&t, first);
    }
    assert_int_equal(n, N - N / 3);
    timers_release(&t);
}

static void test_a_spread_is_constant_or_has_the_mean_it_was_given(void **state) {
    (void)state;
    struct spread s;
    struct rng r;
    double sum = 0;
    rng_init(&r, 9);
    assert_true(spread_read(S("12.5"), &s));
    assert_true(fabs(spread_draw(&s, &r) - 12.5) < 1e-12);
    assert_true(spread_read(S("lognormal:800,0.7"), &s));
    for (int i = 0; i < 200000; i++) {
        sum += spread_draw(&s, &r);
    }
    assert_true(fabs(sum / 200000 - 800) < 8);
    const char *const bad[] = {
        "",           "x",   "-1", "lognormal:", "lognormal:1", "lognormal:1,-1", "lognormal:1,99",
        "normal:1,1", "1e99"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(spread_read(str_of(bad[i]), &s));
    }
}

static void test_faults_come_at_their_rates(void **state) {
    (void)state;
    struct fault_rates rates = {0};
    int n[FAULT_COUNT] = {0};
    struct rng r;
    rng_init(&r, 2);
    fault_rates_spread(&rates, 0.14);
    rates.of[FAULT_HANG] = 0.2;
    for (int i = 0; i < 100000; i++) {
        n[fault_draw(&rates, rng_unit(&r))]++;
    }
    for (int f = FAULT_NONE + 1; f < FAULT_COUNT; f++) {
        int want = f == FAULT_HANG ? 20000 : f == FAULT_QUOTA ? 0 : 1000;
        assert_true(abs(n[f] - want) <= want / 5);
    }
}

static void test_answers_are_the_same_through_what_writers_add(void **state) {
    (void)state;
    static const char *const same[][2] = {
        {"\\frac{1}{2}", "$\\dfrac{1}{2}$"},
        {"\\frac{1}{2}", "So it is \\boxed{3}, no: \\boxed{\\frac{1}{2}}. Done"},
        {"(1, 2)", "\\left(1,2\\right)"},
        {"3x^2 - x", "f(x) = 3x^2-x"},
        {"(1, 2)", "(x, y) = (1, 2)"},
        {"7", " 7. "},
        {"\\{1, 2\\}", "\\left\\{1,\\,2\\right\\}"},
    };
    static const char *const other[][2] = {
        {"\\frac{1}{2}", "0.5"}, /* forms are listed, not computed */
        {"[1, 2]", "(1, 2]"},
        {"12", "1 \\cdot 2"},
        {"x = 1, y = 2", "1, y = 2"},
    };
    for (size_t i = 0; i < ARRAY_LEN(same); i++) {
        assert_true(form_same(str_of(same[i][0]), str_of(same[i][1])));
    }
    for (size_t i = 0; i < ARRAY_LEN(other); i++) {
        assert_false(form_same(str_of(other[i][0]), str_of(other[i][1])));
    }
    assert_true(
        str_eq(form_final(S("\\boxed{a_{1}} and \\boxed{b_{\\{2\\}}}, \\boxed{open")), S("open")));
}

static void score_lines(struct score *s, struct arena *a, const char *const *lines, size_t n,
                        bool truth) {
    for (size_t i = 0; i < n; i++) {
        const struct jnode *j;
        assert_int_equal(jnode_parse(str_of(lines[i]), a, &j, NULL), ERR_OK);
        if (truth) {
            assert_true(score_add_truth(s, j));
        } else {
            score_add_problem(s, j);
        }
    }
}

static void test_a_score_counts_right_keys_and_true_failures(void **state) {
    (void)state;
    static const char *const truth[] = {
        "{\"problem\":\"one?\",\"right\":[\"1/2\",\"0.5\"],\"wrong\":[\"2\",\"-1/2\"]}",
        "{\"problem\":\"two?\",\"right\":[\"4\"],\"wrong\":[\"5\",\"6\"]}",
    };
    static const char *const problems[] = {
        "{\"status\":\"accepted\",\"problem\":\"one?\",\"answer\":\"$0.5$\",\"target_model_"
        "answer\":\"2\"}",
        "{\"status\":\"accepted\",\"problem\":\"one "
        "?\",\"answer\":\"1/2\",\"target_model_answer\":\"0.5\"}",
        "{\"status\":\"accepted\",\"problem\":\"two?\",\"answer\":\"5\",\"target_model_answer\":"
        "\"4\"}",
        "{\"status\":\"accepted\",\"problem\":\"two?\",\"answer\":\"5\",\"target_model_answer\":"
        "\"6\"}",
        "{\"status\":\"accepted\",\"problem\":\"two?\",\"answer\":\"4\",\"target_model_answer\":"
        "null}",
        "{\"status\":\"accepted\",\"problem\":\"three?\",\"answer\":\"4\",\"target_model_answer\":"
        "\"9\"}",
        "{\"status\":\"solved\",\"problem\":\"two?\",\"answer\":\"4\",\"target_model_answer\":"
        "\"4\"}",
    };
    struct arena a;
    struct score s;
    const struct jnode *j;
    arena_init(&a, (size_t)1 << 24);
    score_init(&s, &a);
    score_lines(&s, &a, truth, ARRAY_LEN(truth), true);
    score_lines(&s, &a, problems, ARRAY_LEN(problems), false);
    assert_int_equal(s.kept, 6);
    assert_int_equal(s.unknown, 1);
    assert_int_equal(s.key_right, 3);
    assert_int_equal(s.key_wrong, 2);
    assert_int_equal(s.solved, 2);
    assert_int_equal(s.unsolved, 2);
    assert_int_equal(s.unsure, 1);
    assert_int_equal(s.good, 1);
    assert_int_equal(jnode_parse(S("{\"problem\":\"x\"}"), &a, &j, NULL), ERR_OK);
    assert_false(score_add_truth(&s, j));
    score_release(&s);
    arena_release(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_table_keeps_what_it_was_told_last),
        cmocka_unit_test(test_a_full_table_drops_the_oldest_and_stays_bounded),
        cmocka_unit_test(test_hashes_of_like_texts_differ),
        cmocka_unit_test(test_timers_come_out_in_order_whatever_is_taken_out),
        cmocka_unit_test(test_a_spread_is_constant_or_has_the_mean_it_was_given),
        cmocka_unit_test(test_faults_come_at_their_rates),
        cmocka_unit_test(test_answers_are_the_same_through_what_writers_add),
        cmocka_unit_test(test_a_score_counts_right_keys_and_true_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
