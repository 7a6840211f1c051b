#include "cli/nearest.h"

#define NEAREST_EDITS_MAX ((size_t)3)
#define NEAREST_PREFIX_BYTES_MIN ((size_t)3)

struct nearest nearest_to(struct str word) {
    size_t edits = MIN(word.n / 3, NEAREST_EDITS_MAX);
    return (struct nearest){.word = word, .distance = MAX(edits, (size_t)1) + 1};
}

void nearest_offer(struct nearest *n, const char *name) {
    size_t distance = str_distance(n->word, str_of(name));
    if (n->word.n >= NEAREST_PREFIX_BYTES_MIN && str_starts(str_of(name), n->word)) {
        distance = 1;
    }
    if (distance < n->distance) {
        n->distance = distance;
        n->name = name;
    }
}
