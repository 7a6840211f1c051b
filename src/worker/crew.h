/* crew.h - the workers of one process, each on a thread of its own with a loop and an LLM client,
 * and the chores that somebody must do for a store: the reconciler, the reaper of dead workers, the
 * end of what is kept for a while.
 *
 * Threading  the thread of the loop in the options, which does the chores.
 */
#ifndef STUMPER_WORKER_CREW_H
#define STUMPER_WORKER_CREW_H

#include "worker/worker.h"

#define CREW_WORKERS_MAX 64

struct crew;

struct crew_options {
    struct loop *loop;
    struct store *store;
    struct broker *broker;
    const struct llm_config *llm;
    const struct prompts *prompts;
    struct judge_pool *judge;   /* as of worker.h */
    int64_t workers;            /* 0..CREW_WORKERS_MAX; without any the chores alone are done */
    int64_t slots, batch_slots; /* of each worker, as of worker.h */
    bool shared;                /* other processes work on the store too */
    int64_t retain_ms;          /* jobs are deleted so long after their end; 0: never */
    int64_t drain_ms;           /* the grace of a worker that was asked to go by way of the store */
    /** All of them were, and have gone. May be NULL. */
    void (*deserted)(void *ctx);
    void *ctx;
    struct metrics *metrics;
};

/** Start. What @options points to outlives the crew. ERR_UNAVAILABLE: no thread is to be had. */
NODISCARD enum err crew_start(const struct crew_options *options, struct crew **ret,
                              struct errinfo *reterr);

/** worker_drain() all of them; @done is called once, on the loop, when the last has ended. A second
 * call may shorten the grace. */
void crew_drain(struct crew *c, int64_t grace_ms, void (*done)(void *ctx), void *ctx);

/** After `done` of crew_drain() only. */
void crew_free(struct crew *c);

#endif
