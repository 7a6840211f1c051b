#include "latex_value.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LATEX_X 1.7320508
#define LATEX_I 0.3183098

struct reader {
    const char *p, *end;
    bool failed;
};

static double reader_sum(struct reader *r);

static void reader_space(struct reader *r) {
    while (r->p < r->end && *r->p == ' ') {
        r->p++;
    }
}

static bool reader_take(struct reader *r, const char *token) {
    size_t n = strlen(token);
    reader_space(r);
    if ((size_t)(r->end - r->p) < n || memcmp(r->p, token, n) != 0) {
        return false;
    }
    r->p += n;
    return true;
}

static double reader_group(struct reader *r, const char *open, const char *close) {
    r->failed = r->failed || !reader_take(r, open);
    double v = reader_sum(r);
    r->failed = r->failed || !reader_take(r, close);
    return v;
}

static bool reader_at_atom(struct reader *r) {
    static const char *const commands[] = {"\\frac", "\\dfrac", "\\sqrt", "\\pi"};
    reader_space(r);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        size_t n = strlen(commands[i]);
        if ((size_t)(r->end - r->p) >= n && memcmp(r->p, commands[i], n) == 0) {
            return true;
        }
    }
    return r->p < r->end && (isdigit((unsigned char)*r->p) || strchr("(xi", *r->p) != NULL);
}

static double reader_atom(struct reader *r) {
    if (reader_take(r, "\\frac") || reader_take(r, "\\dfrac")) {
        double top = reader_group(r, "{", "}");
        return top / reader_group(r, "{", "}");
    }
    if (reader_take(r, "\\sqrt")) {
        return sqrt(reader_group(r, "{", "}"));
    }
    if (reader_take(r, "\\pi")) {
        return 3.14159265358979;
    }
    if (reader_take(r, "x")) {
        return LATEX_X;
    }
    if (reader_take(r, "i")) {
        return LATEX_I;
    }
    reader_space(r);
    if (r->p < r->end && *r->p == '(') {
        return reader_group(r, "(", ")");
    }
    char *end;
    double v = strtod(r->p, &end);
    r->failed = r->failed || end == r->p || end > r->end;
    r->p = end;
    return v;
}

static double reader_power(struct reader *r) {
    double v = reader_atom(r);
    return reader_take(r, "^") ? pow(v, reader_atom(r)) : v;
}

static double reader_product(struct reader *r) {
    double v = reader_power(r);
    for (;;) {
        if (reader_take(r, "/")) {
            v /= reader_power(r);
        } else if (reader_take(r, "\\cdot") || reader_at_atom(r)) {
            v *= reader_power(r);
        } else {
            return v;
        }
    }
}

static double reader_sum(struct reader *r) {
    double v = reader_take(r, "-") ? -reader_product(r) : reader_product(r);
    for (;;) {
        if (reader_take(r, "+")) {
            v += reader_product(r);
        } else if (reader_take(r, "-")) {
            v -= reader_product(r);
        } else {
            return v;
        }
    }
}

/* Anything that stands between or around the entries of an answer. */
static bool reader_separator(struct reader *r) {
    static const char *const tokens[] = {"y =",
                                         "\\lambda =",
                                         "\\le x",
                                         "< x",
                                         "x \\le",
                                         "x \\ge",
                                         "x <",
                                         "x >", /* names first */
                                         "\\left",
                                         "\\right",
                                         "\\begin{pmatrix}",
                                         "\\end{pmatrix}",
                                         "\\begin{bmatrix}",
                                         "\\end{bmatrix}",
                                         "\\cup",
                                         "\\text{ or }",
                                         "\\le",
                                         "\\ge",
                                         "\\\\",
                                         "\\{",
                                         "\\}",
                                         "-\\infty",
                                         "\\infty",
                                         "&",
                                         ",",
                                         "<",
                                         ">",
                                         "=",
                                         "(",
                                         ")",
                                         "[",
                                         "]"};
    for (size_t i = 0; i < ARRAY_LEN(tokens); i++) {
        if (reader_take(r, tokens[i])) {
            return true;
        }
    }
    return false;
}

/* "\frac{1}{d} \begin{pmatrix}": the entries are to be divided by d. */
static double reader_factor(struct reader *r) {
    struct reader ahead = *r;
    if (reader_take(&ahead, "\\frac{1}")) {
        double d = reader_group(&ahead, "{", "}");
        if (!ahead.failed && reader_take(&ahead, "\\begin")) {
            r->p = ahead.p - strlen("\\begin");
            return 1 / d;
        }
    }
    return 1;
}

/* A list opens with a bracket; a sum may open with one, too, as in "(3 + \sqrt{5})/2". */
static bool reader_brackets_are_a_list(const struct reader *r) {
    struct str s = {r->p, (size_t)(r->end - r->p)};
    return str_find_char(s, ',') != STR_NPOS;
}

bool latex_values(struct str answer, struct latex_values *ret) {
    struct reader r = {answer.p, answer.p + answer.n, false};
    bool list = reader_brackets_are_a_list(&r);
    double factor = reader_factor(&r);
    ret->n = 0;
    while (!r.failed && (reader_space(&r), r.p < r.end)) {
        bool sum = !list && *r.p == '(';
        if (!sum && reader_separator(&r)) {
            continue;
        }
        double v = factor * reader_sum(&r);
        r.failed = r.failed || ret->n == LATEX_VALUES_MAX;
        if (!r.failed) {
            ret->v[ret->n++] = v;
        }
    }
    return !r.failed && ret->n > 0;
}

static bool near(double a, double b) {
    return fabs(a - b) <= 1e-13 * (1 + fabs(a) + fabs(b));
}

bool latex_values_eq(const struct latex_values *a, const struct latex_values *b) {
    bool eq = a->n == b->n;
    for (size_t i = 0; eq && i < a->n; i++) {
        eq = near(a->v[i], b->v[i]);
    }
    return eq;
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

bool latex_values_eq_sorted(const struct latex_values *a, const struct latex_values *b) {
    struct latex_values x = *a, y = *b;
    qsort(x.v, x.n, sizeof x.v[0], by_size);
    qsort(y.v, y.n, sizeof y.v[0], by_size);
    return latex_values_eq(&x, &y);
}
