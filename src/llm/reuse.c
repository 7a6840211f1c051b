/* Answers of other jobs. A question is the same if everything that its model gets to see is: the
 * model, the body of the request as it is sent, and which of several same questions it is. Whose
 * it is belongs to it, too: nobody learns from a quick answer what others ask. */
#include "llm/client.h"

#include <inttypes.h>

#define REUSE_KEY_BYTES_MAX (LLM_BODY_BYTES_MAX + 4096)

static const struct llm_cache *llm_reuse_of(const struct llm_call *c) {
    const struct llm_cache *cache = c->model->llm->config->cache;
    return cache != NULL && cache->roles[c->request.spec->role] ? cache : NULL;
}

static void llm_reuse_key(struct llm_call *c, struct sbuf *key) {
    llm_call_prepare(c);
    sbuf_init(key, REUSE_KEY_BYTES_MAX);
    sbuf_addf(key, "%.*s %s %" PRId64 " %" PRId64 "\n", STR_ARG(c->model->full_name),
              c->model->wire->type, c->request.nth, c->request.owner);
    sbuf_add(key, sbuf_str(&c->body));
}

bool llm_reuse_get(struct llm_call *c, struct call_answer *ret) {
    const struct llm_cache *cache = llm_reuse_of(c);
    struct sbuf key;
    if (cache == NULL) {
        return false;
    }
    llm_reuse_key(c, &key);
    bool found = !sbuf_overflowed(&key) &&
                 cache->get(cache->ctx, sbuf_str(&key), c->request.job, &c->body, ret);
    sbuf_release(&key);
    if (found) {
        ret->model = c->model->full_name;
    }
    return found;
}

void llm_reuse_put(struct llm_call *c, const struct call_answer *answer) {
    const struct llm_cache *cache = llm_reuse_of(c);
    struct sbuf key;
    if (cache == NULL || answer->text.n == 0) {
        return; /* nobody wants to have nothing again */
    }
    llm_reuse_key(c, &key);
    if (!sbuf_overflowed(&key)) {
        cache->put(cache->ctx, sbuf_str(&key), c->request.job, answer);
    }
    sbuf_release(&key);
}
