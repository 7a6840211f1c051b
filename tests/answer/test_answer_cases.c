/* The figures that the comparison must reach on the case files, and what must never happen there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cases.h"
#include "json/node.h"

#include <stdio.h>
#include <stdlib.h>

static void test_mixed_cases_are_judged_right_and_mostly_decided(void **state) {
    (void)state;
    struct score s = score_file("cases.jsonl", true);
    assert_true(score_accuracy(&s) >= 97.0);
    assert_true(score_decided(&s) >= 90.0);
    assert_true(s.different[ANSWER_EQUAL] <= 1);
    int said = s.equal[ANSWER_DIFFERENT] + s.different[ANSWER_DIFFERENT];
    assert_true(100 * s.different[ANSWER_DIFFERENT] >= 98 * said);
    assert_int_equal(s.wrong_proofs, 0);
}

/* Written for this project, in the styles of the above; \overline{AB} = AB are equal to some. */
static void test_cousins_of_these_are_judged_right_too(void **state) {
    (void)state;
    struct score s = score_file("cases-cousins.jsonl", true);
    assert_true(score_accuracy(&s) >= 97.0);
    assert_true(score_decided(&s) >= 95.0);
    assert_int_equal(s.different[ANSWER_EQUAL], 0);
    assert_int_equal(s.equal[ANSWER_DIFFERENT], 0);
}

/* What each item of the grammar and of the extraction looks like as models write it; integrals,
 * limits, open lists and coarse roundings among them are for the checker. */
static void test_every_style_of_writing_is_judged_right_or_left_open(void **state) {
    (void)state;
    struct score s = score_file("cases-styles.jsonl", true);
    assert_true(score_accuracy(&s) >= 92.0);
    assert_true(score_decided(&s) >= 87.0);
    assert_int_equal(s.different[ANSWER_EQUAL], 0);
    assert_int_equal(s.equal[ANSWER_DIFFERENT], 0);
}

static void test_changes_of_form_are_equal_and_changes_of_a_digit_are_not(void **state) {
    (void)state;
    struct score s = score_file("cases-mutated.jsonl", true);
    assert_int_equal(s.equal[ANSWER_DIFFERENT] + s.equal[ANSWER_UNDECIDED], 0);
    assert_int_equal(s.different[ANSWER_EQUAL], 0);
}

static void test_hostile_answers_are_never_falsely_equal(void **state) {
    (void)state;
    struct score s = score_file("cases-hostile.jsonl", true);
    assert_int_equal(s.different[ANSWER_EQUAL], 0);
    assert_int_equal(s.equal[ANSWER_DIFFERENT], 0);
}

static void test_prose_is_left_undecided(void **state) {
    (void)state;
    struct score s = score_file("cases-text.jsonl", true);
    assert_int_equal(s.equal[ANSWER_DIFFERENT], 0);
    assert_int_equal(s.different[ANSWER_EQUAL], 0);
}

static void test_final_answers_are_found(void **state) {
    (void)state;
    struct found_score s = found_score_file("extraction.jsonl", true);
    assert_true(s.all > 0 && 100 * s.right >= 93 * s.all);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mixed_cases_are_judged_right_and_mostly_decided),
        cmocka_unit_test(test_cousins_of_these_are_judged_right_too),
        cmocka_unit_test(test_every_style_of_writing_is_judged_right_or_left_open),
        cmocka_unit_test(test_changes_of_form_are_equal_and_changes_of_a_digit_are_not),
        cmocka_unit_test(test_hostile_answers_are_never_falsely_equal),
        cmocka_unit_test(test_prose_is_left_undecided),
        cmocka_unit_test(test_final_answers_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
