/* Promises of cli/load, cli/config and cli/job_options: every error names the file, the line or the
 * flag and says what would be right; options, spec file, environment and stumper.yaml merge in
 * their order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "cli/job_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    struct arena a;
    struct errinfo why;
    char folder[32];
    struct job_options o;
    struct opt rows[JOB_OPTIONS_ROWS];
    struct opt_command command;
    struct opt_result result;
};

/* Every test works in a folder of its own. */
static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    arena_init(&f->a, (size_t)256 << 20);
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/stumper-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    assert_int_equal(chdir(f->folder), 0);
    job_options_rows(&f->o, f->rows);
    f->command = (struct opt_command){
        .name = "generate", .summary = "", .rows = f->rows, .rows_n = JOB_OPTIONS_ROWS};
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    char command[64];
    (void)snprintf(command, sizeof command, "rm -rf %s", f->folder);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(system(command), 0);
    arena_release(&f->a);
    free(f);
    return 0;
}

static void put(const char *path, const char *contents) {
    assert_int_equal(file_replace(path, str_of(contents), NULL), ERR_OK);
}

static void assert_why(struct fixture *f, enum err e, enum err expected, const char *sentence) {
    assert_string_equal(f->why.text, sentence);
    assert_int_equal(e, expected);
    f->why = (struct errinfo){0};
}

static void test_taxonomy_errors_name_file_and_place(void **state) {
    struct fixture *f = *state;
    struct taxonomy t;
    assert_why(f, load_taxonomy("none.json", &f->a, &t, &f->why), ERR_NOT_FOUND,
               "cannot read none.json: No such file or directory");
    put("t.json", "{\"Algebra\": [\"Quadratics\",]}");
    assert_why(f, load_taxonomy("t.json", &f->a, &t, &f->why), ERR_SYNTAX,
               "t.json: line 1, column 27: a value is due here");
    put("t.json", "{\"Algebra\": 7}");
    assert_int_equal(load_taxonomy("t.json", &f->a, &t, &f->why), ERR_INVALID);
    assert_true(str_starts(str_of(f->why.text), S("t.json: /Algebra: ")));
    put("t.json", "{\"Algebra\": [\"Quadratics\"]}");
    assert_int_equal(load_taxonomy("t.json", &f->a, &t, &f->why), ERR_OK);
    assert_int_equal(t.n, 1);
    load_builtin_taxonomy(&f->a, &t);
    assert_true(t.n >= 120);
}

static void test_bad_seed_lines_are_named_by_number(void **state) {
    struct fixture *f = *state;
    const struct job_seed *seeds;
    size_t n;
    put("s.jsonl", "\xEF\xBB\xBF{\"problem\": \"1+1?\", \"answer\": \"2\"}\n\n{\"problem\": 5}\n"
                   "{\"problem\": \"x\"\n{\"problem\": \"2+2?\"}");
    assert_why(f, load_seeds("s.jsonl", &f->a, &seeds, &n, &f->why), ERR_INVALID,
               "s.jsonl: line 3: /problem: must be a string, not an integer; line 4: column 16: "
               "the text ends inside an array or object");
    put("s.jsonl", "\n \n");
    assert_why(f, load_seeds("s.jsonl", &f->a, &seeds, &n, &f->why), ERR_INVALID,
               "s.jsonl has no seeds: write one {\"problem\": \"…\", \"answer\": \"…\"} a line");
    put("s.jsonl", "1\n2\n3\n4\n5\n6\n7\n");
    assert_int_equal(load_seeds("s.jsonl", &f->a, &seeds, &n, &f->why), ERR_INVALID);
    assert_true(str_starts(str_of(f->why.text), S("s.jsonl has 7 bad lines; the first: line 1: ")));
    f->why = (struct errinfo){0};
    assert_why(f, load_seeds(".", &f->a, &seeds, &n, &f->why), ERR_IO,
               "cannot read .: Is a directory");
    put("s.jsonl", "{\"problem\": \"1+1?\"}\r\n{\"problem\": \"2+2?\", \"tags\": [\"a\"]}\r\n");
    assert_int_equal(load_seeds("s.jsonl", &f->a, &seeds, &n, &f->why), ERR_OK);
    assert_int_equal(n, 2);
    assert_true(str_eq(seeds[1].problem, S("2+2?")));
}

static void test_prompts_of_a_folder_replace_the_built_in_ones(void **state) {
    struct fixture *f = *state;
    struct prompts p = {0};
    assert_int_equal(load_prompts(NULL, false, &f->a, &p, &f->why), ERR_OK);
    assert_why(f, load_prompts("none", false, &f->a, &p, &f->why), ERR_NOT_FOUND,
               "--prompts: none is not a folder");
    assert_int_equal(mkdir("p", 0777), 0);
    put("p/engineer.md", "# user\nWrite about {{subject}}, {{topic}}.\n");
    put("p/target.md", "# user\n{{problem}}\n");
    put("p/checker.md", "# system\nCheck.\n");
    assert_why(
        f, load_prompts("p", false, &f->a, &p, &f->why), ERR_NOT_FOUND,
        "--prompts: p/equivalence.md is missing; copy it from the prompts/ folder of Stumper "
        "and change it there");
    put("p/equivalence.md", "# system\nCompare.\n");
    assert_int_equal(load_prompts("p", false, &f->a, &p, &f->why), ERR_OK);
    assert_int_equal(load_prompts("p", true, &f->a, &p, &f->why),
                     ERR_NOT_FOUND); /* engineer-seed */
    f->why = (struct errinfo){0};
    put("p/target.md", "# user\n{{problm}}\n");
    assert_int_equal(load_prompts("p", false, &f->a, &p, &f->why), ERR_INVALID);
    assert_true(str_starts(str_of(f->why.text), S("--prompts p: target.md")));
    assert_non_null(strstr(f->why.text, "problm"));
}

static void test_prices_come_from_data_then_yaml_then_flags(void **state) {
    struct fixture *f = *state;
    struct config config;
    struct price_table *t;
    const char *flags[] = {"lab/x=3,4"};
    struct opt_strs none = {0}, some = {.v = flags, .n = 1};
    put("stumper.yaml",
        "prices:\n  lab/x: {input: 1, output: 2}\n  lab/y: {input: 0.075, output: 5}\n");
    assert_int_equal(config_load(NULL, &f->a, &config, &f->why), ERR_OK);
    assert_int_equal(load_prices(&config, &none, "--price", &f->a, &t, &f->why), ERR_OK);
    assert_int_equal(price_find(t, S("lab"), S("x"))->rates.input, 1000);
    assert_int_equal(price_find(t, S("lab"), S("y"))->rates.input, 75);
    assert_non_null(price_find(t, S("openai"), S("gpt-5.4-mini")));
    assert_int_equal(load_prices(&config, &some, "--price", &f->a, &t, &f->why), ERR_OK);
    assert_int_equal(price_find(t, S("lab"), S("x"))->rates.output, 4000);
    flags[0] = "lab/x";
    assert_int_equal(load_prices(&config, &some, "--price", &f->a, &t, &f->why), ERR_INVALID);
    assert_true(str_starts(str_of(f->why.text), S("--price: \"lab/x\" is not a price: ")));
    put("stumper.yaml", "prices:\n  lab/x: {input: 1}\n");
    assert_int_equal(config_load(NULL, &f->a, &config, &f->why), ERR_OK);
    f->why = (struct errinfo){0};
    assert_why(f, load_prices(&config, &none, "--price", &f->a, &t, &f->why), ERR_INVALID,
               "stumper.yaml: prices: /lab~1x: \"output\" is missing (dollars per million tokens)");
}

static void test_a_provider_has_prices_of_its_own_by_model(void **state) {
    struct fixture *f = *state;
    struct config config;
    struct price_table *t;
    struct opt_strs none = {0};
    put("stumper.yaml",
        "providers:\n  lab: {base_url: 'http://h', prices: {x: {input: 1, output: 2},"
        " org/y: {input: 3, output: 4}}}\n"
        "prices: {lab/x: {input: 5, output: 6}}\n");
    assert_int_equal(config_load(NULL, &f->a, &config, &f->why), ERR_OK);
    assert_int_equal(load_prices(&config, &none, "--price", &f->a, &t, &f->why), ERR_OK);
    assert_int_equal(price_find(t, S("lab"), S("org/y"))->rates.input, 3000);
    assert_int_equal(price_find(t, S("lab"), S("x"))->rates.input, 5000); /* said last */
    put("stumper.yaml", "providers: {lab: {base_url: 'http://h', prices: {x: {input: 1}}}}\n");
    assert_int_equal(config_load(NULL, &f->a, &config, &f->why), ERR_OK);
    f->why = (struct errinfo){0};
    assert_int_equal(load_prices(&config, &none, "--price", &f->a, &t, &f->why), ERR_INVALID);
    assert_non_null(strstr(f->why.text, "stumper.yaml: providers: prices: /lab~1x"));
}

static void test_the_configuration_is_found_or_its_fault_named(void **state) {
    struct fixture *f = *state;
    struct config config;
    assert_int_equal(config_load(NULL, &f->a, &config, &f->why), ERR_OK);
    assert_null(config.path);
    assert_why(f, config_load("none.yaml", &f->a, &config, &f->why), ERR_NOT_FOUND,
               "cannot read none.yaml: No such file or directory");
    put("stumper.yaml", "concurency: 5\n");
    assert_why(f, config_load(NULL, &f->a, &config, &f->why), ERR_INVALID,
               "stumper.yaml: unknown key 'concurency'; did you mean concurrency?");
    put("stumper.yaml", "concurrency: 5\n  x: [\n");
    assert_int_equal(config_load(NULL, &f->a, &config, &f->why), ERR_SYNTAX);
    assert_true(str_starts(str_of(f->why.text), S("stumper.yaml: line 2, column ")));
    put("stumper.yaml", "- 5\n");
    f->why = (struct errinfo){0};
    assert_why(f, config_load(NULL, &f->a, &config, &f->why), ERR_INVALID,
               "stumper.yaml: is an array, must be a mapping such as \"concurrency: 200\"");
}

static const char *env_target;

static const char *fake_getenv(const char *name) {
    return strcmp(name, "STUMPER_TARGET") == 0 ? env_target : NULL;
}

/* The job of a command line, given as words between single spaces. */
static enum err job(struct fixture *f, const char *line, struct job_spec *ret) {
    char copy[512], *argv[64];
    int argc = 0;
    (void)snprintf(copy, sizeof copy, "generate %s", line);
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " ")) {
        argv[argc++] = word;
    }
    f->o = (struct job_options){0};
    f->why = (struct errinfo){0};
    struct opt_input in = {.argc = argc, .argv = argv, .getenv_fn = fake_getenv};
    assert_int_equal(opt_parse(&f->command, &in, &f->a, &f->result, &f->why), ERR_OK);
    return job_options_spec(&f->o, &f->result, &f->a, ret, &f->why);
}

static void test_flags_alone_make_a_job(void **state) {
    struct fixture *f = *state;
    struct job_spec s;
    env_target = NULL;
    assert_int_equal(
        job(f,
            "-n 50 --engineer a/e --checker a/c --target a/t --topic Algebra/Quadratics "
            "--topic Algebra/Cubics --max-cost 0.1 --deadline 1500ms --seed 7",
            &s),
        ERR_OK);
    assert_int_equal(s.num_problems, 50);
    assert_true(str_eq(s.models[ROLE_TARGET].v[0].model, S("t")));
    assert_int_equal(s.taxonomy.n, 2);
    assert_int_equal(s.max_cost_nusd, 100000000);
    assert_int_equal(s.deadline_ms, 1500);
    assert_int_equal(s.concurrency, JOB_CONCURRENCY_DEFAULT);
    assert_int_equal(s.seed, 7);
}

static void test_job_errors_name_the_flag(void **state) {
    struct fixture *f = *state;
    struct job_spec s;
    env_target = "gpt";
    enum err e = job(f, "-n 5 --engineer a/e", &s);
    assert_int_equal(e, ERR_INVALID);
    assert_non_null(strstr(f->why.text, "--checker: is missing; must be \"provider/model\""));
    assert_non_null(strstr(f->why.text, "STUMPER_TARGET: "));
    assert_null(strstr(f->why.text, "engineer"));
    env_target = NULL;
    e = job(f, "-n 5 --engineer a/e --checker a/c --target a/t --topic Algebra", &s);
    assert_int_equal(e, ERR_INVALID);
    assert_true(str_starts(str_of(f->why.text), S("--topic: ")));
    e = job(f, "-n 5 --topic A/b --seeds s.jsonl", &s);
    assert_why(f, e, ERR_INVALID, "--topic and --seeds: give one of them");
    e = job(f, "-n 5 --engineer a/e --checker a/c --target a/t --seeds s.jsonl", &s);
    assert_why(f, e, ERR_NOT_FOUND, "--seeds: cannot read s.jsonl: No such file or directory");
}

static void test_flags_beat_the_spec_and_the_spec_beats_the_environment(void **state) {
    struct fixture *f = *state;
    struct job_spec s;
    put("job.json",
        "{\"num_problems\": 5, \"engineer_model\": \"a/e\", \"checker_model\": \"a/c\", "
        "\"target_model\": \"a/spec\", \"topics\": [\"A/b\"], \"concurrency\": 9}");
    env_target = "a/env";
    assert_int_equal(job(f, "--spec job.json", &s), ERR_OK);
    assert_true(str_eq(s.models[ROLE_TARGET].v[0].model, S("spec")));
    assert_int_equal(s.num_problems, 5);
    assert_int_equal(s.concurrency, 9);
    assert_int_equal(s.taxonomy.n, 1);
    assert_int_equal(job(f, "--spec job.json -n 6 --target a/flag --topic A/b --topic A/c", &s),
                     ERR_OK);
    assert_true(str_eq(s.models[ROLE_TARGET].v[0].model, S("flag")));
    assert_int_equal(s.num_problems, 6);
    assert_int_equal(s.taxonomy.n, 2);
    put("job.json", "{\"num_problems\": 0, \"engineer_model\": \"a/e\", \"target_model\": \"a/t\", "
                    "\"concurency\": 9}");
    assert_int_equal(job(f, "--spec job.json", &s), ERR_INVALID);
    assert_non_null(strstr(f->why.text, "job.json: /num_problems: must be an integer from 1 to"));
    assert_non_null(
        strstr(f->why.text, "job.json: /concurency: unknown field \"concurency\"; did"));
    assert_non_null(strstr(f->why.text, "--checker: is missing"));
}

#define LOAD_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        LOAD_TEST(test_taxonomy_errors_name_file_and_place),
        LOAD_TEST(test_bad_seed_lines_are_named_by_number),
        LOAD_TEST(test_prompts_of_a_folder_replace_the_built_in_ones),
        LOAD_TEST(test_prices_come_from_data_then_yaml_then_flags),
        LOAD_TEST(test_a_provider_has_prices_of_its_own_by_model),
        LOAD_TEST(test_the_configuration_is_found_or_its_fault_named),
        LOAD_TEST(test_flags_alone_make_a_job),
        LOAD_TEST(test_job_errors_name_the_flag),
        LOAD_TEST(test_flags_beat_the_spec_and_the_spec_beats_the_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
