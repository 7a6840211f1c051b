/* What stumper.yaml says to the LLM client. */
#include "cli/config.h"

enum err config_providers(const struct config *config, struct arena *a, struct llm_config *llm,
                          struct errinfo *reterr) {
    struct jcheck check;
    jcheck_init(&check, a);
    llm_config_providers(llm, jnode_get(config->root, "providers"), &check, cmd_getenv, a);
    if (check.n > 0) {
        return errinfo_set(reterr, ERR_INVALID, "%s: %s", config->path, jcheck_text(&check, a).p);
    }
    return ERR_OK;
}
