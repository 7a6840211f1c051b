/* Equality of rational functions by cross-multiplication in Z[generators]. A generator is a symbol,
 * or anything that is not rational arithmetic (√2, sin x, π, 2^n), named by its canonical spelling;
 * equal spelling means equal value, so equality here is equality wherever both sides are defined.
 * Square roots of integers keep their relation s² = n. */
#include "answer/judge.h"

#include <flint/fmpz_mpoly.h>
#include <flint/fmpz_mpoly_factor.h>
#include <string.h>

#define GENERATORS_MAX 12
#define TERMS_MAX 400
#define POWER_MAX 40
#define FACTOR_TERMS_MAX 60
#define FACTOR_DEGREE_MAX 24

struct ring {
    struct judge *j;
    fmpz_mpoly_ctx_t ctx;
    struct str names[GENERATORS_MAX];
    slong square[GENERATORS_MAX]; /* n where the generator is √n, else 0 */
    slong n;
};

struct fraction {
    fmpz_mpoly_t num, den;
};

static void fraction_init(struct ring *r, struct fraction *f) {
    fmpz_mpoly_init(f->num, r->ctx);
    fmpz_mpoly_init(f->den, r->ctx);
    fmpz_mpoly_one(f->den, r->ctx);
}

static void fraction_clear(struct ring *r, struct fraction *f) {
    fmpz_mpoly_clear(f->num, r->ctx);
    fmpz_mpoly_clear(f->den, r->ctx);
}

static bool generator(struct ring *r, struct str name, slong square, struct fraction *ret) {
    slong i = 0;
    while (i < r->n && !str_eq(r->names[i], name)) {
        i++;
    }
    if (i == GENERATORS_MAX) {
        return false;
    }
    if (i == r->n) {
        r->names[i] = name;
        r->square[i] = square;
        r->n++;
    }
    fmpz_mpoly_gen(ret->num, i, r->ctx);
    return true;
}

/* s² = n, for every generator that is a square root. */
static void reduce(struct ring *r, fmpz_mpoly_t p) {
    fmpz_mpoly_t s, q;
    fmpz_mpoly_init(s, r->ctx);
    fmpz_mpoly_init(q, r->ctx);
    for (slong i = 0; i < r->n; i++) {
        if (r->square[i] != 0 && fmpz_mpoly_degree_si(p, i, r->ctx) >= 2) {
            fmpz_mpoly_gen(s, i, r->ctx);
            fmpz_mpoly_mul(s, s, s, r->ctx);
            fmpz_mpoly_sub_si(s, s, r->square[i], r->ctx);
            fmpz_mpoly_divrem(q, p, p, s, r->ctx);
        }
    }
    fmpz_mpoly_clear(s, r->ctx);
    fmpz_mpoly_clear(q, r->ctx);
}

static bool fits(struct ring *r, const struct fraction *f) {
    return fmpz_mpoly_length(f->num, r->ctx) <= TERMS_MAX &&
           fmpz_mpoly_length(f->den, r->ctx) <= TERMS_MAX;
}

static bool product(struct ring *r, struct fraction *x, const struct fraction *y) {
    r->j->work -= 1 + (fmpz_mpoly_length(x->num, r->ctx) * fmpz_mpoly_length(y->num, r->ctx)) / 8;
    fmpz_mpoly_mul(x->num, x->num, y->num, r->ctx);
    fmpz_mpoly_mul(x->den, x->den, y->den, r->ctx);
    reduce(r, x->num);
    reduce(r, x->den);
    return fits(r, x) && r->j->work > 0;
}

static bool add(struct ring *r, struct fraction *x, const struct fraction *y) {
    fmpz_mpoly_t t;
    fmpz_mpoly_init(t, r->ctx);
    r->j->work -= 1;
    if (fmpz_mpoly_equal(x->den, y->den, r->ctx)) {
        fmpz_mpoly_add(x->num, x->num, y->num, r->ctx);
    } else {
        r->j->work -= (fmpz_mpoly_length(x->num, r->ctx) * fmpz_mpoly_length(y->den, r->ctx)) / 8;
        fmpz_mpoly_mul(t, y->num, x->den, r->ctx);
        fmpz_mpoly_mul(x->num, x->num, y->den, r->ctx);
        fmpz_mpoly_add(x->num, x->num, t, r->ctx);
        fmpz_mpoly_mul(x->den, x->den, y->den, r->ctx);
        reduce(r, x->den);
    }
    reduce(r, x->num);
    fmpz_mpoly_clear(t, r->ctx);
    return fits(r, x) && r->j->work > 0;
}

static bool to_fraction(struct ring *r, const struct node *x, struct fraction *ret);

static bool constant(struct ring *r, const struct node *x, struct fraction *ret) {
    struct eval e = judge_eval(r->j, NULL, NULL, 64);
    fmpq_t q;
    fmpq_init(q);
    bool ok = (x->kind == NODE_NUM || x->kind == NODE_BASED || x->kind == NODE_FACT ||
               (x->kind == NODE_FUNC && x->op == AST_BINOM)) &&
              eval_exact(&e, x, q);
    if (ok) {
        fmpz_mpoly_set_fmpz(ret->num, fmpq_numref(q), r->ctx);
        fmpz_mpoly_set_fmpz(ret->den, fmpq_denref(q), r->ctx);
    }
    fmpq_clear(q);
    return ok;
}

/* √12 is the generator √12 with its square: relations between roots are left to the balls. */
static bool square_root(struct ring *r, const struct node *x, struct fraction *ret) {
    const struct node *k = x->kids[0];
    int64_t n;
    if (x->kind != NODE_FUNC || x->op != AST_SQRT || k->kind != NODE_NUM ||
        !str_to_i64(k->name, &n) || n < 2 || n > 1000000000) {
        return false;
    }
    slong outside = 1;
    for (slong d = 2; d * d <= n && d < 1000; d++) {
        while (n % (d * d) == 0) {
            n /= d * d;
            outside *= d;
        }
    }
    if (n == 1) {
        fmpz_mpoly_set_si(ret->num, outside, r->ctx);
        return true;
    }
    bool ok = generator(r, str_fmt(r->j->a, "sqrt %lld", (long long)n), n, ret);
    fmpz_mpoly_scalar_mul_si(ret->num, ret->num, outside, r->ctx);
    return ok;
}

static bool atom(struct ring *r, const struct node *x, struct fraction *ret) {
    struct str name = node_canonical(x, r->j->a);
    return name.n < 4000 && generator(r, name, 0, ret);
}

static bool power_of(struct ring *r, const struct node *x, struct fraction *ret) {
    const struct node *y = x->kids[1];
    bool inverse = y->kind == NODE_NEG;
    y = inverse ? y->kids[0] : y;
    int64_t n = 0;
    if (y->kind != NODE_NUM || !str_to_i64(y->name, &n) || n > POWER_MAX) {
        return atom(r, x, ret);
    }
    struct fraction base;
    fraction_init(r, &base);
    bool ok = to_fraction(r, x->kids[0], &base);
    ok = ok && !(fmpz_mpoly_length(base.num, r->ctx) == 0 && (inverse || n == 0));
    fmpz_mpoly_one(ret->num, r->ctx);
    for (int64_t i = 0; ok && i < n; i++) {
        ok = product(r, ret, &base);
    }
    if (inverse) {
        fmpz_mpoly_swap(ret->num, ret->den, r->ctx);
    }
    fraction_clear(r, &base);
    return ok;
}

static bool many(struct ring *r, const struct node *x, struct fraction *ret) {
    struct fraction y;
    bool ok = x->n > 0 && to_fraction(r, x->kids[0], ret);
    for (size_t i = 1; ok && i < x->n; i++) {
        fraction_init(r, &y);
        ok = to_fraction(r, x->kids[i], &y) &&
             (x->kind == NODE_ADD ? add(r, ret, &y) : product(r, ret, &y));
        fraction_clear(r, &y);
    }
    return ok;
}

static bool quotient(struct ring *r, const struct node *x, struct fraction *ret) {
    struct fraction y;
    fraction_init(r, &y);
    bool ok = to_fraction(r, x->kids[0], ret) && to_fraction(r, x->kids[1], &y) &&
              fmpz_mpoly_length(y.num, r->ctx) > 0;
    if (ok) {
        fmpz_mpoly_swap(y.num, y.den, r->ctx);
        ok = product(r, ret, &y);
    }
    fraction_clear(r, &y);
    return ok;
}

static bool to_fraction(struct ring *r, const struct node *x, struct fraction *ret) {
    if (constant(r, x, ret)) {
        return true;
    }
    switch ((int)x->kind) {
    case NODE_ADD:
    case NODE_MUL:
        return many(r, x, ret);
    case NODE_DIV:
        return quotient(r, x, ret);
    case NODE_NEG:
        if (!to_fraction(r, x->kids[0], ret)) {
            return false;
        }
        fmpz_mpoly_neg(ret->num, ret->num, r->ctx);
        return true;
    case NODE_POW:
        return power_of(r, x, ret);
    case NODE_FUNC:
        return square_root(r, x, ret) || atom(r, x, ret);
    case NODE_SYM:
    case NODE_CONST:
    case NODE_APPLY:
    case NODE_FACT:
    case NODE_SUM:
        return atom(r, x, ret);
    default:
        return false;
    }
}

bool poly_equal(struct judge *j, const struct node *x, const struct node *y) {
    struct ring r = {.j = j, .n = 0};
    fmpz_mpoly_ctx_init(r.ctx, GENERATORS_MAX, ORD_LEX);
    struct fraction f, g;
    fraction_init(&r, &f);
    fraction_init(&r, &g);
    bool equal = to_fraction(&r, x, &f) && to_fraction(&r, y, &g);
    if (equal) {
        fmpz_mpoly_neg(g.num, g.num, r.ctx);
        equal = add(&r, &f, &g) && fmpz_mpoly_is_zero(f.num, r.ctx) &&
                !fmpz_mpoly_is_zero(f.den, r.ctx);
    }
    fraction_clear(&r, &f);
    fraction_clear(&r, &g);
    fmpz_mpoly_ctx_clear(r.ctx);
    return equal;
}

/* --- zeros --- */

/* The numerator without what it shares with the denominator, as a product of different factors. */
static bool factor_numerator(struct ring *r, struct fraction *f, fmpz_mpoly_factor_t ret) {
    fmpz_mpoly_t g;
    fmpz_mpoly_init(g, r->ctx);
    bool ok = fmpz_mpoly_gcd(g, f->num, f->den, r->ctx) != 0;
    ok = ok && fmpz_mpoly_divides(f->num, f->num, g, r->ctx) != 0;
    fmpz_mpoly_clear(g, r->ctx);
    slong length = fmpz_mpoly_length(f->num, r->ctx),
          degree = fmpz_mpoly_total_degree_si(f->num, r->ctx);
    r->j->work -= length * degree * 4;
    return ok && length <= FACTOR_TERMS_MAX && degree <= FACTOR_DEGREE_MAX && r->j->work > 0 &&
           fmpz_mpoly_factor(ret, f->num, r->ctx) != 0;
}

/* How many factors of @x are not in @y; *@trivial is cleared if one of them is more than a symbol.
 */
static slong missing(struct ring *r, const fmpz_mpoly_factor_t x, const fmpz_mpoly_factor_t y,
                     bool *trivial) {
    slong n = 0;
    fmpz_mpoly_t u;
    fmpz_mpoly_init(u, r->ctx);
    for (slong i = 0; i < x->num; i++) {
        bool found = false;
        for (slong k = 0; k < y->num && !found; k++) {
            fmpz_mpoly_neg(u, &y->poly[k], r->ctx);
            found = fmpz_mpoly_equal(&x->poly[i], &y->poly[k], r->ctx) ||
                    fmpz_mpoly_equal(&x->poly[i], u, r->ctx);
        }
        n += found ? 0 : 1;
        *trivial = *trivial && (found || fmpz_mpoly_length(&x->poly[i], r->ctx) == 1);
    }
    fmpz_mpoly_clear(u, r->ctx);
    return n;
}

enum poly_zeros poly_zeros(struct judge *j, const struct node *x, const struct node *y) {
    struct ring r = {.j = j, .n = 0};
    fmpz_mpoly_ctx_init(r.ctx, GENERATORS_MAX, ORD_LEX);
    struct fraction f, g;
    fraction_init(&r, &f);
    fraction_init(&r, &g);
    fmpz_mpoly_factor_t a, b;
    fmpz_mpoly_factor_init(a, r.ctx);
    fmpz_mpoly_factor_init(b, r.ctx);
    enum poly_zeros result = POLY_ZEROS_UNKNOWN;
    if (to_fraction(&r, x, &f) && to_fraction(&r, y, &g) && factor_numerator(&r, &f, a) &&
        factor_numerator(&r, &g, b)) {
        bool trivial = true;
        slong only_a = missing(&r, a, b, &trivial), only_b = missing(&r, b, a, &trivial);
        result = only_a + only_b == 0 ? POLY_ZEROS_SAME
                 : trivial            ? POLY_ZEROS_BUT_SYMBOLS
                                      : POLY_ZEROS_OTHER;
    }
    fmpz_mpoly_factor_clear(a, r.ctx);
    fmpz_mpoly_factor_clear(b, r.ctx);
    fraction_clear(&r, &f);
    fraction_clear(&r, &g);
    fmpz_mpoly_ctx_clear(r.ctx);
    return result;
}
