/* shape.h - what kind of thing an answer is, and the comparison of sequences and values. Inside the
 * room only. */
#ifndef STUMPER_ANSWER_SHAPE_H
#define STUMPER_ANSWER_SHAPE_H

#include "answer/judge.h"

enum shape_kind {
    SHAPE_SCALAR,
    SHAPE_LIST,
    SHAPE_SET,
    SHAPE_TUPLE,
    SHAPE_MATRIX,
    SHAPE_RATIO,
    SHAPE_TEXT,
    SHAPE_EQUATION,
    SHAPE_CONDITION,
    SHAPE_OPAQUE,
};

struct shape {
    enum shape_kind kind;
    struct node *node;   /* the value; for a list, the list */
    struct node **items; /* of lists, sets, tuples, matrices, ratios */
    size_t n;
    struct node *label;    /* what is said to equal the value, or NULL */
    struct node *relation; /* label = value as it stands */
    bool soft;             /* the label is a sum: "a + b = 5" may be meant as an equation */
    bool liberty;          /* something was left out on the way: no proof any more */
};

/** The shape of @x. */
struct shape shape_of(struct judge *j, struct node *x);

/** Element by element. */
struct outcome compare_items(struct judge *j, struct node **x, struct node **y, size_t n);

/** Lists and sets: in any order, unless labels or options say otherwise. */
struct outcome compare_lists(struct judge *j, const struct shape *x, const struct shape *y);

/** A list against a tuple: the tuple's order is the list's. */
struct outcome compare_list_tuple(struct judge *j, const struct shape *x, const struct shape *y);

/**
 * Two values where a parameter, a dummy variable or a constant of integration may be named
 * differently.
 *
 * @arg_x, @arg_y  the x of "f(x) =" in front of them, or NULL
 */
struct outcome compare_values(struct judge *j, struct node *x, struct node *y,
                              const struct node *arg_x, const struct node *arg_y);

/** @o, but no longer proven: it rests on a convention. */
static inline struct outcome outcome_weaken(struct outcome o) {
    o.proved = false;
    return o;
}

#endif
