#include "sim/family.h"

#include <ctype.h>
#include <string.h>

static const struct family *const family_branches[] = {
    families_algebra, families_sequences, families_number,   families_calculus,
    families_linear,  families_counting,  families_geometry,
};

#define FAMILY_EACH(f)                                                                             \
    for (size_t branch_ = 0; branch_ < ARRAY_LEN(family_branches); branch_++)                      \
        for (const struct family *f = family_branches[branch_]; f->name != NULL; f++)

const struct family *family_at(size_t i) {
    FAMILY_EACH(f) {
        if (i-- == 0) {
            return f;
        }
    }
    return NULL;
}

size_t family_count(void) {
    size_t n = 0;
    FAMILY_EACH(f) {
        n++;
    }
    return n;
}

const struct family *family_find(struct str name) {
    FAMILY_EACH(f) {
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
static const struct family *family_longer(struct str text, const struct family *best) {
    FAMILY_EACH(f) {
        if ((f->subject[0] ^ text.p[0]) & ~0x20) {
            continue; /* most words begin with another letter */
        }
        struct str subject = str_of(f->subject);
        if ((best == NULL || subject.n > strlen(best->subject)) &&
            str_eq_nocase(str_take(text, subject.n), subject)) {
            best = f;
        }
    }
    return best;
}

const char *family_subject_in(struct str text) {
    const struct family *best = NULL;
    bool in_word = false;
    for (size_t i = 0; i < text.n; i++) {
        bool letter = isalpha((unsigned char)text.p[i]) != 0;
        if (letter && !in_word) {
            best = family_longer(str_skip(text, i), best);
        }
        in_word = letter;
    }
    return best != NULL ? best->subject : NULL;
}

const struct family *family_draw(const char *subject, struct rng *r) {
    const struct family *drawn = NULL;
    uint64_t n = 0;
    FAMILY_EACH(f) { /* each of the n so far with chance 1/n */
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
