/* item.h - one generated problem: its text, its answer in several right forms, plausible wrong
 * answers, hints; and the pen that writes LaTeX into it.
 *
 *     tex_begin(it);                       struct str f = tex_end(it);   a piece of text
 *     item_problem(it, "Find … $%.*s$.", STR_ARG(f));
 *     item_right_rat(it, value);           every usual way to write the value
 *     item_wrong_rat(it, slip);            left out if it is right, or there already
 *
 * Invariants (1) right[0] is the canonical form: equal answers of one problem have equal canonical
 * forms; (2) no wrong answer equals another one or right[0]; wrong ones are canonical; (3) all text
 * lives in the item, is free of line breaks and valid until item_init(). Nothing is allocated; a
 * family that writes more than ITEM_TEXT_BYTES is a bug (ASSERT).
 */
#ifndef STUMPER_SIM_ITEM_H
#define STUMPER_SIM_ITEM_H

#include "base/str.h"
#include "sim/exact.h"

#define ITEM_FORMS_MAX 8
#define ITEM_HINTS_MAX 5
#define ITEM_TEXT_BYTES 8192

struct item {
    struct str problem;
    struct str right[ITEM_FORMS_MAX], wrong[ITEM_FORMS_MAX], hints[ITEM_HINTS_MAX];
    size_t right_n, wrong_n, hints_n;
    char *piece, *next;
    char text[ITEM_TEXT_BYTES];
};

/** An empty problem. */
void item_init(struct item *it);

/** printf into the item. */
PRINTF(2, 3) struct str item_fmt(struct item *it, const char *fmt, ...);
PRINTF(2, 3) void item_problem(struct item *it, const char *fmt, ...);
PRINTF(2, 3) void item_hint(struct item *it, const char *fmt, ...);

/** Add a form; past ITEM_FORMS_MAX it is dropped. */
void item_right(struct item *it, struct str form);
void item_wrong(struct item *it, struct str form);

/* The pen: everything between tex_begin() and tex_end() is one piece. */
enum tex_style {
    TEX_FRAC,    /* \frac{1}{2} */
    TEX_DFRAC,   /* \dfrac{1}{2} */
    TEX_SLASH,   /* 1/2 */
    TEX_DECIMAL, /* 0.5; falls back to TEX_SLASH where no short decimal is exact */
};

/** Begin a piece / end it: what was written between, borrowed from the item. What does not fit is
 * cut off. */
void tex_begin(struct item *it);
struct str tex_end(struct item *it);
void tex_char(struct item *it, char c);
void tex_put(struct item *it, const char *text);
void tex_int(struct item *it, int64_t v);
void tex_rat(struct item *it, struct rat v, enum tex_style style);

/** @v as a further term of a sum: " + 3" or " - 3". */
void tex_term(struct item *it, struct rat v, enum tex_style style);

/** @k times the symbol @what: "x", "-x", "3x", "\frac{1}{2}x"; nothing is left out for 0. */
void tex_times(struct item *it, struct rat k, const char *what, enum tex_style style);

/** a + b√r over a common denominator ("\frac{3 + 2\sqrt{5}}{4}") / as two terms. */
void tex_surd(struct item *it, struct surd v, enum tex_style style);
void tex_surd_terms(struct item *it, struct surd v, enum tex_style style);

/** "3x^2 - x + 1": highest power first, or lowest first if @rising. */
void tex_poly(struct item *it, const struct poly *p, char var, enum tex_style style, bool rising);

/** "a, b, c" */
void tex_list(struct item *it, const struct rat *v, int n, enum tex_style style);

/** \begin{@env} … \end{@env} of @rows × @columns entries, row by row. */
void tex_matrix(struct item *it, const char *env, const struct rat *v, int rows, int columns,
                enum tex_style style);

/* Answers by kind. The right ones add every usual form; call them once, before the wrong ones. */
void item_right_rat(struct item *it, struct rat v);
void item_wrong_rat(struct item *it, struct rat v);
void item_right_surd(struct item *it, struct surd v);
void item_wrong_surd(struct item *it, struct surd v);
void item_right_poly(struct item *it, const struct poly *p, char var);
void item_wrong_poly(struct item *it, const struct poly *p, char var);
void item_right_tuple(struct item *it, const struct rat *v, int n);
void item_wrong_tuple(struct item *it, const struct rat *v, int n);
void item_right_matrix(struct item *it, const struct rat *v, int rows, int columns);
void item_wrong_matrix(struct item *it, const struct rat *v, int rows, int columns);
void item_right_pi(struct item *it, struct rat v); /* v·π */
void item_wrong_pi(struct item *it, struct rat v);

#endif
