/* run.h - one job, from a store to its end, in this process: what `generate` does once it knows
 * what is wanted. */
#ifndef STUMPER_CLI_RUN_H
#define STUMPER_CLI_RUN_H

#include "store/store_job.h"
#include "worker/worker.h"

struct run_options {
    const char *state_path; /* the store; made if it is not there */
    const struct job_spec *spec;
    const struct prompts *prompts;
    const struct llm_config *llm;
    /** Called about ten times a second and once at the end; NULL: never. */
    void (*tick)(void *ctx, const struct work_view *view, const struct llm_stats *stats);
    /** Called at the first Ctrl-C (and at SIGTERM), with what is still in flight; NULL: never. */
    void (*interrupted)(void *ctx, const struct work_view *view);
    void *ctx;
};

/* How it ended. */
struct run_result {
    bool was_done;         /* an earlier run had reached N: nothing was started */
    bool resumed;          /* an earlier run had begun it */
    struct work_view view; /* of this run; empty if was_done */
};

/**
 * Begin or resume the job of @options->state_path and run it until it stops.
 *
 * @return  ERR_OK however the job ended (see view.sched.stop and view.fatal) | ERR_CONFLICT: the
 *          store holds a job of another spec (names the field), or one whose calls are in batches |
 *          what store_open(), llm_resolve() say
 */
NODISCARD enum err run_job(const struct run_options *options, struct run_result *ret,
                           struct errinfo *reterr);

#endif
