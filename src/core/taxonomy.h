/* taxonomy.h - subjects and topics to draw from. */
#ifndef STUMPER_CORE_TAXONOMY_H
#define STUMPER_CORE_TAXONOMY_H

#include "json/check.h"
#include "json/write.h"

struct taxonomy_topic {
    struct str subject;
    struct str topic;
    struct str level;       /* may be empty */
    struct str description; /* may be empty */
};

/* Invariant  topics are sorted by subject, then topic, and none is there twice: two files with the
 * same topics give the same taxonomy, in whatever order they were written. */
struct taxonomy {
    const struct taxonomy_topic *topics;
    size_t n; /* at least 1 once read */
};

#define TAXONOMY_TOPICS_MAX 100000
#define TAXONOMY_NAME_BYTES_MAX ((size_t)200)
#define TAXONOMY_DESCRIPTION_BYTES_MAX ((size_t)2000)

/**
 * Read either form: flat {"Algebra": ["Quadratics", …]} or enhanced {"Algebra": {"Quadratics":
 * {"level": "…", "description": "…"}}} / {"Algebra": [{"topic": "Quadratics", "level": …}]}, also
 * mixed, also under one top-level key "subjects". Other members of a topic are ignored: such files
 * carry more than we use. Errors go to @c under @place.
 *
 * @a  owns the topics and their text
 */
bool taxonomy_read(struct jcheck *c, struct jplace place, struct arena *a, struct taxonomy *ret);

/** Read an array of "Subject/Topic" strings. Errors go to @c under @place. */
bool taxonomy_read_list(struct jcheck *c, struct jplace place, struct arena *a,
                        struct taxonomy *ret);

/** Write it in the enhanced form, under "subjects". */
void taxonomy_write(const struct taxonomy *t, struct jwrite *w);

/** True if both have the same topics with the same levels and descriptions. */
bool taxonomy_eq(const struct taxonomy *x, const struct taxonomy *y);

/** One topic of the form "Subject/Topic" (a flag's value), split at the first slash; borrowed from
 * @text. ERR_INVALID with the right form. */
NODISCARD enum err taxonomy_topic_parse(struct str text, struct taxonomy_topic *ret,
                                        struct errinfo *reterr);

#endif
