/* A list of chunks, each half as large as all before it; allocation bumps a pointer in the newest.
 * An object larger than a chunk gets one of its own size. ASan sees each object alone: the gap
 * behind every object stays poisoned. */
#include "base/arena.h"

#include "base/mem.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif

#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define ARENA_GAP ((size_t)16)
#define ARENA_POISON(p, n) ASAN_POISON_MEMORY_REGION((p), (n))
#define ARENA_UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
#else
#define ARENA_GAP ((size_t)0)
#define ARENA_POISON(p, n) ((void)(p), (void)(n))
#define ARENA_UNPOISON(p, n) ((void)(p), (void)(n))
#endif

#define ARENA_ALIGN alignof(max_align_t)

struct arena_chunk {
    struct arena_chunk *older;
    size_t bytes; /* of the whole chunk, this header included */
    alignas(max_align_t) char data[];
};

struct arena_cleanup {
    struct arena_cleanup *older;
    void (*fn)(void *ptr);
    void *ptr;
};

void arena_init(struct arena *a, size_t bytes_max) {
    *a = (struct arena){.bytes_max = bytes_max};
}

static void arena_use_chunk(struct arena *a, struct arena_chunk *chunk) {
    a->next = chunk->data;
    a->end = (char *)chunk + chunk->bytes;
    ARENA_POISON(a->next, (size_t)(a->end - a->next));
}

static void arena_grow(struct arena *a, size_t need) {
    size_t grown = MIN(MAX(a->bytes / 2, ARENA_CHUNK_BYTES_MIN), ARENA_CHUNK_BYTES_MAX);
    size_t bytes = MAX(grown, need + sizeof(struct arena_chunk));
    if (bytes > a->bytes_max - a->bytes) {
        bytes = need + sizeof(struct arena_chunk);
    }
    ASSERT(bytes <= a->bytes_max - a->bytes); /* invariant 2 */
    struct arena_chunk *chunk = mem_resize(NULL, 1, bytes);
    chunk->older = a->chunks;
    chunk->bytes = bytes;
    a->chunks = chunk;
    a->bytes += bytes;
    arena_use_chunk(a, chunk);
}

void *arena_alloc(struct arena *a, size_t size) {
    ASSERT(size <= a->bytes_max);
    size_t need = (size + ARENA_GAP + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    if ((size_t)(a->end - a->next) < need || a->chunks == NULL) {
        arena_grow(a, need);
    }
    char *p = a->next;
    a->next += need;
    ARENA_UNPOISON(p, size);
    memset(p, 0, size);
    return p;
}

void *arena_alloc_array(struct arena *a, size_t n, size_t size) {
    size_t total;
    ASSERT(!__builtin_mul_overflow(n, size, &total));
    return arena_alloc(a, total);
}

size_t arena_room(const struct arena *a) {
    size_t room = a->bytes_max - a->bytes;
    return room > sizeof(struct arena_chunk) ? room - sizeof(struct arena_chunk) : 0;
}

void arena_on_release(struct arena *a, void (*fn)(void *ptr), void *ptr) {
    struct arena_cleanup *c = ARENA_NEW(a, struct arena_cleanup);
    *c = (struct arena_cleanup){.older = a->cleanups, .fn = fn, .ptr = ptr};
    a->cleanups = c;
}

static void arena_run_cleanups(struct arena *a) {
    while (a->cleanups != NULL) {
        struct arena_cleanup *c = a->cleanups;
        a->cleanups = c->older; /* first, so that it runs once */
        c->fn(c->ptr);
    }
}

static void arena_free_chunks(struct arena_chunk *chunk) {
    while (chunk != NULL) {
        struct arena_chunk *older = chunk->older;
        ARENA_UNPOISON(chunk, chunk->bytes);
        free(chunk);
        chunk = older;
    }
}

void arena_release(struct arena *a) {
    arena_run_cleanups(a);
    arena_free_chunks(a->chunks);
    arena_init(a, a->bytes_max);
}

void arena_reset(struct arena *a) {
    arena_run_cleanups(a);
    struct arena_chunk *keep = a->chunks;
    if (keep == NULL) {
        return;
    }
    arena_free_chunks(keep->older);
    keep->older = NULL;
    a->bytes = keep->bytes;
    arena_use_chunk(a, keep);
}
