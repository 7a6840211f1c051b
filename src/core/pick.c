#include "core/pick.h"

#include "base/rng.h"

#include <inttypes.h>
#include <stdio.h>

static const struct {
    const char *name, *text;
} pick_difficulties[] = {
    {"hard", "hard: a good student of the field needs a quarter of an hour and one real idea"},
    {"very hard",
     "very hard: a strong student of the field needs half an hour, two ideas that must "
     "work together, and care with one trap"},
    {"extreme", "extreme: fit for the last problem of a national final or a qualifying exam; most "
                "experts would stumble at first"},
};

static const char *const pick_styles[] = {
    "ask the inverse question: give the outcome and ask for the parameter that produces it",
    "an extremal question whose optimum is not where symmetry suggests",
    "a count in which two natural cases overlap or one is easily forgotten",
    "a parameter whose special value changes the structure of the solution",
    "combine the topic with an idea from a distant field",
    "a recursion or process whose long-run behaviour differs from its first terms",
    "an exact value where the standard theorem does not quite apply",
    "a hidden symmetry or invariant without which the computation explodes",
    "a constraint that silently removes some of the obvious solutions",
    "a generalisation of a classical result, taken at a case in which the classical formula fails",
    "two conditions that are easy one by one and interact when both must hold",
    "a quantity defined in words that must first be turned into the right object",
    "a degenerate or boundary configuration that is the real answer",
    "a composition of two operations that do not commute, though they look as if they did",
    "a sum, product or integral that needs regrouping before any formula applies",
    "an infinite family with exactly one, or finitely many, exceptional members",
};

/* Half of a Feistel network's width for @n values: 4^half >= n. */
static unsigned pick_half_bits(uint64_t n) {
    unsigned half = 0;
    while (half < 31 && UINT64_C(1) << 2 * half < n) {
        half++;
    }
    return half;
}

/* One place of a random permutation of 0..n-1: a Feistel network over the next power of four,
 * walked until it comes back into range (at most four steps on average). */
static uint64_t pick_permuted(uint64_t key, uint64_t place, uint64_t n) {
    unsigned half = pick_half_bits(n);
    uint64_t mask = (UINT64_C(1) << half) - 1;
    do {
        uint64_t left = place >> half, right = place & mask;
        for (uint64_t round = 0; round < 4; round++) {
            uint64_t next = left ^ (rng_mix(key ^ (right << 8 | round)) & mask);
            left = right;
            right = next;
        }
        place = left << half | right;
    } while (place >= n);
    return place;
}

static size_t pick_index(uint64_t seed, uint64_t turn, uint64_t n) {
    ASSERT(n > 0);
    uint64_t key = rng_mix(seed ^ rng_mix(turn / n + 1));
    return (size_t)pick_permuted(key, turn % n, n);
}

void pick_draw(const struct job_spec *spec, int64_t no, struct pick *ret) {
    struct rng rng;
    ASSERT(no >= 1);
    rng_init_stream(&rng, spec->seed, (uint64_t)no);
    uint64_t turn = (uint64_t)no - 1;
    size_t difficulty = (size_t)rng_below(&rng, ARRAY_LEN(pick_difficulties));
    *ret = (struct pick){
        .difficulty = pick_difficulties[difficulty].name,
        .difficulty_text = pick_difficulties[difficulty].text,
        .style = pick_styles[rng_below(&rng, ARRAY_LEN(pick_styles))],
    };
    if (spec->seeds_n > 0) {
        ret->seed = &spec->seeds[pick_index(spec->seed, turn, spec->seeds_n)];
    } else {
        ret->topic = &spec->taxonomy.topics[pick_index(spec->seed, turn, spec->taxonomy.n)];
    }
    (void)snprintf(ret->nonce, sizeof ret->nonce, "%08" PRIx32, (uint32_t)rng_u64(&rng));
}
