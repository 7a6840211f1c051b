#include "sim/family.h"

#include <string.h>
#include <strings.h>

#define FAMILIES_MAX 64

static const struct family *const family_branches[] = {
    families_algebra, families_sequences, families_number,   families_calculus,
    families_linear,  families_counting,  families_geometry,
};

/* All branches in one row: filled on first use, the same in every thread that does so. */
static const struct family *family_row(size_t i, size_t *ret_count) {
    size_t n = 0;
    const struct family *found = NULL;
    for (size_t b = 0; b < ARRAY_LEN(family_branches); b++) {
        for (const struct family *f = family_branches[b]; f->name != NULL; f++, n++) {
            found = n == i ? f : found;
        }
    }
    *ret_count = n;
    return found;
}

size_t family_count(void) {
    size_t n;
    (void)family_row(0, &n);
    return n;
}

const struct family *family_at(size_t i) {
    size_t n;
    const struct family *f = family_row(i, &n);
    ASSERT(f != NULL);
    return f;
}

const struct family *family_find(struct str name) {
    for (size_t i = 0; i < family_count(); i++) {
        if (str_eq(str_of(family_at(i)->name), name)) {
            return family_at(i);
        }
    }
    return NULL;
}

void family_write(const struct family *f, uint64_t draw, struct item *ret) {
    struct rng r;
    rng_init_stream(&r, draw, str_hash(str_of(f->name)));
    item_init(ret);
    f->write(ret, &r);
    ASSERT(ret->problem.n > 0 && ret->right_n > 0 && ret->wrong_n > 0 && ret->hints_n >= 3);
}

bool family_matches(const struct family *f, struct str text) {
    size_t n = strlen(f->subject);
    for (size_t i = 0; i + n <= text.n; i++) {
        if (strncasecmp(text.p + i, f->subject, n) == 0) {
            return true;
        }
    }
    return false;
}

const char *family_say(struct rng *r, const char *const *wordings) {
    size_t n = 0;
    while (wordings[n] != NULL) {
        n++;
    }
    return wordings[rng_below(r, n)];
}

int64_t family_nonzero(struct rng *r, int64_t lo, int64_t hi) {
    int64_t v;
    do {
        v = rng_range(r, lo, hi);
    } while (v == 0);
    return v;
}

struct rat family_rat(struct rng *r, int64_t n_max, int64_t d_max) {
    return rat(family_nonzero(r, -n_max, n_max), rng_range(r, 1, d_max));
}
