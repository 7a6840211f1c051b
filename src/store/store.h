/* store.h - the only truth: jobs, attempts, the ledger of calls, problems, events, keys, webhooks.
 * The contract every backend keeps; what can be asked of it is in the headers beside this one:
 *
 *     store_job.h     for who orders problems: submit, cancel, pause, resume, delete, retention
 *     store_work.h    for who makes them: workers, take, claim, record, finish, leave, reap
 *     store_batch.h   for who asks in batches: which calls wait for which
 *     store_workers.h for who looks after those who make them
 *     store_read.h    jobs, problems and events as pages, spend, hashes; also from a file at rest
 *     store_key.h     API keys and what they have spent
 *     store_outbox.h  webhooks that wait to be delivered
 *
 * One store thread owns the one writing connection. It takes all operations that wait, runs them in
 * one transaction, commits (an fsync), then answers them all: group commit. Another thread runs the
 * operations that only read, several in one unchanging view, and never waits for the writer.
 * SQLite's rule of a single writer in the world is kept by an exclusive lock on "<file>-lock", held
 * while the store is open.
 *
 * Delivery    an attempt is leased with a number; a finish or a record with a stale number changes
 *             nothing but the ledger.
 * Durability  a writing operation's `done` with ERR_OK, or with an error that says so, means: on
 *             disk (WAL, synchronous=FULL). A read begun in that `done` or later sees it.
 * Ownership   what an operation points to must live until its `done`; results live in the
 *             operation or its arena. In `done` the operation is the caller's again and may be
 *             used for the next one.
 * Threading   an operation is begun on the thread of its `loop`, which may be any; its `done` runs
 *             there on a later tick. Those that write are answered in the order of submission, and
 *             so are those that read; not the ones against the others. The loop is held while an
 *             operation is under way.
 * A server    (postgresql://…) is the store of any number of processes at a time; all that is
 *             promised here holds among them. While it is away, what a worker asks waits for it, up
 *             to ten minutes; anything else fails with ERR_UNAVAILABLE at once. No operation is
 * kept twice, or half. That a process has died is seen by the store_reap() of another. Errors
 * ERR_DISK_FULL | ERR_READ_ONLY | ERR_IO | ERR_CORRUPT | ERR_BUSY (another program writes to the
 * file, or keeps a row locked) for any operation: nothing of its transaction is kept, the store
 * stays usable; others are listed per operation. Invariants  (1) a job never has more than `wanted`
 * accepted problems; (2) an attempt has at most one live lease, and ends once; (3) the numbers of
 * leases and workers only grow; (4) a job's counters are what its rows say (store_check()); (5) a
 * job has at most one home, a worker that has it alone, and only a job with a home is cancelling;
 *             (6) an event stands in the transaction of what it tells, numbered within its job,
 *             growing.
 */
#ifndef STUMPER_STORE_STORE_H
#define STUMPER_STORE_STORE_H

#include "base/err.h"
#include "base/str.h"
#include "io/loop.h"

struct metrics;
struct store;

enum job_state {
    JOB_QUEUED,     /* waits for a worker */
    JOB_RUNNING,    /* a worker has it */
    JOB_PAUSED,     /* no attempt is begun until it is resumed */
    JOB_CANCELLING, /* a worker has still to let go, or to cancel its batches */
    JOB_SUCCEEDED,
    JOB_PARTIAL,
    JOB_FAILED,
    JOB_CANCELLED,
    JOB_STATES
};
/** "queued", … */
const char *job_state_name(enum job_state s);
/** The state of a name; JOB_STATES if there is none of that name. */
enum job_state job_state_from_name(struct str name);
/** True for succeeded, partial, failed and cancelled: nothing can follow but a resumption. */
bool job_state_is_final(enum job_state s);

/* Room for the id of a job, a key or a webhook (base/id.h makes shorter ones), with its NUL. */
#define STORE_ID_BYTES 48

/* Who asks about a job: the number of an API key, or one of these. A job that is another tenant's
 * does not exist for the asker: ERR_NOT_FOUND. */
#define STORE_TENANT_NONE INT64_C(0) /* no keys are in use: the jobs are nobody's */
#define STORE_TENANT_ANY INT64_C(-1) /* all jobs: an admin, or the server itself */

/** Is it the address of a server, postgresql://…? / @path as it may be shown: an address without
 * its secrets. */
bool store_is_server(const char *path);
#define STORE_PLACE_BYTES 256
void store_place(const char *path, char ret[STORE_PLACE_BYTES]);

/**
 * Open or make a store (@path: a file's, or postgresql://…), migrate its schema, take back what the
 * process that had it before left behind: leases, homes, webhooks under way; on a server only if no
 * process is there any more. Start its threads. Blocks for some milliseconds.
 *
 * An attempt whose lease was lost three times, with no answer between, is set aside as a failed
 * problem.
 *
 * @metrics  where to count commits, operations and the log's size; may be NULL
 * @return  ERR_BUSY (another process has the file: names the lock file and the pid; or an older
 *          Stumper has the server for itself) | ERR_CORRUPT (not
 *          ours, or a newer schema) | ERR_READ_ONLY | ERR_DISK_FULL | ERR_IO | ERR_UNAVAILABLE (no
 * server) | ERR_USAGE (a wrong address); the file or server is named, without its secrets
 */
NODISCARD enum err store_open(const char *path, struct metrics *metrics, struct store **ret,
                              struct errinfo *reterr);

/** Are operations waiting for a server that is away? Any thread. */
bool store_is_away(const struct store *s);

/** What the last transaction that writes ended with; ERR_OK: the store can be written. Any thread.
 */
enum err store_trouble(const struct store *s);

/**
 * Finish what was submitted, stop the threads, fold the log into the file, close. @s is gone for
 * the caller, but any `done` that has not run yet still runs on a later tick of its loop. Whoever
 * watches has stopped before; no other thread begins an operation any more.
 */
void store_close(struct store *s);

/* The head of every operation: part of the caller's struct. */
struct store_op {
    struct loop *loop;                 /* of the caller: who is answered */
    void (*done)(struct store_op *op); /* err and results are filled */
    enum err err;
    struct errinfo detail;
    /* the store's own */
    struct loop_msg msg;
    struct store *store;
    int kind;
    struct store_op *next;
};

/* --- watching: what has changed, as it changes */

enum {
    STORE_CHANGED_STATE = 1u << 0,
    STORE_CHANGED_COUNTS = 1u << 1, /* attempts, outcomes, calls, money, what is in flight */
    STORE_CHANGED_EVENTS = 1u << 2, /* there are new ones */
    STORE_CHANGED_HOME = 1u << 3,   /* a worker took it, or let it go */
    STORE_CHANGED_DELETED = 1u << 4,
    STORE_CHANGED_LENT = 1u << 5, /* its home lends attempts */
};

struct store_change {
    char job_id[STORE_ID_BYTES];
    int64_t tenant, priority;
    enum job_state state; /* after the latest change */
    unsigned what;        /* STORE_CHANGED_… of all changes since the last news */
};

/* What was committed since the last news. Borrowed for the call. */
struct store_news {
    const struct store_change *jobs; /* each job once */
    size_t jobs_n;
    bool keys;   /* a key was added or revoked */
    bool outbox; /* a webhook is due */
    bool lost;   /* more jobs changed than are remembered (STORE_NEWS_JOBS_MAX), or the server was
                    away: take all for changed. Jobs at home that are to halt are named */
};

#define STORE_NEWS_JOBS_MAX ((size_t)65536)

/* How late the news of commits by other processes on the same server may come, while somebody here
 * attends to them / while nobody does; later only while the server is away, and then all is taken
 * for changed. */
#define STORE_NEWS_NEAR_MS 250
#define STORE_NEWS_FAR_MS 1000

typedef void store_watch_fn(void *ctx, const struct store_news *news);
struct store_watch;

/**
 * From now on call @fn(@ctx) on @l after commits that changed something. While a call is under way
 * what follows is gathered, so a slow watcher gets fewer and larger ones; of one commit the news
 * come before the `done` of its operations on the same loop. On the thread of @l. Does not keep the
 * loop running.
 */
struct store_watch *store_watch(struct store *s, struct loop *l, store_watch_fn *fn, void *ctx);

/** Somebody waits for what other processes do, for the end of a job, say / does not any more. Each
 * counts; news are quick for a moment longer. Any thread. */
void store_attend(struct store *s);
void store_unattend(struct store *s);

/** Stop; @w is gone. On the thread of its loop; @fn is not called any more. */
void store_unwatch(struct store_watch *w);

#endif
