/* stumper worker: works on the jobs of a store that others share. What happens is in serve.c: the
 * same as in the service, without its interface. */
#include "cli/service.h"

#include <inttypes.h>
#include <stdio.h>

struct worker_command {
    struct service service;
    const char *listen;
};

static enum err worker_read_store(struct service *s) {
    enum err e = service_read_store(s);
    if (e == ERR_OK && !store_is_server(s->serve.store_path)) {
        return errinfo_set(&s->why, ERR_USAGE,
                           "--store: a file belongs to one process: `stumper serve --store %s "
                           "--workers N` works on its jobs. Workers of their own want "
                           "postgresql://USER@HOST/NAME",
                           s->store);
    }
    return e;
}

static enum err worker_prepare(struct worker_command *c) {
    struct service *s = &c->service;
    enum err e = worker_read_store(s);
    if (e == ERR_OK && c->listen != NULL) {
        e = service_read_listen(s, "metrics-listen", c->listen);
    }
    e = e == ERR_OK ? service_prepare(s) : e;
    if (e == ERR_OK && !service_has_provider(s)) {
        return errinfo_set(&s->why, ERR_USAGE,
                           "no provider can be asked: set the key of one (OPENAI_API_KEY …), or "
                           "describe one in stumper.yaml. `stumper sim --port 9000` plays one: "
                           "OPENAI_BASE_URL=http://127.0.0.1:9000/v1 OPENAI_API_KEY=none");
    }
    return e;
}

static void worker_ready(void *ctx, int port) {
    const struct service *s = ctx;
    char url[SERVICE_URL_BYTES], store[STORE_PLACE_BYTES];
    store_place(s->serve.store_path, store);
    (void)printf("stumper: working on the jobs in %s, %" PRId64 " × %" PRId64 " attempts at once",
                 store, s->serve.workers, s->serve.slots);
    if (port >= 0) {
        service_url(s, port, url);
        (void)printf(", watched at %s/metrics", url);
    }
    (void)printf("\n");
    (void)fflush(stdout);
}

static int worker_run_command(struct worker_command *c) {
    struct serve_options *o = &c->service.serve;
    enum err e = worker_prepare(c);
    if (e != ERR_OK) {
        return service_fail(&c->service, "worker", e);
    }
    o->ready = worker_ready;
    o->worker_only = true;
    return service_run(&c->service, "worker");
}

static size_t worker_rows(struct worker_command *c, struct opt *ret) {
    size_t n = service_place_rows(&c->service, ret);
    ret[0].group = "Worker";
    ret[0].required = true;
    ret[0].otherwise = NULL;
    ret[0].help = "the PostgreSQL database that all share, postgresql://USER@HOST/NAME";
    ret[n++] = (struct opt){.name = "workers",
                            .kind = OPT_INT,
                            .value = "N",
                            .to = &c->service.serve.workers,
                            .min = 1,
                            .max = CREW_WORKERS_MAX,
                            .otherwise = "1",
                            .help = "threads that work on jobs and share the providers' limits; "
                                    "one keeps thousands of calls in flight"};
    n += service_work_rows(&c->service, ret + n);
    ret[n++] = (struct opt){.name = "metrics-listen",
                            .kind = OPT_STR,
                            .value = "ADDR:PORT",
                            .to = &c->listen,
                            .help = "answer /livez, /readyz and /metrics there, 127.0.0.1:9100 "
                                    "say; unix:PATH works too; without it nowhere"};
    size_t models = service_model_rows(&c->service, ret + n);
    ret[n].group = "Models";
    return n + models - 1; /* the last is of the simulator, which would be this worker's alone */
}

int cmd_worker(int argc, char **argv) {
    struct worker_command c = {0};
    struct opt rows[OPT_ROWS_MAX];
    const struct opt_command command = {
        .name = "worker",
        .summary = "works on the jobs of a store that others share",
        .about =
            "Any number of workers, on any number of machines, work on the jobs that API servers "
            "(stumper serve --workers 0) take, all with the same PostgreSQL store. They need the "
            "keys of the providers and the configuration that the jobs' models are described in. "
            "One that is killed is missed at once or after 15 s, and others go on with its jobs; "
            "SIGTERM drains: what is in flight is finished or given back. stumper workers tells "
            "who is there.",
        .examples = "  stumper worker --store postgresql://db/jobs --broker redis://cache\n"
                    "  stumper worker --store postgresql://db/jobs --workers 2 --concurrency 1000 "
                    "--metrics-listen 127.0.0.1:9100\n",
        .rows = rows,
        .rows_n = worker_rows(&c, rows)};
    int code;
    struct service *service = &c.service;
    arena_init(&service->arena, SERVICE_ARENA_BYTES_MAX);
    if (config_options(&command, argc, argv, &service->arena, &service->config, &service->settings,
                       &service->options, &code)) {
        code = worker_run_command(&c);
    }
    arena_release(&service->arena);
    return code;
}
