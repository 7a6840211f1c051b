/* Matrices and vectors. */
#include "sim/family.h"

static struct str piece_matrix(struct item *it, const int64_t *m, int rows, int columns) {
    struct rat v[9];
    for (int i = 0; i < rows * columns; i++) {
        v[i] = rat_int(m[i]);
    }
    tex_begin(it);
    tex_matrix(it, "pmatrix", v, rows, columns, TEX_FRAC);
    return tex_end(it);
}

static void draw_ints(struct rng *r, int64_t max, int64_t *ret, int n) {
    for (int i = 0; i < n; i++) {
        ret[i] = rng_range(r, -max, max);
    }
}

static void matrix_product(struct item *it, struct rng *r) {
    int64_t a[4], b[4];
    struct rat ab[4], ba[4], slip[4];
    draw_ints(r, 12, a, 4);
    draw_ints(r, 12, b, 4);
    for (int i = 0; i < 4; i++) {
        int row = i / 2 * 2, column = i % 2;
        ab[i] = rat_int(a[row] * b[column] + a[row + 1] * b[column + 2]);
        ba[i] = rat_int(b[row] * a[column] + b[row + 1] * a[column + 2]);
        slip[i] = rat_int(a[i] * b[i]);
    }
    struct str one = piece_matrix(it, a, 2, 2), other = piece_matrix(it, b, 2, 2);
    item_problem(it, "%s $A = %.*s$ and $B = %.*s$. %s",
                 FAMILY_SAY(r, "Let", "Consider the matrices"), STR_ARG(one), STR_ARG(other),
                 FAMILY_SAY(r, "Compute $AB$.", "Find the product $AB$.", "Determine $AB$."));
    item_right_matrix(it, ab, 2, 2);
    item_wrong_matrix(it, ba, 2, 2);
    item_wrong_matrix(it, slip, 2, 2);
    item_wrong_matrix(it, (struct rat[]){ab[0], ab[2], ab[1], ab[3]}, 2, 2);
    item_wrong_matrix(it, (struct rat[]){ab[0], ab[1], ab[2], rat_add(ab[3], rat_int(1))}, 2, 2);
    item_hint(it, "Multiply rows of $A$ by columns of $B$.");
    item_hint(it, "The entry in the first row and first column is $%lld$.", (long long)ab[0].n);
    item_hint(it, "Mind the order: $AB$ and $BA$ differ in general.");
}

static int64_t det3(const int64_t *m) {
    return m[0] * (m[4] * m[8] - m[5] * m[7]) - m[1] * (m[3] * m[8] - m[5] * m[6]) +
           m[2] * (m[3] * m[7] - m[4] * m[6]);
}

static void determinant(struct item *it, struct rng *r) {
    int64_t m[9];
    draw_ints(r, 9, m, 9);
    int64_t value = det3(m);
    struct rat v[9];
    for (int i = 0; i < 9; i++) {
        v[i] = rat_int(m[i]);
    }
    tex_begin(it);
    tex_matrix(it, "vmatrix", v, 3, 3, TEX_FRAC);
    struct str text = tex_end(it);
    item_problem(
        it, "%s $%.*s$%s",
        FAMILY_SAY(r, "Compute the determinant", "Evaluate", "Find the value of the determinant"),
        STR_ARG(text), FAMILY_SAY(r, ".", " exactly."));
    item_right_rat(it, rat_int(value));
    item_wrong_rat(it, rat_int(-value));
    item_wrong_rat(it, rat_int(value + 2 * m[1] * (m[3] * m[8] - m[5] * m[6])));
    item_wrong_rat(it, rat_int(m[0] * m[4] * m[8] - m[2] * m[4] * m[6]));
    item_wrong_rat(it, rat_int(value + 1));
    item_hint(it, "Expand along the first row, or use row operations.");
    item_hint(it, "The signs of the cofactors in the first row are $+$, $-$, $+$.");
    item_hint(it, "The first minor is $%lld$.", (long long)(m[4] * m[8] - m[5] * m[7]));
}

static void inverse_matrix(struct item *it, struct rng *r) {
    int64_t m[4], det;
    do {
        draw_ints(r, 12, m, 4);
        det = m[0] * m[3] - m[1] * m[2];
    } while (det == 0 || det == 1 || m[1] == 0 || m[2] == 0 || m[0] == m[3]);
    struct rat v[] = {rat(m[3], det), rat(-m[1], det), rat(-m[2], det), rat(m[0], det)};
    struct str text = piece_matrix(it, m, 2, 2);
    item_problem(
        it, "%s of $%.*s$%s",
        FAMILY_SAY(r, "Find the inverse", "Compute the inverse matrix", "Determine the inverse"),
        STR_ARG(text), FAMILY_SAY(r, ".", " with exact entries."));
    item_right_matrix(it, v, 2, 2);
    item_right(it, item_fmt(it,
                            "\\frac{1}{%lld} \\begin{pmatrix} %lld & %lld \\\\ %lld & %lld "
                            "\\end{pmatrix}",
                            (long long)det, (long long)m[3], (long long)-m[1], (long long)-m[2],
                            (long long)m[0]));
    item_wrong_matrix(it, (struct rat[]){v[3], v[1], v[2], v[0]}, 2, 2);
    item_wrong_matrix(it, (struct rat[]){v[0], rat_neg(v[1]), rat_neg(v[2]), v[3]}, 2, 2);
    item_wrong_matrix(
        it, (struct rat[]){rat_int(m[3]), rat_int(-m[1]), rat_int(-m[2]), rat_int(m[0])}, 2, 2);
    item_wrong_matrix(it, (struct rat[]){v[0], v[2], v[1], rat_neg(v[3])}, 2, 2);
    item_hint(it, "The determinant is $%lld$.", (long long)det);
    item_hint(it, "For a $2 \\times 2$ matrix, swap the diagonal and change the sign of the rest.");
    item_hint(it, "Divide by the determinant, and check by multiplying back.");
}

/* "\{a, b\}" and its other forms; the canonical one has the smaller value first. */
static struct str piece_pair(struct item *it, struct surd a, struct surd b, const char *open,
                             const char *between, const char *close) {
    tex_begin(it);
    tex_put(it, open);
    tex_surd(it, a, TEX_FRAC);
    tex_put(it, between);
    tex_surd(it, b, TEX_FRAC);
    tex_put(it, close);
    return tex_end(it);
}

static void eigenvalues(struct item *it, struct rng *r) {
    int64_t m[4], trace, det, disc;
    do {
        draw_ints(r, 14, m, 4);
        trace = m[0] + m[3], det = m[0] * m[3] - m[1] * m[2], disc = trace * trace - 4 * det;
    } while (disc <= 0 || trace == 0);
    struct surd lo = surd(rat(trace, 2), rat(-1, 2), disc),
                hi = surd(rat(trace, 2), rat(1, 2), disc);
    struct surd minus_lo = {rat_neg(lo.a), rat_neg(lo.b), lo.r};
    struct surd minus_hi = {rat_neg(hi.a), rat_neg(hi.b), hi.r};
    struct str text = piece_matrix(it, m, 2, 2);
    item_problem(it, "%s eigenvalues of $%.*s$%s",
                 FAMILY_SAY(r, "Find the", "Determine both", "Compute the"), STR_ARG(text),
                 FAMILY_SAY(r, " as a set.", "; answer with the set of both."));
    item_right(it, piece_pair(it, lo, hi, "\\{", ", ", "\\}"));
    item_right(it, piece_pair(it, hi, lo, "\\{", ", ", "\\}"));
    item_right(it, piece_pair(it, lo, hi, "\\left\\{", ", ", "\\right\\}"));
    item_right(it, piece_pair(it, hi, lo, "", ", ", ""));
    item_right(it, piece_pair(it, lo, hi, "\\lambda = ", " \\text{ or } \\lambda = ", ""));
    item_wrong(it, piece_pair(it, minus_hi, minus_lo, "\\{", ", ", "\\}"));
    item_wrong(it, item_fmt(it, "\\{%lld, %lld\\}", (long long)MIN(m[0], m[3]) - (m[0] == m[3]),
                            (long long)MAX(m[0], m[3])));
    item_wrong(it, piece_pair(it, surd(rat_int(trace), rat_int(-1), disc),
                              surd(rat_int(trace), rat_int(1), disc), "\\{", ", ", "\\}"));
    item_wrong(it, item_fmt(it, "\\{%lld, %lld\\}", (long long)MIN(trace, det) - (trace == det),
                            (long long)MAX(trace, det)));
    item_hint(it, "The characteristic polynomial is $\\lambda^2 - (%lld)\\lambda + (%lld)$.",
              (long long)trace, (long long)det);
    item_hint(it, "Its discriminant is $%lld$.", (long long)disc);
    item_hint(it, "Check: the eigenvalues add up to the trace.");
}

static void cross_product(struct item *it, struct rng *r) {
    int64_t u[3], v[3];
    struct rat w[3];
    do {
        draw_ints(r, 15, u, 3);
        draw_ints(r, 15, v, 3);
        for (int i = 0; i < 3; i++) {
            int j = (i + 1) % 3, k = (i + 2) % 3;
            w[i] = rat_int(u[j] * v[k] - u[k] * v[j]);
        }
    } while (w[0].n == 0 || w[1].n == 0 || w[2].n == 0);
    item_problem(it, "%s $u = (%lld, %lld, %lld)$ and $v = (%lld, %lld, %lld)$. %s",
                 FAMILY_SAY(r, "Let", "Given are the vectors"), (long long)u[0], (long long)u[1],
                 (long long)u[2], (long long)v[0], (long long)v[1], (long long)v[2],
                 FAMILY_SAY(r, "Compute $u \\times v$.", "Find the cross product $u \\times v$."));
    item_right_tuple(it, w, 3);
    item_right(it, item_fmt(it, "\\begin{pmatrix} %lld \\\\ %lld \\\\ %lld \\end{pmatrix}",
                            (long long)w[0].n, (long long)w[1].n, (long long)w[2].n));
    item_wrong_tuple(it, (struct rat[]){rat_neg(w[0]), rat_neg(w[1]), rat_neg(w[2])}, 3);
    item_wrong_tuple(it, (struct rat[]){w[0], rat_neg(w[1]), w[2]}, 3);
    item_wrong_tuple(it, (struct rat[]){w[2], w[1], rat_add(w[0], rat_int(1))}, 3);
    item_wrong_tuple(it, (struct rat[]){w[0], w[1], rat_add(w[2], rat_int(1))}, 3);
    item_hint(it, "Write the product as a formal determinant with $i$, $j$, $k$ in the first row.");
    item_hint(it, "The first component is $%lld$.", (long long)w[0].n);
    item_hint(it, "Check: the result is orthogonal to both vectors.");
}

const struct family families_linear[] = {
    {"matrix_product", "Linear Algebra", "Matrix multiplication", matrix_product},
    {"determinant", "Linear Algebra", "Determinants", determinant},
    {"inverse_matrix", "Linear Algebra", "Inverse matrices", inverse_matrix},
    {"eigenvalues", "Linear Algebra", "Eigenvalues", eigenvalues},
    {"cross_product", "Linear Algebra", "Vectors", cross_product},
    {0},
};
