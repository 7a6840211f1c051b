/* buffer.h - byte buffers that are used again: one for each request body and answer under way. */
#ifndef STUMPER_HTTPD_BUFFER_H
#define STUMPER_HTTPD_BUFFER_H

#include "base/sbuf.h"

#define BUFFERS_UNUSED_BYTES_MAX ((size_t)32 * 1024 * 1024)

struct buffer {
    struct sbuf data;
    struct buffer *next;
    struct buffers *owner;
};

struct buffers {
    struct buffer *unused;
    size_t unused_bytes; /* BUFFERS_UNUSED_BYTES_MAX at most */
    size_t bytes_max;    /* of one buffer */
};

/** Nothing unused yet; every buffer may grow to @bytes_max. */
void buffers_init(struct buffers *b, size_t bytes_max);

/** Frees the unused ones; those in use must have been given back. */
void buffers_release(struct buffers *b);

/** An empty buffer. */
struct buffer *buffer_take(struct buffers *b);

/** Give it back; NULL is harmless. */
void buffer_give(struct buffer *b);

#endif
