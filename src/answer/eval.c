/* Ball arithmetic over the tree. A ball holds the true value, so two balls that do not touch prove
 * two values different; nothing here rounds without widening its ball.
 *
 * Real input keeps an exact zero as imaginary part through every real function, which is how
 * callers tell a real value from one that merely looks real. Sizes are checked before FLINT sees
 * them: it aborts on what it cannot allocate. */
#include "answer/eval.h"

#include <acb_mat.h>
#include <arb.h>
#include <math.h>
#include <string.h>

#define EXPONENT_MAX 1e12 /* natural logarithm of the largest value */
#define FACTORIAL_MAX 1e12
#define SUM_TERMS_MAX 3000
#define DET_SIZE_MAX 8

typedef void one_fn(acb_t ret, const acb_t x, slong precision);

/* An upper bound of |x| as a double; infinity if there is none. */
static double upper(const acb_t x) {
    mag_t m;
    mag_init(m);
    acb_get_mag(m, x);
    double d = mag_is_inf(m) || mag_cmp_2exp_si(m, 1000) > 0 ? HUGE_VAL : mag_get_d(m);
    mag_clear(m);
    return d;
}

static bool exact_int(const acb_t x, slong *ret) {
    fmpz_t n;
    fmpz_init(n);
    bool ok = acb_is_real(x) && arb_is_exact(acb_realref(x)) &&
              arb_get_unique_fmpz(n, acb_realref(x)) && fmpz_bits(n) < 62;
    *ret = ok ? fmpz_get_si(n) : 0;
    fmpz_clear(n);
    return ok;
}

static void set_fmpq(acb_t ret, const fmpq_t q, slong precision) {
    arb_set_fmpq(acb_realref(ret), q, precision);
    arb_zero(acb_imagref(ret));
}

/* --- powers --- */

static void note_complex(struct eval *e, const acb_t from, const acb_t to) {
    e->saw_complex = e->saw_complex || (acb_is_real(from) && !acb_is_real(to));
}

/* True if @x is a fraction with an odd denominator beyond 1, such as 1/3. */
static bool odd_root(struct eval *e, const struct node *x) {
    fmpq_t q;
    fmpq_init(q);
    bool odd = eval_exact(e, x, q) && !fmpz_is_one(fmpq_denref(q)) && fmpz_is_odd(fmpq_denref(q));
    fmpq_clear(q);
    return odd;
}

/* The real power of a negative base: (-1)^p |base|^(p/q). */
static bool real_power(struct eval *e, const struct node *power, const acb_t base, const acb_t y,
                       acb_t ret) {
    fmpq_t q;
    fmpq_init(q);
    bool ok = eval_exact(e, power, q);
    bool negative = ok && fmpz_is_odd(fmpq_numref(q));
    fmpq_clear(q);
    acb_neg(ret, base);
    acb_pow(ret, ret, y, e->precision);
    if (negative) {
        acb_neg(ret, ret);
    }
    return ok;
}

static bool power_too_big(const acb_t base, const acb_t y) {
    acb_t l;
    acb_init(l);
    acb_log(l, base, 30);
    acb_mul(l, l, y, 30);
    double size = upper(l);
    acb_clear(l);
    return !(size < EXPONENT_MAX);
}

static bool power(struct eval *e, const struct node *y_node, const acb_t base, const acb_t y,
                  acb_t ret) {
    slong n;
    bool integer = exact_int(y, &n);
    if (acb_is_zero(base)) {
        if (!arb_is_positive(acb_realref(y)) || !acb_is_real(y)) {
            return integer && n == 0 ? (acb_one(ret), true) : false;
        }
        acb_zero(ret);
        return true;
    }
    if (integer && n >= -8 && n <= 8) {
        acb_pow_si(ret, base, n, e->precision);
        return true;
    }
    if (power_too_big(base, y)) {
        return false;
    }
    if (integer) {
        acb_pow_si(ret, base, n, e->precision);
        return true;
    }
    if (acb_is_real(base) && arb_is_negative(acb_realref(base)) && odd_root(e, y_node)) {
        e->saw_odd_root = true;
        if (e->real_roots) {
            return real_power(e, y_node, base, y, ret);
        }
    }
    acb_pow(ret, base, y, e->precision);
    note_complex(e, base, ret);
    return true;
}

static bool eval_power(struct eval *e, const struct node *x, acb_t ret) {
    acb_t base, y;
    acb_init(base);
    acb_init(y);
    bool ok = eval_ball(e, x->kids[0], base) && eval_ball(e, x->kids[1], y) &&
              power(e, x->kids[1], base, y, ret);
    acb_clear(base);
    acb_clear(y);
    return ok;
}

/* \sqrt[n]{x}: the real root where there is one. */
static bool eval_root(struct eval *e, const struct node *x, acb_t ret) {
    acb_t base, n;
    acb_init(base);
    acb_init(n);
    slong k;
    bool ok =
        eval_ball(e, x->kids[0], base) && eval_ball(e, x->kids[1], n) && !acb_contains_zero(n);
    if (ok && exact_int(n, &k) && k % 2 != 0 && acb_is_real(base) &&
        arb_is_negative(acb_realref(base))) {
        acb_inv(n, n, e->precision);
        acb_neg(base, base);
        acb_pow(ret, base, n, e->precision);
        acb_neg(ret, ret);
    } else if (ok) {
        acb_inv(n, n, e->precision);
        ok = power(e, x->kids[1], base, n, ret);
    }
    acb_clear(base);
    acb_clear(n);
    return ok;
}

/* --- factorials --- */

static bool factorial(struct eval *e, acb_t x, int times) {
    for (int i = 0; i < times; i++) {
        slong n;
        if (exact_int(x, &n) && (n == 1 || n == 2)) {
            return true;
        }
        if (upper(x) > FACTORIAL_MAX || !eval_work(e, 20)) {
            return false;
        }
        acb_add_ui(x, x, 1, e->precision);
        acb_gamma(x, x, e->precision);
    }
    return acb_is_finite(x);
}

static bool binomial(struct eval *e, const acb_t n, const acb_t k, acb_t ret) {
    slong a, b;
    if (upper(n) > FACTORIAL_MAX || upper(k) > FACTORIAL_MAX || !eval_work(e, 40)) {
        return false;
    }
    if (exact_int(n, &a) && exact_int(k, &b) && a >= 0 && (b < 0 || b > a)) {
        acb_zero(ret);
        return true;
    }
    acb_t u;
    acb_init(u);
    acb_add_ui(u, k, 1, e->precision);
    acb_rgamma(ret, u, e->precision);
    acb_sub(u, n, k, e->precision);
    acb_add_ui(u, u, 1, e->precision);
    acb_rgamma(u, u, e->precision);
    acb_mul(ret, ret, u, e->precision);
    acb_add_ui(u, n, 1, e->precision);
    acb_gamma(u, u, e->precision);
    acb_mul(ret, ret, u, e->precision);
    acb_clear(u);
    return true;
}

/* --- functions of one argument --- */

static void fn_log(acb_t ret, const acb_t x, slong p) {
    acb_log(ret, x, p);
}

static void fn_asec(acb_t ret, const acb_t x, slong p) {
    acb_inv(ret, x, p);
    acb_acos(ret, ret, p);
}

static void fn_acsc(acb_t ret, const acb_t x, slong p) {
    acb_inv(ret, x, p);
    acb_asin(ret, ret, p);
}

static void fn_acot(acb_t ret, const acb_t x, slong p) {
    acb_inv(ret, x, p);
    acb_atan(ret, ret, p);
}

static void fn_abs(acb_t ret, const acb_t x, slong p) {
    acb_abs(acb_realref(ret), x, p);
    arb_zero(acb_imagref(ret));
}

static void fn_floor(acb_t ret, const acb_t x, slong p) {
    arb_floor(acb_realref(ret), acb_realref(x), p);
    arb_floor(acb_imagref(ret), acb_imagref(x), p);
}

static void fn_ceil(acb_t ret, const acb_t x, slong p) {
    arb_ceil(acb_realref(ret), acb_realref(x), p);
    arb_ceil(acb_imagref(ret), acb_imagref(x), p);
}

static void fn_sgn(acb_t ret, const acb_t x, slong p) {
    if (acb_is_real(x)) {
        arb_sgn(acb_realref(ret), acb_realref(x));
        arb_zero(acb_imagref(ret));
    } else {
        acb_sgn(ret, x, p);
    }
}

static void fn_re(acb_t ret, const acb_t x, slong p) {
    (void)p;
    arb_set(acb_realref(ret), acb_realref(x));
    arb_zero(acb_imagref(ret));
}

static void fn_im(acb_t ret, const acb_t x, slong p) {
    (void)p;
    arb_set(acb_realref(ret), acb_imagref(x));
    arb_zero(acb_imagref(ret));
}

static void fn_arg(acb_t ret, const acb_t x, slong p) {
    acb_arg(acb_realref(ret), x, p);
    arb_zero(acb_imagref(ret));
}

static void fn_conj(acb_t ret, const acb_t x, slong p) {
    (void)p;
    acb_conj(ret, x);
}

static one_fn *const one_functions[AST_FUNC_COUNT] = {
    [AST_SIN] = acb_sin,     [AST_COS] = acb_cos,     [AST_TAN] = acb_tan,
    [AST_COT] = acb_cot,     [AST_SEC] = acb_sec,     [AST_CSC] = acb_csc,
    [AST_ASIN] = acb_asin,   [AST_ACOS] = acb_acos,   [AST_ATAN] = acb_atan,
    [AST_ACOT] = fn_acot,    [AST_ASEC] = fn_asec,    [AST_ACSC] = fn_acsc,
    [AST_SINH] = acb_sinh,   [AST_COSH] = acb_cosh,   [AST_TANH] = acb_tanh,
    [AST_COTH] = acb_coth,   [AST_SECH] = acb_sech,   [AST_CSCH] = acb_csch,
    [AST_ASINH] = acb_asinh, [AST_ACOSH] = acb_acosh, [AST_ATANH] = acb_atanh,
    [AST_EXP] = acb_exp,     [AST_LN] = fn_log,       [AST_SQRT] = acb_sqrt,
    [AST_ABS] = fn_abs,      [AST_FLOOR] = fn_floor,  [AST_CEIL] = fn_ceil,
    [AST_SGN] = fn_sgn,      [AST_RE] = fn_re,        [AST_IM] = fn_im,
    [AST_ARG] = fn_arg,      [AST_CONJ] = fn_conj,
};

static void log_base10(acb_t x, slong precision) {
    acb_t ten;
    acb_init(ten);
    acb_set_ui(ten, 10);
    acb_log(ten, ten, precision);
    acb_div(x, x, ten, precision);
    acb_clear(ten);
}

static bool function_one(struct eval *e, int func, acb_t x) {
    bool exponential = func == AST_EXP || (func >= AST_SINH && func <= AST_CSCH);
    if (exponential && !(upper(x) < EXPONENT_MAX)) {
        return false;
    }
    if (func == AST_FACTORIAL || func == AST_GAMMA) {
        return factorial(e, x, 1);
    }
    if (func == AST_LOG || func == AST_LG) {
        e->saw_complex = e->saw_complex || (acb_is_real(x) && !arb_is_nonnegative(acb_realref(x)));
        acb_log(x, x, e->precision);
        e->saw_log = e->saw_log || func == AST_LOG;
        if (func == AST_LG || e->log10) {
            log_base10(x, e->precision);
        }
        return true;
    }
    if (func == AST_MIN || func == AST_MAX) {
        return true;
    }
    if (one_functions[func] == NULL) {
        return false;
    }
    bool real = acb_is_real(x);
    one_functions[func](x, x, e->precision);
    e->saw_complex = e->saw_complex || (real && !acb_is_real(x));
    return true;
}

/* --- functions of several arguments --- */

static bool integer_two(int func, const acb_t a, const acb_t b, acb_t ret) {
    slong x, y;
    if (!exact_int(a, &x) || !exact_int(b, &y) || (func == AST_MOD && y == 0)) {
        return false;
    }
    fmpz_t m, n;
    fmpz_init_set_si(m, x);
    fmpz_init_set_si(n, y);
    if (func == AST_GCD) {
        fmpz_gcd(m, m, n);
    } else if (func == AST_LCM) {
        fmpz_lcm(m, m, n);
    } else {
        fmpz_fdiv_r(m, m, n);
    }
    acb_set_fmpz(ret, m);
    fmpz_clear(m);
    fmpz_clear(n);
    return true;
}

static bool extreme(int func, const acb_t a, const acb_t b, acb_t ret, slong precision) {
    if (!acb_is_real(a) || !acb_is_real(b)) {
        return false;
    }
    (func == AST_MIN ? arb_min : arb_max)(acb_realref(ret), acb_realref(a), acb_realref(b),
                                          precision);
    arb_zero(acb_imagref(ret));
    return true;
}

static bool function_two(struct eval *e, int func, const acb_t a, const acb_t b, acb_t ret) {
    acb_t u;
    switch (func) {
    case AST_LOG:
        acb_init(u);
        acb_log(u, b, e->precision);
        acb_log(ret, a, e->precision);
        acb_div(ret, ret, u, e->precision);
        acb_clear(u);
        return true;
    case AST_BINOM:
        return binomial(e, a, b, ret);
    case AST_MIN:
    case AST_MAX:
        return extreme(func, a, b, ret, e->precision);
    case AST_GCD:
    case AST_LCM:
    case AST_MOD:
        return integer_two(func, a, b, ret);
    default:
        return false;
    }
}

static bool eval_determinant(struct eval *e, const struct node *m, acb_t ret) {
    slong n = m->op;
    if (m->kind != NODE_MATRIX || n > DET_SIZE_MAX || m->n != (size_t)(n * n)) {
        return false;
    }
    acb_mat_t a;
    acb_mat_init(a, n, n);
    bool ok = eval_work(e, n * n * n);
    for (slong i = 0; ok && i < n * n; i++) {
        ok = eval_ball(e, m->kids[i], acb_mat_entry(a, i / n, i % n));
    }
    if (ok) {
        acb_mat_det(ret, a, e->precision);
    }
    acb_mat_clear(a);
    return ok;
}

static bool eval_function(struct eval *e, const struct node *x, acb_t ret) {
    if (x->op == AST_DET) {
        return eval_determinant(e, x->kids[0], ret);
    }
    if (x->op == AST_ROOT) {
        return x->n == 2 && eval_root(e, x, ret);
    }
    if (!eval_work(e, 2 + e->precision / 128) || x->n == 0 || !eval_ball(e, x->kids[0], ret)) {
        return false;
    }
    if (x->n == 1) {
        return function_one(e, x->op, ret);
    }
    acb_t a, b;
    acb_init(a);
    acb_init(b);
    bool ok = true;
    for (size_t i = 1; ok && i < x->n; i++) {
        acb_set(a, ret);
        ok = eval_ball(e, x->kids[i], b) && function_two(e, x->op, a, b, ret);
    }
    acb_clear(a);
    acb_clear(b);
    return ok;
}

/* An unknown function stands for a smooth one nobody would guess: 2 + sin(q u) + u / 3 summed over
 * its arguments, with q from the point. What holds for it holds for every f, or is a coincidence.
 */
static bool eval_apply(struct eval *e, const struct node *x, acb_t ret) {
    acb_t u, q;
    acb_init(u);
    acb_init(q);
    fmpq_t value;
    fmpq_init(value);
    bool ok = false;
    for (size_t i = 0; e->symbols != NULL && i < e->symbols->n; i++) {
        if (str_eq(e->symbols->names[i], x->name)) {
            fmpq_set(value, &e->values[i]);
            ok = true;
        }
    }
    set_fmpq(q, value, e->precision);
    acb_set_ui(ret, 2);
    for (size_t i = 0; ok && i < x->n; i++) {
        ok = eval_work(e, 3) && eval_ball(e, x->kids[i], u) && upper(u) < EXPONENT_MAX;
        acb_div_ui(q, q, (ulong)i + 1, e->precision);
        acb_addmul(ret, u, q, e->precision);
        acb_mul(u, u, q, e->precision);
        acb_sin(u, u, e->precision);
        acb_add(ret, ret, u, e->precision);
    }
    fmpq_clear(value);
    acb_clear(u);
    acb_clear(q);
    return ok;
}

/* --- sums --- */

static bool eval_bound(struct eval *e, const struct node *x, slong *ret) {
    acb_t u;
    acb_init(u);
    bool ok = eval_ball(e, x, u) && exact_int(u, ret);
    acb_clear(u);
    return ok;
}

static bool eval_sum(struct eval *e, const struct node *x, acb_t ret) {
    slong from, to;
    if (x->op == AST_BIG_OTHER || x->kids[0]->kind != NODE_SYM || e->bound >= 4 ||
        !eval_bound(e, x->kids[1], &from) || !eval_bound(e, x->kids[2], &to) ||
        to - from >= SUM_TERMS_MAX || to < from - 1) {
        return false;
    }
    acb_t u;
    acb_init(u);
    acb_set_ui(ret, x->op == AST_BIG_SUM ? 0 : 1);
    bool ok = true;
    int slot = e->bound++;
    e->bound_name[slot] = x->kids[0]->name;
    for (slong k = from; ok && k <= to; k++) {
        e->bound_value[slot] = k;
        ok = eval_ball(e, x->kids[3], u);
        (x->op == AST_BIG_SUM ? acb_add : acb_mul)(ret, ret, u, e->precision);
    }
    e->bound--;
    acb_clear(u);
    return ok;
}

/* --- arithmetic --- */

static bool eval_many(struct eval *e, const struct node *x, acb_t ret) {
    acb_t y;
    acb_init(y);
    bool add = x->kind == NODE_ADD, ok = eval_ball(e, x->kids[0], ret);
    for (size_t i = 1; ok && i < x->n; i++) {
        ok = eval_ball(e, x->kids[i], y);
        if (ok) {
            (add ? acb_add : acb_mul)(ret, ret, y, e->precision);
        }
    }
    acb_clear(y);
    return ok;
}

static bool eval_div(struct eval *e, const struct node *x, acb_t ret) {
    acb_t y;
    acb_init(y);
    bool ok = eval_ball(e, x->kids[0], ret) && eval_ball(e, x->kids[1], y);
    if (ok) {
        acb_div(ret, ret, y, e->precision);
    }
    acb_clear(y);
    return ok;
}

static bool eval_constant(struct eval *e, int constant, acb_t ret) {
    switch (constant) {
    case AST_PI:
        acb_const_pi(ret, e->precision);
        return true;
    case AST_E:
        arb_const_e(acb_realref(ret), e->precision);
        arb_zero(acb_imagref(ret));
        return true;
    case AST_I:
        acb_onei(ret);
        return true;
    default:
        return false; /* infinity is no number; compare.c looks at it */
    }
}

static bool eval_leaf(struct eval *e, const struct node *x, acb_t ret) {
    fmpq_t q;
    fmpq_init(q);
    bool ok = eval_exact(e, x, q);
    if (ok) {
        set_fmpq(ret, q, e->precision);
    }
    fmpq_clear(q);
    return ok;
}

static bool eval_scaled(struct eval *e, const struct node *x, acb_t ret) {
    if (!eval_ball(e, x->kids[0], ret)) {
        return false;
    }
    if (x->kind == NODE_PERCENT && !e->plain_percent) {
        acb_div_ui(ret, ret, 100, e->precision);
    } else if (x->kind == NODE_DEGREE && !e->plain_degree) {
        arb_t pi;
        arb_init(pi);
        arb_const_pi(pi, e->precision);
        acb_mul_arb(ret, ret, pi, e->precision);
        acb_div_ui(ret, ret, 180, e->precision);
        arb_clear(pi);
    } else if (x->kind == NODE_NEG) {
        acb_neg(ret, ret);
    } else if (x->kind == NODE_PM && x->op * e->pm < 0) {
        acb_neg(ret, ret);
    }
    return true;
}

bool eval_ball(struct eval *e, const struct node *x, acb_t ret) {
    if (!eval_work(e, 1 + e->precision / 256)) {
        return false;
    }
    switch ((int)x->kind) {
    case NODE_NUM:
    case NODE_SYM:
    case NODE_BASED:
        return eval_leaf(e, x, ret);
    case NODE_CONST:
        return eval_constant(e, x->op, ret);
    case NODE_ADD:
    case NODE_MUL:
        return x->n > 0 && eval_many(e, x, ret);
    case NODE_DIV:
        return eval_div(e, x, ret);
    case NODE_POW:
        return eval_power(e, x, ret);
    case NODE_FUNC:
        return eval_function(e, x, ret);
    case NODE_APPLY:
        return eval_apply(e, x, ret);
    case NODE_FACT:
        return x->op == 1 && eval_ball(e, x->kids[0], ret) && factorial(e, ret, 1);
    case NODE_SUM:
        return eval_sum(e, x, ret);
    case NODE_NEG:
    case NODE_PM:
    case NODE_PERCENT:
    case NODE_DEGREE:
        return eval_scaled(e, x, ret);
    default:
        return false;
    }
}

/* Free of symbols; sets @extreme if it, or something in it, is too large or too small. */
static bool constant_extreme(struct eval *e, const struct node *x, slong bits, bool *extreme) {
    bool constant = x->kind < NODE_SUM && x->kind != NODE_SYM && x->kind != NODE_APPLY;
    bool saturates = x->kind == NODE_FUNC && x->op >= AST_SINH && x->op <= AST_CSCH;
    for (size_t i = 0; i < x->n && !*extreme; i++) { /* tanh 3000 is nearly 1 */
        bool free = constant_extreme(e, x->kids[i], saturates ? 8 : bits, extreme);
        constant = constant && free;
    }
    if (!constant || *extreme || (x->kind == NODE_NUM && x->name.n < 20 && bits > 64)) {
        return constant;
    }
    acb_t v;
    mag_t size;
    acb_init(v);
    mag_init(size);
    if (eval_ball(e, x, v) && acb_is_finite(v)) {
        acb_get_mag(size, v);
        bool tiny = !acb_contains_zero(v) && mag_cmp_2exp_si(size, -bits) < 0;
        *extreme = tiny || mag_cmp_2exp_si(size, bits) > 0;
    }
    mag_clear(size);
    acb_clear(v);
    return true;
}

bool eval_is_extreme(struct eval *e, const struct node *x, slong bits) {
    bool extreme = false;
    (void)constant_extreme(e, x, bits, &extreme);
    return extreme;
}
