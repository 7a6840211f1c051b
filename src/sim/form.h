/* form.h - answers as texts: the same up to what writers add around and inside them.
 *
 * Not a comparison of values (the room answer/ does that): the simulator wrote every right form
 * itself, so it need only look through dollar signs, spaces, \left, \dfrac, "x =" and a box.
 */
#ifndef STUMPER_SIM_FORM_H
#define STUMPER_SIM_FORM_H

#include "base/str.h"

#define FORM_BYTES_MAX 1024

/** What is in the last \boxed{}, or all of the text if there is none. */
struct str form_final(struct str text);

/** The answer without what does not count; at most FORM_BYTES_MAX bytes of it, written to @buf. */
struct str form_plain(struct str answer, char buf[FORM_BYTES_MAX]);

/** True if two answers read the same. */
bool form_same(struct str a, struct str b);

/** Index of the first of @n forms that reads like @answer, or -1. */
int form_find(const struct str *forms, size_t n, struct str answer);

#endif
