/* stumper serve: the flags of the service, and what it says when it starts. What happens then is in
 * serve.c. */
#include "base/file.h"
#include "base/log.h"
#include "cli/call_options.h"
#include "cli/reuse.h"
#include "cli/serve.h"
#include "cli/sim_child.h"
#include "cli/systemd.h"
#include "io/limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVE_ARENA_BYTES_MAX ((size_t)256 * 1024 * 1024)
#define SERVE_PEM_BYTES_MAX ((size_t)1024 * 1024)
#define SERVE_SCHEME "sqlite:"

struct serve_command {
    struct arena arena;
    const char *listen, *store, *config, *prompts_dir, *tls_cert, *tls_key, *cache;
    bool cache_engineer;
    const char *models[ROLE_COUNT];
    int64_t body_bytes_max;
    struct call_options call;
    struct opt_result options;
    struct config settings;
    struct llm_config llm;
    struct prompts prompts;
    struct job_models defaults[ROLE_COUNT];
    struct sim_child sim;
    struct reuse reuse;
    struct serve_options serve;
    char host[256];
    struct errinfo why;
};

/* --- what was given */

/* "127.0.0.1:8080", "[::1]:8080", "unix:/run/stumper.sock". */
static enum err serve_read_listen(struct serve_command *c) {
    struct httpd_listen *to = &c->serve.api.listen;
    *to = (struct httpd_listen){.fd = systemd_listen_fd()};
    if (to->fd >= 0) {
        return ERR_OK;
    }
    if (strncmp(c->listen, "unix:", 5) == 0) {
        to->unix_path = c->listen + 5;
        return ERR_OK;
    }
    const char *colon = strrchr(c->listen, ':');
    char *end = NULL;
    long port = colon == NULL ? -1 : strtol(colon + 1, &end, 10);
    size_t n = colon == NULL ? 0 : (size_t)(colon - c->listen);
    bool bracketed = n > 2 && c->listen[0] == '[' && c->listen[n - 1] == ']';
    if (port < 0 || port > 65535 || end == colon + 1 || *end != '\0' || n == 0 ||
        n >= sizeof c->host) {
        return errinfo_set(&c->why, ERR_USAGE,
                           "--listen: '%s' is neither ADDRESS:PORT (127.0.0.1:8080, [::1]:8080) "
                           "nor unix:PATH",
                           c->listen);
    }
    (void)snprintf(c->host, sizeof c->host, "%.*s", (int)(bracketed ? n - 2 : n),
                   c->listen + bracketed);
    to->address = c->host;
    to->port = (int)port;
    return ERR_OK;
}

static enum err serve_read_store(struct serve_command *c) {
    const char *path = c->store;
    if (strncmp(path, SERVE_SCHEME, strlen(SERVE_SCHEME)) == 0) {
        path += strlen(SERVE_SCHEME);
    } else if (strstr(path, "://") != NULL && !store_is_server(path)) {
        return errinfo_set(&c->why, ERR_UNSUPPORTED,
                           "--store: wants sqlite:FILE or postgresql://USER@HOST/NAME");
    }
    if (*path == '\0') {
        return errinfo_set(&c->why, ERR_USAGE, "--store: sqlite: wants a file after it");
    }
    c->serve.store_path = path;
    return ERR_OK;
}

static enum err serve_read_pem(struct serve_command *c, const char *flag, const char *path,
                               const char **ret) {
    struct str text;
    if (path == NULL) {
        return ERR_OK;
    }
    enum err e = file_read(path, SERVE_PEM_BYTES_MAX, &c->arena, &text, &c->why);
    if (e != ERR_OK) {
        return errinfo_wrap(&c->why, e, "--%s", flag);
    }
    *ret = str_cstr(&c->arena, text);
    return ERR_OK;
}

static enum err serve_read_tls(struct serve_command *c) {
    if ((c->tls_cert == NULL) != (c->tls_key == NULL)) {
        return errinfo_set(&c->why, ERR_USAGE, "--tls-cert and --tls-key go together");
    }
    enum err e = serve_read_pem(c, "tls-cert", c->tls_cert, &c->serve.api.tls_cert);
    return e == ERR_OK ? serve_read_pem(c, "tls-key", c->tls_key, &c->serve.api.tls_key) : e;
}

/* The secrets of webhooks come by the environment alone: a command line can be seen by everybody.
 */
static void serve_read_secrets(struct serve_command *c) {
    const char *secrets = cmd_getenv("STUMPER_WEBHOOK_SECRETS");
    c->serve.api.webhook_secrets = secrets;
    for (struct str left = str_of(secrets != NULL ? secrets : ""); left.n > 0;) {
        log_add_secret(str_split(&left, ' '));
    }
}

/* --- models */

/* Is any provider there that could be asked? */
static bool serve_has_provider(const struct serve_command *c) {
    bool has = jnode_get(c->settings.root, "providers") != NULL;
    for (size_t i = 0; i < c->llm.providers_n; i++) {
        has = has || c->llm.providers[i].keys_n > 0;
    }
    return has;
}

static enum err serve_read_models(struct serve_command *c, enum role role, const char *text) {
    struct str left = str_of(text);
    struct job_models *to = &c->defaults[role];
    while (left.n > 0) {
        struct str name = str_trim(str_split(&left, ','));
        enum err e =
            to->n == JOB_MODELS_MAX
                ? errinfo_set(&c->why, ERR_USAGE, "names more than %d models", JOB_MODELS_MAX)
                : model_name_parse(name, &c->arena, &to->v[to->n++], &c->why);
        if (e != ERR_OK) {
            return errinfo_wrap(&c->why, e, "--%s", role_name(role));
        }
    }
    return ERR_OK;
}

/* A default that cannot be asked is an error now, not of every request. */
static enum err serve_check_defaults(struct serve_command *c) {
    for (int role = 0; role < ROLE_COUNT; role++) {
        for (size_t i = 0; i < c->defaults[role].n; i++) {
            enum err e = llm_config_check_model(&c->llm, &c->defaults[role].v[i], &c->why);
            if (e != ERR_OK) {
                return errinfo_wrap(&c->why, e, "--%s", role_name((enum role)role));
            }
        }
    }
    return ERR_OK;
}

/* Models for requests that name none; simulated ones where there is nothing else. */
static enum err serve_choose_models(struct serve_command *c) {
    bool simulate = !serve_has_provider(c), wants_sim = false;
    for (int role = 0; role < ROLE_COUNT; role++) {
        const char *text = c->models[role];
        if (text == NULL && simulate) {
            text = str_fmt(&c->arena, "sim/%s", role_name((enum role)role)).p;
        }
        enum err e = text == NULL ? ERR_OK : serve_read_models(c, (enum role)role, text);
        if (e != ERR_OK) {
            return e;
        }
        wants_sim = wants_sim || (text != NULL && strstr(text, "sim/") != NULL);
    }
    c->serve.api.models = c->defaults;
    if (!wants_sim || llm_config_find(&c->llm, S("sim")) != NULL) {
        return ERR_OK;
    }
    const char *beside = store_is_server(c->serve.store_path) ? "stumper" : c->serve.store_path;
    return sim_child_provide(&c->sim, str_fmt(&c->arena, "%s.truth.jsonl", beside).p,
                             str_of(c->call.sim), &c->llm, &c->arena, &c->why);
}

/* On the API's thread: what a request asks for that this server cannot do. */
static void serve_check_spec(void *ctx, const struct job_spec *spec, struct jcheck *check) {
    const struct serve_command *c = ctx;
    for (int role = 0; role < ROLE_COUNT; role++) {
        const struct job_models *models = &spec->models[role];
        struct errinfo why;
        char pointer[32];
        (void)snprintf(pointer, sizeof pointer, "/%s_model", role_name((enum role)role));
        for (size_t i = 0; i < models->n; i++) {
            const struct model_name *m = &models->v[i];
            enum err e = llm_config_check_model(&c->llm, m, &why);
            if (e != ERR_OK) {
                jcheck_fail(check, pointer, "%s", errinfo_text(&why, e));
            } else if (spec->max_cost_nusd != MONEY_UNKNOWN &&
                       llm_config_price(&c->llm, m) == NULL) {
                jcheck_fail(check, "/max_cost_usd",
                            "the price of %.*s/%.*s is not known, so no budget can be held; the "
                            "server's operator can say it (serve --price)",
                            STR_ARG(m->provider), STR_ARG(m->model));
            }
        }
    }
}

/* --- saying what is going on */

static void serve_ready(void *ctx, int port) {
    const struct serve_command *c = ctx;
    const struct serve_options *o = &c->serve;
    char url[320], store[STORE_PLACE_BYTES];
    store_place(o->store_path, store);
    if (o->api.listen.unix_path != NULL) {
        (void)snprintf(url, sizeof url, "--unix-socket %s http://localhost",
                       o->api.listen.unix_path);
    } else {
        bool v6 = strchr(c->host, ':') != NULL;
        (void)snprintf(url, sizeof url, "%s://%s%s%s:%d",
                       o->api.tls_cert != NULL ? "https" : "http", v6 ? "[" : "",
                       c->host[0] != '\0' ? c->host : "127.0.0.1", v6 ? "]" : "", port);
    }
    (void)printf("stumper: serving %s, jobs in %s, %" PRId64 " × %" PRId64 " attempts at once\n",
                 url, store, o->workers, o->slots);
    if (c->sim.pid > 0) {
        (void)printf("No key of a provider is set: simulated models answer (sim/engineer, "
                     "sim/checker, sim/target).\n");
    }
    (void)printf(
        "\n  job=$(curl -s %s/generate -H 'content-type: application/json' \\\n"
        "      -d '{\"num_problems\": 5}' | sed 's/.*\"job_id\":\"\\([^\"]*\\)\".*/\\1/')\n"
        "  curl -s \"%s/status/$job?wait=20\"\n"
        "  curl -s \"%s/jobs/$job/results\" -H 'accept: application/jsonl'\n\n"
        "The interface is described at %s/docs. Ctrl-C ends.\n",
        url, url, url, url);
    (void)fflush(stdout);
}

static void serve_draining(void *ctx) {
    const struct serve_command *c = ctx;
    (void)fprintf(stderr,
                  "stumper: draining: finishing what is in flight, for %" PRId64
                  " s at most (Ctrl-C again stops now)\n",
                  c->serve.drain_ms / 1000);
}

/* --- the command */

static void serve_on_trouble(struct str model, const char *why) {
    if (why != NULL) {
        log_warn("no answers: %s; its calls wait, and it is asked again now and then", why);
    } else {
        log_info("%.*s answers again", STR_ARG(model));
    }
}

static enum err serve_prepare_llm(struct serve_command *c) {
    enum err e = call_options_config(&c->call, &c->options, &c->settings, c->serve.workers,
                                     &c->arena, &c->llm, &c->why);
    c->llm.in_flight_max = c->serve.slots;
    c->llm.on_trouble = serve_on_trouble;
    return e;
}

static enum err serve_prepare(struct serve_command *c) {
    enum err (*const steps[])(struct serve_command *) = {serve_read_listen, serve_read_store,
                                                         serve_read_tls, serve_prepare_llm};
    enum err e = ERR_OK;
    for (size_t i = 0; i < ARRAY_LEN(steps) && e == ERR_OK; i++) {
        e = steps[i](c);
    }
    if (e == ERR_OK) {
        e = load_prompts(c->prompts_dir, false, &c->arena, &c->prompts, &c->why);
    }
    if (e == ERR_OK) {
        e = limits_check_connections(c->serve.workers * c->serve.slots, &c->why);
    }
    e = e == ERR_OK ? serve_choose_models(c) : e;
    return e == ERR_OK ? serve_check_defaults(c) : e;
}

/* No service fails by its cache. */
static void serve_close_cache(struct serve_command *c) {
    struct errinfo why = {0};
    enum err e = reuse_close(&c->reuse, &why);
    if (e != ERR_OK) {
        log_warn("%s: not all answers could be kept or used: %s", c->cache, errinfo_text(&why, e));
    }
}

static int serve_run(struct serve_command *c) {
    struct serve_options *o = &c->serve;
    enum err e = serve_prepare(c);
    if (e != ERR_OK) {
        return cmd_fail("serve", e == ERR_IO || e == ERR_TIMEOUT ? EXIT_FAILED : EXIT_USAGE, "%s",
                        errinfo_text(&c->why, e));
    }
    serve_read_secrets(c);
    (void)limits_raise_files();
    o->llm = &c->llm;
    o->prompts = &c->prompts;
    o->ready = serve_ready;
    o->draining = serve_draining;
    o->ctx = c;
    o->api.check_spec = serve_check_spec;
    o->api.ctx = c;
    o->api.retain_ms = o->retain_ms;
    o->api.body_bytes_max = (size_t)c->body_bytes_max;
    e = reuse_open(&c->reuse, c->cache, c->cache_engineer, &c->llm, &c->why);
    if (e == ERR_OK) {
        e = serve(o, &c->why);
        serve_close_cache(c);
    }
    sim_child_stop(&c->sim);
    return e == ERR_OK ? EXIT_DONE
                       : cmd_fail("serve", e == ERR_USAGE ? EXIT_USAGE : EXIT_FAILED, "%s",
                                  errinfo_text(&c->why, e));
}

static size_t serve_service_rows(struct serve_command *c, struct opt *ret) {
    struct serve_options *o = &c->serve;
    const struct opt rows[] = {
        {.group = "Service",
         .name = "listen",
         .kind = OPT_STR,
         .value = "ADDR:PORT",
         .to = &c->listen,
         .otherwise = "127.0.0.1:8080",
         .help = "where to listen; [::1]:8080 and unix:PATH work too, port 0 is any free one"},
        {.name = "store",
         .kind = OPT_STR,
         .value = "STORE",
         .to = &c->store,
         .otherwise = "sqlite:stumper.db",
         .help =
             "where jobs, answers and problems are kept: sqlite:FILE, postgresql://USER@HOST/NAME"},
        {.name = "broker",
         .kind = OPT_STR,
         .value = "URL",
         .to = &o->broker,
         .help =
             "wake workers by way of Redis or RabbitMQ: redis://[USER:PASSWORD@]HOST[:PORT][/DB] "
             "or amqp://…[/VHOST], rediss:// and amqps:// over TLS; without it within the "
             "process"},
        {.name = "workers",
         .kind = OPT_INT,
         .value = "N",
         .to = &o->workers,
         .min = 1,
         .max = CREW_WORKERS_MAX,
         .otherwise = "1",
         .help =
             "threads that work on jobs and share the providers' limits; one keeps thousands of "
             "calls in flight"},
        {.name = "concurrency",
         .kind = OPT_INT,
         .value = "N",
         .to = &o->slots,
         .min = 1,
         .max = JOB_CONCURRENCY_MAX,
         .otherwise = "256",
         .help = "attempts in flight at once in each worker, over all jobs"},
        {.name = "drain",
         .kind = OPT_DURATION,
         .value = "TIME",
         .to = &o->drain_ms,
         .max = INT64_C(86400000),
         .otherwise = "30s",
         .help = "at SIGTERM, how long what is in flight may take to finish"},
        {.name = "retain",
         .kind = OPT_DURATION,
         .value = "TIME",
         .to = &o->retain_ms,
         .max = INT64_C(315360000000),
         .otherwise = "30d",
         .help = "delete jobs so long after their end; 0: never"},
        {.name = "default-wait",
         .kind = OPT_INT,
         .value = "SECONDS",
         .to = &o->api.default_wait_s,
         .max = API_WAIT_SECONDS_MAX,
         .otherwise = "0",
         .help = "as if requests for jobs came with Prefer: wait=SECONDS, for clients that cannot"},
        {.name = "tls-cert",
         .kind = OPT_STR,
         .value = "FILE",
         .to = &c->tls_cert,
         .help = "serve HTTPS with this certificate chain (PEM)"},
        {.name = "tls-key",
         .kind = OPT_STR,
         .value = "FILE",
         .to = &c->tls_key,
         .help = "and this private key"},
        {.name = "max-body",
         .kind = OPT_INT,
         .value = "BYTES",
         .to = &c->body_bytes_max,
         .min = 1024,
         .max = INT64_C(268435456),
         .otherwise = "8388608",
         .help = "the largest request body"},
        {.name = "allow-private-webhooks",
         .kind = OPT_FLAG,
         .to = &o->api.private_webhooks,
         .help = "deliver webhooks to addresses that are not public, too"},
        {.name = "insecure-no-keys",
         .kind = OPT_FLAG,
         .to = &o->api.open_elsewhere,
         .help = "listen beyond this machine although there is no API key"},
    };
    memcpy(ret, rows, sizeof rows);
    return ARRAY_LEN(rows);
}

static size_t serve_model_rows(struct serve_command *c, struct opt *ret) {
    const struct opt rows[] = {
        {.group = "Models",
         .name = "engineer",
         .kind = OPT_STR,
         .value = "MODEL",
         .to = &c->models[ROLE_ENGINEER],
         .help = "for requests that name no engineer_model"},
        {.name = "checker",
         .kind = OPT_STR,
         .value = "MODEL",
         .to = &c->models[ROLE_CHECKER],
         .help = "likewise"},
        {.name = "target",
         .kind = OPT_STR,
         .value = "MODEL",
         .to = &c->models[ROLE_TARGET],
         .help = "likewise"},
        {.name = "prompts",
         .kind = OPT_STR,
         .value = "DIR",
         .to = &c->prompts_dir,
         .help = "prompt templates in place of those that ship"},
        {.name = "cache",
         .kind = OPT_STR,
         .value = "FILE",
         .to = &c->cache,
         .help = "keep answers there, and take them from there instead of paying for the same call "
                 "in another job of the same API key"},
        {.name = "cache-engineer",
         .kind = OPT_FLAG,
         .to = &c->cache_engineer,
         .help = "the engineer's answers, too: the same problems again"},
        {.name = "config",
         .kind = OPT_STR,
         .value = "FILE",
         .to = &c->config,
         .argv_only = true,
         .help = "configuration; without it stumper.yaml in this folder, if it is there"},
    };
    memcpy(ret, rows, sizeof rows);
    return ARRAY_LEN(rows);
}

int cmd_serve(int argc, char **argv) {
    struct serve_command c = {0};
    struct opt rows[OPT_ROWS_MAX];
    size_t n = serve_service_rows(&c, rows);
    n += serve_model_rows(&c, rows + n);
    call_options_rows(&c.call, rows + n);
    n += CALL_OPTIONS_ROWS;
    const struct opt_command command = {
        .name = "serve",
        .summary = "the service: jobs over HTTP, a durable queue, workers",
        .about =
            "Takes jobs by POST /generate, answers at once, works on them, and tells how they are "
            "doing by GET /status/{job_id}. A job that was answered with 202 is on disk: it "
            "survives a crash, and goes on when the service is started again.\n\n"
            "Beyond this machine (--listen 0.0.0.0:8080) clients need keys: stumper keys add. "
            "Webhooks are signed with STUMPER_WEBHOOK_SECRETS (whsec_…); without it none are "
            "taken.",
        .examples =
            "  stumper serve\n"
            "  stumper serve --listen unix:/run/stumper.sock --store sqlite:/var/lib/jobs.db\n"
            "  stumper serve --engineer openai/gpt-5.4 --checker openai/gpt-5.4 "
            "--target openai/gpt-5.4-mini\n",
        .rows = rows,
        .rows_n = n};
    int code;
    arena_init(&c.arena, SERVE_ARENA_BYTES_MAX);
    if (config_options(&command, argc, argv, &c.arena, &c.config, &c.settings, &c.options, &code)) {
        code = serve_run(&c);
    }
    arena_release(&c.arena);
    return code;
}
