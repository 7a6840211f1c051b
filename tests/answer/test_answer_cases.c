/* The figures that the comparison must reach on the case files, and what must never happen there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "answer/extract.h"
#include "base/file.h"
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

/* True if what was found is what is expected: by text, or by being the same answer. */
static bool found_right(const struct jnode *j, struct arena *a) {
    struct str expected = jnode_get_str(j, "expected");
    bool letter = str_find(jnode_get_str(j, "rule"), S("letter")) != STR_NPOS;
    struct answer_found found = answer_find(jnode_get_str(j, "text"), letter ? 4 : 0, a);
    if (jnode_type(jnode_get(j, "expected")) != JNODE_STRING) {
        return found.source == ANSWER_FROM_LINE;
    }
    struct answer_options bare = {.no_extraction = true};
    return found.source != ANSWER_FROM_LINE &&
           (str_eq(found.text, expected) ||
            compare_once(expected, found.text, &bare).verdict == ANSWER_EQUAL);
}

static void test_final_answers_are_found(void **state) {
    (void)state;
    struct arena a;
    arena_init(&a, (size_t)64 << 20);
    struct str text, path = str_fmt(&a, "%s/answer/data/extraction.jsonl", getenv("TESTS_DIR"));
    assert_int_equal(file_read(path.p, (size_t)1 << 24, &a, &text, NULL), ERR_OK);
    int right = 0, all = 0;
    while (text.n > 0) {
        const struct jnode *j;
        assert_int_equal(jnode_parse(str_split(&text, '\n'), &a, &j, NULL), ERR_OK);
        bool ok = found_right(j, &a);
        right += ok ? 1 : 0;
        all++;
        if (!ok) {
            (void)printf("extraction.jsonl:%d: %.80s\n", all, jnode_get_str(j, "text").p);
        }
    }
    arena_release(&a);
    assert_true(100 * right >= 93 * all);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mixed_cases_are_judged_right_and_mostly_decided),
        cmocka_unit_test(test_changes_of_form_are_equal_and_changes_of_a_digit_are_not),
        cmocka_unit_test(test_hostile_answers_are_never_falsely_equal),
        cmocka_unit_test(test_prose_is_left_undecided),
        cmocka_unit_test(test_final_answers_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
