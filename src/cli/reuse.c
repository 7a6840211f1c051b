#include "cli/reuse.h"

static bool reuse_get(void *ctx, struct str request, struct str job, struct sbuf *ret_text,
                      struct call_answer *ret) {
    return cache_get(ctx, request, job, ret_text, ret);
}

static void reuse_put(void *ctx, struct str request, struct str job,
                      const struct call_answer *answer) {
    cache_put(ctx, request, job, answer);
}

enum err reuse_open(struct reuse *r, const char *path, bool engineer, struct llm_config *llm,
                    struct errinfo *reterr) {
    *r = (struct reuse){.cache = NULL};
    enum err e = path == NULL ? ERR_OK : cache_open(path, &r->cache, reterr);
    if (r->cache != NULL) {
        r->face = (struct llm_cache){
            .ctx = r->cache,
            .get = reuse_get,
            .put = reuse_put,
            .roles = {[ROLE_ENGINEER] = engineer, [ROLE_CHECKER] = true, [ROLE_TARGET] = true}};
        llm->cache = &r->face;
    }
    return e;
}

enum err reuse_close(struct reuse *r, struct errinfo *reterr) {
    return r->cache == NULL ? ERR_OK : cache_close(r->cache, reterr);
}
