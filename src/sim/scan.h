/* scan.h - reading a JSON request in one pass, without a tree: strings are unescaped in place.
 *
 *     struct scan s;
 *     scan_init(&s, body, n);
 *     for (scan_object(&s); scan_key(&s, &key);) {
 *         if (str_eq(key, S("model"))) model = scan_str(&s); else scan_skip(&s);
 *     }
 *     if (!scan_done(&s)) …
 *
 * json/node.h would build a tree of some 25 µs for a usual request; a simulator that must never be
 * the bottleneck has 40 µs for everything. As strict as jnode_parse(), but for duplicate keys (both
 * are seen) and numbers out of range (clamped).
 *
 * Errors  the first one sticks: every later read gives nothing, every loop ends, scan_done() is
 *         false. A value of another type than asked for is an error of the caller's, not of the
 *         text: look with scan_peek() first.
 */
#ifndef STUMPER_SIM_SCAN_H
#define STUMPER_SIM_SCAN_H

#include "base/str.h"

#define SCAN_DEPTH_MAX 64

struct scan {
    char *p, *end;
    bool failed;
    bool first; /* the next item is the first of its object or array */
    int depth;
};

/** Read the @n bytes at @text, which are overwritten on the way and must stay as long as the slices
 * that are read. They must be UTF-8 (str_is_utf8). */
void scan_init(struct scan *s, char *text, size_t n);

/** The first character of the next value: one of { [ " t f n, or 0 for a number; 0 after an error
 * too. */
char scan_peek(struct scan *s);

/** Enter an object / the next key of it, false at its end. */
void scan_object(struct scan *s);
NODISCARD bool scan_key(struct scan *s, struct str *ret);

/** Enter an array / true if there is one more element, to be read next. */
void scan_array(struct scan *s);
NODISCARD bool scan_next(struct scan *s);

/** Read a string (unescaped in place) / a number / true or false. */
struct str scan_str(struct scan *s);
double scan_number(struct scan *s);
bool scan_bool(struct scan *s);

/** Pass over one value of any type, checking its syntax. */
void scan_skip(struct scan *s);

/** Pass over one object or array and give it as it stands, to be read by itself: what is between
 * its brackets is not checked. */
struct str scan_raw(struct scan *s);

/** True if the text held exactly one well-formed value and it has been read. */
bool scan_done(struct scan *s);

#endif
