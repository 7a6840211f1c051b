/* Promises of write.h: whatever text goes in, valid JSON comes out, and reads back as the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "json/write.h"

#include <string.h>

#define TEXT_BYTES 24 /* some steps of eight, and a rest */

/* What @text reads as after it was written; in @a. */
static struct str write_and_read(struct str text, struct arena *a) {
    const struct jnode *node;
    struct sbuf out;
    struct jwrite w;
    sbuf_init(&out, 4096);
    jwrite_init(&w, &out);
    jwrite_str(&w, text);
    assert_int_equal(jnode_parse(sbuf_str(&out), a, &node, NULL), ERR_OK);
    struct str read = str_dup(a, jnode_str(node));
    sbuf_release(&out);
    return read;
}

static void test_any_ascii_byte_at_any_place_reads_back_the_same(void **state) {
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    for (int c = 1; c < 0x80; c++) {
        for (size_t at = 0; at < TEXT_BYTES; at++) {
            char text[TEXT_BYTES];
            memset(text, 'x', sizeof text);
            text[at] = (char)c;
            struct str s = {text, sizeof text};
            assert_true(str_eq(write_and_read(s, &a), s));
            arena_reset(&a);
        }
    }
    arena_release(&a);
}

static void test_characters_of_several_bytes_read_back_the_same(void **state) {
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    for (size_t at = 0; at + 4 <= TEXT_BYTES; at++) {
        char text[TEXT_BYTES];
        memset(text, 'x', sizeof text);
        memcpy(text + at, "\xF0\x9D\x84\x9E", 4);
        struct str s = {text, sizeof text};
        assert_true(str_eq(write_and_read(s, &a), s));
    }
    arena_release(&a);
}

static void test_a_bad_byte_at_any_place_becomes_one_replacement_character(void **state) {
    (void)state;
    struct arena a;
    arena_init(&a, 1 << 20);
    for (size_t at = 0; at < TEXT_BYTES; at++) {
        char text[TEXT_BYTES];
        memset(text, 'x', sizeof text);
        text[at] = '\xFF';
        struct str read = write_and_read((struct str){text, sizeof text}, &a);
        assert_int_equal(read.n, TEXT_BYTES + 2);
        assert_int_equal(str_find(read, S("\xEF\xBF\xBD")), at);
    }
    arena_release(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_ascii_byte_at_any_place_reads_back_the_same),
        cmocka_unit_test(test_characters_of_several_bytes_read_back_the_same),
        cmocka_unit_test(test_a_bad_byte_at_any_place_becomes_one_replacement_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
