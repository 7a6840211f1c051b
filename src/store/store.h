/* store.h - the only truth: jobs, attempts, the ledger of calls, problems, events. The contract
 * every backend keeps.
 *
 * One store thread owns the one writing connection. It takes all operations that wait, runs them in
 * one transaction, commits (an fsync), then answers them all: group commit. SQLite's rule of a
 * single writer in the world is kept by an exclusive lock on "<file>-lock", held while the store is
 * open.
 *
 * Delivery    an attempt is leased with a number; a finish or a record with a stale number changes
 *             nothing but the ledger.
 * Durability  an operation's `done` with ERR_OK, or with an error that says so, means: on disk
 *             (WAL, synchronous=FULL).
 * Ownership   what an operation points to must live until its `done`; results live in the
 *             operation or its arena. In `done` the operation is the caller's again and may be
 *             used for the next one.
 * Threading   loop thread only; `done` runs on the loop thread on a later tick, in order of
 *             submission. The loop is held while an operation is under way.
 * Errors      ERR_DISK_FULL | ERR_READ_ONLY | ERR_IO | ERR_CORRUPT | ERR_BUSY (another program
 *             writes to the file) for any operation: nothing of its transaction is kept, the store
 *             stays usable; others are listed per operation.
 * Invariants  (1) a job never has more than `wanted` accepted problems; (2) an attempt has at most
 *             one live lease, and ends once; (3) lease numbers only grow; (4) a job's counters are
 *             what its rows say (store_check()).
 */
#ifndef STUMPER_STORE_STORE_H
#define STUMPER_STORE_STORE_H

#include "core/problem.h"
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
/** "queued", … / whether nothing can follow it but a resumption. */
const char *job_state_name(enum job_state s);
/** True for succeeded, partial, failed and cancelled. */
bool job_state_is_final(enum job_state s);

/**
 * Open or make a store, migrate its schema, take back the leases of the process that had it before,
 * start its thread. Blocks for some milliseconds.
 *
 * An attempt whose lease was lost more than three times is set aside as a failed problem.
 *
 * @return  ERR_BUSY (another process has it: names the lock file and the pid) | ERR_CORRUPT (not
 *          ours, or a newer schema) | ERR_READ_ONLY | ERR_DISK_FULL | ERR_IO; the file is named
 */
NODISCARD enum err store_open(struct loop *l, const char *path, struct store **ret,
                              struct errinfo *reterr);

/**
 * Finish what was submitted, stop the thread, fold the log into the file, close. @s is gone for the
 * caller, but any `done` that has not run yet still runs on a later tick of the loop.
 */
void store_close(struct store *s);

/* --- operations */

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

/* Begin a job in state running. ERR_EXISTS: there is a job of that id. */
struct store_submit {
    struct store_op op;
    const char *job_id;
    struct str spec; /* canonical JSON (job_spec_write) */
    int64_t wanted;
    int64_t created_ms;
};
void store_submit(struct store *s, struct store_submit *o);

#define STORE_CLAIM_MAX 1000

/* Lease attempts: first those whose lease was lost or released, lowest number first, then new ones,
 * numbered 1, 2, 3 … within the job. ERR_NOT_FOUND | ERR_CONFLICT: the job is neither queued nor
 * running. */
struct lease {
    int64_t attempt_no;
    int64_t token;
    int64_t crashes; /* how often in a row a lease of it was lost; an answer recorded under a lease
                        begins the count anew */
};
struct store_claim {
    struct store_op op;
    const char *job_id;
    int64_t n;            /* how many are wanted, 1..STORE_CLAIM_MAX */
    int64_t attempts_max; /* never number an attempt past this; 0: no limit */
    struct lease *ret;    /* room for n; filled */
    int64_t ret_n;        /* may be fewer, down to 0, if attempts_max is reached */
};
void store_claim(struct store *s, struct store_claim *o);

/* A paid call, for the ledger. Strings are borrowed until done. */
struct ledger_call {
    int64_t attempt_no, call_no;
    enum role role;
    struct str model;
    struct call_answer answer; /* err is ERR_OK */
    int64_t created_ms;
};
/* Write one answer to the ledger. Recording a call again under the same lease changes nothing.
 * ERR_STALE: recorded, for money was paid, but the attempt is somebody else's: go no further |
 * ERR_NOT_FOUND: no such job, nothing is recorded. */
struct store_record {
    struct store_op op;
    const char *job_id;
    struct lease lease;
    const struct ledger_call *call;
};
void store_record(struct store *s, struct store_record *o);

/* End an attempt: its last call, its problem and the job's counters in one transaction. ERR_STALE:
 * only the call was recorded | ERR_TOO_BIG: the line would pass 256 MB; nothing is recorded |
 * ERR_NOT_FOUND. */
struct store_finish {
    struct store_op op;
    const char *job_id;
    struct lease lease;
    const struct ledger_call *call; /* NULL: all its calls are recorded */
    const struct problem *problem;  /* what the attempt says: ACCEPTED may become SURPLUS here */
    struct problem_ids ids;         /* for the line, written by the store thread: problem_write() */
    enum outcome ret_outcome;       /* what it became */
    int64_t ret_accepted;           /* the job's count after this */
};
void store_finish(struct store *s, struct store_finish *o);

/* Give leases back unfinished (interrupted): they are claimed again first, without counting as a
 * crash. Stale ones are passed over. ERR_NOT_FOUND. */
struct store_release {
    struct store_op op;
    const char *job_id;
    const struct lease *leases;
    size_t n;
};
void store_release(struct store *s, struct store_release *o);

/* Set a job's state; a final state stamps the end, another one clears it. A change writes an event.
 * ERR_NOT_FOUND. */
struct store_job_set {
    struct store_op op;
    const char *job_id;
    enum job_state state;
    struct str reason; /* why partial or failed; may be empty */
    int64_t now_ms;
};
void store_job_set(struct store *s, struct store_job_set *o);

/* The recorded calls of one attempt, one for each call_no, in order, for a replay. Those that were
 * recorded with a stale lease are not among them: the attempt went on without them. ERR_NOT_FOUND |
 * ERR_TOO_BIG: they do not fit into the arena. */
struct store_calls {
    struct store_op op;
    const char *job_id;
    int64_t attempt_no;
    struct arena *a; /* owns the results; not touched by the caller until done */
    struct ledger_call *ret;
    size_t ret_n;
};
void store_calls(struct store *s, struct store_calls *o);

/* --- reading */

/* A second, read-only connection, for commands and for the start and the end of a run. Never blocks
 * the writer. Any one thread at a time. Each read may also give ERR_IO | ERR_CORRUPT | ERR_BUSY. */
struct store_reader;

/** ERR_NOT_FOUND (no file, or an empty one) | ERR_CORRUPT (names the file and what it is not). */
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
 * ERR_NOT_FOUND | ERR_TOO_BIG: it does not fit into @a. */
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
 * are borrowed for the call, which may take its time: no transaction is open. @mask:
 * 1u << OUTCOME_… of those wanted. ERR_NOT_FOUND. */
NODISCARD enum err store_read_problems(struct store_reader *r, const char *job_id, unsigned mask,
                                       bool (*each)(void *ctx, const struct problem_row *row),
                                       void *ctx, struct errinfo *reterr);

/* Spend and time by role and model. */
struct spend_row {
    enum role role;
    struct str model;
    int64_t calls, input_tokens, cached_tokens, output_tokens, reasoning_tokens;
    int64_t cost_nusd, calls_unpriced;
    int64_t wasted_nusd; /* calls of attempts that ended FAILED or have not ended, and stale ones */
    int64_t p50_ms, p95_ms;
};
/** Ordered by role, then model. ERR_NOT_FOUND. */
NODISCARD enum err store_read_spend(struct store_reader *r, const char *job_id, struct arena *a,
                                    struct spend_row **ret, size_t *ret_n, struct errinfo *reterr);

/** The hashes of the problems of a job's ended attempts, for the duplicate check of a resumed run.
 * (Those of attempts under way come up when their answers are replayed.) ERR_NOT_FOUND |
 * ERR_TOO_BIG: they do not fit into @a. */
NODISCARD enum err store_read_hashes(struct store_reader *r, const char *job_id, struct arena *a,
                                     uint64_t **ret, size_t *ret_n, struct errinfo *reterr);

/** Check the invariants and the database's own structure over the whole store; ERR_CORRUPT names
 * the first that is broken. */
NODISCARD enum err store_check(struct store_reader *r, struct errinfo *reterr);

/** For --fresh: move the store @path and its companions (-wal, -shm) to @path.old-N, the first N
 * that is free. ERR_NOT_FOUND | ERR_BUSY (somebody has it open) | ERR_READ_ONLY | ERR_IO. */
NODISCARD enum err store_set_aside(const char *path, char ret_moved_to[4096],
                                   struct errinfo *reterr);

#endif
