/* Promises of the prompt templates: the shipped ones are whole, values are put in and never read
 * again, and every mistake is named with file, line and variable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/builtin.h"

#include <string.h>

static struct arena a;

static int set_up(void **state) {
    (void)state;
    arena_init(&a, (size_t)8 << 20);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    arena_release(&a);
    return 0;
}

static const struct prompt_template *parsed(enum prompt_kind kind, struct str text) {
    const struct prompt_template *t = NULL;
    struct errinfo info = {0};
    if (prompt_parse(kind, text, &a, &t, &info) != ERR_OK) {
        fail_msg("%s", info.text);
    }
    return t;
}

static void assert_rendered(const struct prompt_template *t, const struct prompt_var *vars,
                            size_t n, const char *system_part, const char *user_part) {
    struct str s, u;
    prompt_render(t, vars, n, &a, &s, &u);
    assert_string_equal(str_cstr(&a, s), system_part);
    assert_string_equal(str_cstr(&a, u), user_part);
}

static void test_the_shipped_prompts_are_whole(void **state) {
    (void)state;
    for (int kind = 0; kind < PROMPT_COUNT; kind++) {
        (void)parsed((enum prompt_kind)kind, builtin_prompt((enum prompt_kind)kind));
    }
    assert_string_equal(prompt_file(PROMPT_ENGINEER_SEED), "engineer-seed.md");
}

static void test_values_are_put_in_and_never_read_as_templates(void **state) {
    (void)state;
    const struct prompt_template *t = parsed(
        PROMPT_TARGET, S("<!-- note -->\n\n# system\nBe exact.\n\n# user\n\n\nSolve:\n"
                         "<!-- {{not_a_variable}} -->\n\n{{problem}} Again: {{ problem }}.\n\n"));
    struct prompt_var vars[] = {{"problem", S("$\\frac{{a}}{b}$ {{problem}}")}};
    assert_rendered(t, vars, 1, "Be exact.",
                    "Solve:\n\n$\\frac{{a}}{b}$ {{problem}} Again: $\\frac{{a}}{b}$ {{problem}}.");
    vars[0].value = S("");
    assert_rendered(t, vars, 1, "Be exact.", "Solve:\n\n Again: .");
}

static void test_a_part_without_variables_is_not_copied(void **state) {
    (void)state;
    struct str s, u, s2;
    const struct prompt_template *t =
        parsed(PROMPT_CHECKER, S("# system\nOne.\n\nTwo.\n<!-- x -->\n"));
    prompt_render(t, NULL, 0, &a, &s, &u);
    prompt_render(t, NULL, 0, &a, &s2, &u);
    assert_string_equal(str_cstr(&a, s), "One.\n\nTwo.");
    assert_ptr_equal(s.p, s2.p);
    assert_int_equal(u.n, 0);
}

static void test_mistakes_are_named_with_file_line_and_variable(void **state) {
    (void)state;
    static const struct {
        enum prompt_kind kind;
        const char *text, *says;
    } bad[] = {
        {PROMPT_TARGET, "# user\n\nSolve {{problems}}",
         "target.md: line 3: unknown variable \"{{problems}}\"; this prompt has problem"},
        {PROMPT_TARGET, "# user\n{{Problem}}", "unknown variable"},
        {PROMPT_TARGET, "# user\n{{answer}} {{problem}}", "unknown variable"},
        {PROMPT_TARGET, "# user\nSolve it.", "target.md: the variable {{problem}} is missing"},
        {PROMPT_TARGET, "# user\nSolve {{problem\n}}", "target.md: line 2: \"{{\" is not closed"},
        {PROMPT_TARGET, "Solve {{problem}}", "target.md: line 1: text before the first"},
        {PROMPT_TARGET, "# system\n{{problem}}", "the \"# user\" part is missing or empty"},
        {PROMPT_TARGET, "# user\n{{problem}}\n# user\nx", "line 3: a second \"# user\""},
        {PROMPT_TARGET, "", "the \"# user\" part is missing or empty"},
        {PROMPT_CHECKER, "# system\n\n# user\nx", "checker.md: the \"# system\" part is missing"},
        {PROMPT_CHECKER, "# system\nx\n# user\ny", "there must be no \"# user\" part"},
        {PROMPT_CHECKER, "# system\n{{problem}}", "this prompt has no variables"},
        {PROMPT_ENGINEER, "# user\n{{subject}}", "engineer.md: the variable {{topic}} is missing"},
        {PROMPT_ENGINEER_SEED, "# user\n{{seed_answer}}", "the variable {{seed_problem}}"},
        {PROMPT_REPAIR, "# system\nx\n# user\n{{error}}", "there must be no \"# system\" part"},
        {PROMPT_REPAIR, "# user\nAgain.", "repair.md: the variable {{error}} is missing"},
        {PROMPT_REPAIR, "# user\n{{error}}\xff", "must be UTF-8"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const struct prompt_template *t = NULL;
        struct errinfo info = {0};
        assert_int_equal(prompt_parse(bad[i].kind, str_of(bad[i].text), &a, &t, &info),
                         ERR_INVALID);
        if (strstr(info.text, bad[i].says) == NULL) {
            fail_msg("no \"%s\" in: %s", bad[i].says, info.text);
        }
        assert_null(t);
    }
}

#define prompt_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        prompt_test(test_the_shipped_prompts_are_whole),
        prompt_test(test_values_are_put_in_and_never_read_as_templates),
        prompt_test(test_a_part_without_variables_is_not_copied),
        prompt_test(test_mistakes_are_named_with_file_line_and_variable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
