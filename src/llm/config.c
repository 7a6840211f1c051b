/* Providers: a table of those that people have, moved by their own SDKs' variables, overridden
 * member by member from stumper.yaml. Keys are read here and nowhere else, and registered for
 * redaction at once. */
#include "base/log.h"
#include "llm/llm.h"
#include "llm/provider.h"

#include <string.h>

void llm_config_init(struct llm_config *c) {
    *c = (struct llm_config){.in_flight_max = 1000,
                             .connect_ms = 10000,
                             .first_byte_ms = 600000,
                             .total_ms = 900000,
                             .idle_ms = 180000,
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

bool llm_provider_lacks_key(const struct llm_provider *p) {
    return p->key_env != NULL && p->keys_n == 0 && !p->key_optional;
}

const struct llm_alias *llm_alias_find(const struct llm_provider *p, struct str name) {
    for (size_t i = 0; i < p->aliases_n; i++) {
        if (str_eq(str_of(p->aliases[i].name), name)) {
            return &p->aliases[i];
        }
    }
    return NULL;
}

const struct price *llm_config_price(const struct llm_config *c, const struct model_name *name) {
    const struct llm_provider *p = llm_config_find(c, name->provider);
    const struct llm_alias *alias = p == NULL ? NULL : llm_alias_find(p, name->model);
    const struct price *price =
        c->prices == NULL ? NULL : price_find(c->prices, name->provider, name->model);
    return price != NULL || c->prices == NULL || alias == NULL
               ? price
               : price_find(c->prices, name->provider, str_of(alias->model));
}

/* OLLAMA_HOST as Ollama reads it: "192.168.1.5", ":8080", "host:8080", "https://host/path"; the
 * address to listen at (0.0.0.0) is not one to connect to. */
static struct str llm_config_ollama_url(struct str text, struct arena *a) {
    struct str rest = llm_url_trim(text), scheme = S("http");
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

static const char *llm_config_env(const char *(*getenv_fn)(const char *name), const char *name) {
    const char *value = name == NULL ? NULL : getenv_fn(name);
    return value == NULL || value[0] == '\0' ? NULL : value;
}

static void llm_config_move(struct llm_provider *p, const char *env, const char *value,
                            struct jcheck *check, struct arena *a) {
    struct str url = strcmp(env, LLM_OLLAMA_HOST) == 0 ? llm_config_ollama_url(str_of(value), a)
                                                       : llm_url_trim(str_of(value));
    const char *fault = llm_url_fault(url);
    if (fault == NULL) {
        p->base_url = str_cstr(a, url);
    } else {
        jcheck_fail(check, str_fmt(a, "/providers/%s/base_url", p->name).p, "the variable %s %s",
                    env, fault);
    }
}

/* Headers that a provider's own SDK takes from variables: some by name, and lines "Name: value". */
static void llm_config_env_headers(struct llm_provider *p, const struct llm_preset *preset,
                                   struct jcheck *check, const char *(*getenv_fn)(const char *name),
                                   struct arena *a) {
    const char *pointer = str_fmt(a, "/providers/%s/headers", p->name).p;
    for (size_t i = 0; i < LLM_PRESET_HEADERS_MAX && preset->headers[i].env != NULL; i++) {
        const char *value = llm_config_env(getenv_fn, preset->headers[i].env);
        if (value != NULL) {
            llm_provider_add_header(check, pointer, p, str_of(preset->headers[i].name),
                                    str_of(value), a);
        }
    }
    struct str lines = str_of(llm_config_env(getenv_fn, preset->headers_env));
    while (lines.n > 0) {
        struct str value = str_split(&lines, '\n'), name = str_trim(str_split(&value, ':'));
        if (name.n > 0) {
            llm_provider_add_header(check, pointer, p, name, value, a);
        }
    }
}

static void llm_config_add_presets(struct llm_config *c, struct jcheck *check,
                                   const char *(*getenv_fn)(const char *name), struct arena *a) {
    for (size_t i = 0; i < llm_presets_n; i++) {
        const struct llm_preset *preset = &llm_presets[i];
        struct llm_provider *p = &c->providers[c->providers_n++];
        const char *moved = llm_config_env(getenv_fn, preset->base_url_env);
        *p = preset->provider;
        if (moved != NULL) {
            llm_config_move(p, preset->base_url_env, moved, check, a);
        }
        llm_config_env_headers(p, preset, check, getenv_fn, a);
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
        llm_provider_read(check, jcheck_member(check, root, p->name), p, a);
    }
}

/* The value of a key's variable; NULL if it is unset. Files that hold a key end with a line break,
 * and so do variables read from them. */
static const char *llm_config_key_value(const struct llm_provider *p, const char *env,
                                        const char *(*getenv_fn)(const char *name),
                                        struct jcheck *check, struct arena *a) {
    struct str key = str_trim(str_of(llm_config_env(getenv_fn, env)));
    bool printable = true;
    for (size_t i = 0; i < key.n; i++) {
        printable = printable && key.p[i] > ' ' && key.p[i] <= '~';
    }
    log_add_secret(key);
    if (!printable) {
        jcheck_fail(check, str_fmt(a, "/providers/%s/api_key_env", p->name).p,
                    "the variable %s holds characters that no key has", env);
        return NULL;
    }
    return key.n > 0 ? str_cstr(a, key) : NULL;
}

/* Keep of the keys those whose variables are set: the first alone where they are alternatives. */
static void llm_config_fetch_keys(struct llm_provider *p, const char *(*getenv_fn)(const char *),
                                  struct jcheck *check, struct arena *a) {
    size_t named_n = p->keys_n;
    p->keys_n = 0;
    for (size_t i = 0; i < named_n; i++) {
        struct llm_key key = p->keys[i];
        key.value = llm_config_key_value(p, key.env, getenv_fn, check, a);
        p->key_env = p->key_env == NULL ? key.env : str_fmt(a, "%s or %s", p->key_env, key.env).p;
        if (key.value != NULL && !(p->key_choice && p->keys_n > 0)) {
            limit_set_inherit(&key.limits, &p->limits);
            p->keys[p->keys_n++] = key;
        }
    }
}

void llm_config_providers(struct llm_config *c, const struct jnode *yaml, struct jcheck *check,
                          const char *(*getenv_fn)(const char *name), struct arena *a) {
    struct jplace root = {.node = yaml, .pointer = "/providers"};
    llm_config_add_presets(c, check, getenv_fn, a);
    if (jcheck_is(check, root, JNODE_OBJECT, false)) {
        llm_config_read_all(c, check, root, a);
    }
    for (size_t i = 0; i < c->providers_n; i++) {
        llm_config_fetch_keys(&c->providers[i], getenv_fn, check, a);
    }
}
