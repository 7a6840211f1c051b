/* compare.h - are two final answers the same?
 *
 * Pure: no I/O, no clock, no randomness but a hash of the two texts; nothing in a text is ever
 * executed. The work of one comparison is counted and capped, so it ends. FLINT may abort on sizes
 * that slip past the guards: a service calls it through worker/judge_pool.h, tests and tools may
 * call it directly.
 *
 * EQUAL is a proof for the same text, the same rational number, or the same rational function of
 * the symbols and of what is not rational, by exact arithmetic. It is evidence for agreement at
 * random points to hundreds of bits, and after a convention: a label, unit or percent sign that one
 * side leaves out, a correct rounding, the order of a list.
 *
 * DIFFERENT is a proof when both sides were read whole and have the same shape, and their values
 * are proven apart at one point where both are defined; evidence for the same under a convention.
 * An answer that was not read whole is never called different.
 *
 * UNDECIDED is everything else: prose, ellipses, symbolic sums, limits reached.
 */
#ifndef STUMPER_ANSWER_COMPARE_H
#define STUMPER_ANSWER_COMPARE_H

#include "base/str.h"

enum answer_verdict { ANSWER_EQUAL, ANSWER_DIFFERENT, ANSWER_UNDECIDED };
enum answer_certainty { ANSWER_PROOF, ANSWER_EVIDENCE, ANSWER_NONE };

struct answer_options {
    int64_t work_max;   /* 0: the default, about 50 ms; one unit is about a microsecond */
    int choices;        /* lettered choices of the question, 0 if it has none */
    bool order_matters; /* of a bare list: "1, 2" is not "2, 1" */
    bool units_matter;  /* "5" is not "5 cm" */
    bool form_matters;  /* "2/4" is not "1/2": equal only if written the same up to order */
    bool no_extraction; /* both texts are bare answers: do not look for one in prose */
};

struct answer_result {
    enum answer_verdict verdict;
    enum answer_certainty certainty; /* ANSWER_NONE if and only if undecided */
    double confidence;               /* 0..1 that the verdict is right; 0 if undecided */
    const char *method;              /* static: "literal", "exact", "points", … */
    const char *reason;              /* static: a short sentence */
};

#define ANSWER_TEXT_BYTES_MAX ((size_t)1 << 20)
#define ANSWER_ARENA_BYTES ((size_t)48 << 20) /* room that a comparison may need, at most */

/**
 * Compare a model's answer with the right one.
 *
 * @gold, @given  bare answers, or texts in which answer_find() finds one; any bytes
 * @options       NULL for the defaults
 * @a             scratch; should have ANSWER_ARENA_BYTES of room. Nothing in the result points
 *                into it.
 */
struct answer_result answer_compare(struct str gold, struct str given,
                                    const struct answer_options *options, struct arena *a);

/** True if @text (or the answer in it) is read whole as mathematics: no prose, no ellipsis. */
bool answer_is_definite(struct str text, struct arena *a);

/** "equal", "different", "undecided" / "proof", "evidence", "none". */
const char *answer_verdict_name(enum answer_verdict verdict);
const char *answer_certainty_name(enum answer_certainty certainty);

#endif
