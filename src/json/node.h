/* node.h - reading JSON: parse a text into an arena, then walk it with typed reads.
 *
 * Strict (RFC 8259): no comments, no trailing commas, no NaN, no lone surrogates, no \u0000, no
 * duplicate keys, valid UTF-8 only. For text that a model wrote, see repair.h.
 *
 * Ownership  a tree lives as long as the arena it was parsed into; every pointer and slice read
 *            from it is borrowed from it.
 * Errors     reads never fail: a NULL node or a node of another type reads as absent (NULL, empty,
 *            false). Callers that must tell these apart use the check.h functions, which collect
 *            errors by pointer.
 */
#ifndef STUMPER_JSON_NODE_H
#define STUMPER_JSON_NODE_H

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

struct jnode; /* one node; opaque */

enum jnode_type {
    JNODE_NONE, /* no node at all */
    JNODE_NULL,
    JNODE_BOOL,
    JNODE_INT, /* fits int64_t */
    JNODE_REAL,
    JNODE_STRING,
    JNODE_ARRAY,
    JNODE_OBJECT
};

#define JNODE_DEPTH_MAX 128

/**
 * Parse the whole of @text.
 *
 * @a       owns the tree
 * @return  ERR_SYNTAX, with line, column and reason in @reterr ("line 3, column 14: …") |
 *          ERR_TOO_BIG when nested deeper than JNODE_DEPTH_MAX, or larger than @a has room for
 */
NODISCARD enum err jnode_parse(struct str text, struct arena *a, const struct jnode **ret,
                               struct errinfo *reterr);

#define JNODE_POINTER_BYTES 256

/* Where a text is no JSON. */
struct jnode_where {
    size_t line, column;               /* from 1 */
    char pointer[JNODE_POINTER_BYTES]; /* RFC 6901, of the innermost value that was begun or due;
                                          "" also if it would be too long */
};

/** The same, telling also in parts where it went wrong; @ret_where is filled only then. */
NODISCARD enum err jnode_parse_where(struct str text, struct arena *a, const struct jnode **ret,
                                     struct jnode_where *ret_where, struct errinfo *reterr);

/** The line (from 1) of @text, of which @root was parsed, where what @pointer leads to begins; of
 * something that is not there, where what should have it begins. */
size_t jnode_line(const struct jnode *root, const char *pointer, struct str text);

/** JNODE_NONE for NULL. */
enum jnode_type jnode_type(const struct jnode *j);

/** "an object", "a string", … for messages. */
const char *jnode_type_name(enum jnode_type type);

/** Member @key of an object, or NULL. */
const struct jnode *jnode_get(const struct jnode *object, const char *key);

/** Number of elements or members; 0 for anything else. */
size_t jnode_len(const struct jnode *j);

/** Element @i of an array, or NULL. */
const struct jnode *jnode_at(const struct jnode *array, size_t i);

/** Member after @iter in insertion order (NULL starts); sets *@key and *@value. NULL at the end. */
void *jnode_next(const struct jnode *object, void *iter, struct str *key,
                 const struct jnode **value);

struct str jnode_str(const struct jnode *j); /* empty unless a string; NUL-terminated */
bool jnode_bool(const struct jnode *j, bool otherwise);
int64_t jnode_int(const struct jnode *j, int64_t otherwise); /* integers only */
double jnode_real(const struct jnode *j, double otherwise);  /* integers too */

#define jnode_get_str(object, key) jnode_str(jnode_get((object), (key)))
#define jnode_get_int(object, key, otherwise) jnode_int(jnode_get((object), (key)), (otherwise))

/** The tree as compact JSON, members in insertion order / sorted by key (a canonical form for
 * fingerprints), in @a. Numbers are the shortest that read back the same (0.1, not
 * 0.10000000000000001); reals stay reals (3.0). */
struct str jnode_text(const struct jnode *j, struct arena *a);
struct str jnode_text_sorted(const struct jnode *j, struct arena *a);

#endif
