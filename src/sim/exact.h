/* exact.h - exact numbers for problems that are made, not solved: fractions and square roots on
 * int64.
 *
 * The families keep their parameters so small that nothing overflows; every operation checks all
 * the same, and an overflow is a broken invariant (ASSERT), never a wrong number.
 */
#ifndef STUMPER_SIM_EXACT_H
#define STUMPER_SIM_EXACT_H

#include <stdbool.h>
#include <stdint.h>

/* A fraction in lowest terms, d > 0. */
struct rat {
    int64_t n, d;
};

struct rat rat(int64_t n, int64_t d); /* d != 0 */
struct rat rat_int(int64_t n);
struct rat rat_add(struct rat a, struct rat b);
struct rat rat_sub(struct rat a, struct rat b);
struct rat rat_mul(struct rat a, struct rat b);
struct rat rat_div(struct rat a, struct rat b); /* b != 0 */
struct rat rat_neg(struct rat a);
struct rat rat_pow(struct rat a, int exponent); /* exponent >= 0 */
int rat_cmp(struct rat a, struct rat b);        /* -1, 0, 1 */
bool rat_eq(struct rat a, struct rat b);

/** Number of decimals that write @a exactly, or -1 if none do (or more than 6). */
int rat_decimals(struct rat a);

/* a + b·√r with r > 1 free of squares, or b = 0 and r = 1. */
struct surd {
    struct rat a, b;
    int64_t r;
};

/** a + b·√radicand, with the squares taken out; radicand >= 0. */
struct surd surd(struct rat a, struct rat b, int64_t radicand);
bool surd_eq(struct surd a, struct surd b);

/* A polynomial with coefficients c[0] + c[1]·x + …; c[n - 1] != 0 unless n is 0. */
#define POLY_TERMS_MAX 8

struct poly {
    struct rat c[POLY_TERMS_MAX];
    int n;
};

/** From @n integers, lowest power first. */
struct poly poly_of(const int64_t *c, int n);
struct poly poly_add(struct poly p, struct poly q);
struct poly poly_mul(struct poly p, struct poly q);
struct poly poly_scale(struct poly p, struct rat k);
struct poly poly_derivative(struct poly p);
struct poly poly_integral(struct poly p); /* without a constant */
struct rat poly_at(struct poly p, struct rat x);
bool poly_eq(struct poly p, struct poly q);

int64_t i64_gcd(int64_t a, int64_t b); /* >= 0 */
int64_t i64_lcm(int64_t a, int64_t b);
int64_t i64_mul(int64_t a, int64_t b);
int64_t i64_pow(int64_t a, int exponent);
int64_t i64_pow_mod(int64_t a, int64_t exponent, int64_t m); /* a >= 0, m > 0 */
int64_t i64_binomial(int n, int k);

#endif
