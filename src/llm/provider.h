/* provider.h - inside the LLM client: where providers come from. A table of those that people have,
 * and what stumper.yaml says over it. */
#ifndef STUMPER_LLM_PROVIDER_H
#define STUMPER_LLM_PROVIDER_H

#include "llm/llm.h"

/* Its own client's variable: a host, perhaps with a port; not a URL. */
#define LLM_OLLAMA_HOST "OLLAMA_HOST"

#define LLM_PRESET_HEADERS_MAX 2

/* Where it is, which variables hold its keys and move it, what is known to be odd about it. */
struct llm_preset {
    struct llm_provider provider; /* keys: variables without values; the first that is set wins */
    const char *base_url_env;
    const char *headers_env; /* a variable with lines "Name: value"; or NULL */
    struct {
        const char *env, *name;
    } headers[LLM_PRESET_HEADERS_MAX]; /* variables that become headers */
};

extern const struct llm_preset llm_presets[];
extern const size_t llm_presets_n;

/** Read one provider's mapping over what is in *@p. Errors go to @check. */
void llm_provider_read(struct jcheck *check, struct jplace place, struct llm_provider *p,
                       struct arena *a);

/** Add a header and register its value as a secret; what is wrong with it goes to @check, at
 * @pointer. */
void llm_provider_add_header(struct jcheck *check, const char *pointer, struct llm_provider *p,
                             struct str name, struct str value, struct arena *a);

/** A base URL as people write it, without white space and the slash at its end. */
struct str llm_url_trim(struct str text);

/** What is wrong with a trimmed base URL, as a sentence without its subject that shows nothing of
 * it; NULL if nothing is. */
const char *llm_url_fault(struct str url);

#endif
