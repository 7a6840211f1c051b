/* stumper models: what an endpoint offers, one name a line as --engineer and its like take it. What
 * could not be asked is told on stderr, with the cause and what to do about it. */
#include "base/log.h"
#include "cli/config.h"
#include "cli/doctor.h"

#include <stdio.h>

#define MODELS_ARENA_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define MODELS_TEXT_BYTES_MAX ((size_t)4096)

struct models {
    const char *config_path;
    int64_t timeout_ms;
    struct arena arena;
    struct opt_result options;
    struct config config;
    struct llm_config llm_config;
    struct loop *loop;
    struct llm *llm;
    size_t waiting;
    int failed;
};

/* One provider that is asked. */
struct models_query {
    struct models *models;
    const struct llm_provider *provider;
};

static void models_complain(struct models *m, const char *provider, struct str text) {
    m->failed++;
    (void)cmd_fail("models", EXIT_FAILED, "%s: %.*s", provider, STR_ARG(text));
}

static void models_print(const struct llm_provider *p, const struct llm_listing *listing) {
    for (size_t i = 0; i < p->aliases_n; i++) {
        (void)printf("%s/%s\n", p->name, p->aliases[i].name);
    }
    for (size_t i = 0; i < listing->n; i++) {
        (void)printf("%s/%.*s\n", p->name, STR_ARG(listing->names[i]));
    }
}

static void models_explain(struct models *m, const struct llm_provider *p,
                           const struct llm_listing *listing) {
    const struct call_answer failure = {
        .err = listing->err, .detail = listing->detail, .clue = listing->clue};
    struct sbuf text;
    sbuf_init(&text, MODELS_TEXT_BYTES_MAX);
    doctor_diagnose(&failure, p, S(""), doctor_proxy(p->base_url, cmd_getenv, &m->arena), &text);
    models_complain(m, p->name, sbuf_str(&text));
    sbuf_release(&text);
}

static void models_listed(void *ctx, const struct llm_listing *listing) {
    struct models_query *q = ctx;
    struct models *m = q->models;
    if (listing->err == ERR_OK) {
        models_print(q->provider, listing);
    } else {
        models_explain(m, q->provider, listing);
    }
    if (--m->waiting == 0) {
        loop_stop(m->loop);
    }
}

static void models_ask(struct models *m, const struct llm_provider *p) {
    if (llm_provider_lacks_key(p)) {
        models_complain(m, p->name, str_fmt(&m->arena, "its key is missing. Set %s", p->key_env));
        return;
    }
    struct models_query *q = ARENA_NEW(&m->arena, struct models_query);
    *q = (struct models_query){.models = m, .provider = p};
    enum err e = llm_list_models(m->llm, p, models_listed, q);
    ASSERT(e == ERR_OK); /* there are fewer providers than it takes at once */
    m->waiting++;
}

/* Those that are named. */
static void models_ask_named(struct models *m) {
    for (size_t i = 0; i < m->options.args_n; i++) {
        const struct llm_provider *p = llm_config_find(&m->llm_config, str_of(m->options.args[i]));
        if (p != NULL) {
            models_ask(m, p);
        } else {
            models_complain(m, m->options.args[i],
                            S("there is no such provider; describe it under providers: in "
                              "stumper.yaml"));
        }
    }
}

/* Those whose key is set, and those of the file. */
static void models_ask_configured(struct models *m) {
    for (size_t i = 0; i < m->llm_config.providers_n; i++) {
        const struct llm_provider *p = &m->llm_config.providers[i];
        if (p->keys_n > 0 || jnode_get(jnode_get(m->config.root, "providers"), p->name) != NULL) {
            models_ask(m, p);
        }
    }
    if (m->waiting == 0 && m->failed == 0) {
        models_complain(m, "no provider is configured",
                        S("set a key such as OPENAI_API_KEY, or name one: stumper models ollama"));
    }
}

static int models_run(struct models *m) {
    struct errinfo why = {0};
    llm_config_init(&m->llm_config);
    m->llm_config.first_byte_ms = m->timeout_ms;
    m->llm_config.connect_ms = MIN(m->llm_config.connect_ms, m->timeout_ms);
    enum err e = config_providers(&m->config, &m->arena, &m->llm_config, &why);
    if (e != ERR_OK) {
        return cmd_fail("models", EXIT_USAGE, "%s", errinfo_text(&why, e));
    }
    m->loop = loop_new();
    m->llm = llm_new(m->loop, &m->llm_config);
    if (m->options.args_n > 0) {
        models_ask_named(m);
    } else {
        models_ask_configured(m);
    }
    if (m->waiting > 0) {
        loop_run(m->loop);
    }
    llm_free(m->llm);
    loop_free(m->loop);
    return m->failed > 0 ? EXIT_FAILED : EXIT_DONE;
}

int cmd_models(int argc, char **argv) {
    struct models m = {0};
    const struct opt rows[] = {
        {.name = "timeout",
         .kind = OPT_DURATION,
         .value = "TIME",
         .to = &m.timeout_ms,
         .min = 100,
         .max = 3600000,
         .otherwise = "30s",
         .argv_only = true,
         .help = "how long an answer may take"},
        {.name = "config",
         .kind = OPT_STR,
         .value = "FILE",
         .to = &m.config_path,
         .help = "configuration; without it stumper.yaml in this folder, if it is there"},
    };
    const struct opt_command command = {
        .name = "models",
        .summary = "which models an endpoint offers",
        .args = "[PROVIDER]...",
        .about = "Asks each PROVIDER, else every configured one, for its models and prints them as "
                 "PROVIDER/MODEL, a line each; names given under models: in stumper.yaml come "
                 "first. Exits with 1 if one could not be asked, and says why.",
        .examples = "  stumper models openai | grep mini\n"
                    "  stumper models ollama\n",
        .rows = rows,
        .rows_n = ARRAY_LEN(rows),
        .args_max = LLM_PROVIDERS_MAX,
    };
    int code;
    arena_init(&m.arena, MODELS_ARENA_BYTES_MAX);
    if (config_options(&command, argc, argv, &m.arena, &m.config_path, &m.config, &m.options,
                       &code)) {
        code = models_run(&m);
    }
    arena_release(&m.arena);
    return code;
}
