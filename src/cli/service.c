#include "cli/service.h"

#include "base/log.h"
#include "cli/systemd.h"
#include "io/limits.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SERVICE_FILE_SCHEME "sqlite:"

/* --- rows */

size_t service_place_rows(struct service *s, struct opt *ret) {
    const struct opt rows[] = {
        {.name = "store",
         .kind = OPT_STR,
         .value = "STORE",
         .to = &s->store,
         .otherwise = "sqlite:stumper.db",
         .help =
             "where jobs, answers and problems are kept: sqlite:FILE, postgresql://USER@HOST/NAME"},
        {.name = "broker",
         .kind = OPT_STR,
         .value = "URL",
         .to = &s->serve.broker,
         .help =
             "wake workers by way of Redis, RabbitMQ or PostgreSQL: "
             "redis://[USER:PASSWORD@]HOST[:PORT][/DB], amqp://…[/VHOST], rediss:// and amqps:// "
             "over TLS, postgresql://…/NAME; without it within the process"},
    };
    memcpy(ret, rows, sizeof rows);
    return ARRAY_LEN(rows);
}

size_t service_work_rows(struct service *s, struct opt *ret) {
    const struct opt rows[] = {
        {.name = "concurrency",
         .kind = OPT_INT,
         .value = "N",
         .to = &s->serve.slots,
         .min = 1,
         .max = JOB_CONCURRENCY_MAX,
         .otherwise = "256",
         .help = "attempts in flight at once in each worker, over all jobs"},
        {.name = "batch-concurrency",
         .kind = OPT_INT,
         .value = "N",
         .to = &s->serve.batch_slots,
         .min = 1,
         .max = JOB_CONCURRENCY_MAX,
         .otherwise = "10000",
         .help = "beside them, those of jobs with mode batch, whose calls wait for hours"},
        {.name = "drain",
         .kind = OPT_DURATION,
         .value = "TIME",
         .to = &s->serve.drain_ms,
         .max = INT64_C(86400000),
         .otherwise = "30s",
         .help = "at SIGTERM, how long what is in flight may take to finish"},
        {.name = "retain",
         .kind = OPT_DURATION,
         .value = "TIME",
         .to = &s->serve.retain_ms,
         .max = INT64_C(315360000000),
         .otherwise = "30d",
         .help = "delete jobs so long after their end; 0: never"},
    };
    memcpy(ret, rows, sizeof rows);
    return ARRAY_LEN(rows);
}

size_t service_model_rows(struct service *s, struct opt *ret) {
    const struct opt rows[] = {
        {.name = "prompts",
         .kind = OPT_STR,
         .value = "DIR",
         .to = &s->prompts_dir,
         .help = "prompt templates in place of those that ship"},
        {.name = "cache",
         .kind = OPT_STR,
         .value = "FILE",
         .to = &s->cache,
         .help = "keep answers there, and take them from there instead of paying for the same call "
                 "in another job of the same API key"},
        {.name = "cache-engineer",
         .kind = OPT_FLAG,
         .to = &s->cache_engineer,
         .help = "the engineer's answers, too: the same problems again"},
        {.name = "config",
         .kind = OPT_STR,
         .value = "FILE",
         .to = &s->config,
         .argv_only = true,
         .help = "configuration; without it stumper.yaml in this folder, if it is there"},
    };
    memcpy(ret, rows, sizeof rows);
    call_options_rows(&s->call, ret + ARRAY_LEN(rows));
    return ARRAY_LEN(rows) + CALL_OPTIONS_ROWS;
}

/* --- what was given */

enum err service_read_listen(struct service *s, const char *flag, const char *text) {
    struct httpd_listen *to = &s->serve.api.listen;
    *to = (struct httpd_listen){.fd = systemd_listen_fd()};
    if (to->fd >= 0) {
        return ERR_OK;
    }
    if (strncmp(text, "unix:", 5) == 0) {
        to->unix_path = text + 5;
        return ERR_OK;
    }
    const char *colon = strrchr(text, ':');
    char *end = NULL;
    long port = colon == NULL ? -1 : strtol(colon + 1, &end, 10);
    size_t n = colon == NULL ? 0 : (size_t)(colon - text);
    bool bracketed = n > 2 && text[0] == '[' && text[n - 1] == ']';
    if (port < 0 || port > 65535 || end == colon + 1 || *end != '\0' || n == 0 ||
        n >= sizeof s->host) {
        return errinfo_set(&s->why, ERR_USAGE,
                           "--%s: '%s' is neither ADDRESS:PORT (127.0.0.1:8080, [::1]:8080) "
                           "nor unix:PATH",
                           flag, text);
    }
    (void)snprintf(s->host, sizeof s->host, "%.*s", (int)(bracketed ? n - 2 : n), text + bracketed);
    to->address = s->host;
    to->port = (int)port;
    return ERR_OK;
}

/* "sqllite:jobs.db" is no file's name; one that has a colon can be written as sqlite:a:b or ./a:b.
 */
static bool service_has_scheme(const char *path) {
    size_t n = strspn(path, "abcdefghijklmnopqrstuvwxyz+");
    return n > 0 && path[n] == ':';
}

enum err service_store_path(const char *store, const char **ret, struct errinfo *reterr) {
    const char *path = store;
    if (strncmp(path, SERVICE_FILE_SCHEME, strlen(SERVICE_FILE_SCHEME)) == 0) {
        path += strlen(SERVICE_FILE_SCHEME);
    } else if (service_has_scheme(path) && !store_is_server(path)) {
        return errinfo_set(reterr, ERR_UNSUPPORTED,
                           "--store: wants sqlite:FILE or postgresql://USER@HOST/NAME");
    }
    if (*path == '\0') {
        return errinfo_set(reterr, ERR_USAGE, "--store: sqlite: wants a file after it");
    }
    *ret = path;
    return ERR_OK;
}

/* Told before anything is started, and by its name. */
static enum err service_check_folder(struct service *s) {
    const char *path = s->serve.store_path, *slash = strrchr(path, '/');
    size_t n = slash == NULL ? 0 : (size_t)(slash - path);
    const char *folder = slash == NULL ? "."
                         : n == 0      ? "/"
                                       : str_fmt(&s->arena, "%.*s", (int)n, path).p;
    return store_is_server(path) || access(folder, W_OK | X_OK) == 0
               ? ERR_OK
               : errinfo_set(&s->why, ERR_IO, "--store: cannot keep %s: the directory %s: %s", path,
                             folder, strerror(errno));
}

enum err service_read_store(struct service *s) {
    enum err e = service_store_path(s->store, &s->serve.store_path, &s->why);
    return e == ERR_OK ? service_check_folder(s) : e;
}

static void service_on_trouble(struct str model, const char *why) {
    if (why != NULL) {
        log_warn("no answers: %s; its calls wait, and it is asked again now and then", why);
    } else {
        log_info("%.*s answers again", STR_ARG(model));
    }
}

enum err service_prepare(struct service *s) {
    const struct serve_options *o = &s->serve;
    enum err e =
        call_options_config(&s->call, &s->options, &s->settings, true, &s->arena, &s->llm, &s->why);
    s->llm.in_flight_max = o->slots;
    s->llm.on_trouble = service_on_trouble;
    if (e == ERR_OK) {
        e = load_prompts(s->prompts_dir, false, &s->arena, &s->prompts, &s->why);
    }
    return e == ERR_OK ? limits_check_connections(o->workers * o->slots, &s->why) : e;
}

bool service_has_provider(const struct service *s) {
    bool has = jnode_get(s->settings.root, "providers") != NULL;
    for (size_t i = 0; i < s->llm.providers_n; i++) {
        has = has || s->llm.providers[i].keys_n > 0;
    }
    return has;
}

/* --- running */

void service_url(const struct service *s, int port, char ret[SERVICE_URL_BYTES]) {
    const struct api_options *api = &s->serve.api;
    if (api->listen.unix_path != NULL) {
        (void)snprintf(ret, SERVICE_URL_BYTES, "--unix-socket %s http://localhost",
                       api->listen.unix_path);
        return;
    }
    bool v6 = strchr(s->host, ':') != NULL;
    (void)snprintf(ret, SERVICE_URL_BYTES, "%s://%s%s%s:%d",
                   api->tls_cert != NULL ? "https" : "http", v6 ? "[" : "",
                   s->host[0] != '\0' ? s->host : "127.0.0.1", v6 ? "]" : "", port);
}

static void service_draining(void *ctx) {
    const struct service *s = ctx;
    (void)fprintf(stderr,
                  "stumper: draining: finishing what is in flight, for %" PRId64
                  " s at most (Ctrl-C again stops now)\n",
                  s->serve.drain_ms / 1000);
}

static const struct metric_family service_cache_failing = {
    .name = "stumper_cache_failing",
    .help = "1 when the cache of answers could not be read or written, and is out of use",
    .kind = METRIC_GAUGE};

/* No service fails by its cache: it goes on without. Any thread. */
static void service_cache_failed(void *ctx, const char *why) {
    const struct service *s = ctx;
    log_warn("%s: %s; going on without this cache until the service is started again", s->cache,
             why);
    metric_set(metric_get(s->serve.metrics, &service_cache_failing, NULL, 0), 1);
}

static void service_watch_cache(struct service *s) {
    if (s->reuse.cache != NULL) {
        metric_set(metric_get(s->serve.metrics, &service_cache_failing, NULL, 0), 0);
        cache_on_failure(s->reuse.cache, service_cache_failed, s);
    }
}

static void service_close_cache(struct service *s) {
    struct errinfo why;
    enum err e = reuse_close(&s->reuse, &why); /* was told when it happened */
    (void)e;
}

int service_fail(const struct service *s, const char *command, enum err e) {
    return cmd_fail(command, e == ERR_IO || e == ERR_TIMEOUT ? EXIT_FAILED : EXIT_USAGE, "%s",
                    errinfo_text(&s->why, e));
}

int service_run(struct service *s, const char *command) {
    struct serve_options *o = &s->serve;
    (void)limits_raise_files();
    o->llm = &s->llm;
    o->prompts = &s->prompts;
    o->draining = service_draining;
    o->ctx = s;
    o->api.retain_ms = o->retain_ms;
    enum err e = reuse_open(&s->reuse, s->cache, s->cache_engineer, &s->llm, &s->why);
    if (e == ERR_OK) {
        o->metrics = metrics_new();
        service_watch_cache(s);
        e = serve(o, &s->why);
        service_close_cache(s);
        metrics_free(o->metrics);
    }
    sim_child_stop(&s->sim);
    return e == ERR_OK ? EXIT_DONE
                       : cmd_fail(command, e == ERR_USAGE ? EXIT_USAGE : EXIT_FAILED, "%s",
                                  errinfo_text(&s->why, e));
}
