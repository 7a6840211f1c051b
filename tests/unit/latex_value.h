/* latex_value.h - what a final answer in LaTeX is worth, for tests: an evaluator of its own, which
 * shares nothing with the writer that it checks. The unknown x and the imaginary unit stand for
 * fixed numbers, so equal polynomials and complex numbers have equal values. */
#ifndef STUMPER_TESTS_LATEX_VALUE_H
#define STUMPER_TESTS_LATEX_VALUE_H

#include "base/str.h"

#define LATEX_VALUES_MAX 16

struct latex_values {
    double v[LATEX_VALUES_MAX]; /* in order of appearance */
    size_t n;
};

/** The numbers that the answer is made of: the entries of a tuple, set or matrix, the finite ends
 * of intervals, the two sides of an equation. False if it cannot be read to its end. */
NODISCARD bool latex_values(struct str answer, struct latex_values *ret);

/** The same numbers in the same order / in any order. */
bool latex_values_eq(const struct latex_values *a, const struct latex_values *b);
bool latex_values_eq_sorted(const struct latex_values *a, const struct latex_values *b);

#endif
