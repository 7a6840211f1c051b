/* Rational arithmetic over the tree. Whatever would grow beyond EXACT_BITS_MAX is left to balls. */
#include "answer/eval.h"

#include <flint/arith.h>
#include <flint/fmpz.h>
#include <string.h>

#define EXACT_BITS_MAX 20000
#define EXACT_FACTORIAL_MAX 1000
#define EXACT_TERMS_MAX 500

static bool small_enough(const fmpq_t x) {
    return fmpz_bits(fmpq_numref(x)) + fmpz_bits(fmpq_denref(x)) <= EXACT_BITS_MAX;
}

/* The digits of a literal, without its point, as an integer. */
static bool digits_to_fmpz(struct str digits, fmpz_t ret) {
    char buf[4100];
    size_t n = 0;
    for (size_t i = 0; i < digits.n && n + 1 < sizeof buf; i++) {
        if (digits.p[i] != '.') {
            buf[n++] = digits.p[i];
        }
    }
    buf[n] = '\0';
    return n > 0 && fmpz_set_str(ret, buf, 10) == 0;
}

static bool exact_number(const struct node *x, fmpq_t ret) {
    size_t point = str_find_char(x->name, '.');
    size_t places = point == STR_NPOS ? 0 : x->name.n - point - 1;
    if (x->name.n <= 17) {
        slong v = 0;
        for (size_t i = 0; i < x->name.n; i++) {
            v = x->name.p[i] == '.' ? v : v * 10 + (x->name.p[i] - '0');
        }
        slong den = 1;
        for (size_t i = 0; i < places; i++) {
            den *= 10;
        }
        fmpq_set_si(ret, v, (ulong)den);
        return true;
    }
    if (!digits_to_fmpz(x->name, fmpq_numref(ret))) {
        return false;
    }
    fmpz_ui_pow_ui(fmpq_denref(ret), 10, places);
    fmpq_canonicalise(ret);
    return true;
}

static bool exact_pow(struct eval *e, const struct node *x, fmpq_t ret) {
    fmpq_t base, power;
    fmpq_init(base);
    fmpq_init(power);
    bool ok = eval_exact(e, x->kids[0], base) && eval_exact(e, x->kids[1], power);
    ok = ok && fmpz_is_one(fmpq_denref(power)) && fmpz_bits(fmpq_numref(power)) < 16;
    slong n = ok ? fmpz_get_si(fmpq_numref(power)) : 0;
    slong bits = (slong)(fmpz_bits(fmpq_numref(base)) + fmpz_bits(fmpq_denref(base)));
    ok = ok && (n < 0 ? -n : n) * bits <= EXACT_BITS_MAX && !(n <= 0 && fmpq_is_zero(base));
    if (ok) {
        fmpq_pow_si(ret, base, n);
    }
    fmpq_clear(base);
    fmpq_clear(power);
    return ok;
}

static bool exact_sqrt(const fmpq_t x, fmpq_t ret) {
    if (fmpq_sgn(x) < 0 || !fmpz_is_square(fmpq_numref(x)) || !fmpz_is_square(fmpq_denref(x))) {
        return false;
    }
    fmpz_sqrt(fmpq_numref(ret), fmpq_numref(x));
    fmpz_sqrt(fmpq_denref(ret), fmpq_denref(x));
    return true;
}

/* A small natural number. */
static bool natural(const fmpq_t x, slong max, slong *ret) {
    if (!fmpz_is_one(fmpq_denref(x)) || fmpq_sgn(x) < 0 || fmpz_cmp_si(fmpq_numref(x), max) > 0) {
        return false;
    }
    *ret = fmpz_get_si(fmpq_numref(x));
    return true;
}

/* n! = n (n - 1) (n - 2) …, n!! = n (n - 2) (n - 4) …, and so on. */
static bool exact_factorial(const struct node *x, fmpq_t ret) {
    slong n;
    if (!natural(ret, EXACT_FACTORIAL_MAX, &n)) {
        return false;
    }
    fmpq_set_si(ret, 1, 1);
    if (x->op == 1) {
        fmpz_fac_ui(fmpq_numref(ret), (ulong)n);
    }
    for (; x->op > 1 && n > 1; n -= x->op) {
        fmpz_mul_si(fmpq_numref(ret), fmpq_numref(ret), n);
    }
    return true;
}

static bool exact_binomial(const fmpq_t a, const fmpq_t b, fmpq_t ret) {
    slong n, k;
    if (!natural(a, EXACT_FACTORIAL_MAX, &n) || !natural(b, EXACT_FACTORIAL_MAX, &k)) {
        return false;
    }
    fmpq_set_si(ret, 1, 1);
    fmpz_bin_uiui(fmpq_numref(ret), (ulong)n, (ulong)k);
    return true;
}

static bool exact_two(int func, const fmpq_t a, const fmpq_t b, fmpq_t ret) {
    bool integers = fmpz_is_one(fmpq_denref(a)) && fmpz_is_one(fmpq_denref(b));
    switch (func) {
    case AST_BINOM:
        return exact_binomial(a, b, ret);
    case AST_MIN:
        fmpq_set(ret, fmpq_cmp(a, b) <= 0 ? a : b);
        return true;
    case AST_MAX:
        fmpq_set(ret, fmpq_cmp(a, b) >= 0 ? a : b);
        return true;
    case AST_GCD:
    case AST_LCM:
        if (integers) {
            fmpz_one(fmpq_denref(ret));
            (func == AST_GCD ? fmpz_gcd : fmpz_lcm)(fmpq_numref(ret), fmpq_numref(a),
                                                    fmpq_numref(b));
        }
        return integers;
    default:
        return false;
    }
}

static bool exact_one(int func, fmpq_t x) {
    switch (func) {
    case AST_SQRT:
        return exact_sqrt(x, x);
    case AST_ABS:
        fmpq_abs(x, x);
        return true;
    case AST_SGN:
        fmpq_set_si(x, fmpq_sgn(x), 1);
        return true;
    case AST_FLOOR:
    case AST_CEIL:
        (func == AST_FLOOR ? fmpz_fdiv_q : fmpz_cdiv_q)(fmpq_numref(x), fmpq_numref(x),
                                                        fmpq_denref(x));
        fmpz_one(fmpq_denref(x));
        return true;
    case AST_MIN:
    case AST_MAX:
    case AST_RE:
    case AST_CONJ:
        return true;
    default:
        return false;
    }
}

static bool exact_function(struct eval *e, const struct node *x, fmpq_t ret) {
    if (x->n == 0 || x->n > 2 || !eval_exact(e, x->kids[0], ret)) {
        return false;
    }
    if (x->op == AST_FACTORIAL) {
        return exact_factorial(&(struct node){.op = 1}, ret);
    }
    if (x->n == 1) {
        return exact_one(x->op, ret);
    }
    fmpq_t a, b;
    fmpq_init(a);
    fmpq_init(b);
    fmpq_set(a, ret);
    bool ok = eval_exact(e, x->kids[1], b) && exact_two(x->op, a, b, ret);
    fmpq_clear(a);
    fmpq_clear(b);
    return ok;
}

static bool exact_many(struct eval *e, const struct node *x, fmpq_t ret) {
    fmpq_t y;
    fmpq_init(y);
    fmpq_set_si(ret, x->kind == NODE_ADD ? 0 : 1, 1);
    bool ok = true;
    for (size_t i = 0; ok && i < x->n; i++) {
        ok = eval_exact(e, x->kids[i], y);
        if (ok) {
            (x->kind == NODE_ADD ? fmpq_add : fmpq_mul)(ret, ret, y);
            ok = small_enough(ret);
        }
    }
    fmpq_clear(y);
    return ok;
}

static bool exact_bound(struct eval *e, const struct node *x, slong *ret) {
    fmpq_t v;
    fmpq_init(v);
    bool ok = eval_exact(e, x, v) && fmpz_is_one(fmpq_denref(v)) && fmpz_fits_si(fmpq_numref(v));
    *ret = ok ? fmpz_get_si(fmpq_numref(v)) : 0;
    fmpq_clear(v);
    return ok && *ret > -EXACT_BITS_MAX && *ret < EXACT_BITS_MAX;
}

/* A short sum or product with all its terms: the last ones may be too small for any ball. */
static bool exact_sum(struct eval *e, const struct node *x, fmpq_t ret) {
    slong from, to;
    if (x->op == AST_BIG_OTHER || x->kids[0]->kind != NODE_SYM || e->bound >= 4 ||
        !exact_bound(e, x->kids[1], &from) || !exact_bound(e, x->kids[2], &to) ||
        to - from >= EXACT_TERMS_MAX || to < from - 1) {
        return false;
    }
    bool sum = x->op == AST_BIG_SUM, ok = true;
    int slot = e->bound++;
    fmpq_t term;
    fmpq_init(term);
    fmpq_set_si(ret, sum ? 0 : 1, 1);
    e->bound_name[slot] = x->kids[0]->name;
    for (slong k = from; ok && k <= to; k++) {
        e->bound_value[slot] = k;
        ok = eval_exact(e, x->kids[3], term);
        if (ok) {
            (sum ? fmpq_add : fmpq_mul)(ret, ret, term);
            ok = small_enough(ret) && eval_work(e, 1 + (int64_t)fmpz_bits(fmpq_denref(ret)) / 256);
        }
    }
    e->bound--;
    fmpq_clear(term);
    return ok;
}

static bool exact_div(struct eval *e, const struct node *x, fmpq_t ret) {
    fmpq_t y;
    fmpq_init(y);
    bool ok = eval_exact(e, x->kids[0], ret) && eval_exact(e, x->kids[1], y) && !fmpq_is_zero(y);
    if (ok) {
        fmpq_div(ret, ret, y);
    }
    fmpq_clear(y);
    return ok && small_enough(ret);
}

static bool exact_symbol(struct eval *e, const struct node *x, fmpq_t ret) {
    for (int i = e->bound; i-- > 0;) {
        if (str_eq(e->bound_name[i], x->name)) {
            fmpq_set_si(ret, e->bound_value[i], 1);
            return true;
        }
    }
    for (size_t i = 0; e->symbols != NULL && i < e->symbols->n; i++) {
        if (str_eq(e->symbols->names[i], x->name)) {
            fmpq_set(ret, &e->values[i]);
            return true;
        }
    }
    return false;
}

/* "2516_8": the digits read in their base. */
static bool exact_based(const struct node *x, fmpq_t ret) {
    struct str digits = x->kids[0]->name;
    char buf[256];
    if (x->kids[0]->kind != NODE_NUM || digits.n >= sizeof buf || x->kids[0]->op >= 0) {
        return false;
    }
    for (size_t i = 0; i < digits.n; i++) {
        if (digits.p[i] - '0' >= x->op) {
            return false;
        }
        buf[i] = digits.p[i];
    }
    buf[digits.n] = '\0';
    fmpq_set_si(ret, 1, 1);
    return fmpz_set_str(fmpq_numref(ret), buf, x->op) == 0;
}

bool eval_exact(struct eval *e, const struct node *x, fmpq_t ret) {
    if (!eval_work(e, 1)) {
        return false;
    }
    switch ((int)x->kind) {
    case NODE_NUM:
        return exact_number(x, ret);
    case NODE_SYM:
        return exact_symbol(e, x, ret);
    case NODE_ADD:
    case NODE_MUL:
        return exact_many(e, x, ret);
    case NODE_NEG:
        if (!eval_exact(e, x->kids[0], ret)) {
            return false;
        }
        fmpq_neg(ret, ret);
        return true;
    case NODE_PM:
        if (!eval_exact(e, x->kids[0], ret)) {
            return false;
        }
        fmpq_mul_si(ret, ret, x->op * e->pm);
        return true;
    case NODE_DIV:
        return exact_div(e, x, ret);
    case NODE_POW:
        return exact_pow(e, x, ret);
    case NODE_SUM:
        return exact_sum(e, x, ret);
    case NODE_FACT:
        return eval_exact(e, x->kids[0], ret) && exact_factorial(x, ret);
    case NODE_FUNC:
        return exact_function(e, x, ret);
    case NODE_BASED:
        return exact_based(x, ret);
    case NODE_PERCENT:
        if (!eval_exact(e, x->kids[0], ret)) {
            return false;
        }
        fmpq_div_fmpz(ret, ret, (const fmpz[]){e->plain_percent ? 1 : 100});
        return true;
    case NODE_DEGREE:
        return e->plain_degree && eval_exact(e, x->kids[0], ret);
    default:
        return false;
    }
}
