/* The client: models resolved once, with everything about them that does not change from call to
 * call. What happens to a call is in calls.c. */
#include "llm/llm.h"

#include "base/clock.h"
#include "base/mem.h"
#include "llm/batch.h"

#include <stdlib.h>
#include <string.h>

#define LLM_ARENA_BYTES_MAX ((size_t)16 * 1024 * 1024)
#define LLM_SCRATCH_BYTES_MAX ((size_t)256 * 1024 * 1024)

struct llm *llm_new(struct loop *l, const struct llm_config *config) {
    struct llm *m = mem_new(sizeof *m);
    uint64_t seed;
    m->loop = l;
    m->config = config;
    LIST_INIT(&m->batches);
    m->http = http_new(l, &(struct http_client_options){.in_flight_max = config->in_flight_max,
                                                        .user_agent = "stumper/" STUMPER_VERSION});
    arena_init(&m->arena, LLM_ARENA_BYTES_MAX);
    arena_init(&m->scratch, LLM_SCRATCH_BYTES_MAX);
    rng_os(&seed, sizeof seed);
    rng_init(&m->rng, seed);
    LIST_INIT(&m->calls);
    LIST_INIT(&m->pool);
    return m;
}

static void llm_free_calls(struct llm_calls *calls) {
    struct llm_call *c;
    while ((c = LIST_FIRST(calls)) != NULL) {
        LIST_REMOVE(c, all);
        sbuf_release(&c->body);
        free(c->stream); /* what it held went with the call */
        free(c);
    }
}

void llm_free(struct llm *m) {
    m->closing = true;
    loop_timer_stop(&m->sweep);
    http_free(m->http); /* those at a provider end here */
    struct llm_call *c;
    while ((c = LIST_FIRST(&m->calls)) != NULL) {
        loop_timer_stop(&c->timer);
        llm_call_abort(c);
    }
    for (struct llm_model *model = m->models; model != NULL; model = model->next) {
        loop_timer_stop(&model->next_turn);
    }
    while (!LIST_EMPTY(&m->batches)) {
        batch_free(LIST_FIRST(&m->batches));
    }
    llm_free_calls(&m->pool);
    arena_release(&m->scratch);
    arena_release(&m->arena);
    free(m);
}

static enum err llm_no_provider(const struct llm_config *c, struct str name,
                                struct errinfo *reterr) {
    const char *nearest = NULL;
    size_t best = 3; /* more edits are another word */
    for (size_t i = 0; i < c->providers_n; i++) {
        size_t edits = str_distance(name, str_of(c->providers[i].name));
        if (edits < best) {
            best = edits;
            nearest = c->providers[i].name;
        }
    }
    if (nearest != NULL) {
        return errinfo_set(reterr, ERR_NOT_FOUND, "there is no provider '%.*s'; did you mean %s?",
                           STR_ARG(name), nearest);
    }
    return errinfo_set(
        reterr, ERR_NOT_FOUND,
        "there is no provider '%.*s'; describe it in stumper.yaml: providers: {%.*s: {base_url: "
        "http://127.0.0.1:8000/v1}}",
        STR_ARG(name), STR_ARG(name));
}

static void llm_model_add_headers(struct llm_model *model, const char *const *headers) {
    for (; headers != NULL && *headers != NULL; headers++) {
        ASSERT(model->headers_n + 3 < LLM_HEADERS_MAX); /* config.c allows 16 */
        model->headers[model->headers_n++] = *headers;
    }
}

/* Is the provider on this machine? */
static bool llm_is_near(const char *base_url) {
    static const char *const hosts[] = {"://127.", "://localhost", "://[::1]"};
    bool near = false;
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        near = near || strstr(base_url, hosts[i]) != NULL;
    }
    return near;
}

/* @key: NULL if none is sent. */
static void llm_lane_fill(struct llm_lane *lane, const struct llm_model *model,
                          const struct llm_key *key) {
    struct llm *m = model->llm;
    struct limit_set limits = m->config->limits;
    limit_set_inherit(&limits, key != NULL ? &key->limits : &model->provider->limits);
    *lane = (struct llm_lane){.auth = key == NULL ? NULL : model->wire->auth(key, &m->arena)};
    lane->part_name =
        str_fmt(&m->arena, "%.*s#%zu", STR_ARG(model->full_name), (size_t)(lane - model->lanes) + 1)
            .p;
    limit_init(&lane->limit, model->wire->limit_rule, &limits);
}

static void llm_model_fill(struct llm_model *model, struct llm *m, const struct llm_provider *p,
                           const struct wire *wire, struct str name) {
    const struct llm_alias *alias = llm_alias_find(p, name);
    struct str spelled = alias != NULL ? str_of(alias->model) : name;
    *model = (struct llm_model){
        .next = m->models,
        .llm = m,
        .provider = p,
        .wire = wire,
        .manner = alias != NULL ? &alias->manner : &p->manner,
        .price = llm_config_price(m->config, &(struct model_name){str_of(p->name), name}),
        .name = str_dup(&m->arena, spelled),
        .full_name = str_fmt(&m->arena, "%s/%.*s", p->name, STR_ARG(name)),
        .is_near = llm_is_near(p->base_url)};
    model->quirks = wire_model_quirks(p, model->manner, model->name);
    model->url = wire->url(p, model->name, false, &m->arena).p;
    model->stream_url = wire->url(p, model->name, true, &m->arena).p;
    llm_model_add_headers(model, wire->headers);
    llm_model_add_headers(model, p->headers);
    model->lanes_n = MAX(p->keys_n, (size_t)1);
    model->lane_last = model->lanes_n - 1;
    model->lanes = ARENA_ARRAY(&m->arena, struct llm_lane, model->lanes_n);
    for (size_t i = 0; i < model->lanes_n; i++) {
        llm_lane_fill(&model->lanes[i], model, p->keys_n > 0 ? &p->keys[i] : NULL);
    }
    for (size_t i = 0; i < ARRAY_LEN(model->waiting); i++) {
        TAILQ_INIT(&model->waiting[i]);
    }
}

enum err llm_config_check_model(const struct llm_config *c, const struct model_name *name,
                                struct errinfo *reterr) {
    const struct llm_provider *p = llm_config_find(c, name->provider);
    if (p == NULL) {
        return llm_no_provider(c, name->provider, reterr);
    }
    if (llm_provider_lacks_key(p)) {
        return errinfo_set(reterr, ERR_AUTH, "%s needs a key: set the variable %s", p->name,
                           p->key_env);
    }
    if (wire_find(p->type) == NULL) {
        return errinfo_set(reterr, ERR_UNSUPPORTED, "%s: the wire format %s is not supported",
                           p->name, p->type);
    }
    return ERR_OK;
}

enum err llm_config_check_batches(const struct llm_config *c, const struct model_name *name,
                                  struct errinfo *reterr) {
    const struct llm_provider *p = llm_config_find(c, name->provider);
    if (p == NULL || wire_find(p->type) == NULL) {
        return llm_config_check_model(c, name, reterr);
    }
    if (wire_find(p->type)->batches == NULL) {
        return errinfo_set(reterr, ERR_UNSUPPORTED,
                           "%s cannot be asked in batches: its wire format is %s; openai-chat, "
                           "openai-responses and anthropic can be",
                           p->name, p->type);
    }
    if (!p->batches) {
        return errinfo_set(reterr, ERR_UNSUPPORTED,
                           "%s is not known to have batches; openai and anthropic are. If it has "
                           "them, say batches: true under providers: %s: in stumper.yaml",
                           p->name, p->name);
    }
    return ERR_OK;
}

enum err llm_resolve(struct llm *m, const struct model_name *name, const struct llm_model **ret,
                     struct errinfo *reterr) {
    for (struct llm_model *model = m->models; model != NULL; model = model->next) {
        struct str known = str_skip(model->full_name, strlen(model->provider->name) + 1);
        if (str_eq(str_of(model->provider->name), name->provider) && str_eq(known, name->model)) {
            *ret = model;
            return ERR_OK;
        }
    }
    enum err e = llm_config_check_model(m->config, name, reterr);
    if (e != ERR_OK) {
        return e;
    }
    const struct llm_provider *p = llm_config_find(m->config, name->provider);
    struct llm_model *model = ARENA_NEW(&m->arena, struct llm_model);
    llm_model_fill(model, m, p, wire_find(p->type), name->model);
    m->models = model;
    *ret = model;
    return ERR_OK;
}

struct str llm_model_name(const struct llm_model *model) {
    return model->full_name;
}

int64_t llm_model_per_minute(const struct llm_model *model, enum limit_kind kind) {
    int64_t sum = 0;
    for (size_t i = 0; i < model->lanes_n; i++) {
        sum += MAX(limit_per_minute(&model->lanes[i].limit, kind), 0);
    }
    return sum > 0 ? sum : -1;
}

enum err llm_chain_resolve(struct llm *m, const struct job_models *names, struct llm_chain *ret,
                           struct errinfo *reterr) {
    enum err e = ERR_OK;
    for (ret->n = 0; ret->n < names->n && e == ERR_OK; ret->n++) {
        e = llm_resolve(m, &names->v[ret->n], &ret->models[ret->n], reterr);
    }
    return e;
}

bool llm_chain_is_dead(const struct llm_chain *chain) {
    bool dead = true;
    for (size_t i = 0; i < chain->n; i++) {
        dead = dead && llm_model_is_dead(chain->models[i]);
    }
    return dead;
}

int64_t llm_chain_bound(const struct llm_chain *chain, const struct call_spec *spec,
                        enum price_tariff tariff) {
    int64_t bound = 0;
    for (size_t i = 0; i < chain->n; i++) {
        const struct price *price = chain->models[i]->price;
        bound = MAX(bound, price == NULL ? 0 : price_bound(price, spec, clock_wall_ms(), tariff));
    }
    return bound;
}

struct llm_stats llm_stats(const struct llm *m) {
    struct llm_stats stats = m->stats;
    for (const struct llm_model *model = m->models; model != NULL; model = model->next) {
        if (model->trouble[0] != '\0') {
            memcpy(stats.trouble, model->trouble, sizeof stats.trouble);
        }
    }
    return stats;
}

enum err llm_adopt(struct llm *m, const struct llm_book *book, const struct llm_note *note,
                   struct errinfo *reterr) {
    struct model_name name = {.provider = str_take(note->model, str_find_char(note->model, '/'))};
    const struct llm_model *model;
    name.model = str_skip(note->model, MIN(name.provider.n + 1, note->model.n));
    enum err e = llm_config_check_batches(m->config, &name, reterr);
    if (e == ERR_OK) {
        e = llm_resolve(m, &name, &model, reterr);
    }
    if (e == ERR_OK) {
        batch_adopt((struct llm_model *)(uintptr_t)model, book, note); /* const for callers only */
    }
    return e;
}
