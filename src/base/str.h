/* str.h - slices: text with a length, not owned and not NUL-terminated unless a function says so.
 */
#ifndef STUMPER_BASE_STR_H
#define STUMPER_BASE_STR_H

#include "base/arena.h"
#include "base/defs.h"

#include <stdbool.h>
#include <stdint.h>

struct str {
    const char *p; /* may be NULL when n is 0 */
    size_t n;
};

/* A slice of a string literal / the arguments for "%.*s". */
#define S(lit) ((struct str){"" lit, sizeof(lit) - 1})
#define STR_ARG(s) ((int)(s).n), ((s).p != NULL ? (s).p : "")

/** A slice of a NUL-terminated string; NULL gives the empty slice. */
struct str str_of(const char *cstr);

/** Byte by byte: the same / begins so / ends so. */
bool str_eq(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
bool str_eq_nocase(struct str a, struct str b); /* ASCII letters only */

/** Without ASCII white space at both ends. */
struct str str_trim(struct str s);

/** From byte @from (clamped) to the end / the first @n bytes (clamped). */
struct str str_skip(struct str s, size_t from);
struct str str_take(struct str s, size_t n);

#define STR_NPOS ((size_t)-1)

/** Offset of the first / last @needle in @s, or STR_NPOS. An empty needle is found at 0 / at s.n.
 */
size_t str_find(struct str s, struct str needle);
size_t str_rfind(struct str s, struct str needle);
size_t str_find_char(struct str s, char c);

/**
 * Split off the part before the next @sep: returns it and moves *@rest behind the separator.
 * Without a separator returns all and leaves *@rest empty.
 */
struct str str_split(struct str *rest, char sep);

/** A NUL-terminated copy in @a (the NUL is not counted in n). */
struct str str_dup(struct arena *a, struct str s);
const char *str_cstr(struct arena *a, struct str s);

/** printf into @a; NUL-terminated. */
PRINTF(2, 3) struct str str_fmt(struct arena *a, const char *fmt, ...);

/**
 * The whole of @s as a number. ERR-free: returns false and leaves *@ret alone on anything else than
 * a decimal number in range (no white space, no "+", no hex; doubles must be finite).
 */
NODISCARD bool str_to_i64(struct str s, int64_t *ret);
NODISCARD bool str_to_double(struct str s, double *ret);

/** A 64-bit FNV-1a hash: for hash tables and fingerprints, not for secrets. */
uint64_t str_hash(struct str s);

/** True if @s is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool str_is_utf8(struct str s);

/** The longest prefix of at most @n bytes that does not cut a UTF-8 character. */
struct str str_take_utf8(struct str s, size_t n);

/** Number of edits (insert, delete, replace, swap of neighbours) between @a and @b; both under 64
 * bytes, else 64. */
size_t str_distance(struct str a, struct str b);

#endif
