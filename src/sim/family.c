#include "sim/family.h"

#include <ctype.h>
#include <string.h>

static const struct family *const family_branches[] = {
    families_algebra, families_sequences, families_number,   families_calculus,
    families_linear,  families_counting,  families_geometry,
};

const struct family *family_at(size_t i) {
    for (size_t b = 0; b < ARRAY_LEN(family_branches); b++) {
        for (const struct family *f = family_branches[b]; f->name != NULL; f++, i--) {
            if (i == 0) {
                return f;
            }
        }
    }
    return NULL;
}

size_t family_count(void) {
    size_t n = 0;
    while (family_at(n) != NULL) {
        n++;
    }
    return n;
}

const struct family *family_find(struct str name) {
    const struct family *f;
    for (size_t i = 0; (f = family_at(i)) != NULL; i++) {
        if (str_eq(str_of(f->name), name)) {
            return f;
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

/* The longest subject at the start of @text, if longer than @best. */
static const char *family_longer(struct str text, const char *best) {
    const struct family *f;
    for (size_t i = 0; (f = family_at(i)) != NULL; i++) {
        struct str subject = str_of(f->subject);
        if (subject.n > str_of(best).n && str_eq_nocase(str_take(text, subject.n), subject)) {
            best = f->subject;
        }
    }
    return best;
}

const char *family_subject_in(struct str text) {
    const char *best = NULL;
    for (size_t i = 0; i < text.n; i++) {
        if (isalpha((unsigned char)text.p[i]) &&
            (i == 0 || !isalpha((unsigned char)text.p[i - 1]))) {
            best = family_longer(str_skip(text, i), best);
        }
    }
    return best;
}

const struct family *family_draw(const char *subject, struct rng *r) {
    const struct family *f, *drawn = NULL;
    uint64_t n = 0;
    for (size_t i = 0; (f = family_at(i)) != NULL; i++) { /* each of the n so far with chance 1/n */
        if ((subject == NULL || strcmp(f->subject, subject) == 0) && rng_below(r, ++n) == 0) {
            drawn = f;
        }
    }
    ASSERT(drawn != NULL);
    return drawn;
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
