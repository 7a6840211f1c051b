/* Calculus of polynomials and rational functions: every answer is exact. */
#include "sim/family.h"

static struct str piece_poly(struct item *it, const struct poly *p) {
    tex_begin(it);
    tex_poly(it, p, 'x', TEX_FRAC, false);
    return tex_end(it);
}

static struct poly draw_poly(struct rng *r, int terms, int64_t max) {
    int64_t c[POLY_TERMS_MAX];
    for (int i = 0; i < terms; i++) {
        c[i] = family_nonzero(r, -max, max);
    }
    return poly_of(c, terms);
}

static void definite_integral(struct item *it, struct rng *r) {
    struct poly p = draw_poly(r, (int)rng_range(r, 3, 4), 12), q = poly_integral(p);
    int64_t lo = rng_range(r, -5, 4), hi = rng_range(r, lo + 1, 7);
    struct rat at_lo = poly_at(q, rat_int(lo)), at_hi = poly_at(q, rat_int(hi));
    struct rat value = rat_sub(at_hi, at_lo);
    struct str text = piece_poly(it, &p);
    item_problem(it, "%s $\\int_{%lld}^{%lld} \\left(%.*s\\right) \\, dx$%s",
                 FAMILY_SAY(r, "Evaluate", "Compute the definite integral", "Find the value of"),
                 (long long)lo, (long long)hi, STR_ARG(text),
                 FAMILY_SAY(r, ".", " exactly.", " as an exact number."));
    item_right_rat(it, value);
    item_wrong_rat(it, rat_neg(value));
    item_wrong_rat(it, rat_add(at_hi, at_lo));
    item_wrong_rat(it, rat_sub(poly_at(p, rat_int(hi)), poly_at(p, rat_int(lo))));
    item_wrong_rat(it, at_hi);
    item_wrong_rat(it, rat_add(value, rat_int(1)));
    item_hint(it, "Integrate term by term with the power rule.");
    item_hint(it, "An antiderivative begins with $\\frac{%lld}{%d}x^{%d}$.",
              (long long)p.c[p.n - 1].n, p.n, p.n);
    item_hint(it, "Subtract its value at $%lld$ from its value at $%lld$.", (long long)lo,
              (long long)hi);
}

static void product_derivative(struct item *it, struct rng *r) {
    struct poly p = draw_poly(r, 2, 9), q = draw_poly(r, 3, 9), right, slip;
    do { /* no zero coefficient to hide a slip in */
        p = draw_poly(r, 2, 9), q = draw_poly(r, 3, 9);
        right = poly_derivative(poly_mul(p, q));
    } while (right.c[0].n == 0 || right.c[1].n == 0);
    struct str one = piece_poly(it, &p), other = piece_poly(it, &q);
    item_problem(it, "%s $f(x) = (%.*s)(%.*s)$%s",
                 FAMILY_SAY(r, "Find $f'(x)$ for", "Differentiate", "Compute the derivative of"),
                 STR_ARG(one), STR_ARG(other),
                 FAMILY_SAY(r, " and expand the result.", "; give an expanded polynomial."));
    item_right_poly(it, &right, 'x');
    slip = poly_mul(poly_derivative(p), poly_derivative(q));
    item_wrong_poly(it, &slip, 'x');
    slip = right;
    slip.c[0] = rat_neg(slip.c[0]);
    item_wrong_poly(it, &slip, 'x');
    slip = right;
    slip.c[1] = rat_mul(slip.c[1], rat_int(2));
    item_wrong_poly(it, &slip, 'x');
    slip = poly_mul(poly_derivative(p), q);
    item_wrong_poly(it, &slip, 'x');
    item_hint(it, "Use the product rule, or expand first.");
    item_hint(it, "The derivative of the first factor is the constant $%lld$.",
              (long long)p.c[1].n);
    item_hint(it, "The result has degree $2$.");
}

static void rational_limit(struct item *it, struct rng *r) {
    int64_t a = rng_range(r, -9, 9);
    struct poly zero = poly_of((int64_t[]){-a, 1}, 2), p, q;
    do {
        p = draw_poly(r, 2, 12), q = draw_poly(r, 2, 12);
    } while (poly_at(p, rat_int(a)).n == 0 || poly_at(q, rat_int(a)).n == 0);
    struct rat top = poly_at(p, rat_int(a)), bottom = poly_at(q, rat_int(a));
    struct rat value = rat_div(top, bottom);
    struct poly above = poly_mul(p, zero), below = poly_mul(q, zero);
    struct str num = piece_poly(it, &above), den = piece_poly(it, &below);
    item_problem(it, "%s $\\lim_{x \\to %lld} \\frac{%.*s}{%.*s}$%s",
                 FAMILY_SAY(r, "Evaluate", "Find", "Compute the limit"), (long long)a, STR_ARG(num),
                 STR_ARG(den), FAMILY_SAY(r, ".", " exactly."));
    item_right_rat(it, value);
    item_wrong_rat(it, rat_neg(value));
    item_wrong_rat(it, rat_div(bottom, top));
    item_wrong_rat(it, rat_div(above.c[above.n - 1], below.c[below.n - 1]));
    item_wrong_rat(it, rat_int(0));
    item_wrong_rat(it, rat_add(value, rat_int(1)));
    item_hint(it, "Both numerator and denominator vanish at $x = %lld$.", (long long)a);
    item_hint(it, "Factor out the common linear factor and cancel it.");
    item_hint(it, "After cancelling, the numerator takes the value $%lld$.", (long long)top.n);
}

static void item_line(struct item *it, struct rat slope, struct rat shift, bool right) {
    struct poly line = {.c = {shift, slope}, .n = slope.n != 0 ? 2 : shift.n != 0 ? 1 : 0};
    struct str text = piece_poly(it, &line);
    if (!right) {
        item_wrong(it, item_fmt(it, "y = %.*s", STR_ARG(text)));
        return;
    }
    item_right(it, item_fmt(it, "y = %.*s", STR_ARG(text)));
    item_right(it, item_fmt(it, "%.*s", STR_ARG(text)));
    tex_begin(it);
    tex_put(it, "y = ");
    tex_poly(it, &line, 'x', TEX_FRAC, true);
    item_right(it, tex_end(it));
    tex_begin(it);
    tex_put(it, "y = ");
    tex_poly(it, &line, 'x', TEX_DECIMAL, false);
    item_right(it, tex_end(it));
}

static void tangent_line(struct item *it, struct rng *r) {
    struct poly p = draw_poly(r, 4, 9), d = poly_derivative(p);
    struct rat x = rat(family_nonzero(r, -5, 5), rng_range(r, 1, 2));
    struct rat slope = poly_at(d, x), y = poly_at(p, x);
    struct rat shift = rat_sub(y, rat_mul(slope, x));
    struct str text = piece_poly(it, &p);
    tex_begin(it);
    tex_rat(it, x, TEX_FRAC);
    struct str at = tex_end(it);
    item_problem(it, "%s of the tangent to the graph of $f(x) = %.*s$ at $x = %.*s$%s",
                 FAMILY_SAY(r, "Find the equation", "Determine an equation", "Give the equation"),
                 STR_ARG(text), STR_ARG(at),
                 FAMILY_SAY(r, " in the form $y = mx + b$.", ", solved for $y$."));
    item_line(it, slope, shift, true);
    item_line(it, slope, y, false);
    item_line(it, rat_neg(slope), shift, false);
    item_line(it, slope, rat_neg(rat_add(shift, rat_int(1))), false);
    item_line(it, slope, rat_add(shift, rat_int(1)), false);
    item_line(it, rat_add(slope, rat_int(1)), shift, false);
    item_hint(it, "The slope is the derivative at the point.");
    item_hint(it, "Find $f'(x)$ with the power rule; it is a quadratic.");
    item_hint(it, "The line passes through the point $(x_0, f(x_0))$ with $x_0 = %.*s$.",
              STR_ARG(at));
}

static void cubic_extremum(struct item *it, struct rng *r) {
    int64_t p = rng_range(r, -8, 7), q = rng_range(r, p + 1, 9), k = family_nonzero(r, -6, 6);
    struct poly d = poly_scale(
        poly_mul(poly_of((int64_t[]){-p, 1}, 2), poly_of((int64_t[]){-q, 1}, 2)), rat_int(k));
    struct poly f = poly_add(poly_integral(d), poly_of((int64_t[]){rng_range(r, -30, 30)}, 1));
    struct rat at_p = poly_at(f, rat_int(p)), at_q = poly_at(f, rat_int(q));
    bool maximum = rng_chance(r, 0.5);
    struct rat value = (k > 0) == maximum ? at_p : at_q, other = (k > 0) == maximum ? at_q : at_p;
    struct str text = piece_poly(it, &f);
    item_problem(it, "%s local %s value of $f(x) = %.*s$%s",
                 FAMILY_SAY(r, "Find the", "Determine the", "What is the"),
                 maximum ? "maximum" : "minimum", STR_ARG(text),
                 FAMILY_SAY(r, " on the real line.", ", $x$ real.", "."));
    item_right_rat(it, value);
    item_wrong_rat(it, other);
    item_wrong_rat(it, rat_neg(value));
    item_wrong_rat(it, rat_int(p));
    item_wrong_rat(it, rat_sub(value, f.n > 0 ? f.c[0] : rat_int(1)));
    item_wrong_rat(it, rat_add(value, rat_int(1)));
    item_hint(it, "The derivative is a quadratic with integer zeros.");
    item_hint(it, "The critical points are $x = %lld$ and $x = %lld$.", (long long)p, (long long)q);
    item_hint(it, "The sign of the leading coefficient tells which of them is the %s.",
              maximum ? "maximum" : "minimum");
}

const struct family families_calculus[] = {
    {"definite_integral", "Calculus", "Definite integrals", definite_integral},
    {"product_derivative", "Calculus", "Derivatives", product_derivative},
    {"rational_limit", "Calculus", "Limits", rational_limit},
    {"tangent_line", "Calculus", "Tangent lines", tangent_line},
    {"cubic_extremum", "Calculus", "Extrema", cubic_extremum},
    {0},
};
