#include "cli/doctor.h"

#include "core/builtin.h"

#include <stdio.h>
#include <string.h>

/* The parts of a provider that the sentences need. */
struct doctor_case {
    const char *detail, *name, *url, *key_env;
    struct str model;
    struct sbuf *out;
};

/* What kept the connection from being made, told by libcurl's words. */
static void doctor_network(const struct doctor_case *c) {
    if (strcasestr(c->detail, "resolve") != NULL) {
        sbuf_addf(c->out,
                  "the name of the host is not known (%s). Check the spelling of base_url (%s) and "
                  "this machine's DNS or proxy",
                  c->detail, c->url);
    } else if (strcasestr(c->detail, "ssl") != NULL || strcasestr(c->detail, "tls") != NULL ||
               strcasestr(c->detail, "certificate") != NULL) {
        sbuf_addf(
            c->out,
            "no secure connection (%s). Check that base_url (%s) has the right scheme, http:// "
            "or https://, and that the server's certificate is valid here (ca-certificates, "
            "the clock)",
            c->detail, c->url);
    } else if (strcasestr(c->detail, "connect") != NULL) {
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

/* The client's text begins with the model, which the reader knows. */
static const char *doctor_bare_detail(const char *detail, const char *provider, struct str model) {
    char prefix[256];
    int n = snprintf(prefix, sizeof prefix, "%s/%.*s: ", provider, STR_ARG(model));
    bool there = n > 0 && (size_t)n < sizeof prefix && strncmp(detail, prefix, (size_t)n) == 0;
    return detail + (there ? n : 0);
}

void doctor_diagnose(enum err e, const char *detail, const struct llm_provider *provider,
                     struct str model, struct sbuf *out) {
    const char *why = detail != NULL ? detail : err_text(e);
    const struct doctor_case c = {.detail = doctor_bare_detail(why, provider->name, model),
                                  .name = provider->name,
                                  .url = provider->base_url,
                                  .key_env = provider->key_env,
                                  .model = model,
                                  .out = out};
    switch ((int)e) {
    case ERR_NETWORK:
        doctor_network(&c);
        return;
    case ERR_TIMEOUT:
        sbuf_addf(out,
                  "no answer in time (%s). The server is overloaded, the model is loading, or a "
                  "firewall drops the packets: try again, then check base_url (%s)",
                  c.detail, c.url);
        return;
    case ERR_AUTH:
        doctor_auth(&c);
        return;
    case ERR_NOT_FOUND:
        sbuf_addf(out,
                  "there is no model %.*s, or no chat API at %s (%s). Check the model's name, and "
                  "that base_url is the part before /chat/completions (it mostly ends in /v1)",
                  STR_ARG(model), c.url, c.detail);
        return;
    case ERR_QUOTA:
        sbuf_addf(out, "the account is out of quota or money (%s). Add credit or raise its limit",
                  c.detail);
        return;
    case ERR_RATE_LIMIT:
        sbuf_addf(out,
                  "the provider asks to slow down (%s). Key and endpoint work; wait, or run with a "
                  "smaller --concurrency",
                  c.detail);
        return;
    case ERR_PROTOCOL:
    case ERR_MALFORMED:
        sbuf_addf(
            out,
            "something answers that does not speak this API (%s). Check base_url (%s) and the "
            "provider's type (%s)",
            c.detail, c.url, provider->type);
        return;
    case ERR_UNAVAILABLE:
        sbuf_addf(out, "the provider has trouble of its own (%s). Try again later", c.detail);
        return;
    case ERR_INVALID:
        sbuf_addf(out, "base_url %s cannot be used (%s). Write it as http://host:port/v1", c.url,
                  c.detail);
        return;
    default:
        sbuf_addf(out,
                  "the request was turned down (%s). Check the model's name and what the "
                  "provider's documentation says of it",
                  c.detail);
        return;
    }
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
