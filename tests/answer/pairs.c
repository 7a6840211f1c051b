#include "pairs.h"

#include <stdlib.h>

const char *const pair_kind_names[PAIR_KINDS] = {"rational", "polynomial", "surd",     "set",
                                                 "interval", "tuple",      "equation", "identity"};

static int64_t nonzero(struct rng *r, int64_t max) {
    int64_t v = rng_range(r, 1, max);
    return rng_chance(r, 0.5) ? v : -v;
}

static int64_t gcd(int64_t a, int64_t b) {
    return b == 0 ? llabs(a) : gcd(b, a % b);
}

/* --- numbers --- */

/* num / den in one of many spellings; den > 0. */
static void write_rational(struct rng *r, int64_t num, int64_t den, struct sbuf *out) {
    int64_t g = gcd(num, den), k = rng_range(r, 2, 9);
    num /= g;
    den /= g;
    const char *minus = num < 0 ? "-" : "";
    int64_t n = llabs(num), half;
    switch (rng_below(r, 7)) {
    case 0:
        sbuf_addf(out, "%s\\frac{%lld}{%lld}", minus, (long long)n, (long long)den);
        break;
    case 1:
        sbuf_addf(out, "%s%lld/%lld", minus, (long long)(n * k), (long long)(den * k));
        break;
    case 2:
        sbuf_addf(out, "\\dfrac{%lld}{%lld}", (long long)(num * k), (long long)(den * k));
        break;
    case 3: /* mixed */
        if (n / den > 0 && n % den != 0) {
            sbuf_addf(out, "%s%lld\\frac{%lld}{%lld}", minus, (long long)(n / den),
                      (long long)(n % den), (long long)den);
            break;
        }
        sbuf_addf(out, "\\tfrac{%lld}{%lld}", (long long)num, (long long)den);
        break;
    case 4: /* a sum */
        half = rng_range(r, -20, 20);
        sbuf_addf(out, "%lld + (%lld)/%lld", (long long)half, (long long)(num - half * den),
                  (long long)den);
        break;
    case 5:
        sbuf_addf(out, "\\left(%lld\\right) \\cdot %lld^{-1}", (long long)num, (long long)den);
        break;
    default:
        sbuf_addf(out, "%lld \\div %lld", (long long)(num * k), (long long)(den * k));
        break;
    }
}

static void pair_rational(struct rng *r, bool equal, struct sbuf *gold, struct sbuf *given) {
    int64_t num = nonzero(r, 500), den = rng_range(r, 1, 60);
    write_rational(r, num, den, gold);
    write_rational(r, equal ? num : num + nonzero(r, 3), den, given);
}

/* --- polynomials in one variable --- */

static void write_term(int64_t c, int power, char x, bool first, bool star, struct sbuf *out) {
    sbuf_add_cstr(out, c < 0 ? (first ? "-" : " - ") : first ? "" : " + ");
    if (llabs(c) != 1 || power == 0) {
        sbuf_addf(out, "%lld%s", (long long)llabs(c), star && power > 0 ? "*" : "");
    }
    if (power > 0) {
        sbuf_addf(out, power > 1 ? "%c^%d" : "%c", x, power);
    }
}

/* c[0] + c[1] x + … in a random order of terms. */
static void write_expanded(struct rng *r, const int64_t *c, int n, char x, struct sbuf *out) {
    bool first = true, star = rng_chance(r, 0.3);
    int start = (int)rng_below(r, (uint64_t)n);
    for (int i = 0; i < n; i++) {
        int k = (start + i) % n;
        if (c[k] != 0) {
            write_term(c[k], k, x, first, star, out);
            first = false;
        }
    }
    sbuf_add_cstr(out, first ? "0" : "");
}

static void pair_polynomial(struct rng *r, bool equal, struct sbuf *gold, struct sbuf *given) {
    static const char letters[] = "xyztabpqw";
    char x = letters[rng_below(r, sizeof letters - 1)];
    int64_t a = nonzero(r, 9), b = rng_range(r, -9, 9), c = nonzero(r, 9), d = rng_range(r, -9, 9);
    int64_t p[3] = {b * d, a * d + b * c, a * c};
    write_expanded(r, p, 3, x, gold);
    if (!equal) {
        p[rng_below(r, 3)] += nonzero(r, 2);
        write_expanded(r, p, 3, x, given);
    } else if (rng_chance(r, 0.5)) {
        sbuf_addf(given, "(%lld%c %+lld)(%lld%c %+lld)", (long long)a, x, (long long)b,
                  (long long)c, x, (long long)d);
    } else {
        sbuf_addf(given, "%c\\left(%lld %c %+lld\\right) %+lld", x, (long long)p[2], x,
                  (long long)p[1], (long long)p[0]);
    }
}

/* --- a + b sqrt(n) --- */

static void write_surd(struct rng *r, int64_t a, int64_t b, int64_t n, struct sbuf *out) {
    switch (rng_below(r, 4)) {
    case 0:
        sbuf_addf(out, "%lld %+lld\\sqrt{%lld}", (long long)a, (long long)b, (long long)n);
        break;
    case 1:
        sbuf_addf(out, "%lld*sqrt(%lld) %+lld", (long long)b, (long long)n, (long long)a);
        break;
    case 2: /* k²n under the root */
        sbuf_addf(out, "\\frac{%lld %+lld\\sqrt{%lld}}{6}", (long long)(6 * a), (long long)(2 * b),
                  (long long)(9 * n));
        break;
    default: /* the conjugate below */
        sbuf_addf(out, "\\frac{%lld}{%lld %+lld\\sqrt{%lld}}", (long long)(a * a - b * b * n),
                  (long long)a, (long long)-b, (long long)n);
        break;
    }
}

static void pair_surd(struct rng *r, bool equal, struct sbuf *gold, struct sbuf *given) {
    static const int64_t radicands[] = {2, 3, 5, 6, 7, 10, 11, 13};
    int64_t a = nonzero(r, 30), b = nonzero(r, 12), n = radicands[rng_below(r, 8)];
    write_surd(r, a, b, n, gold);
    if (!equal) {
        (rng_chance(r, 0.5) ? (void)(a += nonzero(r, 2)) : (void)(b = -b));
    }
    write_surd(r, a, b, n, given);
}

/* --- collections --- */

static void write_members(struct rng *r, const int64_t *v, int n, const char *open,
                          const char *close, bool shuffle, struct sbuf *out) {
    int start = shuffle ? (int)rng_below(r, (uint64_t)n) : 0;
    int step = shuffle && rng_chance(r, 0.5) ? n - 1 : 1;
    sbuf_add_cstr(out, open);
    for (int i = 0; i < n; i++) {
        sbuf_addf(out, i > 0 ? ", %lld" : "%lld", (long long)v[(start + i * step) % n]);
    }
    sbuf_add_cstr(out, close);
}

static int make_members(struct rng *r, int64_t *v, int max) {
    int n = (int)rng_range(r, 2, max);
    v[0] = rng_range(r, -30, 30);
    for (int i = 1; i < n; i++) {
        v[i] = v[i - 1] + rng_range(r, 1, 9);
    }
    return n;
}

static void pair_set(struct rng *r, bool equal, struct sbuf *gold, struct sbuf *given) {
    int64_t v[6];
    int n = make_members(r, v, 6);
    bool braces = rng_chance(r, 0.5);
    write_members(r, v, n, braces ? "\\{" : "", braces ? "\\}" : "", true, gold);
    if (!equal) {
        v[rng_below(r, (uint64_t)n)] = 100 + rng_range(r, 0, 9);
    }
    write_members(r, v, n, "\\left\\{", "\\right\\}", true, given);
}

static void pair_tuple(struct rng *r, bool equal, struct sbuf *gold, struct sbuf *given) {
    int64_t v[5];
    int n = make_members(r, v, 5);
    write_members(r, v, n, "(", ")", false, gold);
    if (!equal) {
        v[rng_below(r, (uint64_t)n)] += nonzero(r, 4);
    }
    write_members(r, v, n, "\\left( ", " \\right)", false, given);
}

static void pair_interval(struct rng *r, bool equal, struct sbuf *gold, struct sbuf *given) {
    int64_t lo = rng_range(r, -40, 40), hi = lo + rng_range(r, 1, 30);
    bool closed_lo = rng_chance(r, 0.5), closed_hi = rng_chance(r, 0.5);
    sbuf_addf(gold, "%c%lld, %lld%c", closed_lo ? '[' : '(', (long long)lo, (long long)hi,
              closed_hi ? ']' : ')');
    if (!equal) {
        (rng_chance(r, 0.5) ? (void)(hi += rng_range(r, 1, 5)) : (void)(closed_lo = !closed_lo));
    }
    if (rng_chance(r, 0.5)) {
        sbuf_addf(given, "%lld %s x %s %lld", (long long)lo, closed_lo ? "\\le" : "<",
                  closed_hi ? "\\leq" : "<", (long long)hi);
    } else {
        sbuf_addf(given, "x %s %lld \\text{ and } x %s %lld", closed_lo ? ">=" : ">", (long long)lo,
                  closed_hi ? "<=" : "<", (long long)hi);
    }
}

/* --- equations and identities --- */

static void pair_equation(struct rng *r, bool equal, struct sbuf *gold, struct sbuf *given) {
    int64_t a = nonzero(r, 9), b = nonzero(r, 9), c = nonzero(r, 20), k = nonzero(r, 5);
    sbuf_addf(gold, "%lldx %+lldy = %lld", (long long)a, (long long)b, (long long)c);
    c += equal ? 0 : nonzero(r, 3);
    if (rng_chance(r, 0.5)) {
        sbuf_addf(given, "%lldx %+lldy %+lld = 0", (long long)(k * a), (long long)(k * b),
                  (long long)(-k * c));
    } else {
        sbuf_addf(given, "%lldy = %lld %+lldx", (long long)(k * b), (long long)(k * c),
                  (long long)(-k * a));
    }
}

static void pair_identity(struct rng *r, bool equal, struct sbuf *gold, struct sbuf *given) {
    int64_t a = nonzero(r, 9), b = rng_range(r, 2, 6), c = equal ? 0 : nonzero(r, 3);
    switch (rng_below(r, 5)) {
    case 0:
        sbuf_addf(gold, "%lld", (long long)a);
        sbuf_addf(given, "%lld(\\sin^2 x + \\cos^2 x) %+lld", (long long)a, (long long)c);
        break;
    case 1:
        sbuf_addf(gold, "\\cos(2x) %+lld", (long long)a);
        sbuf_addf(given, "1 - 2\\sin^2(x) %+lld", (long long)(a + c));
        break;
    case 2:
        sbuf_addf(gold, "e^{%lldx}", (long long)(b + c));
        sbuf_addf(given, "(e^x)^%lld", (long long)b);
        break;
    case 3:
        sbuf_addf(gold, "\\ln(x^{%lld})", (long long)(2 * b + c));
        sbuf_addf(given, "%lld\\ln x", (long long)(2 * b));
        break;
    default:
        sbuf_addf(gold, "|x %+lld|", (long long)a);
        sbuf_addf(given, "\\sqrt{(x %+lld)^2}", (long long)(a + c));
        break;
    }
}

void pair_make(struct rng *r, enum pair_kind kind, bool equal, struct sbuf *gold,
               struct sbuf *given) {
    static void (*const makers[PAIR_KINDS])(struct rng *, bool, struct sbuf *, struct sbuf *) = {
        pair_rational, pair_polynomial, pair_surd,     pair_set,
        pair_interval, pair_tuple,      pair_equation, pair_identity};
    sbuf_clear(gold);
    sbuf_clear(given);
    makers[kind](r, equal, gold, given);
}
