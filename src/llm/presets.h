/* presets.h - the providers that people have, inside the LLM client: where they are, which
 * variables hold their keys and move them, and what is known to be odd about them. */
#ifndef STUMPER_LLM_PRESETS_H
#define STUMPER_LLM_PRESETS_H

#include "llm/llm.h"

#define LLM_OLLAMA_HOST                                                                            \
    "OLLAMA_HOST" /* its own client's variable: a host, perhaps with a port; not a URL */

struct llm_preset {
    struct llm_provider provider; /* keys: variables without values; the first that is set wins */
    const char *base_url_env;
};

extern const struct llm_preset llm_presets[];
extern const size_t llm_presets_n;

#endif
