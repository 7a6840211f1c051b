/* nearest.h - "did you mean …?": the known word that is closest to a mistyped one.
 *
 *     struct nearest n = nearest_to(word);
 *     for (…) nearest_offer(&n, candidate);
 *     if (n.name != NULL) …
 */
#ifndef STUMPER_CLI_NEAREST_H
#define STUMPER_CLI_NEAREST_H

#include "base/str.h"

struct nearest {
    struct str word;
    size_t distance;  /* of `name`; the largest that still counts as near before there is one */
    const char *name; /* NULL: none is near */
};

/** Begin a search for something like @word, which must outlive the search. */
struct nearest nearest_to(struct str word);

/** Consider @name: it counts when about a third of the letters differ at most, or when the word is
 * a beginning of it. The first of several equally near ones stays. */
void nearest_offer(struct nearest *n, const char *name);

#endif
