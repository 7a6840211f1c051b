/* Promises of json/node.h: strict parsing with the place of the error, reads that never fail, and
 * texts that read back the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "json/node.h"

#include <stdio.h>
#include <string.h>

static int setup(void **state) {
    static struct arena a;
    arena_init(&a, (size_t)1 << 24);
    *state = &a;
    return 0;
}

static int teardown(void **state) {
    arena_release(*state);
    return 0;
}

static const struct jnode *parse(struct arena *a, const char *text) {
    const struct jnode *j = NULL;
    struct errinfo info = {0};
    if (jnode_parse(str_of(text), a, &j, &info) != ERR_OK) {
        fail_msg("%s: %s", text, info.text);
    }
    return j;
}

static void test_members_and_elements_are_read_by_type(void **state) {
    struct arena *a = *state;
    const struct jnode *j = parse(a, "{\"s\": \"text\", \"i\": -9223372036854775808, \"r\": 0.5, "
                                     "\"b\": true, \"n\": null, \"l\": [1, \"two\"]}");
    assert_int_equal(jnode_type(j), JNODE_OBJECT);
    assert_int_equal(jnode_len(j), 6);
    assert_string_equal(jnode_get_str(j, "s").p, "text");
    assert_int_equal(jnode_get_int(j, "i", 0), INT64_MIN);
    assert_true(jnode_real(jnode_get(j, "r"), 0) == 0.5);
    assert_true(jnode_real(jnode_at(jnode_get(j, "l"), 0), 0) == 1.0);
    assert_true(jnode_bool(jnode_get(j, "b"), false));
    assert_int_equal(jnode_type(jnode_get(j, "n")), JNODE_NULL);
    assert_int_equal(jnode_len(jnode_get(j, "l")), 2);
    assert_string_equal(jnode_str(jnode_at(jnode_get(j, "l"), 1)).p, "two");
}

static void test_what_a_pointer_leads_to_has_a_line(void **state) {
    const char *json = "{\"a\":\n [1,\n  {\"b/c~\":\n \"x\"}],\n \"d\": 2}";
    const struct jnode *j = parse(*state, json);
    const struct str whole = str_of(json);
    assert_int_equal(jnode_line(j, "", whole), 1);
    assert_int_equal(jnode_line(j, "/a", whole), 2);
    assert_int_equal(jnode_line(j, "/a/0", whole), 2);
    assert_int_equal(jnode_line(j, "/a/1", whole), 3);
    assert_int_equal(jnode_line(j, "/a/1/b~1c~0", whole), 4);
    assert_int_equal(jnode_line(j, "/d", whole), 5);
    assert_int_equal(jnode_line(j, "/a/1/missing/deeper", whole), 3);
    assert_int_equal(jnode_line(j, "/a/x", whole), 2);
    assert_int_equal(jnode_line(NULL, "/a", whole), 1);
}

static void assert_goes_wrong(struct arena *a, const char *text, size_t line, size_t column,
                              const char *pointer) {
    const struct jnode *j;
    struct jnode_where where;
    assert_int_equal(jnode_parse_where(str_of(text), a, &j, &where, NULL), ERR_SYNTAX);
    assert_int_equal(where.line, line);
    assert_int_equal(where.column, column);
    assert_string_equal(where.pointer, pointer);
}

static void test_where_a_text_is_no_json_is_told_in_parts(void **state) {
    char deep[700];
    assert_goes_wrong(*state, "{\"a\" 3}", 1, 6, "/a");
    assert_goes_wrong(*state, "{\"a\": [1,\n {\"x/y~\": tru}]}", 2, 11, "/a/1/x~1y~0");
    assert_goes_wrong(*state, "[1, 2", 1, 6, "/2");
    assert_goes_wrong(*state, "{\"a\": 1,\n \"a\": 2}", 2, 5, "/a");
    assert_goes_wrong(*state, "{\"a\": 1} x", 1, 10, "");
    assert_goes_wrong(*state, "", 1, 1, "");
    (void)snprintf(deep, sizeof deep, "{\"%0300d\": x}", 7);
    assert_goes_wrong(*state, deep, 1, 306, "");
    (void)snprintf(deep, sizeof deep, "{\"%0200d\": {\"%0200d\": {\"b\": x}}}", 7, 8);
    assert_goes_wrong(*state, deep, 1, 417, "");
}

static void test_absent_and_other_types_read_as_absent(void **state) {
    const struct jnode *j = parse(*state, "{\"s\": \"7\", \"r\": 2.0}");
    assert_null(jnode_get(j, "gone"));
    assert_null(jnode_get(NULL, "s"));
    assert_null(jnode_at(j, 0));
    assert_null(jnode_get(jnode_get(j, "s"), "x"));
    assert_int_equal(jnode_type(NULL), JNODE_NONE);
    assert_int_equal(jnode_len(NULL), 0);
    assert_int_equal(jnode_get_int(j, "s", 5), 5);
    assert_int_equal(jnode_get_int(j, "r", 5), 5);
    assert_int_equal(jnode_get_str(j, "r").n, 0);
    assert_true(jnode_bool(jnode_get(j, "s"), true));
    assert_true(jnode_real(jnode_get(j, "s"), 1.5) == 1.5);
    assert_string_equal(jnode_type_name(jnode_type(jnode_get(j, "r"))), "a number");
}

static void test_members_come_in_the_order_of_the_text(void **state) {
    const struct jnode *j = parse(*state, "{\"z\": 1, \"a\": 2, \"m\": 3}"), *value;
    struct str key;
    char order[8] = "";
    size_t n = 0;
    for (void *i = jnode_next(j, NULL, &key, &value); i != NULL;
         i = jnode_next(j, i, &key, &value)) {
        order[n++] = key.p[0];
        order[n++] = (char)('0' + jnode_int(value, 0));
    }
    assert_string_equal(order, "z1a2m3");
}

static void assert_refused_bytes(struct str text, enum err expected, const char *reason) {
    struct arena a;
    const struct jnode *j = NULL;
    struct errinfo info = {0};
    arena_init(&a, (size_t)1 << 24);
    assert_int_equal(jnode_parse(text, &a, &j, &info), expected);
    if (strstr(info.text, reason) == NULL) {
        fail_msg("%.*s\n  gave   %s\n  wanted %s", STR_ARG(text), info.text, reason);
    }
    assert_null(j);
    arena_release(&a);
}

static void assert_refused(const char *text, enum err expected, const char *reason) {
    assert_refused_bytes(str_of(text), expected, reason);
}

static void test_what_is_not_strict_json_is_refused_with_its_place(void **state) {
    (void)state;
    assert_refused("{\"a\": 1,\n \"b\" 2}", ERR_SYNTAX, "line 2, column 6: ");
    assert_refused("[1, 2,]", ERR_SYNTAX, "line 1, column 7: ");
    assert_refused("{\"a\": 1, \"a\": 2}", ERR_SYNTAX, "duplicate object key");
    assert_refused("[1] x", ERR_SYNTAX, "line 1, column 5: ");
    assert_refused("", ERR_SYNTAX, "line 1, column 1: ");
    assert_refused("{'a': 1}", ERR_SYNTAX, "line 1");
    assert_refused("[NaN]", ERR_SYNTAX, "line 1");
    assert_refused("[\"\\ud83d\"]", ERR_SYNTAX, "line 1");
    assert_refused("[\"\\u0000\"]", ERR_SYNTAX, "line 1");
    assert_refused("[\"\xC0\xAF\"]", ERR_SYNTAX, "line 1");
    assert_refused_bytes(S("[1,\n nu\0ll]"), ERR_SYNTAX, "line 2, column 4: a NUL character");
    assert_refused_bytes(S("[1]\0"), ERR_SYNTAX, "line 1, column 4: a NUL character");
    assert_refused("[9223372036854775808]", ERR_SYNTAX, "too big integer");
}

static void test_a_key_that_comes_twice_is_found_among_many(void **state) {
    (void)state;
    for (int n = 2; n < 40; n++) {
        for (int twice = 0; twice < n; twice++) {
            char text[512] = "{";
            size_t at = 1;
            for (int i = 0; i < n; i++) {
                at += (size_t)snprintf(text + at, sizeof text - at, "\"k%d\":0,", i);
            }
            (void)snprintf(text + at, sizeof text - at, "\"k%d\":0}", twice);
            assert_refused(text, ERR_SYNTAX, "duplicate object key");
        }
    }
}

static void test_depth_is_limited(void **state) {
    char text[2 * (JNODE_DEPTH_MAX + 2) + 1] = "";
    memset(text, '[', JNODE_DEPTH_MAX + 2);
    memset(text + JNODE_DEPTH_MAX + 2, ']', JNODE_DEPTH_MAX + 2);
    assert_refused(text, ERR_TOO_BIG, "nested deeper than 128 levels");
    text[2 * (JNODE_DEPTH_MAX + 2) - 1] = '\0';
    assert_int_equal(jnode_type(parse(*state, text + 1)), JNODE_ARRAY);
}

static void test_texts_are_compact_and_read_back_the_same(void **state) {
    struct arena *a = *state;
    static const char *const texts[] = {
        "{\"b\":[1,-2,0.1,1e+300,3.0,-0.5],\"a\":{\"\":null,\"x\":[true,false,{}]}}",
        "[]",
        "\"a\\\"b\\\\c\\n\\t\\u001f \xC3\xA9\xF0\x9D\x84\x9E/\"",
        "0.30000000000000004",
        "123456789012345678",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        assert_string_equal(jnode_text(parse(a, texts[i]), a).p, texts[i]);
    }
    assert_string_equal(jnode_text(NULL, a).p, "null");
}

static void test_the_sorted_text_is_the_same_for_every_order(void **state) {
    struct arena *a = *state;
    const char *wanted = "{\"a\":{\"x\":[{\"p\":1,\"q\":2}],\"y\":0.1},\"b\":3}";
    assert_string_equal(
        jnode_text_sorted(parse(a, "{\"b\":3, \"a\":{\"y\":0.1,\"x\":[{\"q\":2,\"p\":1}]}}"), a).p,
        wanted);
    assert_string_equal(
        jnode_text_sorted(parse(a, "{\"a\":{\"x\":[{\"p\":1,\"q\":2}],\"y\":1e-1}, \"b\":3}"), a).p,
        wanted);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_members_and_elements_are_read_by_type, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_a_pointer_leads_to_has_a_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_where_a_text_is_no_json_is_told_in_parts, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_absent_and_other_types_read_as_absent, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_members_come_in_the_order_of_the_text, setup,
                                        teardown),
        cmocka_unit_test(test_what_is_not_strict_json_is_refused_with_its_place),
        cmocka_unit_test(test_a_key_that_comes_twice_is_found_among_many),
        cmocka_unit_test_setup_teardown(test_depth_is_limited, setup, teardown),
        cmocka_unit_test_setup_teardown(test_texts_are_compact_and_read_back_the_same, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_the_sorted_text_is_the_same_for_every_order, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
