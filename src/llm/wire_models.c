/* What models refuse, by their names: the providers' documentation and SDKs, November 2026. What
 * is missing here is learned from the first 400. */
#include "llm/wire.h"

#include <string.h>

/* The model's own name: "openai/gpt-5" of a router, "accounts/fireworks/models/x". */
static struct str wire_bare_name(struct str model) {
    size_t slash = str_rfind(model, S("/"));
    return slash == STR_NPOS ? model : str_skip(model, slash + 1);
}

/* The number that @name has behind @prefix; -1 if it is not called so. */
static int64_t wire_generation(struct str name, struct str prefix) {
    size_t n = 0;
    int64_t generation;
    struct str rest = str_skip(name, prefix.n);
    while (n < rest.n && rest.p[n] >= '0' && rest.p[n] <= '9') {
        n++;
    }
    return str_starts(name, prefix) && str_to_i64(str_take(rest, n), &generation) ? generation : -1;
}

/* OpenAI's reasoning models: o1 and up, gpt-5 and up but for the chat ones (the rule of
 * @ai-sdk/openai 3.0). Without effort those before gpt-6 take sampling parameters. */
static unsigned wire_openai_quirks(struct str name, const char *effort) {
    int64_t gpt = wire_generation(name, S("gpt-"));
    bool reasons =
        wire_generation(name, S("o")) >= 0 || (gpt >= 5 && str_find(name, S("-chat")) == STR_NPOS);
    bool plain = effort != NULL && strcmp(effort, "none") == 0 && gpt == 5;
    return !reasons ? 0 : plain ? WIRE_DEVELOPER : WIRE_DEVELOPER | WIRE_NO_SAMPLING;
}

static bool wire_has_any(struct str name, const char *const *parts) {
    bool found = false;
    for (; *parts != NULL; parts++) {
        found = found || str_find(name, str_of(*parts)) != STR_NPOS;
    }
    return found;
}

static unsigned wire_claude_quirks(struct str name) {
    static const char *const no_sampling[] = {"opus-4-7",  "opus-4-8", "opus-5", "sonnet-5",
                                              "haiku-5-5", "fable-5",  NULL};
    static const char *const no_budget[] = {"-5-5", "fable-5", "sonnet-5", NULL};
    return (wire_has_any(name, no_sampling) ? WIRE_NO_SAMPLING : 0u) |
           (wire_has_any(name, no_budget) ? WIRE_NO_BUDGET : 0u);
}

unsigned wire_model_quirks(const struct llm_provider *p, const struct llm_manner *manner,
                           struct str model) {
    struct str name = wire_bare_name(model);
    unsigned quirks = p->legacy_max_tokens ? WIRE_OLD_CAP : 0u;
    if (p->dialect == LLM_DIALECT_DEEPSEEK) {
        quirks |= WIRE_NO_SCHEMA;
    }
    if (str_starts(name, S("claude-"))) {
        return quirks | wire_claude_quirks(name);
    }
    return quirks | wire_openai_quirks(name, manner->effort);
}
