#include "llm/sse.h"

#include <string.h>

void sse_init(struct sse *s, size_t event_bytes_max) {
    *s = (struct sse){.after_cr = false};
    sbuf_init(&s->line, event_bytes_max);
    sbuf_init(&s->data, event_bytes_max);
}

void sse_clear(struct sse *s) {
    sbuf_clear(&s->line);
    sbuf_clear(&s->data);
    s->after_cr = s->begun = false;
}

void sse_release(struct sse *s) {
    sbuf_release(&s->line);
    sbuf_release(&s->data);
}

static enum err sse_dispatch(struct sse *s, sse_event_fn *fn, void *ctx) {
    struct str data = sbuf_str(&s->data);
    bool more = data.n == 0 || fn(ctx, str_take(data, data.n - 1)); /* the last "\n" */
    sbuf_clear(&s->data);
    return more ? ERR_OK : ERR_CANCELED;
}

static enum err sse_line(struct sse *s, struct str line, sse_event_fn *fn, void *ctx) {
    if (!s->begun) {
        s->begun = true;
        line = str_starts(line, S("\xEF\xBB\xBF")) ? str_skip(line, 3) : line;
    }
    if (line.n == 0) {
        return sse_dispatch(s, fn, ctx);
    }
    struct str value = line, field = str_split(&value, ':');
    if (str_eq(field, S("data"))) {
        value = str_starts(value, S(" ")) ? str_skip(value, 1) : value;
        sbuf_add(&s->data, value);
        sbuf_add_char(&s->data, '\n');
    }
    return sbuf_overflowed(&s->data) ? ERR_TOO_BIG : ERR_OK;
}

enum err sse_feed(struct sse *s, struct str bytes, sse_event_fn *fn, void *ctx) {
    enum err e = ERR_OK;
    while (bytes.n > 0 && e == ERR_OK) {
        if (s->after_cr && bytes.p[0] == '\n') {
            bytes = str_skip(bytes, 1);
        }
        s->after_cr = false;
        size_t n = 0;
        while (n < bytes.n && bytes.p[n] != '\n' && bytes.p[n] != '\r') {
            n++;
        }
        struct str piece = str_take(bytes, n);
        if (n == bytes.n) { /* goes on in the next piece */
            sbuf_add(&s->line, piece);
            return sbuf_overflowed(&s->line) ? ERR_TOO_BIG : ERR_OK;
        }
        s->after_cr = bytes.p[n] == '\r';
        bytes = str_skip(bytes, n + 1);
        if (s->line.n > 0) {
            sbuf_add(&s->line, piece);
            piece = sbuf_str(&s->line);
        }
        e = sbuf_overflowed(&s->line) ? ERR_TOO_BIG : sse_line(s, piece, fn, ctx);
        sbuf_clear(&s->line);
    }
    return e;
}
