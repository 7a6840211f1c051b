#include "sim/exchange.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>

void exchange_request_id(const struct exchange *x, char *out, size_t n) {
    (void)snprintf(out, n, "req_%016" PRIx64, x->answer.request_id);
}

void exchange_refuse(struct exchange *x, const struct sim_error *e) {
    char id[40];
    exchange_request_id(x, id, sizeof id);
    x->answer.status = sim_error_status(e, x->dialect);
    x->answer.wait_ms = e->wait_ms;
    sbuf_clear(&x->answer.body->data);
    sim_error_write(e, x->dialect, id, &x->answer.body->data);
}

void exchange_too_large(struct exchange *x) {
    static const struct {
        enum trouble what;
        const char *message;
    } said[DIALECT_COUNT] = {
        [DIALECT_OPENAI] = {TROUBLE_REQUEST, "File is too large."},
        [DIALECT_ANTHROPIC] = {TROUBLE_TOO_LARGE, "Request exceeds the maximum size"},
        [DIALECT_GEMINI] = {TROUBLE_TOO_LARGE, "Request payload size exceeds the limit."},
    };
    EXCHANGE_REFUSE(x, said[x->dialect].what, NULL, NULL, "%s", said[x->dialect].message);
}

struct str exchange_key(const struct exchange *x) {
    static const char *const names[] = {"x-api-key", "x-goog-api-key"};
    struct str sent = httpd_header(x->q, "authorization");
    if (str_starts(sent, S("Bearer "))) {
        return str_skip(sent, sizeof "Bearer " - 1);
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        sent = httpd_header(x->q, names[i]);
        if (sent.n > 0) {
            return sent;
        }
    }
    return httpd_query(x->q, "key");
}

int64_t exchange_limit(const struct exchange *x) {
    int64_t limit;
    bool told = str_to_i64(httpd_query(x->q, "limit"), &limit);
    return told ? MIN(MAX(limit, INT64_C(1)), INT64_C(1000)) : 20;
}

void exchange_bill(struct exchange *x) {
    if (x->answer.billed) {
        ledger_add(&x->server->ledger, &x->answer.entry);
        x->answer.billed = false;
    }
}

void exchange_produced(const struct exchange *x, int64_t tokens) {
    if (x->account != NULL) {
        quotas_produced(&x->server->limits, x->account, x->rule, tokens, clock_mono_us());
    }
}

static void exchange_give(void *buffer) {
    buffer_give(buffer);
}

void exchange_send(struct exchange *x) {
    struct sim_server *s = x->server;
    struct answer *a = &x->answer;
    struct buffer *body = a->body;
    if (a->reset) {
        httpd_reset(x->q); /* the client sees a reset, not an orderly end */
        return;
    }
    if (a->billed) {
        /* Whoever has read a problem finds it in the truth file, even if we are killed. */
        journal_flush(&s->truth.file);
        exchange_produced(x, a->entry.usage.output_tokens);
        exchange_bill(x);
    }
    a->body = NULL;
    struct httpd_response *r =
        httpd_response_new(a->status, sbuf_str(&body->data), exchange_give, body);
    headers_add(x, r);
    httpd_respond(x->q, r);
    httpd_response_free(r);
}
