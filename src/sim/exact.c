#include "sim/exact.h"

#include "base/defs.h"

int64_t i64_gcd(int64_t a, int64_t b) {
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a < 0 ? -a : a;
}

int64_t i64_mul(int64_t a, int64_t b) {
    int64_t product;
    ASSERT(!__builtin_mul_overflow(a, b, &product));
    return product;
}

int64_t i64_lcm(int64_t a, int64_t b) {
    return i64_mul(a / i64_gcd(a, b), b);
}

int64_t i64_pow(int64_t a, int exponent) {
    int64_t power = 1;
    while (exponent-- > 0) {
        power = i64_mul(power, a);
    }
    return power;
}

int64_t i64_pow_mod(int64_t a, int64_t exponent, int64_t m) {
    int64_t power = 1 % m;
    a %= m;
    for (; exponent > 0; exponent /= 2) {
        power = exponent % 2 == 1 ? i64_mul(power, a) % m : power;
        a = i64_mul(a, a) % m;
    }
    return power;
}

int64_t i64_binomial(int n, int k) {
    int64_t b = 1;
    for (int i = 1; i <= k; i++) {
        b = i64_mul(b, n - k + i) / i; /* exact: a product of i neighbours is divisible by i! */
    }
    return b;
}

struct rat rat(int64_t n, int64_t d) {
    ASSERT(d != 0);
    int64_t g = i64_gcd(n, d);
    g = d < 0 ? -g : g;
    return (struct rat){n / g, d / g};
}

struct rat rat_int(int64_t n) {
    return (struct rat){n, 1};
}

struct rat rat_add(struct rat a, struct rat b) {
    int64_t n, d = i64_lcm(a.d, b.d);
    ASSERT(!__builtin_add_overflow(i64_mul(a.n, d / a.d), i64_mul(b.n, d / b.d), &n));
    return rat(n, d);
}

struct rat rat_neg(struct rat a) {
    return (struct rat){-a.n, a.d};
}

struct rat rat_sub(struct rat a, struct rat b) {
    return rat_add(a, rat_neg(b));
}

struct rat rat_mul(struct rat a, struct rat b) {
    struct rat x = rat(a.n, b.d), y = rat(b.n, a.d); /* crosswise first keeps the products small */
    return (struct rat){i64_mul(x.n, y.n), i64_mul(x.d, y.d)};
}

struct rat rat_div(struct rat a, struct rat b) {
    return rat_mul(a, rat(b.d, b.n));
}

struct rat rat_pow(struct rat a, int exponent) {
    return (struct rat){i64_pow(a.n, exponent), i64_pow(a.d, exponent)};
}

int rat_cmp(struct rat a, struct rat b) {
    struct rat difference = rat_sub(a, b);
    return difference.n > 0 ? 1 : difference.n < 0 ? -1 : 0;
}

bool rat_eq(struct rat a, struct rat b) {
    return a.n == b.n && a.d == b.d;
}

int rat_decimals(struct rat a) {
    int64_t power = 1;
    for (int decimals = 0; decimals <= 6; decimals++, power *= 10) {
        if (power % a.d == 0) {
            return decimals;
        }
    }
    return -1;
}

struct surd surd(struct rat a, struct rat b, int64_t radicand) {
    int64_t outside = 1, inside = radicand;
    ASSERT(radicand >= 0);
    for (int64_t f = 2; f * f <= inside; f++) {
        while (inside % (f * f) == 0) {
            inside /= f * f;
            outside *= f;
        }
    }
    struct surd s = {a, rat_mul(b, rat_int(outside)), inside};
    if (inside == 0 || b.n == 0) {
        s = (struct surd){a, rat_int(0), 1};
    } else if (inside == 1) {
        s = (struct surd){rat_add(a, s.b), rat_int(0), 1};
    }
    return s;
}

bool surd_eq(struct surd a, struct surd b) {
    return rat_eq(a.a, b.a) && rat_eq(a.b, b.b) && a.r == b.r;
}

static struct poly poly_trimmed(struct poly p) {
    while (p.n > 0 && p.c[p.n - 1].n == 0) {
        p.n--;
    }
    return p;
}

static struct poly poly_zero(int n) {
    struct poly p = {.n = n};
    ASSERT(n <= POLY_TERMS_MAX);
    for (int i = 0; i < n; i++) {
        p.c[i] = rat_int(0);
    }
    return p;
}

struct poly poly_of(const int64_t *c, int n) {
    struct poly p = poly_zero(n);
    for (int i = 0; i < n; i++) {
        p.c[i] = rat_int(c[i]);
    }
    return poly_trimmed(p);
}

struct poly poly_add(struct poly p, struct poly q) {
    struct poly sum = poly_zero(MAX(p.n, q.n));
    for (int i = 0; i < sum.n; i++) {
        sum.c[i] = rat_add(i < p.n ? p.c[i] : rat_int(0), i < q.n ? q.c[i] : rat_int(0));
    }
    return poly_trimmed(sum);
}

struct poly poly_mul(struct poly p, struct poly q) {
    struct poly product = poly_zero(p.n == 0 || q.n == 0 ? 0 : p.n + q.n - 1);
    for (int i = 0; i < p.n; i++) {
        for (int j = 0; j < q.n; j++) {
            product.c[i + j] = rat_add(product.c[i + j], rat_mul(p.c[i], q.c[j]));
        }
    }
    return poly_trimmed(product);
}

struct poly poly_scale(struct poly p, struct rat k) {
    for (int i = 0; i < p.n; i++) {
        p.c[i] = rat_mul(p.c[i], k);
    }
    return poly_trimmed(p);
}

struct poly poly_derivative(struct poly p) {
    struct poly d = poly_zero(MAX(p.n - 1, 0));
    for (int i = 0; i < d.n; i++) {
        d.c[i] = rat_mul(p.c[i + 1], rat_int(i + 1));
    }
    return poly_trimmed(d);
}

struct poly poly_integral(struct poly p) {
    struct poly q = poly_zero(p.n + 1);
    for (int i = 0; i < p.n; i++) {
        q.c[i + 1] = rat_div(p.c[i], rat_int(i + 1));
    }
    return poly_trimmed(q);
}

struct rat poly_at(struct poly p, struct rat x) {
    struct rat y = rat_int(0);
    for (int i = p.n - 1; i >= 0; i--) {
        y = rat_add(rat_mul(y, x), p.c[i]);
    }
    return y;
}

bool poly_eq(struct poly p, struct poly q) {
    if (p.n != q.n) {
        return false;
    }
    for (int i = 0; i < p.n; i++) {
        if (!rat_eq(p.c[i], q.c[i])) {
            return false;
        }
    }
    return true;
}
