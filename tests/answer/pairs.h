/* pairs.h - pairs of answers whose verdict is known by construction: exact arithmetic on small
 * integers makes a value, and it is written in two ways, or changed and written. */
#ifndef STUMPER_TESTS_ANSWER_PAIRS_H
#define STUMPER_TESTS_ANSWER_PAIRS_H

#include "base/rng.h"
#include "base/sbuf.h"

enum pair_kind {
    PAIR_RATIONAL,
    PAIR_POLYNOMIAL,
    PAIR_SURD,
    PAIR_SET,
    PAIR_INTERVAL,
    PAIR_TUPLE,
    PAIR_EQUATION,
    PAIR_IDENTITY,
    PAIR_KINDS
};

extern const char *const pair_kind_names[PAIR_KINDS];

/** Write a pair of @kind to @gold and @given (cleared first), equal or different as asked. */
void pair_make(struct rng *r, enum pair_kind kind, bool equal, struct sbuf *gold,
               struct sbuf *given);

#endif
