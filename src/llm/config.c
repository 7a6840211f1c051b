/* Providers: a table of those that people have, moved by their own SDKs' variables, overridden
 * member by member from stumper.yaml. Keys are read here and nowhere else, and registered for
 * redaction at once. */
#include "base/log.h"
#include "llm/llm.h"
#include "llm/wire.h"

#include <string.h>

#define LLM_CONFIG_HEADERS_MAX 16
#define LLM_CONFIG_TEXT_BYTES_MAX 4096

static const struct llm_builtin {
    struct llm_provider provider;
    const char *base_url_env;
} llm_builtins[] = {
    {{.name = "openai", .base_url = "https://api.openai.com/v1", .key_env = "OPENAI_API_KEY"},
     "OPENAI_BASE_URL"},
    {{.name = "deepseek",
      .base_url = "https://api.deepseek.com",
      .key_env = "DEEPSEEK_API_KEY",
      .legacy_max_tokens = true},
     "DEEPSEEK_BASE_URL"},
    {{.name = "openrouter",
      .base_url = "https://openrouter.ai/api/v1",
      .key_env = "OPENROUTER_API_KEY"},
     "OPENROUTER_BASE_URL"},
    {{.name = "together",
      .base_url = "https://api.together.xyz/v1",
      .key_env = "TOGETHER_API_KEY",
      .legacy_max_tokens = true},
     "TOGETHER_BASE_URL"},
    {{.name = "groq", .base_url = "https://api.groq.com/openai/v1", .key_env = "GROQ_API_KEY"},
     "GROQ_BASE_URL"},
    {{.name = "mistral",
      .base_url = "https://api.mistral.ai/v1",
      .key_env = "MISTRAL_API_KEY",
      .legacy_max_tokens = true},
     "MISTRAL_BASE_URL"},
    {{.name = "xai", .base_url = "https://api.x.ai/v1", .key_env = "XAI_API_KEY"}, "XAI_BASE_URL"},
    {{.name = "fireworks",
      .base_url = "https://api.fireworks.ai/inference/v1",
      .key_env = "FIREWORKS_API_KEY",
      .legacy_max_tokens = true},
     "FIREWORKS_BASE_URL"},
    {{.name = "ollama", .base_url = "http://127.0.0.1:11434/v1", .legacy_max_tokens = true},
     "OLLAMA_HOST"},
    {{.name = "vllm", .base_url = "http://127.0.0.1:8000/v1", .legacy_max_tokens = true},
     "VLLM_BASE_URL"},
    {{.name = "lmstudio", .base_url = "http://127.0.0.1:1234/v1", .legacy_max_tokens = true},
     "LMSTUDIO_BASE_URL"},
    {{.name = "llamacpp", .base_url = "http://127.0.0.1:8080/v1", .legacy_max_tokens = true},
     "LLAMACPP_BASE_URL"},
};

void llm_config_init(struct llm_config *c) {
    *c = (struct llm_config){.in_flight_max = 1000,
                             .connect_ms = 10000,
                             .first_byte_ms = 600000,
                             .total_ms = 900000,
                             .tries_max = 6,
                             .retry_wait_ms_max = 600000};
}

const struct llm_provider *llm_config_find(const struct llm_config *c, struct str name) {
    for (size_t i = 0; i < c->providers_n; i++) {
        if (str_eq(str_of(c->providers[i].name), name)) {
            return &c->providers[i];
        }
    }
    return NULL;
}

/* A base URL as people write it ("127.0.0.1:11434", "https://…/v1/") as we use it. */
static const char *llm_config_url(const char *text, bool is_ollama_host, struct arena *a) {
    struct str url = str_trim(str_of(text));
    while (str_ends(url, S("/"))) {
        url.n--;
    }
    if (is_ollama_host && str_find(url, S("://")) == STR_NPOS) {
        url = str_fmt(a, "http://%.*s", STR_ARG(url));
    }
    if (is_ollama_host && !str_ends(url, S("/v1"))) {
        url = str_fmt(a, "%.*s/v1", STR_ARG(url));
    }
    return str_cstr(a, url);
}

static const char *llm_config_env(const char *(*getenv_fn)(const char *name), const char *name) {
    const char *value = name == NULL ? NULL : getenv_fn(name);
    return value == NULL || value[0] == '\0' ? NULL : value;
}

static void llm_config_add_builtins(struct llm_config *c,
                                    const char *(*getenv_fn)(const char *name), struct arena *a) {
    for (size_t i = 0; i < ARRAY_LEN(llm_builtins); i++) {
        const struct llm_builtin *b = &llm_builtins[i];
        struct llm_provider *p = &c->providers[c->providers_n++];
        const char *moved = llm_config_env(getenv_fn, b->base_url_env);
        *p = b->provider;
        p->type = "openai-chat";
        if (moved != NULL) {
            p->base_url = llm_config_url(moved, strcmp(b->base_url_env, "OLLAMA_HOST") == 0, a);
        }
    }
}

static void llm_config_headers(struct jcheck *check, struct jplace provider, struct llm_provider *p,
                               struct arena *a) {
    struct jplace place = jcheck_member(check, provider, "headers");
    if (!jcheck_is(check, place, JNODE_OBJECT, false)) {
        return;
    }
    if (jnode_len(place.node) > LLM_CONFIG_HEADERS_MAX) {
        jcheck_fail(check, place.pointer, "has more than %d headers", LLM_CONFIG_HEADERS_MAX);
        return;
    }
    const char **headers = ARENA_ARRAY(a, const char *, jnode_len(place.node) + 1);
    struct str name;
    const struct jnode *value;
    size_t n = 0;
    for (void *at = jnode_next(place.node, NULL, &name, &value); at != NULL;
         at = jnode_next(place.node, at, &name, &value)) {
        struct str text = jnode_str(value);
        if (text.n == 0 || str_find_char(text, '\n') != STR_NPOS ||
            str_find_char(text, '\r') != STR_NPOS || str_find_char(name, ':') != STR_NPOS) {
            jcheck_fail(check, place.pointer, "header %.*s must be a one-line string",
                        STR_ARG(name));
            continue;
        }
        headers[n++] = str_fmt(a, "%.*s: %.*s", STR_ARG(name), STR_ARG(text)).p;
        log_add_secret(text); /* people put keys there */
    }
    p->headers = headers;
}

static void llm_config_read(struct jcheck *check, struct jplace place, struct llm_provider *p,
                            struct arena *a) {
    static const char *const known[] = {"type", "base_url", "api_key_env", "headers", NULL};
    if (!jcheck_is(check, place, JNODE_OBJECT, true)) {
        return;
    }
    if (jnode_get(place.node, "api_key") != NULL) {
        jcheck_fail(check, place.pointer,
                    "keys do not belong into a file: put it into a variable and name that in "
                    "api_key_env");
        return;
    }
    jcheck_known(check, place, known);
    struct str type = jcheck_str(check, place, "type", LLM_CONFIG_TEXT_BYTES_MAX);
    struct str url = jcheck_str(check, place, "base_url", LLM_CONFIG_TEXT_BYTES_MAX);
    struct str key_env = jcheck_str(check, place, "api_key_env", LLM_CONFIG_TEXT_BYTES_MAX);
    if (type.n > 0 && wire_find(type.p) == NULL) {
        jcheck_fail(check, jcheck_member(check, place, "type").pointer,
                    "'%.*s' is not a wire format of this version; there is openai-chat",
                    STR_ARG(type));
    }
    if (url.n > 0 && !str_starts(url, S("http://")) && !str_starts(url, S("https://"))) {
        jcheck_fail(check, jcheck_member(check, place, "base_url").pointer,
                    "must begin with http:// or https://");
    }
    p->type = type.n > 0 ? type.p : p->type;
    p->base_url = url.n > 0 ? llm_config_url(url.p, false, a) : p->base_url;
    p->key_env = key_env.n > 0 ? key_env.p : p->key_env;
    llm_config_headers(check, place, p, a);
    if (p->base_url == NULL) {
        jcheck_fail(check, place.pointer, "needs a base_url, such as http://127.0.0.1:8000/v1");
    }
}

static struct llm_provider *llm_config_slot(struct llm_config *c, struct str name,
                                            struct arena *a) {
    for (size_t i = 0; i < c->providers_n; i++) {
        if (str_eq(str_of(c->providers[i].name), name)) {
            return &c->providers[i];
        }
    }
    if (c->providers_n == LLM_PROVIDERS_MAX) {
        return NULL;
    }
    struct llm_provider *p = &c->providers[c->providers_n++];
    *p = (struct llm_provider){
        .name = str_cstr(a, name), .type = "openai-chat", .legacy_max_tokens = true};
    return p;
}

void llm_config_providers(struct llm_config *c, const struct jnode *yaml, struct jcheck *check,
                          const char *(*getenv_fn)(const char *name), struct arena *a) {
    struct jplace root = {.node = yaml, .pointer = "/providers"};
    struct str name;
    const struct jnode *value;
    llm_config_add_builtins(c, getenv_fn, a);
    if (jcheck_is(check, root, JNODE_OBJECT, false)) {
        for (void *at = jnode_next(yaml, NULL, &name, &value); at != NULL;
             at = jnode_next(yaml, at, &name, &value)) {
            struct llm_provider *p = llm_config_slot(c, name, a);
            if (p == NULL) {
                jcheck_fail(check, root.pointer, "has more than %d providers", LLM_PROVIDERS_MAX);
                break;
            }
            llm_config_read(check, jcheck_member(check, root, p->name), p, a);
        }
    }
    for (size_t i = 0; i < c->providers_n; i++) {
        struct llm_provider *p = &c->providers[i];
        p->key = llm_config_env(getenv_fn, p->key_env);
        log_add_secret(str_of(p->key));
    }
}
