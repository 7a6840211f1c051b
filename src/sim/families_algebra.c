/* Equations, inequalities, polynomials, complex numbers. Each family: draw, solve, slip. */
#include "sim/family.h"

static struct str piece_poly(struct item *it, const struct poly *p, char var) {
    tex_begin(it);
    tex_poly(it, p, var, TEX_FRAC, false);
    return tex_end(it);
}

/* a·x + b·y */
static struct str piece_xy(struct item *it, int64_t a, int64_t b) {
    tex_begin(it);
    tex_times(it, rat_int(a), "x", TEX_FRAC);
    tex_put(it, b < 0 ? " - " : " + ");
    tex_times(it, rat_int(b < 0 ? -b : b), "y", TEX_FRAC);
    return tex_end(it);
}

static void linear_system(struct item *it, struct rng *r) {
    int64_t a, b, c, d;
    do {
        a = family_nonzero(r, -12, 12), b = family_nonzero(r, -12, 12);
        c = family_nonzero(r, -12, 12), d = family_nonzero(r, -12, 12);
    } while (a * d == b * c);
    int64_t e = rng_range(r, -40, 40), f = rng_range(r, -40, 40), det = a * d - b * c;
    struct rat xy[] = {rat(e * d - b * f, det), rat(a * f - e * c, det)};
    struct str first = piece_xy(it, a, b), second = piece_xy(it, c, d);
    item_problem(it, "%s the system $%.*s = %lld$, $%.*s = %lld$ for real $x$ and $y$%s",
                 FAMILY_SAY(r, "Solve", "Find the solution of", "Determine the solution of"),
                 STR_ARG(first), (long long)e, STR_ARG(second), (long long)f,
                 FAMILY_SAY(r, " and give $(x, y)$.", ". Answer with the pair $(x, y)$."));
    item_right_tuple(it, xy, 2);
    item_wrong_tuple(it, (struct rat[]){xy[1], xy[0]}, 2);
    item_wrong_tuple(it, (struct rat[]){xy[0], rat_neg(xy[1])}, 2);
    item_wrong_tuple(it, (struct rat[]){rat(e * d + b * f, det), xy[1]}, 2);
    item_wrong_tuple(it, (struct rat[]){rat_add(xy[0], rat_int(1)), xy[1]}, 2);
    item_hint(it,
              "Eliminate one unknown: multiply the first equation by $%lld$ and the second by "
              "$%lld$.",
              (long long)d, (long long)b);
    item_hint(it, "The determinant of the coefficients is $%lld$, so there is one solution.",
              (long long)det);
    item_hint(it, "Cramer's rule gives both unknowns as fractions over that determinant.");
}

static void quadratic_root(struct item *it, struct rng *r) {
    int64_t a, b, c, disc;
    struct surd root;
    do {
        a = rng_range(r, 1, 15), b = family_nonzero(r, -40, 40), c = family_nonzero(r, -40, 40);
        disc = b * b - 4 * a * c;
        root = surd(rat(-b, 2 * a), rat(1, 2 * a), disc > 0 ? disc : 0);
    } while (disc <= 0 || root.b.n == 0);
    struct poly p = poly_of((int64_t[]){c, b, a}, 3);
    struct str text = piece_poly(it, &p, 'x');
    item_problem(it, "%s root of the equation $%.*s = 0$%s",
                 FAMILY_SAY(r, "Find the larger", "Determine the greater", "What is the largest"),
                 STR_ARG(text), FAMILY_SAY(r, " in exact form.", ". Simplify radicals.", "."));
    item_right_surd(it, root);
    item_wrong_surd(it, (struct surd){root.a, rat_neg(root.b), root.r});
    item_wrong_surd(it, (struct surd){rat_neg(root.a), root.b, root.r});
    item_wrong_surd(it, surd(rat(-b, a), rat(1, a), disc));
    item_wrong_surd(it, surd(rat(-b, 2 * a), rat(1, 2 * a), b * b + (c < 0 ? -4 * c : 4 * c) * a));
    item_hint(it, "Use the quadratic formula with $a = %lld$, $b = %lld$, $c = %lld$.",
              (long long)a, (long long)b, (long long)c);
    item_hint(it, "The discriminant is $%lld$.", (long long)disc);
    item_hint(it, "Take squares out of the root before you cancel common factors.");
}

static void vieta_sum(struct item *it, struct rng *r) {
    int64_t a = rng_range(r, 2, 15), b = family_nonzero(r, -60, 60), c = family_nonzero(r, -60, 60);
    struct rat s = rat(-b, a), p = rat(c, a), square = rat_mul(s, s);
    bool cubes = rng_chance(r, 0.5);
    struct rat two_p = rat_mul(rat_int(2), p);
    struct rat value = cubes ? rat_sub(rat_mul(square, s), rat_mul(rat_mul(rat_int(3), p), s))
                             : rat_sub(square, two_p);
    struct poly poly = poly_of((int64_t[]){c, b, a}, 3);
    struct str text = piece_poly(it, &poly, 'x');
    item_problem(it, "%s $\\alpha$ and $\\beta$ be the complex roots of $%.*s = 0$. %s $%s$.",
                 FAMILY_SAY(r, "Let", "Now let"), STR_ARG(text),
                 FAMILY_SAY(r, "Find the exact value of", "Compute", "Evaluate"),
                 cubes ? "\\alpha^3 + \\beta^3" : "\\alpha^2 + \\beta^2");
    item_right_rat(it, value);
    item_wrong_rat(it, cubes ? rat_add(rat_mul(square, s), rat_mul(rat_mul(rat_int(3), p), s))
                             : rat_add(square, two_p));
    item_wrong_rat(it, cubes ? rat_neg(value) : square);
    item_wrong_rat(it, cubes ? rat_mul(square, s) : rat_sub(square, p));
    item_wrong_rat(it, rat_add(value, rat_int(1)));
    item_hint(it, "By Vieta's formulas the sum of the roots is $-\\frac{b}{a}$.");
    item_hint(it, "Their product is $\\frac{c}{a}$ with $c = %lld$ and $a = %lld$.", (long long)c,
              (long long)a);
    item_hint(it, "Write the expression in terms of the sum and the product; the roots themselves "
                  "are not needed.");
}

static void polynomial_product(struct item *it, struct rng *r) {
    struct poly p = poly_of((int64_t[]){family_nonzero(r, -9, 9), family_nonzero(r, -9, 9)}, 2);
    struct poly q = poly_of(
        (int64_t[]){family_nonzero(r, -9, 9), family_nonzero(r, -9, 9), family_nonzero(r, -9, 9)},
        3);
    struct poly right = poly_mul(p, q), slip = right;
    struct str one = piece_poly(it, &p, 'x'), other = piece_poly(it, &q, 'x');
    item_problem(it, "%s $(%.*s)(%.*s)$ %s",
                 FAMILY_SAY(r, "Expand", "Multiply out", "Write the product"), STR_ARG(one),
                 STR_ARG(other),
                 FAMILY_SAY(r, "and collect like terms.", "as a polynomial in standard form."));
    item_right_poly(it, &right, 'x');
    slip.c[0] = rat_neg(right.c[0]);
    item_wrong_poly(it, &slip, 'x');
    slip = right;
    slip.c[3] = rat_add(right.c[3], rat_int(right.c[3].n == -1 ? 2 : 1));
    item_wrong_poly(it, &slip, 'x');
    slip = right;
    slip.c[1] = rat_sub(right.c[1], rat_mul(rat_int(2), rat_mul(p.c[1], q.c[0])));
    item_wrong_poly(it, &slip, 'x');
    item_hint(it, "Multiply every term of the first factor by every term of the second.");
    item_hint(it, "The leading coefficient is the product of the leading coefficients.");
    item_hint(it, "The constant term is the product of the constant terms: $%lld$.",
              (long long)right.c[0].n);
}

/* Interval(s) between @lo and @hi in one of the usual ways to write them. */
static struct str piece_interval(struct item *it, struct rat lo, struct rat hi, bool inside,
                                 bool closed, enum tex_style style, bool sized) {
    tex_begin(it);
    if (inside) {
        tex_put(it, sized ? "\\left" : "");
        tex_char(it, closed ? '[' : '(');
        tex_list(it, (struct rat[]){lo, hi}, 2, style);
        tex_put(it, sized ? "\\right" : "");
        tex_char(it, closed ? ']' : ')');
    } else {
        tex_put(it, "(-\\infty, ");
        tex_rat(it, lo, style);
        tex_put(it, closed ? "] \\cup [" : ") \\cup (");
        tex_rat(it, hi, style);
        tex_put(it, ", \\infty)");
    }
    return tex_end(it);
}

/* "a \le x \le b", "x < a or x > b" */
static struct str piece_inequality(struct item *it, struct rat lo, struct rat hi, bool inside,
                                   bool closed) {
    tex_begin(it);
    if (inside) {
        tex_rat(it, lo, TEX_FRAC);
        tex_put(it, closed ? " \\le x \\le " : " < x < ");
        tex_rat(it, hi, TEX_FRAC);
    } else {
        tex_put(it, closed ? "x \\le " : "x < ");
        tex_rat(it, lo, TEX_FRAC);
        tex_put(it, closed ? " \\text{ or } x \\ge " : " \\text{ or } x > ");
        tex_rat(it, hi, TEX_FRAC);
    }
    return tex_end(it);
}

static void item_interval(struct item *it, struct rat lo, struct rat hi, bool inside, bool closed) {
    item_right(it, piece_interval(it, lo, hi, inside, closed, TEX_FRAC, false));
    item_right(it, piece_interval(it, lo, hi, inside, closed, TEX_FRAC, true));
    item_right(it, piece_interval(it, lo, hi, inside, closed, TEX_SLASH, false));
    item_right(it, piece_interval(it, lo, hi, inside, closed, TEX_DECIMAL, false));
    item_right(it, piece_inequality(it, lo, hi, inside, closed));
    item_wrong(it, piece_interval(it, lo, hi, !inside, closed, TEX_FRAC, false));
    item_wrong(it, piece_interval(it, lo, hi, inside, !closed, TEX_FRAC, false));
    item_wrong(it, piece_interval(it, rat_neg(hi), rat_neg(lo), inside, closed, TEX_FRAC, false));
    item_wrong(it,
               piece_interval(it, lo, rat_add(hi, rat_int(1)), inside, closed, TEX_FRAC, false));
}

static void quadratic_inequality(struct item *it, struct rng *r) {
    struct rat one, other;
    do {
        one = family_rat(r, 15, 6), other = family_rat(r, 15, 6);
    } while (rat_eq(one, other));
    struct rat lo = rat_cmp(one, other) < 0 ? one : other;
    struct rat hi = rat_cmp(one, other) < 0 ? other : one;
    struct poly p = poly_mul(poly_of((int64_t[]){-lo.n, lo.d}, 2),
                             poly_of((int64_t[]){-hi.n, hi.d}, 2)); /* (d·x - n)(d·x - n) */
    bool inside = rng_chance(r, 0.5), closed = rng_chance(r, 0.5), turned = rng_chance(r, 0.4);
    p = turned ? poly_scale(p, rat_int(-1)) : p;
    struct str text = piece_poly(it, &p, 'x');
    bool less = inside != turned;
    item_problem(it, "%s $%.*s %s 0$%s",
                 FAMILY_SAY(r, "Find all real $x$ with", "Solve the inequality",
                            "Determine the set of real numbers $x$ such that"),
                 STR_ARG(text),
                 less     ? closed ? "\\le" : "<"
                 : closed ? "\\ge"
                          : ">",
                 FAMILY_SAY(r, ". Answer in interval notation.", " (as an interval or a union)."));
    item_interval(it, lo, hi, inside, closed);
    item_hint(it, "Find the two zeros of the quadratic first; both are rational.");
    item_hint(it, "The parabola opens %s.", turned ? "downwards" : "upwards");
    item_hint(it, "The endpoints %s to the set.", closed ? "belong" : "do not belong");
}

static void absolute_inequality(struct item *it, struct rng *r) {
    int64_t a = rng_range(r, 2, 19), b = family_nonzero(r, -60, 60), c = rng_range(r, 1, 80);
    bool inside = rng_chance(r, 0.6), closed = rng_chance(r, 0.5);
    struct poly p = poly_of((int64_t[]){b, a}, 2);
    struct str text = piece_poly(it, &p, 'x');
    item_problem(it, "%s $\\left|%.*s\\right| %s %lld$%s",
                 FAMILY_SAY(r, "Solve", "Find all real solutions of", "For which real $x$ is"),
                 STR_ARG(text),
                 inside   ? closed ? "\\le" : "<"
                 : closed ? "\\ge"
                          : ">",
                 (long long)c,
                 FAMILY_SAY(r, "? Use interval notation.", ", as an interval or union."));
    item_interval(it, rat(-c - b, a), rat(c - b, a), inside, closed);
    item_hint(it, "Replace the absolute value by two inequalities without one.");
    item_hint(it, "The expression inside vanishes at $x = %s\\frac{%lld}{%lld}$.", b > 0 ? "-" : "",
              (long long)(b < 0 ? -b : b), (long long)a);
    item_hint(it, "The set is symmetric about that point.");
}

static struct str piece_complex(struct item *it, struct rat re, struct rat im, enum tex_style style,
                                const char *i) {
    tex_begin(it);
    if (re.n != 0 || im.n == 0) {
        tex_rat(it, re, style);
    }
    if (im.n != 0) {
        bool alone = re.n == 0;
        tex_put(it, alone ? "" : im.n < 0 ? " - " : " + ");
        tex_times(it, alone || im.n > 0 ? im : rat_neg(im), i, style);
    }
    return tex_end(it);
}

static void complex_quotient(struct item *it, struct rng *r) {
    int64_t a = family_nonzero(r, -25, 25), b = family_nonzero(r, -25, 25);
    int64_t c = family_nonzero(r, -12, 12), d = family_nonzero(r, -12, 12), norm = c * c + d * d;
    struct rat re = rat(a * c + b * d, norm), im = rat(b * c - a * d, norm);
    struct str top = piece_complex(it, rat_int(a), rat_int(b), TEX_FRAC, "i");
    struct str bottom = piece_complex(it, rat_int(c), rat_int(d), TEX_FRAC, "i");
    item_problem(it, "%s $\\frac{%.*s}{%.*s}$ in the form $p + qi$ with %s.",
                 FAMILY_SAY(r, "Write", "Express", "Give the quotient"), STR_ARG(top),
                 STR_ARG(bottom), FAMILY_SAY(r, "real $p$ and $q$", "rational $p$ and $q$"));
    item_right(it, piece_complex(it, re, im, TEX_FRAC, "i"));
    item_right(it, piece_complex(it, re, im, TEX_DFRAC, "i"));
    item_right(it, piece_complex(it, re, im, TEX_SLASH, "i"));
    item_right(it, piece_complex(it, re, im, TEX_DECIMAL, "i"));
    item_right(it, item_fmt(it, "\\frac{%lld %s %lldi}{%lld}", (long long)(a * c + b * d),
                            b * c - a * d < 0 ? "-" : "+",
                            (long long)(b * c < a * d ? a * d - b * c : b * c - a * d),
                            (long long)norm));
    item_wrong(it, piece_complex(it, re, rat_neg(im), TEX_FRAC, "i"));
    item_wrong(
        it, piece_complex(it, rat(a * c - b * d, norm), rat(b * c + a * d, norm), TEX_FRAC, "i"));
    item_wrong(it, piece_complex(it, rat_add(re, rat_int(1)), im, TEX_FRAC, "i"));
    item_wrong(it, piece_complex(it, im, re, TEX_FRAC, "i"));
    item_hint(it, "Multiply top and bottom by the conjugate of the denominator.");
    item_hint(it, "The new denominator is $%lld$.", (long long)norm);
    item_hint(it, "Use $i^2 = -1$ and separate real and imaginary parts.");
}

static void exponential_equation(struct item *it, struct rng *r) {
    static const int64_t bases[] = {2, 3, 5, 7};
    int64_t base = bases[rng_below(r, ARRAY_LEN(bases))];
    int j = (int)rng_range(r, 1, 3), k = (int)rng_range(r, 1, 3);
    int64_t a, b, c, d;
    do {
        a = family_nonzero(r, -15, 15), c = family_nonzero(r, -15, 15);
        b = family_nonzero(r, -30, 30), d = family_nonzero(r, -30, 30);
    } while (j * a == k * c);
    struct rat x = rat(k * d - j * b, j * a - k * c);
    struct poly p = poly_of((int64_t[]){b, a}, 2), q = poly_of((int64_t[]){d, c}, 2);
    struct str left = piece_poly(it, &p, 'x'), right = piece_poly(it, &q, 'x');
    item_problem(it, "%s $%lld^{%.*s} = %lld^{%.*s}$%s",
                 FAMILY_SAY(r, "Solve for real $x$:", "Find the real number $x$ with",
                            "Determine the real solution of"),
                 (long long)i64_pow(base, j), STR_ARG(left), (long long)i64_pow(base, k),
                 STR_ARG(right), FAMILY_SAY(r, ".", " exactly."));
    item_right_rat(it, x);
    item_wrong_rat(it, rat_neg(x));
    item_wrong_rat(it, rat(j * d - k * b == 0 ? 1 : j * d - k * b, j * a - k * c));
    item_wrong_rat(it, rat_add(x, rat_int(1)));
    item_wrong_rat(it, rat(k * d + j * b, j * a - k * c));
    item_hint(it, "Write both sides as powers of $%lld$.", (long long)base);
    item_hint(it, "Equal powers of one base have equal exponents.");
    item_hint(it, "That leaves a linear equation in $x$.");
}

const struct family families_algebra[] = {
    {"linear_system", "Algebra", "Systems of linear equations", linear_system},
    {"quadratic_root", "Algebra", "Quadratic equations", quadratic_root},
    {"vieta_sum", "Algebra", "Symmetric functions of roots", vieta_sum},
    {"polynomial_product", "Algebra", "Polynomials", polynomial_product},
    {"quadratic_inequality", "Algebra", "Inequalities", quadratic_inequality},
    {"absolute_inequality", "Algebra", "Absolute values", absolute_inequality},
    {"complex_quotient", "Complex Numbers", "Arithmetic of complex numbers", complex_quotient},
    {"exponential_equation", "Algebra", "Exponential equations", exponential_equation},
    {0},
};
