/* arena.h - memory with one lifetime: everything in an arena goes at once.
 *
 * Chunked and capped. A request or an attempt owns one; whoever owns it calls arena_release().
 * Library handles that cannot live in an arena (a parsed JSON tree, a descriptor) are tied to it by
 * a cleanup, run last-in first-out before the memory goes.
 *
 * Invariants (1) a pointer from an arena is valid until arena_reset() or arena_release(), never
 *            longer;
 *            (2) the sum of chunk sizes never passes the cap: past it the process aborts, so
 *            callers that copy outside input in check arena_room() or a limit of their own first;
 *            (3) cleanups run exactly once.
 * Threading  one thread at a time.
 */
#ifndef STUMPER_BASE_ARENA_H
#define STUMPER_BASE_ARENA_H

#include "base/defs.h"

#include <stdint.h>

struct arena_chunk;
struct arena_cleanup;

struct arena {
    struct arena_chunk *chunks; /* newest first */
    struct arena_cleanup *cleanups;
    char *next, *end; /* free part of the newest chunk */
    size_t bytes;     /* sum of chunk sizes */
    size_t bytes_max;
};

#define ARENA_CHUNK_BYTES_MIN ((size_t)1024)
#define ARENA_CHUNK_BYTES_MAX ((size_t)256 * 1024)

/** Make an empty arena that may grow to @bytes_max. Allocates nothing yet. */
void arena_init(struct arena *a, size_t bytes_max);

/** Run the cleanups and free all memory; the arena is empty and usable again. */
void arena_release(struct arena *a);

/** Like arena_release, but keeps one chunk for the next round. */
void arena_reset(struct arena *a);

/** @size zeroed bytes, aligned for any type. Aborts past the cap. */
MALLOC_LIKE void *arena_alloc(struct arena *a, size_t size);

/** One zeroed @type / an array of @n zeroed @type. */
#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_alloc_array((a), (n), sizeof(type)))
/** @n zeroed elements of @size bytes; aborts past the cap, also when the product overflows. */
MALLOC_LIKE void *arena_alloc_array(struct arena *a, size_t n, size_t size);

/** How many more bytes fit under the cap (a lower bound). */
size_t arena_room(const struct arena *a);

/** Call @fn(@ptr) when the arena is reset or released, before its memory goes; latest first. */
void arena_on_release(struct arena *a, void (*fn)(void *ptr), void *ptr);

#endif
