#include "sim/item.h"

#include <stdarg.h>
#include <stdio.h>

void item_init(struct item *it) {
    it->problem = S("");
    it->right_n = it->wrong_n = it->hints_n = 0;
    it->piece = it->next = it->text;
}

PRINTF(2, 0) static struct str item_vfmt(struct item *it, const char *fmt, va_list args) {
    size_t room = (size_t)(it->text + sizeof it->text - it->next);
    int n = vsnprintf(it->next, room, fmt, args);
    ASSERT(n >= 0 && (size_t)n < room);
    struct str piece = {it->next, (size_t)n};
    it->next += n + 1;
    return piece;
}

struct str item_fmt(struct item *it, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    struct str piece = item_vfmt(it, fmt, args);
    va_end(args);
    return piece;
}

void item_problem(struct item *it, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    it->problem = item_vfmt(it, fmt, args);
    va_end(args);
}

void item_hint(struct item *it, const char *fmt, ...) {
    va_list args;
    ASSERT(it->hints_n < ITEM_HINTS_MAX);
    va_start(args, fmt);
    it->hints[it->hints_n++] = item_vfmt(it, fmt, args);
    va_end(args);
}

void item_right(struct item *it, struct str form) {
    for (size_t i = 0; i < it->right_n; i++) {
        if (str_eq(it->right[i], form)) {
            return;
        }
    }
    if (it->right_n < ITEM_FORMS_MAX) {
        it->right[it->right_n++] = form;
    }
}

void item_wrong(struct item *it, struct str form) {
    ASSERT(it->right_n > 0);
    if (str_eq(form, it->right[0]) || it->wrong_n == ITEM_FORMS_MAX) {
        return;
    }
    for (size_t i = 0; i < it->wrong_n; i++) {
        if (str_eq(it->wrong[i], form)) {
            return;
        }
    }
    it->wrong[it->wrong_n++] = form;
}

/* One piece written by a tex_ function. */
#define PIECE(it, write) (tex_begin(it), (write), tex_end(it))

static const enum tex_style item_styles[] = {TEX_FRAC, TEX_DFRAC, TEX_SLASH, TEX_DECIMAL};

void item_right_rat(struct item *it, struct rat v) {
    for (size_t i = 0; i < ARRAY_LEN(item_styles); i++) {
        item_right(it, PIECE(it, tex_rat(it, v, item_styles[i])));
    }
    if (v.d == 1) {
        item_right(it, item_fmt(it, "%lld.0", (long long)v.n));
        item_right(it, item_fmt(it, "\\frac{%lld}{2}", (long long)i64_mul(v.n, 2)));
    } else {
        item_right(it, item_fmt(it, "\\frac{%lld}{%lld}", (long long)i64_mul(v.n, 2),
                                (long long)i64_mul(v.d, 2)));
    }
}

void item_wrong_rat(struct item *it, struct rat v) {
    item_wrong(it, PIECE(it, tex_rat(it, v, TEX_FRAC)));
}

void item_right_surd(struct item *it, struct surd v) {
    item_right(it, PIECE(it, tex_surd(it, v, TEX_FRAC)));
    item_right(it, PIECE(it, tex_surd_terms(it, v, TEX_FRAC)));
    item_right(it, PIECE(it, tex_surd(it, v, TEX_DFRAC)));
    item_right(it, PIECE(it, tex_surd(it, v, TEX_SLASH)));
    if (v.b.n > 0 && v.a.n != 0) { /* the root first */
        tex_begin(it);
        tex_surd_terms(it, (struct surd){rat_int(0), v.b, v.r}, TEX_FRAC);
        tex_term(it, v.a, TEX_FRAC);
        item_right(it, tex_end(it));
    }
    if (v.b.n == v.b.d) { /* √ of a product, left as it is */
        tex_begin(it);
        tex_put(it, "\\frac{1}{2}\\sqrt{");
        tex_int(it, i64_mul(4, v.r));
        tex_char(it, '}');
        if (v.a.n != 0) {
            tex_term(it, v.a, TEX_FRAC);
        }
        item_right(it, tex_end(it));
    }
}

void item_wrong_surd(struct item *it, struct surd v) {
    item_wrong(it, PIECE(it, tex_surd(it, v, TEX_FRAC)));
}

void item_right_poly(struct item *it, const struct poly *p, char var) {
    item_right(it, PIECE(it, tex_poly(it, p, var, TEX_FRAC, false)));
    item_right(it, PIECE(it, tex_poly(it, p, var, TEX_FRAC, true)));
    item_right(it, PIECE(it, tex_poly(it, p, var, TEX_DECIMAL, false)));
}

void item_wrong_poly(struct item *it, const struct poly *p, char var) {
    item_wrong(it, PIECE(it, tex_poly(it, p, var, TEX_FRAC, false)));
}

static struct str item_tuple(struct item *it, const struct rat *v, int n, enum tex_style style,
                             const char *open, const char *close) {
    tex_begin(it);
    tex_put(it, open);
    tex_list(it, v, n, style);
    tex_put(it, close);
    return tex_end(it);
}

void item_right_tuple(struct item *it, const struct rat *v, int n) {
    item_right(it, item_tuple(it, v, n, TEX_FRAC, "(", ")"));
    item_right(it, item_tuple(it, v, n, TEX_FRAC, "\\left(", "\\right)"));
    item_right(it, item_tuple(it, v, n, TEX_DFRAC, "\\left(", "\\right)"));
    item_right(it, item_tuple(it, v, n, TEX_SLASH, "(", ")"));
    item_right(it, item_tuple(it, v, n, TEX_DECIMAL, "(", ")"));
}

void item_wrong_tuple(struct item *it, const struct rat *v, int n) {
    item_wrong(it, item_tuple(it, v, n, TEX_FRAC, "(", ")"));
}

void item_right_matrix(struct item *it, const struct rat *v, int rows, int columns) {
    item_right(it, PIECE(it, tex_matrix(it, "pmatrix", v, rows, columns, TEX_FRAC)));
    item_right(it, PIECE(it, tex_matrix(it, "bmatrix", v, rows, columns, TEX_FRAC)));
    item_right(it, PIECE(it, tex_matrix(it, "pmatrix", v, rows, columns, TEX_SLASH)));
    item_right(it, PIECE(it, tex_matrix(it, "bmatrix", v, rows, columns, TEX_DECIMAL)));
}

void item_wrong_matrix(struct item *it, const struct rat *v, int rows, int columns) {
    item_wrong(it, PIECE(it, tex_matrix(it, "pmatrix", v, rows, columns, TEX_FRAC)));
}

/* "\frac{3\pi}{4}" */
static void tex_pi_over(struct item *it, struct rat v, const char *command) {
    tex_put(it, v.n < 0 ? "-" : "");
    tex_put(it, command);
    tex_char(it, '{');
    tex_times(it, rat_int(v.n < 0 ? -v.n : v.n), "\\pi", TEX_FRAC);
    tex_put(it, "}{");
    tex_int(it, v.d);
    tex_char(it, '}');
}

static struct str item_pi(struct item *it, struct rat v) {
    tex_begin(it);
    if (v.d == 1) {
        tex_times(it, v, "\\pi", TEX_FRAC);
    } else {
        tex_pi_over(it, v, "\\frac");
    }
    return tex_end(it);
}

void item_right_pi(struct item *it, struct rat v) {
    item_right(it, item_pi(it, v));
    if (v.d != 1) {
        item_right(it, PIECE(it, tex_times(it, v, "\\pi", TEX_FRAC)));
        item_right(it, PIECE(it, tex_pi_over(it, v, "\\dfrac")));
    } else {
        item_right(it, item_fmt(it, "%lld \\cdot \\pi", (long long)v.n));
    }
    item_right(it, PIECE(it, tex_times(it, v, " \\pi", TEX_DECIMAL)));
}

void item_wrong_pi(struct item *it, struct rat v) {
    item_wrong(it, item_pi(it, v));
}
