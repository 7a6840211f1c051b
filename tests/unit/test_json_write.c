/* Promises of json/write.h: whatever is written is JSON and reads back as what it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "json/write.h"

#include <float.h>
#include <math.h>
#include <string.h>

static int setup(void **state) {
    static struct jwrite w;
    static struct sbuf b;
    sbuf_init(&b, (size_t)1 << 20);
    jwrite_init(&w, &b);
    *state = &w;
    return 0;
}

static int teardown(void **state) {
    struct jwrite *w = *state;
    sbuf_release(w->out);
    return 0;
}

static void assert_written(struct jwrite *w, const char *text) {
    assert_string_equal(sbuf_str(w->out).p, text);
    sbuf_clear(w->out);
    jwrite_init(w, w->out);
}

static void test_commas_stand_where_they_belong(void **state) {
    struct jwrite *w = *state;
    jwrite_object(w);
    jwrite_key(w, "a");
    jwrite_array(w);
    jwrite_int(w, 1);
    jwrite_array(w);
    jwrite_end(w);
    jwrite_object(w);
    jwrite_key(w, "x");
    jwrite_null(w);
    jwrite_key(w, "y");
    jwrite_bool(w, true);
    jwrite_end(w);
    jwrite_cstr(w, NULL);
    jwrite_end(w);
    jwrite_key_str(w, S("b"));
    jwrite_raw(w, S("[0]"));
    jwrite_key(w, "c");
    jwrite_object(w);
    jwrite_end(w);
    jwrite_end(w);
    assert_written(w, "{\"a\":[1,[],{\"x\":null,\"y\":true},null],\"b\":[0],\"c\":{}}");
}

static void test_escapes_are_the_short_ones(void **state) {
    struct jwrite *w = *state;
    jwrite_str(w, (struct str){"\"\\/\b\f\n\r\t\x01\x1F\x7F", 11});
    assert_written(w, "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7F\"");
    jwrite_str(w, (struct str){NULL, 0});
    assert_written(w, "\"\"");
}

static void test_what_no_json_string_may_hold_becomes_replacement_characters(void **state) {
    static const struct {
        const char *s, *json;
    } rows[] = {
        {"a\xFF"
         "b",
         "\"a\xEF\xBF\xBD"
         "b\""},
        {"\xC3", "\"\xEF\xBF\xBD\""},
        {"\xE2\x82", "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {"\xED\xA0\x80.", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD.\""},
        {"\xC0\xAF\xC3\xA9\xE2\x82\xAC\xF0\x9D\x84\x9E",
         "\"\xEF\xBF\xBD\xEF\xBF\xBD\xC3\xA9\xE2\x82\xAC\xF0\x9D\x84\x9E\""},
        {"12345678\xFF"
         "12345678\n",
         "\"12345678\xEF\xBF\xBD"
         "12345678\\n\""},
    };
    struct jwrite *w = *state;
    jwrite_str(w, (struct str){"a\0b", 3});
    assert_written(w, "\"a\xEF\xBF\xBD"
                      "b\"");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        jwrite_str(w, str_of(rows[i].s));
        assert_written(w, rows[i].json);
    }
}

/* @piece, twice in a row, @at bytes behind the start of a longer text. */
static void assert_reads_back(struct jwrite *w, const char *piece, int at) {
    struct arena a;
    const struct jnode *j = NULL;
    arena_init(&a, (size_t)1 << 20);
    struct str s = str_fmt(&a, "%.*s%s%s%.*s", at, "abcdefghijklmnopqrst", piece, piece, 20 - at,
                           "ABCDEFGHIJKLMNOPQRST");
    jwrite_str(w, s);
    assert_int_equal(jnode_parse(sbuf_str(w->out), &a, &j, NULL), ERR_OK);
    assert_true(str_eq(jnode_str(j), s));
    sbuf_clear(w->out);
    jwrite_init(w, w->out);
    arena_release(&a);
}

static void test_any_character_at_any_place_reads_back_the_same(void **state) {
    static const char *const wide[] = {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9D\x84\x9E"};
    for (int at = 0; at < 20; at++) {
        for (char c = 1; c > 0 && c < 0x7F; c++) {
            assert_reads_back(*state, (const char[]){c, '\0'}, at);
        }
        for (size_t i = 0; i < ARRAY_LEN(wide); i++) {
            assert_reads_back(*state, wide[i], at);
        }
    }
}

static void test_random_bytes_always_give_json(void **state) {
    struct jwrite *w = *state;
    struct rng rng;
    rng_init_stream(&rng, 7, 0);
    for (int round = 0; round < 2000; round++) {
        char bytes[64];
        struct arena a;
        const struct jnode *j = NULL;
        size_t n = (size_t)rng_range(&rng, 0, sizeof bytes);
        for (size_t i = 0; i < n; i++) {
            bytes[i] = (char)rng_range(&rng, 0, 255);
        }
        arena_init(&a, (size_t)1 << 20);
        jwrite_str(w, (struct str){bytes, n});
        assert_int_equal(jnode_parse(sbuf_str(w->out), &a, &j, NULL), ERR_OK);
        assert_true(jnode_str(j).n >= n); /* replaced, never dropped */
        sbuf_clear(w->out);
        jwrite_init(w, w->out);
        arena_release(&a);
    }
}

static void test_integers_are_written_whole(void **state) {
    struct jwrite *w = *state;
    jwrite_array(w);
    jwrite_int(w, INT64_MIN);
    jwrite_int(w, INT64_MAX);
    jwrite_int(w, 0);
    jwrite_int(w, -7);
    jwrite_end(w);
    assert_written(w, "[-9223372036854775808,9223372036854775807,0,-7]");
}

static void test_reals_are_the_shortest_that_read_back_the_same(void **state) {
    static const struct {
        double v;
        const char *json;
    } rows[] = {
        {0.1, "0.1"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1e300, "1e+300"},
        {-2.5, "-2.5"},
        {3, "3"},
        {1.0 / 3, "0.3333333333333333"},
        {5e-324, "4.94065645841247e-324"},
        {(double)NAN, "null"},
        {(double)INFINITY, "null"},
        {(double)-INFINITY, "null"},
    };
    struct jwrite *w = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        jwrite_real(w, rows[i].v);
        assert_written(w, rows[i].json);
    }
    static const double values[] = {DBL_MAX,    -DBL_MAX, DBL_MIN, DBL_EPSILON,
                                    123456.789, 1e15,     1e22,    9007199254740993.0};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        double back = 0;
        jwrite_real(w, values[i]);
        assert_true(str_to_double(sbuf_str(w->out), &back));
        assert_true(back == values[i]);
        sbuf_clear(w->out);
        jwrite_init(w, w->out);
    }
}

static void test_money_is_exact(void **state) {
    static const struct {
        int64_t nusd;
        const char *json;
    } rows[] = {
        {0, "0.0"},
        {1, "0.000000001"},
        {1230000, "0.00123"},
        {1000000000, "1.0"},
        {1500000000, "1.5"},
        {10000000000, "10.0"},
        {INT64_MAX, "9223372036.854775807"},
        {-1, "null"},
    };
    struct jwrite *w = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        jwrite_usd(w, rows[i].nusd);
        assert_written(w, rows[i].json);
    }
}

static void test_a_full_buffer_is_marked_and_never_passed(void **state) {
    (void)state;
    for (size_t bytes_max = 0; bytes_max < 24; bytes_max++) {
        struct sbuf b;
        struct jwrite w;
        sbuf_init(&b, bytes_max);
        jwrite_init(&w, &b);
        jwrite_object(&w);
        jwrite_key(&w, "key");
        jwrite_str(&w, S("0123456\n\x01"));
        jwrite_end(&w);
        assert_true(b.n <= bytes_max);
        assert_int_equal(sbuf_overflowed(&b),
                         bytes_max < strlen("{\"key\":\"0123456\\n\\u0001\"}"));
        sbuf_release(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_commas_stand_where_they_belong, setup, teardown),
        cmocka_unit_test_setup_teardown(test_escapes_are_the_short_ones, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_what_no_json_string_may_hold_becomes_replacement_characters, setup, teardown),
        cmocka_unit_test_setup_teardown(test_any_character_at_any_place_reads_back_the_same, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_random_bytes_always_give_json, setup, teardown),
        cmocka_unit_test_setup_teardown(test_integers_are_written_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reals_are_the_shortest_that_read_back_the_same, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_money_is_exact, setup, teardown),
        cmocka_unit_test(test_a_full_buffer_is_marked_and_never_passed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
