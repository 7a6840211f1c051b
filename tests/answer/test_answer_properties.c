/* What holds for every pair, whatever it says: order of the two sides, spacing, brackets and the
 * order of sums and sets change no verdict into its opposite. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/sbuf.h"
#include "cases.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static bool contradict(struct answer_result a, struct answer_result b) {
    return (a.verdict == ANSWER_EQUAL && b.verdict == ANSWER_DIFFERENT) ||
           (a.verdict == ANSWER_DIFFERENT && b.verdict == ANSWER_EQUAL);
}

static int complain(const struct answer_case *c, const char *what, struct str text) {
    (void)printf("line %d, %s: %.200s | %.200s\n", c->line, what, c->gold.p,
                 text.n > 0 ? text.p : c->pred.p);
    return 1;
}

static void test_verdicts_do_not_depend_on_which_side_is_which(void **state) {
    (void)state;
    struct case_file f = case_file_read("cases.jsonl");
    int failed = 0;
    for (size_t i = 0; i < f.n; i++) {
        const struct answer_case *c = &f.cases[i];
        if (contradict(compare_once(c->gold, c->pred, NULL),
                       compare_once(c->pred, c->gold, NULL))) {
            failed += complain(c, "not symmetric", S(""));
        }
    }
    case_file_release(&f);
    assert_int_equal(failed, 0);
}

static void test_an_answer_never_differs_from_itself(void **state) {
    (void)state;
    struct case_file f = case_file_read("cases.jsonl");
    struct sbuf b;
    sbuf_init(&b, 1 << 20);
    int failed = 0;
    for (size_t i = 0; i < f.n; i++) {
        const struct answer_case *c = &f.cases[i];
        sbuf_clear(&b);
        sbuf_addf(&b, "\\boxed{ %.*s }", STR_ARG(c->gold)); /* not the same text */
        if (c->gold.n < 500 &&
            compare_once(c->gold, sbuf_str(&b), NULL).verdict == ANSWER_DIFFERENT) {
            failed += complain(c, "not reflexive", sbuf_str(&b));
        }
    }
    sbuf_release(&b);
    case_file_release(&f);
    assert_int_equal(failed, 0);
}

/* The same formula set differently. */
static void restyle(struct str s, int style, struct sbuf *out) {
    for (size_t i = 0; i < s.n; i++) {
        struct str rest = {s.p + i, s.n - i};
        char c = s.p[i];
        bool operator= strchr("+=*<>", c) != NULL &&i > 0 &&
            strchr("+=*<>!:", s.p[i - 1]) == NULL &&i + 1 < s.n &&strchr("+=*<>-", s.p[i + 1]) ==
                NULL;
        if (style == 0 && operator) {
            sbuf_addf(out, " %c ", c);
        } else if (style == 1 && str_starts(rest, S("\\frac{"))) {
            sbuf_add_cstr(out, "\\dfrac{");
            i += 5;
        } else if (style == 2 && (c == '(' || c == ')')) {
            sbuf_addf(out, c == '(' ? "\\left%c" : "\\right%c", c);
        } else if (style == 3 && operator&& c != '*') {
            sbuf_addf(out, "\\; %c \\,", c);
        } else {
            sbuf_add_char(out, c);
        }
    }
}

static bool is_formula(struct str s) {
    size_t dollars = 0;
    for (size_t i = 0; i < s.n; i++) {
        dollars += s.p[i] == '$' ? 1 : 0;
    }
    return s.n < 200 && dollars == 0 && str_find(s, S("\\left")) == STR_NPOS &&
           str_find(s, S("text")) == STR_NPOS && str_find(s, S("\\(")) == STR_NPOS;
}

static void test_spacing_and_brackets_change_nothing(void **state) {
    (void)state;
    struct case_file f = case_file_read("cases.jsonl");
    struct sbuf b;
    sbuf_init(&b, 1 << 20);
    int failed = 0;
    for (size_t i = 0; i < f.n; i++) {
        const struct answer_case *c = &f.cases[i];
        if (!is_formula(c->pred)) {
            continue;
        }
        struct answer_result plain = compare_once(c->gold, c->pred, NULL);
        for (int style = 0; style < 4; style++) {
            sbuf_clear(&b);
            restyle(c->pred, style, &b);
            struct answer_result r = compare_once(c->gold, sbuf_str(&b), NULL);
            if (r.verdict != plain.verdict) {
                failed += complain(c, answer_verdict_name(r.verdict), sbuf_str(&b));
            }
        }
    }
    sbuf_release(&b);
    case_file_release(&f);
    assert_int_equal(failed, 0);
}

static void expect(const char *gold, const char *given, enum answer_verdict verdict) {
    struct answer_result r = compare_once(str_of(gold), str_of(given), NULL);
    if (r.verdict != verdict) {
        print_error("%s | %s: %s (%s)\n", gold, given, answer_verdict_name(r.verdict), r.reason);
    }
    assert_int_equal(r.verdict, verdict);
}

static void test_sums_and_sets_have_no_order(void **state) {
    (void)state;
    expect("a+b-c", "-c + b + a", ANSWER_EQUAL);
    expect("\\{1, \\sqrt{2}, 3\\}", "\\{3, 1, \\sqrt{2}\\}", ANSWER_EQUAL);
    expect("(1, 2)", "(2, 1)", ANSWER_DIFFERENT);
    expect("x y z", "zyx", ANSWER_EQUAL);
    expect("(0,1) \\cup [2,3]", "[2,3] \\cup (0,1)", ANSWER_EQUAL);
    expect("x = 1 \\text{ or } x = 2", "x = 2 \\text{ or } x = 1", ANSWER_EQUAL);
}

static void test_different_is_never_said_of_what_was_not_read_whole(void **state) {
    (void)state;
    expect("5", "6 boxes", ANSWER_UNDECIDED);
    expect("1, 2, \\ldots, n", "1, 3, \\ldots, 2n - 1", ANSWER_UNDECIDED);
    expect("\\text{the first one}", "\\text{the second one}", ANSWER_UNDECIDED);
    expect("7", "not 8", ANSWER_UNDECIDED);
    expect("7", "not 7", ANSWER_UNDECIDED);
    expect("x", "X", ANSWER_UNDECIDED);
    expect("1/0", "1/0", ANSWER_UNDECIDED);
}

static void test_options_make_the_comparison_stricter(void **state) {
    (void)state;
    struct answer_options ordered = {.order_matters = true}, units = {.units_matter = true},
                          form = {.form_matters = true}, choices = {.choices = 4};
    assert_int_equal(compare_once(S("1, 2"), S("2, 1"), NULL).verdict, ANSWER_EQUAL);
    assert_int_equal(compare_once(S("1, 2"), S("2, 1"), &ordered).verdict, ANSWER_DIFFERENT);
    assert_int_equal(compare_once(S("5"), S("5 cm"), &units).verdict, ANSWER_UNDECIDED);
    assert_int_equal(compare_once(S("1/2"), S("2/4"), &form).verdict, ANSWER_DIFFERENT);
    assert_int_equal(compare_once(S("1/2"), S("\\frac{1}{2}"), &form).verdict, ANSWER_EQUAL);
    assert_int_equal(compare_once(S("C"), S("I would say (C)."), &choices).verdict, ANSWER_EQUAL);
    assert_int_equal(compare_once(S("C"), S("The answer is D."), &choices).verdict,
                     ANSWER_DIFFERENT);
}

static void test_a_definite_answer_is_told_from_prose(void **state) {
    (void)state;
    struct arena a;
    arena_init(&a, ANSWER_ARENA_BYTES);
    assert_true(answer_is_definite(S("\\frac{3}{4}"), &a));
    assert_true(answer_is_definite(S("x \\in [0, 1)"), &a));
    assert_false(answer_is_definite(S("it depends on the reader"), &a));
    assert_false(answer_is_definite(S("1, 2, 3, \\ldots"), &a));
    assert_false(answer_is_definite(S(""), &a));
    arena_release(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts_do_not_depend_on_which_side_is_which),
        cmocka_unit_test(test_an_answer_never_differs_from_itself),
        cmocka_unit_test(test_spacing_and_brackets_change_nothing),
        cmocka_unit_test(test_sums_and_sets_have_no_order),
        cmocka_unit_test(test_different_is_never_said_of_what_was_not_read_whole),
        cmocka_unit_test(test_options_make_the_comparison_stricter),
        cmocka_unit_test(test_a_definite_answer_is_told_from_prose),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
