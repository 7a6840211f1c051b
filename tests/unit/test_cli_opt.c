/* Promises of cli/opt: one table gives parsing, precedence, errors that say what would be right,
 * and help. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/opt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const formats[] = {"jsonl", "json", "csv", "chat", NULL};

/* A command with a row of every kind, and where it all goes. */
struct want {
    int64_t n, slots, deadline_ms, cost_nusd;
    double level, share;
    bool quiet, fresh;
    const char *out;
    struct opt_strs topics;
    int format;
};

struct fixture {
    struct arena a;
    struct want want;
    struct opt rows[11];
    struct opt_command command;
    struct opt_result result;
    struct errinfo why;
    const struct jnode *yaml;
    enum err yaml_err;
};

static const char *env_text; /* "NAME=value\nNAME=value\n" */

static const char *fake_getenv(const char *name) {
    static char value[256];
    struct str rest = str_of(env_text);
    while (rest.n > 0) {
        struct str line = str_split(&rest, '\n'), key = str_split(&line, '=');
        if (str_eq(key, str_of(name))) {
            (void)snprintf(value, sizeof value, "%.*s", STR_ARG(line));
            return value;
        }
    }
    return NULL;
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    struct want *w = &f->want;
    const struct opt rows[] = {
        {.group = "What",
         .name = "num-problems",
         .letter = 'n',
         .kind = OPT_INT,
         .value = "N",
         .to = &w->n,
         .min = 1,
         .max = INT64_MAX,
         .otherwise = "10",
         .help = "how many to make"},
        {.name = "topic",
         .kind = OPT_STRS,
         .value = "SUBJECT/TOPIC",
         .to = &w->topics,
         .help = "draw from this topic"},
        {.group = "How",
         .name = "concurrency",
         .kind = OPT_INT,
         .value = "N",
         .to = &w->slots,
         .min = 1,
         .max = 100000,
         .otherwise = "64",
         .help = "attempts in flight at once"},
        {.name = "deadline",
         .kind = OPT_DURATION,
         .value = "TIME",
         .to = &w->deadline_ms,
         .help = "stop after this time"},
        {.name = "max-cost",
         .kind = OPT_MONEY,
         .value = "USD",
         .to = &w->cost_nusd,
         .help = "never spend more"},
        {.name = "level",
         .kind = OPT_REAL,
         .value = "X",
         .to = &w->level,
         .real_min = -1,
         .real_max = 1,
         .otherwise = "0.5",
         .help = "a level"},
        {.name = "share", .kind = OPT_RATE, .value = "RATE", .to = &w->share, .help = "a share"},
        {.group = "Output",
         .name = "output",
         .letter = 'o',
         .kind = OPT_STR,
         .value = "FILE",
         .to = &w->out,
         .help = "where to"},
        {.name = "format",
         .kind = OPT_ENUM,
         .names = formats,
         .to = &w->format,
         .otherwise = "jsonl",
         .help = "form of the file"},
        {.name = "quiet", .letter = 'q', .kind = OPT_FLAG, .to = &w->quiet, .help = "say nothing"},
        {.name = "fresh",
         .kind = OPT_FLAG,
         .to = &w->fresh,
         .argv_only = true,
         .help = "start over"},
    };
    memcpy(f->rows, rows, sizeof rows);
    f->command = (struct opt_command){.name = "make",
                                      .summary = "make things",
                                      .args = "FILE [ID]",
                                      .examples = "  stumper make x.db\n",
                                      .rows = f->rows,
                                      .rows_n = ARRAY_LEN(rows),
                                      .args_min = 0,
                                      .args_max = 2};
    arena_init(&f->a, 1 << 20);
    env_text = "";
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    arena_release(&f->a);
    free(f);
    return 0;
}

static enum err give_settings(void *ctx, const struct jnode **ret, const char **ret_path,
                              struct errinfo *reterr) {
    struct fixture *f = ctx;
    *ret = f->yaml;
    *ret_path = "stumper.yaml";
    return f->yaml_err == ERR_OK ? ERR_OK : errinfo_set(reterr, f->yaml_err, "broken file");
}

/* Parse a command line, given as words between single spaces. */
static enum err parse(struct fixture *f, const char *line) {
    static char copy[512], *argv[32];
    int argc = 0;
    (void)snprintf(copy, sizeof copy, "make %s", line);
    for (char *word = copy; word != NULL && *word != '\0';) {
        argv[argc++] = word;
        word = strchr(word, ' ');
        if (word != NULL) {
            *word++ = '\0';
        }
    }
    argv[argc] = NULL;
    struct opt_input in = {
        .argc = argc, .argv = argv, .getenv_fn = fake_getenv, .settings = give_settings, .ctx = f};
    f->why = (struct errinfo){0};
    return opt_parse(&f->command, &in, &f->a, &f->result, &f->why);
}

static void yaml(struct fixture *f, const char *json) {
    assert_int_equal(jnode_parse(str_of(json), &f->a, &f->yaml, NULL), ERR_OK);
}

static void refuse(struct fixture *f, const char *line, const char *sentence) {
    assert_int_equal(parse(f, line), ERR_USAGE);
    assert_string_equal(f->why.text, sentence);
}

static void test_every_notation_of_a_value_is_read(void **state) {
    struct fixture *f = *state;
    assert_int_equal(parse(f,
                           "-n 50 --concurrency=8 --deadline 1h30m --max-cost $2.50 --level -0.5 "
                           "--share 25% -o- --format csv -q --fresh in.db -- --id"),
                     ERR_OK);
    assert_int_equal(f->want.n, 50);
    assert_int_equal(f->want.slots, 8);
    assert_int_equal(f->want.deadline_ms, 5400000);
    assert_int_equal(f->want.cost_nusd, INT64_C(2500000000));
    assert_true(f->want.level == -0.5 && f->want.share == 0.25);
    assert_string_equal(f->want.out, "-");
    assert_int_equal(f->want.format, 2);
    assert_true(f->want.quiet && f->want.fresh);
    assert_int_equal(f->result.args_n, 2);
    assert_string_equal(f->result.args[0], "in.db");
    assert_string_equal(f->result.args[1], "--id");
}

static void test_what_begins_like_a_number_or_a_formula_is_an_argument(void **state) {
    struct fixture *f = *state;
    assert_int_equal(parse(f, "-n 50 -5 -\\frac12"), ERR_OK);
    assert_int_equal(f->result.args_n, 2);
    assert_string_equal(f->result.args[0], "-5");
    assert_string_equal(f->result.args[1], "-\\frac12");
}

static void test_flag_beats_environment_beats_yaml_beats_default(void **state) {
    struct fixture *f = *state;
    assert_int_equal(parse(f, ""), ERR_OK);
    assert_int_equal(f->want.slots, 64);
    assert_false(opt_given(&f->result, "concurrency"));
    yaml(f, "{\"concurrency\": 3}");
    assert_int_equal(parse(f, ""), ERR_OK);
    assert_int_equal(f->want.slots, 3);
    assert_string_equal(opt_label(&f->result, "concurrency").s, "stumper.yaml: concurrency");
    env_text = "STUMPER_CONCURRENCY=4\n";
    assert_int_equal(parse(f, ""), ERR_OK);
    assert_int_equal(f->want.slots, 4);
    assert_string_equal(opt_label(&f->result, "concurrency").s, "STUMPER_CONCURRENCY");
    assert_int_equal(parse(f, "--concurrency 5"), ERR_OK);
    assert_int_equal(f->want.slots, 5);
    assert_string_equal(opt_label(&f->result, "concurrency").s, "--concurrency");
}

static void test_a_weaker_bad_value_does_not_stand_in_the_way(void **state) {
    struct fixture *f = *state;
    env_text = "STUMPER_CONCURRENCY=lots\n";
    assert_int_equal(parse(f, "--concurrency 5"), ERR_OK);
    refuse(f, "", "STUMPER_CONCURRENCY: 'lots' is not a whole number between 1 and 100000");
    env_text = "STUMPER_CONCURRENCY=\nSTUMPER_FRESH=1\n";
    f->want.fresh = false;
    assert_int_equal(parse(f, ""), ERR_OK); /* empty counts as unset, --fresh is for argv only */
    assert_int_equal(f->want.slots, 64);
    assert_false(f->want.fresh);
}

static void test_the_last_single_value_wins_and_lists_collect(void **state) {
    struct fixture *f = *state;
    env_text = "STUMPER_TOPIC=x/y; z/w\n";
    assert_int_equal(parse(f, ""), ERR_OK);
    assert_int_equal(f->want.topics.n, 2);
    assert_string_equal(f->want.topics.v[1], "z/w");
    assert_int_equal(parse(f, "-n 1 -n2 --topic a/b --topic c/d --topic e/f --quiet=no"), ERR_OK);
    assert_int_equal(f->want.n, 2);
    assert_false(f->want.quiet);
    assert_int_equal(f->want.topics.n, 3);
    assert_string_equal(f->want.topics.v[0], "a/b");
    assert_string_equal(f->want.topics.v[2], "e/f");
    env_text = "";
    yaml(f, "{\"topic\": [\"p/q\", \"r/s\"], \"quiet\": true, \"deadline\": null}");
    assert_int_equal(parse(f, ""), ERR_OK);
    assert_int_equal(f->want.topics.n, 2);
    assert_string_equal(f->want.topics.v[0], "p/q");
    assert_true(f->want.quiet);
}

static void test_a_bad_value_says_what_would_be_right(void **state) {
    struct fixture *f = *state;
    refuse(f, "--concurrency 12x",
           "--concurrency: '12x' is not a whole number between 1 and 100000");
    refuse(f, "-n 0", "-n: '0' is not a whole number of at least 1");
    refuse(f, "--deadline 90", "--deadline: '90' is not a duration such as 90s, 15m, 2h or 1d");
    refuse(f, "--max-cost -1", "--max-cost: '-1' is not an amount in dollars such as 2.50");
    refuse(f, "--level 2", "--level: '2' is not a number between -1 and 1");
    refuse(f, "--share 1.5", "--share: '1.5' is not a share between 0 and 1, such as 0.25 or 25%");
    refuse(f, "--format jsn",
           "--format: 'jsn' is not one of jsonl, json, csv, chat; did "
           "you mean json?");
    refuse(f, "--quiet=maybe", "--quiet: 'maybe' is not true or false");
    refuse(f, "--output=", "--output: the value is empty");
    refuse(f, "--output --quiet", "--output needs a value: --output FILE");
    refuse(f, "-n", "-n needs a value: -n N");
}

static void test_yaml_errors_name_file_and_key(void **state) {
    struct fixture *f = *state;
    yaml(f, "{\"concurrency\": \"lots\"}");
    refuse(f, "",
           "stumper.yaml: concurrency: 'lots' is not a whole number between 1 and "
           "100000");
    yaml(f, "{\"output\": {}}");
    refuse(f, "", "stumper.yaml: output: is an object, must be a single value");
    yaml(f, "{\"topic\": [[]]}");
    refuse(f, "", "stumper.yaml: topic: is an array, must be a text or a list of texts");
    f->yaml_err = ERR_SYNTAX;
    refuse(f, "", "broken file");
}

static void test_unknown_options_and_arguments_get_a_hint(void **state) {
    struct fixture *f = *state;
    refuse(f, "--concurency 5", "unknown option --concurency; did you mean --concurrency?");
    refuse(f, "--conc=5", "unknown option --conc; did you mean --concurrency?");
    refuse(f, "--zzz", "unknown option --zzz; see stumper make --help");
    refuse(f, "-qx", "unknown option -x; see stumper make --help");
    refuse(f, "a b c", "unexpected argument 'c'; see stumper make --help");
    f->command.args_min = 1;
    f->command.args = "FILE.db";
    refuse(f, "-q", "FILE.db is missing; see stumper make --help");
    f->rows[3].required = true;
    refuse(f, "x.db", "--deadline TIME is required");
}

static void test_money_and_durations_are_exact(void **state) {
    (void)state;
    int64_t v = -1;
    assert_true(opt_read_money(S("0.000000001"), &v));
    assert_int_equal(v, 1);
    assert_true(opt_read_money(S(".1"), &v));
    assert_int_equal(v, 100000000);
    assert_false(opt_read_money(S("0.0000000001"), &v));
    assert_false(opt_read_money(S("1,000"), &v));
    assert_false(opt_read_money(S("."), &v));
    assert_false(opt_read_money(S("1.2.3"), &v));
    assert_true(opt_read_duration(S("500ms"), &v));
    assert_int_equal(v, 500);
    assert_true(opt_read_duration(S("1.5h"), &v));
    assert_int_equal(v, 5400000);
    assert_false(opt_read_duration(S("h"), &v));
    assert_false(opt_read_duration(S("1h30"), &v));
    assert_false(opt_read_duration(S("99999999999999d"), &v));
}

static void test_help_is_asked_for_anywhere_and_shows_groups_and_defaults(void **state) {
    struct fixture *f = *state;
    struct sbuf out;
    assert_int_equal(parse(f, "-q --help"), ERR_OK);
    assert_true(f->result.help);
    assert_int_equal(parse(f, "-h"), ERR_OK);
    assert_true(f->result.help);
    sbuf_init(&out, 1 << 16);
    f->command.rows_n = 4;
    f->command.about =
        "One paragraph that is long enough to be wrapped at the width that is given.";
    opt_help(&f->command, 60, &out);
    assert_string_equal(sbuf_str(&out).p,
                        "stumper make: make things\n"
                        "\n"
                        "usage: stumper make [OPTION]... FILE [ID]\n"
                        "\n"
                        "One paragraph that is long enough to be wrapped at the width\n"
                        "that is given.\n"
                        "\n"
                        "What:\n"
                        "  -n, --num-problems N       how many to make (default: 10)\n"
                        "      --topic SUBJECT/TOPIC  draw from this topic (may be\n"
                        "                             repeated)\n"
                        "\n"
                        "How:\n"
                        "      --concurrency N        attempts in flight at once\n"
                        "                             (default: 64)\n"
                        "      --deadline TIME        stop after this time\n"
                        "\n"
                        "  -h, --help                 show this text\n"
                        "\n"
                        "An option --some-name that is not given is read from the\n"
                        "environment variable STUMPER_SOME_NAME.\n"
                        "\n"
                        "Examples:\n"
                        "  stumper make x.db\n");
    sbuf_release(&out);
}

#define OPT_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        OPT_TEST(test_every_notation_of_a_value_is_read),
        OPT_TEST(test_what_begins_like_a_number_or_a_formula_is_an_argument),
        OPT_TEST(test_flag_beats_environment_beats_yaml_beats_default),
        OPT_TEST(test_a_weaker_bad_value_does_not_stand_in_the_way),
        OPT_TEST(test_the_last_single_value_wins_and_lists_collect),
        OPT_TEST(test_a_bad_value_says_what_would_be_right),
        OPT_TEST(test_yaml_errors_name_file_and_key),
        OPT_TEST(test_unknown_options_and_arguments_get_a_hint),
        OPT_TEST(test_money_and_durations_are_exact),
        OPT_TEST(test_help_is_asked_for_anywhere_and_shows_groups_and_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
