/* Promises of json/check.h: every error is collected with its place, and a person can mend all at
 * once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "json/check.h"

#include <stdio.h>
#include <string.h>

struct fixture {
    struct arena a;
    struct jcheck c;
    struct jplace root;
};

static void fixture_parse(struct fixture *f, const char *text) {
    const struct jnode *doc = NULL;
    struct errinfo info = {0};
    arena_init(&f->a, (size_t)1 << 24);
    assert_int_equal(jnode_parse(str_of(text), &f->a, &doc, &info), ERR_OK);
    jcheck_init(&f->c, &f->a);
    f->root = jcheck_root(doc);
}

static void assert_errors(struct fixture *f, const char *text) {
    assert_string_equal(jcheck_text(&f->c, &f->a).p, text);
    arena_release(&f->a);
}

static void test_right_members_are_read_without_errors(void **state) {
    (void)state;
    struct fixture f;
    fixture_parse(&f,
                  "{\"n\": 7, \"x\": 2, \"y\": 0.5, \"on\": true, \"s\": \"text\", \"z\": null}");
    assert_int_equal(jcheck_int(&f.c, f.root, "n", 1, 10, 3), 7);
    assert_true(jcheck_real(&f.c, f.root, "x", 0, 2, 1) == 2.0);
    assert_true(jcheck_real(&f.c, f.root, "y", 0, 2, 1) == 0.5);
    assert_true(jcheck_bool(&f.c, f.root, "on", false));
    assert_true(str_eq(jcheck_str(&f.c, f.root, "s", 4), S("text")));
    assert_int_equal(f.c.n, 0);
    assert_errors(&f, "");
}

static void test_absent_and_null_members_give_the_default(void **state) {
    (void)state;
    struct fixture f;
    fixture_parse(&f, "{\"z\": null}");
    const char *const keys[] = {"z", "gone"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        assert_int_equal(jcheck_int(&f.c, f.root, keys[i], 1, 10, -5), -5);
        assert_true(jcheck_real(&f.c, f.root, keys[i], 0, 2, 9.5) == 9.5);
        assert_true(jcheck_bool(&f.c, f.root, keys[i], true));
        assert_int_equal(jcheck_str(&f.c, f.root, keys[i], 4).n, 0);
        assert_false(jcheck_is(&f.c, jcheck_member(&f.c, f.root, keys[i]), JNODE_ARRAY, false));
    }
    assert_errors(&f, "");
}

static void test_wrong_types_and_ranges_say_what_would_be_right(void **state) {
    (void)state;
    struct fixture f;
    fixture_parse(&f,
                  "{\"n\": 0, \"m\": \"7\", \"r\": 3.5, \"x\": 2.5, \"on\": 1, \"s\": \"long\"}");
    assert_int_equal(jcheck_int(&f.c, f.root, "n", 1, 10, 3), 3);
    assert_int_equal(jcheck_int(&f.c, f.root, "m", 1, 10, 3), 3);
    assert_int_equal(jcheck_int(&f.c, f.root, "r", 1, 10, 3), 3);
    assert_true(jcheck_real(&f.c, f.root, "x", 0, 2, 1) == 1.0);
    assert_false(jcheck_bool(&f.c, f.root, "on", false));
    assert_int_equal(jcheck_str(&f.c, f.root, "s", 3).n, 0);
    assert_int_equal(f.c.n, 6);
    assert_errors(&f, "/n: must be an integer from 1 to 10, not 0; "
                      "/m: must be an integer from 1 to 10, not a string; "
                      "/r: must be an integer from 1 to 10, not a number; "
                      "/x: must be a number from 0 to 2, not 2.5; "
                      "/on: must be true or false, not an integer; "
                      "/s: must be at most 3 bytes long, not 4");
}

static void test_required_places_are_reported_when_missing_or_wrong(void **state) {
    (void)state;
    struct fixture f;
    fixture_parse(&f, "{\"a\": [{\"p\": null}]}");
    struct jplace a = jcheck_member(&f.c, f.root, "a");
    struct jplace a0 = jcheck_element(&f.c, a, 0);
    assert_true(jcheck_is(&f.c, a, JNODE_ARRAY, true));
    assert_true(jcheck_is(&f.c, a0, JNODE_OBJECT, true));
    assert_false(jcheck_is(&f.c, jcheck_member(&f.c, a0, "p"), JNODE_STRING, true));
    assert_false(jcheck_is(&f.c, jcheck_member(&f.c, a0, "q"), JNODE_STRING, true));
    assert_false(jcheck_is(&f.c, f.root, JNODE_ARRAY, true));
    assert_errors(&f, "/a/0/p: must be a string, not null; "
                      "/a/0/q: is missing; must be a string; "
                      "must be an array, not an object");
}

static void test_a_slip_in_a_name_is_answered_with_the_near_one(void **state) {
    (void)state;
    struct fixture f;
    const char *const keys[] = {"concurrency", "name", NULL};
    fixture_parse(&f, "{\"concurency\": 1, \"name\": 2, \"colour\": 3, \"a/b~c\": 4}");
    jcheck_known(&f.c, f.root, keys);
    assert_errors(&f, "/concurency: unknown field \"concurency\"; did you mean \"concurrency\"?; "
                      "/colour: unknown field \"colour\"; /a~1b~0c: unknown field \"a/b~c\"");
}

static void test_errors_past_the_maximum_are_counted_not_kept(void **state) {
    (void)state;
    struct fixture f;
    const char *const keys[] = {"name", NULL};
    char text[4096] = "{\"x\":0";
    for (size_t i = 0, n = strlen(text); i < JCHECK_ERRORS_MAX + 2; i++) {
        n += (size_t)snprintf(text + n, sizeof text - n, ",\"x%zu\":0%s", i,
                              i == JCHECK_ERRORS_MAX + 1 ? "}" : "");
    }
    fixture_parse(&f, text);
    jcheck_known(&f.c, f.root, keys);
    assert_int_equal(f.c.n, JCHECK_ERRORS_MAX + 3);
    assert_true(str_ends(jcheck_text(&f.c, &f.a), S("; and 3 more")));
    arena_release(&f.a);
}

static void test_huge_and_wild_keys_stay_small_and_harmless(void **state) {
    (void)state;
    struct fixture f;
    const char *const keys[] = {"name", NULL};
    static char text[100 * 1024];
    (void)snprintf(text, sizeof text, "{\"\\u001b[31m%090000d\": 0}", 7);
    fixture_parse(&f, text);
    jcheck_known(&f.c, f.root, keys);
    struct str shown = jcheck_text(&f.c, &f.a);
    assert_in_range(shown.n, 100, 600);
    assert_int_equal(str_find_char(shown, '\x1b'), STR_NPOS);
    assert_true(str_starts(shown, S("/?[31m000")));
    arena_release(&f.a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_right_members_are_read_without_errors),
        cmocka_unit_test(test_absent_and_null_members_give_the_default),
        cmocka_unit_test(test_wrong_types_and_ranges_say_what_would_be_right),
        cmocka_unit_test(test_required_places_are_reported_when_missing_or_wrong),
        cmocka_unit_test(test_a_slip_in_a_name_is_answered_with_the_near_one),
        cmocka_unit_test(test_errors_past_the_maximum_are_counted_not_kept),
        cmocka_unit_test(test_huge_and_wild_keys_stay_small_and_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
