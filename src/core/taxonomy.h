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

struct taxonomy {
    const struct taxonomy_topic *topics;
    size_t n; /* at least 1 once read */
};

#define TAXONOMY_TOPICS_MAX 100000

/**
 * Read either form: flat {"Algebra": ["Quadratics", …]} or enhanced {"Algebra": {"Quadratics":
 * {"level": "…", "description": "…"}}} / {"Algebra": [{"topic": "Quadratics", "level": …}]}, also
 * mixed, also under one top-level key "subjects". Errors go to @c under @place.
 */
bool taxonomy_read(struct jcheck *c, struct jplace place, struct arena *a, struct taxonomy *ret);

/** Write it in the enhanced form. */
void taxonomy_write(const struct taxonomy *t, struct jwrite *w);

/** One topic of the form "Subject/Topic" (a flag's value). ERR_INVALID with the right form. */
NODISCARD enum err taxonomy_topic_parse(struct str text, struct taxonomy_topic *ret,
                                        struct errinfo *reterr);

#endif
