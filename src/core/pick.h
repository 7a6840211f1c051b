/* pick.h - what an attempt is about: a topic or a seed, and a variation. */
#ifndef STUMPER_CORE_PICK_H
#define STUMPER_CORE_PICK_H

#include "core/job.h"

#define PICK_NONCE_BYTES 9

struct pick {
    const struct taxonomy_topic *topic; /* NULL when there is a seed */
    const struct job_seed *seed;        /* NULL when there is a topic */
    const char *difficulty;             /* "hard", … */
    const char *difficulty_text;        /* the same in a sentence for the engineer */
    const char *style;                  /* a way to make a problem */
    char nonce[PICK_NONCE_BYTES];       /* 8 hex digits */
};

/**
 * Draw for attempt @no (from 1) of a job, from (spec->seed, @no) alone. Every topic (or seed) comes
 * once before any comes twice, each time round in another order.
 *
 * @spec  must outlive @ret
 */
void pick_draw(const struct job_spec *spec, int64_t no, struct pick *ret);

#endif
