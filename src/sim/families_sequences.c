/* Sums and recurrences. */
#include "sim/family.h"

static void arithmetic_sum(struct item *it, struct rng *r) {
    int64_t first = rng_range(r, -60, 60), step = family_nonzero(r, -25, 25);
    int64_t n = rng_range(r, 12, 180), sum = n * first + step * (n * (n - 1) / 2);
    item_problem(it,
                 "An arithmetic sequence has first term $%lld$ and common difference $%lld$. "
                 "%s of its first $%lld$ terms%s",
                 (long long)first, (long long)step,
                 FAMILY_SAY(r, "Find the sum", "Compute the sum", "What is the sum"), (long long)n,
                 FAMILY_SAY(r, ".", " exactly."));
    item_right_rat(it, rat_int(sum));
    item_wrong_rat(it, rat_int(sum + first + n * step));
    item_wrong_rat(it, rat_int(sum - (first + (n - 1) * step)));
    item_wrong_rat(it, rat_int(n * first + step * (n * (n + 1) / 2)));
    item_wrong_rat(it, rat_int(first + (n - 1) * step));
    item_wrong_rat(it, rat_int(sum + 1));
    item_hint(it, "The $n$-th term is $%lld + (n - 1) \\cdot (%lld)$.", (long long)first,
              (long long)step);
    item_hint(it, "The last of the terms is $%lld$.", (long long)(first + (n - 1) * step));
    item_hint(it, "The sum is the number of terms times the mean of the first and the last.");
}

static void geometric_series(struct item *it, struct rng *r) {
    struct rat a = family_rat(r, 40, 9), q;
    do {
        q = rat(family_nonzero(r, -19, 19), rng_range(r, 2, 20));
    } while (rat_cmp(q, rat_int(1)) >= 0 || rat_cmp(q, rat_int(-1)) <= 0);
    struct rat sum = rat_div(a, rat_sub(rat_int(1), q));
    tex_begin(it);
    tex_rat(it, a, TEX_FRAC);
    struct str first = tex_end(it);
    tex_begin(it);
    tex_rat(it, q, TEX_FRAC);
    struct str ratio = tex_end(it);
    item_problem(it,
                 "%s the infinite geometric series with first term $%.*s$ and common ratio "
                 "$%.*s$%s",
                 FAMILY_SAY(r, "Find the sum of", "Evaluate", "Compute the exact value of"),
                 STR_ARG(first), STR_ARG(ratio), FAMILY_SAY(r, ".", " as a fraction."));
    item_right_rat(it, sum);
    item_wrong_rat(it, rat_div(a, rat_add(rat_int(1), q)));
    item_wrong_rat(it, rat_mul(sum, q));
    item_wrong_rat(it, rat_neg(sum));
    item_wrong_rat(it, rat_add(sum, a));
    item_hint(it, "The series converges because the ratio is less than $1$ in absolute value.");
    item_hint(it, "Its sum is $\\frac{a}{1 - q}$.");
    item_hint(it, "Here $1 - q$ is positive; mind the sign of $q = %.*s$.", STR_ARG(ratio));
}

static void linear_recurrence(struct item *it, struct rng *r) {
    int64_t p = family_nonzero(r, -5, 5), q = family_nonzero(r, -20, 20);
    int64_t start = rng_range(r, -30, 30);
    int steps = (int)rng_range(r, 5, 9);
    int64_t a = start, before = start;
    for (int i = 1; i < steps; i++) {
        before = a;
        a = p * a + q;
    }
    item_problem(it,
                 "A sequence is defined by $a_1 = %lld$ and $a_{n+1} = %s%s a_n %s %lld$ for "
                 "$n \\ge 1$. %s $a_{%d}$.",
                 (long long)start, p < 0 ? "-" : "",
                 (const char *const[]){"", "", "2", "3", "4", "5"}[p < 0 ? -p : p],
                 q < 0 ? "-" : "+", (long long)(q < 0 ? -q : q),
                 FAMILY_SAY(r, "Find", "Compute", "Determine the value of"), steps);
    item_right_rat(it, rat_int(a));
    item_wrong_rat(it, rat_int(p * a + q));
    item_wrong_rat(it, rat_int(before));
    item_wrong_rat(it, rat_int(p * before - q));
    item_wrong_rat(it, rat_int(-a));
    item_wrong_rat(it, rat_int(a + 1));
    item_hint(it, "Compute the terms one after another.");
    item_hint(it, "The second term is $%lld$.", (long long)(p * start + q));
    item_hint(it, "To get $a_{%d}$ from $a_1$ takes %d steps, not %d.", steps, steps - 1, steps);
}

static void telescoping_sum(struct item *it, struct rng *r) {
    int64_t m = rng_range(r, 1, 4), n = rng_range(r, 10, 120), c = rng_range(r, 1, 30);
    int64_t b = rng_range(r, 0, 12);
    struct rat sum = rat_int(0), longer;
    for (int64_t k = 1; k <= m; k++) { /* what does not cancel */
        sum = rat_add(sum, rat_sub(rat(1, k + b), rat(1, n + k + b)));
    }
    sum = rat_mul(sum, rat(c, m));
    longer = rat_add(sum, rat(c, (n + 1 + b) * (n + 1 + b + m)));
    struct str left = b == 0 ? S("k") : item_fmt(it, "(k + %lld)", (long long)b);
    item_problem(it, "%s $\\sum_{k=1}^{%lld} \\frac{%lld}{%.*s(k + %lld)}$%s",
                 FAMILY_SAY(r, "Evaluate", "Find the exact value of", "Compute the sum"),
                 (long long)n, (long long)c, STR_ARG(left), (long long)(b + m),
                 FAMILY_SAY(r, ".", " as a fraction in lowest terms."));
    item_right_rat(it, sum);
    item_wrong_rat(it, longer);
    item_wrong_rat(it, rat_mul(sum, rat_int(m == 1 ? 2 : m)));
    item_wrong_rat(it, rat(c, (1 + b) * m));
    item_wrong_rat(it, rat_sub(sum, rat(1, n)));
    item_hint(it, "Split each term into partial fractions.");
    item_hint(it, "The difference of the two factors is $%lld$.", (long long)m);
    item_hint(it, "Most terms cancel; $%lld$ remain at each end.", (long long)m);
}

const struct family families_sequences[] = {
    {"arithmetic_sum", "Sequences and Series", "Arithmetic sequences", arithmetic_sum},
    {"geometric_series", "Sequences and Series", "Geometric series", geometric_series},
    {"linear_recurrence", "Sequences and Series", "Recurrences", linear_recurrence},
    {"telescoping_sum", "Sequences and Series", "Telescoping sums", telescoping_sum},
    {0},
};
