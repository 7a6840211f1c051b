/* judge.h - what the parts of the comparison share. Inside the room only. */
#ifndef STUMPER_ANSWER_JUDGE_H
#define STUMPER_ANSWER_JUDGE_H

#include "answer/compare.h"
#include "answer/eval.h"
#include "base/rng.h"

struct judge {
    struct arena *a;
    struct answer_options options;
    struct rng rng; /* where the points are; seeded by the two texts */
    int64_t work;
    int depth;
};

/* A verdict on a part. */
struct outcome {
    enum answer_verdict verdict;
    bool proved;
    const char *reason; /* static text */
};

#define OUTCOME_EQUAL(proof, why) ((struct outcome){ANSWER_EQUAL, proof, why})
#define OUTCOME_DIFFERENT(proof, why) ((struct outcome){ANSWER_DIFFERENT, proof, why})
#define OUTCOME_UNDECIDED(why) ((struct outcome){ANSWER_UNDECIDED, false, why})

/** Two scalars; @gold's decimals say how exact @given has to be. */
struct outcome scalar_compare(struct judge *j, struct node *gold, struct node *given);

/** True if @x is a scalar expression: no shapes, text or relations in it. */
bool scalar_is(const struct node *x);

/**
 * True if @x and @y are proven equal as rational functions of their symbols and of what is not
 * rational in them (roots, functions, constants), each taken as one more symbol.
 */
bool poly_equal(struct judge *j, const struct node *x, const struct node *y);

enum poly_zeros {
    POLY_ZEROS_UNKNOWN,     /* not rational functions, or too big */
    POLY_ZEROS_SAME,        /* the same irreducible factors */
    POLY_ZEROS_BUT_SYMBOLS, /* the same but for factors such as z */
    POLY_ZEROS_OTHER,
};

/** Where two rational functions vanish, by the factors of their numerators. */
enum poly_zeros poly_zeros(struct judge *j, const struct node *x, const struct node *y);

/** Two equations f = 0 and g = 0 by their solutions. */
struct outcome equation_compare(struct judge *j, struct node *f, struct node *g);

/** Two conditions on real numbers (relations, and, or, intervals, unions). */
struct outcome region_compare(struct judge *j, struct node *gold, struct node *given);

/** Anything. */
struct outcome shape_compare(struct judge *j, struct node *gold, struct node *given);

/** A node for x - y. */
struct node *difference(struct judge *j, struct node *x, struct node *y);

/** @x with every ± resolved to its upper (1) or lower (-1) sign. */
struct node *resolve_pm(struct arena *a, struct node *x, int sign);

/** An evaluation that takes its work from @j. @values: one for each of @symbols, or NULL. */
struct eval judge_eval(struct judge *j, const struct symbols *symbols, fmpq *values,
                       slong precision);

#endif
