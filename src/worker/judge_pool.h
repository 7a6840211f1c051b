/* judge_pool.h - answers compared in helper processes, so that nothing a model writes can crash or
 * hang the program.
 *
 * Each helper is a child process with limits on memory and files, which compares one pair at a time
 * under a timer; its keeper, a second small process, starts it when the first pair comes, and again
 * when it dies, and reports the pair it died on as undecided. Helpers end when the pool or the
 * program does.
 *
 * Create the pool before any thread is started: its processes are forked from the caller.
 * Threading   submit from any thread; `done` runs on the pool's own thread and must not block.
 * Ownership   a call and its texts belong to the pool from submit until `done`.
 * Overflow    none: the queue holds what callers own; bound the calls you have in flight.
 */
#ifndef STUMPER_WORKER_JUDGE_POOL_H
#define STUMPER_WORKER_JUDGE_POOL_H

#include "answer/compare.h"
#include "base/err.h"
#include "base/mailbox.h"

#define JUDGE_METHOD_LIMITS "limits" /* the method of what a helper could not finish */
#define JUDGE_HELPERS_MAX 64
#define JUDGE_DEADLINE_MS_MAX 10000

struct judge_pool;

enum judge_question {
    JUDGE_SAME,     /* are `gold` and `given` the same answer? */
    JUDGE_DEFINITE, /* is `gold` read whole as mathematics? EQUAL: yes, UNDECIDED: no */
};

struct judge_call {
    enum judge_question question;
    struct str gold, given;
    struct answer_options options;
    void (*done)(struct judge_call *call);
    void *ctx;

    /* set before done() */
    struct answer_result result; /* its texts are in this struct */

    /* the pool's own */
    struct mailbox_msg msg;
    struct judge_call *next;
    uint64_t number, batch;
    char *cut[2]; /* answers cut out of long texts */
    char method[24], reason[104];
};

/**
 * Start the helpers' keepers.
 *
 * @helpers      1..JUDGE_HELPERS_MAX
 * @deadline_ms  1..JUDGE_DEADLINE_MS_MAX: a pair that takes longer is undecided
 * @return       ERR_UNAVAILABLE if processes or sockets cannot be had
 */
NODISCARD enum err judge_pool_new(int helpers, int deadline_ms, struct judge_pool **ret,
                                  struct errinfo *reterr);

/** Compare; @call->done is called once, never from inside this function. */
void judge_pool_submit(struct judge_pool *pool, struct judge_call *call);

/** Compare and wait. Not from a `done`. */
struct answer_result judge_pool_compare(struct judge_pool *pool, struct judge_call *call);

/** How often a helper had to be started again, because of a crash or the deadline. */
int64_t judge_pool_restarts(const struct judge_pool *pool);

/** As many helpers as there are cores, at most 4, with the usual deadline (50 ms). */
NODISCARD enum err judge_pool_new_default(struct judge_pool **ret, struct errinfo *reterr);

/** Ends the helpers. All calls must be done. */
void judge_pool_free(struct judge_pool *pool);

#endif
