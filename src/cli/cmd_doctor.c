/* stumper doctor: is everything that `generate` needs there? The configuration is read, every
 * provider that is used or configured is looked at, and one tiny call goes to each model. Every
 * finding is a line; a bad one says what to do. */
#include "base/log.h"
#include "cli/config.h"
#include "cli/doctor.h"
#include "cli/load.h"
#include "cli/term.h"
#include "llm/embed.h"
#include "store/store_read.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DOCTOR_ARENA_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define DOCTOR_TEXT_BYTES_MAX ((size_t)4096)
#define DOCTOR_MODELS_MAX 64
#define DOCTOR_TOKENS_MAX 64 /* enough for "OK", and no more than a fraction of a cent anywhere */
#define DOCTOR_INDENT 9

enum finding { FINDING_OK, FINDING_SKIPPED, FINDING_FAILED };

struct doctor;

/* One model that is tried. */
struct doctor_probe {
    struct doctor *doctor;
    struct model_name name;
    struct llm_chain chain; /* it alone */
    struct llm_call *call;
};

struct doctor {
    const char *config_path;
    const char *models[ROLE_COUNT];
    const char *store;
    bool offline;
    int64_t timeout_ms;
    struct arena arena;
    struct opt_result options;
    struct config config;
    struct llm_config llm_config;
    struct term term;
    struct loop *loop;
    struct llm *llm;
    struct call_spec question;
    struct doctor_probe probes[DOCTOR_MODELS_MAX];
    size_t probes_n, waiting;
    int failed;
};

/* "ok      openai/gpt-5.4-mini: answers in 412 ms" */
PRINTF(4, 5)
static void doctor_say(struct doctor *d, enum finding finding, const char *subject, const char *fmt,
                       ...) {
    static const char *const marks[] = {"ok", "skipped", "FAILED"};
    static const char *const colours[] = {"\x1b[32m", "\x1b[2m", "\x1b[31m"};
    char text[DOCTOR_TEXT_BYTES_MAX];
    struct sbuf line, clean;
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args); /* cut on purpose */
    va_end(args);
    log_redact(text); /* a provider's message may quote the key */
    d->failed += finding == FINDING_FAILED;
    sbuf_init(&line, DOCTOR_TEXT_BYTES_MAX * 4);
    sbuf_init(&clean, DOCTOR_TEXT_BYTES_MAX * 4);
    sbuf_addf(&clean, "%s: ", subject);
    term_clean(&clean, str_of(text), d->term.utf8 || !d->term.tty);
    sbuf_addf(&line, "%s%-*s%s", d->term.colour ? colours[finding] : "", DOCTOR_INDENT,
              marks[finding], d->term.colour ? "\x1b[0m" : "");
    term_wrap(&line, sbuf_str(&clean), DOCTOR_INDENT, DOCTOR_INDENT, d->term.width);
    (void)puts(sbuf_str(&line).p);
    (void)fflush(stdout); /* calls take a while; what is known is shown */
    sbuf_release(&clean);
    sbuf_release(&line);
}

/* --- which models --- */

static void doctor_add_probe(struct doctor *d, const struct model_name *name) {
    for (size_t i = 0; i < d->probes_n; i++) {
        const struct model_name *other = &d->probes[i].name;
        if (str_eq(other->provider, name->provider) && str_eq(other->model, name->model)) {
            return;
        }
    }
    if (d->probes_n < DOCTOR_MODELS_MAX) {
        d->probes[d->probes_n++] = (struct doctor_probe){.doctor = d, .name = *name};
    }
}

static void doctor_add_text(struct doctor *d, const char *label, const char *text) {
    struct model_name name;
    struct errinfo why = {0};
    enum err e = model_name_parse(str_of(text), &d->arena, &name, &why);
    if (e == ERR_OK) {
        doctor_add_probe(d, &name);
    } else {
        doctor_say(d, FINDING_FAILED, label, "%s", errinfo_text(&why, e));
    }
}

static bool doctor_is_configured(const struct doctor *d, const struct llm_provider *p) {
    return p->keys_n > 0 || jnode_get(jnode_get(d->config.root, "providers"), p->name) != NULL;
}

static bool doctor_is_used(const struct doctor *d, const struct llm_provider *p) {
    for (size_t i = 0; i < d->probes_n; i++) {
        if (str_eq(d->probes[i].name.provider, str_of(p->name))) {
            return true;
        }
    }
    return false;
}

/* A model for a provider that nobody named one of. */
static void doctor_add_default(struct doctor *d, const struct llm_provider *p) {
    struct str model = doctor_cheapest_model(str_of(p->name), &d->arena);
    if (model.n > 0) {
        doctor_add_probe(d, &(struct model_name){.provider = str_of(p->name), .model = model});
    } else {
        doctor_say(d, FINDING_SKIPPED, p->name,
                   "name one of its models to try it: stumper doctor %s/MODEL", p->name);
    }
}

/* Those that were named, else those of the settings; else one for every configured provider. */
static void doctor_choose_models(struct doctor *d) {
    for (size_t i = 0; i < d->options.args_n; i++) {
        doctor_add_text(d, d->options.args[i], d->options.args[i]);
    }
    for (int role = 0; d->options.args_n == 0 && role < ROLE_COUNT; role++) {
        struct str models = str_of(d->models[role]);
        while (models.n > 0) {
            doctor_add_text(d, opt_label(&d->options, role_name((enum role)role)).s,
                            str_cstr(&d->arena, str_split(&models, ',')));
        }
    }
}

static void doctor_add_defaults(struct doctor *d) {
    for (size_t i = 0; d->options.args_n == 0 && i < d->llm_config.providers_n; i++) {
        const struct llm_provider *p = &d->llm_config.providers[i];
        if (doctor_is_configured(d, p) && !doctor_is_used(d, p) && !llm_provider_lacks_key(p)) {
            doctor_add_default(d, p);
        }
    }
}

/* --- the findings --- */

static enum err doctor_check_config(struct doctor *d) {
    struct price_table *prices = NULL;
    struct errinfo why = {0};
    struct opt_strs none = {0};
    llm_config_init(&d->llm_config);
    d->llm_config.tries_max = 1;
    d->llm_config.connect_ms = MIN(d->llm_config.connect_ms, d->timeout_ms);
    d->llm_config.first_byte_ms = d->llm_config.total_ms = d->timeout_ms;
    enum err e = load_prices(&d->config, &none, "--price", &d->arena, &prices, &why);
    d->llm_config.prices = prices;
    if (e == ERR_OK) {
        e = config_providers(&d->config, &d->arena, &d->llm_config, &why);
    }
    if (e != ERR_OK) {
        doctor_say(d, FINDING_FAILED, "configuration", "%s", errinfo_text(&why, e));
    } else if (d->config.path != NULL) {
        doctor_say(d, FINDING_OK, "configuration", "%s", d->config.path);
    } else {
        doctor_say(d, FINDING_OK, "configuration", "no %s here; built-in providers only",
                   CONFIG_FILE);
    }
    return e;
}

static void doctor_check_key(struct doctor *d, const struct llm_provider *p) {
    struct sbuf set;
    sbuf_init(&set, DOCTOR_TEXT_BYTES_MAX);
    for (size_t i = 0; i < p->keys_n; i++) {
        sbuf_addf(&set, "%s%s", i > 0 ? ", " : "", p->keys[i].env);
    }
    if (llm_provider_lacks_key(p)) {
        doctor_say(d, FINDING_FAILED, p->name, "its key is missing. Set %s", p->key_env);
    } else if (p->keys_n == 0) {
        doctor_say(d, FINDING_OK, p->name, "needs no key, at %s", p->base_url);
    } else {
        doctor_say(d, FINDING_OK, p->name, "%s %s set, for %s", sbuf_str(&set).p,
                   p->keys_n > 1 ? "are" : "is", p->base_url);
    }
    sbuf_release(&set);
}

static void doctor_check_keys(struct doctor *d) {
    bool any = false;
    for (size_t i = 0; i < d->llm_config.providers_n; i++) {
        const struct llm_provider *p = &d->llm_config.providers[i];
        if (doctor_is_used(d, p) || (d->options.args_n == 0 && doctor_is_configured(d, p))) {
            doctor_check_key(d, p);
            any = true;
        }
    }
    if (!any && d->probes_n == 0 && d->store == NULL) {
        doctor_say(d, FINDING_FAILED, "providers",
                   "none is configured. Set a key such as OPENAI_API_KEY, describe an endpoint "
                   "under providers: in %s, or try it without any: stumper generate -n 20 "
                   "--engineer sim/engineer --checker sim/checker --target sim/target",
                   CONFIG_FILE);
    }
}

static const char *doctor_name(struct doctor *d, const struct doctor_probe *p) {
    return str_fmt(&d->arena, "%.*s/%.*s", STR_ARG(p->name.provider), STR_ARG(p->name.model)).p;
}

/* "; allows 500 requests and 200,000 tokens a minute", as far as its answer told. */
static const char *doctor_limits(struct doctor *d, const struct llm_model *model) {
    static const char *const units[LIMIT_KINDS] = {[LIMIT_REQUESTS] = "requests",
                                                   [LIMIT_TOKENS] = "tokens",
                                                   [LIMIT_INPUT] = "tokens in",
                                                   [LIMIT_FRESH] = "uncached tokens in",
                                                   [LIMIT_OUTPUT] = "tokens out"};
    struct str text = S("");
    for (int k = 0; k < LIMIT_KINDS; k++) {
        int64_t limit = llm_model_per_minute(model, (enum limit_kind)k);
        if (limit >= 0) {
            text = str_fmt(&d->arena, "%.*s%s%s %s", STR_ARG(text),
                           text.n == 0 ? "; allows " : ", ", term_count(limit).s, units[k]);
        }
    }
    return text.n == 0 ? "" : str_fmt(&d->arena, "%.*s a minute", STR_ARG(text)).p;
}

static void doctor_failed(struct doctor *d, const struct doctor_probe *p,
                          const struct call_answer *failure) {
    struct sbuf text;
    sbuf_init(&text, DOCTOR_TEXT_BYTES_MAX);
    const struct llm_provider *provider = llm_config_find(&d->llm_config, p->name.provider);
    doctor_diagnose(failure, provider, p->name.model,
                    doctor_proxy(provider->base_url, cmd_getenv, &d->arena), &text);
    doctor_say(d, FINDING_FAILED, doctor_name(d, p), "%s", sbuf_str(&text).p);
    sbuf_release(&text);
}

static void doctor_done(struct doctor *d) {
    if (--d->waiting == 0) {
        loop_stop(d->loop);
    }
}

static void doctor_answered(void *ctx, const struct call_answer *answer) {
    struct doctor_probe *p = ctx;
    struct doctor *d = p->doctor;
    if (answer->err == ERR_OK) {
        bool priced = llm_config_price(&d->llm_config, &p->name) != NULL;
        doctor_say(d, FINDING_OK, doctor_name(d, p), "answers, in %s%s%s",
                   term_latency(answer->latency_ms).s, doctor_limits(d, p->chain.models[0]),
                   priced ? "" : "; its price is not known (--max-cost will want --price)");
    } else {
        doctor_failed(d, p, answer);
    }
    doctor_done(d);
}

static void doctor_embedded(void *ctx, const struct llm_embedding *embedding) {
    struct doctor_probe *p = ctx;
    struct doctor *d = p->doctor;
    if (embedding->err == ERR_OK) {
        doctor_say(d, FINDING_OK, doctor_name(d, p), "embeds, a text as %zu numbers",
                   embedding->dimensions);
    } else {
        doctor_failed(d, p,
                      &(struct call_answer){.err = embedding->err, .detail = embedding->detail});
    }
    doctor_done(d);
}

/* A model for embeddings by its name answers nothing else. True if it is one, and was asked. */
static bool doctor_embeds(struct doctor *d, struct doctor_probe *p,
                          const struct llm_provider *provider) {
    const struct llm_alias *alias = llm_alias_find(provider, p->name.model);
    struct str model = alias != NULL ? str_of(alias->model) : p->name.model, text = S("OK");
    const struct llm_embed_request request = {
        .provider = provider, .model = model, .texts = &text, .texts_n = 1};
    return str_find(model, S("embed")) != STR_NPOS &&
           llm_embed(d->llm, &request, doctor_embedded, p) == ERR_OK;
}

/* True if a call is under way. */
static bool doctor_try(struct doctor *d, struct doctor_probe *p) {
    const struct llm_provider *provider = llm_config_find(&d->llm_config, p->name.provider);
    struct errinfo why = {0};
    const char *name = doctor_name(d, p);
    if (provider == NULL && str_eq(p->name.provider, S("sim"))) {
        doctor_say(d, FINDING_SKIPPED, name, "generate starts a simulator of its own");
        return false;
    }
    if (provider != NULL && llm_provider_lacks_key(provider)) {
        doctor_say(d, FINDING_SKIPPED, name, "not without a key");
        return false;
    }
    if (provider != NULL && doctor_embeds(d, p, provider)) {
        return true;
    }
    enum err e = llm_resolve(d->llm, &p->name, &p->chain.models[0], &why);
    if (e != ERR_OK) {
        doctor_say(d, FINDING_FAILED, name, "%s", errinfo_text(&why, e));
        return false;
    }
    p->chain.n = 1;
    llm_call(d->llm,
             &(struct llm_request){.chain = &p->chain,
                                   .spec = &d->question,
                                   .tag = "doctor",
                                   .done = doctor_answered,
                                   .ctx = p},
             &p->call);
    return true;
}

static void doctor_try_all(struct doctor *d) {
    d->question = (struct call_spec){
        .role = ROLE_TARGET,
        .messages = {{.author = CALL_USER, .text = S("Reply with the word OK.")}},
        .messages_n = 1,
        .output_tokens_max = DOCTOR_TOKENS_MAX};
    d->loop = loop_new();
    d->llm = llm_new(d->loop, &d->llm_config);
    for (size_t i = 0; i < d->probes_n; i++) {
        d->waiting += doctor_try(d, &d->probes[i]);
    }
    if (d->waiting > 0) {
        loop_run(d->loop);
    }
    llm_free(d->llm);
    loop_free(d->loop);
}

/* Reads all of it, beside whoever works with it. */
static void doctor_check_store(struct doctor *d) {
    static const char scheme[] = "sqlite:";
    const char *path =
        str_starts(str_of(d->store), S("sqlite:")) ? d->store + strlen(scheme) : d->store;
    char place[STORE_PLACE_BYTES];
    struct store_reader *reader;
    struct errinfo why = {0};
    store_place(path, place);
    enum err e = store_reader_open(path, &reader, &why);
    if (e == ERR_OK) {
        e = store_check(reader, &why);
        store_reader_close(reader);
    }
    if (e == ERR_OK) {
        doctor_say(d, FINDING_OK, "store",
                   "%s is sound: its jobs, attempts, calls and problems agree", place);
    } else {
        doctor_say(d, FINDING_FAILED, "store", "%s", errinfo_text(&why, e));
    }
}

static int doctor_run(struct doctor *d) {
    d->term = term_look(STDOUT_FILENO, cmd_getenv);
    if (d->store != NULL) {
        doctor_check_store(d);
    }
    if (doctor_check_config(d) == ERR_OK) {
        doctor_choose_models(d);
        doctor_check_keys(d);
        if (!d->offline) {
            doctor_add_defaults(d);
            doctor_try_all(d);
        }
    }
    if (d->failed == 0) {
        (void)puts(d->offline ? "All is well, as far as can be told offline." : "All is well.");
        return EXIT_DONE;
    }
    (void)printf("%d finding%s to mend.\n", d->failed, d->failed == 1 ? "" : "s");
    return EXIT_FAILED;
}

int cmd_doctor(int argc, char **argv) {
    struct doctor d = {0};
    const struct opt rows[] = {
        {.name = "offline",
         .kind = OPT_FLAG,
         .to = &d.offline,
         .argv_only = true,
         .help = "make no calls"},
        {.name = "timeout",
         .kind = OPT_DURATION,
         .value = "TIME",
         .to = &d.timeout_ms,
         .min = 100,
         .max = 3600000,
         .otherwise = "30s",
         .argv_only = true,
         .help = "how long an answer may take"},
        {.name = "config",
         .kind = OPT_STR,
         .value = "FILE",
         .to = &d.config_path,
         .help = "configuration; without it stumper.yaml in this folder, if it is there"},
        {.name = "store",
         .kind = OPT_STR,
         .value = "STORE",
         .to = &d.store,
         .help =
             "check this store, too, as after a restored backup: sqlite:FILE or postgresql://…; "
             "reads all of it"},
        {.group = "Models to try when none is named",
         .name = "engineer",
         .kind = OPT_STR,
         .value = "MODEL",
         .to = &d.models[ROLE_ENGINEER],
         .help = "as for generate"},
        {.name = "checker",
         .kind = OPT_STR,
         .value = "MODEL",
         .to = &d.models[ROLE_CHECKER],
         .help = "as for generate"},
        {.name = "target",
         .kind = OPT_STR,
         .value = "MODEL",
         .to = &d.models[ROLE_TARGET],
         .help = "as for generate"},
    };
    const struct opt_command command = {
        .name = "doctor",
        .summary = "check configuration, keys and endpoints",
        .args = "[PROVIDER/MODEL]...",
        .about = "Reads the configuration and sends one tiny request to every model that is named, "
                 "else to those of the settings (engineer, checker, target) and to the cheapest "
                 "known one of every other configured provider. Keys are never shown. Exits with 0 "
                 "only if all is well.",
        .examples = "  stumper doctor --offline\n"
                    "  stumper doctor --offline --store sqlite:stumper.db\n"
                    "  stumper doctor openai/gpt-5.4-mini lab/our-model\n",
        .rows = rows,
        .rows_n = ARRAY_LEN(rows),
        .args_max = DOCTOR_MODELS_MAX,
    };
    int code;
    arena_init(&d.arena, DOCTOR_ARENA_BYTES_MAX);
    if (config_options(&command, argc, argv, &d.arena, &d.config_path, &d.config, &d.options,
                       &code)) {
        code = doctor_run(&d);
    }
    arena_release(&d.arena);
    return code;
}
