/* boxed.h - the last group of \boxed{} in a text. Inside the room only. */
#ifndef STUMPER_ANSWER_BOXED_H
#define STUMPER_ANSWER_BOXED_H

#include "base/str.h"

struct boxed {
    struct str text; /* what is in the boxes; those of one group joined by ", " */
    size_t end;      /* offset behind the last box */
    bool found;
};

/**
 * The last box that is not empty, with the boxes before it that belong to the same answer: those
 * separated by little more than a comma, "and", "or".
 *
 * @a  owns the joined text when there are several
 */
struct boxed boxed_last(struct str text, struct arena *a);

/** Offset behind the brace that closes the one at @open; STR_NPOS if it is never closed. */
size_t brace_close(struct str s, size_t open);

#endif
