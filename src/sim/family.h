/* family.h - the kinds of problems that the simulated engineer writes.
 *
 * A family draws parameters and writes an item (item.h): the same draw gives the same item on every
 * machine and in every run, so a problem is remembered as (family, draw) and written again when it
 * is needed. Their files are split by branch of mathematics; family.c holds the table.
 */
#ifndef STUMPER_SIM_FAMILY_H
#define STUMPER_SIM_FAMILY_H

#include "base/rng.h"
#include "sim/item.h"

struct family {
    const char *name;    /* stable: it is written to the truth file */
    const char *subject; /* "Calculus" */
    const char *topic;   /* "Definite integrals" */
    void (*write)(struct item *it, struct rng *r);
};

/** Family number @i, NULL past the last. Their order is not stable; their names are. */
const struct family *family_at(size_t i);
size_t family_count(void);

/** The family of a name, or NULL. */
const struct family *family_find(struct str name);

/** Write problem number @draw of @f: 0 < draw < 2^48. */
void family_write(const struct family *f, uint64_t draw, struct item *ret);

/** The longest subject that @text names (any case, from the start of a word), so that a prompt can
 * ask for it; NULL if it names none. */
const char *family_subject_in(struct str text);

/** One of the families, drawn; of @subject alone unless that is NULL. */
const struct family *family_draw(const char *subject, struct rng *r);

/* The tables of the branches, each ended by a NULL name. */
extern const struct family families_algebra[], families_sequences[], families_number[],
    families_calculus[], families_linear[], families_counting[], families_geometry[];

/** One of the wordings given, drawn; the arguments are string literals. */
#define FAMILY_SAY(r, ...) family_say((r), (const char *const[]){__VA_ARGS__, NULL})
/** What FAMILY_SAY() calls; @wordings is NULL-terminated. */
const char *family_say(struct rng *r, const char *const *wordings);

/** Uniform in lo..hi without 0 / a fraction n/d with |n| <= n_max and 1 <= d <= d_max, not 0. */
int64_t family_nonzero(struct rng *r, int64_t lo, int64_t hi);
struct rat family_rat(struct rng *r, int64_t n_max, int64_t d_max);

#endif
