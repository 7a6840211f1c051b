/* stumper serve: the flags of the service, and what it says when it starts. What happens then is in
 * serve.c. */
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/service.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVE_PEM_BYTES_MAX ((size_t)1024 * 1024)

struct serve_command {
    struct service service;
    const char *listen, *tls_cert, *tls_key;
    const char *models[ROLE_COUNT];
    int64_t body_bytes_max;
    struct job_models defaults[ROLE_COUNT];
};

/* --- what was given */

static enum err serve_read_pem(struct serve_command *c, const char *flag, const char *path,
                               const char **ret) {
    struct str text;
    if (path == NULL) {
        return ERR_OK;
    }
    enum err e = file_read(path, SERVE_PEM_BYTES_MAX, &c->service.arena, &text, &c->service.why);
    if (e != ERR_OK) {
        return errinfo_wrap(&c->service.why, e, "--%s", flag);
    }
    *ret = str_cstr(&c->service.arena, text);
    return ERR_OK;
}

static enum err serve_read_tls(struct serve_command *c) {
    if ((c->tls_cert == NULL) != (c->tls_key == NULL)) {
        return errinfo_set(&c->service.why, ERR_USAGE, "--tls-cert and --tls-key go together");
    }
    enum err e = serve_read_pem(c, "tls-cert", c->tls_cert, &c->service.serve.api.tls_cert);
    return e == ERR_OK ? serve_read_pem(c, "tls-key", c->tls_key, &c->service.serve.api.tls_key)
                       : e;
}

/* The secrets of webhooks come by the environment alone: a command line can be seen by everybody.
 */
static void serve_read_secrets(struct serve_command *c) {
    const char *secrets = cmd_getenv("STUMPER_WEBHOOK_SECRETS");
    c->service.serve.api.webhook_secrets = secrets;
    for (struct str left = str_of(secrets != NULL ? secrets : ""); left.n > 0;) {
        log_add_secret(str_split(&left, ' '));
    }
}

/* --- models */

static enum err serve_read_models(struct serve_command *c, enum role role, const char *text) {
    struct str left = str_of(text);
    struct job_models *to = &c->defaults[role];
    while (left.n > 0) {
        struct str name = str_trim(str_split(&left, ','));
        enum err e =
            to->n == JOB_MODELS_MAX
                ? errinfo_set(&c->service.why, ERR_USAGE, "names more than %d models",
                              JOB_MODELS_MAX)
                : model_name_parse(name, &c->service.arena, &to->v[to->n++], &c->service.why);
        if (e != ERR_OK) {
            return errinfo_wrap(&c->service.why, e, "--%s", role_name(role));
        }
    }
    return ERR_OK;
}

/* Can it be asked? Where nobody works the key is not missed: workers elsewhere have it. */
static enum err serve_check_model(const struct serve_command *c, const struct model_name *m,
                                  struct errinfo *reterr) {
    enum err e = llm_config_check_model(&c->service.llm, m, reterr);
    return e == ERR_AUTH && c->service.serve.workers == 0 ? ERR_OK : e;
}

/* A default that cannot be asked is an error now, not of every request. */
static enum err serve_check_defaults(struct serve_command *c) {
    for (int role = 0; role < ROLE_COUNT; role++) {
        for (size_t i = 0; i < c->defaults[role].n; i++) {
            enum err e = serve_check_model(c, &c->defaults[role].v[i], &c->service.why);
            if (e != ERR_OK) {
                return errinfo_wrap(&c->service.why, e, "--%s", role_name((enum role)role));
            }
        }
    }
    return ERR_OK;
}

/* Models for requests that name none; simulated ones where there is nothing else. */
static enum err serve_choose_models(struct serve_command *c) {
    const struct serve_options *o = &c->service.serve;
    bool simulate = o->workers > 0 && !service_has_provider(&c->service), wants_sim = false;
    for (int role = 0; role < ROLE_COUNT; role++) {
        const char *text = c->models[role];
        if (text == NULL && simulate) {
            text = str_fmt(&c->service.arena, "sim/%s", role_name((enum role)role)).p;
        }
        enum err e = text == NULL ? ERR_OK : serve_read_models(c, (enum role)role, text);
        if (e != ERR_OK) {
            return e;
        }
        wants_sim = wants_sim || (text != NULL && strstr(text, "sim/") != NULL);
    }
    c->service.serve.api.models = c->defaults;
    if (!wants_sim || o->workers == 0 || llm_config_find(&c->service.llm, S("sim")) != NULL) {
        return ERR_OK;
    }
    const char *beside = store_is_server(o->store_path) ? "stumper" : o->store_path;
    return sim_child_provide(
        &c->service.sim, str_fmt(&c->service.arena, "%s.truth.jsonl", beside).p,
        str_of(c->service.call.sim), &c->service.llm, &c->service.arena, &c->service.why);
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
            enum err e = serve_check_model(c, m, &why);
            if (e == ERR_OK && spec->batches) {
                e = llm_config_check_batches(&c->service.llm, m, &why);
            }
            if (e != ERR_OK) {
                jcheck_fail(check, pointer, "%s", errinfo_text(&why, e));
            } else if (spec->max_cost_nusd != MONEY_UNKNOWN &&
                       llm_config_price(&c->service.llm, m) == NULL) {
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
    const struct service *service = ctx;
    const struct serve_options *o = &service->serve;
    char url[SERVICE_URL_BYTES], store[STORE_PLACE_BYTES];
    store_place(o->store_path, store);
    service_url(service, port, url);
    (void)printf("stumper: serving %s, jobs in %s, ", url, store);
    if (o->workers > 0) {
        (void)printf("%" PRId64 " × %" PRId64 " attempts at once\n", o->workers, o->slots);
    } else {
        (void)printf("worked on elsewhere (stumper worker)\n");
    }
    if (service->sim.pid > 0) {
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

/* --- the command */

static enum err serve_prepare(struct serve_command *c) {
    struct service *service = &c->service;
    enum err e = service_read_listen(service, "listen", c->listen);
    e = e == ERR_OK ? service_read_store(service) : e;
    e = e == ERR_OK ? serve_read_tls(c) : e;
    e = e == ERR_OK ? service_prepare(service) : e;
    e = e == ERR_OK ? serve_choose_models(c) : e;
    return e == ERR_OK ? serve_check_defaults(c) : e;
}

static int serve_run(struct serve_command *c) {
    struct api_options *api = &c->service.serve.api;
    enum err e = serve_prepare(c);
    if (e != ERR_OK) {
        return service_fail(&c->service, "serve", e);
    }
    serve_read_secrets(c);
    c->service.serve.ready = serve_ready;
    api->check_spec = serve_check_spec;
    api->ctx = c;
    api->body_bytes_max = (size_t)c->body_bytes_max;
    return service_run(&c->service, "serve");
}

static size_t serve_where_rows(struct serve_command *c, struct opt *ret) {
    ret[0] = (struct opt){
        .group = "Service",
        .name = "listen",
        .kind = OPT_STR,
        .value = "ADDR:PORT",
        .to = &c->listen,
        .otherwise = "127.0.0.1:8080",
        .help = "where to listen; [::1]:8080 and unix:PATH work too, port 0 is any free one"};
    size_t n = 1 + service_place_rows(&c->service, ret + 1);
    ret[n++] = (struct opt){
        .name = "workers",
        .kind = OPT_INT,
        .value = "N",
        .to = &c->service.serve.workers,
        .max = CREW_WORKERS_MAX,
        .otherwise = "1",
        .help = "threads that work on jobs and share the providers' limits; one keeps thousands of "
                "calls in flight. 0: none; the work is done elsewhere (stumper worker)"};
    return n + service_work_rows(&c->service, ret + n);
}

static size_t serve_api_rows(struct serve_command *c, struct opt *ret) {
    struct api_options *api = &c->service.serve.api;
    const struct opt rows[] = {
        {.name = "max-queued",
         .kind = OPT_INT,
         .value = "N",
         .to = &api->queued_max,
         .max = INT64_C(1000000000),
         .otherwise = "1000000",
         .help = "refuse jobs (503) while so many are queued; 0: never"},
        {.name = "default-wait",
         .kind = OPT_INT,
         .value = "SECONDS",
         .to = &api->default_wait_s,
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
         .to = &api->private_webhooks,
         .help = "deliver webhooks to addresses that are not public, too"},
        {.name = "insecure-no-keys",
         .kind = OPT_FLAG,
         .to = &api->open_elsewhere,
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
    };
    memcpy(ret, rows, sizeof rows);
    return ARRAY_LEN(rows) + service_model_rows(&c->service, ret + ARRAY_LEN(rows));
}

int cmd_serve(int argc, char **argv) {
    struct serve_command *c = mem_new(sizeof *c); /* not for a stack that lives as long */
    struct opt rows[OPT_ROWS_MAX];
    size_t n = serve_where_rows(c, rows);
    n += serve_api_rows(c, rows + n);
    n += serve_model_rows(c, rows + n);
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
            "  stumper serve --store postgresql://db/jobs --broker redis://cache --workers 0\n"
            "  stumper serve --engineer openai/gpt-5.4 --checker openai/gpt-5.4 "
            "--target openai/gpt-5.4-mini\n",
        .rows = rows,
        .rows_n = n};
    int code;
    struct service *service = &c->service;
    arena_init(&service->arena, SERVICE_ARENA_BYTES_MAX);
    if (config_options(&command, argc, argv, &service->arena, &service->config, &service->settings,
                       &service->options, &code)) {
        code = serve_run(c);
    }
    arena_release(&service->arena);
    free(c);
    return code;
}
