/* sbuf.h - a growing byte buffer that is born with its maximum.
 *
 * Appending past the maximum keeps what is there, appends nothing and marks the buffer; the mark
 * stays until sbuf_clear(), so a whole document can be written and checked once: `if
 * (sbuf_overflowed(&b)) …`.
 *
 * Invariants (1) n <= bytes_max; (2) p[n] is a NUL whenever p is not NULL.
 */
#ifndef STUMPER_BASE_SBUF_H
#define STUMPER_BASE_SBUF_H

#include "base/str.h"

struct sbuf {
    char *p; /* NULL until the first append */
    size_t n;
    size_t capacity;
    size_t bytes_max;
    bool overflowed;
};

/** An empty buffer that may grow to @bytes_max bytes. Allocates nothing. */
void sbuf_init(struct sbuf *b, size_t bytes_max);

/** Free the memory; the buffer is empty and usable again. */
void sbuf_release(struct sbuf *b);

/** Drop the contents and the overflow mark, keep the memory. */
void sbuf_clear(struct sbuf *b);

/** Append; what does not fit under bytes_max is dropped whole and marks the buffer overflowed. */
void sbuf_add(struct sbuf *b, struct str s);
void sbuf_add_char(struct sbuf *b, char c);
void sbuf_add_cstr(struct sbuf *b, const char *cstr);
PRINTF(2, 3) void sbuf_addf(struct sbuf *b, const char *fmt, ...);

/** Room for @n more bytes, to be written at the returned place and then counted with sbuf_grew();
 * NULL on overflow. */
NODISCARD char *sbuf_reserve(struct sbuf *b, size_t n);
void sbuf_grew(struct sbuf *b, size_t n);

/** True if an append did not fit since the last init or clear. */
bool sbuf_overflowed(const struct sbuf *b);

/** What is in it, borrowed until the next change. NUL-terminated when not empty. */
struct str sbuf_str(const struct sbuf *b);

#endif
