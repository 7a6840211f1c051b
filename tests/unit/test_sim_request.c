/* Promises of sim/scan.h and sim/format_chat.c: JSON is judged as strictly as by json/node.h,
 * strings come out alike, and what OpenAI would refuse is refused in its words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "sim/format.h"
#include "sim/scan.h"
#include "json/node.h"

#include <stdio.h>
#include <string.h>

static bool scans(const char *text, size_t n) {
    char copy[4096];
    struct scan s;
    assert_true(n <= sizeof copy);
    memcpy(copy, text, n);
    scan_init(&s, copy, n);
    s.failed = !str_is_utf8((struct str){copy, n});
    scan_skip(&s);
    return scan_done(&s);
}

enum judgement { BAD, FINE, OUT_OF_RANGE };

/* By the strict parser, which minds one thing more. */
static enum judgement parses(const char *text, size_t n) {
    struct arena a;
    const struct jnode *j;
    struct errinfo why = {0};
    arena_init(&a, (size_t)1 << 24);
    enum err e = jnode_parse((struct str){text, n}, &a, &j, &why);
    arena_release(&a);
    bool out_of_range = strstr(why.text, "overflow") != NULL || strstr(why.text, "too big") != NULL;
    return e == ERR_OK ? FINE : out_of_range ? OUT_OF_RANGE : BAD;
}

static const char *const documents[] = {
    "{\"model\": \"engineer\", \"messages\": [{\"role\": \"user\", \"n\": \"a\\n\\\"b\\\"\"}]}",
    "[1, -0.5e+10, 0, 12345678, true, false, null, \"\\u00e9\\ud83d\\ude00\", [], {}, [[[]]]]",
    "{\"a\": {\"b\": [\"\\\\frac{1}{2}\", \"\xC3\xA9\"]}, \"c\": -1}",
    "  \"just a string\"  ",
    "7",
};

static void test_every_document_is_judged_as_by_the_strict_parser(void **state) {
    (void)state;
    struct rng r;
    rng_init(&r, 11);
    static const char noise[] = "{}[]\",:\\0123456789.eE+-tfnu \n\x01\x80\xC3";
    for (size_t d = 0; d < ARRAY_LEN(documents); d++) {
        size_t n = strlen(documents[d]);
        assert_true(scans(documents[d], n));
        for (int round = 0; round < 2000; round++) {
            char text[512];
            memcpy(text, documents[d], n);
            for (uint64_t k = rng_below(&r, 3) + 1; k > 0; k--) {
                text[rng_below(&r, n)] = noise[rng_below(&r, sizeof noise - 1)];
            }
            size_t cut = rng_chance(&r, 0.2) ? rng_below(&r, n) : n;
            bool fine = scans(text, cut);
            enum judgement strict = parses(text, cut);
            if (strict != OUT_OF_RANGE && fine != (strict == FINE)) {
                fail_msg("judged differently (scan says %s): %.*s", fine ? "fine" : "bad", (int)cut,
                         text);
            }
        }
    }
}

static void test_strings_come_out_as_from_the_strict_parser(void **state) {
    (void)state;
    static const char *const strings[] = {
        "\"plain\"",
        "\"\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"\\u0041\\u00e9\\u20ac\\ud83d\\ude00 and \\\\alpha and plain text to cross eight bytes\"",
        "\"\xC3\xA9t\xC3\xA9 \\\\frac{a}{b} \xF0\x9F\x98\x80\"",
    };
    for (size_t i = 0; i < ARRAY_LEN(strings); i++) {
        char copy[256];
        struct scan s;
        struct arena a;
        const struct jnode *j;
        size_t n = strlen(strings[i]);
        memcpy(copy, strings[i], n);
        arena_init(&a, (size_t)1 << 20);
        assert_int_equal(jnode_parse((struct str){strings[i], n}, &a, &j, NULL), ERR_OK);
        scan_init(&s, copy, n);
        struct str got = scan_str(&s);
        assert_true(scan_done(&s));
        assert_true(str_eq(got, jnode_str(j)));
        arena_release(&a);
    }
}

static void test_deep_nesting_is_refused_and_does_not_overflow(void **state) {
    (void)state;
    char text[4000];
    memset(text, '[', sizeof text);
    assert_false(scans(text, sizeof text));
}

static void test_a_raw_value_is_given_as_it_stands(void **state) {
    (void)state;
    static const char *const values[] = {"{}", "[]", "{\"a\":\"\\\"}\\\\\",\"b\":[{\"c\":\"]\"}]}",
                                         "[[1, 2], \"\\u00e9\"]"};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        char text[256];
        struct scan s;
        struct str key;
        int n = snprintf(text, sizeof text, "{\"raw\": %s , \"behind\": 1}", values[i]);
        scan_init(&s, text, (size_t)n);
        scan_object(&s);
        assert_true(scan_key(&s, &key));
        assert_true(str_eq(scan_raw(&s), str_of(values[i])));
        assert_true(scan_key(&s, &key) && str_eq(key, S("behind")));
        scan_skip(&s);
        assert_false(scan_key(&s, &key));
        assert_true(scan_done(&s));
    }
    static const char *const open[] = {"{", "[\"", "{\"a\":\"}", "[[]", "", "{\"\\"};
    for (size_t i = 0; i < ARRAY_LEN(open); i++) {
        char text[32];
        struct scan s;
        int n = snprintf(text, sizeof text, "%s", open[i]);
        scan_init(&s, text, (size_t)n);
        assert_int_equal(scan_raw(&s).n, 0);
        assert_false(scan_done(&s));
    }
}

/* Read @text; on refusal the error is in @e. */
static bool reads(const char *text, struct sim_request *q, struct sbuf *body, struct sim_error *e) {
    sbuf_clear(body);
    sbuf_add_cstr(body, text);
    return format_chat.read(body, q, e);
}

static void test_a_request_is_read(void **state) {
    (void)state;
    struct sim_request q;
    struct sim_error e;
    struct sbuf body;
    sbuf_init(&body, 4096);
    assert_true(
        reads("{\"messages\":[{\"role\":\"system\",\"content\":\"one\"},{\"content\":[{\"type\":"
              "\"text\",\"text\":\"two \"},{\"type\":\"text\",\"text\":\"\\\\frac\"}],\"role\":"
              "\"user\"}],\"model\":\"my-engineer\",\"max_completion_tokens\":77,\"seed\":5,"
              "\"unknown\":{\"x\":[1]},\"response_format\":{\"type\":\"json_schema\","
              "\"json_schema\":{\"name\":\"n\"}}}",
              &q, &body, &e));
    assert_true(str_eq(q.model, S("my-engineer")));
    assert_int_equal(q.messages_n, 2);
    assert_true(str_eq(q.messages[0].content, S("one")));
    assert_true(str_eq(q.messages[1].role, S("user")));
    assert_true(str_eq(q.messages[1].content, S("two \\frac")));
    assert_int_equal(q.output_tokens_max, 77);
    assert_int_equal(q.seed, 5);
    assert_int_equal(q.form, SIM_FORM_JSON_SCHEMA);
    assert_false(q.old_token_limit || q.sampled);
    sbuf_release(&body);
}

static void test_what_openai_refuses_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *body, *param, *code, *message;
    } cases[] = {
        {"{\"model\":", NULL, NULL, "could not parse the JSON"},
        {"[1]", NULL, NULL, "could not parse the JSON"},
        {"", NULL, NULL, "could not parse the JSON"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", NULL, NULL,
         "must provide a model"},
        {"{\"model\":\"engineer\"}", "messages", "missing_required_parameter", "'messages'"},
        {"{\"model\":\"engineer\",\"messages\":[]}", "messages", "empty_array", "empty array"},
        {"{\"model\":\"engineer\",\"messages\":7}", "messages", "invalid_type", "array"},
        {"{\"model\":7,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", "model",
         "invalid_type", "string"},
        {"{\"model\":\"engineer\",\"messages\":[{\"role\":\"boss\",\"content\":\"x\"}]}",
         "messages", "invalid_value", "'boss'"},
        {"{\"model\":\"engineer\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"stream_"
         "options\":{\"include_usage\":true}}",
         "stream_options", NULL, "only allowed when 'stream' is enabled"},
        {"{\"model\":\"engineer\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"n\":2}",
         "n", "unsupported_value", "one choice"},
        {"{\"model\":\"engineer\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"max_"
         "tokens\":"
         "0}",
         "max_tokens", "integer_below_min_value", ">= 1"},
        {"{\"model\":\"engineer\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],"
         "\"response_format\":{\"type\":\"json_schema\"}}",
         "response_format.json_schema", "missing_required_parameter", "json_schema"},
        {"{\"model\":\"engineer\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],"
         "\"response_format\":{\"type\":\"json_object\"}}",
         "messages", NULL, "must contain the word 'json'"},
    };
    struct sim_request q;
    struct sbuf body;
    sbuf_init(&body, 4096);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct sim_error e = {0};
        assert_false(reads(cases[i].body, &q, &body, &e));
        assert_int_equal(sim_error_status(&e, DIALECT_OPENAI), 400);
        assert_non_null(strstr(e.message, cases[i].message));
        assert_true(str_eq(str_of(e.param), str_of(cases[i].param)));
        assert_true(str_eq(str_of(e.code), str_of(cases[i].code)));
    }
    sbuf_release(&body);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_document_is_judged_as_by_the_strict_parser),
        cmocka_unit_test(test_strings_come_out_as_from_the_strict_parser),
        cmocka_unit_test(test_deep_nesting_is_refused_and_does_not_overflow),
        cmocka_unit_test(test_a_raw_value_is_given_as_it_stands),
        cmocka_unit_test(test_a_request_is_read),
        cmocka_unit_test(test_what_openai_refuses_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
