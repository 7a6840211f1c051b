/* eval.h - the value of a scalar at a point: exactly, where it is rational, or as a ball that is
 * proven to hold it. Inside the room only; with exact.c and the files that say so, the only place
 * that sees FLINT and Arb. */
#ifndef STUMPER_ANSWER_EVAL_H
#define STUMPER_ANSWER_EVAL_H

#include "answer/ast.h"

#include <acb.h>
#include <flint/fmpq.h>

/* Work: one unit is about a microsecond. */
#define EVAL_WORK_MAX ((int64_t)20000)

struct eval {
    const struct symbols *symbols;
    fmpq *values; /* one for each symbol; names of unknown functions have one too */
    slong precision;
    int pm;             /* what ± stands for: 1 or -1 */
    bool log10;         /* \log without a base is log10, not ln */
    bool real_roots;    /* (-8)^(1/3) is -2, not the principal value */
    bool plain_percent; /* 5 % is 5, not 1/20 */
    bool plain_degree;  /* 90° is 90, not pi/2 */
    int64_t *work;      /* what is left; shared by all evaluations of one comparison */

    /* what was met on the way; only ever set */
    bool saw_odd_root; /* real_roots would have mattered */
    bool saw_log;      /* log10 would have mattered */
    bool saw_complex;  /* a function left the real numbers on the way */

    struct str bound_name[4]; /* variables of enclosing sums */
    slong bound_value[4];
    int bound;
};

/**
 * Evaluate @x into @ret with e->precision bits.
 *
 * @return  false if it has no value that can be computed: text, an ellipsis, out of work; @ret may
 *          also be infinite or NaN where the function is undefined
 */
NODISCARD bool eval_ball(struct eval *e, const struct node *x, acb_t ret);

/**
 * True if a constant in @x is beyond 2^@bits or, not being zero, below 2^-@bits: what is added to
 * it, or what it is added to, may not show in a ball.
 */
bool eval_is_extreme(struct eval *e, const struct node *x, slong bits);

/** Evaluate @x exactly; false if it is not a rational number or too big to be written out. */
NODISCARD bool eval_exact(struct eval *e, const struct node *x, fmpq_t ret);

/** Take @units of work; false if there is none left. */
static inline bool eval_work(struct eval *e, int64_t units) {
    *e->work -= units;
    return *e->work > 0;
}

#endif
