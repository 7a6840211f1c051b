#include "cli/doctor.h"

#include "core/builtin.h"

#include <stdio.h>
#include <string.h>

/* What the sentences need. */
struct doctor_case {
    const char *detail, *name, *url, *type, *key_env, *proxy;
    struct str model;
    struct sbuf *out;
};

static bool doctor_says(const struct doctor_case *c, const char *word) {
    return strcasestr(c->detail, word) != NULL;
}

/* What kept the connection from being made, told by libcurl's words. */
static void doctor_network(const struct doctor_case *c) {
    bool by_proxy = doctor_says(c, "proxy") || doctor_says(c, "CONNECT tunnel") ||
                    (c->proxy != NULL && doctor_says(c, "connect to"));
    if (by_proxy) {
        sbuf_addf(c->out,
                  "the proxy %s does not let the request through (%s). Check HTTPS_PROXY and "
                  "HTTP_PROXY, or name the host of %s in NO_PROXY",
                  c->proxy != NULL ? c->proxy : "", c->detail, c->url);
    } else if (doctor_says(c, "resolve")) {
        sbuf_addf(c->out,
                  "the name of the host is not known (%s). Check the spelling of base_url (%s) and "
                  "this machine's DNS or proxy",
                  c->detail, c->url);
    } else if (doctor_says(c, "wrong version number") || doctor_says(c, "packet length")) {
        sbuf_addf(c->out,
                  "the server does not speak TLS there (%s). Write base_url (%s) with http:// "
                  "instead of https://",
                  c->detail, c->url);
    } else if (doctor_says(c, "ssl") || doctor_says(c, "tls") || doctor_says(c, "certificate")) {
        sbuf_addf(
            c->out,
            "no secure connection (%s). Check that base_url (%s) has the right scheme, http:// "
            "or https://, and that the server's certificate is valid here (ca-certificates, "
            "SSL_CERT_FILE, the clock)",
            c->detail, c->url);
    } else if (doctor_says(c, "connect")) {
        sbuf_addf(
            c->out,
            "nothing answers there (%s). Start the server, or check host and port of base_url "
            "(%s) and the firewall",
            c->detail, c->url);
    } else {
        sbuf_addf(c->out,
                  "the connection broke (%s). Try again; if it stays, look at the network "
                  "between here and %s",
                  c->detail, c->url);
    }
}

static void doctor_auth(const struct doctor_case *c) {
    if (c->key_env == NULL) {
        sbuf_addf(
            c->out,
            "a key is asked for and none is sent (%s). Put it into a variable and name that as "
            "api_key_env of providers: %s: in stumper.yaml",
            c->detail, c->name);
    } else {
        sbuf_addf(c->out,
                  "the key in %s is not accepted (%s). Check that it is whole, still valid, and "
                  "allowed to use this model",
                  c->key_env, c->detail);
    }
}

static void doctor_format(const struct doctor_case *c, const char *whose, const char *type) {
    sbuf_addf(c->out,
              "that endpoint speaks %s's format, not %s (%s). Say type: %s under providers: %s: in "
              "stumper.yaml, or correct base_url (%s)",
              whose, c->type, c->detail, type, c->name, c->url);
}

static void doctor_no_path(const struct doctor_case *c) {
    sbuf_addf(c->out,
              "the server is there, but not this API (%s). Check the path of base_url (%s): it is "
              "what stands before the operation, and mostly ends in /v1",
              c->detail, c->url);
}

static void doctor_no_model(const struct doctor_case *c) {
    sbuf_addf(c->out,
              "there is no model %.*s at %s (%s). Check its name; stumper models %s lists those "
              "that are there",
              STR_ARG(c->model), c->url, c->detail, c->name);
}

static void doctor_forbidden(const struct doctor_case *c) {
    if (c->key_env == NULL) {
        doctor_auth(c);
        return;
    }
    sbuf_addf(c->out,
              "the provider does not allow that with the key in %s (%s). Ask for access to the "
              "model, or see whether the provider serves this network",
              c->key_env, c->detail);
}

/* True if the shape of the reply told what is wrong. */
static bool doctor_clue(const struct doctor_case *c, enum call_clue clue) {
    switch (clue) {
    case CALL_CLUE_WEB_PAGE:
        sbuf_addf(c->out,
                  "a web page answers there, not an API (%s). Check base_url (%s): host, port and "
                  "path, and that no login page stands before it",
                  c->detail, c->url);
        return true;
    case CALL_CLUE_SPEAKS_OPENAI:
        doctor_format(c, "OpenAI", "openai-chat");
        return true;
    case CALL_CLUE_SPEAKS_ANTHROPIC:
        doctor_format(c, "Anthropic", "anthropic");
        return true;
    case CALL_CLUE_SPEAKS_GEMINI:
        doctor_format(c, "Gemini", "gemini");
        return true;
    case CALL_CLUE_NO_PATH:
        doctor_no_path(c);
        return true;
    case CALL_CLUE_NO_MODEL:
        doctor_no_model(c);
        return true;
    case CALL_CLUE_MOVED:
        sbuf_addf(c->out,
                  "the server sends its clients elsewhere (%s). Write that place, up to the path "
                  "of the operation, as base_url (it is %s)",
                  c->detail, c->url);
        return true;
    case CALL_CLUE_FORBIDDEN:
        doctor_forbidden(c);
        return true;
    case CALL_CLUE_PROXY_KEY:
        sbuf_addf(c->out,
                  "a proxy wants a user and a password (%s). Write them into HTTP_PROXY as "
                  "http://USER:PASSWORD@HOST:PORT, or name the host of %s in NO_PROXY",
                  c->detail, c->url);
        return true;
    case CALL_CLUE_NONE:
    default:
        return false;
    }
}

static void doctor_error(const struct doctor_case *c, enum err e) {
    switch ((int)e) {
    case ERR_NETWORK:
        doctor_network(c);
        return;
    case ERR_TIMEOUT:
        sbuf_addf(c->out,
                  "no answer in time (%s). The server is overloaded, the model is loading, or a "
                  "firewall drops the packets: try again, then check base_url (%s)",
                  c->detail, c->url);
        return;
    case ERR_AUTH:
        doctor_auth(c);
        return;
    case ERR_NOT_FOUND:
        doctor_no_path(c);
        return;
    case ERR_QUOTA:
        sbuf_addf(c->out,
                  "the account is out of quota or money (%s). Add credit or raise its limit",
                  c->detail);
        return;
    case ERR_RATE_LIMIT:
        sbuf_addf(c->out,
                  "the provider asks to slow down (%s). Key and endpoint work; wait, or run with a "
                  "smaller --concurrency",
                  c->detail);
        return;
    case ERR_PROTOCOL:
    case ERR_MALFORMED:
        sbuf_addf(
            c->out,
            "something answers that does not speak this API (%s). Check base_url (%s) and the "
            "provider's type (%s)",
            c->detail, c->url, c->type);
        return;
    case ERR_UNAVAILABLE:
        sbuf_addf(c->out, "the provider has trouble of its own (%s). Try again later", c->detail);
        return;
    case ERR_INVALID:
        sbuf_addf(c->out, "base_url %s cannot be used (%s). Write it as http://host:port/v1",
                  c->url, c->detail);
        return;
    default:
        sbuf_addf(c->out,
                  "the request was turned down (%s). Check the model's name and what the "
                  "provider's documentation says of it",
                  c->detail);
        return;
    }
}

/* The client's text begins with the model, which the reader knows. */
static const char *doctor_bare_detail(const char *detail, const char *provider, struct str model) {
    char prefix[256];
    int n = snprintf(prefix, sizeof prefix, "%s/%.*s: ", provider, STR_ARG(model));
    bool there = n > 0 && (size_t)n < sizeof prefix && strncmp(detail, prefix, (size_t)n) == 0;
    return detail + (there ? n : 0);
}

void doctor_diagnose(const struct call_answer *failure, const struct llm_provider *provider,
                     struct str model, const char *proxy, struct sbuf *out) {
    const char *why = failure->detail != NULL ? failure->detail : err_text(failure->err);
    const struct doctor_case c = {.detail = doctor_bare_detail(why, provider->name, model),
                                  .name = provider->name,
                                  .url = provider->base_url,
                                  .type = provider->type,
                                  .key_env = provider->key_env,
                                  .proxy = proxy,
                                  .model = model,
                                  .out = out};
    if (!doctor_clue(&c, failure->clue)) {
        doctor_error(&c, failure->err);
    }
}

/* The host of a URL with its port, without user and password. */
static struct str doctor_host(struct str url) {
    size_t scheme = str_find(url, S("://"));
    struct str rest = str_skip(url, scheme == STR_NPOS ? 0 : scheme + 3);
    struct str host = str_split(&rest, '/');
    size_t at = str_rfind(host, S("@"));
    return at == STR_NPOS ? host : str_skip(host, at + 1);
}

/* As NO_PROXY says: names and the ends of names, "*" for all. */
static bool doctor_is_exempt(struct str host, struct str list) {
    struct str name = host;
    name = str_split(&name, ':');
    bool exempt = false;
    while (list.n > 0) {
        struct str one = str_trim(str_split(&list, ','));
        exempt = exempt || str_eq(one, S("*")) || (one.n > 0 && str_ends(name, one));
    }
    return exempt;
}

const char *doctor_proxy(const char *url, const char *(*getenv_fn)(const char *name),
                         struct arena *a) {
    static const char *const names[][4] = {{"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"},
                                           {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"}};
    static const char *const exempt[] = {"no_proxy", "NO_PROXY"};
    bool tls = strncmp(url, "https:", 6) == 0;
    const char *proxy = NULL;
    for (size_t i = 0; i < 4 && proxy == NULL; i++) {
        const char *value = getenv_fn(names[tls ? 0 : 1][i]);
        proxy = value != NULL && value[0] != '\0' ? value : NULL;
    }
    struct str host = doctor_host(str_of(url));
    for (size_t i = 0; i < ARRAY_LEN(exempt); i++) {
        if (doctor_is_exempt(host, str_of(getenv_fn(exempt[i])))) {
            return NULL;
        }
    }
    return proxy == NULL ? NULL : str_cstr(a, doctor_host(str_of(proxy)));
}

struct str doctor_cheapest_model(struct str provider, struct arena *a) {
    const struct jnode *prices, *price;
    struct str name, cheapest = {0};
    double least = 0;
    enum err e = jnode_parse(builtin_prices(), a, &prices, NULL);
    ASSERT(e == ERR_OK); /* it ships with the program */
    for (void *i = jnode_next(prices, NULL, &name, &price); i != NULL;
         i = jnode_next(prices, i, &name, &price)) {
        struct str model = name;
        double output = jnode_real(jnode_get(price, "output"), 0);
        bool fits = str_eq(str_split(&model, '/'), provider) && !str_ends(model, S("*"));
        if (fits && (cheapest.n == 0 || output < least)) {
            cheapest = model;
            least = output;
        }
    }
    return str_dup(a, cheapest);
}
