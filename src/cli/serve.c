/* Started from the inside out (store, broker, crew, API) and ended the other way round, but that
 * the API answers until the crew has drained: clients can follow their jobs to the last moment. */
#include "cli/serve.h"

#include "base/log.h"
#include "base/mem.h"
#include "cli/systemd.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

struct serve {
    const struct serve_options *options;
    struct loop *loop;
    struct metrics *metrics;
    struct judge_pool *judge;
    struct store *store;
    struct broker *broker;
    struct crew *crew;
    struct api *api;
    bool draining;
};

static void serve_drained(void *ctx) {
    struct serve *s = ctx;
    loop_stop(s->loop);
}

static void serve_drain(struct serve *s) {
    s->draining = true;
    systemd_notify("STOPPING=1");
    if (s->api != NULL) {
        api_drain(s->api);
    }
    if (s->options->draining != NULL) {
        s->options->draining(s->options->ctx);
    }
    crew_drain(s->crew, s->options->drain_ms, serve_drained, s);
}

static void serve_on_signal(void *ctx, int signum) {
    struct serve *s = ctx;
    (void)signum;
    if (s->draining && store_is_away(s->store)) {
        log_warn("the database is away: ending as if killed; what was promised is in it");
        _exit(EXIT_FAILURE); /* the workers would wait for it */
    }
    if (s->draining) {
        crew_drain(s->crew, 0, serve_drained, s);
    } else {
        serve_drain(s);
    }
}

static void serve_on_deserted(void *ctx) {
    struct serve *s = ctx;
    if (s->options->worker_only) {
        log_info("all workers of this process were asked to go: it ends");
        serve_drain(s);
    } else {
        log_warn("all workers of this process were asked to go; it serves on without any");
    }
}

static void serve_until_drained(struct serve *s) {
    loop_on_signal(s->loop, SIGINT, serve_on_signal, s);
    loop_on_signal(s->loop, SIGTERM, serve_on_signal, s);
    mem_trim();
    systemd_notify("READY=1");
    if (s->options->ready != NULL) {
        s->options->ready(s->options->ctx, s->api != NULL ? api_port(s->api) : -1);
    }
    loop_run(s->loop);
}

static enum err serve_start_crew(struct serve *s, struct errinfo *reterr) {
    const struct serve_options *o = s->options;
    return crew_start(&(struct crew_options){.loop = s->loop,
                                             .store = s->store,
                                             .broker = s->broker,
                                             .llm = o->llm,
                                             .prompts = o->prompts,
                                             .judge = s->judge,
                                             .workers = o->workers,
                                             .slots = o->slots,
                                             .batch_slots = o->batch_slots,
                                             .shared = store_is_server(o->store_path),
                                             .retain_ms = o->retain_ms,
                                             .drain_ms = o->drain_ms,
                                             .deserted = serve_on_deserted,
                                             .ctx = s,
                                             .metrics = s->metrics},
                      &s->crew, reterr);
}

/* The API failed to start: let the crew go that was there already. */
static void serve_dismiss(struct serve *s) {
    crew_drain(s->crew, 0, serve_drained, s);
    loop_run(s->loop);
}

static bool serve_is_degraded(void *ctx) {
    return broker_degraded(ctx) != NULL;
}

static bool serve_listens(const struct serve_options *o) {
    const struct httpd_listen *l = &o->api.listen;
    return l->address != NULL || l->unix_path != NULL || l->fd > 0;
}

static enum err serve_start_api(struct serve *s, struct errinfo *reterr) {
    struct api_options api = s->options->api;
    api.store = s->store;
    api.metrics = s->metrics;
    api.degraded = serve_is_degraded;
    api.degraded_ctx = s->broker;
    api.health_only = s->options->worker_only;
    return api_start(&api, &s->api, reterr);
}

static enum err serve_on_store(struct serve *s, struct errinfo *reterr) {
    enum err e = serve_start_crew(s, reterr);
    if (e != ERR_OK) {
        return e;
    }
    if (serve_listens(s->options)) {
        e = serve_start_api(s, reterr);
    }
    if (e == ERR_OK) {
        serve_until_drained(s);
    } else {
        serve_dismiss(s);
    }
    if (s->api != NULL) {
        api_stop(s->api);
    }
    crew_free(s->crew);
    return e;
}

static const struct {
    const char *scheme;
    enum err (*new)(const char *url, struct metrics *metrics, struct broker **ret,
                    struct errinfo *reterr);
} serve_brokers[] = {{"redis://", broker_redis_new},         {"rediss://", broker_redis_new},
                     {"amqp://", broker_rabbit_new},         {"amqps://", broker_rabbit_new},
                     {"postgresql://", broker_postgres_new}, {"postgres://", broker_postgres_new}};

static enum err serve_open_broker(struct serve *s, struct errinfo *reterr) {
    const char *url = s->options->broker;
    if (url == NULL) {
        s->broker = broker_local_new();
        return ERR_OK;
    }
    for (size_t i = 0; i < ARRAY_LEN(serve_brokers); i++) {
        if (str_starts(str_of(url), str_of(serve_brokers[i].scheme))) {
            enum err e = serve_brokers[i].new(url, s->metrics, &s->broker, reterr);
            return e == ERR_OK ? ERR_OK : errinfo_wrap(reterr, e, "--broker");
        }
    }
    return errinfo_set(
        reterr, ERR_USAGE,
        "--broker: begins with none of redis:// rediss:// amqp:// amqps:// postgresql://");
}

enum err serve(const struct serve_options *options, struct errinfo *reterr) {
    struct serve s = {.options = options};
    enum err e = judge_pool_new_default(&s.judge, reterr); /* before any thread */
    if (e != ERR_OK) {
        return e;
    }
    s.loop = loop_new();
    s.metrics = options->metrics;
    e = serve_open_broker(&s, reterr);
    if (e == ERR_OK) {
        e = store_open(options->store_path, s.metrics, &s.store, reterr);
        if (e == ERR_OK) {
            e = serve_on_store(&s, reterr);
            store_close(s.store);
        }
        broker_free(s.broker);
    }
    judge_pool_free(s.judge);
    loop_free(s.loop);
    return e;
}
