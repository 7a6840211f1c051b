/* check.h - typed reads that collect every error with its JSON pointer, so that a person can mend
 * all at once.
 *
 *     struct jcheck c;
 *     jcheck_init(&c, a);
 *     n = jcheck_int(&c, jcheck_root(doc), "num_problems", 1, 1000000, 0);
 *     jcheck_known(&c, …);
 *     if (c.n > 0) …
 */
#ifndef STUMPER_JSON_CHECK_H
#define STUMPER_JSON_CHECK_H

#include "json/node.h"

struct jcheck_error {
    struct jcheck_error *next;
    const char *pointer; /* RFC 6901, "/seed_data/3/problem"; "" is the whole document; keys over
                            200 bytes are cut with "…" */
    const char *detail;  /* what is wrong and what would be right */
};

struct jcheck {
    struct arena *a; /* owns errors and pointers */
    struct jcheck_error *first, **last;
    size_t n; /* errors so far; past JCHECK_ERRORS_MAX they are counted, not kept */
};

#define JCHECK_ERRORS_MAX 50

/* A node with its place. */
struct jplace {
    const struct jnode *node;
    const char *pointer;
};

/** Start without errors; @a owns what is added. */
void jcheck_init(struct jcheck *c, struct arena *a);

/** Add an error at @pointer (copied). */
PRINTF(3, 4) void jcheck_fail(struct jcheck *c, const char *pointer, const char *fmt, ...);

/** The whole document / a member of @object, its node NULL if absent / an element of @array. */
struct jplace jcheck_root(const struct jnode *root);
struct jplace jcheck_member(struct jcheck *c, struct jplace object, const char *key);
struct jplace jcheck_element(struct jcheck *c, struct jplace array, size_t i);

/** Adds an error unless @place is of @type (an integer is also a JNODE_REAL); absent or null counts
 * as an error only if @required. True if it is there and right. */
bool jcheck_is(struct jcheck *c, struct jplace place, enum jnode_type type, bool required);

/** Reads of an optional member: absent or null gives @otherwise; a wrong type or range adds an
 * error and gives @otherwise. */
int64_t jcheck_int(struct jcheck *c, struct jplace object, const char *key, int64_t min,
                   int64_t max, int64_t otherwise);
double jcheck_real(struct jcheck *c, struct jplace object, const char *key, double min, double max,
                   double otherwise);
bool jcheck_bool(struct jcheck *c, struct jplace object, const char *key, bool otherwise);
struct str jcheck_str(struct jcheck *c, struct jplace object, const char *key,
                      size_t bytes_max); /* absent: empty */

/** Adds an error for every member of @object that is not in the NULL-terminated @keys; names the
 * nearest known one. */
void jcheck_known(struct jcheck *c, struct jplace object, const char *const *keys);

/** All errors as one line, "/num_problems: must be …; /taxonomy: …; and 3 more", without control
 * characters. Empty when there is none. */
struct str jcheck_text(const struct jcheck *c, struct arena *a);

#endif
