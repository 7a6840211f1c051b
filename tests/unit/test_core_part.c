/* Promises of core/part.h, with a fleet that is played: workers join, leave, fall silent, lose the
 * store and come back; answers are lost; and at no moment do they use more than the limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "core/part.h"

#include <string.h>

#define WORKERS 12
#define BEAT_MS 2000

struct member {
    bool runs;
    int64_t demand, next_ms;
    double held;        /* what it uses … */
    int64_t held_to_ms; /* … until then, by its own clock */
    int64_t away_to_ms; /* it does not reach the store, or stands still */
    bool asking;        /* its question was answered, it has not heard yet */
    struct part_claim answer;
    int64_t asked_ms, heard_ms;
    double counted;        /* in the store, … */
    int64_t counted_to_ms; /* … until then */
};

struct fleet {
    struct member m[WORKERS];
    struct rng rng;
    int64_t units;
};

static int64_t draw(struct fleet *f, int64_t n) {
    return (int64_t)(rng_u64(&f->rng) % (uint64_t)n);
}

static void ask(struct fleet *f, struct member *w, int64_t now_ms) {
    struct part_others others = {0};
    for (struct member *o = f->m; o < f->m + WORKERS; o++) {
        if (o != w && o->counted_to_ms > now_ms) {
            others.n++;
            others.idle += o->demand == 0;
            others.counted += o->counted;
            others.demand += o->demand;
        }
    }
    int64_t stored_ms = now_ms + draw(f, 3); /* it takes a moment until it is kept */
    double held = w->held_to_ms > now_ms ? w->held : 0;
    w->answer = part_claim(&others, w->demand, held, f->units);
    w->counted = w->answer.counted;
    w->counted_to_ms = stored_ms + PART_LEASE_MS;
    w->asked_ms = now_ms;
    w->heard_ms = stored_ms + draw(f, 400);
    w->asking = true;
}

static void step(struct fleet *f, struct member *w, int64_t now_ms) {
    if (!w->runs || w->away_to_ms > now_ms) {
        return;
    }
    if (w->asking && now_ms >= w->heard_ms) {
        w->asking = false;
        w->next_ms = now_ms + BEAT_MS;
        if (draw(f, 20) > 0) { /* else the answer was lost */
            w->held = w->answer.grant;
            w->held_to_ms = w->asked_ms + PART_LEASE_MS;
        }
    } else if (!w->asking && now_ms >= w->next_ms) {
        ask(f, w, now_ms);
    }
}

static double used(const struct fleet *f, int64_t now_ms) {
    double sum = 0;
    for (const struct member *w = f->m; w < f->m + WORKERS; w++) {
        sum += w->held_to_ms > now_ms ? w->held : 0;
    }
    return sum;
}

static void stir(struct fleet *f, int64_t now_ms) {
    struct member *w = &f->m[draw(f, WORKERS)];
    switch (draw(f, 5)) {
    case 0:
        w->runs = true; /* joins */
        break;
    case 1: /* dies; what is under way at the provider ends with it, its lease does not */
        w->runs = w->asking = false;
        w->held = 0;
        break;
    case 2:
        w->away_to_ms = now_ms + draw(f, 40000);
        break;
    default:
        w->demand = draw(f, 4) == 0 ? 0 : draw(f, 2000);
    }
}

static void
test_never_is_more_used_than_the_limit_whoever_comes_goes_or_loses_the_store(void **state) {
    (void)state;
    static const int64_t units[] = {0, 1, 5, 40};
    for (size_t u = 0; u < ARRAY_LEN(units); u++) {
        for (uint64_t seed = 1; seed <= 5; seed++) {
            struct fleet f = {.units = units[u]};
            rng_init(&f.rng, seed);
            for (int64_t ms = 1; ms < 600000; ms++) {
                if (draw(&f, 300) == 0) {
                    stir(&f, ms);
                }
                for (size_t i = 0; i < WORKERS; i++) {
                    step(&f, &f.m[i], ms);
                }
                assert_true(used(&f, ms) <= 1 + 1e-6);
            }
        }
    }
}

/* @n workers with these demands, who come one after the other and stay. */
static void play(struct fleet *f, size_t n, const int64_t *demands, int64_t units) {
    *f = (struct fleet){.units = units};
    rng_init(&f->rng, 7);
    for (int64_t ms = 1; ms < 60000; ms++) {
        for (size_t i = 0; i < n; i++) {
            f->m[i].runs = ms > (int64_t)i * 3000;
            f->m[i].demand = demands[i];
            step(f, &f->m[i], ms);
        }
    }
}

static void test_parts_follow_the_demand_and_leave_nothing_unused(void **state) {
    (void)state;
    struct fleet f;
    play(&f, 3, (int64_t[]){1000, 1000, 1000}, 0);
    assert_true(used(&f, 60000) > 0.99);
    for (size_t i = 0; i < 3; i++) {
        assert_true(f.m[i].held > 0.32 && f.m[i].held < 0.35);
    }
    play(&f, 3, (int64_t[]){900, 100, 0}, 0);
    assert_true(f.m[0].held > 0.85 && f.m[1].held > 0.09 && f.m[2].held > 0.04);
    assert_true(used(&f, 60000) > 0.99);
    play(&f, 1, (int64_t[]){0}, 0);
    assert_true(f.m[0].held == 1); /* alone: it may begin at once */
}

static void
test_calls_in_flight_are_shared_as_wholes_and_nobody_who_wants_some_goes_without(void **state) {
    (void)state;
    struct fleet f;
    play(&f, 3, (int64_t[]){1000, 1000, 1}, 10);
    double sum = 0;
    for (size_t i = 0; i < 3; i++) {
        double n = f.m[i].held * 10;
        assert_true(n > 0.999 && n - (double)(int64_t)(n + 1e-6) < 1e-5);
        sum += n;
    }
    assert_true(sum >= 8.999 && sum <= 10.001);
}

static void test_a_newcomer_uses_nothing_before_the_others_made_room(void **state) {
    (void)state;
    const struct part_others alone = {.n = 1, .counted = 1, .demand = 50};
    struct part_claim c = part_claim(&alone, 50, 0, 0);
    assert_true(c.grant == 0 && c.counted == 0);
    c = part_claim(&(struct part_others){.n = 1, .demand = 50}, 50, 1, 0);
    assert_true(c.grant == 0.5 && c.counted == 1); /* what it still uses */
    c = part_claim(&(struct part_others){.n = 1, .demand = 50}, 50, 0.5, 0);
    assert_true(c.grant == 0.5 && c.counted == 0.5);
    c = part_claim(&(struct part_others){.n = 1, .counted = 0.5, .demand = 50}, 50, 0, 0);
    assert_true(c.grant == 0.5);
}

static void test_the_more_share_a_limit_the_seldomer_each_claims(void **state) {
    (void)state;
    assert_int_equal(part_claim_every_ms(0), 1000);
    assert_int_equal(part_claim_every_ms(200), 1000);
    assert_int_equal(part_claim_every_ms(400), 2000);
    for (int64_t others = 0; others < 100000; others = 2 * others + 1) {
        int64_t every_ms = part_claim_every_ms(others), soon_ms = part_claim_soon_ms(others);
        assert_true(0 < soon_ms && soon_ms < every_ms && every_ms <= PART_LEASE_MS / 3);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_never_is_more_used_than_the_limit_whoever_comes_goes_or_loses_the_store),
        cmocka_unit_test(test_parts_follow_the_demand_and_leave_nothing_unused),
        cmocka_unit_test(
            test_calls_in_flight_are_shared_as_wholes_and_nobody_who_wants_some_goes_without),
        cmocka_unit_test(test_a_newcomer_uses_nothing_before_the_others_made_room),
        cmocka_unit_test(test_the_more_share_a_limit_the_seldomer_each_claims),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
