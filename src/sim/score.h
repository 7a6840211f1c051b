/* score.h - kept problems against what the simulator planted.
 *
 * Pure: lines of a truth file go in (truth.h), then lines of a problems file; counts come out.
 */
#ifndef STUMPER_SIM_SCORE_H
#define STUMPER_SIM_SCORE_H

#include "json/node.h"

struct score_truth;

struct score {
    struct arena *a; /* owns what is remembered of the truth */
    struct score_truth *entries;
    size_t entries_n, entries_max;
    bool sorted;
    int64_t kept;                     /* accepted problems */
    int64_t unknown;                  /* of these: not in the truth; in none of the counts below */
    int64_t key_right, key_wrong;     /* is the stated answer a right one? */
    int64_t unsolved, solved, unsure; /* was the target's answer a planted wrong one / a right one
                                         / neither of them? */
    int64_t good;                     /* key right and unsolved */
    /* of all problems with a verdict, kept or solved, whose stated answer is right: */
    int64_t judged, by_proof; /* how many; of them, without asking the checker */
    int64_t accepts,
        false_accepts;            /* called different; of them, those where the target was right */
    int64_t solves, false_solves; /* called the same; of them, those where it was wrong */
};

/** Nothing counted; @a owns what is read of the truth. */
void score_init(struct score *s, struct arena *a);
void score_release(struct score *s);

/** Add a line of a truth file; false if it is not one. */
NODISCARD bool score_add_truth(struct score *s, const struct jnode *line);

/** Count a line of a problems file: an accepted one, and the verdict of any that has one. */
void score_add_problem(struct score *s, const struct jnode *line);

#endif
