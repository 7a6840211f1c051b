/* What is sent bit by bit: a format's events, or the bytes of a body that drips, stalls or breaks
 * off. The pieces are spread evenly from the first to the last; whatever is due goes out at once.
 * Before the first, signs of life may be sent: comments, or white space in front of a body.
 */
#include "sim/exchange.h"

#include "base/clock.h"

#include <stdint.h>

#define STREAM_FIRST 0.2       /* share of the time until the first piece */
#define STREAM_DRIP 10         /* how much slower a drip is, */
#define STREAM_DRIP_US 1000000 /* and what it takes at least */
#define STREAM_RAW_PIECES 20

enum { DRAW_STOP = 700 };

void stream_init(struct exchange *x, bool raw, int64_t end_us) {
    struct stream *st = &x->stream;
    enum fault fault = x->said.reply.fault;
    size_t n = x->answer.body->data.n;
    int64_t begin_us = x->q->started_us, took_us = end_us - begin_us;
    if (fault == FAULT_DRIP) {
        took_us = MAX(took_us * STREAM_DRIP, (int64_t)STREAM_DRIP_US);
    }
    *st = (struct stream){
        .raw = raw,
        .stop = SIZE_MAX,
        .piece = raw ? n / STREAM_RAW_PIECES + 1 : x->server->options->piece_bytes,
        .begin_us = begin_us + (int64_t)((double)took_us * STREAM_FIRST),
        .end_us = begin_us + took_us,
    };
    if (fault == FAULT_IN_200 || fault == FAULT_CUT || fault == FAULT_STALL) {
        st->stop = brain_pick(x->said.reply.luck, DRAW_STOP, n + 1);
    }
    if (raw && (fault == FAULT_NONE || (fault_billed(fault) && fault != FAULT_DRIP))) {
        st->begin_us = st->end_us; /* a whole body, behind signs of life */
    }
    if (!raw) {
        x->answer.content_type = "text/event-stream; charset=utf-8";
    }
}

static void stream_events(struct exchange *x, enum said_part part, struct str piece) {
    x->format->events(&x->said, part, piece, &x->server->scratch);
}

static void stream_open(struct exchange *x) {
    struct httpd_response *r = httpd_stream_new(x->q, x->answer.status);
    headers_add(x, r);
    httpd_respond(x->q, r);
    httpd_response_free(r);
    x->stream.open = true;
    x->said.text = sbuf_str(&x->answer.body->data);
}

static void stream_begin(struct exchange *x) {
    struct sim_server *s = x->server;
    x->stream.begun = true;
    journal_flush(&s->truth.file); /* as in exchange_send() */
    if (!x->stream.raw) {
        stream_events(x, SAID_BEGIN, S(""));
    }
    if (!x->stream.raw && x->said.reply.fault == FAULT_MALFORMED &&
        x->said.reply.role == ROLE_TARGET) { /* free text has no form to break: an event is */
        sbuf_add_cstr(&s->scratch, "data: {\"choices\":[\n\n");
    }
    exchange_produced(x, x->said.reply.reasoning_tokens);
}

/* When something is to be sent before the first piece, seen from @now_us; the first piece at the
 * latest. */
static int64_t stream_alive_us(const struct exchange *x, int64_t now_us) {
    int64_t every_us = x->server->options->keep_alive_ms * 1000;
    return every_us > 0 ? MIN(now_us + every_us, x->stream.begin_us) : x->stream.begin_us;
}

int64_t stream_first_us(const struct exchange *x) {
    return stream_alive_us(x, x->q->started_us);
}

/* When the piece that begins at @at goes out. */
static int64_t stream_due_us(const struct exchange *x, size_t at) {
    const struct stream *st = &x->stream;
    double done = (double)at / (double)MAX(x->said.text.n, (size_t)1);
    return st->begin_us + (int64_t)((double)(st->end_us - st->begin_us) * done);
}

static void stream_piece(struct exchange *x) {
    struct stream *st = &x->stream;
    struct str rest = str_skip(x->said.text, st->at);
    struct str piece =
        st->raw ? str_take(rest, st->piece) : str_take_utf8(rest, MAX(st->piece, (size_t)4));
    if (st->raw) {
        sbuf_add(&x->server->scratch, piece);
    } else {
        stream_events(x, SAID_PIECE, piece);
    }
    st->at += piece.n;
    exchange_produced(x, st->raw ? 0 : (int64_t)(piece.n + 3) / 4);
}

/* What has been written is paid for, and all of a body that broke off: it was written before the
 * first of it was sent. What the provider itself calls an error is not. */
void stream_bill(struct exchange *x) {
    const struct stream *st = &x->stream;
    struct ledger_entry *e = &x->answer.entry;
    int64_t text_tokens = e->usage.output_tokens - e->usage.reasoning_tokens;
    size_t n = MAX(x->said.text.n, (size_t)1);
    if (!st->begun || st->ended || x->said.reply.fault == FAULT_IN_200) {
        return;
    }
    if (!st->raw) {
        text_tokens = (text_tokens * (int64_t)st->at + (int64_t)n - 1) / (int64_t)n;
        e->usage.output_tokens = e->usage.reasoning_tokens + text_tokens;
    }
    e->broken_off = true;
    ledger_add(&x->server->ledger, e);
}

/* Write what is in the scratch buffer; false: the client does not read, and is cut off. */
static bool stream_write(struct exchange *x) {
    bool written = httpd_write(x->q, sbuf_str(&x->server->scratch));
    if (!written) {
        httpd_reset(x->q);
    }
    return written;
}

/* The fault strikes: how it ends, if it does. */
static void stream_break(struct exchange *x) {
    struct sim_error e;
    if (x->said.reply.fault == FAULT_STALL) {
        httpd_watch(x->q);
    } else if (x->said.reply.fault == FAULT_CUT && x->stream.raw) {
        httpd_reset(x->q);
    } else if (x->said.reply.fault == FAULT_CUT) {
        httpd_end(x->q);
    } else {
        (void)sim_error_set(&e, TROUBLE_BUSY, NULL, NULL, "Overloaded");
        sbuf_clear(&x->server->scratch);
        x->format->failed(&x->said, &e, true, &x->server->scratch);
        if (stream_write(x)) {
            httpd_end(x->q);
        }
    }
}

/* What is due at @now_us goes to the scratch buffer; true if the end is among it. */
static bool stream_due(struct exchange *x, int64_t now_us) {
    struct stream *st = &x->stream;
    while (st->at < x->said.text.n && st->at < st->stop && stream_due_us(x, st->at) <= now_us) {
        stream_piece(x);
    }
    bool end = st->at == x->said.text.n && st->stop == SIZE_MAX && now_us >= st->end_us;
    if (end) {
        st->ended = true;
        exchange_produced(x, st->raw ? x->answer.entry.usage.output_tokens : 0);
        exchange_bill(x);
        if (!st->raw) {
            stream_events(x, SAID_END, S(""));
        }
    }
    return end;
}

static void stream_stay_alive(struct exchange *x, int64_t now_us) {
    sbuf_add_cstr(&x->server->scratch, x->stream.raw ? "\n" : ": keep-alive\n\n");
    if (stream_write(x)) {
        timers_add(&x->server->timers, &x->timer, stream_alive_us(x, now_us));
    }
}

void stream_send(struct exchange *x) {
    struct sim_server *s = x->server;
    struct stream *st = &x->stream;
    int64_t now_us = MAX(clock_mono_us(), x->timer.due_us); /* it may fire a little early */
    sbuf_clear(&s->scratch);
    if (!st->open) {
        stream_open(x);
    }
    if (now_us < st->begin_us) {
        stream_stay_alive(x, now_us);
        return;
    }
    if (!st->begun) {
        stream_begin(x);
    }
    bool end = stream_due(x, now_us);
    if (!stream_write(x)) {
        return;
    }
    if (end) {
        httpd_end(x->q);
    } else if (st->at >= st->stop) {
        stream_break(x);
    } else {
        int64_t due_us = st->at < x->said.text.n ? stream_due_us(x, st->at) : st->end_us;
        timers_add(&s->timers, &x->timer, due_us);
    }
}
