/* What an endpoint offers: one GET, no retries; whoever asks is a person. */
#include "base/log.h"
#include "base/mem.h"
#include "llm/client.h"

#include <stdlib.h>

struct llm_listing_call {
    struct llm *llm;
    const struct llm_provider *provider;
    const struct wire *wire;
    llm_listing_fn *done;
    void *ctx;
    struct arena arena;
    const char *headers[LLM_HEADERS_MAX];
    struct http_request http;
};

#define LLM_LISTING_BYTES_MAX                                                                      \
    ((size_t)16 * 1024 * 1024) /* OpenRouter's has hundreds of kilobytes */
#define LLM_LISTING_ARENA_BYTES_MAX ((size_t)256 * 1024 * 1024)

static void llm_listing_replied(void *ctx, const struct http_reply *reply) {
    struct llm_listing_call *c = ctx;
    struct wire_result result = {.err = reply->err, .detail = reply->detail};
    struct llm_listing listing = {0};
    if (reply->err == ERR_OK) {
        wire_read_models(c->wire, reply, &c->arena, &result, &listing.names, &listing.n);
    }
    log_redact(result.detail.text);
    listing.err = result.err;
    listing.detail = result.detail.text;
    listing.clue = result.answer.clue;
    c->done(c->ctx, &listing);
    arena_release(&c->arena);
    free(c);
}

static void llm_listing_headers(struct llm_listing_call *c) {
    const struct llm_provider *p = c->provider;
    size_t n = 0;
    for (const char *const *h = c->wire->headers; *h != NULL; h++) {
        c->headers[n++] = *h;
    }
    for (const char *const *h = p->headers; h != NULL && *h != NULL; h++) {
        c->headers[n++] = *h;
    }
    ASSERT(n + 2 <= LLM_HEADERS_MAX);
    c->headers[n] = p->keys_n > 0 ? c->wire->auth(&p->keys[0], &c->arena) : NULL;
}

enum err llm_list_models(struct llm *m, const struct llm_provider *provider, llm_listing_fn *done,
                         void *ctx) {
    struct llm_listing_call *c = mem_new(sizeof *c);
    struct http_transfer *transfer;
    *c = (struct llm_listing_call){.llm = m,
                                   .provider = provider,
                                   .wire = wire_find(provider->type),
                                   .done = done,
                                   .ctx = ctx};
    arena_init(&c->arena, LLM_LISTING_ARENA_BYTES_MAX);
    llm_listing_headers(c);
    c->http = (struct http_request){.method = "GET",
                                    .url = c->wire->models_url(provider, &c->arena).p,
                                    .headers = c->headers,
                                    .connect_ms = m->config->connect_ms,
                                    .first_byte_ms = m->config->first_byte_ms,
                                    .total_ms = m->config->first_byte_ms,
                                    .body_bytes_max = LLM_LISTING_BYTES_MAX};
    enum err e = http_send(m->http, &c->http, llm_listing_replied, c, &transfer);
    if (e != ERR_OK) {
        arena_release(&c->arena);
        free(c);
    }
    return e;
}
