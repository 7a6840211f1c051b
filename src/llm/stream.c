#include "llm/stream.h"

#include "llm/wire_error.h"

#include <stdarg.h>
#include <stdio.h>

#define STREAM_EVENT_BYTES_MAX ((size_t)4 * 1024 * 1024) /* the last of Responses holds it all */
#define STREAM_SCRATCH_BYTES_MAX ((size_t)256 * 1024 * 1024)

void wire_stream_init(struct wire_stream *s, size_t text_bytes_max) {
    *s = (struct wire_stream){.fed = false};
    sse_init(&s->sse, STREAM_EVENT_BYTES_MAX);
    arena_init(&s->scratch, STREAM_SCRATCH_BYTES_MAX);
    sbuf_init(&s->text, text_bytes_max);
}

void wire_stream_release(struct wire_stream *s) {
    sse_release(&s->sse);
    arena_release(&s->scratch);
    sbuf_release(&s->text);
}

void wire_stream_start(struct wire_stream *s, const struct wire *wire, const struct wire_ask *ask,
                       unsigned *known) {
    s->wire = wire;
    s->ask = ask;
    s->known = known;
    sse_clear(&s->sse);
    sbuf_clear(&s->text);
    s->fed = s->begun = s->ending = s->whole = s->refused = s->unread = false;
    s->finish = CALL_FINISH_STOP;
    s->usage = (struct call_usage){.input_tokens = -1, .output_tokens = -1};
    s->cost_nusd = MONEY_UNKNOWN;
    s->model_id[0] = s->id[0] = '\0';
    s->failure = (struct wire_result){.retry_after_ms = -1};
}

void wire_stream_add(struct wire_stream *s, struct str text) {
    s->begun = s->begun || text.n > 0;
    if (!s->refused) {
        sbuf_add(&s->text, text);
    }
}

void wire_stream_thought(struct wire_stream *s, struct str text) {
    s->begun = s->begun || text.n > 0;
}

void wire_stream_refuse(struct wire_stream *s, struct str text) {
    if (!s->refused) {
        sbuf_clear(&s->text); /* what was said before is no answer */
    }
    s->begun = true;
    s->refused = true;
    sbuf_add(&s->text, text);
}

void wire_stream_name(struct wire_stream *s, struct str model_id, struct str id) {
    if (model_id.n > 0) {
        (void)snprintf(s->model_id, sizeof s->model_id, "%.*s", STR_ARG(model_id));
    }
    if (id.n > 0) {
        (void)snprintf(s->id, sizeof s->id, "%.*s", STR_ARG(id));
    }
}

void wire_stream_finish(struct wire_stream *s, enum call_finish finish) {
    s->finish = finish;
    s->ending = true;
}

void wire_stream_fail(struct wire_stream *s, enum err e, const char *fmt, ...) {
    char text[ERRINFO_BYTES];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args); /* cut on purpose */
    va_end(args);
    s->failure.err = errinfo_set(&s->failure.detail, e, "%s", text);
}

void wire_stream_answer(struct wire_stream *s, const struct jnode *doc) {
    struct wire_result last = {.retry_after_ms = -1};
    s->wire->answer(doc, &s->scratch, &last);
    if (last.err != ERR_OK) {
        s->failure = last;
        return;
    }
    if (last.answer.text.n > 0) {
        sbuf_clear(&s->text);
        sbuf_add(&s->text, last.answer.text);
        s->unread = false; /* nothing is missing from it */
    }
    wire_stream_name(s, last.answer.model_id, jnode_get_str(doc, "id"));
    bool refused = s->refused || last.answer.finish == CALL_FINISH_REFUSAL;
    wire_stream_finish(s, refused ? CALL_FINISH_REFUSAL : last.answer.finish);
    s->usage = last.answer.usage;
    s->cost_nusd = last.answer.cost_nusd;
    s->whole = true;
}

void wire_stream_error(struct wire_stream *s, const struct jnode *doc) {
    const struct http_reply event = {.status = 200};
    wire_read_error(s->wire, s->ask, &event, doc, s->known, &s->scratch, &s->failure);
}

static bool wire_stream_event(void *ctx, struct str data) {
    struct wire_stream *s = ctx;
    const struct jnode *doc;
    if (str_eq(str_trim(data), S("[DONE]"))) {
        s->whole = s->whole || s->ending;
        return true;
    }
    if (jnode_parse(data, &s->scratch, &doc, NULL) != ERR_OK) {
        s->unread = true; /* what comes yet may tell what it has cost */
    } else if (wire_holds_error(doc)) {
        wire_stream_error(s, doc);
    } else {
        s->wire->event(s, doc);
    }
    if (sbuf_overflowed(&s->text)) {
        wire_stream_fail(s, ERR_TOO_BIG, "the answer is too large");
    }
    arena_reset(&s->scratch);
    return s->failure.err == ERR_OK;
}

enum http_take wire_stream_feed(void *stream, struct str bytes) {
    struct wire_stream *s = stream;
    s->fed = true;
    if (sse_feed(&s->sse, bytes, wire_stream_event, s) == ERR_TOO_BIG) {
        wire_stream_fail(s, ERR_TOO_BIG, "an event of the stream is too large");
    }
    return s->failure.err != ERR_OK ? HTTP_TAKE_NO : s->begun ? HTTP_TAKE_MORE : HTTP_TAKE_QUIET;
}

/* The reason of the end was told and the server then closed in an orderly way: some never send the
 * last event. */
static bool wire_stream_is_whole(const struct wire_stream *s, const struct http_reply *reply) {
    return s->whole || (s->ending && reply->err == ERR_OK);
}

static enum call_finish wire_stream_finish_of(const struct wire_stream *s) {
    return s->unread ? CALL_FINISH_OTHER : s->refused ? CALL_FINISH_REFUSAL : s->finish;
}

void wire_stream_end(const struct wire_stream *s, const struct http_reply *reply, struct arena *a,
                     struct wire_result *ret) {
    *ret = s->failure;
    if (s->failure.err != ERR_OK) {
        return;
    }
    if (!wire_stream_is_whole(s, reply)) {
        ret->err = reply->err != ERR_OK ? reply->err : ERR_PROTOCOL;
        (void)errinfo_set(&ret->detail, ret->err, "%s",
                          reply->err != ERR_OK ? reply->detail.text
                                               : "the stream ended before the answer did");
        return;
    }
    struct str id = http_reply_header(reply, S("x-request-id"));
    id = id.n > 0 ? id : http_reply_header(reply, S("request-id"));
    ret->answer = (struct call_answer){.text = s->unread ? S("") : str_dup(a, sbuf_str(&s->text)),
                                       .finish = wire_stream_finish_of(s),
                                       .usage = s->usage,
                                       .cost_nusd = s->cost_nusd,
                                       .model_id = str_dup(a, str_of(s->model_id)),
                                       .request_id = str_dup(a, id.n > 0 ? id : str_of(s->id))};
}
