/* serve.h - a process of the service, once it is known what is wanted: store, broker, workers, API,
 * from the start to the end of a drain. Alone, or with others on the same store. */
#ifndef STUMPER_CLI_SERVE_H
#define STUMPER_CLI_SERVE_H

#include "api/api.h"
#include "worker/crew.h"

struct serve_options {
    const char *store_path;
    const char *broker; /* the URL of a server, or NULL: tokens stay in this process */
    const struct llm_config *llm;
    const struct prompts *prompts;
    struct metrics *metrics;
    int64_t workers, slots, batch_slots; /* slots of each; no workers: the API alone */
    bool worker_only; /* of the API nothing but health and metrics, and that only if it is to
                         listen; ends when others have asked all its workers to go */
    int64_t drain_ms, retain_ms;
    struct api_options api; /* without store and metrics */
    /** Called once, when requests are answered. @port: -1 if none ever are. */
    void (*ready)(void *ctx, int port);
    /** Called at the first SIGTERM or Ctrl-C. */
    void (*draining)(void *ctx);
    void *ctx;
};

/**
 * Serve until SIGTERM or Ctrl-C; then drain: no job is taken, no attempt begun, what is in flight
 * is finished for drain_ms at most, and given back after that. A second signal ends that at once.
 *
 * @return  ERR_OK: drained, everything is on disk | ERR_USAGE: the broker's URL | what
 *          store_open(), api_start(), crew_start() say
 */
NODISCARD enum err serve(const struct serve_options *options, struct errinfo *reterr);

#endif
