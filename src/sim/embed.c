/* Embeddings: texts with many words in common lie close together, as with real ones. A word is a
 * few coordinates, by its hash; a vector has length 1. */
#include "sim/exchange.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EMBED_INPUTS_MAX 2048
#define EMBED_DIMENSIONS 1536
#define EMBED_DIMENSIONS_MAX 3072
#define EMBED_TOKENS_MAX 300000 /* of a request */
#define EMBED_COORDINATES 8     /* of a word */

struct embed {
    struct str model, inputs[EMBED_INPUTS_MAX];
    size_t n;
    int64_t tokens, dimensions;
    bool base64;
    float vector[EMBED_DIMENSIONS_MAX];
};

static void embed_add(struct request_reader *r, struct embed *e) {
    struct str text = S("tokens"); /* whose texts nobody here knows */
    if (scan_peek(&r->scan) == '"') {
        text = scan_str(&r->scan);
        e->tokens += (int64_t)(text.n + 3) / 4;
    } else {
        scan_skip(&r->scan);
        e->tokens++;
    }
    if (text.n == 0) {
        REQUEST_REFUSE(r, "input", "invalid_type",
                       "Invalid 'input': input cannot be an empty string.");
    } else if (e->n == EMBED_INPUTS_MAX) {
        REQUEST_REFUSE(r, "input", "array_above_max_length",
                       "Invalid 'input': maximum array length is %d.", EMBED_INPUTS_MAX);
    } else {
        e->inputs[e->n++] = text;
    }
}

static void embed_inputs(struct request_reader *r, struct embed *e) {
    if (scan_peek(&r->scan) != '[') {
        embed_add(r, e);
        return;
    }
    for (scan_array(&r->scan); scan_next(&r->scan);) {
        embed_add(r, e);
    }
}

static void embed_member(struct request_reader *r, struct str key, struct embed *e) {
    if (str_eq(key, S("model"))) {
        e->model = request_str(r, "model");
    } else if (str_eq(key, S("input"))) {
        embed_inputs(r, e);
    } else if (str_eq(key, S("encoding_format"))) {
        e->base64 = str_eq(request_str(r, "encoding_format"), S("base64"));
    } else if (str_eq(key, S("dimensions"))) {
        e->dimensions = request_int(r, "dimensions", 1, EMBED_DIMENSIONS);
    } else {
        scan_skip(&r->scan);
        if (!str_eq(key, S("user"))) {
            REQUEST_REFUSE(r, NULL, NULL, "Unrecognized request argument supplied: %.*s",
                           STR_ARG(str_take(key, 60)));
        }
    }
}

static bool embed_read(struct sbuf *body, struct sim_request *q, struct embed *e,
                       struct sim_error *reterr) {
    struct request_reader r;
    struct str key;
    for (request_begin(&r, body, q, reterr); scan_key(&r.scan, &key);) {
        embed_member(&r, key, e);
    }
    if (!request_done(&r)) {
        return false;
    }
    if (e->n == 0) {
        REQUEST_REFUSE(&r, "input", "missing_required_parameter",
                       "Missing required parameter: 'input'.");
    }
    if (e->dimensions > EMBED_DIMENSIONS_MAX || e->tokens > EMBED_TOKENS_MAX) {
        REQUEST_REFUSE(&r, "input", NULL, "Invalid 'input' or 'dimensions': too large.");
    }
    return !r.refused;
}

static void embed_vector(struct embed *e, struct str text) {
    double length = 0;
    size_t n = (size_t)e->dimensions;
    memset(e->vector, 0, n * sizeof *e->vector);
    while (text.n > 0) {
        uint64_t h = table_hash(str_split(&text, ' '), 1);
        for (int i = 0; i < EMBED_COORDINATES; i++) {
            h = rng_mix(h);
            e->vector[h % n] += h >> 63 != 0 ? 1 : -1;
        }
    }
    for (size_t i = 0; i < n; i++) {
        length += (double)e->vector[i] * (double)e->vector[i];
    }
    float scale = length > 0 ? (float)(1 / sqrt(length)) : 1;
    for (size_t i = 0; i < n; i++) {
        e->vector[i] *= scale;
    }
}

/* Little-endian float32. */
static void embed_base64(const struct embed *e, struct sbuf *out) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t bytes = (size_t)e->dimensions * 4;
    unsigned char raw[EMBED_DIMENSIONS_MAX * 4 + 2] = {0};
    for (size_t i = 0; i < (size_t)e->dimensions; i++) {
        uint32_t bits;
        memcpy(&bits, &e->vector[i], sizeof bits);
        for (size_t b = 0; b < 4; b++) {
            raw[i * 4 + b] = (unsigned char)(bits >> (8 * b));
        }
    }
    sbuf_add_char(out, '"');
    for (size_t i = 0; i < bytes; i += 3) {
        uint32_t v = (uint32_t)raw[i] << 16 | (uint32_t)raw[i + 1] << 8 | raw[i + 2];
        char four[4] = {digits[v >> 18], digits[v >> 12 & 63],
                        i + 1 < bytes ? digits[v >> 6 & 63] : '=',
                        i + 2 < bytes ? digits[v & 63] : '='};
        sbuf_add(out, (struct str){four, 4});
    }
    sbuf_add_char(out, '"');
}

static void embed_floats(const struct embed *e, struct sbuf *out) {
    for (size_t i = 0; i < (size_t)e->dimensions; i++) {
        sbuf_addf(out, "%c%.9g", i == 0 ? '[' : ',', (double)e->vector[i]);
    }
    sbuf_add_char(out, ']');
}

static void embed_write(struct embed *e, struct sbuf *scratch, struct sbuf *out) {
    struct jwrite w;
    jwrite_init(&w, out);
    jwrite_object(&w);
    format_str(&w, "object", "list");
    jwrite_key(&w, "data");
    jwrite_array(&w);
    for (size_t i = 0; i < e->n; i++) {
        embed_vector(e, e->inputs[i]);
        sbuf_clear(scratch);
        (e->base64 ? embed_base64 : embed_floats)(e, scratch);
        jwrite_object(&w);
        format_str(&w, "object", "embedding");
        format_int(&w, "index", (int64_t)i);
        jwrite_key(&w, "embedding");
        jwrite_raw(&w, sbuf_str(scratch));
        jwrite_end(&w);
    }
    jwrite_end(&w);
    jwrite_key(&w, "model");
    jwrite_str(&w, e->model);
    jwrite_key(&w, "usage");
    jwrite_object(&w);
    format_int(&w, "prompt_tokens", e->tokens);
    format_int(&w, "total_tokens", e->tokens);
    jwrite_end(&w);
    jwrite_end(&w);
}

static void embed_entry(struct exchange *x, const struct embed *e) {
    struct ledger_entry *entry = &x->answer.entry;
    x->answer.billed = true;
    entry->role = ROLE_COUNT;
    entry->request_hash = table_hash(e->inputs[0], 0);
    entry->usage.input_tokens = e->tokens;
    (void)snprintf(entry->model, sizeof entry->model, "%.*s", STR_ARG(e->model));
}

static void embed_answer(struct exchange *x, struct embed *e) {
    struct sim_server *s = x->server;
    struct sim_error error;
    if (!embed_read(x->q->body, &s->request, e, &error)) {
        exchange_refuse(x, &error);
    } else if (str_find(e->model, S("embed")) == STR_NPOS) {
        EXCHANGE_REFUSE(x, TROUBLE_MODEL, NULL, NULL,
                        "The model `%.*s` does not exist or you do not have access to it. (This is "
                        "a simulator: its model for embeddings is " EMBED_MODEL ".)",
                        STR_ARG(str_take(e->model, 60)));
    } else if (ask_admit(x, e->model, QUOTA_RULE_INPUT, e->tokens, 0)) {
        embed_write(e, &s->scratch, &x->answer.body->data);
        embed_entry(x, e);
    }
}

double embed(struct exchange *x) {
    struct embed *e = mem_new(sizeof *e);
    e->dimensions = EMBED_DIMENSIONS;
    embed_answer(x, e);
    free(e);
    return x->answer.billed ? x->server->options->latency_ms.mean : 0;
}
