/* sse.h - server-sent events out of bytes that come in pieces cut anywhere (WHATWG HTML, "Server-
 * sent events"): lines end with \n, \r\n or \r; comments are skipped; the data lines of an event
 * are joined; an event is there at its blank line. Pure. */
#ifndef STUMPER_LLM_SSE_H
#define STUMPER_LLM_SSE_H

#include "base/err.h"
#include "base/sbuf.h"

struct sse {
    struct sbuf line; /* as far as it has come */
    struct sbuf data; /* of the event, each line with its "\n" */
    bool after_cr;    /* a "\n" now belongs to the line end before */
    bool begun;       /* a byte order mark can no longer come */
};

/** An event's data; borrowed until it returns. False: no more, please. */
typedef bool sse_event_fn(void *ctx, struct str data);

/** @event_bytes_max  of one line, and of one event. Allocates nothing yet. */
void sse_init(struct sse *s, size_t event_bytes_max);

/** Forget what came, keep the memory. / Free it. */
void sse_clear(struct sse *s);
void sse_release(struct sse *s);

/**
 * Take more bytes and call @fn for each event that is whole now. Events without data are none; the
 * names of events are not told, for every provider says in the data what it is.
 *
 * @return  ERR_TOO_BIG past event_bytes_max, ERR_CANCELED after @fn returned false: feed no more
 */
NODISCARD enum err sse_feed(struct sse *s, struct str bytes, sse_event_fn *fn, void *ctx);

#endif
