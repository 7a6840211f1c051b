/* The pen of item.h. */
#include "sim/item.h"

#include <string.h>

void tex_begin(struct item *it) {
    it->piece = it->next;
}

struct str tex_end(struct item *it) {
    struct str piece = {it->piece, (size_t)(it->next - it->piece)};
    tex_char(it, '\0');
    return piece;
}

void tex_char(struct item *it, char c) {
    ASSERT(it->next < it->text + sizeof it->text);
    *it->next++ = c;
}

void tex_put(struct item *it, const char *text) {
    size_t n = strlen(text);
    ASSERT(n <= (size_t)(it->text + sizeof it->text - it->next));
    memcpy(it->next, text, n);
    it->next += n;
}

void tex_int(struct item *it, int64_t v) {
    char digits[24];
    size_t n = 0;
    uint64_t rest = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do {
        digits[n++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (v < 0) {
        tex_char(it, '-');
    }
    while (n > 0) {
        tex_char(it, digits[--n]);
    }
}

static void tex_decimal(struct item *it, struct rat v, int decimals) {
    int64_t power = i64_pow(10, decimals), n = v.n < 0 ? -v.n : v.n;
    n = i64_mul(n, power / v.d);
    tex_put(it, v.n < 0 ? "-" : "");
    tex_int(it, n / power);
    if (decimals > 0) {
        tex_char(it, '.');
    }
    for (int64_t rest = n % power; decimals > 0; decimals--) {
        power /= 10;
        tex_char(it, (char)('0' + rest / power));
        rest %= power;
    }
}

void tex_rat(struct item *it, struct rat v, enum tex_style style) {
    int decimals = style == TEX_DECIMAL ? rat_decimals(v) : -1;
    if (v.d == 1) {
        tex_int(it, v.n);
    } else if (decimals >= 0) {
        tex_decimal(it, v, decimals);
    } else if (style == TEX_SLASH || style == TEX_DECIMAL) {
        tex_int(it, v.n);
        tex_char(it, '/');
        tex_int(it, v.d);
    } else {
        tex_put(it, v.n < 0 ? "-" : "");
        tex_put(it, style == TEX_FRAC ? "\\frac{" : "\\dfrac{");
        tex_int(it, v.n < 0 ? -v.n : v.n);
        tex_put(it, "}{");
        tex_int(it, v.d);
        tex_char(it, '}');
    }
}

static struct rat tex_abs(struct rat v) {
    return v.n < 0 ? rat_neg(v) : v;
}

void tex_term(struct item *it, struct rat v, enum tex_style style) {
    tex_put(it, v.n < 0 ? " - " : " + ");
    tex_rat(it, tex_abs(v), style);
}

void tex_times(struct item *it, struct rat k, const char *what, enum tex_style style) {
    bool slash = k.d != 1 && (style == TEX_SLASH || (style == TEX_DECIMAL && rat_decimals(k) < 0));
    if (k.n == -1 && k.d == 1) {
        tex_char(it, '-');
    } else if (k.n != 1 || k.d != 1) {
        tex_put(it, slash ? "(" : "");
        tex_rat(it, k, style);
        tex_put(it, slash ? ")" : "");
    }
    tex_put(it, what);
}

static void tex_root(struct item *it, struct rat k, int64_t r, enum tex_style style) {
    tex_times(it, k, "\\sqrt{", style);
    tex_int(it, r);
    tex_char(it, '}');
}

void tex_surd_terms(struct item *it, struct surd v, enum tex_style style) {
    if (v.b.n == 0) {
        tex_rat(it, v.a, style);
        return;
    }
    if (v.a.n != 0) {
        tex_rat(it, v.a, style);
        tex_put(it, v.b.n < 0 ? " - " : " + ");
        tex_root(it, tex_abs(v.b), v.r, style);
    } else {
        tex_root(it, v.b, v.r, style);
    }
}

void tex_surd(struct item *it, struct surd v, enum tex_style style) {
    int64_t d = i64_lcm(v.a.d, v.b.d);
    struct surd over = {rat_mul(v.a, rat_int(d)), rat_mul(v.b, rat_int(d)), v.r};
    bool slash = style == TEX_SLASH || style == TEX_DECIMAL;
    if (d == 1 || v.b.n == 0) {
        tex_surd_terms(it, v, style);
        return;
    }
    tex_put(it, slash ? "(" : style == TEX_FRAC ? "\\frac{" : "\\dfrac{");
    tex_surd_terms(it, over, style);
    tex_put(it, slash ? ")/" : "}{");
    tex_int(it, d);
    tex_put(it, slash ? "" : "}");
}

static void tex_power(struct item *it, struct rat k, char var, int power, enum tex_style style) {
    const char name[] = {var, '\0'};
    if (power == 0) {
        tex_rat(it, k, style);
        return;
    }
    tex_times(it, k, name, style);
    if (power > 1) {
        tex_char(it, '^');
        tex_int(it, power);
    }
}

void tex_poly(struct item *it, const struct poly *p, char var, enum tex_style style, bool rising) {
    bool first = true;
    for (int i = 0; i < p->n; i++) {
        int power = rising ? i : p->n - 1 - i;
        struct rat k = p->c[power];
        if (k.n == 0) {
            continue;
        }
        if (first) {
            tex_power(it, k, var, power, style);
        } else {
            tex_put(it, k.n < 0 ? " - " : " + ");
            tex_power(it, tex_abs(k), var, power, style);
        }
        first = false;
    }
    if (first) {
        tex_char(it, '0');
    }
}

void tex_list(struct item *it, const struct rat *v, int n, enum tex_style style) {
    for (int i = 0; i < n; i++) {
        tex_put(it, i > 0 ? ", " : "");
        tex_rat(it, v[i], style);
    }
}

void tex_matrix(struct item *it, const char *env, const struct rat *v, int rows, int columns,
                enum tex_style style) {
    tex_put(it, "\\begin{");
    tex_put(it, env);
    tex_char(it, '}');
    for (int row = 0; row < rows; row++) {
        for (int column = 0; column < columns; column++) {
            tex_put(it, column > 0 ? " & " : row > 0 ? " \\\\ " : " ");
            tex_rat(it, v[row * columns + column], style);
        }
    }
    tex_put(it, " \\end{");
    tex_put(it, env);
    tex_char(it, '}');
}
