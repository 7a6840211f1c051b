/* Providers: a table of those that people have, moved by their own SDKs' variables, overridden
 * member by member from stumper.yaml. Keys are read here and nowhere else, and registered for
 * redaction at once. */
#include "base/log.h"
#include "llm/llm.h"
#include "llm/wire.h"

#include <string.h>

#define LLM_CONFIG_HEADERS_MAX 16
#define LLM_CONFIG_TEXT_BYTES_MAX 4096

#define OLLAMA_HOST                                                                                \
    "OLLAMA_HOST" /* the variable of its own client: a host, perhaps with a port                   \
                   */

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
    {{.name = "ollama",
      .base_url = "http://127.0.0.1:11434/v1",
      .key_env = "OLLAMA_API_KEY",
      .key_optional = true,
      .legacy_max_tokens = true},
     OLLAMA_HOST},
    {{.name = "vllm",
      .base_url = "http://127.0.0.1:8000/v1",
      .key_env = "VLLM_API_KEY",
      .key_optional = true,
      .legacy_max_tokens = true},
     "VLLM_BASE_URL"},
    {{.name = "lmstudio",
      .base_url = "http://127.0.0.1:1234/v1",
      .key_env = "LMSTUDIO_API_KEY",
      .key_optional = true,
      .legacy_max_tokens = true},
     "LMSTUDIO_BASE_URL"},
    {{.name = "llamacpp",
      .base_url = "http://127.0.0.1:8080/v1",
      .key_env = "LLAMA_API_KEY",
      .key_optional = true,
      .legacy_max_tokens = true},
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

/* A base URL as people write it, without the slash at its end. */
static struct str llm_config_url(struct str text) {
    struct str url = str_trim(text);
    while (str_ends(url, S("/"))) {
        url.n--;
    }
    return url;
}

/* OLLAMA_HOST as Ollama reads it: "192.168.1.5", ":8080", "host:8080", "https://host/path"; the
 * address to listen at (0.0.0.0) is not one to connect to. */
static struct str llm_config_ollama_url(struct str text, struct arena *a) {
    struct str rest = llm_config_url(text), scheme = S("http");
    bool told = str_find(rest, S("://")) != STR_NPOS;
    if (told) {
        scheme = str_split(&rest, ':');
        rest = str_skip(rest, 2);
    }
    size_t slash = str_find_char(rest, '/');
    struct str path = slash == STR_NPOS ? S("/v1") : str_skip(rest, slash);
    struct str host = str_take(rest, slash == STR_NPOS ? rest.n : slash);
    size_t colon = str_rfind(host, S(":"));
    bool has_port = colon != STR_NPOS && !str_ends(host, S("]"));
    struct str port = has_port ? str_skip(host, colon) : told ? S("") : S(":11434");
    host = str_take(host, has_port ? colon : host.n);
    if (host.n == 0 || str_eq(host, S("0.0.0.0")) || str_eq(host, S("[::]"))) {
        host = S("127.0.0.1");
    }
    return str_fmt(a, "%.*s://%.*s%.*s%.*s", STR_ARG(scheme), STR_ARG(host), STR_ARG(port),
                   STR_ARG(path));
}

static bool llm_config_url_is_right(struct str url) {
    bool plain = true;
    for (size_t i = 0; i < url.n; i++) {
        plain = plain && (unsigned char)url.p[i] > ' ';
    }
    return plain && (str_starts(url, S("http://")) || str_starts(url, S("https://")));
}

static const char *llm_config_env(const char *(*getenv_fn)(const char *name), const char *name) {
    const char *value = name == NULL ? NULL : getenv_fn(name);
    return value == NULL || value[0] == '\0' ? NULL : value;
}

static void llm_config_move(struct llm_provider *p, const char *env, const char *value,
                            struct jcheck *check, struct arena *a) {
    struct str url = strcmp(env, OLLAMA_HOST) == 0 ? llm_config_ollama_url(str_of(value), a)
                                                   : llm_config_url(str_of(value));
    if (llm_config_url_is_right(url)) {
        p->base_url = str_cstr(a, url);
    } else {
        jcheck_fail(check, str_fmt(a, "/providers/%s/base_url", p->name).p,
                    "the variable %s must begin with http:// or https://", env);
    }
}

static void llm_config_add_builtins(struct llm_config *c, struct jcheck *check,
                                    const char *(*getenv_fn)(const char *name), struct arena *a) {
    for (size_t i = 0; i < ARRAY_LEN(llm_builtins); i++) {
        const struct llm_builtin *b = &llm_builtins[i];
        struct llm_provider *p = &c->providers[c->providers_n++];
        const char *moved = llm_config_env(getenv_fn, b->base_url_env);
        *p = b->provider;
        p->type = "openai-chat";
        if (moved != NULL) {
            llm_config_move(p, b->base_url_env, moved, check, a);
        }
    }
}

static bool llm_config_is_header(struct str name, struct str value) {
    bool right = name.n > 0 && value.n > 0 && str_find_char(name, ':') == STR_NPOS;
    for (size_t i = 0; i < name.n; i++) {
        right = right && name.p[i] > ' ' && name.p[i] <= '~';
    }
    for (size_t i = 0; i < value.n; i++) {
        right = right && (unsigned char)value.p[i] >= ' ';
    }
    return right;
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
        struct str text = str_trim(jnode_str(value));
        if (!llm_config_is_header(name, text)) {
            jcheck_fail(check, place.pointer, "%.*s is not a header with a one-line string",
                        STR_ARG(name));
            continue;
        }
        headers[n++] = str_fmt(a, "%.*s: %.*s", STR_ARG(name), STR_ARG(text)).p;
        log_add_secret(text); /* people put keys there, "Bearer KEY" among them */
        if (str_eq_nocase(name, S("Authorization")) && str_find_char(text, ' ') != STR_NPOS) {
            log_add_secret(str_trim(str_skip(text, str_find_char(text, ' '))));
        }
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
    if (url.n > 0 && !llm_config_url_is_right(str_trim(url))) {
        jcheck_fail(check, jcheck_member(check, place, "base_url").pointer,
                    "must begin with http:// or https://");
    }
    p->type = type.n > 0 ? type.p : p->type;
    p->base_url = url.n > 0 ? str_cstr(a, llm_config_url(url)) : p->base_url;
    if (key_env.n > 0) {
        p->key_env = key_env.p;
        p->key_optional = false; /* whoever names a variable wants its key sent */
    }
    llm_config_headers(check, place, p, a);
    if (p->base_url == NULL) {
        jcheck_fail(check, place.pointer, "needs a base_url, such as http://127.0.0.1:8000/v1");
    }
}

/* As in "provider/model": [a-z0-9][a-z0-9_-]*. */
static bool llm_config_name_is_right(struct str name) {
    bool right = name.n > 0 && name.p[0] != '-' && name.p[0] != '_';
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        right = right && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-');
    }
    return right;
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

static void llm_config_read_all(struct llm_config *c, struct jcheck *check, struct jplace root,
                                struct arena *a) {
    struct str name;
    const struct jnode *value;
    for (void *at = jnode_next(root.node, NULL, &name, &value); at != NULL;
         at = jnode_next(root.node, at, &name, &value)) {
        if (!llm_config_name_is_right(name)) {
            jcheck_fail(check, root.pointer,
                        "'%.*s' cannot be a provider's name: small letters, digits, - and _ can",
                        STR_ARG(name));
            continue;
        }
        struct llm_provider *p = llm_config_slot(c, name, a);
        if (p == NULL) {
            jcheck_fail(check, root.pointer, "has more than %d providers with the built-in ones",
                        LLM_PROVIDERS_MAX);
            break;
        }
        llm_config_read(check, jcheck_member(check, root, p->name), p, a);
    }
}

/* Files that hold a key end with a line break, and so do variables read from them. */
static void llm_config_key(struct llm_provider *p, const char *(*getenv_fn)(const char *name),
                           struct jcheck *check, struct arena *a) {
    const char *value = llm_config_env(getenv_fn, p->key_env);
    struct str key = str_trim(str_of(value));
    bool printable = true;
    for (size_t i = 0; i < key.n; i++) {
        printable = printable && key.p[i] > ' ' && key.p[i] <= '~';
    }
    log_add_secret(key);
    if (!printable) {
        jcheck_fail(check, str_fmt(a, "/providers/%s/api_key_env", p->name).p,
                    "the variable %s holds characters that no key has", p->key_env);
        return;
    }
    p->key = key.n > 0 ? str_cstr(a, key) : NULL;
}

void llm_config_providers(struct llm_config *c, const struct jnode *yaml, struct jcheck *check,
                          const char *(*getenv_fn)(const char *name), struct arena *a) {
    struct jplace root = {.node = yaml, .pointer = "/providers"};
    llm_config_add_builtins(c, check, getenv_fn, a);
    if (jcheck_is(check, root, JNODE_OBJECT, false)) {
        llm_config_read_all(c, check, root, a);
    }
    for (size_t i = 0; i < c->providers_n; i++) {
        llm_config_key(&c->providers[i], getenv_fn, check, a);
    }
}
