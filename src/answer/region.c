/* Conditions on one real number: relations, and, or, intervals, unions, finite sets.
 *
 * The truth of both sides can only change at critical points: ends of intervals, and zeros and
 * poles of left - right for each relation. So both are tested at every critical point, between each
 * two neighbours and beyond both ends; agreement everywhere is equality, a disagreement is
 * difference. A superset of the critical points does no harm, which is how |…| is handled: its
 * argument's zeros are added, and both signs are tried.
 *
 * Conditions on several variables are compared side by side, up to a constant factor, and by trying
 * points. */
#include "answer/judge.h"

#include <arb_fmpz_poly.h>
#include <flint/fmpq_poly.h>
#include <stdlib.h>
#include <string.h>

#define CRITICAL_MAX 200
#define POLY_DEGREE_MAX 24
#define PRECISION 256
#define PRECISION_CLOSE 2400 /* a second look before ends are called equal */

struct region {
    struct judge *j;
    struct symbols symbol; /* the variable, alone */
    arb_t points[CRITICAL_MAX];
    size_t n;
    bool exact; /* no zero was taken on trust */
    slong precision;
};

/* --- critical points --- */

static bool add_point(struct region *r, const arb_t x) {
    if (r->n == CRITICAL_MAX || !arb_is_finite(x)) {
        return false;
    }
    arb_set(r->points[r->n++], x);
    return true;
}

static bool free_of(const struct region *r, const struct node *x) {
    struct symbols s = {0};
    symbols_add(&s, x);
    return s.n == 0 || (r->symbol.n == 0 && s.n == 0);
}

/* The value of a constant, real. */
static bool constant_value(struct region *r, const struct node *x, arb_t ret) {
    struct eval e = judge_eval(r->j, NULL, NULL, r->precision);
    acb_t u;
    acb_init(u);
    bool ok = eval_ball(&e, x, u) && acb_is_finite(u) && arb_contains_zero(acb_imagref(u));
    arb_set(ret, acb_realref(u));
    acb_clear(u);
    return ok;
}

static bool add_constant(struct region *r, const struct node *x) {
    arb_t v;
    arb_init(v);
    bool ok = constant_value(r, x, v) && add_point(r, v);
    arb_clear(v);
    return ok;
}

/* num / den of @x as polynomials in the variable; |u| counts as sign · u. */
static bool to_poly(struct region *r, const struct node *x, int sign, fmpq_poly_t num,
                    fmpq_poly_t den);

static bool poly_many(struct region *r, const struct node *x, int sign, fmpq_poly_t num,
                      fmpq_poly_t den) {
    fmpq_poly_t n, d, t;
    fmpq_poly_init(n);
    fmpq_poly_init(d);
    fmpq_poly_init(t);
    bool ok = to_poly(r, x->kids[0], sign, num, den);
    for (size_t i = 1; ok && i < x->n; i++) {
        ok = to_poly(r, x->kids[i], sign, n, d);
        if (x->kind == NODE_ADD) {
            fmpq_poly_mul(t, n, den);
            fmpq_poly_mul(num, num, d);
            fmpq_poly_add(num, num, t);
        } else {
            fmpq_poly_mul(num, num, x->kind == NODE_DIV ? d : n);
        }
        fmpq_poly_mul(den, den, x->kind == NODE_DIV ? n : d);
        ok = ok && fmpq_poly_degree(num) <= POLY_DEGREE_MAX &&
             fmpq_poly_degree(den) <= POLY_DEGREE_MAX && !fmpq_poly_is_zero(den);
    }
    fmpq_poly_clear(n);
    fmpq_poly_clear(d);
    fmpq_poly_clear(t);
    return ok;
}

static bool poly_power(struct region *r, const struct node *x, int sign, fmpq_poly_t num,
                       fmpq_poly_t den) {
    int64_t n;
    const struct node *y = x->kids[1];
    if (y->kind != NODE_NUM || !str_to_i64(y->name, &n) || n < 0 || n > POLY_DEGREE_MAX ||
        !to_poly(r, x->kids[0], sign, num, den) || fmpq_poly_degree(num) * n > POLY_DEGREE_MAX ||
        fmpq_poly_degree(den) * n > POLY_DEGREE_MAX) {
        return false;
    }
    fmpq_poly_pow(num, num, (ulong)n);
    fmpq_poly_pow(den, den, (ulong)n);
    return true;
}

static bool to_poly(struct region *r, const struct node *x, int sign, fmpq_poly_t num,
                    fmpq_poly_t den) {
    fmpq_poly_one(den);
    if (x->kind == NODE_SYM && symbols_has(&r->symbol, x->name)) {
        fmpq_poly_zero(num);
        fmpq_poly_set_coeff_si(num, 1, 1);
        return true;
    }
    if (x->kind == NODE_ADD || x->kind == NODE_MUL || x->kind == NODE_DIV) {
        return poly_many(r, x, sign, num, den);
    }
    if (x->kind == NODE_NEG || (x->kind == NODE_FUNC && x->op == AST_ABS)) {
        bool ok = to_poly(r, x->kids[0], sign, num, den);
        if (x->kind == NODE_NEG || sign < 0) {
            fmpq_poly_neg(num, num);
        }
        return ok;
    }
    if (x->kind == NODE_POW) {
        return poly_power(r, x, sign, num, den);
    }
    struct eval e = judge_eval(r->j, NULL, NULL, r->precision);
    fmpq_t q;
    fmpq_init(q);
    bool ok = eval_exact(&e, x, q);
    fmpq_poly_set_fmpq(num, q);
    fmpq_clear(q);
    return ok;
}

static bool add_roots(struct region *r, const fmpq_poly_t poly) {
    slong degree = fmpq_poly_degree(poly);
    if (degree < 1) {
        return true;
    }
    fmpz_poly_t p;
    fmpz_poly_init(p);
    fmpq_poly_get_numerator(p, poly);
    fmpz_poly_t gcd, derivative;
    fmpz_poly_init(gcd);
    fmpz_poly_init(derivative);
    fmpz_poly_derivative(derivative, p);
    fmpz_poly_gcd(gcd, p, derivative);
    fmpz_poly_div(p, p, gcd); /* without repeated roots, as the root finder wants it */
    degree = fmpz_poly_degree(p);
    r->j->work -= 100 * degree * degree;
    bool ok = r->j->work > 0;
    acb_ptr roots = _acb_vec_init(degree);
    if (ok) {
        arb_fmpz_poly_complex_roots(roots, p, 0, r->precision);
    }
    for (slong i = 0; ok && i < degree; i++) {
        if (acb_is_real(&roots[i])) {
            ok = add_point(r, acb_realref(&roots[i]));
        }
    }
    _acb_vec_clear(roots, degree);
    fmpz_poly_clear(p);
    fmpz_poly_clear(gcd);
    fmpz_poly_clear(derivative);
    return ok;
}

static bool value_at(struct region *r, const struct node *x, slong at, acb_t ret) {
    fmpq_t q;
    fmpq_init(q);
    fmpq_set_si(q, at, 1);
    struct eval e = judge_eval(r->j, &r->symbol, q, r->precision);
    bool ok = eval_ball(&e, x, ret) && acb_is_finite(ret);
    fmpq_clear(q);
    return ok;
}

/* A condition that is linear with irrational coefficients, such as 2x < √2. */
static bool add_linear_root(struct region *r, const struct node *d) {
    acb_t f[4];
    bool ok = true;
    for (int i = 0; i < 4; i++) {
        acb_init(f[i]);
        ok = ok && value_at(r, d, i, f[i]);
    }
    acb_sub(f[1], f[1], f[0], r->precision); /* the slope, if there is one */
    acb_sub(f[2], f[2], f[0], r->precision);
    acb_sub(f[3], f[3], f[0], r->precision);
    acb_submul_ui(f[2], f[1], 2, r->precision);
    acb_submul_ui(f[3], f[1], 3, r->precision);
    ok = ok && acb_contains_zero(f[2]) && acb_contains_zero(f[3]) && !acb_contains_zero(f[1]);
    if (ok) {
        acb_div(f[0], f[0], f[1], r->precision);
        acb_neg(f[0], f[0]);
        ok = acb_is_real(f[0]) && add_point(r, acb_realref(f[0]));
        r->exact = false;
    }
    for (int i = 0; i < 4; i++) {
        acb_clear(f[i]);
    }
    return ok;
}

static bool add_zeros_inside_bars(struct region *r, const struct node *x);

static bool add_relation(struct region *r, struct node *left, struct node *right) {
    if (free_of(r, left) && free_of(r, right)) {
        return true;
    }
    bool plain = left->kind == NODE_SYM || right->kind == NODE_SYM;
    struct node *other = left->kind == NODE_SYM ? right : left;
    if (plain && free_of(r, other)) {
        return add_constant(r, other);
    }
    struct node *d = difference(r->j, left, right);
    bool ok = add_zeros_inside_bars(r, d);
    for (int sign = 1; ok && sign >= -1; sign -= 2) {
        fmpq_poly_t num, den;
        fmpq_poly_init(num);
        fmpq_poly_init(den);
        ok = (to_poly(r, d, sign, num, den) && add_roots(r, num) && add_roots(r, den)) ||
             (sign > 0 && add_linear_root(r, d));
        fmpq_poly_clear(num);
        fmpq_poly_clear(den);
        if (!node_has(d, NODE_FUNC, AST_ABS)) {
            break;
        }
    }
    return ok;
}

static bool add_zeros_inside_bars(struct region *r, const struct node *x) {
    bool ok = true;
    if (x->kind == NODE_FUNC && x->op == AST_ABS) {
        ok = add_relation(r, x->kids[0], node_int(r->j->a, 0));
    }
    for (size_t i = 0; ok && i < x->n; i++) {
        ok = add_zeros_inside_bars(r, x->kids[i]);
    }
    return ok;
}

static bool infinite(const struct node *x) {
    while (x->kind == NODE_NEG || (x->kind == NODE_ADD && x->n == 1)) {
        x = x->kids[0];
    }
    return x->kind == NODE_CONST && x->op == AST_INF;
}

static bool negative_infinite(const struct node *x) {
    bool minus = false;
    while (x->kind == NODE_NEG || (x->kind == NODE_ADD && x->n == 1)) {
        minus ^= x->kind == NODE_NEG;
        x = x->kids[0];
    }
    return minus && infinite(x);
}

/* All critical points of @x; false if it is no condition on one real number. */
static bool add_critical(struct region *r, struct node *x) {
    switch ((int)x->kind) {
    case NODE_REL:
        for (size_t i = 0; i + 1 < x->n; i++) {
            char op = x->name.p[i];
            bool ok = op == AST_IN ? x->kids[i]->kind == NODE_SYM && add_critical(r, x->kids[i + 1])
                      : op == AST_APPROX || op == AST_RELATED
                          ? false
                          : (infinite(x->kids[i]) || infinite(x->kids[i + 1]) ||
                             add_relation(r, x->kids[i], x->kids[i + 1]));
            if (!ok) {
                return false;
            }
        }
        return true;
    case NODE_INTERVAL:
    case NODE_SET:
    case NODE_TUPLE:
        if (x->kind == NODE_TUPLE && x->n != 2) {
            return false;
        }
        for (size_t i = 0; i < x->n; i++) {
            if (!infinite(x->kids[i]) && !add_constant(r, x->kids[i])) {
                return false;
            }
        }
        return true;
    case NODE_BUILDER: {
        const struct node *left = x->kids[0];
        bool reals = left->kind == NODE_REL && left->name.p[0] == AST_IN &&
                     left->kids[1]->kind == NODE_SETNAME && str_eq(left->kids[1]->name, S("R"));
        return (left->kind == NODE_SYM || reals) && add_critical(r, x->kids[1]);
    }
    case NODE_AND:
    case NODE_OR:
    case NODE_UNION:
    case NODE_INTERSECT:
    case NODE_MINUS:
        for (size_t i = 0; i < x->n; i++) {
            if (!add_critical(r, x->kids[i])) {
                return false;
            }
        }
        return true;
    case NODE_SETNAME:
        return str_eq(x->name, S("R")) || str_eq(x->name, S("empty"));
    default:
        return false;
    }
}

/* --- truth --- */

/* The sign of x - y; 0 where the ball holds zero. *ok is cleared where there is none. */
static int sign_of(struct region *r, const arb_t x, const arb_t y) {
    arb_t d;
    arb_init(d);
    arb_sub(d, x, y, r->precision);
    int sign = arb_is_positive(d) ? 1 : arb_is_negative(d) ? -1 : 0;
    r->exact = r->exact && (sign != 0 || arb_is_zero(d));
    arb_clear(d);
    return sign;
}

/* The value of a side at the point @at, which is a ball. */
static bool side_value(struct region *r, const struct node *x, const arb_t at, arb_t ret) {
    if (x->kind == NODE_SYM && symbols_has(&r->symbol, x->name)) {
        arb_set(ret, at);
        return true;
    }
    if (free_of(r, x)) {
        return constant_value(r, x, ret);
    }
    /* the evaluator takes exact points: the middle of the ball, widened by its radius afterwards */
    fmpq_t q;
    fmpq_init(q);
    arf_get_fmpq(q, arb_midref(at));
    struct eval e = judge_eval(r->j, &r->symbol, q, r->precision);
    acb_t u;
    acb_init(u);
    bool ok = eval_ball(&e, x, u) && acb_is_finite(u) && arb_contains_zero(acb_imagref(u));
    arb_set(ret, acb_realref(u));
    if (!arb_is_exact(at)) {
        mag_t widen;
        mag_init(widen);
        mag_set_ui_2exp_si(widen, 1, -r->precision / 2);
        arb_add_error_mag(ret, widen);
        mag_clear(widen);
    }
    acb_clear(u);
    fmpq_clear(q);
    return ok;
}

static bool holds(int sign, char op) {
    switch (op) {
    case AST_EQ:
        return sign == 0;
    case AST_NE:
        return sign != 0;
    case AST_LT:
        return sign < 0;
    case AST_GT:
        return sign > 0;
    case AST_LE:
        return sign <= 0;
    default:
        return sign >= 0;
    }
}

static bool truth(struct region *r, const struct node *x, const arb_t at);

static bool pair_truth(struct region *r, const struct node *left, char op, const struct node *right,
                       const arb_t at) {
    if (op == AST_IN) {
        return truth(r, right, at);
    }
    if (infinite(left) || infinite(right)) {
        int sign = infinite(left) ? (negative_infinite(left) ? -1 : 1)
                                  : (negative_infinite(right) ? 1 : -1);
        return holds(sign, op);
    }
    arb_t u, v;
    arb_init(u);
    arb_init(v);
    bool ok =
        side_value(r, left, at, u) && side_value(r, right, at, v) && holds(sign_of(r, u, v), op);
    arb_clear(u);
    arb_clear(v);
    return ok;
}

static bool interval_truth(struct region *r, const struct node *x, const arb_t at) {
    bool closed_lo = x->kind == NODE_INTERVAL && (x->op & AST_CLOSED_LO) != 0;
    bool closed_hi = x->kind == NODE_INTERVAL && (x->op & AST_CLOSED_HI) != 0;
    struct node here = {.kind = NODE_SYM, .name = r->symbol.names[0]};
    return pair_truth(r, x->kids[0], closed_lo ? AST_LE : AST_LT, &here, at) &&
           pair_truth(r, &here, closed_hi ? AST_LE : AST_LT, x->kids[1], at);
}

static bool truth(struct region *r, const struct node *x, const arb_t at) {
    struct node here = {.kind = NODE_SYM, .name = r->symbol.names[0]};
    bool all = true, any = false;
    switch ((int)x->kind) {
    case NODE_REL:
        for (size_t i = 0; i + 1 < x->n; i++) {
            all = all && pair_truth(r, x->kids[i], x->name.p[i], x->kids[i + 1], at);
        }
        return all;
    case NODE_INTERVAL:
    case NODE_TUPLE:
        return interval_truth(r, x, at);
    case NODE_SET:
        for (size_t i = 0; i < x->n; i++) {
            any = any || pair_truth(r, &here, AST_EQ, x->kids[i], at);
        }
        return any;
    case NODE_BUILDER:
        return truth(r, x->kids[1], at);
    case NODE_MINUS:
        return truth(r, x->kids[0], at) && !truth(r, x->kids[1], at);
    case NODE_SETNAME:
        return str_eq(x->name, S("R"));
    default:
        for (size_t i = 0; i < x->n; i++) {
            bool t = truth(r, x->kids[i], at);
            all = all && t;
            any = any || t;
        }
        return x->kind == NODE_AND || x->kind == NODE_INTERSECT ? all : any;
    }
}

/* --- the comparison --- */

static int point_order(const void *x, const void *y) {
    return arf_cmp(arb_midref((arb_srcptr)x), arb_midref((arb_srcptr)y));
}

static void sort_points(struct region *r) {
    qsort(r->points, r->n, sizeof r->points[0], point_order);
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++) {
        if (n == 0 || !arb_overlaps(r->points[n - 1], r->points[i])) {
            arb_swap(r->points[n++], r->points[i]);
        } else if (arb_is_exact(r->points[i])) {
            arb_swap(r->points[n - 1], r->points[i]);
        }
    }
    r->n = n;
}

/* The point half-way between critical points @i - 1 and @i, or beyond the ends. */
static void between(const struct region *r, size_t i, arb_t ret) {
    if (r->n == 0) {
        arb_zero(ret);
    } else if (i == 0) {
        arb_sub_ui(ret, r->points[0], 1, r->precision);
    } else if (i == r->n) {
        arb_add_ui(ret, r->points[r->n - 1], 1, r->precision);
    } else {
        arb_add(ret, r->points[i - 1], r->points[i], r->precision);
        arb_mul_2exp_si(ret, ret, -1);
    }
    arf_set_round(arb_midref(ret), arb_midref(ret), 64 + r->precision / 4, ARF_RND_NEAR);
    mag_zero(arb_radref(ret)); /* any point in between will do */
}

static struct outcome sweep(struct region *r, const struct node *x, const struct node *y) {
    arb_t at;
    arb_init(at);
    bool same = true;
    for (size_t i = 0; same && i <= r->n; i++) {
        between(r, i, at);
        same = truth(r, x, at) == truth(r, y, at);
        if (same && i < r->n) {
            same = truth(r, x, r->points[i]) == truth(r, y, r->points[i]);
        }
    }
    arb_clear(at);
    if (r->j->work <= 0) {
        return OUTCOME_UNDECIDED("out of work");
    }
    return same ? OUTCOME_EQUAL(r->exact, "they hold for the same numbers")
                : OUTCOME_DIFFERENT(r->exact, "a number satisfies one and not the other");
}

static struct outcome sweep_at(struct judge *j, const struct symbols *s, struct node *x,
                               struct node *y, slong precision) {
    struct region r = {.j = j, .exact = true, .precision = precision};
    r.symbol.names[0] = s->n > 0 ? s->names[0] : S("\x01");
    r.symbol.n = 1;
    for (size_t i = 0; i < CRITICAL_MAX; i++) {
        arb_init(r.points[i]);
    }
    struct outcome o = OUTCOME_UNDECIDED("a condition that cannot be solved");
    if (add_critical(&r, x) && add_critical(&r, y)) {
        sort_points(&r);
        o = sweep(&r, x, y);
    }
    for (size_t i = 0; i < CRITICAL_MAX; i++) {
        arb_clear(r.points[i]);
    }
    return o;
}

static struct outcome one_variable(struct judge *j, const struct symbols *s, struct node *x,
                                   struct node *y) {
    struct outcome o = sweep_at(j, s, x, y, PRECISION);
    if (o.verdict == ANSWER_EQUAL && !o.proved) {
        return sweep_at(j, s, x, y, PRECISION_CLOSE);
    }
    return o;
}

/* --- several variables --- */

static char flipped(char op) {
    return op == AST_LT   ? AST_GT
           : op == AST_GT ? AST_LT
           : op == AST_LE ? AST_GE
           : op == AST_GE ? AST_LE
                          : op;
}

/* The same chain of relations, side by side, perhaps read from the other end. */
static struct outcome side_by_side(struct judge *j, struct node *x, struct node *y, bool reverse) {
    if (x->n != y->n) {
        return OUTCOME_UNDECIDED("relations of different length");
    }
    bool proved = true, different = false;
    for (size_t i = 0; i < x->n; i++) {
        size_t k = reverse ? x->n - 1 - i : i;
        if (i + 1 < x->n) {
            char op = reverse ? flipped(y->name.p[x->n - 2 - i]) : y->name.p[i];
            if (op != x->name.p[i]) {
                return OUTCOME_UNDECIDED("different relations");
            }
        }
        struct outcome o = shape_compare(j, x->kids[i], y->kids[k]);
        if (o.verdict == ANSWER_UNDECIDED) {
            return o;
        }
        different = different || o.verdict == ANSWER_DIFFERENT;
        proved = proved && o.proved;
    }
    return different ? OUTCOME_DIFFERENT(false, "different sides")
                     : OUTCOME_EQUAL(proved, "the same side by side");
}

static bool strict_order(char op) {
    return op == AST_LT || op == AST_LE;
}

/* f < 0 and g < 0 with f = c·g for a positive constant c; or a point that satisfies only one. */
static struct outcome proportional(struct judge *j, struct node *x, struct node *y) {
    char a = x->name.p[0], b = y->name.p[0];
    bool flip_a = a == AST_GT || a == AST_GE, flip_b = b == AST_GT || b == AST_GE;
    a = flip_a ? flipped(a) : a;
    b = flip_b ? flipped(b) : b;
    if (a != b || !strict_order(a)) {
        return OUTCOME_UNDECIDED("relations of different kinds");
    }
    struct node *f = difference(j, x->kids[flip_a], x->kids[!flip_a]);
    struct node *g = difference(j, y->kids[flip_b], y->kids[!flip_b]);
    struct node *ratio = node_2(j->a, NODE_DIV, 0, f, g);
    struct symbols s = {0};
    symbols_add(&s, f);
    symbols_add(&s, g);
    if (s.too_many || s.n == 0) {
        return OUTCOME_UNDECIDED("too many variables");
    }
    fmpq *values = _fmpq_vec_init((slong)s.n);
    acb_t u, v, first;
    acb_init(u);
    acb_init(v);
    acb_init(first);
    int same = 0, seen = 0;
    struct outcome o = OUTCOME_UNDECIDED("conditions on several variables");
    for (int i = 0; i < 12 && o.verdict == ANSWER_UNDECIDED; i++) {
        for (size_t k = 0; k < s.n; k++) {
            fmpq_set_si(&values[k], (slong)rng_range(&j->rng, -4000, 4000), 512);
        }
        struct eval e = judge_eval(j, &s, values, 256);
        if (!eval_ball(&e, f, u) || !eval_ball(&e, g, v) || !acb_is_real(u) || !acb_is_real(v)) {
            continue;
        }
        bool apart = (arb_is_negative(acb_realref(u)) && arb_is_positive(acb_realref(v))) ||
                     (arb_is_positive(acb_realref(u)) && arb_is_negative(acb_realref(v)));
        if (apart && !node_has(ratio, NODE_APPLY, 0)) {
            o = OUTCOME_DIFFERENT(true, "a point satisfies one and not the other");
        }
        if (eval_ball(&e, ratio, u) && acb_is_finite(u)) {
            acb_set(first, seen == 0 ? u : first);
            same += acb_overlaps(first, u) && arb_is_positive(acb_realref(u)) ? 1 : 0;
            seen++;
        }
    }
    if (o.verdict == ANSWER_UNDECIDED && seen >= 4 && same == seen) {
        o = OUTCOME_EQUAL(false, "the same up to a positive factor");
    }
    acb_clear(u);
    acb_clear(v);
    acb_clear(first);
    _fmpq_vec_clear(values, (slong)s.n);
    return o;
}

/* Intervals whose ends have symbols in them. */
static struct outcome symbolic_intervals(struct judge *j, struct node *x, struct node *y) {
    struct outcome lo = scalar_compare(j, x->kids[0], y->kids[0]);
    struct outcome hi = scalar_compare(j, x->kids[1], y->kids[1]);
    bool closed = x->op == y->op || x->kind != y->kind;
    if (lo.verdict == ANSWER_DIFFERENT || hi.verdict == ANSWER_DIFFERENT) {
        return OUTCOME_DIFFERENT(lo.verdict == ANSWER_DIFFERENT ? lo.proved : hi.proved,
                                 "different ends");
    }
    if (lo.verdict == ANSWER_EQUAL && hi.verdict == ANSWER_EQUAL) {
        return closed ? OUTCOME_EQUAL(lo.proved && hi.proved, "the same ends")
                      : OUTCOME_DIFFERENT(false, "an end is open in one only");
    }
    return OUTCOME_UNDECIDED("ends that cannot be compared");
}

static struct outcome several_variables(struct judge *j, struct node *x, struct node *y) {
    if (x->kind == NODE_INTERVAL && y->kind == NODE_INTERVAL) {
        return symbolic_intervals(j, x, y);
    }
    if (x->kind != NODE_REL || y->kind != NODE_REL) {
        return OUTCOME_UNDECIDED("a condition on several variables");
    }
    struct outcome straight = side_by_side(j, x, y, false);
    if (straight.verdict == ANSWER_EQUAL) {
        return straight;
    }
    struct outcome reversed = side_by_side(j, x, y, true);
    if (reversed.verdict == ANSWER_EQUAL) {
        return reversed;
    }
    if (x->n == 2 && y->n == 2) {
        struct outcome o = proportional(j, x, y);
        if (o.verdict != ANSWER_UNDECIDED) {
            return o;
        }
    }
    bool chain = x->n > 2 || node_has(x, NODE_APPLY, 0);
    return straight.verdict == ANSWER_DIFFERENT && chain ? straight
                                                         : OUTCOME_UNDECIDED("unlike conditions");
}

/* f(x) in a condition stands for a number: one more symbol. */
static struct node *without_applications(struct judge *j, struct node *x) {
    if (x->kind == NODE_APPLY) {
        return node_leaf(j->a, NODE_SYM, 0, node_canonical(x, j->a));
    }
    if (x->n == 0) {
        return x;
    }
    struct node *copy = node_n(j->a, x->kind, x->op, x->kids, x->n);
    copy->name = x->name;
    copy->unit = x->unit;
    for (size_t i = 0; i < x->n; i++) {
        copy->kids[i] = without_applications(j, x->kids[i]);
    }
    return copy;
}

struct outcome region_compare(struct judge *j, struct node *gold, struct node *given) {
    struct symbols both = {0}, mine = {0}, theirs = {0};
    struct node *x = without_applications(j, gold), *y = without_applications(j, given);
    symbols_add(&mine, x);
    symbols_add(&theirs, y);
    symbols_add(&both, x);
    symbols_add(&both, y);
    bool statement = both.n == 0 && (x->kind == NODE_REL || y->kind == NODE_REL);
    if (statement) { /* "tan 1 > sin 1": about its sides, not about whether it holds */
        return several_variables(j, gold, given);
    }
    if (both.n <= 1) {
        return one_variable(j, &both, x, y);
    }
    return several_variables(j, x, y);
}
