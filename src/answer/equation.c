/* Equations f = 0 and g = 0, by their solutions.
 *
 *   1 rational functions with the same irreducible factors, or f / g the same number at
 *     every point                                                equal
 *   2 a certified zero of one is certainly none of the other   different, proven
 *   3 many zeros of each are zeros of the other          equal, as evidence
 *
 * A zero is certified by a change of sign over an interval on which f is continuous; all other
 * variables are fixed at random. Factors that only add solutions no one asked for, such as the z of
 * y z = 2 x z, stay undecided. */
#include "answer/judge.h"

#include <arb.h>

#define PRECISION 192
#define GRID 48
#define TRIALS 5
#define ZEROS_WANTED 5

struct equation {
    struct judge *j;
    struct symbols symbols;
    fmpq *values;
    size_t variable; /* the one that is solved for */
};

static bool real_at(struct equation *q, const struct node *f, const fmpq_t at, acb_t ret) {
    fmpq_set(&q->values[q->variable], at);
    struct eval e = judge_eval(q->j, &q->symbols, q->values, PRECISION);
    return eval_ball(&e, f, ret) && acb_is_finite(ret) && acb_is_real(ret);
}

static int sign_at(struct equation *q, const struct node *f, const fmpq_t at) {
    acb_t u;
    acb_init(u);
    bool ok = real_at(q, f, at, u);
    int sign = !ok                               ? 0
               : arb_is_positive(acb_realref(u)) ? 1
               : arb_is_negative(acb_realref(u)) ? -1
                                                 : 0;
    acb_clear(u);
    return sign;
}

/* Halve [lo, hi], over which f changes sign, until it is tiny. */
static bool bisect(struct equation *q, const struct node *f, fmpq_t lo, fmpq_t hi, int sign_lo) {
    fmpq_t mid;
    fmpq_init(mid);
    bool ok = true;
    for (int i = 0; ok && i < 70; i++) {
        fmpq_add(mid, lo, hi);
        fmpq_div_2exp(mid, mid, 1);
        int sign = sign_at(q, f, mid);
        ok = sign != 0 && q->j->work > 0;
        fmpq_set(sign == sign_lo ? lo : hi, mid);
    }
    fmpq_clear(mid);
    return ok;
}

enum zero_test { ZERO_NONE, ZERO_SHARED, ZERO_ONLY_ONE };

/* What g is on the interval where f has a zero: near zero at both ends, or certainly away from it.
 */
static enum zero_test test_zero(struct equation *q, const struct node *f, const struct node *g,
                                const fmpq_t lo, const fmpq_t hi) {
    acb_t a, b, fa, fb;
    acb_init(a);
    acb_init(b);
    acb_init(fa);
    acb_init(fb);
    enum zero_test result = ZERO_NONE;
    if (real_at(q, f, lo, fa) && real_at(q, f, hi, fb) && real_at(q, g, lo, a) &&
        real_at(q, g, hi, b)) {
        /* a pole changes sign too, but grows instead of shrinking */
        arb_t step;
        arb_init(step);
        acb_sub(fa, fa, fb, PRECISION);
        acb_abs(step, fa, PRECISION);
        bool continuous = mag_cmp_2exp_si(arb_radref(step), 0) < 0 &&
                          arf_cmpabs_2exp_si(arb_midref(step), -20) < 0;
        bool same_sign = (arb_is_positive(acb_realref(a)) && arb_is_positive(acb_realref(b))) ||
                         (arb_is_negative(acb_realref(a)) && arb_is_negative(acb_realref(b)));
        acb_sub(fb, a, b, PRECISION);
        arb_t size;
        arb_init(size);
        acb_abs(size, a, PRECISION);
        bool away = arf_cmpabs_2exp_si(arb_midref(size), -20) > 0;
        result = !continuous         ? ZERO_NONE
                 : away && same_sign ? ZERO_ONLY_ONE
                 : away              ? ZERO_NONE
                                     : ZERO_SHARED;
        arb_clear(size);
        arb_clear(step);
    }
    acb_clear(a);
    acb_clear(b);
    acb_clear(fa);
    acb_clear(fb);
    return result;
}

static void fix_others(struct equation *q, int trial) {
    for (size_t i = 0; i < q->symbols.n; i++) {
        slong v = (slong)rng_range(&q->j->rng, 100, 3000);
        bool negative = trial % 2 == 1 && rng_chance(&q->j->rng, 0.5);
        fmpq_set_si(&q->values[i], negative ? -v : v, 1000);
    }
}

/* Zeros of f over a grid, tested on g. */
static enum zero_test zeros(struct equation *q, const struct node *f, const struct node *g,
                            int *shared) {
    fmpq_t lo, hi, from;
    fmpq_init(lo);
    fmpq_init(hi);
    fmpq_init(from);
    fmpq_set_si(from, (slong)rng_range(&q->j->rng, -400, 400), 1000);
    int last = 0;
    enum zero_test result = ZERO_NONE;
    for (slong i = 0; i <= GRID && result != ZERO_ONLY_ONE && q->j->work > 0; i++) {
        slong t = 2 * i - GRID; /* dense around zero, and far out */
        fmpq_set(lo, hi);
        fmpq_set_si(hi, t * t * t, 216);
        fmpq_add(hi, hi, from);
        int sign = sign_at(q, f, hi);
        if (sign * last < 0) {
            fmpq_t a, b;
            fmpq_init(a);
            fmpq_init(b);
            fmpq_set(a, lo);
            fmpq_set(b, hi);
            if (bisect(q, f, a, b, last)) {
                result = test_zero(q, f, g, a, b);
                *shared += result == ZERO_SHARED ? 1 : 0;
            }
            fmpq_clear(a);
            fmpq_clear(b);
        }
        last = sign;
    }
    fmpq_clear(lo);
    fmpq_clear(hi);
    fmpq_clear(from);
    return result;
}

/* True if f / g is one number at every point tried. */
static bool same_up_to_factor(struct equation *q, struct node *f, struct node *g) {
    struct node *ratio = node_2(q->j->a, NODE_DIV, 0, f, g);
    acb_t first, u;
    acb_init(first);
    acb_init(u);
    int seen = 0, same = 0;
    for (int i = 0; i < 10 && seen < 6; i++) {
        fix_others(q, i);
        struct eval e = judge_eval(q->j, &q->symbols, q->values, 320);
        if (eval_ball(&e, ratio, u) && acb_is_finite(u) && !acb_contains_zero(u)) {
            acb_set(first, seen == 0 ? u : first);
            same += acb_overlaps(first, u) && acb_rel_accuracy_bits(u) > 60 ? 1 : 0;
            seen++;
        }
    }
    acb_clear(first);
    acb_clear(u);
    return seen >= 4 && same == seen;
}

static struct outcome by_zeros(struct equation *q, struct node *f, struct node *g) {
    int shared_f = 0, shared_g = 0;
    for (int trial = 0; trial < TRIALS; trial++) {
        for (q->variable = 0; q->variable < q->symbols.n; q->variable++) {
            fix_others(q, trial);
            if (zeros(q, f, g, &shared_f) == ZERO_ONLY_ONE ||
                zeros(q, g, f, &shared_g) == ZERO_ONLY_ONE) {
                return OUTCOME_DIFFERENT(false, "a solution of one does not solve the other");
            }
        }
        if (q->symbols.n == 1) {
            break; /* nothing else to vary */
        }
    }
    return q->symbols.n > 1 && shared_f >= ZEROS_WANTED && shared_f == shared_g
               ? OUTCOME_EQUAL(false, "the same solutions where they were looked for")
               : OUTCOME_UNDECIDED("too few solutions were found");
}

struct outcome equation_compare(struct judge *j, struct node *f, struct node *g) {
    struct equation q = {.j = j};
    symbols_add(&q.symbols, f);
    symbols_add(&q.symbols, g);
    if (q.symbols.n == 0 || q.symbols.too_many || q.symbols.n > 6) {
        return OUTCOME_UNDECIDED("no or too many variables");
    }
    if (poly_equal(j, f, g) || poly_equal(j, f, node_1(j->a, NODE_NEG, 0, g))) {
        return OUTCOME_EQUAL(true, "the same equation by exact algebra");
    }
    enum poly_zeros z = poly_zeros(j, f, g);
    if (z == POLY_ZEROS_SAME) {
        return OUTCOME_EQUAL(false, "the same factors");
    }
    if (z == POLY_ZEROS_BUT_SYMBOLS) {
        return OUTCOME_UNDECIDED("a factor more");
    }
    q.values = _fmpq_vec_init((slong)q.symbols.n);
    struct outcome o = same_up_to_factor(&q, f, g)
                           ? OUTCOME_EQUAL(false, "the same equation up to a factor")
                           : by_zeros(&q, f, g);
    _fmpq_vec_clear(q.values, (slong)q.symbols.n);
    return o;
}
