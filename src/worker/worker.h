/* worker.h - slots: claim → step → act → record → finish, for many jobs at once, on one loop.
 *
 * A worker has a number of slots, an attempt in each, and shares them between the jobs that are at
 * home with it (core/share.h): as many attempts are in flight as the jobs' schedulers want and
 * slots there are. Each attempt has an arena of its own and fails alone. Every paid answer is on
 * disk before the attempt's next call starts (G3); money is reserved before a call and settled
 * after it (G4); an attempt whose answers are in the ledger replays them and pays only for what is
 * missing.
 *
 *     token (broker) ─► take (store: the job is at home here) ─► read ─► slots … ─► leave (store)
 *
 * Jobs come by the broker's tokens, or by worker_run(). What is asked of a job meanwhile (pause,
 * cancel) is learned by watching the store. A worker that the store took for dead drops all it has,
 * for it is somebody else's now, and joins anew.
 *
 * Threading  all on the thread of its loop; see crew.h for workers on threads of their own.
 */
#ifndef STUMPER_WORKER_WORKER_H
#define STUMPER_WORKER_WORKER_H

#include "base/metrics.h"
#include "broker/broker.h"
#include "core/budget.h"
#include "core/histogram.h"
#include "core/sched.h"
#include "llm/llm.h"
#include "store/store_read.h"
#include "store/store_work.h"
#include "worker/judge_pool.h"

struct worker;

#define WORKER_JOBS_MAX 1000 /* at home at once */

struct worker_options {
    struct loop *loop;
    struct store *store;
    struct llm *llm;
    const struct prompts *prompts;
    int64_t slots;            /* for calls that are answered at once */
    int64_t batch_slots;      /* for jobs whose calls wait in batches: they hold theirs for hours */
    struct broker *broker;    /* NULL: no jobs but those of worker_run() */
    struct judge_pool *judge; /* NULL: no answers are compared, and all count as definite */
    struct metrics *metrics;  /* NULL: nothing is counted */
    bool lends; /* others work on the store too, and may help with jobs at home here */
    /** The store was asked that this worker goes: whoever started it is to drain it. May be NULL.
     */
    void (*asked_to_go)(void *ctx);
    void *ctx;
};

/** Begin. Everything that @options points to outlives the worker. Free with worker_free(). */
struct worker *worker_start(const struct worker_options *options);

/* One job as it is worked on here, for a display. */
struct work_view {
    struct sched sched;
    struct budget budget;
    struct histogram latency_ms[ROLE_COUNT];
    int64_t calls, input_tokens, output_tokens; /* of this run */
    int64_t calls_unpriced;
    int64_t calls_in_flight;
    int64_t judged, proved;        /* verdicts; of them, by a proof in place of a call */
    int64_t reused;                /* calls that an earlier job paid for (--cache) */
    int64_t replayed;              /* calls that a resumed run did not pay again */
    char error[2 * ERRINFO_BYTES]; /* why an attempt last failed: its cause and, in brackets, the
                                      detail */
    enum err fatal;                /* the store gave out, or the job cannot be worked on */
    char fatal_detail[ERRINFO_BYTES];
};

/* A job to be run here whatever the broker says. */
struct worker_run {
    const char *job_id;
    const struct job_spec *spec; /* in place of the stored one (its limits may have changed) */
    /** Called once, when the last attempt has ended and the end is on disk (or view.fatal says why
     * not). The view is borrowed for the call. */
    void (*done)(void *ctx, const struct work_view *view);
    void *ctx;
};

/** Take the job and work on it. What @run points to outlives it; the struct itself does not. */
void worker_run(struct worker *w, const struct worker_run *run);

/** The state of a job at home here, or NULL; borrowed, changes with every callback. */
const struct work_view *worker_view(const struct worker *w, const char *job_id);

/**
 * Take no job any more, begin no attempt; finish what is in flight, then let the jobs go (queued:
 * another worker goes on with them) and quit.
 *
 * @grace_ms  how long; then calls are cut off and leases given back. A second call may shorten it.
 * @done      called once, when nothing is at home any more and that is on disk
 */
void worker_drain(struct worker *w, int64_t grace_ms, void (*done)(void *ctx), void *ctx);

/** After `done` of worker_drain() only. */
void worker_free(struct worker *w);

#endif
