#include "llm/once.h"

#include "base/mem.h"

#include <stdlib.h>

struct llm_once *llm_once_new(const struct llm_provider *provider, size_t bytes_max) {
    struct llm_once *once = mem_new(sizeof *once);
    once->provider = provider;
    once->wire = wire_find(provider->type);
    ASSERT(once->wire != NULL); /* config.c allows no others */
    arena_init(&once->arena, bytes_max);
    sbuf_init(&once->body, bytes_max);
    return once;
}

static void llm_once_free(struct llm_once *once) {
    arena_release(&once->arena);
    sbuf_release(&once->body);
    free(once);
}

static void llm_once_replied(void *ctx, const struct http_reply *reply) {
    struct llm_once *once = ctx;
    once->read(once, reply);
    llm_once_free(once);
}

static void llm_once_headers(struct llm_once *once) {
    const struct llm_provider *p = once->provider;
    size_t n = 0;
    for (const char *const *h = once->wire->headers; *h != NULL; h++) {
        bool other = once->content_type != NULL && str_starts(str_of(*h), S("Content-Type:"));
        once->headers[n++] = other ? once->content_type : *h;
    }
    for (const char *const *h = p->headers; h != NULL && *h != NULL; h++) {
        ASSERT(n + 2 < LLM_HEADERS_MAX); /* config.c allows 16 */
        once->headers[n++] = *h;
    }
    once->headers[n] = p->keys_n > 0 ? once->wire->auth(&p->keys[0], &once->arena) : NULL;
}

enum err llm_once_send(struct llm *m, struct llm_once *once, const char *url, size_t bytes_max) {
    struct http_transfer *transfer;
    llm_once_headers(once);
    once->http = (struct http_request){.method = once->body.n > 0 ? "POST" : "GET",
                                       .url = url,
                                       .headers = once->headers,
                                       .body = sbuf_str(&once->body),
                                       .connect_ms = m->config->connect_ms,
                                       .first_byte_ms = m->config->first_byte_ms,
                                       .total_ms = m->config->first_byte_ms,
                                       .body_bytes_max = bytes_max};
    enum err e = http_send(m->http, &once->http, llm_once_replied, once, &transfer);
    if (e != ERR_OK) {
        llm_once_free(once);
    }
    return e;
}
