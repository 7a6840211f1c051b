/* reuse.h - the cache of paid answers of a command (--cache), between the store that keeps it and
 * the LLM client that asks it. */
#ifndef STUMPER_CLI_REUSE_H
#define STUMPER_CLI_REUSE_H

#include "llm/llm.h"
#include "store/cache.h"

struct reuse {
    struct cache *cache; /* NULL: none */
    struct llm_cache face;
};

/**
 * Open the cache at @path, and let @llm ask it, for the engineer's calls only if @engineer. Nothing
 * happens when @path is NULL. Errors as of cache_open().
 */
NODISCARD enum err reuse_open(struct reuse *r, const char *path, bool engineer,
                              struct llm_config *llm, struct errinfo *reterr);

/** When no client of @llm is left: as of cache_close(). */
NODISCARD enum err reuse_close(struct reuse *r, struct errinfo *reterr);

#endif
