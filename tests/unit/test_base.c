/* Promises of base/: memory with a lifetime, bounded buffers, honest numbers, UTF-8, sets and
 * mailboxes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/hashset.h"
#include "base/rng.h"
#include "base/sbuf.h"
#include "base/str.h"

#include <string.h>

static void note_release(void *ptr) {
    char *log = ptr;
    log[strlen(log)] = '!';
}

static void test_arena_cleanups_run_once_and_memory_is_zeroed(void **state) {
    (void)state;
    char log[8] = "";
    struct arena a;
    arena_init(&a, 1 << 20);
    arena_on_release(&a, note_release, log);
    char *p = arena_alloc(&a, 5000);
    for (int i = 0; i < 5000; i++) {
        assert_int_equal(p[i], 0);
    }
    arena_reset(&a);
    arena_release(&a);
    assert_string_equal(log, "!");
}

static void test_sbuf_never_grows_past_its_maximum(void **state) {
    (void)state;
    struct sbuf b;
    sbuf_init(&b, 4);
    sbuf_add_cstr(&b, "abc");
    assert_false(sbuf_overflowed(&b));
    sbuf_add_cstr(&b, "de");
    assert_true(sbuf_overflowed(&b));
    assert_true(str_eq(sbuf_str(&b), S("abc")));
    sbuf_release(&b);
}

static void test_numbers_are_read_whole_or_not_at_all(void **state) {
    (void)state;
    int64_t i = 7;
    double d = 7;
    assert_true(str_to_i64(S("-12"), &i));
    assert_int_equal(i, -12);
    assert_false(str_to_i64(S("12x"), &i));
    assert_false(str_to_i64(S(""), &i));
    assert_false(str_to_i64(S("99999999999999999999"), &i));
    assert_true(str_to_double(S("1e-3"), &d));
    assert_false(str_to_double(S("1e999"), &d));
    assert_false(str_to_double(S("0x10"), &d));
}

static void test_utf8_rejects_surrogates_overlongs_and_cuts(void **state) {
    (void)state;
    assert_true(str_is_utf8(S("a\xC3\xA9\xE2\x82\xAC\xF0\x9D\x84\x9E")));
    assert_false(str_is_utf8(S("\xED\xA0\x80")));
    assert_false(str_is_utf8(S("\xC0\xAF")));
    assert_false(str_is_utf8(S("\xE2\x82")));
    assert_int_equal(str_take_utf8(S("a\xE2\x82\xAC"), 3).n, 1);
}

static void test_distance_counts_swaps_as_one_edit(void **state) {
    (void)state;
    assert_int_equal(str_distance(S("concurency"), S("concurrency")), 1);
    assert_int_equal(str_distance(S("moedl"), S("model")), 1);
    assert_int_equal(str_distance(S(""), S("abc")), 3);
}

static void test_hashset_tells_new_from_known(void **state) {
    (void)state;
    struct hashset s;
    hashset_init(&s);
    for (uint64_t i = 0; i < 1000; i++) {
        assert_true(hashset_add(&s, rng_mix(i)));
    }
    for (uint64_t i = 0; i < 1000; i++) {
        assert_false(hashset_add(&s, rng_mix(i)));
    }
    assert_true(hashset_add(&s, 0));
    assert_true(hashset_has(&s, 0));
    hashset_release(&s);
}

static void test_errinfo_wraps_without_losing_the_cause(void **state) {
    (void)state;
    struct errinfo info = {0};
    enum err e = errinfo_set(&info, ERR_TIMEOUT, "no answer in 5 s");
    e = errinfo_wrap(&info, e, "checker");
    assert_int_equal(e, ERR_TIMEOUT);
    assert_string_equal(info.text, "checker: no answer in 5 s");
    assert_int_equal(err_from_name("timeout"), ERR_TIMEOUT);
}

static void test_rng_is_the_same_for_a_seed(void **state) {
    (void)state;
    struct rng a, b;
    rng_init_stream(&a, 1, 2);
    rng_init_stream(&b, 1, 2);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(rng_u64(&a), rng_u64(&b));
    }
    assert_in_range((uintmax_t)rng_range(&a, 3, 5), 3, 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena_cleanups_run_once_and_memory_is_zeroed),
        cmocka_unit_test(test_sbuf_never_grows_past_its_maximum),
        cmocka_unit_test(test_numbers_are_read_whole_or_not_at_all),
        cmocka_unit_test(test_utf8_rejects_surrogates_overlongs_and_cuts),
        cmocka_unit_test(test_distance_counts_swaps_as_one_edit),
        cmocka_unit_test(test_hashset_tells_new_from_known),
        cmocka_unit_test(test_errinfo_wraps_without_losing_the_cause),
        cmocka_unit_test(test_rng_is_the_same_for_a_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
