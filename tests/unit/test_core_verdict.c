/* Promise G7: no problem is accepted without a stated verdict. Whatever a checker or target gives
 * back that is not one well-formed, coherent "not equivalent" never leads to ACCEPTED. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "attempt_run.h"
#include "base/rng.h"

#include <string.h>

static struct run r;

static int set_up(void **state) {
    (void)state;
    run_init(&r);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    run_release(&r);
    return 0;
}

/* Answers that are no verdict. Each is given for ever; the attempt must fail, and soon. */
static const struct {
    const char *text;
    enum call_finish finish;
    const char *cause; /* after "checker: " */
} no_verdicts[] = {
    /* missing */
    {"{}", CALL_FINISH_STOP, "malformed"},
    {"{\"reason\": \"no\"}", CALL_FINISH_STOP, "malformed"},
    {"{\"reason\": \"no\", \"equivalence_confidence\": 0}", CALL_FINISH_STOP, "malformed"},
    {"{\"is_valid\": false, \"reason\": \"no\"}", CALL_FINISH_STOP, "malformed"},
    {"{\"Valid\": false, \"reason\": \"no\"}", CALL_FINISH_STOP, "malformed"},
    {"{\"valid\": false}", CALL_FINISH_STOP, "malformed"},
    {"{\"verdict\": {\"valid\": false, \"reason\": \"no\"}}", CALL_FINISH_STOP, "malformed"},
    /* of another type */
    {"{\"valid\": null, \"reason\": \"no\"}", CALL_FINISH_STOP, "malformed"},
    {"{\"valid\": \"false\", \"reason\": \"no\"}", CALL_FINISH_STOP, "malformed"},
    {"{\"valid\": \"true\", \"reason\": \"no\"}", CALL_FINISH_STOP, "malformed"},
    {"{\"valid\": 0, \"reason\": \"no\"}", CALL_FINISH_STOP, "malformed"},
    {"{\"valid\": 1, \"reason\": \"no\"}", CALL_FINISH_STOP, "malformed"},
    {"{\"valid\": [false], \"reason\": \"no\"}", CALL_FINISH_STOP, "malformed"},
    {"{\"valid\": false, \"reason\": null}", CALL_FINISH_STOP, "malformed"},
    {"{\"valid\": false, \"reason\": [\"no\"]}", CALL_FINISH_STOP, "malformed"},
    /* twice, and not the same */
    {"{\"valid\": true, \"valid\": false, \"reason\": \"no\"}", CALL_FINISH_STOP, "malformed"},
    /* no JSON at all */
    {"The answers differ.", CALL_FINISH_STOP, "malformed"},
    {"false", CALL_FINISH_STOP, "malformed"},
    {"[false]", CALL_FINISH_STOP, "malformed"},
    {"valid: false, reason: no", CALL_FINISH_STOP, "malformed"},
    {"{\"valid\": false, \"reason\": \"no", CALL_FINISH_STOP, "malformed"},
    {"{\"valid\": fal", CALL_FINISH_STOP, "malformed"},
    /* cut off, empty, refused, ended oddly: however good the text looks */
    {"{\"valid\": false, \"reason\": \"no\"}", CALL_FINISH_LENGTH, "truncated"},
    {"{\"valid\": false, \"reason\": \"no\"}", CALL_FINISH_REFUSAL, "refused"},
    {"{\"valid\": false, \"reason\": \"no\"}", CALL_FINISH_OTHER, "unfinished"},
    {"", CALL_FINISH_STOP, "empty"},
    {" \n\t", CALL_FINISH_STOP, "empty"},
    {"", CALL_FINISH_LENGTH, "truncated"},
};

static void answer_for_ever(const char *text, enum call_finish finish) {
    int64_t calls = 0;
    while (r.action.kind == ATTEMPT_ACT_CALL) {
        run_answer_as(&r, (struct call_answer){.text = str_of(text), .finish = finish}, NULL);
        assert_true(++calls <= 4);
    }
}

static void assert_no_verdict(enum attempt_stage stage, const char *text, enum call_finish finish,
                              const char *cause) {
    run_to(&r, stage);
    answer_for_ever(text, finish);
    const struct problem *p = run_problem(&r);
    if (p->outcome != OUTCOME_FAILED || strncmp(p->cause, "checker: ", 9) != 0 ||
        strcmp(p->cause + 9, cause) != 0) {
        fail_msg("%s: %s, %s", text, outcome_name(p->outcome), p->cause == NULL ? "-" : p->cause);
    }
    assert_false(p->verdict.stated);
    assert_string_equal(str_cstr(&r.shared, p->raw), text); /* what could not be used is kept */
}

static void test_what_is_no_verdict_never_ends_in_an_acceptance(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(no_verdicts); i++) {
        assert_no_verdict(ATTEMPT_STAGE_JUDGE, no_verdicts[i].text, no_verdicts[i].finish,
                          no_verdicts[i].cause);
    }
}

static void test_the_initial_check_is_held_to_the_same_form(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(no_verdicts); i++) {
        assert_no_verdict(ATTEMPT_STAGE_CHECK, no_verdicts[i].text, no_verdicts[i].finish,
                          no_verdicts[i].cause);
        assert_false(run_problem(&r)->check.stated);
    }
}

static void test_a_verdict_that_its_confidence_contradicts_is_none(void **state) {
    (void)state;
    static const char *const contradictory[] = {
        "{\"valid\": false, \"reason\": \"no\", \"equivalence_confidence\": 0.9}",
        "{\"valid\": false, \"reason\": \"no\", \"equivalence_confidence\": 1}",
        "{\"valid\": false, \"reason\": \"no\", \"equivalence_confidence\": 0.5001}",
        "{\"valid\": true, \"reason\": \"no\", \"equivalence_confidence\": 0.4999}",
        "{\"valid\": true, \"reason\": \"no\", \"equivalence_confidence\": 0}",
    };
    for (size_t i = 0; i < ARRAY_LEN(contradictory); i++) {
        assert_no_verdict(ATTEMPT_STAGE_JUDGE, contradictory[i], CALL_FINISH_STOP, "contradictory");
    }
    static const char *const no_confidence[] = {"-0.1", "1.1", "95",   "\"0.1\"",
                                                "true", "[0]", "1e99", "\"low\""};
    for (size_t i = 0; i < ARRAY_LEN(no_confidence); i++) {
        const char *text = str_fmt(&r.shared,
                                   "{\"valid\": false, \"reason\": \"no\","
                                   "\"equivalence_confidence\": %s}",
                                   no_confidence[i])
                               .p;
        assert_no_verdict(ATTEMPT_STAGE_JUDGE, text, CALL_FINISH_STOP, "malformed");
    }
}

static void test_a_contradiction_is_told_and_may_be_mended_by_the_checker(void **state) {
    (void)state;
    run_to(&r, ATTEMPT_STAGE_JUDGE);
    run_answer(&r, "{\"valid\": false, \"reason\": \"same\", \"equivalence_confidence\": 0.9}");
    assert_true(str_find(run_message(&r, 3), S("\"valid\" is false but "
                                               "\"equivalence_confidence\" is 0.9")) != STR_NPOS);
    run_answer(&r, "{\"valid\": true, \"reason\": \"same\", \"equivalence_confidence\": 0.9}");
    assert_int_equal(run_problem(&r)->outcome, OUTCOME_SOLVED);
}

static void test_a_confidence_is_optional_and_one_half_contradicts_nothing(void **state) {
    (void)state;
    static const char *const good[] = {"", ", \"equivalence_confidence\": null",
                                       ", \"equivalence_confidence\": 0.5",
                                       ", \"equivalence_confidence\": 0"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        run_to(&r, ATTEMPT_STAGE_JUDGE);
        run_answer(&r, str_fmt(&r.shared, "{\"valid\": false, \"reason\": \"no\"%s}", good[i]).p);
        assert_int_equal(run_problem(&r)->outcome, OUTCOME_ACCEPTED);
    }
}

static void test_a_target_that_did_not_answer_has_not_failed_the_problem(void **state) {
    (void)state;
    static const enum call_finish finishes[] = {CALL_FINISH_LENGTH, CALL_FINISH_REFUSAL,
                                                CALL_FINISH_OTHER};
    for (size_t i = 0; i < ARRAY_LEN(finishes); i++) {
        run_to(&r, ATTEMPT_STAGE_TARGET);
        answer_for_ever("\\boxed{wrong}", finishes[i]);
        assert_int_equal(run_problem(&r)->outcome, OUTCOME_FAILED);
    }
    run_to(&r, ATTEMPT_STAGE_TARGET);
    answer_for_ever("", CALL_FINISH_STOP);
    assert_int_equal(run_problem(&r)->outcome, OUTCOME_FAILED);
}

static void test_a_failed_call_at_any_stage_is_no_acceptance(void **state) {
    (void)state;
    for (int stage = 0; stage < ATTEMPT_STAGES; stage++) {
        for (int e = 1; e < ERR_COUNT; e++) {
            run_to(&r, (enum attempt_stage)stage);
            run_answer_as(&r,
                          (struct call_answer){.err = (enum err)e,
                                               .text = S("{\"valid\": false, \"reason\": \"no\"}")},
                          "41");
            assert_int_equal(run_problem(&r)->outcome, OUTCOME_FAILED);
        }
    }
}

/* Random answers, good and bad, at every stage: an acceptance always has its verdict. */
static void test_random_answers_never_give_an_acceptance_without_a_verdict(void **state) {
    (void)state;
    static const char accepting[] =
        "{\"valid\": false, \"reason\": \"no\", \"equivalence_confidence\": 0.1}";
    static const char *const texts[] = {
        run_good_problem,
        run_good_check,
        accepting,
        "{\"valid\": false, \"reason\": \"no\", \"equivalence_confidence\": 0.9}",
        "{\"valid\": \"false\", \"reason\": \"no\"}",
        "{\"valid\"",
        "",
        "41",
    };
    static const char *const wanted[ATTEMPT_STAGES] = {run_good_problem, run_good_check, "41",
                                                       accepting};
    size_t accepted = 0;
    for (uint64_t seed = 0; seed < 3000; seed++) {
        struct rng rng;
        rng_init(&rng, seed);
        run_begin(&r, 1);
        const char *last = "";
        enum call_finish finish = CALL_FINISH_STOP;
        while (r.action.kind != ATTEMPT_ACT_FINISH) {
            if (r.action.kind == ATTEMPT_ACT_DEDUP) {
                run_dedup(&r, false);
                continue;
            }
            last = texts[rng_below(&rng, ARRAY_LEN(texts))];
            if (rng_chance(&rng, 0.6)) { /* often enough what the stage wants */
                last = wanted[attempt_stage(r.attempt)];
            }
            finish =
                rng_chance(&rng, 0.9) ? CALL_FINISH_STOP : (enum call_finish)rng_below(&rng, 4);
            run_answer_as(&r, (struct call_answer){.text = str_of(last), .finish = finish}, "41");
        }
        const struct problem *p = run_problem(&r);
        if (p->outcome == OUTCOME_ACCEPTED) {
            accepted++;
            assert_true(p->verdict.stated && !p->verdict.equivalent && p->check.valid);
            assert_string_equal(last, accepting);
            assert_int_equal(finish, CALL_FINISH_STOP);
        }
    }
    assert_true(accepted > 50); /* the test would notice */
}

#define verdict_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        verdict_test(test_what_is_no_verdict_never_ends_in_an_acceptance),
        verdict_test(test_the_initial_check_is_held_to_the_same_form),
        verdict_test(test_a_verdict_that_its_confidence_contradicts_is_none),
        verdict_test(test_a_contradiction_is_told_and_may_be_mended_by_the_checker),
        verdict_test(test_a_confidence_is_optional_and_one_half_contradicts_nothing),
        verdict_test(test_a_target_that_did_not_answer_has_not_failed_the_problem),
        verdict_test(test_a_failed_call_at_any_stage_is_no_acceptance),
        verdict_test(test_random_answers_never_give_an_acceptance_without_a_verdict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
