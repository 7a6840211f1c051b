/* worker.h - slots: claim → step → act → record → finish, for one job, on the loop.
 *
 * A worker keeps as many attempts in flight as the scheduler wants. Each attempt has an arena of
 * its own and fails alone. Every paid answer is on disk before the attempt's next call starts (G3);
 * money is reserved before a call and settled after it (G4); an attempt whose answers are in the
 * ledger replays them and pays only for what is missing.
 *
 * Threading  loop thread only.
 */
#ifndef STUMPER_WORKER_WORKER_H
#define STUMPER_WORKER_WORKER_H

#include "core/budget.h"
#include "core/histogram.h"
#include "core/sched.h"
#include "llm/llm.h"
#include "store/store_read.h"
#include "store/store_work.h"

struct worker;

struct worker_options {
    struct loop *loop;
    struct store *store;
    struct llm *llm;
    const char *job_id;
    const struct job_spec *spec;
    const struct prompts *prompts;
    struct llm_chain models[ROLE_COUNT];
    /* what earlier runs left */
    const struct job_row *job;
    const uint64_t *hashes;
    size_t hashes_n;
    /** Called once, when the last attempt has ended and its end is on disk. */
    void (*done)(void *ctx);
    void *ctx;
};

/* What is going on, for a display. */
struct worker_view {
    struct sched sched;
    struct budget budget;
    struct histogram latency_ms[ROLE_COUNT];
    int64_t calls, input_tokens, output_tokens; /* of this run */
    int64_t calls_unpriced;
    int64_t calls_in_flight;
    int64_t replayed;              /* calls that a resumed run did not pay again */
    char error[2 * ERRINFO_BYTES]; /* why an attempt last failed: its cause and, in brackets, the
                                      detail */
    enum err fatal;                /* the store gave out: nothing more is started */
    char fatal_detail[ERRINFO_BYTES];
};

/** Begin. Everything in @options but the struct itself must outlive the worker; job and hashes
 * until it returns. */
struct worker *worker_start(const struct worker_options *options);

/** First: launch nothing more, finish what is in flight. Second: give it up now (calls are cut off,
 * leases released). */
void worker_interrupt(struct worker *w);

/** The state of things, as of now; borrowed, changes with every callback. */
const struct worker_view *worker_view(const struct worker *w);

/** After `done` only. */
void worker_free(struct worker *w);

#endif
