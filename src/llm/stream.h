/* stream.h - an answer that comes as a stream of events, put together. Pure: bytes in, the same
 * wire_result out that a whole reply gives.
 *
 * Invariants (1) only a stream whose last event came is an answer: one that just ends is a failure,
 * however much text it had; (2) an error inside the stream is the error, whatever came before; (3)
 * memory is bounded by text_bytes_max and one event's size; (4) an answer with a hole in it was
 * paid for: it has no text, but its usage.
 */
#ifndef STUMPER_LLM_STREAM_H
#define STUMPER_LLM_STREAM_H

#include "llm/sse.h"
#include "llm/wire.h"

#define WIRE_STREAM_ID_BYTES 128

struct wire_stream {
    const struct wire *wire;
    const struct wire_ask *ask;
    unsigned *known; /* quirks of the model; may grow */
    struct sse sse;
    struct arena scratch; /* of the event being read */
    struct sbuf text;     /* of the answer so far; of a refusal, once it is one */
    bool fed;             /* any bytes came */
    bool begun;           /* tokens have come, be they of a thought or of the answer */
    bool ending;          /* the reason of its end was told */
    bool whole;           /* its last event came */
    bool refused;
    bool unread; /* an event could not be read: the text has a hole */
    enum call_finish finish;
    struct call_usage usage;
    int64_t cost_nusd;
    char model_id[WIRE_STREAM_ID_BYTES], id[WIRE_STREAM_ID_BYTES];
    struct wire_result failure; /* err != ERR_OK: the stream said so, or cannot be read */
};

/** Make an empty one; allocates nothing yet. Free with wire_stream_release(). */
void wire_stream_init(struct wire_stream *s, size_t text_bytes_max);
void wire_stream_release(struct wire_stream *s);

/** Ready it for an answer to @ask; both must live until wire_stream_end(). */
void wire_stream_start(struct wire_stream *s, const struct wire *wire, const struct wire_ask *ask,
                       unsigned *known);

/** Take the bytes that came: HTTP_TAKE_QUIET as long as no token has come, HTTP_TAKE_NO when it can
 * only fail. An http_stream_fn. */
enum http_take wire_stream_feed(void *stream, struct str bytes);

/**
 * The answer, once no more bytes come. @reply tells how the connection ended; a stream that was
 * whole before is an answer anyway. @a owns the texts in @ret.
 */
void wire_stream_end(const struct wire_stream *s, const struct http_reply *reply, struct arena *a,
                     struct wire_result *ret);

/* --- for the formats ------------------------------------------------------------------------- */

/** Text of the answer / of a thought, which is not kept / of a refusal, which is the answer then.
 */
void wire_stream_add(struct wire_stream *s, struct str text);
void wire_stream_thought(struct wire_stream *s, struct str text);
void wire_stream_refuse(struct wire_stream *s, struct str text);

/** The model's and the answer's names, kept when not empty. */
void wire_stream_name(struct wire_stream *s, struct str model_id, struct str id);

/** What the end is called. */
void wire_stream_finish(struct wire_stream *s, enum call_finish finish);

/** The last event holds a whole answer in the form of wire->answer(): it goes over what was
 * gathered, except that an answer without text takes the text that came before. */
void wire_stream_answer(struct wire_stream *s, const struct jnode *doc);

/** The last event holds a document with an error in it. */
void wire_stream_error(struct wire_stream *s, const struct jnode *doc);

/** It cannot be an answer any more. */
PRINTF(3, 4)
void wire_stream_fail(struct wire_stream *s, enum err e, const char *fmt, ...);

#endif
