/* The events that llm/sse.h finds do not depend on where the bytes were cut. Input: the size of the
 * pieces as a byte, then the stream. */
#include "fuzz.h"
#include "llm/sse.h"

#define EVENT_BYTES_MAX ((size_t)256)

static bool note(void *ctx, struct str data) {
    struct sbuf *events = ctx;
    ASSERT(data.n <= EVENT_BYTES_MAX && str_find_char(data, '\r') == STR_NPOS);
    sbuf_add(events, data);
    sbuf_add_char(events, '\0');
    return true;
}

static enum err split(struct str bytes, size_t step, struct sbuf *events) {
    struct sse s;
    enum err e = ERR_OK;
    sse_init(&s, EVENT_BYTES_MAX);
    while (bytes.n > 0 && e == ERR_OK) {
        e = sse_feed(&s, str_take(bytes, step), note, events);
        bytes = str_skip(bytes, step);
    }
    sse_release(&s);
    return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct sbuf whole, cut;
    if (size < 1) {
        return 0;
    }
    struct str bytes = {(const char *)data + 1, size - 1};
    sbuf_init(&whole, size * 2);
    sbuf_init(&cut, size * 2);
    enum err e = split(bytes, 1, &whole), f = split(bytes, data[0] + 1u, &cut);
    ASSERT(e == f || e == ERR_TOO_BIG || f == ERR_TOO_BIG);
    ASSERT(e != f || str_eq(sbuf_str(&whole), sbuf_str(&cut)));
    sbuf_release(&whole);
    sbuf_release(&cut);
    return 0;
}
