#include "httpd/buffer.h"

#include "base/mem.h"

#include <stdlib.h>

#define BUFFER_KEEP_BYTES ((size_t)64 * 1024) /* a larger one is not worth keeping */

void buffers_init(struct buffers *b, size_t bytes_max) {
    *b = (struct buffers){.bytes_max = bytes_max};
}

static void buffer_free(struct buffer *b) {
    sbuf_release(&b->data);
    free(b);
}

void buffers_release(struct buffers *b) {
    while (b->unused != NULL) {
        struct buffer *next = b->unused->next;
        buffer_free(b->unused);
        b->unused = next;
    }
    b->unused_bytes = 0;
}

struct buffer *buffer_take(struct buffers *b) {
    struct buffer *taken = b->unused;
    if (taken == NULL) {
        taken = mem_new(sizeof *taken);
        taken->owner = b;
        sbuf_init(&taken->data, b->bytes_max);
        return taken;
    }
    b->unused = taken->next;
    b->unused_bytes -= taken->data.capacity;
    sbuf_clear(&taken->data);
    return taken;
}

void buffer_give(struct buffer *b) {
    if (b == NULL) {
        return;
    }
    struct buffers *owner = b->owner;
    if (b->data.capacity > BUFFER_KEEP_BYTES ||
        owner->unused_bytes + b->data.capacity > BUFFERS_UNUSED_BYTES_MAX) {
        buffer_free(b);
        return;
    }
    b->next = owner->unused;
    owner->unused = b;
    owner->unused_bytes += b->data.capacity;
}
