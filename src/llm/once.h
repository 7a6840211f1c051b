/* once.h - inside the LLM client: requests that are made once, outside of queues, limits and
 * retries. What is not a question to a model is one. */
#ifndef STUMPER_LLM_ONCE_H
#define STUMPER_LLM_ONCE_H

#include "llm/client.h"

struct llm_once;

/** Reads the reply and calls whoever waits for it; @once is gone afterwards. */
typedef void llm_once_fn(struct llm_once *once, const struct http_reply *reply);

struct llm_once {
    const struct llm_provider *provider;
    const struct wire *wire; /* of its type */
    llm_once_fn *read;
    void *ctx;                /* of whoever reads */
    struct arena arena;       /* what the request and its reply need */
    struct sbuf body;         /* of a POST; empty: a GET */
    const char *content_type; /* a whole header; NULL: that of the wire */
    const char *headers[LLM_HEADERS_MAX];
    struct http_request http;
};

/** One with an empty arena and body of at most @bytes_max each, to be sent, which frees it. */
struct llm_once *llm_once_new(const struct llm_provider *provider, size_t bytes_max);

/**
 * Send it to @url, with the provider's first key, within the client's first_byte_ms; @once is freed
 * after it was read, or at once on ERR_BUSY.
 *
 * @bytes_max  of the reply
 */
NODISCARD enum err llm_once_send(struct llm *m, struct llm_once *once, const char *url,
                                 size_t bytes_max);

#endif
