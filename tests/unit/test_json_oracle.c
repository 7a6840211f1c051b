/* The parser against another one (jansson): random damage to documents is judged alike, and what
 * both accept reads the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "json/node.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 20000

static const char *const documents[] = {
    "{\"messages\": [{\"role\": \"user\", \"text\": \"a\\n\\\"b\"}], \"n\": 1}",
    "[1, -0.5e+10, 0, 12345678, true, false, null, \"\\u00e9\\ud83d\\ude00\", [], {}, [[[]]]]",
    "{\"a\": {\"b\": [\"\\\\frac{1}{2}\", \"\xC3\xA9\"]}, \"c\": -1, \"d\": 0.1, \"e\": 1E2}",
    "  \"just a string\"  ",
    "-7.25",
};

/* A copy of @text with a few bytes changed, dropped or doubled; returns its length. */
static size_t damage(struct rng *r, const char *text, char *out) {
    static const char noise[] = "{}[]\",:\\0123456789.eE+-tfnul \n\t\x01\x7F\x80\xC3\xA9";
    size_t n = strlen(text);
    memcpy(out, text, n);
    for (uint64_t k = rng_below(r, 4); k > 0; k--) {
        size_t at = rng_below(r, n);
        switch (rng_below(r, 3)) {
        case 0:
            out[at] = noise[rng_below(r, sizeof noise - 1)];
            break;
        case 1:
            memmove(out + at, out + at + 1, n - at - 1);
            n--;
            break;
        default:
            memmove(out + at + 1, out + at, n - at);
            n++;
        }
    }
    return n;
}

static void assert_judged_alike(const char *text, size_t n) {
    struct arena a;
    const struct jnode *ours = NULL;
    arena_init(&a, (size_t)1 << 20);
    enum err e = jnode_parse((struct str){text, n}, &a, &ours, NULL);
    json_t *theirs = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
    if ((e == ERR_OK) != (theirs != NULL)) {
        fail_msg("we say %s, they say %s: %.*s", err_name(e), theirs != NULL ? "fine" : "bad",
                 (int)n, text);
    }
    if (theirs != NULL) {
        struct str again = jnode_text(ours, &a);
        json_t *read_back = json_loadb(again.p, again.n, JSON_DECODE_ANY, NULL);
        if (!json_equal(theirs, read_back)) {
            fail_msg("%.*s\n  became %s", (int)n, text, again.p);
        }
        json_decref(read_back);
        json_decref(theirs);
    }
    arena_release(&a);
}

static void test_damaged_documents_are_judged_as_by_another_parser(void **state) {
    (void)state;
    struct rng r;
    rng_init(&r, 5);
    for (size_t d = 0; d < ARRAY_LEN(documents); d++) {
        for (int round = 0; round < ROUNDS; round++) {
            char text[512];
            assert_judged_alike(text, damage(&r, documents[d], text));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damaged_documents_are_judged_as_by_another_parser),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
