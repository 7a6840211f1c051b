/* Promises of json/yaml.h: configuration files become JSON trees, and whatever could surprise is
 * refused with its line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "json/yaml.h"

#include <stdlib.h>
#include <string.h>

static void assert_yaml(const char *yaml, const char *json) {
    struct arena a;
    const struct jnode *doc = NULL;
    struct errinfo info = {0};
    arena_init(&a, (size_t)1 << 24);
    enum err e = yaml_parse(str_of(yaml), &a, &doc, &info);
    assert_string_equal(info.text, "");
    assert_int_equal(e, ERR_OK);
    assert_string_equal(jnode_text(doc, &a).p, json);
    arena_release(&a);
}

static void assert_refused(struct str yaml, enum err expected, const char *reason) {
    struct arena a;
    const struct jnode *doc = NULL;
    struct errinfo info = {0};
    arena_init(&a, (size_t)1 << 24);
    assert_int_equal(yaml_parse(yaml, &a, &doc, &info), expected);
    assert_string_equal(info.text, reason);
    assert_null(doc);
    arena_release(&a);
}

static void test_a_configuration_file_becomes_a_tree(void **state) {
    (void)state;
    assert_yaml("# comment\n"
                "providers:\n"
                "  lab:                  # a server of ours\n"
                "    type: openai-chat\n"
                "    base_url: http://127.0.0.1:8000/v1\n"
                "    limits: {rpm: 60, tpm: 1e5}\n"
                "topics:\n"
                "  - Algebra/Quadratics\n"
                "  - \"Sets\"\n"
                "text: |\n"
                "  one\n"
                "  two\n",
                "{\"providers\":{\"lab\":{\"type\":\"openai-chat\",\"base_url\":"
                "\"http://127.0.0.1:8000/v1\",\"limits\":{\"rpm\":60,\"tpm\":100000}}},"
                "\"topics\":[\"Algebra/Quadratics\",\"Sets\"],\"text\":\"one\\ntwo\\n\"}");
}

static void test_plain_scalars_follow_the_core_schema(void **state) {
    (void)state;
    assert_yaml(
        "[null, ~, Null, true, FALSE, 12, -7, +3, 007, 0x1F, 0o17, 1.5, .5, 1., 1e3, -2.5E-1]",
        "[null,null,null,true,false,12,-7,3,7,31,15,1.5,0.5,1,1000,-0.25]");
    assert_yaml(
        "[yes, no, on, off, y, 1_000, 1:30, 12abc, 0x, 0o9, ., '', -, 1e, gpt-5.4, 2026-11-01]",
        "[\"yes\",\"no\",\"on\",\"off\",\"y\",\"1_000\",\"1:30\",\"12abc\",\"0x\",\"0o9\",\".\","
        "\"\",\"-\","
        "\"1e\",\"gpt-5.4\",\"2026-11-01\"]");
}

static void test_quoted_scalars_and_keys_stay_strings(void **state) {
    (void)state;
    assert_yaml("{'a': '12', b: \"true\", 3: \"\\u00e9\\n\", null: 'null'}",
                "{\"a\":\"12\",\"b\":\"true\",\"3\":\"\xC3\xA9\\n\",\"null\":\"null\"}");
}

static void test_an_empty_document_is_an_empty_object(void **state) {
    (void)state;
    assert_yaml("", "{}");
    assert_yaml("# only a comment\n", "{}");
    assert_yaml("---\n", "{}");
    assert_yaml("\xEF\xBB\xBF", "{}");
    assert_yaml("a:\n", "{\"a\":null}");
}

static void test_what_could_surprise_is_refused_with_its_place(void **state) {
    (void)state;
    assert_refused(S("a: 1\nb: &x 2\n"), ERR_SYNTAX,
                   "line 2, column 4: anchors (\"&name\") are not supported");
    assert_refused(S("a: *x\n"), ERR_SYNTAX,
                   "line 1, column 4: aliases (\"*name\") are not supported");
    assert_refused(S("a: !!str 1\n"), ERR_SYNTAX,
                   "line 1, column 4: tags (\"!name\") are not supported");
    assert_refused(S("a: ! [1]\n"), ERR_SYNTAX,
                   "line 1, column 4: tags (\"!name\") are not supported");
    assert_refused(S("%TAG ! !x\n---\na: 1\n"), ERR_SYNTAX,
                   "line 1, column 1: tags (\"!name\") are not supported");
    assert_refused(S("a: 1\n---\nb: 2\n"), ERR_SYNTAX,
                   "line 2, column 1: only one document is allowed in a file");
    assert_refused(S("---\n---\n"), ERR_SYNTAX,
                   "line 2, column 1: only one document is allowed in a file");
    assert_refused(S("{[1]: 2}\n"), ERR_SYNTAX,
                   "line 1, column 2: a key must be a plain or quoted text");
    assert_refused(S("'': 2\n"), ERR_SYNTAX,
                   "line 1, column 1: a key must not be empty or hold a NUL character");
}

static void test_values_that_json_cannot_hold_are_refused(void **state) {
    (void)state;
    assert_refused(S("a: .inf\n"), ERR_SYNTAX,
                   "line 1, column 4: infinity and NaN are not supported");
    assert_refused(S("a: 1e999\n"), ERR_SYNTAX, "line 1, column 4: the number is too large");
    assert_refused(S("a: 9223372036854775808\n"), ERR_SYNTAX,
                   "line 1, column 4: the integer does not fit 64 bits");
    assert_refused(S("a: \"\\0\"\n"), ERR_SYNTAX,
                   "line 1, column 4: a NUL character is not allowed");
}

static void test_duplicate_keys_are_refused_where_they_repeat(void **state) {
    (void)state;
    assert_refused(S("a: 1\nb: {x: 1}\n'a': 3\n"), ERR_SYNTAX,
                   "line 3, column 1: this key is there already");
    assert_refused(S("a:\n  - {x: 1, y: 2, x: 3}\n"), ERR_SYNTAX,
                   "line 2, column 18: this key is there already");
    assert_yaml("a: {x: 1}\nb: {x: 1, xx: 2}\nx: {}\n",
                "{\"a\":{\"x\":1},\"b\":{\"x\":1,\"xx\":2},\"x\":{}}");
}

static void test_syntax_errors_name_line_and_column(void **state) {
    (void)state;
    assert_refused(S("a: 1\n b: 2\n"), ERR_SYNTAX,
                   "line 2, column 3: mapping values are not allowed in this context");
    assert_refused(S("a: 1\nb: \xFF\n"), ERR_SYNTAX,
                   "line 2, column 4: invalid leading UTF-8 octet");
}

static void test_sizes_and_depths_are_limited_and_cheap(void **state) {
    (void)state;
    size_t n = YAML_BYTES_MAX;
    char *text = malloc(n + 1);
    assert_non_null(text);
    memset(text, '[', n + 1);
    assert_refused((struct str){text, n}, ERR_TOO_BIG, "line 1, column 33: nested deeper than 32");
    assert_refused((struct str){text, n + 1}, ERR_TOO_BIG, "larger than 256 KiB");
    for (size_t i = 0; i + 1 < n; i += 2) {
        memcpy(text + i, i == 0 ? "[ " : "x,", 2);
    }
    text[n - 1] = ']';
    struct arena a;
    const struct jnode *doc = NULL;
    arena_init(&a, (size_t)1 << 24);
    assert_int_equal(yaml_parse((struct str){text, n}, &a, &doc, NULL), ERR_OK);
    assert_int_equal(jnode_len(doc), n / 2 - 1);
    arena_release(&a);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_configuration_file_becomes_a_tree),
        cmocka_unit_test(test_plain_scalars_follow_the_core_schema),
        cmocka_unit_test(test_quoted_scalars_and_keys_stay_strings),
        cmocka_unit_test(test_an_empty_document_is_an_empty_object),
        cmocka_unit_test(test_what_could_surprise_is_refused_with_its_place),
        cmocka_unit_test(test_values_that_json_cannot_hold_are_refused),
        cmocka_unit_test(test_duplicate_keys_are_refused_where_they_repeat),
        cmocka_unit_test(test_syntax_errors_name_line_and_column),
        cmocka_unit_test(test_sizes_and_depths_are_limited_and_cheap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
