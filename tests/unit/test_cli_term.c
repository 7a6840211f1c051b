/* Promises of cli/term: numbers read well, widths are those of a terminal, and nothing that a model
 * wrote drives the terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/nearest.h"
#include "cli/term.h"

#include <string.h>
#include <unistd.h>

static const char *env_lang, *env_columns;

static const char *fake_getenv(const char *name) {
    return strcmp(name, "LANG") == 0 ? env_lang : strcmp(name, "COLUMNS") == 0 ? env_columns : NULL;
}

static void test_a_pipe_is_not_a_terminal(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    env_lang = "de_DE.utf8";
    env_columns = "132";
    struct term t = term_look(ends[1], fake_getenv);
    assert_false(t.tty || t.colour || t.redraw);
    assert_true(t.utf8);
    assert_int_equal(t.width, 132);
    env_lang = "C";
    env_columns = "wide";
    t = term_look(ends[1], fake_getenv);
    assert_false(t.utf8);
    assert_int_equal(t.width, TERM_WIDTH_DEFAULT);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void test_numbers_read_as_people_write_them(void **state) {
    (void)state;
    assert_string_equal(term_count(0).s, "0");
    assert_string_equal(term_count(999).s, "999");
    assert_string_equal(term_count(12345).s, "12,345");
    assert_string_equal(term_count(-1234).s, "-1,234");
    assert_string_equal(term_count(1234567).s, "1.23M");
    assert_string_equal(term_count(INT64_C(45600000000)).s, "45.6G");
    assert_string_equal(term_bytes(512).s, "512 B");
    assert_string_equal(term_bytes(12345).s, "12.3 KB");
    assert_string_equal(term_bytes(999999).s, "1.00 MB");
    assert_string_equal(term_share(1, 3).s, "33.3%");
    assert_string_equal(term_share(1, 0).s, "-");
}

static void test_durations_keep_two_units(void **state) {
    (void)state;
    assert_string_equal(term_duration(0).s, "0s");
    assert_string_equal(term_duration(850).s, "850ms");
    assert_string_equal(term_duration(12400).s, "12s");
    assert_string_equal(term_duration(59600).s, "1m 00s");
    assert_string_equal(term_duration(72000).s, "1m 12s");
    assert_string_equal(term_duration(7500000).s, "2h 05m");
    assert_string_equal(term_duration(INT64_C(273600000)).s, "3d 04h");
    assert_string_equal(term_duration(-1).s, "unknown");
    assert_string_equal(term_latency(85).s, "85 ms");
    assert_string_equal(term_latency(1240).s, "1.24 s");
    assert_string_equal(term_latency(72000).s, "72.0 s");
}

static void test_money_never_rounds_a_cost_to_nothing(void **state) {
    (void)state;
    assert_string_equal(term_money(-1).s, "unknown");
    assert_string_equal(term_money(0).s, "$0");
    assert_string_equal(term_money(1).s, "$0.000000001");
    assert_string_equal(term_money(12300000).s, "$0.0123");
    assert_string_equal(term_money(500000000).s, "$0.50");
    assert_string_equal(term_money(INT64_C(4200000000)).s, "$4.20");
    assert_string_equal(term_money(INT64_C(1234500000000)).s, "$1,234.50");
}

static void test_columns_are_counted_as_a_terminal_shows_them(void **state) {
    (void)state;
    assert_int_equal(term_columns(S("abc")), 3);
    assert_int_equal(term_columns(S("\xC3\xA9\xE2\x88\x9A")), 2); /* é√ */
    assert_int_equal(term_columns(S("e\xCC\x81")), 1);            /* e with a combining accent */
    assert_int_equal(term_columns(S("\xE6\x95\xB0\xE5\xAD\xA6")), 4); /* 数学 */
    assert_int_equal(term_take(S("\xE6\x95\xB0\xE5\xAD\xA6"), 3).n, 3);
    assert_int_equal(term_take(S("abc"), 0).n, 0);
}

static void test_control_characters_are_made_visible(void **state) {
    (void)state;
    struct sbuf out;
    sbuf_init(&out, 1000);
    term_clean(&out, S("a\x1b[2Jb\tc\nd\x7f\xC2\x9B\xFFz"), true);
    assert_string_equal(sbuf_str(&out).p,
                        "a\xEF\xBF\xBD[2Jb\tc\nd\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDz");
    sbuf_clear(&out);
    term_clean(&out, S("x\xE2\x80\xAEy\xC3\xA9"), false); /* a right-to-left override */
    assert_string_equal(sbuf_str(&out).p, "x?y?");
    sbuf_release(&out);
}

static void test_near_words_are_near_and_others_are_not(void **state) {
    (void)state;
    struct nearest n = nearest_to(S("exprot"));
    nearest_offer(&n, "status");
    nearest_offer(&n, "export");
    assert_string_equal(n.name, "export");
    n = nearest_to(S("foo"));
    nearest_offer(&n, "status");
    nearest_offer(&n, "sim");
    assert_null(n.name);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_pipe_is_not_a_terminal),
        cmocka_unit_test(test_numbers_read_as_people_write_them),
        cmocka_unit_test(test_durations_keep_two_units),
        cmocka_unit_test(test_money_never_rounds_a_cost_to_nothing),
        cmocka_unit_test(test_columns_are_counted_as_a_terminal_shows_them),
        cmocka_unit_test(test_control_characters_are_made_visible),
        cmocka_unit_test(test_near_words_are_near_and_others_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
