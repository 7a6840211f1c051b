/* One provider of stumper.yaml. */
#include "base/log.h"
#include "llm/provider.h"
#include "llm/wire.h"

#include <string.h>

#define PROVIDER_HEADERS_MAX 16
#define PROVIDER_TEXT_BYTES_MAX 4096
#define PROVIDER_TOKENS_MAX 10000000

/* A base URL as people write it, without the slash at its end. */
struct str llm_url_trim(struct str text) {
    struct str url = str_trim(text);
    while (str_ends(url, S("/"))) {
        url.n--;
    }
    return url;
}

/* Whose path is that of an operation, which a format adds itself? */
static bool provider_url_is_operation(struct str url) {
    static const char *const paths[] = {"/completions", "/responses",       "/messages",
                                        "/embeddings",  ":generateContent", "/models"};
    bool found = false;
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        found = found || str_ends(url, str_of(paths[i]));
    }
    return found;
}

const char *llm_url_fault(struct str url) {
    bool tls = str_starts(url, S("https://"));
    if (!tls && !str_starts(url, S("http://"))) {
        return "must begin with http:// or https://";
    }
    struct str rest = str_skip(url, strlen(tls ? "https://" : "http://"));
    struct str host = str_take(rest, MIN(str_find_char(rest, '/'), rest.n));
    bool plain = host.n > 0;
    for (size_t i = 0; i < url.n; i++) {
        plain = plain && (unsigned char)url.p[i] > ' ' && url.p[i] != '?' && url.p[i] != '#';
    }
    return !plain ? "must be a host and a path, without blanks and without ? or #"
           : str_find_char(host, '@') != STR_NPOS
               ? "must not hold a password: say it in headers, as Authorization: Basic …"
           : provider_url_is_operation(url)
               ? "must end before the path of the operation, as https://HOST/v1 does"
               : NULL;
}

static bool provider_is_header(struct str name, struct str value) {
    bool right = name.n > 0 && value.n > 0 && str_find_char(name, ':') == STR_NPOS;
    for (size_t i = 0; i < name.n; i++) {
        right = right && name.p[i] > ' ' && name.p[i] <= '~';
    }
    for (size_t i = 0; i < value.n; i++) {
        right = right && (unsigned char)value.p[i] >= ' ';
    }
    return right;
}

void llm_provider_add_header(struct jcheck *check, const char *pointer, struct llm_provider *p,
                             struct str name, struct str value, struct arena *a) {
    struct str text = str_trim(value);
    size_t n = 0;
    if (!provider_is_header(name, text)) {
        jcheck_fail(check, pointer,
                    "%.*s is not a header's name with a one-line string (quote "
                    "numbers)",
                    STR_ARG(str_take_utf8(name, 60)));
        return;
    }
    while (p->headers != NULL && p->headers[n] != NULL) {
        n++;
    }
    if (n == PROVIDER_HEADERS_MAX) {
        jcheck_fail(check, pointer, "has more than %d headers", PROVIDER_HEADERS_MAX);
        return;
    }
    const char **headers = ARENA_ARRAY(a, const char *, n + 2);
    for (size_t i = 0; i < n; i++) {
        headers[i] = p->headers[i];
    }
    headers[n] = str_fmt(a, "%.*s: %.*s", STR_ARG(name), STR_ARG(text)).p;
    p->headers = headers;
    log_add_secret(text); /* people put keys there, "Bearer KEY" among them */
    if (str_eq_nocase(name, S("Authorization")) && str_find_char(text, ' ') != STR_NPOS) {
        log_add_secret(str_trim(str_skip(text, str_find_char(text, ' '))));
    }
}

static void provider_headers(struct jcheck *check, struct jplace provider, struct llm_provider *p,
                             struct arena *a) {
    struct jplace place = jcheck_member(check, provider, "headers");
    struct str name;
    const struct jnode *value;
    if (!jcheck_is(check, place, JNODE_OBJECT, false)) {
        return;
    }
    for (void *at = jnode_next(place.node, NULL, &name, &value); at != NULL;
         at = jnode_next(place.node, at, &name, &value)) {
        llm_provider_add_header(check, place.pointer, p, name, jnode_str(value), a);
    }
}

static void provider_limits(struct jcheck *check, struct jplace place, struct limit_set *ret) {
    static const char *const known[] = {[LIMIT_REQUESTS] = "rpm",
                                        [LIMIT_TOKENS] = "tpm",
                                        [LIMIT_INPUT] = "input_tpm",
                                        [LIMIT_FRESH] = "uncached_input_tpm",
                                        [LIMIT_OUTPUT] = "output_tpm",
                                        "concurrency",
                                        NULL};
    if (!jcheck_is(check, place, JNODE_OBJECT, false)) {
        return;
    }
    jcheck_known(check, place, known);
    for (int k = 0; k < LIMIT_KINDS; k++) {
        ret->per_minute[k] =
            jcheck_int(check, place, known[k], 1, LIMIT_SET_MAX, ret->per_minute[k]);
    }
    ret->in_flight = jcheck_int(check, place, "concurrency", 1, LIMIT_SET_MAX, ret->in_flight);
}

#define PROVIDER_VARIABLE_BYTES_MAX 24 /* with small letters and digits: keys are longer */

/* Is it how variables are called, and not a key itself? */
static bool provider_is_variable(struct str name) {
    bool right = name.n > 0, small = false, digits = false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool is_digit = c >= '0' && c <= '9', is_small = c >= 'a' && c <= 'z';
        right = right && (is_small || (c >= 'A' && c <= 'Z') || c == '_' || (is_digit && i > 0));
        small = small || is_small;
        digits = digits || is_digit;
    }
    return right && !(small && digits && name.n > PROVIDER_VARIABLE_BYTES_MAX);
}

/* One of the keys: the name of a variable, or {env: NAME, limits: {…}}. */
static void provider_key(struct jcheck *check, struct jplace place, struct llm_key *ret) {
    static const char *const known[] = {"env", "limits", NULL};
    *ret = (struct llm_key){.env = jnode_str(place.node).p};
    if (jnode_type(place.node) == JNODE_OBJECT) {
        jcheck_known(check, place, known);
        ret->env = jcheck_str(check, place, "env", PROVIDER_TEXT_BYTES_MAX).p;
        provider_limits(check, jcheck_member(check, place, "limits"), &ret->limits);
    }
    if (!provider_is_variable(str_of(ret->env))) {
        log_add_secret(str_of(ret->env));
        jcheck_fail(check, place.pointer,
                    "must name a variable that holds a key, such as LAB_API_KEY, not be the key");
        ret->env = "";
    }
}

/* Whoever names a variable wants its key sent. */
static void provider_keys(struct jcheck *check, struct jplace provider, struct llm_provider *p) {
    struct jplace place = jcheck_member(check, provider, "api_key_env");
    if (jnode_type(place.node) == JNODE_NONE || jnode_type(place.node) == JNODE_NULL) {
        return;
    }
    p->key_optional = false;
    p->key_choice = false;
    if (jnode_type(place.node) != JNODE_ARRAY) {
        p->keys_n = 1;
        provider_key(check, place, &p->keys[0]);
        return;
    }
    p->keys_n = jnode_len(place.node);
    if (p->keys_n == 0 || p->keys_n > LLM_KEYS_MAX) {
        jcheck_fail(check, place.pointer, "must name 1 to %d variables", LLM_KEYS_MAX);
        p->keys_n = 0;
    }
    for (size_t i = 0; i < p->keys_n; i++) {
        struct jplace one = jcheck_element(check, place, i);
        provider_key(check, one, &p->keys[i]);
        for (size_t k = 0; k < i; k++) { /* it would have its limits twice */
            if (p->keys[i].env[0] != '\0' && strcmp(p->keys[k].env, p->keys[i].env) == 0) {
                jcheck_fail(check, one.pointer, "names the same variable as another");
            }
        }
    }
}

static void provider_number(struct jcheck *check, struct jplace place, const char *key, double max,
                            struct llm_number *ret) {
    double value = jcheck_real(check, place, key, 0, max, -1);
    if (value >= 0) {
        *ret = (struct llm_number){.told = true, .value = value};
    }
}

#define PROVIDER_CAP "money is set aside by the caps that Stumper asks with"
#define PROVIDER_ONE "one answer is read"

/* What Stumper itself has to know of a request, and so is not to be overridden. */
static const struct {
    const char *parent, *name, *why;
} provider_own[] = {
    {NULL, "stream", "say stream: true or false beside extra_body"},
    {NULL, "max_tokens", PROVIDER_CAP},
    {NULL, "max_completion_tokens", PROVIDER_CAP},
    {NULL, "max_output_tokens", PROVIDER_CAP},
    {"generationConfig", "maxOutputTokens", PROVIDER_CAP},
    {NULL, "n", PROVIDER_ONE},
    {"generationConfig", "candidateCount", PROVIDER_ONE},
};

static void provider_extra_body(struct jcheck *check, struct jplace extra, struct llm_manner *ret) {
    if (!jcheck_is(check, extra, JNODE_OBJECT, false)) {
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(provider_own); i++) {
        const char *parent = provider_own[i].parent;
        struct jplace in = parent == NULL ? extra : jcheck_member(check, extra, parent);
        if (jnode_get(in.node, provider_own[i].name) != NULL) {
            jcheck_fail(check, jcheck_member(check, in, provider_own[i].name).pointer,
                        "cannot be set here: %s", provider_own[i].why);
        }
    }
    ret->extra_body = extra.node;
}

/* The members that say how to ask; what is not told stays. */
static void provider_manner(struct jcheck *check, struct jplace place, struct llm_manner *ret) {
    static const char *const efforts[] = {"none", "minimal", "low", "medium",
                                          "high", "xhigh",   "max"};
    struct str effort = jcheck_str(check, place, "effort", PROVIDER_TEXT_BYTES_MAX);
    bool known = effort.n == 0;
    for (size_t i = 0; i < ARRAY_LEN(efforts); i++) {
        if (str_eq(effort, str_of(efforts[i]))) {
            ret->effort = efforts[i];
            known = true;
        }
    }
    if (!known) {
        jcheck_fail(check, jcheck_member(check, place, "effort").pointer,
                    "must be one of none, minimal, low, medium, high, xhigh, max");
    }
    ret->thinking_tokens =
        jcheck_int(check, place, "thinking_tokens", 1, PROVIDER_TOKENS_MAX, ret->thinking_tokens);
    provider_number(check, place, "temperature", 2, &ret->temperature);
    provider_number(check, place, "top_p", 1, &ret->top_p);
    provider_extra_body(check, jcheck_member(check, place, "extra_body"), ret);
}

#define PROVIDER_MANNER_KEYS "effort", "thinking_tokens", "temperature", "top_p", "extra_body"

/* "models": another name for each, {fast: gpt-5.4-mini} or {deep: {model: gpt-6-sol, effort:
 * high}}. */
static void provider_aliases(struct jcheck *check, struct jplace provider, struct llm_provider *p,
                             struct arena *a) {
    static const char *const known[] = {"model", PROVIDER_MANNER_KEYS, NULL};
    struct jplace place = jcheck_member(check, provider, "models");
    struct str name;
    const struct jnode *value;
    if (!jcheck_is(check, place, JNODE_OBJECT, false)) {
        return;
    }
    if (jnode_len(place.node) > LLM_ALIASES_MAX) {
        jcheck_fail(check, place.pointer, "has more than %d models", LLM_ALIASES_MAX);
        return;
    }
    struct llm_alias *aliases = ARENA_ARRAY(a, struct llm_alias, jnode_len(place.node) + 1);
    p->aliases_n = 0;
    for (void *at = jnode_next(place.node, NULL, &name, &value); at != NULL;
         at = jnode_next(place.node, at, &name, &value)) {
        struct jplace one = jcheck_member(check, place, str_cstr(a, name));
        struct str model = jnode_str(value);
        struct llm_alias *alias = &aliases[p->aliases_n++];
        *alias = (struct llm_alias){.name = str_cstr(a, name), .manner = p->manner};
        if (jnode_type(value) == JNODE_OBJECT) {
            jcheck_known(check, one, known);
            provider_manner(check, one, &alias->manner);
            model = jcheck_str(check, one, "model", PROVIDER_TEXT_BYTES_MAX);
            model = model.n > 0 ? model : name;
        }
        if (model.n == 0) {
            jcheck_fail(check, one.pointer, "must be a model's name or {model: NAME, effort: …}");
        }
        alias->model = str_cstr(a, model);
    }
    p->aliases = aliases;
}

/* A setting that nothing could be made of is told, not passed over. */
static void provider_thinking(struct jcheck *check, struct jplace provider,
                              const struct llm_provider *p) {
    bool chat = strcmp(p->type, "openai-chat") == 0;
    bool takes = strcmp(p->type, "anthropic") == 0 || strcmp(p->type, "gemini") == 0 ||
                 (chat && (p->dialect == LLM_DIALECT_OPENROUTER || p->dialect == LLM_DIALECT_VLLM));
    bool told = p->manner.thinking_tokens > 0;
    for (size_t i = 0; i < p->aliases_n; i++) {
        told = told || p->aliases[i].manner.thinking_tokens > 0;
    }
    if (told && !takes) {
        jcheck_fail(check, provider.pointer,
                    "%s has no thinking_tokens%s: say effort, or the server's own member in "
                    "extra_body",
                    p->type, chat ? " but with preset: vllm or openrouter" : "");
    }
}

/* true, false or "auto" */
static void provider_stream(struct jcheck *check, struct jplace provider, enum llm_stream *ret) {
    struct jplace place = jcheck_member(check, provider, "stream");
    if (jnode_type(place.node) == JNODE_BOOL) {
        *ret = jnode_bool(place.node, false) ? LLM_STREAM_ALWAYS : LLM_STREAM_NEVER;
    } else if (str_eq(jnode_str(place.node), S("auto"))) {
        *ret = LLM_STREAM_AUTO;
    } else if (place.node != NULL && jnode_type(place.node) != JNODE_NULL) {
        jcheck_fail(check, place.pointer, "must be true, false or auto");
    }
}

/* "openai, anthropic, …" */
static const char *provider_presets(struct arena *a) {
    struct str all = S("");
    for (size_t i = 0; i < llm_presets_n; i++) {
        all = str_fmt(a, "%.*s%s%s", STR_ARG(all), i > 0 ? ", " : "", llm_presets[i].provider.name);
    }
    return all.p;
}

/* "preset": what is known of that built-in provider holds here, too. */
static void provider_preset(struct jcheck *check, struct jplace provider, struct llm_provider *p) {
    struct str name = jcheck_str(check, provider, "preset", PROVIDER_TEXT_BYTES_MAX);
    const char *own_name = p->name;
    for (size_t i = 0; i < llm_presets_n; i++) {
        if (str_eq(name, str_of(llm_presets[i].provider.name))) {
            *p = llm_presets[i].provider;
            p->name = own_name;
            return;
        }
    }
    if (name.n > 0) {
        jcheck_fail(check, jcheck_member(check, provider, "preset").pointer,
                    "'%.*s' is not a built-in provider; there are %s",
                    STR_ARG(str_take_utf8(name, 60)), provider_presets(check->a));
    }
}

static void provider_where(struct jcheck *check, struct jplace place, struct llm_provider *p,
                           struct arena *a) {
    struct str type = jcheck_str(check, place, "type", PROVIDER_TEXT_BYTES_MAX);
    struct str url = jcheck_str(check, place, "base_url", PROVIDER_TEXT_BYTES_MAX);
    if (type.n > 0 && wire_find(type.p) == NULL) {
        jcheck_fail(check, jcheck_member(check, place, "type").pointer,
                    "'%.*s' is not a wire format of this version; there are %s",
                    STR_ARG(str_take_utf8(type, 60)), wire_types());
    }
    const char *fault = url.n > 0 ? llm_url_fault(llm_url_trim(url)) : NULL;
    if (fault != NULL) {
        jcheck_fail(check, jcheck_member(check, place, "base_url").pointer, "%s", fault);
    }
    p->type = type.n > 0 ? type.p : p->type;
    p->base_url = url.n > 0 ? str_cstr(a, llm_url_trim(url)) : p->base_url;
    if (p->base_url == NULL) {
        jcheck_fail(check, place.pointer, "needs a base_url, such as http://127.0.0.1:8000/v1");
    }
}

void llm_provider_read(struct jcheck *check, struct jplace place, struct llm_provider *p,
                       struct arena *a) {
    static const char *const known[] = {"preset",  "type",   "base_url", "api_key_env",
                                        "headers", "limits", "stream",   "http2",
                                        "batches", "models", "prices",   PROVIDER_MANNER_KEYS,
                                        NULL};
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
    provider_preset(check, place, p);
    provider_where(check, place, p, a);
    provider_keys(check, place, p);
    provider_limits(check, jcheck_member(check, place, "limits"), &p->limits);
    provider_headers(check, place, p, a);
    provider_stream(check, place, &p->stream);
    p->http2 = jcheck_bool(check, place, "http2", p->http2);
    p->batches = jcheck_bool(check, place, "batches", p->batches);
    provider_manner(check, place, &p->manner);
    provider_aliases(check, place, p, a);
    provider_thinking(check, place, p);
    /* "prices" are read where all prices are; here they must only have the right form. */
    (void)jcheck_is(check, jcheck_member(check, place, "prices"), JNODE_OBJECT, false);
}
