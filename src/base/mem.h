/* mem.h - heap memory that is never NULL: running out aborts with a message.
 *
 * A crash and redelivery is a path that is tested daily; thousands of NULL branches are not.
 * Whatever is sized by outside input passes a limit first (arena caps, sbuf maxima, JSON depth).
 */
#ifndef STUMPER_BASE_MEM_H
#define STUMPER_BASE_MEM_H

#include "base/defs.h"

/** @size zeroed bytes; free with free(). */
MALLOC_LIKE void *mem_new(size_t size);

/** @n zeroed elements of @size bytes; overflow aborts. Free with free(). */
MALLOC_LIKE void *mem_new_array(size_t n, size_t size);

/** Like realloc for @n elements of @size bytes; new bytes are not initialised. */
NODISCARD void *mem_resize(void *p, size_t n, size_t size);

/** An owned NUL-terminated copy of the first @n bytes at @p. Free with free(). */
MALLOC_LIKE char *mem_dup_cstr(const char *p, size_t n);

/** Give what is free back to the system: at the end of a phase that needed more than what follows.
 */
void mem_trim(void);

#endif
