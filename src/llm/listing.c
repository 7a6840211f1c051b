/* What an endpoint offers. */
#include "base/log.h"
#include "llm/once.h"

#define LISTING_BYTES_MAX ((size_t)16 * 1024 * 1024) /* OpenRouter's has hundreds of kilobytes */
#define LISTING_ARENA_BYTES_MAX ((size_t)256 * 1024 * 1024)

struct llm_listing_wish {
    llm_listing_fn *done;
    void *ctx;
};

static void llm_listing_read(struct llm_once *once, const struct http_reply *reply) {
    const struct llm_listing_wish *wish = once->ctx;
    struct wire_result result = {.err = reply->err, .detail = reply->detail};
    struct llm_listing listing = {0};
    if (reply->err == ERR_OK) {
        wire_read_models(once->wire, reply, &once->arena, &result, &listing.names, &listing.n);
    }
    log_redact(result.detail.text);
    listing.err = result.err;
    listing.detail = result.detail.text;
    listing.clue = result.answer.clue;
    wish->done(wish->ctx, &listing);
}

enum err llm_list_models(struct llm *m, const struct llm_provider *provider, llm_listing_fn *done,
                         void *ctx) {
    struct llm_once *once = llm_once_new(provider, LISTING_ARENA_BYTES_MAX);
    struct llm_listing_wish *wish = ARENA_NEW(&once->arena, struct llm_listing_wish);
    *wish = (struct llm_listing_wish){.done = done, .ctx = ctx};
    once->read = llm_listing_read;
    once->ctx = wish;
    return llm_once_send(m, once, once->wire->models_url(provider, &once->arena).p,
                         LISTING_BYTES_MAX);
}
