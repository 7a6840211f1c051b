/* defs.h - the few macros that every room uses. libc only. */
#ifndef STUMPER_BASE_DEFS_H
#define STUMPER_BASE_DEFS_H

#include <stddef.h>

#define NODISCARD __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define NORETURN __attribute__((noreturn))
#define MALLOC_LIKE __attribute__((malloc, returns_nonnull))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* The struct of @type whose @member is at @ptr. */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* A broken invariant: prints where and what, then aborts. Stays on in release builds. */
#define ASSERT(cond) ((cond) ? (void)0 : assert_failed(#cond, __FILE__, __LINE__))

/** What ASSERT() calls: prints to stderr, then aborts. */
NORETURN void assert_failed(const char *cond, const char *file, int line);

#endif
