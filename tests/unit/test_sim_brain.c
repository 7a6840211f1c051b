/* Promises of sim/brain.h: what is said depends on seed and request alone, mistakes come at their
 * rates, and what is planted is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/brain.h"
#include "sim/form.h"
#include "json/repair.h"
#include "json/write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_BYTES_MAX ((size_t)1 << 20)

struct fixture {
    struct brain_options options;
    struct truth truth;
    struct brain brain;
    struct sbuf text, message;
    struct arena a;
};

static void fixture_begin(struct fixture *f, uint64_t seed) {
    memset(f, 0, sizeof *f);
    brain_options_init(&f->options);
    f->options.seed = seed;
    f->options.messy = 0;
    assert_int_equal(truth_open(&f->truth, NULL, NULL), ERR_OK);
    brain_init(&f->brain, &f->options, &f->truth);
    sbuf_init(&f->text, TEXT_BYTES_MAX);
    sbuf_init(&f->message, TEXT_BYTES_MAX);
    arena_init(&f->a, (size_t)1 << 28);
}

static void fixture_end(struct fixture *f) {
    brain_release(&f->brain);
    truth_close(&f->truth);
    sbuf_release(&f->text);
    sbuf_release(&f->message);
    arena_release(&f->a);
}

/* Ask with one user message; the answer is in f->text. */
static struct brain_reply ask(struct fixture *f, const char *model, struct str message) {
    struct sim_request q = {.model = str_of(model),
                            .messages = {{S("user"), str_dup(&f->a, message)}},
                            .messages_n = 1,
                            .output_tokens_max = SIM_TOKENS_MAX};
    struct brain_reply reply;
    brain_answer(&f->brain, &q, &f->text, &reply);
    return reply;
}

/* What the engineer writes when asked for number @i; kept in the arena. */
struct written {
    struct str problem, answer;
    const struct jnode *json;
};

static struct written engineer(struct fixture *f, int i) {
    struct written w;
    (void)ask(f, "engineer", str_fmt(&f->a, "problem %d", i));
    assert_int_equal(jnode_parse(sbuf_str(&f->text), &f->a, &w.json, NULL), ERR_OK);
    w.problem = jnode_get_str(w.json, "problem");
    w.answer = jnode_get_str(w.json, "answer");
    return w;
}

/* A checker's task; @second and @third are named by the kind. */
static const struct jnode *checker(struct fixture *f, const char *kind, struct str problem,
                                   const char *second_name, struct str second,
                                   const char *third_name, struct str third) {
    struct jwrite w;
    const struct jnode *j;
    sbuf_clear(&f->message);
    sbuf_add_cstr(&f->message, "Here it is: ");
    jwrite_init(&w, &f->message);
    jwrite_object(&w);
    jwrite_key(&w, "validation_type");
    jwrite_cstr(&w, kind);
    jwrite_key(&w, "problem");
    jwrite_str(&w, problem);
    jwrite_key(&w, second_name);
    jwrite_str(&w, second);
    jwrite_key(&w, third_name);
    jwrite_str(&w, third);
    jwrite_end(&w);
    (void)ask(f, "checker", sbuf_str(&f->message));
    assert_int_equal(jnode_parse(sbuf_str(&f->text), &f->a, &j, NULL), ERR_OK);
    assert_true(jnode_get_str(j, "reason").n > 0);
    return j;
}

static bool says_valid(struct fixture *f, struct str problem, struct str answer) {
    return jnode_bool(
        jnode_get(checker(f, "initial", problem, "answer", answer, "note", S("")), "valid"), false);
}

static bool says_same(struct fixture *f, struct str problem, struct str one, struct str other) {
    const struct jnode *j =
        checker(f, "equivalence_check", problem, "true_answer", one, "model_answer", other);
    bool same = jnode_bool(jnode_get(j, "valid"), false);
    double confidence = jnode_real(jnode_get(j, "equivalence_confidence"), -1);
    assert_true(confidence >= 0 && confidence <= 1 && (confidence > 0.5) == same);
    return same;
}

static struct str target(struct fixture *f, struct str problem) {
    (void)ask(f, "target", str_fmt(&f->a, "Solve this.\n\n%.*s\n", STR_ARG(problem)));
    assert_true(str_find(sbuf_str(&f->text), S("\\boxed{")) != STR_NPOS);
    return str_dup(&f->a, form_final(sbuf_str(&f->text)));
}

static void assert_rate(int n, int of, double rate) {
    double sigma = sqrt(rate * (1 - rate) * of);
    if (fabs(n - rate * of) > 5 * sigma + 1) {
        fail_msg("%d of %d, not %g", n, of, rate);
    }
}

static bool is_right(struct fixture *f, struct str problem, struct str answer) {
    const struct item *it = &f->brain.item;
    assert_non_null(truth_find(&f->truth, problem, &f->brain.item));
    return form_find(it->right, it->right_n, answer) >= 0;
}

static void test_an_engineer_writes_a_whole_problem(void **state) {
    (void)state;
    struct fixture f;
    fixture_begin(&f, 1);
    for (int i = 0; i < 200; i++) {
        struct written w = engineer(&f, i);
        const struct jnode *hints = jnode_get(w.json, "hints");
        assert_true(w.problem.n > 20 && w.answer.n > 0);
        assert_true(jnode_get_str(w.json, "subject").n > 0 && jnode_get_str(w.json, "topic").n > 0);
        assert_true(jnode_len(hints) >= 3 && jnode_get_str(hints, "2").n > 0);
    }
    fixture_end(&f);
}

static void test_answers_do_not_depend_on_the_order_of_arrival(void **state) {
    (void)state;
    enum { N = 100 };
    struct fixture up, down;
    struct str first[N];
    fixture_begin(&up, 7);
    fixture_begin(&down, 7);
    for (int i = 0; i < N; i++) {
        first[i] = engineer(&up, i).problem;
    }
    for (int i = N - 1; i >= 0; i--) {
        assert_true(str_eq(engineer(&down, i).problem, first[i]));
    }
    for (int i = 0; i < N; i++) {
        struct str answer = target(&up, first[i]);
        assert_true(str_eq(answer, target(&down, first[i])));
        assert_int_equal(says_valid(&up, first[i], answer), says_valid(&down, first[i], answer));
    }
    fixture_end(&up);
    fixture_end(&down);
}

static void test_another_seed_says_something_else(void **state) {
    (void)state;
    struct fixture one, two;
    fixture_begin(&one, 1);
    fixture_begin(&two, 2);
    assert_false(str_eq(engineer(&one, 1).problem, engineer(&two, 1).problem));
    fixture_end(&one);
    fixture_end(&two);
}

static void test_a_request_seen_again_has_the_same_content_and_other_faults(void **state) {
    (void)state;
    struct fixture f;
    fixture_begin(&f, 3);
    f.options.faults.of[FAULT_500] = 0.5;
    int changed = 0;
    for (int i = 0; i < 200; i++) {
        struct str message = str_fmt(&f.a, "again %d", i);
        struct str said = S("");
        enum fault first = ask(&f, "engineer", message).fault;
        bool other = false;
        for (int k = 0; k < 8; k++) {
            struct brain_reply reply = ask(&f, "engineer", message);
            other = other || reply.fault != first;
            if (reply.fault == FAULT_NONE) {
                assert_true(said.n == 0 || str_eq(said, sbuf_str(&f.text)));
                said = str_dup(&f.a, sbuf_str(&f.text));
            }
        }
        changed += other;
    }
    assert_true(changed > 190);
    fixture_end(&f);
}

static void test_a_conversation_that_goes_on_is_about_the_same_problem(void **state) {
    (void)state;
    struct fixture f;
    struct brain_reply reply;
    fixture_begin(&f, 3);
    struct str problem = engineer(&f, 5).problem;
    struct sim_request q = {.model = S("engineer"),
                            .messages = {{S("user"), S("problem 5")},
                                         {S("assistant"), S("nonsense")},
                                         {S("user"), S("Your reply could not be used.")}},
                            .messages_n = 3,
                            .output_tokens_max = SIM_TOKENS_MAX};
    const struct jnode *j;
    brain_answer(&f.brain, &q, &f.text, &reply);
    assert_int_equal(jnode_parse(sbuf_str(&f.text), &f.a, &j, NULL), ERR_OK);
    assert_true(str_eq(jnode_get_str(j, "problem"), problem));
    fixture_end(&f);
}

static void test_messy_json_means_what_clean_json_means(void **state) {
    (void)state;
    enum { N = 1000 };
    struct fixture f;
    int messy = 0;
    fixture_begin(&f, 9);
    for (int i = 0; i < N; i++) {
        f.options.messy = 0;
        struct written clean = engineer(&f, i);
        struct str text = str_dup(&f.a, sbuf_str(&f.text));
        const struct jnode *j;
        unsigned notes;
        struct errinfo why = {0};
        f.options.messy = 1;
        (void)ask(&f, "engineer", str_fmt(&f.a, "problem %d", i));
        messy += !str_eq(text, sbuf_str(&f.text));
        if (jrepair_parse(sbuf_str(&f.text), &f.a, &j, &notes, &why) != ERR_OK) {
            fail_msg("%s: %.*s", why.text, STR_ARG(sbuf_str(&f.text)));
        }
        if (!str_eq(jnode_text(j, &f.a), jnode_text(clean.json, &f.a))) {
            fail_msg("changed: %.*s", STR_ARG(sbuf_str(&f.text)));
        }
        arena_reset(&f.a);
    }
    assert_true(messy > N * 9 / 10);
    fixture_end(&f);
}

static void test_mistakes_come_at_their_rates_and_nowhere_else(void **state) {
    (void)state;
    enum { N = 3000 };
    struct fixture f;
    int planted = 0, passed = 0, rejected = 0, failed = 0, other = 0, misjudged = 0;
    fixture_begin(&f, 42);
    f.options.wrong_answer = 0.25;
    f.options.lenient = 0.3;
    f.options.strict = 0.1;
    f.options.target_fail = 0.6;
    f.options.other_form = 0.5;
    f.options.judge_error = 0.05;
    for (int i = 0; i < N; i++) {
        struct written w = engineer(&f, i);
        bool right = is_right(&f, w.problem, w.answer);
        bool valid = says_valid(&f, w.problem, w.answer);
        planted += !right;
        passed += !right && valid;
        rejected += right && !valid;
        struct str answer = target(&f, w.problem);
        bool solved = is_right(&f, w.problem, answer);
        failed += !solved;
        other += solved && !str_eq(answer, f.brain.item.right[0]);
        bool same = solved == right && (solved || form_same(answer, w.answer));
        misjudged += says_same(&f, w.problem, w.answer, answer) != same;
        arena_reset(&f.a);
    }
    assert_rate(planted, N, 0.25);
    assert_rate(passed, planted, 0.3);
    assert_rate(rejected, N - planted, 0.1);
    assert_rate(failed, N, 0.6);
    assert_rate(other, N - failed, 0.5);
    assert_rate(misjudged, N, 0.05);
    fixture_end(&f);
}

static void test_by_default_about_three_in_ten_are_accepted(void **state) {
    (void)state;
    enum { N = 2000 };
    struct fixture f;
    int accepted = 0;
    fixture_begin(&f, 1);
    for (int i = 0; i < N; i++) {
        struct written w = engineer(&f, i);
        accepted += says_valid(&f, w.problem, w.answer) &&
                    !says_same(&f, w.problem, w.answer, target(&f, w.problem));
        arena_reset(&f.a);
    }
    assert_in_range(accepted, N * 25 / 100, N * 38 / 100);
    fixture_end(&f);
}

static void test_accept_all_accepts_all(void **state) {
    (void)state;
    struct fixture f;
    fixture_begin(&f, 1);
    brain_options_accept_all(&f.options);
    for (int i = 0; i < 500; i++) {
        struct written w = engineer(&f, i);
        assert_true(is_right(&f, w.problem, w.answer));
        assert_true(says_valid(&f, w.problem, w.answer));
        assert_false(says_same(&f, w.problem, w.answer, target(&f, w.problem)));
    }
    fixture_end(&f);
}

static void test_problems_of_others_get_plausible_answers(void **state) {
    (void)state;
    struct fixture f;
    fixture_begin(&f, 1);
    f.options.judge_error = f.options.strict = 0;
    assert_true(target(&f, S("What is $1 + 1$?")).n > 0);
    assert_true(says_valid(&f, S("What is $1 + 1$?"), S("2")));
    assert_true(says_same(&f, S("What is $1 + 1$?"), S("2"), S("x = 2")));
    assert_false(says_same(&f, S("What is $1 + 1$?"), S("2"), S("3")));
    fixture_end(&f);
}

static void test_faults_of_the_text_are_what_they_are_called(void **state) {
    (void)state;
    struct fixture f;
    struct brain_reply reply;
    const struct jnode *j;
    fixture_begin(&f, 1);
    f.options.faults.of[FAULT_TRUNCATE] = 1;
    reply = ask(&f, "engineer", S("x"));
    assert_true(reply.cut);
    assert_int_not_equal(jnode_parse(sbuf_str(&f.text), &f.a, &j, NULL), ERR_OK);
    f.options.faults = (struct fault_rates){.of[FAULT_EMPTY] = 1};
    reply = ask(&f, "target", S("x"));
    assert_int_equal(f.text.n, 0);
    assert_false(reply.cut);
    f.options.faults = (struct fault_rates){.of[FAULT_REFUSE] = 1};
    reply = ask(&f, "checker", S("x"));
    assert_true(reply.refused && f.text.n > 0);
    f.options.faults = (struct fault_rates){.of[FAULT_MALFORMED] = 1};
    for (int i = 0; i < 100; i++) {
        reply = ask(&f, "engineer", str_fmt(&f.a, "y %d", i));
        bool whole = jnode_parse(sbuf_str(&f.text), &f.a, &j, NULL) == ERR_OK &&
                     jnode_get_str(j, "answer").n > 0 && jnode_len(jnode_get(j, "hints")) >= 3;
        assert_false(whole);
    }
    fixture_end(&f);
}

static void test_the_clients_own_limit_cuts_the_answer(void **state) {
    (void)state;
    struct fixture f;
    struct brain_reply reply;
    struct sim_request q = {.model = S("target"),
                            .messages = {{S("user"), S("x")}},
                            .messages_n = 1,
                            .output_tokens_max = 10};
    fixture_begin(&f, 1);
    brain_answer(&f.brain, &q, &f.text, &reply);
    assert_true(reply.cut);
    assert_int_equal(reply.output_tokens, 10);
    fixture_end(&f);
}

static void test_a_role_is_told_by_the_models_name(void **state) {
    (void)state;
    assert_int_equal(brain_role(S("engineer")), ROLE_ENGINEER);
    assert_int_equal(brain_role(S("acme-checker-mini-2026")), ROLE_CHECKER);
    assert_int_equal(brain_role(S("target")), ROLE_TARGET);
    assert_int_equal(brain_role(S("gpt-5")), ROLE_COUNT);
}

static void test_a_truth_file_is_known_again_by_the_next_simulator(void **state) {
    (void)state;
    char path[] = "/tmp/stumper-truth-XXXXXX";
    int fd = mkstemp(path);
    struct fixture f;
    struct item *it = malloc(sizeof *it);
    struct str problems[50];
    struct truth again;
    assert_true(fd >= 0 && it != NULL);
    assert_int_equal(write(fd, "{\"torn", 6), 6); /* as a crash leaves it */
    fixture_begin(&f, 1);
    truth_close(&f.truth);
    assert_int_equal(truth_open(&f.truth, path, NULL), ERR_OK);
    for (int i = 0; i < 50; i++) {
        problems[i] = engineer(&f, i).problem;
        (void)engineer(&f, i); /* noted once */
    }
    journal_flush(&f.truth.file);
    assert_int_equal(truth_open(&again, path, NULL), ERR_OK);
    for (int i = 0; i < 50; i++) {
        assert_non_null(truth_find(&again, problems[i], it));
        assert_true(str_eq(it->problem, problems[i]));
    }
    assert_null(truth_find(&again, S("What is $1 + 1$?"), it));
    truth_close(&again);
    fixture_end(&f);
    free(it);
    (void)close(fd);
    (void)unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_engineer_writes_a_whole_problem),
        cmocka_unit_test(test_answers_do_not_depend_on_the_order_of_arrival),
        cmocka_unit_test(test_another_seed_says_something_else),
        cmocka_unit_test(test_a_request_seen_again_has_the_same_content_and_other_faults),
        cmocka_unit_test(test_a_conversation_that_goes_on_is_about_the_same_problem),
        cmocka_unit_test(test_messy_json_means_what_clean_json_means),
        cmocka_unit_test(test_mistakes_come_at_their_rates_and_nowhere_else),
        cmocka_unit_test(test_by_default_about_three_in_ten_are_accepted),
        cmocka_unit_test(test_accept_all_accepts_all),
        cmocka_unit_test(test_problems_of_others_get_plausible_answers),
        cmocka_unit_test(test_faults_of_the_text_are_what_they_are_called),
        cmocka_unit_test(test_the_clients_own_limit_cuts_the_answer),
        cmocka_unit_test(test_a_role_is_told_by_the_models_name),
        cmocka_unit_test(test_a_truth_file_is_known_again_by_the_next_simulator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
