/* service.h - what the commands `serve` and `worker` have in common: where the jobs are, how they
 * are worked on and how models are asked; from the flags to the end of the drain. */
#ifndef STUMPER_CLI_SERVICE_H
#define STUMPER_CLI_SERVICE_H

#include "cli/call_options.h"
#include "cli/reuse.h"
#include "cli/serve.h"
#include "cli/sim_child.h"

/* Zero-initialise it, but for the arena. */
struct service {
    struct arena arena;
    const char *store, *config, *prompts_dir, *cache;
    bool cache_engineer;
    struct call_options call;
    struct opt_result options;
    struct config settings;
    struct llm_config llm;
    struct prompts prompts;
    struct sim_child sim; /* of the command, if it starts one */
    struct reuse reuse;
    struct serve_options serve;
    char host[256]; /* that it listens at */
    struct errinfo why;
};

#define SERVICE_ARENA_BYTES_MAX ((size_t)256 * 1024 * 1024)

/* The rows of these flags go to @ret; how many there were. */
size_t service_place_rows(struct service *s, struct opt *ret); /* --store, --broker */
size_t service_work_rows(struct service *s, struct opt *ret);  /* --concurrency and how to end */
size_t service_model_rows(struct service *s, struct opt *ret); /* prompts, cache, config, calls */

/** Read where to listen: "127.0.0.1:8080", "[::1]:8080", "unix:/run/stumper.sock". @flag: whose
 * value @text is, for the error, ERR_USAGE. */
NODISCARD enum err service_read_listen(struct service *s, const char *flag, const char *text);

/** What --store names: the file's path, or the server's address. ERR_USAGE | ERR_UNSUPPORTED. */
NODISCARD enum err service_store_path(const char *store, const char **ret, struct errinfo *reterr);

/** Read --store into serve.store_path. ERR_USAGE | ERR_UNSUPPORTED. */
NODISCARD enum err service_read_store(struct service *s);

/** Providers, prices, prompts, limits of this process. Errors say what is wrong in s->why. */
NODISCARD enum err service_prepare(struct service *s);

/** Is there a provider that could be asked? */
bool service_has_provider(const struct service *s);

/** What clients ask, once it listens at @port: a URL, or curl's words for a socket. */
#define SERVICE_URL_BYTES 320
void service_url(const struct service *s, int port, char ret[SERVICE_URL_BYTES]);

/** serve() with all of it; the exit code. @command: for errors. */
int service_run(struct service *s, const char *command);

/** An error of what is done before service_run() is told; the exit code. */
int service_fail(const struct service *s, const char *command, enum err e);

#endif
