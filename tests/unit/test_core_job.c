/* Promises of the job request: both forms of everything load, all errors come at once with their
 * places, what cannot be honoured is never passed over, and what is written reads back the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/builtin.h"
#include "core/job.h"

#include <stdio.h>
#include <string.h>

struct fixture {
    struct arena a;
    struct jcheck c;
    struct taxonomy builtin;
    struct job_spec spec;
};

static int set_up(void **state) {
    static struct fixture f;
    const struct jnode *doc;
    arena_init(&f.a, (size_t)64 << 20);
    jcheck_init(&f.c, &f.a);
    assert_int_equal(jnode_parse(builtin_taxonomy(), &f.a, &doc, NULL), ERR_OK);
    assert_true(taxonomy_read(&f.c, jcheck_root(doc), &f.a, &f.builtin));
    *state = &f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    arena_release(&f->a);
    return 0;
}

static const struct jnode *parse(struct fixture *f, const char *text) {
    const struct jnode *doc = NULL;
    struct errinfo info = {0};
    if (jnode_parse(str_of(text), &f->a, &doc, &info) != ERR_OK) {
        fail_msg("%s: %s", text, info.text);
    }
    return doc;
}

static bool read_job(struct fixture *f, const char *text, struct job_spec *ret) {
    jcheck_init(&f->c, &f->a);
    return job_spec_read(&f->c, parse(f, text), &f->builtin, &f->a, ret);
}

/* A whole request with @more members. */
static const char *request(struct fixture *f, const char *more) {
    return str_fmt(&f->a,
                   "{\"num_problems\": 5, \"engineer_model\": \"openai/gpt-5.4\","
                   "\"checker_model\": {\"provider\": \"anthropic\", \"model_name\": \"c/x\"},"
                   "\"target_model\": \"Lab/our-model\"%s}",
                   more)
        .p;
}

static const char *errors(struct fixture *f) {
    return str_cstr(&f->a, jcheck_text(&f->c, &f->a));
}

static void assert_job_error(struct fixture *f, const char *more, const char *wanted) {
    struct job_spec spec;
    assert_false(read_job(f, request(f, more), &spec));
    if (strstr(errors(f), wanted) == NULL) {
        fail_msg("%s: no \"%s\" in: %s", more, wanted, errors(f));
    }
}

#define assert_str(s, text) assert_string_equal(str_cstr(&f->a, (s)), (text))

/* --- model names --- */

static void test_a_model_name_is_split_at_the_first_slash(void **state) {
    struct fixture *f = *state;
    struct model_name m;
    assert_int_equal(model_name_parse(S(" OpenAI/gpt-5.4-mini "), &f->a, &m, NULL), ERR_OK);
    assert_str(m.provider, "openai");
    assert_str(m.model, "gpt-5.4-mini");
    assert_int_equal(model_name_parse(S("fireworks/accounts/f/models/M"), &f->a, &m, NULL), ERR_OK);
    assert_str(m.model, "accounts/f/models/M");
}

static void test_a_bad_model_name_says_what_is_missing(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *text, *says;
    } bad[] = {{"gpt-5.4", "names no provider"}, {"", "names no provider"},
               {"/gpt", "provider's name"},      {"-x/gpt", "provider's name"},
               {"a b/gpt", "provider's name"},   {"openai/", "missing after the slash"},
               {"openai/a b", "white space"},    {"openai/a\nb", "white space"}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct model_name m;
        struct errinfo info = {0};
        assert_int_equal(model_name_parse(str_of(bad[i].text), &f->a, &m, &info), ERR_INVALID);
        if (strstr(info.text, bad[i].says) == NULL) {
            fail_msg("\"%s\": %s", bad[i].text, info.text);
        }
    }
}

/* --- taxonomies --- */

static struct str taxonomy_text(struct fixture *f, const struct taxonomy *t) {
    struct sbuf buf;
    struct jwrite w;
    sbuf_init(&buf, (size_t)1 << 20);
    jwrite_init(&w, &buf);
    taxonomy_write(t, &w);
    struct str text = str_dup(&f->a, sbuf_str(&buf));
    sbuf_release(&buf);
    return text;
}

static void test_every_form_of_a_taxonomy_gives_the_same_topics(void **state) {
    struct fixture *f = *state;
    static const char *const forms[] = {
        "{\"A\": [\"y\", \"x\"], \"B\": [\"z\"]}",
        "{\"B\": {\"z\": {}}, \"A\": {\"x\": null, \"y\": {\"level\": null}}}",
        "{\"A\": [{\"topic\": \"x\"}, \"y\", \"x\"], \"B\": {\"z\": {\"weight\": 3}}}",
        "{\"subjects\": {\"A\": [\" x \", \"y\"], \"B\": [\"z\"]}}",
    };
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct taxonomy t;
        jcheck_init(&f->c, &f->a);
        assert_true(taxonomy_read(&f->c, jcheck_root(parse(f, forms[i])), &f->a, &t));
        assert_int_equal(t.n, 3);
        assert_str(taxonomy_text(f, &t),
                   "{\"subjects\":{\"A\":{\"x\":{},\"y\":{}},\"B\":{\"z\":{}}}}");
    }
}

static void test_a_written_taxonomy_reads_back_the_same(void **state) {
    struct fixture *f = *state;
    static const char *const texts[] = {
        "{\"A\": [{\"topic\": \"x\", \"level\": \"graduate\", \"description\": \"a \\\"b\\\"\"}]}",
        "{\"subjects\": {\"subjects\": {\"x\": {\"level\": \"l\"}}}}",
        "{\"subjects\": [\"level\", \"x\"]}",
    };
    struct taxonomy t, again;
    for (size_t i = 0; i <= ARRAY_LEN(texts); i++) {
        jcheck_init(&f->c, &f->a);
        t = f->builtin; /* the last one */
        assert_true(i == ARRAY_LEN(texts) ||
                    taxonomy_read(&f->c, jcheck_root(parse(f, texts[i])), &f->a, &t));
        const char *text = taxonomy_text(f, &t).p;
        assert_true(taxonomy_read(&f->c, jcheck_root(parse(f, text)), &f->a, &again));
        assert_true(taxonomy_eq(&t, &again));
    }
}

static void test_bad_taxonomies_are_told_all_at_once(void **state) {
    struct fixture *f = *state;
    struct taxonomy t;
    jcheck_init(&f->c, &f->a);
    assert_false(taxonomy_read(&f->c,
                               jcheck_root(parse(f, "{\"A\": [], \"B\": \"x\", \" \": [\"x\"],"
                                                    "\"C\": [1, {\"name\": \"x\"}, \" \"],"
                                                    "\"D\": {\"x\": {\"level\": 3}}}")),
                               &f->a, &t));
    static const char *const wanted[] = {
        "/A: has no topics",
        "/B: must be an array of topics",
        "/ : a name must not be blank",
        "/C/0: must be a topic's name",
        "/C/1/topic: is missing",
        "/C/2: a name must not be blank",
        "/D/x/level: must be a string",
    };
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        if (strstr(errors(f), wanted[i]) == NULL) {
            fail_msg("no \"%s\" in: %s", wanted[i], errors(f));
        }
    }
    assert_int_equal(f->c.n, ARRAY_LEN(wanted));
    jcheck_init(&f->c, &f->a);
    assert_false(taxonomy_read(&f->c, jcheck_root(parse(f, "{}")), &f->a, &t));
    assert_non_null(strstr(errors(f), "must hold 1 to"));
}

static void test_the_shipped_taxonomy_is_rich_and_complete(void **state) {
    struct fixture *f = *state;
    static const char *const levels[] = {"high school", "undergraduate", "graduate", "olympiad"};
    size_t subjects = 0;
    for (size_t i = 0; i < f->builtin.n; i++) {
        const struct taxonomy_topic *t = &f->builtin.topics[i];
        size_t level = 0;
        subjects += i == 0 || !str_eq(t->subject, t[-1].subject);
        while (level < ARRAY_LEN(levels) && !str_eq(t->level, str_of(levels[level]))) {
            level++;
        }
        assert_true(level < ARRAY_LEN(levels));
        assert_true(t->description.n > 20 && t->description.n < 300);
        assert_int_equal(str_find_char(t->subject, '/'), STR_NPOS); /* --topic "Subject/Topic" */
    }
    assert_true(subjects >= 14);
    assert_true(f->builtin.n >= 140);
}

/* --- requests --- */

static void test_a_short_request_gets_the_defaults(void **state) {
    struct fixture *f = *state;
    struct job_spec s;
    assert_true(read_job(f, request(f, ""), &s));
    assert_int_equal(s.num_problems, 5);
    assert_str(s.models[ROLE_CHECKER].v[0].provider, "anthropic");
    assert_str(s.models[ROLE_CHECKER].v[0].model, "c/x");
    assert_str(s.models[ROLE_TARGET].v[0].provider, "lab");
    assert_int_equal(s.taxonomy.n, f->builtin.n);
    assert_int_equal(s.seeds_n, 0);
    assert_int_equal(s.concurrency, JOB_CONCURRENCY_DEFAULT);
    assert_int_equal(s.max_attempts, 0);
    assert_int_equal(s.max_cost_nusd, MONEY_UNKNOWN);
    assert_int_equal(s.deadline_ms, 0);
    assert_int_equal(s.stall_attempts, JOB_STALL_ATTEMPTS_DEFAULT);
    assert_int_equal(s.stall_errors, JOB_STALL_ERRORS_DEFAULT);
}

static void test_an_old_clients_request_keeps_its_meaning(void **state) {
    struct fixture *f = *state;
    struct job_spec s;
    assert_true(read_job(f,
                         request(f, ", \"taxonomy\": {\"Algebra\": [\"Quadratics\"]},"
                                    "\"use_seed_data\": false, \"benchmark_name\": \"AIME\","
                                    "\"seed_data\": [{\"problem\": \"p\"}], \"use_search\": false"),
                         &s));
    assert_int_equal(s.taxonomy.n, 1);
    assert_int_equal(s.seeds_n, 0); /* it said: do not use them */
}

static void test_all_errors_of_a_request_are_told_at_once(void **state) {
    struct fixture *f = *state;
    struct job_spec s;
    assert_false(read_job(f,
                          "{\"num_problems\": 0, \"engineer_model\": \"gpt\", \"checker_model\": 3,"
                          "\"taxonomy\": {}, \"concurrencies\": 5, \"max_cost_usd\": \"5\","
                          "\"use_search\": true, \"votes\": 3, \"deadline_seconds\": 0}",
                          &s));
    static const char *const wanted[] = {
        "/num_problems: must be an integer from 1",
        "/engineer_model: \"gpt\" names no provider",
        "/checker_model: is of the wrong type",
        "/target_model: is missing",
        "/taxonomy: must hold 1 to",
        "did you mean \"concurrency\"",
        "/max_cost_usd: must be a number",
        "/use_search: no search provider",
        "/votes: must be 1",
        "/deadline_seconds: must be more than 0",
    };
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        if (strstr(errors(f), wanted[i]) == NULL) {
            fail_msg("no \"%s\" in: %s", wanted[i], errors(f));
        }
    }
    assert_int_equal(f->c.n, ARRAY_LEN(wanted));
}

static void test_what_this_version_cannot_do_is_an_error_and_what_it_does_is_not(void **state) {
    struct fixture *f = *state;
    struct job_spec s;
    static const char *const not_available[] = {
        ", \"samples\": 4",
        ", \"votes\": 3",
        ", \"solve_rate_max\": 1",
        ", \"use_search\": true",
    };
    for (size_t i = 0; i < ARRAY_LEN(not_available); i++) {
        assert_job_error(f, not_available[i], "not available in this version");
    }
    assert_true(
        read_job(f,
                 request(f, ", \"samples\": 1, \"votes\": 1, \"solve_rate_max\": 0,"
                            "\"webhook_url\": null, \"priority\": \"normal\","
                            "\"use_search\": null, \"mode\": \"direct\", \"target_models\": null"),
                 &s));
}

static void test_priorities_have_names_and_webhooks_are_urls(void **state) {
    struct fixture *f = *state;
    struct job_spec s;
    assert_true(read_job(f,
                         request(f, ", \"priority\": \"high\","
                                    "\"webhook_url\": \"https://example.org/hook?a=b\""),
                         &s));
    assert_int_equal(s.priority, 10);
    assert_str(s.webhook_url, "https://example.org/hook?a=b");
    assert_true(read_job(f, request(f, ", \"priority\": -100"), &s));
    assert_int_equal(s.priority, -100);
    assert_job_error(f, ", \"priority\": \"urgent\"", "/priority: must be");
    assert_job_error(f, ", \"priority\": 101", "/priority");
    assert_job_error(f, ", \"webhook_url\": \"ftp://example.org/\"", "/webhook_url: must be");
    assert_job_error(f, ", \"webhook_url\": \"https:///x\"", "/webhook_url: must be");
    assert_job_error(f, ", \"webhook_url\": \"http://a b/\"", "/webhook_url: must be");
}

static void test_models_that_are_not_named_are_those_of_the_server(void **state) {
    struct fixture *f = *state;
    struct job_spec s;
    struct job_models over[ROLE_COUNT] = {0};
    over[ROLE_CHECKER] = (struct job_models){.n = 1, .v[0] = {S("sim"), S("checker")}};
    over[ROLE_TARGET] = (struct job_models){.n = 1, .v[0] = {S("sim"), S("target")}};
    jcheck_init(&f->c, &f->a);
    assert_true(job_spec_read_over(
        &f->c,
        parse(f, "{\"num_problems\": 1, \"engineer_model\": \"a/b\", \"target_model\": \"c/d\"}"),
        &f->builtin, over, &f->a, &s));
    assert_str(s.models[ROLE_ENGINEER].v[0].provider, "a");
    assert_str(s.models[ROLE_CHECKER].v[0].model, "checker");
    assert_str(s.models[ROLE_TARGET].v[0].provider, "c");
    assert_false(
        job_spec_read_over(&f->c, parse(f, "{\"num_problems\": 1}"), &f->builtin, over, &f->a, &s));
    assert_non_null(strstr(errors(f), "/engineer_model: is missing"));
    assert_int_equal(f->c.n, 1);
}

static void test_a_role_may_name_models_that_stand_in(void **state) {
    struct fixture *f = *state;
    struct job_spec s, other;
    assert_true(
        read_job(f,
                 "{\"num_problems\": 1, \"engineer_model\": \"a/b, c/d/e\","
                 "\"checker_model\": [\"f/g\", {\"provider\": \"h\", \"model_name\": \"i\"}],"
                 "\"target_model\": \"j/k\"}",
                 &s));
    assert_int_equal(s.models[ROLE_ENGINEER].n, 2);
    assert_str(s.models[ROLE_ENGINEER].v[1].model, "d/e");
    assert_int_equal(s.models[ROLE_CHECKER].n, 2);
    assert_str(s.models[ROLE_CHECKER].v[1].provider, "h");
    assert_int_equal(s.models[ROLE_TARGET].n, 1);
    other = s;
    other.models[ROLE_CHECKER].n = 1;
    assert_null(job_spec_difference(&s, &other)); /* a stopped job may go on with others */
    static const char *const wrong[] = {"\"a/b,c\"",
                                        "[]",
                                        "[3]",
                                        "\"\"",
                                        "[\"a/b\", \"\"]",
                                        "\"a/a,b/b,c/c,d/d,e/e,f/f,g/g,h/h,i/i\""};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        char text[256];
        (void)snprintf(text, sizeof text,
                       "{\"num_problems\": 1, \"engineer_model\": %s, \"checker_model\": \"a/b\","
                       "\"target_model\": \"a/b\"}",
                       wrong[i]);
        assert_false(read_job(f, text, &s));
        assert_non_null(strstr(errors(f), "/engineer_model"));
    }
}

static void test_several_targets_are_an_error_and_one_is_the_target(void **state) {
    struct fixture *f = *state;
    struct job_spec s;
    assert_true(read_job(f,
                         "{\"num_problems\": 1, \"engineer_model\": \"a/b\","
                         "\"checker_model\": \"a/b\", \"target_models\": [\"x/y\"]}",
                         &s));
    assert_str(s.models[ROLE_TARGET].v[0].provider, "x");
    assert_job_error(f, ", \"target_models\": [\"x/y\"]", "not both");
    assert_job_error(f, ", \"target_models\": [\"x/y\", \"x/z\"]", "several targets");
}

static void test_topics_and_taxonomies_exclude_each_other(void **state) {
    struct fixture *f = *state;
    struct job_spec s;
    assert_true(read_job(f, request(f, ", \"topics\": [\"B/ z\", \"A/x/y\", \"B/w\"]"), &s));
    assert_str(taxonomy_text(f, &s.taxonomy),
               "{\"subjects\":{\"A\":{\"x/y\":{}},\"B\":{\"w\":{},\"z\":{}}}}");
    assert_job_error(f, ", \"topics\": [\"A/x\"], \"taxonomy\": {\"A\": [\"x\"]}", "not both");
    assert_job_error(f, ", \"topics\": [\"Algebra\"]", "/topics/0: \"Algebra\" is not a topic");
    assert_job_error(f, ", \"topics\": []", "/topics: must hold 1 to");
}

static void test_seeds_are_carried_whole_with_the_benchmarks_name(void **state) {
    struct fixture *f = *state;
    struct job_spec s;
    assert_true(read_job(f,
                         request(f, ", \"use_seed_data\": true, \"benchmark_name\": \"AI \\\"ME\","
                                    "\"seed_data\": [{\"year\": 7, \"problem\": \" p \","
                                    "\"answer\": 0.5, \"tags\": [\"t\"], \"source_id\": 12},"
                                    "{\"problem\": \"q\", \"benchmark_name\": \"own\"}]"),
                         &s));
    assert_int_equal(s.seeds_n, 2);
    assert_str(s.seeds[0].problem, "p");
    assert_str(s.seeds[0].answer, "0.5");
    assert_str(s.seeds[0].source_id, "12");
    assert_str(s.seeds[0].tags, "[\"t\"]");
    assert_str(s.seeds[0].reference,
               "{\"answer\":0.5,\"benchmark_name\":\"AI \\\"ME\",\"problem\":\" p \","
               "\"source_id\":12,\"tags\":[\"t\"],\"year\":7}");
    assert_str(s.seeds[1].reference, "{\"benchmark_name\":\"own\",\"problem\":\"q\"}");
}

static void test_bad_seeds_are_named_by_their_place(void **state) {
    struct fixture *f = *state;
    assert_job_error(f, ", \"use_seed_data\": true", "use_seed_data needs seed_data");
    assert_job_error(f, ", \"seed_data\": {}", "/seed_data: must be an array");
    assert_job_error(f, ", \"seed_data\": [{\"problem\": \"p\"}, {\"problem\": \" \"}]",
                     "/seed_data/1/problem: must be a problem's text, not empty");
    assert_job_error(f, ", \"seed_data\": [{}]", "/seed_data/0/problem: must be a problem's text");
    assert_job_error(f, ", \"seed_data\": [\"p\"]", "/seed_data/0: must be an object");
    assert_job_error(f, ", \"seed_data\": [{\"problem\": \"p\", \"answer\": []}]",
                     "/seed_data/0/answer: must be a string");
    assert_job_error(f, ", \"seed_data\": [{\"problem\": \"p\", \"tags\": [\"a\", 1]}]",
                     "/seed_data/0/tags/1: must be a string");
}

static struct str spec_text(struct fixture *f, const struct job_spec *s) {
    struct sbuf buf;
    struct jwrite w;
    sbuf_init(&buf, (size_t)1 << 20);
    jwrite_init(&w, &buf);
    job_spec_write(s, &w);
    struct str text = str_dup(&f->a, sbuf_str(&buf));
    sbuf_release(&buf);
    return text;
}

static void test_a_written_spec_reads_back_the_same(void **state) {
    struct fixture *f = *state;
    static const char *const mores[] = {
        "",
        ", \"concurrency\": 7, \"max_attempts\": 9, \"max_cost_usd\": 0.000000001,"
        "\"deadline_seconds\": 0.001, \"stall_attempts\": 0, \"stall_errors\": 0,"
        "\"seed\": 9223372036854775807, \"name\": \"n \\u00e9\", \"metadata\": {\"b\": 1, \"a\": "
        "[]}",
        ", \"max_cost_usd\": 999999.999999999, \"deadline_seconds\": 31535999.999",
        ", \"max_cost_usd\": 0.1, \"deadline_seconds\": 3.3",
        (", \"seed_data\": [{\"problem\": \"p\\\\frac\", \"answer\": 1.5, \"tags\": []}],"
         "\"benchmark_name\": \"b\""),
        ", \"topics\": [\"A/x\", \"A/w\", \"subjects/level\"]",
    };
    for (size_t i = 0; i < ARRAY_LEN(mores); i++) {
        struct job_spec s, again;
        if (!read_job(f, request(f, mores[i]), &s)) {
            fail_msg("%s: %s", mores[i], errors(f));
        }
        struct str text = spec_text(f, &s);
        assert_true(read_job(f, text.p, &again));
        assert_true(str_eq(spec_text(f, &again), text));
        assert_null(job_spec_difference(&s, &again));
        assert_int_equal(s.max_cost_nusd, again.max_cost_nusd);
        assert_int_equal(s.deadline_ms, again.deadline_ms);
        assert_int_equal(s.seed, again.seed);
    }
}

static void test_a_job_in_batches_is_wide_unless_told(void **state) {
    struct fixture *f = *state;
    struct job_spec s;
    assert_true(read_job(f, request(f, ", \"mode\": \"batch\""), &s));
    assert_true(s.batches);
    assert_int_equal(s.concurrency, 10000);
    assert_true(read_job(f, request(f, ", \"mode\": \"direct\""), &s));
    assert_false(s.batches);
    assert_job_error(f, ", \"mode\": \"later\"", "/mode: must be \"direct\" or \"batch\"");
}

static void test_limits_and_labels_may_change_but_nothing_else(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *more, *difference;
    } cases[] = {
        {", \"concurrency\": 7, \"max_attempts\": 9, \"max_cost_usd\": 1, \"stall_errors\": 1,"
         "\"deadline_seconds\": 1, \"stall_attempts\": 1, \"name\": \"x\", \"metadata\": {\"a\": "
         "1}, \"mode\": \"batch\"",
         NULL},
        {", \"topics\": [\"A/x\"]", "taxonomy"},
        {", \"seed_data\": [{\"problem\": \"p\"}]", "seed_data"},
        {", \"seed\": 1", "seed"},
    };
    struct job_spec s, other;
    assert_true(read_job(f, request(f, ""), &s));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_true(read_job(f, request(f, cases[i].more), &other));
        const char *difference = job_spec_difference(&s, &other);
        if (cases[i].difference == NULL) {
            assert_null(difference);
        } else {
            assert_string_equal(difference, cases[i].difference);
        }
    }
    other = s;
    other.models[ROLE_CHECKER].v[0].model = S("another");
    assert_string_equal(job_spec_difference(&s, &other), "checker_model");
    other = s;
    other.num_problems++;
    assert_string_equal(job_spec_difference(&s, &other), "num_problems");
}

static void test_numbers_out_of_range_and_of_wrong_type_are_refused(void **state) {
    struct fixture *f = *state;
    assert_job_error(f, ", \"concurrency\": 0", "/concurrency: must be an integer from 1");
    assert_job_error(f, ", \"concurrency\": 1.5", "/concurrency: must be an integer");
    assert_job_error(f, ", \"max_attempts\": -1", "/max_attempts: must be an integer");
    assert_job_error(f, ", \"max_cost_usd\": 0", "/max_cost_usd: must be more than 0");
    assert_job_error(f, ", \"max_cost_usd\": 1e-10", "/max_cost_usd: must be more than 0");
    assert_job_error(f, ", \"max_cost_usd\": 1e7", "/max_cost_usd: must be a number from 0");
    assert_job_error(f, ", \"seed\": -1", "/seed: must be an integer");
    assert_job_error(f, ", \"metadata\": []", "/metadata: must be an object");
    assert_job_error(f, ", \"engineer_modle\": 1", "did you mean \"engineer_model\"");
}

/* @n times the letter x. */
static const char *long_text(struct fixture *f, size_t n) {
    char *text = arena_alloc(&f->a, n + 1);
    memset(text, 'x', n);
    return text;
}

static void test_every_text_has_a_limit(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *form;
        size_t bytes_max;
        const char *says;
    } cases[] = {
        {", \"name\": \"%s\"", JOB_NAME_BYTES_MAX, "/name: must be at most"},
        {", \"metadata\": {\"a\": \"%s\"}", JOB_METADATA_BYTES_MAX - 8,
         "/metadata: must be at most"},
        {", \"topics\": [\"A/%s\"]", TAXONOMY_NAME_BYTES_MAX, "/topics/0: a name must be at most"},
        {", \"taxonomy\": {\"A\": [{\"topic\": \"t\", \"description\": \"%s\"}]}",
         TAXONOMY_DESCRIPTION_BYTES_MAX, "/taxonomy/A/0/description: must be at most"},
        {", \"seed_data\": [{\"problem\": \"%s\"}]", JOB_SEED_PROBLEM_BYTES_MAX,
         "/seed_data/0/problem: must be at most"},
        {", \"seed_data\": [{\"problem\": \"p\", \"x\": \"%s\"}]", JOB_SEED_BYTES_MAX - 22,
         "/seed_data/0: a seed must be at most"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *at = strstr(cases[i].form, "%s");
        for (size_t over = 0; over < 2; over++) {
            struct job_spec s;
            struct str more = str_fmt(&f->a, "%.*s%s%s", (int)(at - cases[i].form), cases[i].form,
                                      long_text(f, cases[i].bytes_max + over), at + 2);
            bool good = read_job(f, request(f, more.p), &s);
            if (good == (over == 1) || (over == 1 && strstr(errors(f), cases[i].says) == NULL)) {
                fail_msg("%s, %zu over: %s", cases[i].form, over, errors(f));
            }
        }
    }
    struct model_name m;
    assert_int_equal(model_name_parse(str_fmt(&f->a, "a/%s", long_text(f, 300)), &f->a, &m, NULL),
                     ERR_INVALID);
}

#define job_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        job_test(test_a_model_name_is_split_at_the_first_slash),
        job_test(test_a_bad_model_name_says_what_is_missing),
        job_test(test_every_form_of_a_taxonomy_gives_the_same_topics),
        job_test(test_a_written_taxonomy_reads_back_the_same),
        job_test(test_bad_taxonomies_are_told_all_at_once),
        job_test(test_the_shipped_taxonomy_is_rich_and_complete),
        job_test(test_a_short_request_gets_the_defaults),
        job_test(test_an_old_clients_request_keeps_its_meaning),
        job_test(test_all_errors_of_a_request_are_told_at_once),
        job_test(test_what_this_version_cannot_do_is_an_error_and_what_it_does_is_not),
        job_test(test_priorities_have_names_and_webhooks_are_urls),
        job_test(test_models_that_are_not_named_are_those_of_the_server),
        job_test(test_a_role_may_name_models_that_stand_in),
        job_test(test_several_targets_are_an_error_and_one_is_the_target),
        job_test(test_topics_and_taxonomies_exclude_each_other),
        job_test(test_seeds_are_carried_whole_with_the_benchmarks_name),
        job_test(test_bad_seeds_are_named_by_their_place),
        job_test(test_a_written_spec_reads_back_the_same),
        job_test(test_a_job_in_batches_is_wide_unless_told),
        job_test(test_limits_and_labels_may_change_but_nothing_else),
        job_test(test_every_text_has_a_limit),
        job_test(test_numbers_out_of_range_and_of_wrong_type_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
