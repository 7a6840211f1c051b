/* hashset.h - a set of 64-bit hashes (open addressing, grows at 70 %). Callers that must not
 * confuse two texts with one hash compare the texts themselves. */
#ifndef STUMPER_BASE_HASHSET_H
#define STUMPER_BASE_HASHSET_H

#include "base/defs.h"

#include <stdbool.h>
#include <stdint.h>

struct hashset {
    uint64_t *slots; /* 0 = empty; the hash 0 is kept as 1 */
    size_t capacity; /* power of two, or 0 */
    size_t n;
};

/** An empty set. Allocates nothing. */
void hashset_init(struct hashset *s);

/** Free the memory; the set is empty and usable again. */
void hashset_release(struct hashset *s);

/** Is @hash in the set? */
bool hashset_has(const struct hashset *s, uint64_t hash);

/** Returns true if @hash was not there before. */
bool hashset_add(struct hashset *s, uint64_t hash);

#endif
