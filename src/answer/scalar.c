/* Two scalars. In this order:
 *
 *   1 exact rational values                         proof either way
 *   2 rational functions of whatever is in them     proof of equality (poly.c)
 *   3 balls at points                               proof of difference, evidence of equality
 *
 * Points of 3: both sides must be real there (positive, small, negative, mixed, large, integers);
 * complex points only if no point is real for both. A difference at a point where both are real is
 * final, but for symbols that usually stand for integers (n, k, m) it must show at integers. */
#include "answer/judge.h"

#include "answer/units.h"

#include <arb.h>
#include <string.h>

#define CONSTANT_BITS 2400 /* of the last look at two constants */
#define FUNCTION_BITS 1024 /* and at two functions */
#define POINTS_MAX 28
#define AGREE_WANTED 4
#define INTEGERS_WANTED 8
#define HALVES_POINTS 60
#define ROUND_DIGITS_GIVEN 4 /* significant digits that make a decimal a fair rounding */
#define ROUND_DIGITS_GOLD 3

struct eval judge_eval(struct judge *j, const struct symbols *symbols, fmpq *values,
                       slong precision) {
    return (struct eval){
        .symbols = symbols, .values = values, .precision = precision, .pm = 1, .work = &j->work};
}

bool scalar_is(const struct node *x) {
    if (x->kind >= NODE_SUM && !(x->kind == NODE_SUM)) {
        return false;
    }
    for (size_t i = 0; i < x->n; i++) {
        bool matrix = x->kind == NODE_FUNC && x->op == AST_DET;
        if (!matrix && !scalar_is(x->kids[i])) {
            return false;
        }
    }
    return true;
}

struct node *difference(struct judge *j, struct node *x, struct node *y) {
    struct node *minus = node_1(j->a, NODE_NEG, 0, y);
    return node_n(j->a, NODE_ADD, 0, (struct node *[]){x, minus}, 2);
}

/* --- points --- */

/* How the values of the symbols are chosen, round after round. */
enum {
    STYLE_POSITIVE,
    STYLE_UNIT,
    STYLE_NEGATIVE,
    STYLE_MIXED,
    STYLE_INTEGER,
    STYLE_LARGE,
    STYLES,
    STYLE_HALVES = STYLES /* where (a^b)^c and a^(bc) part; only when powers ask for it */
};

static bool integer_name(struct str name) {
    return name.n > 0 && strchr("nkmjlNM", name.p[0]) != NULL && (name.n == 1 || name.p[1] == '_');
}

static void point_value(struct judge *j, int style, bool integers, struct str name, fmpq_t ret) {
    slong mantissa = (slong)rng_below(&j->rng, 1u << 24) + 1;
    switch (style) {
    case STYLE_UNIT:
        fmpq_set_si(ret, mantissa, (ulong)1 << 25);
        break;
    case STYLE_NEGATIVE:
        fmpq_set_si(ret, -mantissa, (ulong)1 << 22);
        break;
    case STYLE_MIXED:
        fmpq_set_si(ret, rng_chance(&j->rng, 0.5) ? mantissa : -mantissa, (ulong)1 << 22);
        break;
    case STYLE_INTEGER:
        fmpq_set_si(ret, (slong)rng_range(&j->rng, -4, 6), 1);
        break;
    case STYLE_HALVES:
        fmpq_set_si(ret, (const slong[]){-4, -2, 4, 1, 3}[rng_below(&j->rng, 5)], 2);
        break;
    case STYLE_LARGE:
        fmpq_set_si(ret, mantissa, (ulong)1 << 18);
        break;
    default:
        fmpq_set_si(ret, mantissa, (ulong)1 << 22);
        break;
    }
    if (integers && integer_name(name)) {
        fmpq_set_si(ret, (slong)rng_range(&j->rng, 1, 9), 1);
    }
}

static void choose_point(struct judge *j, int style, bool integers, const struct symbols *s,
                         fmpq *values) {
    for (size_t i = 0; i < s->n; i++) {
        point_value(j, style, integers, s->names[i], &values[i]);
    }
}

/* --- one point --- */

enum meeting {
    MEETING_NONE,    /* one side has no value here */
    MEETING_AGREE,   /* the balls overlap and are small */
    MEETING_DIFFER,  /* the balls are apart: proof */
    MEETING_BLURRED, /* the balls overlap but are too wide to tell */
};

struct meeting_info {
    bool real;     /* both are exactly real, and so is everything on the way to them */
    bool odd_root; /* the principal value was taken where a real root exists */
    bool log;
};

/* True if @u and @v are known to @bits, relative to themselves or to 1. */
static bool sharp(const acb_t u, const acb_t v, slong bits) {
    slong a = acb_rel_accuracy_bits(u), b = acb_rel_accuracy_bits(v);
    if (a >= bits && b >= bits) {
        return true;
    }
    mag_t r;
    mag_init(r);
    arb_get_mag(r, acb_realref(u));
    acb_t d;
    acb_init(d);
    acb_sub(d, u, v, 64);
    acb_get_mag(r, d);
    bool small = mag_cmp_2exp_si(r, -bits) < 0;
    acb_clear(d);
    mag_clear(r);
    return small;
}

static enum meeting meet(struct judge *j, const struct symbols *s, fmpq *values, slong precision,
                         struct eval *flags, const struct node *x, const struct node *y,
                         struct meeting_info *info) {
    struct eval e = judge_eval(j, s, values, precision);
    e.real_roots = flags->real_roots;
    e.log10 = flags->log10;
    e.plain_percent = flags->plain_percent;
    e.plain_degree = flags->plain_degree;
    acb_t u, v;
    acb_init(u);
    acb_init(v);
    enum meeting m = MEETING_NONE;
    if (eval_ball(&e, x, u) && eval_ball(&e, y, v) && acb_is_finite(u) && acb_is_finite(v)) {
        m = !acb_overlaps(u, v)          ? MEETING_DIFFER
            : sharp(u, v, precision / 2) ? MEETING_AGREE
                                         : MEETING_BLURRED;
    }
    *info = (struct meeting_info){.real = acb_is_real(u) && acb_is_real(v) && !e.saw_complex,
                                  .odd_root = e.saw_odd_root,
                                  .log = e.saw_log};
    acb_clear(u);
    acb_clear(v);
    return m;
}

/* --- constants --- */

static struct outcome constants_at(struct judge *j, struct eval *flags, const struct node *x,
                                   const struct node *y, struct meeting_info *info) {
    static const slong precisions[] = {128, 512, CONSTANT_BITS};
    struct symbols none = {0};
    enum meeting m = MEETING_NONE;
    for (size_t i = 0; i < ARRAY_LEN(precisions); i++) {
        m = meet(j, &none, NULL, precisions[i], flags, x, y, info);
        if (m == MEETING_DIFFER) {
            return OUTCOME_DIFFERENT(true, "their values are proven apart");
        }
        if (m == MEETING_NONE) {
            return OUTCOME_UNDECIDED("a value could not be computed");
        }
    }
    return m == MEETING_AGREE ? OUTCOME_EQUAL(false, "their values agree to 1200 bits")
                              : OUTCOME_UNDECIDED("a value could not be computed closely enough");
}

static struct outcome constants_compare(struct judge *j, struct eval *flags, const struct node *x,
                                        const struct node *y) {
    struct meeting_info info;
    struct outcome o = constants_at(j, flags, x, y, &info);
    if (o.verdict == ANSWER_DIFFERENT && info.odd_root) {
        flags->real_roots = true;
        struct outcome other = constants_at(j, flags, x, y, &info);
        flags->real_roots = false;
        if (other.verdict != ANSWER_DIFFERENT) {
            return OUTCOME_UNDECIDED("a root of a negative number has two readings");
        }
    }
    if (o.verdict == ANSWER_DIFFERENT && info.log) {
        flags->log10 = true;
        struct outcome other = constants_at(j, flags, x, y, &info);
        flags->log10 = false;
        if (other.verdict != ANSWER_DIFFERENT) {
            return OUTCOME_UNDECIDED("a logarithm without a base has two readings");
        }
    }
    return o;
}

/* --- functions --- */

struct tally {
    int agree_real, agree_complex, agree_integer;
    bool differ_real, differ_complex;
    bool differ_integer; /* at a point where n, k, m are integers */
    bool log, odd_root;
    int computed;
};

static void tally_point(struct judge *j, const struct symbols *s, fmpq *values, struct eval *flags,
                        const struct node *x, const struct node *y, bool integers,
                        struct tally *t) {
    struct meeting_info info;
    enum meeting m = meet(j, s, values, 128, flags, x, y, &info);
    if (m == MEETING_BLURRED) {
        m = meet(j, s, values, 640, flags, x, y, &info);
    }
    if (m == MEETING_NONE || m == MEETING_BLURRED || info.odd_root) {
        t->odd_root = t->odd_root || info.odd_root;
        return;
    }
    t->log = t->log || info.log;
    t->computed++;
    if (m == MEETING_AGREE) {
        t->agree_real += info.real ? 1 : 0;
        t->agree_integer += integers ? 1 : 0;
        t->agree_complex += info.real ? 0 : 1;
    } else if (info.real) {
        t->differ_real = true;
        t->differ_integer = t->differ_integer || integers;
    } else {
        t->differ_complex = true;
    }
}

/* A last look at one point with many more bits: x and x + 10^-40 agree at 128. */
static bool agrees_closely(struct judge *j, const struct symbols *s, fmpq *values,
                           struct eval *flags, const struct node *x, const struct node *y) {
    for (int style = 0; style < 4; style++) {
        choose_point(j, style, false, s, values);
        struct meeting_info info;
        enum meeting m = meet(j, s, values, FUNCTION_BITS, flags, x, y, &info);
        if (m == MEETING_DIFFER && !info.odd_root && info.real) {
            return false;
        }
        if (m == MEETING_AGREE) {
            return true;
        }
    }
    return true;
}

static struct outcome judge_tally(const struct tally *t, bool named_integers, bool discrete) {
    if (t->differ_real && named_integers && !t->differ_integer) {
        return t->agree_integer >= INTEGERS_WANTED && discrete
                   ? OUTCOME_EQUAL(false, "their values agree at whole numbers")
                   : OUTCOME_UNDECIDED("they differ, but not at whole numbers");
    }
    if (t->differ_real) {
        return OUTCOME_DIFFERENT(true, "their values are proven apart at a point");
    }
    if (t->agree_real >= 3) {
        return OUTCOME_EQUAL(false, "their values agree at random points");
    }
    if (t->agree_real == 0 && t->differ_complex) {
        return OUTCOME_DIFFERENT(true, "their values are proven apart at a point");
    }
    if (t->agree_real + t->agree_complex >= AGREE_WANTED && !t->differ_complex) {
        return OUTCOME_EQUAL(false, "their values agree at random points");
    }
    return OUTCOME_UNDECIDED("too few points where both are defined");
}

/* True for what only makes sense at whole numbers. */
static bool is_discrete(const struct node *x) {
    return node_has(x, NODE_FUNC, AST_FLOOR) || node_has(x, NODE_FUNC, AST_CEIL) ||
           node_has(x, NODE_FUNC, AST_GCD) || node_has(x, NODE_FUNC, AST_LCM) ||
           node_has(x, NODE_SUM, 0) || node_has(x, NODE_FACT, 0) ||
           node_has(x, NODE_FUNC, AST_BINOM);
}

/* True if an exponent has a symbol in it. */
static bool symbolic_power(const struct node *x) {
    struct symbols s = {0};
    if (x->kind == NODE_POW) {
        symbols_add(&s, x->kids[1]);
    }
    for (size_t i = 0; s.n == 0 && i < x->n; i++) {
        if (symbolic_power(x->kids[i])) {
            return true;
        }
    }
    return s.n > 0;
}

static struct outcome functions_at(struct judge *j, struct eval *flags, const struct symbols *s,
                                   const struct node *x, const struct node *y, bool *saw_log) {
    fmpq *values = _fmpq_vec_init((slong)s->n);
    struct tally t = {0};
    bool named = false;
    for (size_t i = 0; i < s->n; i++) {
        named = named || integer_name(s->names[i]);
    }
    for (int i = 0; i < POINTS_MAX && j->work > 0; i++) {
        bool integers = named && i % 2 == 0;
        choose_point(j, named ? (i / 2) % STYLES : i % STYLES, integers, s, values);
        tally_point(j, s, values, flags, x, y, integers, &t);
        bool settled =
            t.agree_real >= AGREE_WANTED && !t.differ_real && i + 1 >= STYLES * (named ? 2 : 1);
        if (settled || (t.differ_real && (!named || t.differ_integer))) {
            break;
        }
    }
    bool powers = symbolic_power(x) || symbolic_power(y);
    for (int i = 0; powers && i < HALVES_POINTS && !t.differ_real && !named; i++) {
        choose_point(j, STYLE_HALVES, false, s, values);
        tally_point(j, s, values, flags, x, y, false, &t);
    }
    struct outcome o = judge_tally(&t, named, is_discrete(x) || is_discrete(y));
    if (o.verdict == ANSWER_EQUAL && !agrees_closely(j, s, values, flags, x, y)) {
        o = OUTCOME_DIFFERENT(true, "their values are proven apart at a point");
    }
    *saw_log = t.log;
    _fmpq_vec_clear(values, (slong)s->n);
    return o;
}

/* A logarithm without a base is natural or decimal: different only if it is under both. */
static struct outcome functions_compare(struct judge *j, struct eval *flags,
                                        const struct symbols *s, const struct node *x,
                                        const struct node *y) {
    bool saw_log, again;
    struct outcome o = functions_at(j, flags, s, x, y, &saw_log);
    if (o.verdict == ANSWER_DIFFERENT && saw_log) {
        flags->log10 = true;
        struct outcome other = functions_at(j, flags, s, x, y, &again);
        flags->log10 = false;
        if (other.verdict != ANSWER_DIFFERENT) {
            return OUTCOME_UNDECIDED("a logarithm without a base has two readings");
        }
    }
    return o;
}

/* --- decimals --- */

struct literal {
    bool is;
    int places;          /* behind the point; -1: an integer */
    int digits;          /* significant */
    bool short_of_point; /* 1.27 × 10^30: its digits end before the point, at 10^-places */
};

static int significant(struct str digits) {
    int n = 0;
    bool leading = true;
    for (size_t i = 0; i < digits.n; i++) {
        leading = leading && (digits.p[i] == '0' || digits.p[i] == '.');
        n += !leading && digits.p[i] != '.' ? 1 : 0;
    }
    return n;
}

/* 12, -0.5, 2.31 × 10^-3; not 231 · 10^-5, which is arithmetic. */
static struct literal literal_of(const struct node *x, bool plain_percent) {
    while (x->kind == NODE_NEG) {
        x = x->kids[0];
    }
    if (x->kind == NODE_PERCENT && !plain_percent) { /* 66.67 % has four places */
        struct literal inner = literal_of(x->kids[0], false);
        inner.places = MAX(inner.places, 0) + 2;
        return inner;
    }
    if (x->kind == NODE_NUM) {
        return (struct literal){true, x->op, significant(x->name), false};
    }
    int64_t shift = 0;
    bool scientific = x->kind == NODE_MUL && x->n == 2 && x->kids[0]->kind == NODE_NUM &&
                      x->kids[1]->kind == NODE_POW && x->kids[1]->kids[0]->kind == NODE_NUM &&
                      str_eq(x->kids[1]->kids[0]->name, S("10"));
    scientific = scientific && (x->kids[0]->op >= 0 || x->kids[0]->name.n == 1);
    if (scientific) {
        const struct node *power = x->kids[1]->kids[1];
        bool minus = power->kind == NODE_NEG;
        power = minus ? power->kids[0] : power;
        if (power->kind == NODE_NUM && str_to_i64(power->name, &shift) && shift < 400) {
            int places = MAX(x->kids[0]->op, 0) + (int)(minus ? shift : -shift);
            bool whole = x->kids[0]->op < 0 && places <= 0;
            return (struct literal){true, whole ? -1 : places, significant(x->kids[0]->name),
                                    !whole && places < 0};
        }
    }
    return (struct literal){false, 0, 0, false};
}

/* True if @value lies within @half units of the last place of @rounded: a ball that is sure. */
static bool within(struct judge *j, const struct node *rounded, int places,
                   const struct node *value, struct eval *flags, double half) {
    struct eval e = judge_eval(j, NULL, NULL, 256);
    e.plain_percent = flags->plain_percent;
    e.plain_degree = flags->plain_degree;
    acb_t u, v;
    acb_init(u);
    acb_init(v);
    bool ok = eval_ball(&e, rounded, u) && eval_ball(&e, value, v);
    if (ok) {
        arb_t unit, limit;
        arb_init(unit);
        arb_init(limit);
        arb_set_ui(unit, 10);
        arb_pow_ui(unit, unit, (ulong)(places < 0 ? -places : places), 256);
        if (places > 0) {
            arb_inv(unit, unit, 256);
        }
        acb_sub(u, u, v, 256);
        arb_abs(acb_realref(u), acb_realref(u));
        arb_set_d(limit, half * (1 + 1e-12));
        arb_mul(limit, limit, unit, 256);
        ok = acb_is_real(u) && arb_le(acb_realref(u), limit);
        arb_clear(unit);
        arb_clear(limit);
    }
    acb_clear(u);
    acb_clear(v);
    return ok;
}

/* Is @value farther from zero than @rounded, on the same side? */
static bool beyond(struct judge *j, const struct node *rounded, const struct node *value,
                   struct eval *flags) {
    struct eval e = judge_eval(j, NULL, NULL, 256);
    e.plain_percent = flags->plain_percent;
    e.plain_degree = flags->plain_degree;
    acb_t u, v;
    acb_init(u);
    acb_init(v);
    bool ok = eval_ball(&e, rounded, u) && eval_ball(&e, value, v);
    if (ok) {
        acb_sub(v, v, u, 256);
        acb_mul(v, v, u, 256);
        ok = acb_is_real(v) && arb_is_positive(acb_realref(v));
    }
    acb_clear(u);
    acb_clear(v);
    return ok;
}

/* |x - y| relative to the larger: certainly above @ratio? */
static bool far_apart(struct judge *j, const struct node *x, const struct node *y,
                      struct eval *flags, double ratio) {
    struct eval e = judge_eval(j, NULL, NULL, 128);
    e.plain_percent = flags->plain_percent;
    e.plain_degree = flags->plain_degree;
    acb_t u, v;
    acb_init(u);
    acb_init(v);
    bool apart = eval_ball(&e, x, u) && eval_ball(&e, y, v);
    if (apart) {
        acb_sub(v, v, u, 128);
        arb_t d, size;
        arb_init(d);
        arb_init(size);
        acb_abs(d, v, 64);
        acb_add(v, v, u, 128);
        acb_abs(size, v, 64);
        arb_t other;
        arb_init(other);
        acb_abs(other, u, 64);
        arb_max(size, size, other, 64);
        arb_set_d(other, ratio);
        arb_mul(size, size, other, 64);
        apart = arb_gt(d, size);
        arb_clear(other);
        arb_clear(d);
        arb_clear(size);
    }
    acb_clear(u);
    acb_clear(v);
    return apart;
}

/* What a difference between constants means when one of them is written as a decimal. */
static struct outcome settle_decimals(struct judge *j, const struct node *gold,
                                      const struct node *given, struct eval *flags, bool rational,
                                      struct outcome o) {
    struct literal a = literal_of(gold, flags->plain_percent),
                   b = literal_of(given, flags->plain_percent);
    bool decimal_a = a.is && (a.places > 0 || a.short_of_point);
    bool decimal_b = b.is && (b.places > 0 || b.short_of_point);
    if (!decimal_a && !decimal_b) {
        bool near = (a.is != b.is) && !rational && !far_apart(j, gold, given, flags, 0.002);
        return near ? OUTCOME_UNDECIDED("a whole number close to a value may be its rounding") : o;
    }
    if (a.is && b.is && a.short_of_point == b.short_of_point) {
        if (a.places == b.places) {
            return OUTCOME_DIFFERENT(o.proved, "different decimals");
        }
        bool fine_b = b.places > a.places; /* does the finer one round to the coarser? */
        bool rounds = within(j, fine_b ? gold : given, MAX(0, MIN(a.places, b.places)),
                             fine_b ? given : gold, flags, 1.0);
        return !rounds && far_apart(j, gold, given, flags, 0.006)
                   ? o
                   : OUTCOME_UNDECIDED("decimals of different precision");
    }
    bool by_gold = decimal_a && !b.short_of_point;
    const struct node *rounded = by_gold ? gold : given, *value = by_gold ? given : gold;
    int places = by_gold ? a.places : b.places, digits = by_gold ? a.digits : b.digits;
    bool enough = digits >= (by_gold ? ROUND_DIGITS_GOLD : ROUND_DIGITS_GIVEN);
    if (within(j, rounded, places, value, flags, 0.5)) {
        return enough ? OUTCOME_EQUAL(false, "a correct rounding")
                      : OUTCOME_UNDECIDED("a coarse rounding");
    }
    if (within(j, rounded, places, value, flags, 1.0) && digits >= ROUND_DIGITS_GIVEN &&
        beyond(j, rounded, value, flags)) {
        return OUTCOME_EQUAL(false, "cut off instead of rounded");
    }
    return far_apart(j, gold, given, flags, 0.006)
               ? o
               : OUTCOME_UNDECIDED("close to, but not a rounding");
}

/* --- all of it --- */

static struct outcome compare_exact(struct judge *j, const struct node *x, const struct node *y,
                                    struct eval *flags) {
    struct eval e = judge_eval(j, NULL, NULL, 128);
    e.plain_percent = flags->plain_percent;
    e.plain_degree = flags->plain_degree;
    fmpq_t u, v;
    fmpq_init(u);
    fmpq_init(v);
    struct outcome o = OUTCOME_UNDECIDED("");
    if (eval_exact(&e, x, u) && eval_exact(&e, y, v)) {
        o = fmpq_equal(u, v) ? OUTCOME_EQUAL(true, "the same rational number")
                             : OUTCOME_DIFFERENT(true, "two different rational numbers");
    }
    fmpq_clear(u);
    fmpq_clear(v);
    return o;
}

/* Agreement at points is no evidence where n! and n! + 1 agree as well. */
static struct outcome mind_extremes(struct judge *j, const struct node *x, const struct node *y,
                                    slong bits, struct outcome o) {
    struct eval e = judge_eval(j, NULL, NULL, 64);
    bool extreme = o.verdict == ANSWER_EQUAL && !o.proved &&
                   (eval_is_extreme(&e, x, bits) || eval_is_extreme(&e, y, bits));
    return extreme ? OUTCOME_UNDECIDED("numbers too large or too small to be told apart") : o;
}

static struct outcome compare_plain(struct judge *j, const struct node *gold,
                                    const struct node *given, struct eval *flags) {
    struct symbols s = {0};
    symbols_add(&s, gold);
    symbols_add(&s, given);
    if (s.too_many || node_has(gold, NODE_ELLIPSIS, 0) || node_has(given, NODE_ELLIPSIS, 0)) {
        return OUTCOME_UNDECIDED("cannot be evaluated");
    }
    if (s.n > 0) {
        return poly_equal(j, gold, given)
                   ? OUTCOME_EQUAL(true, "the same by exact algebra")
                   : mind_extremes(j, gold, given, FUNCTION_BITS / 3,
                                   functions_compare(j, flags, &s, gold, given));
    }
    struct outcome o = compare_exact(j, gold, given, flags);
    bool rational = o.verdict != ANSWER_UNDECIDED;
    if (!rational) {
        if (poly_equal(j, gold, given)) {
            struct meeting_info info;
            bool defined = meet(j, &s, NULL, 128, flags, gold, given, &info) != MEETING_NONE;
            return defined ? OUTCOME_EQUAL(true, "the same by exact algebra")
                           : OUTCOME_UNDECIDED("a value could not be computed");
        }
        o = mind_extremes(j, gold, given, CONSTANT_BITS / 3,
                          constants_compare(j, flags, gold, given));
    }
    return o.verdict == ANSWER_DIFFERENT ? settle_decimals(j, gold, given, flags, rational, o) : o;
}

/* --- wrappers: percent, degrees, units --- */

static struct outcome weaken(struct outcome o, const char *why) {
    o.proved = false;
    o.reason = o.verdict == ANSWER_EQUAL ? why : o.reason;
    return o;
}

static struct node *scaled_unit(struct judge *j, struct node *x) {
    struct node *num =
        node_leaf(j->a, NODE_NUM, -1, str_fmt(j->a, "%lld", (long long)x->unit->num));
    struct node *den =
        node_leaf(j->a, NODE_NUM, -1, str_fmt(j->a, "%lld", (long long)x->unit->den));
    struct node *scale = node_2(j->a, NODE_DIV, 0, num, den);
    return node_2(j->a, NODE_MUL, 0, x->kids[0], scale);
}

/* "5 m" was read as 5·m: with a unit on the other side, it is one too. */
static struct node *with_unit(struct judge *j, struct node *x) {
    struct unit unit;
    const struct node *last = x->kind == NODE_MUL ? x->kids[x->n - 1] : NULL;
    if (last == NULL || last->kind != NODE_SYM || !unit_find(last->name, &unit)) {
        return x;
    }
    struct node *value = x->n == 2 ? x->kids[0] : node_n(j->a, NODE_MUL, 0, x->kids, x->n - 1);
    struct symbols s = {0};
    symbols_add(&s, value);
    if (s.n > 0) {
        return x;
    }
    struct node *u = node_1(j->a, NODE_UNIT, 0, value);
    struct unit *copy = ARENA_NEW(j->a, struct unit);
    *copy = unit;
    u->unit = copy;
    return u;
}

static struct outcome compare_units(struct judge *j, struct node *gold, struct node *given) {
    gold = with_unit(j, gold);
    given = with_unit(j, given);
    bool a = gold->kind == NODE_UNIT, b = given->kind == NODE_UNIT;
    if (a && b) {
        if (!unit_same_dimension(gold->unit, given->unit)) {
            return OUTCOME_UNDECIDED("units of different kinds");
        }
        bool same = gold->unit->num == given->unit->num && gold->unit->den == given->unit->den;
        return same ? scalar_compare(j, gold->kids[0], given->kids[0])
                    : scalar_compare(j, scaled_unit(j, gold), scaled_unit(j, given));
    }
    if (j->options.units_matter) {
        return OUTCOME_UNDECIDED("one side has no unit");
    }
    struct outcome o = scalar_compare(j, a ? gold->kids[0] : gold, b ? given->kids[0] : given);
    struct symbols s = {0};
    symbols_add(&s, a ? given : gold);
    if (o.verdict == ANSWER_DIFFERENT && s.n > 0) {
        return OUTCOME_UNDECIDED("letters may be units");
    }
    if (o.verdict == ANSWER_DIFFERENT &&
        scalar_compare(j, a ? scaled_unit(j, gold) : gold, b ? scaled_unit(j, given) : given)
                .verdict != ANSWER_DIFFERENT) {
        return OUTCOME_UNDECIDED("the side without a unit may mean another one");
    }
    return weaken(o, "equal; one side leaves the unit out");
}

static struct outcome compare_marks(struct judge *j, struct node *gold, struct node *given,
                                    bool percent, bool degree) {
    struct eval flags = {.plain_percent = false};
    struct outcome o = compare_plain(j, gold, given, &flags);
    if (o.verdict == ANSWER_EQUAL) {
        return o;
    }
    flags.plain_percent = percent;
    flags.plain_degree = degree;
    struct outcome plain = compare_plain(j, gold, given, &flags);
    if (plain.verdict == ANSWER_EQUAL) {
        return weaken(plain, percent ? "equal; one side leaves the percent sign out"
                                     : "equal; one side leaves the degree sign out");
    }
    return o.verdict == ANSWER_DIFFERENT && plain.verdict == ANSWER_DIFFERENT
               ? weaken(o, "")
               : OUTCOME_UNDECIDED("percent or degrees may be meant");
}

/* 1 for ∞, -1 for -∞, 0 for anything else. */
static int infinity_sign(const struct node *x) {
    int sign = 1;
    while (x->kind == NODE_NEG || (x->kind == NODE_ADD && x->n == 1)) {
        sign = x->kind == NODE_NEG ? -sign : sign;
        x = x->kids[0];
    }
    return x->kind == NODE_CONST && x->op == AST_INF ? sign : 0;
}

static struct outcome compare_infinities(struct judge *j, const struct node *x,
                                         const struct node *y, int a, int b) {
    if (a != 0 && b != 0) {
        return a == b ? OUTCOME_EQUAL(true, "the same infinity")
                      : OUTCOME_DIFFERENT(true, "infinity and its opposite");
    }
    struct symbols none = {0};
    const struct node *finite = a != 0 ? y : x;
    struct eval flags = {.plain_percent = false};
    struct meeting_info info;
    return meet(j, &none, NULL, 128, &flags, finite, finite, &info) != MEETING_NONE
               ? OUTCOME_DIFFERENT(true, "one is infinite")
               : OUTCOME_UNDECIDED("infinity");
}

struct outcome scalar_compare(struct judge *j, struct node *gold, struct node *given) {
    int a = infinity_sign(gold), b = infinity_sign(given);
    if (a != 0 || b != 0) {
        return compare_infinities(j, gold, given, a, b);
    }
    if (gold->kind == NODE_UNIT || given->kind == NODE_UNIT) {
        return compare_units(j, gold, given);
    }
    bool wrapped = gold->kind == NODE_PERCENT || gold->kind == NODE_DEGREE;
    if (wrapped && gold->kind == given->kind) {
        return scalar_compare(j, gold->kids[0], given->kids[0]);
    }
    bool percent = node_has(gold, NODE_PERCENT, 0) != node_has(given, NODE_PERCENT, 0);
    bool degree = node_has(gold, NODE_DEGREE, 0) != node_has(given, NODE_DEGREE, 0);
    if (percent || degree) {
        return compare_marks(j, gold, given, percent, degree);
    }
    struct eval flags = {.plain_percent = false};
    struct outcome o = compare_plain(j, gold, given, &flags);
    bool unit = (with_unit(j, gold) != gold) != (with_unit(j, given) != given);
    return unit && o.verdict == ANSWER_DIFFERENT ? OUTCOME_UNDECIDED("a letter may be a unit") : o;
}
