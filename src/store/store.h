/* store.h - the only truth: jobs, attempts, the ledger of calls, problems, events. The contract
 * every backend keeps.
 *
 * One store thread owns the one writing connection. It takes all operations that wait, runs them in
 * one transaction, commits (an fsync), then answers them all: group commit. SQLite's rule of a
 * single writer in the world is kept by an exclusive lock on "<file>-lock", held while the store is
 * open.
 *
 * Delivery   an attempt is leased with a number; a finish or a record with a stale number changes
 * nothing but the ledger. Durability an operation's `done` with ERR_OK means: on disk (WAL,
 * synchronous=FULL). Ownership  what an operation points to must live until its `done`; results
 * live in the operation's arena. Threading  loop thread only; `done` runs on the loop thread on a
 * later tick, in order of submission. Errors     ERR_DISK_FULL | ERR_READ_ONLY | ERR_IO |
 * ERR_CORRUPT for any operation: nothing of its transaction is kept, the store stays usable; others
 * are listed per operation. Invariants (1) a job never has more than `wanted` accepted problems;
 * (2) an attempt has at most one live lease; (3) lease numbers only grow; (4) a job's counters
 * equal what its rows say (store_check()).
 */
#ifndef STUMPER_STORE_STORE_H
#define STUMPER_STORE_STORE_H

#include "core/problem.h"
#include "core/sched.h"
#include "io/loop.h"

struct store;

enum job_state {
    JOB_QUEUED,
    JOB_RUNNING,
    JOB_PAUSED,
    JOB_CANCELLING,
    JOB_SUCCEEDED,
    JOB_PARTIAL,
    JOB_FAILED,
    JOB_CANCELLED,
    JOB_STATES
};
const char *job_state_name(enum job_state s);
bool job_state_is_final(enum job_state s);

/**
 * Open or make a store, migrate its schema, start its thread.
 *
 * @return  ERR_BUSY (another process has it: names the lock file and the pid), ERR_CORRUPT (not
 * ours, or a newer schema), ERR_READ_ONLY, ERR_DISK_FULL, ERR_IO; @reterr names the file
 */
NODISCARD enum err store_open(struct loop *l, const char *path, struct store **ret,
                              struct errinfo *reterr);

/** Finish what was submitted, checkpoint, stop the thread, close. */
void store_close(struct store *s);

/* --- operations
 * ------------------------------------------------------------------------------------------------
 */

/* The head of every operation: part of the caller's struct. */
struct store_op {
    struct loop_msg msg;
    struct store *store;
    void (*done)(struct store_op *op); /* err and results are filled */
    enum err err;
    struct errinfo detail;
    int kind; /* set by the store_… function */
    struct store_op *next;
};

/* Begin a job in state running. */
struct store_submit {
    struct store_op op;
    const char *job_id;
    struct str spec; /* canonical JSON (job_spec_write) */
    int64_t wanted;
    int64_t created_ms;
};
void store_submit(struct store *s, struct store_submit *o); /* ERR_EXISTS */

/* Lease attempts: first those whose lease was lost, lowest number first, then new ones. */
struct lease {
    int64_t attempt_no;
    int64_t token;
    int64_t crashes; /* how often a lease of it was lost */
};
struct store_claim {
    struct store_op op;
    const char *job_id;
    int64_t n;            /* how many are wanted, 1..STORE_CLAIM_MAX */
    int64_t attempts_max; /* never number an attempt past this; 0: no limit */
    struct lease *ret;    /* room for n; filled */
    int64_t ret_n;        /* may be fewer */
};
#define STORE_CLAIM_MAX 1000
void store_claim(struct store *s, struct store_claim *o); /* ERR_NOT_FOUND */

/* A paid call, for the ledger. Strings are borrowed until done. */
struct ledger_call {
    int64_t attempt_no, call_no;
    enum role role;
    struct str model;
    struct call_answer answer; /* err is ERR_OK */
    int64_t created_ms;
};
/* Write one answer to the ledger. A stale token is no error here: money was paid. */
struct store_record {
    struct store_op op;
    const char *job_id;
    struct lease lease;
    const struct ledger_call *call;
};
void store_record(struct store *s,
                  struct store_record *o); /* ERR_STALE: recorded, but go no further */

/* End an attempt: its last call (may be NULL), its problem and the job's counters in one
 * transaction. */
struct store_finish {
    struct store_op op;
    const char *job_id;
    struct lease lease;
    const struct ledger_call *call;
    const struct problem *problem; /* what the attempt says: ACCEPTED may become SURPLUS here */
    struct problem_ids
        ids; /* the store thread writes the line: problem_write() with the final outcome */
    enum outcome ret_outcome; /* what it became */
    int64_t ret_accepted;     /* the job's count after this */
};
void store_finish(struct store *s,
                  struct store_finish *o); /* ERR_STALE: only the call was recorded */

/* Give leases back unfinished (interrupted): they are claimed again first, without counting as a
 * crash. */
struct store_release {
    struct store_op op;
    const char *job_id;
    const struct lease *leases;
    size_t n;
};
void store_release(struct store *s, struct store_release *o);

/* Set a job's state; a final state stamps the end. */
struct store_job_set {
    struct store_op op;
    const char *job_id;
    enum job_state state;
    struct str reason; /* why partial or failed; may be empty */
    int64_t now_ms;
};
void store_job_set(struct store *s, struct store_job_set *o); /* ERR_NOT_FOUND */

/* The recorded calls of one attempt, in order of call_no, for a replay. */
struct store_calls {
    struct store_op op;
    const char *job_id;
    int64_t attempt_no;
    struct arena *a; /* owns the results; not touched by the caller until done */
    struct ledger_call *ret;
    size_t ret_n;
};
void store_calls(struct store *s, struct store_calls *o);

/* --- reading
 * --------------------------------------------------------------------------------------------------
 */

/* A second, read-only connection, for commands and for the start and the end of a run. Never blocks
 * the writer. Any one thread at a time. */
struct store_reader;

/** ERR_NOT_FOUND, ERR_CORRUPT (names the file and what it is not). */
NODISCARD enum err store_reader_open(const char *path, struct store_reader **ret,
                                     struct errinfo *reterr);
void store_reader_close(struct store_reader *r);

struct job_row {
    const char *id;
    enum job_state state;
    struct str spec, reason;
    int64_t wanted, attempts; /* attempts ever numbered */
    int64_t outcomes[OUTCOME_COUNT];
    int64_t created_ms, ended_ms; /* ended_ms 0: not yet */
    int64_t leased;               /* attempts now leased or waiting to be leased again */
    int64_t calls, input_tokens, output_tokens;
    int64_t cost_nusd;      /* of the calls whose cost is known */
    int64_t calls_unpriced; /* calls whose cost is unknown */
};
/** The newest job of the store (a `generate` store holds one), or the one with @job_id if not NULL.
 * ERR_NOT_FOUND. */
NODISCARD enum err store_read_job(struct store_reader *r, const char *job_id, struct arena *a,
                                  struct job_row *ret, struct errinfo *reterr);

/* One stored problem. */
struct problem_row {
    int64_t seq; /* place in the order of finishing */
    int64_t attempt_no;
    enum outcome outcome;
    struct str id, line; /* line: with its final outcome in "status" */
};
/** Call @each for every problem of a job, in order of seq; stop early when it returns false. Rows
 * are borrowed for the call. @mask: 1u << OUTCOME_… of those wanted. */
NODISCARD enum err store_read_problems(struct store_reader *r, const char *job_id, unsigned mask,
                                       bool (*each)(void *ctx, const struct problem_row *row),
                                       void *ctx, struct errinfo *reterr);

/* Spend and time by role and model. */
struct spend_row {
    enum role role;
    struct str model;
    int64_t calls, input_tokens, cached_tokens, output_tokens, reasoning_tokens;
    int64_t cost_nusd, calls_unpriced;
    int64_t wasted_nusd; /* calls of attempts that ended FAILED or were left unfinished */
    int64_t p50_ms, p95_ms;
};
NODISCARD enum err store_read_spend(struct store_reader *r, const char *job_id, struct arena *a,
                                    struct spend_row **ret, size_t *ret_n, struct errinfo *reterr);

/** The hashes of all problems of a job and of its unfinished attempts' engineer answers are not
 * kept apart: this gives those of finished ones, for the duplicate check of a resumed run. */
NODISCARD enum err store_read_hashes(struct store_reader *r, const char *job_id, struct arena *a,
                                     uint64_t **ret, size_t *ret_n, struct errinfo *reterr);

/** Check invariants 1, 2 and 4 over the whole store; ERR_CORRUPT names the first that is broken. */
NODISCARD enum err store_check(struct store_reader *r, struct errinfo *reterr);

/** "Set aside": move @path and its companions (-wal, -shm) to @path.old-N (the first free N); for
 * --fresh. */
NODISCARD enum err store_set_aside(const char *path, char ret_moved_to[4096],
                                   struct errinfo *reterr);

#endif
