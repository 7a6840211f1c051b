/* Promises of cli/summary: what a job came to, why it ended and what to do next are said as shown
 * here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/summary.h"

#include <string.h>

static struct job_row job_of_the_day(void) {
    return (struct job_row){
        .id = "job_1",
        .state = JOB_SUCCEEDED,
        .wanted = 50,
        .attempts = 160,
        .outcomes = {[OUTCOME_ACCEPTED] = 50,
                     [OUTCOME_REJECTED] = 40,
                     [OUTCOME_SOLVED] = 61,
                     [OUTCOME_SURPLUS] = 2,
                     [OUTCOME_FAILED] = 7},
        .calls = 420,
        .cost_nusd = INT64_C(1230000000),
    };
}

static const struct spend_row spend[] = {
    {.usage.role = ROLE_ENGINEER,
     .usage.model = {"openai/gpt-5.4-mini", 19},
     .usage.calls = 160,
     .usage.input_tokens = 123456,
     .usage.output_tokens = 1234567,
     .usage.cost_nusd = INT64_C(1000000000),
     .wasted_nusd = 20000000,
     .p50_ms = 812,
     .p95_ms = 2345},
    {.usage.role = ROLE_TARGET,
     .usage.model = {"lab/x", 5},
     .usage.calls = 120,
     .usage.input_tokens = 999,
     .usage.output_tokens = 5,
     .usage.calls_unpriced = 120,
     .p50_ms = 12345,
     .p95_ms = 99999},
};

static void assert_text(const struct summary *s, const char *expected) {
    struct arena a;
    struct sbuf out;
    arena_init(&a, 1 << 20);
    sbuf_init(&out, 1 << 20);
    summary_text(s, &a, &out);
    assert_string_equal(sbuf_str(&out).p, expected);
    sbuf_release(&out);
    arena_release(&a);
}

static void assert_end(const struct summary *s, const char *why, const char *next) {
    struct sbuf out;
    sbuf_init(&out, 1 << 20);
    summary_why(s, &out);
    assert_string_equal(sbuf_str(&out).p, why);
    sbuf_clear(&out);
    summary_next(s, &out);
    assert_string_equal(sbuf_str(&out).p, next);
    sbuf_release(&out);
}

static void test_a_finished_run_is_summed_up(void **state) {
    (void)state;
    struct job_row job = job_of_the_day();
    struct work_view view = {.replayed = 12, .reused = 5};
    struct llm_stats stats = {.retries = 7, .rate_limited = 3};
    struct summary s = {.job = &job,
                        .spend = spend,
                        .spend_n = 2,
                        .view = &view,
                        .stats = &stats,
                        .elapsed_ms = 252000,
                        .stop = STOP_DONE,
                        .output = "problems.jsonl",
                        .output_n = 50,
                        .state = "problems.jsonl.db"};
    job.calls_unpriced = 120;
    assert_text(
        &s,
        "50 of 50 problems accepted in 4m 12s\n"
        "\n"
        "  outcome   attempts  share\n"
        "  accepted        50  31.2%\n"
        "  rejected        40  25.0%\n"
        "  solved          61  38.1%\n"
        "  surplus          2   1.2%\n"
        "  failed           7   4.4%\n"
        "  all            160\n"
        "\n"
        "  role      model                calls  tokens in  tokens out    money     p50     p95\n"
        "  engineer  openai/gpt-5.4-mini    160    123,456       1.23M    $1.00  812 ms  2.35 s\n"
        "  target    lab/x                  120        999           5  unknown  12.3 s   100 s\n"
        "\n"
        "  money  $1.23 + 120 unpriced calls, at least $0.0246 for an accepted problem, "
        "$0.00769 for an attempt, $0.0041 for a call, $0.02 wasted on attempts that failed (1.6%)\n"
        "  calls  420, 12 of them from an earlier run and not paid again, 5 of them answered from "
        "the cache; 7 requests were tried "
        "again (3 rate limits)\n"
        "  files  problems.jsonl (50 problems), state in problems.jsonl.db\n"
        "  ended  all 50 problems are there\n"
        "  next   stumper show problems.jsonl\n");
}

static void test_a_job_that_has_just_begun_divides_by_nothing(void **state) {
    (void)state;
    struct job_row job = {.id = "job_1", .state = JOB_RUNNING, .wanted = 5};
    struct summary s = {.job = &job, .elapsed_ms = -1, .state = "x.db"};
    assert_text(&s, "0 of 5 problems accepted\n"
                    "\n"
                    "  outcome   attempts  share\n"
                    "  accepted         0      -\n"
                    "  rejected         0      -\n"
                    "  solved           0      -\n"
                    "  all              0\n"
                    "\n"
                    "  money  $0, $0 wasted on attempts that failed\n"
                    "  calls  0\n"
                    "  files  state in x.db\n"
                    "  ended  it has not ended (running)\n");
}

static void test_every_end_says_what_to_do_next(void **state) {
    (void)state;
    struct job_row job = job_of_the_day();
    struct summary s = {.job = &job};
    s.stop = STOP_MAX_ATTEMPTS;
    assert_end(&s, "--max-attempts was reached (160 attempts)",
               "the same command with a larger --max-attempts goes on from here");
    s.stop = STOP_MAX_COST;
    assert_end(&s, "--max-cost was reached: what is left does not pay another call",
               "the same command with a larger --max-cost goes on from here");
    s.stop = STOP_INTERRUPTED;
    assert_end(&s, "it was interrupted",
               "the same command goes on from here; what was paid for is not paid again");
    s.stop = STOP_ERRORS;
    s.cause = "checker: auth";
    assert_end(&s, "one error again and again: checker: auth",
               "stumper doctor checks keys and endpoints; then the same command goes on from here");
    s.fatal = ERR_DISK_FULL;
    assert_end(&s, "the state could not be written: no space left on the disk",
               "free some space, then run the same command again: it goes on where it stopped");
}

static void test_a_stall_is_explained_by_what_happened_most(void **state) {
    (void)state;
    struct job_row job = job_of_the_day();
    struct summary s = {.job = &job, .stop = STOP_STALLED};
    assert_end(&s,
               "no progress: many attempts in a row without an acceptance (61 solved, 40 rejected, "
               "0 duplicates in all)",
               "the target solves what it gets: ask for harder topics, a stronger engineer or a "
               "weaker target, or raise --stall-attempts");
    job.outcomes[OUTCOME_DUPLICATE] = 1000;
    struct sbuf out;
    sbuf_init(&out, 4096);
    summary_next(&s, &out);
    assert_true(str_starts(sbuf_str(&out), S("the engineer repeats itself: ")));
    sbuf_release(&out);
}

static void test_a_stored_job_tells_why_it_stopped(void **state) {
    (void)state;
    struct arena a;
    struct job_row job = job_of_the_day();
    struct summary s = {.job = &job};
    arena_init(&a, 1 << 20);
    job.state = JOB_PARTIAL;
    job.reason = str_of(stop_name(STOP_DEADLINE));
    summary_stop_of_job(&s, &a);
    assert_int_equal(s.stop, STOP_DEADLINE);
    job.state = JOB_FAILED;
    job.reason = S("engineer: auth");
    summary_stop_of_job(&s, &a);
    assert_int_equal(s.stop, STOP_ERRORS);
    assert_string_equal(s.cause, "engineer: auth");
    job.state = JOB_RUNNING;
    job.reason = S("");
    summary_stop_of_job(&s, &a);
    assert_int_equal(s.stop, STOP_NOT_YET);
    arena_release(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_finished_run_is_summed_up),
        cmocka_unit_test(test_a_job_that_has_just_begun_divides_by_nothing),
        cmocka_unit_test(test_every_end_says_what_to_do_next),
        cmocka_unit_test(test_a_stall_is_explained_by_what_happened_most),
        cmocka_unit_test(test_a_stored_job_tells_why_it_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
