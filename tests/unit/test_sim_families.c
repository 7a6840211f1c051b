/* Promises of sim/family.h: what the simulated engineer writes is sound. That the answers solve the
 * problems is checked by tests/sim/solve.py, which reads the problem texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hashset.h"
#include "base/mem.h"
#include "latex_value.h"
#include "sim/family.h"
#include "sim/form.h"
#include "sim/truth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DRAWS 200

/* Called for every draw of every family. */
typedef void check_fn(const struct family *f, const struct item *it);

static void for_all(check_fn *check) {
    struct item *it = mem_new(sizeof *it);
    const struct family *f;
    for (size_t i = 0; (f = family_at(i)) != NULL; i++) {
        for (uint64_t draw = 1; draw <= DRAWS; draw++) {
            family_write(f, draw * 7919, it);
            check(f, it);
        }
    }
    free(it);
}

static void complain(const struct family *f, const char *what, struct str text, struct str other) {
    fail_msg("%s: %s: %.*s | %.*s", f->name, what, STR_ARG(text), STR_ARG(other));
}

static struct latex_values value_of(const struct family *f, struct str form) {
    struct latex_values v = {.n = 0};
    if (!latex_values(form, &v)) {
        complain(f, "cannot be read", form, S(""));
    }
    return v;
}

static void check_right(const struct family *f, const struct item *it) {
    struct latex_values canonical = value_of(f, it->right[0]);
    for (size_t i = 1; i < it->right_n; i++) {
        struct latex_values form = value_of(f, it->right[i]);
        if (!latex_values_eq_sorted(&canonical, &form)) {
            complain(f, "differ in value", it->right[0], it->right[i]);
        }
    }
}

static void test_every_right_form_has_the_value_of_the_canonical_one(void **state) {
    (void)state;
    for_all(check_right);
}

/* Brackets of intervals count, names and numbers apart. */
static bool same_brackets(struct str a, struct str b) {
    for (const char *c = "[]"; *c != '\0'; c++) {
        if ((str_find_char(a, *c) == STR_NPOS) != (str_find_char(b, *c) == STR_NPOS)) {
            return false;
        }
    }
    return (str_find(a, S("\\cup")) == STR_NPOS) == (str_find(b, S("\\cup")) == STR_NPOS);
}

static void check_wrong(const struct family *f, const struct item *it) {
    struct latex_values canonical = value_of(f, it->right[0]);
    for (size_t i = 0; i < it->wrong_n; i++) {
        struct latex_values form = value_of(f, it->wrong[i]);
        if (latex_values_eq(&canonical, &form) && same_brackets(it->right[0], it->wrong[i])) {
            complain(f, "a wrong answer is right", it->right[0], it->wrong[i]);
        }
        if (form_find(it->right, it->right_n, it->wrong[i]) >= 0) {
            complain(f, "a wrong answer reads like a right one", it->right[0], it->wrong[i]);
        }
    }
    if (it->wrong_n < 2 || it->right_n < 2 || it->hints_n < 3) {
        complain(f, "too little to choose from", it->problem, it->right[0]);
    }
}

static void test_no_wrong_answer_equals_the_right_one(void **state) {
    (void)state;
    for_all(check_wrong);
}

/* Braces, environments and \left…\right in pairs, dollar signs even, one line, plain ASCII. */
static bool balanced(struct str s) {
    int depth = 0, dollars = 0, sized = 0, begun = 0;
    for (size_t i = 0; i < s.n; i++) {
        struct str rest = str_skip(s, i);
        depth += s.p[i] == '{' ? 1 : s.p[i] == '}' ? -1 : 0;
        dollars += s.p[i] == '$';
        sized += str_starts(rest, S("\\left")) ? 1 : str_starts(rest, S("\\right")) ? -1 : 0;
        begun += str_starts(rest, S("\\begin{")) ? 1 : str_starts(rest, S("\\end{")) ? -1 : 0;
        if (depth < 0 || sized < 0 || (unsigned char)s.p[i] < ' ' || (unsigned char)s.p[i] > '~') {
            return false;
        }
    }
    return depth == 0 && dollars % 2 == 0 && sized == 0 && begun == 0;
}

static void check_text(const struct family *f, const struct item *it) {
    if (!balanced(it->problem)) {
        complain(f, "not balanced", it->problem, S(""));
    }
    for (size_t i = 0; i < it->right_n; i++) {
        if (!balanced(it->right[i])) {
            complain(f, "not balanced", it->right[i], S(""));
        }
    }
    for (size_t i = 0; i < it->wrong_n; i++) {
        if (!balanced(it->wrong[i])) {
            complain(f, "not balanced", it->wrong[i], S(""));
        }
    }
    for (size_t i = 0; i < it->hints_n; i++) {
        if (!balanced(it->hints[i]) || form_same(it->hints[i], it->right[0])) {
            complain(f, "not balanced, or gives it away", it->hints[i], S(""));
        }
    }
}

static void test_texts_are_balanced_lines_of_latex(void **state) {
    (void)state;
    for_all(check_text);
}

static void test_a_draw_always_gives_the_same_problem(void **state) {
    (void)state;
    struct item *one = mem_new(sizeof *one), *two = mem_new(sizeof *two);
    const struct family *f;
    for (size_t i = 0; (f = family_at(i)) != NULL; i++) {
        family_write(f, 4711, one);
        family_write(f, 4712, two);
        assert_false(str_eq(one->problem, two->problem));
        family_write(f, 4711, two);
        assert_true(str_eq(one->problem, two->problem));
        assert_true(str_eq(one->right[0], two->right[0]));
        assert_true(str_eq(one->wrong[0], two->wrong[0]));
    }
    free(one);
    free(two);
}

static void test_twenty_thousand_problems_hold_next_to_no_duplicates(void **state) {
    (void)state;
    struct item *it = mem_new(sizeof *it);
    struct hashset seen;
    struct rng r;
    int duplicates = 0;
    hashset_init(&seen);
    rng_init(&r, 3);
    for (int i = 0; i < 20000; i++) {
        const struct family *f = family_draw(NULL, &r);
        family_write(f, rng_range(&r, 1, (int64_t)1 << 47) & INT64_MAX, it);
        duplicates += !hashset_add(&seen, truth_hash(it->problem));
    }
    hashset_release(&seen);
    free(it);
    assert_in_range(duplicates, 0, 20); /* 0.1 % */
}

static void test_there_are_families_enough_and_their_names_are_unique(void **state) {
    (void)state;
    const struct family *f;
    assert_true(family_count() >= 16);
    for (size_t i = 0; (f = family_at(i)) != NULL; i++) {
        assert_ptr_equal(family_find(str_of(f->name)), f);
    }
    assert_null(family_at(family_count()));
    assert_null(family_find(S("no such family")));
}

static void test_a_prompt_can_ask_for_a_subject(void **state) {
    (void)state;
    struct rng r;
    rng_init(&r, 1);
    assert_string_equal(family_subject_in(S("Subject: Linear algebra\nTopic: Rank")),
                        "Linear Algebra");
    assert_string_equal(family_subject_in(S("elementary ALGEBRA, please")), "Algebra");
    assert_null(family_subject_in(S("Subject: Prealgebra of knots")));
    for (int i = 0; i < 100; i++) {
        assert_string_equal(family_draw("Calculus", &r)->subject, "Calculus");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_right_form_has_the_value_of_the_canonical_one),
        cmocka_unit_test(test_no_wrong_answer_equals_the_right_one),
        cmocka_unit_test(test_texts_are_balanced_lines_of_latex),
        cmocka_unit_test(test_a_draw_always_gives_the_same_problem),
        cmocka_unit_test(test_twenty_thousand_problems_hold_next_to_no_duplicates),
        cmocka_unit_test(test_there_are_families_enough_and_their_names_are_unique),
        cmocka_unit_test(test_a_prompt_can_ask_for_a_subject),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
