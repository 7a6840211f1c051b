/* Promises of a problem's line and of its fingerprint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/problem.h"

#include <math.h>
#include <string.h>

static struct problem_ids ids = {.id = "p1",
                                 .job_id = "job_1",
                                 .attempt = 3,
                                 .models = {{"a/e", 3}, {"b/c", 3}, {"c/t/x", 5}},
                                 .created_ms = 0};

static void assert_line(const struct problem *p, const char *wanted) {
    struct sbuf buf;
    struct jwrite w;
    sbuf_init(&buf, 1 << 16);
    jwrite_init(&w, &buf);
    problem_write(p, &ids, &w);
    assert_string_equal(buf.p, wanted);
    sbuf_release(&buf);
}

static void test_an_accepted_problem_has_every_field_in_order(void **state) {
    (void)state;
    struct problem p = {.outcome = OUTCOME_ACCEPTED,
                        .subject = S("S"),
                        .topic = S("T"),
                        .difficulty = S("hard"),
                        .problem = S("What is $\\frac12$?"),
                        .answer = S("1/2"),
                        .hints = S("{\"0\":\"h\"}"),
                        .hints_were_corrected = true,
                        .target_text = S("I think \\boxed{2}"),
                        .target_answer = S("2"),
                        .reference = S("{\"problem\":\"q\"}"),
                        .verdict = {.stated = true,
                                    .equivalent = false,
                                    .confidence = 0.05,
                                    .disagreed = true,
                                    .comparison = {.asked = true,
                                                   .verdict = COMPARISON_EQUAL,
                                                   .method = S("points"),
                                                   .reason = S("agree")},
                                    .method = "llm",
                                    .reason = S("differs")},
                        .check = {.stated = true, .valid = true, .reason = S("solved it")},
                        .notes = S("[\"n\"]"),
                        .usage = {100, 20, 50, 30, 0},
                        .cost_nusd = 1230000,
                        .calls = 4};
    assert_line(
        &p, "{\"id\":\"p1\",\"job_id\":\"job_1\",\"attempt\":3,\"status\":\"accepted\","
            "\"subject\":\"S\",\"topic\":\"T\",\"difficulty\":\"hard\","
            "\"problem\":\"What is $\\\\frac12$?\",\"answer\":\"1/2\",\"hints\":{\"0\":\"h\"},"
            "\"hints_were_corrected\":true,\"target_model_answer\":\"2\","
            "\"target_model_text\":\"I think \\\\boxed{2}\",\"reference\":{\"problem\":\"q\"},"
            "\"rejection_reason\":null,"
            "\"verdict\":{\"method\":\"llm\",\"equivalent\":false,\"confidence\":0.05,"
            "\"reason\":\"differs\",\"comparison\":{\"verdict\":\"equal\",\"certainty\":"
            "\"evidence\",\"method\":\"points\",\"reason\":\"agree\"},\"disagreed\":true},"
            "\"checks\":{\"initial\":{\"valid\":true,\"reason\":\"solved it\"}},\"samples\":1,"
            "\"solve_rate\":0,\"similar\":null,"
            "\"usage\":{\"calls\":4,\"calls_reused\":0,\"input_tokens\":100,\"cached_tokens\":20,"
            "\"output_tokens\":50,\"reasoning_tokens\":30},\"cost_usd\":0.00123,"
            "\"models\":{\"engineer\":\"a/e\",\"checker\":\"b/c\",\"target\":\"c/t/x\"},"
            "\"created_at\":\"1970-01-01T00:00:00.000Z\",\"notes\":[\"n\"]}");
}

static void test_what_a_failed_attempt_did_not_reach_is_null(void **state) {
    (void)state;
    struct problem p = {.outcome = OUTCOME_FAILED,
                        .subject = S("S"),
                        .topic = S("T"),
                        .difficulty = S("hard"),
                        .reason = S("\"valid\" is missing"),
                        .cause = "engineer: malformed",
                        .raw = S("{\"x\":"),
                        .verdict = {.confidence = (double)NAN},
                        .usage = {-1, 0, -1, 0, 0},
                        .cost_nusd = MONEY_UNKNOWN,
                        .calls = 2};
    assert_line(
        &p, "{\"id\":\"p1\",\"job_id\":\"job_1\",\"attempt\":3,\"status\":\"failed\","
            "\"subject\":\"S\",\"topic\":\"T\",\"difficulty\":\"hard\",\"problem\":null,"
            "\"answer\":null,\"hints\":null,\"hints_were_corrected\":false,"
            "\"target_model_answer\":null,\"target_model_text\":null,\"reference\":null,"
            "\"rejection_reason\":\"\\\"valid\\\" is missing\","
            "\"error\":{\"cause\":\"engineer: malformed\",\"raw\":\"{\\\"x\\\":\"},"
            "\"verdict\":null,\"checks\":{},\"samples\":1,\"solve_rate\":null,\"similar\":null,"
            "\"usage\":{\"calls\":2,\"calls_reused\":0,\"input_tokens\":null,\"cached_tokens\":0,"
            "\"output_tokens\":null,\"reasoning_tokens\":0},\"cost_usd\":null,"
            "\"models\":{\"engineer\":\"a/e\",\"checker\":\"b/c\",\"target\":\"c/t/x\"},"
            "\"created_at\":\"1970-01-01T00:00:00.000Z\",\"notes\":null}");
}

static void test_outcomes_have_names_both_ways(void **state) {
    (void)state;
    for (int o = 0; o < OUTCOME_COUNT; o++) {
        assert_int_equal(outcome_from_name(str_of(outcome_name((enum outcome)o))), o);
    }
    assert_int_equal(outcome_from_name(S("nonsense")), OUTCOME_COUNT);
    assert_int_equal(outcome_from_name(S("")), OUTCOME_COUNT);
}

static void test_a_fingerprint_survives_layout_and_nothing_else(void **state) {
    (void)state;
    static const char *const same[] = {
        "Let $x > 0$. Find $\\left(\\frac{1}{2}\\right)^x$.",
        "let $x>0$.  Find\n$$\\left( \\frac{1}{2} \\right)^x$$.",
        "Let \\(x > 0\\). find \\[(\\frac{1}{2})^{}x\\].",
        "Let $x\\,>\\;0$.\\quad Find $\\big(\\frac{1}{2}\\big)^x$~.",
    };
    uint64_t first = problem_hash(str_of(same[0]));
    assert_int_equal(problem_hash(str_of(same[1])), first);
    assert_int_not_equal(problem_hash(str_of(same[2])), first); /* "^{}" is more than layout */
    assert_int_equal(problem_hash(str_of(same[3])), first);
    assert_int_not_equal(problem_hash(S("x\\leftarrow y")), problem_hash(S("x\\arrow y")));
    assert_int_not_equal(problem_hash(S("x + 1")), problem_hash(S("x - 1")));
    assert_int_not_equal(problem_hash(S("f(2)")), problem_hash(S("f(3)")));
    assert_int_equal(problem_hash(S("\\")), problem_hash(S(" \\")));
    assert_int_equal(problem_hash(S("")), problem_hash(S(" $")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_accepted_problem_has_every_field_in_order),
        cmocka_unit_test(test_what_a_failed_attempt_did_not_reach_is_null),
        cmocka_unit_test(test_outcomes_have_names_both_ways),
        cmocka_unit_test(test_a_fingerprint_survives_layout_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
