/* Who decides whether two answers are the same: a proof, or the checker; and what is rejected
 * before anybody is paid for looking at it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "attempt_run.h"

static struct run r;

static int set_up(void **state) {
    (void)state;
    run_init(&r);
    r.spec.judge = JOB_JUDGE_PROOF_LLM;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    run_release(&r);
    return 0;
}

static const char same[] = "{\"reason\": \"the same\", \"valid\": true}";
static const char other[] = "{\"reason\": \"another\", \"valid\": false}";

/* The target has answered; the comparison said so. */
static void compared(enum job_judge judge, enum comparison_verdict verdict, bool proof) {
    r.spec.judge = judge;
    run_to(&r, ATTEMPT_STAGE_TARGET);
    run_answer_as(&r, (struct call_answer){.text = S("so \\boxed{41}")}, "41");
    assert_string_equal(sbuf_str(&r.trace).p, "compare ANSWER-42 | so \\boxed{41}\n");
    run_compare(&r, verdict, proof);
}

static void test_a_proof_ends_the_attempt_without_a_call(void **state) {
    (void)state;
    compared(JOB_JUDGE_PROOF_LLM, COMPARISON_EQUAL, true);
    assert_int_equal(run_problem(&r)->outcome, OUTCOME_SOLVED);
    assert_int_equal(run_problem(&r)->calls, 3);
    compared(JOB_JUDGE_PROOF_LLM, COMPARISON_DIFFERENT, true);
    assert_int_equal(run_problem(&r)->outcome, OUTCOME_ACCEPTED);
    assert_true(run_problem(&r)->verdict.stated && !run_problem(&r)->verdict.equivalent);
    assert_string_equal(run_problem(&r)->verdict.method, "proof");
}

static void test_evidence_and_doubt_go_to_the_checker_whose_word_counts(void **state) {
    static const enum comparison_verdict verdicts[] = {COMPARISON_EQUAL, COMPARISON_DIFFERENT,
                                                       COMPARISON_UNDECIDED};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(verdicts); i++) {
        compared(JOB_JUDGE_PROOF_LLM, verdicts[i], false);
        assert_int_equal(r.action.kind, ATTEMPT_ACT_CALL);
        assert_int_equal(r.action.call->role, ROLE_CHECKER);
        run_answer(&r, other);
        assert_int_equal(run_problem(&r)->outcome, OUTCOME_ACCEPTED);
        assert_string_equal(run_problem(&r)->verdict.method, "llm");
        assert_int_equal(run_problem(&r)->verdict.disagreed, verdicts[i] == COMPARISON_EQUAL);
    }
}

static void test_a_checker_that_was_asked_before_is_heard_though_a_proof_wins(void **state) {
    (void)state;
    run_to(&r, ATTEMPT_STAGE_TARGET);
    run_answer_as(&r, (struct call_answer){.text = S("so \\boxed{41}")}, "41");
    assert_int_equal(r.action.kind, ATTEMPT_ACT_COMPARE);
    int64_t next = r.action.call_no;
    attempt_step(
        r.attempt,
        &(struct attempt_event){.kind = ATTEMPT_EV_COMPARED,
                                .comparison = {.verdict = COMPARISON_DIFFERENT, .proof = true},
                                .checker_was_asked = true},
        &r.action);
    assert_int_equal(r.action.kind, ATTEMPT_ACT_CALL);
    assert_int_equal(r.action.call->role, ROLE_CHECKER);
    assert_int_equal(r.action.call_no, next);
    run_answer(&r, same);
    assert_int_equal(run_problem(&r)->calls, 4);
    assert_int_equal(run_problem(&r)->outcome, OUTCOME_ACCEPTED);
    assert_string_equal(run_problem(&r)->verdict.method, "proof");
    assert_true(run_problem(&r)->verdict.disagreed);
}

static void test_an_undecided_comparison_is_never_a_proof(void **state) {
    (void)state;
    compared(JOB_JUDGE_PROOF_LLM, COMPARISON_UNDECIDED, true);
    assert_int_equal(r.action.kind, ATTEMPT_ACT_CALL);
}

static void
test_with_both_a_proof_wins_over_the_checker_and_the_disagreement_is_kept(void **state) {
    (void)state;
    compared(JOB_JUDGE_BOTH, COMPARISON_EQUAL, true);
    run_answer(&r, other);
    assert_int_equal(run_problem(&r)->outcome, OUTCOME_SOLVED);
    assert_true(run_problem(&r)->verdict.disagreed);
    compared(JOB_JUDGE_BOTH, COMPARISON_DIFFERENT, true);
    run_answer(&r, other);
    assert_int_equal(run_problem(&r)->outcome, OUTCOME_ACCEPTED);
    assert_false(run_problem(&r)->verdict.disagreed);
    compared(JOB_JUDGE_BOTH, COMPARISON_EQUAL, false);
    run_answer(&r, other);
    assert_int_equal(run_problem(&r)->outcome, OUTCOME_ACCEPTED);
    assert_true(run_problem(&r)->verdict.disagreed);
}

static void test_a_proof_does_not_stand_in_for_a_checker_that_gave_no_verdict(void **state) {
    (void)state;
    compared(JOB_JUDGE_BOTH, COMPARISON_DIFFERENT, true);
    run_answer(&r, "no verdict");
    run_answer(&r, "no verdict");
    assert_int_equal(run_problem(&r)->outcome, OUTCOME_FAILED);
}

static void test_without_the_comparison_the_checker_is_asked_at_once(void **state) {
    (void)state;
    r.spec.judge = JOB_JUDGE_LLM;
    run_to(&r, ATTEMPT_STAGE_TARGET);
    run_answer_as(&r, (struct call_answer){.text = S("so \\boxed{41}")}, "41");
    assert_int_equal(r.action.kind, ATTEMPT_ACT_CALL);
    run_answer(&r, same);
    assert_int_equal(run_problem(&r)->outcome, OUTCOME_SOLVED);
    assert_false(run_problem(&r)->verdict.comparison.asked);
}

static void
test_an_answer_that_is_not_definite_is_rejected_before_the_checker_is_paid(void **state) {
    (void)state;
    r.spec.allow_text_answers = false;
    run_begin(&r, 1);
    run_answer(&r, run_good_problem);
    run_dedup(&r, false);
    assert_int_equal(r.action.kind, ATTEMPT_ACT_DEFINE);
    run_define(&r, false);
    assert_int_equal(run_problem(&r)->outcome, OUTCOME_REJECTED);
    assert_int_equal(run_problem(&r)->calls, 1);
    run_begin(&r, 1);
    run_answer(&r, run_good_problem);
    run_dedup(&r, false);
    run_define(&r, true);
    assert_int_equal(r.action.call->role, ROLE_CHECKER);
}

#define judge_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        judge_test(test_a_proof_ends_the_attempt_without_a_call),
        judge_test(test_evidence_and_doubt_go_to_the_checker_whose_word_counts),
        judge_test(test_a_checker_that_was_asked_before_is_heard_though_a_proof_wins),
        judge_test(test_an_undecided_comparison_is_never_a_proof),
        judge_test(test_with_both_a_proof_wins_over_the_checker_and_the_disagreement_is_kept),
        judge_test(test_a_proof_does_not_stand_in_for_a_checker_that_gave_no_verdict),
        judge_test(test_without_the_comparison_the_checker_is_asked_at_once),
        judge_test(test_an_answer_that_is_not_definite_is_rejected_before_the_checker_is_paid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
