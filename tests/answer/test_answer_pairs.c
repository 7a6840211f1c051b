/* Pairs that are equal or different by construction: no verdict may contradict, and few may be left
 * undecided. PAIRS sets how many of each kind of verdict (the slow run: a million). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cases.h"
#include "pairs.h"

#include <stdio.h>
#include <stdlib.h>

#define SEED 20261123

static int64_t pairs_wanted(void) {
    const char *text = getenv("PAIRS");
    return text != NULL ? strtoll(text, NULL, 10) : 1500;
}

struct run {
    struct rng rng;
    struct sbuf gold, given;
    struct arena arena;
    int64_t contradictions, undecided[PAIR_KINDS], made[PAIR_KINDS];
};

static void run_one(struct run *run, bool equal) {
    enum pair_kind kind = (enum pair_kind)rng_below(&run->rng, PAIR_KINDS);
    pair_make(&run->rng, kind, equal, &run->gold, &run->given);
    struct str gold = sbuf_str(&run->gold), given = sbuf_str(&run->given);
    struct answer_result r = answer_compare(gold, given, NULL, &run->arena);
    arena_reset(&run->arena);
    run->made[kind]++;
    run->undecided[kind] += r.verdict == ANSWER_UNDECIDED ? 1 : 0;
    if (r.verdict == (equal ? ANSWER_DIFFERENT : ANSWER_EQUAL)) {
        run->contradictions++;
        (void)printf("%s pair called %s: %s | %s (%s)\n", equal ? "equal" : "different",
                     answer_verdict_name(r.verdict), gold.p, given.p, r.reason);
    } else if (r.verdict == ANSWER_UNDECIDED && run->undecided[kind] < 5) {
        (void)printf("undecided: %s | %s (%s)\n", gold.p, given.p, r.reason);
    }
}

static void run_many(bool equal) {
    struct run run = {.contradictions = 0};
    rng_init(&run.rng, SEED + (equal ? 1 : 0));
    sbuf_init(&run.gold, 4096);
    sbuf_init(&run.given, 4096);
    arena_init(&run.arena, ANSWER_ARENA_BYTES);
    for (int64_t i = pairs_wanted(); i > 0; i--) {
        run_one(&run, equal);
    }
    arena_release(&run.arena);
    sbuf_release(&run.gold);
    sbuf_release(&run.given);
    assert_int_equal(run.contradictions, 0);
    for (int k = 0; k < PAIR_KINDS; k++) {
        if (100 * run.undecided[k] > 5 * run.made[k]) {
            print_error("%s: %lld of %lld undecided\n", pair_kind_names[k],
                        (long long)run.undecided[k], (long long)run.made[k]);
        }
        assert_true(100 * run.undecided[k] <= 5 * run.made[k]);
    }
}

static void test_pairs_equal_by_construction_are_never_called_different(void **state) {
    (void)state;
    run_many(true);
}

static void test_pairs_different_by_construction_are_never_called_equal(void **state) {
    (void)state;
    run_many(false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs_equal_by_construction_are_never_called_different),
        cmocka_unit_test(test_pairs_different_by_construction_are_never_called_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
