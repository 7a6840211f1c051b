/* store_work.h - operations of who makes problems: a worker has jobs at home with it, one worker a
 * job, and leases attempts of them. See store.h for what holds for all operations.
 *
 * A worker joins and gets a number; it beats every few seconds; it takes jobs, claims attempts,
 * records each paid answer, finishes the attempts, and leaves the job when nothing of it is in
 * flight. One that falls silent is reaped: its number is void, its jobs are queued again and its
 * leases are taken back, so that whatever it still does is stale.
 *
 * The number 0 stands for a process that has the store alone and no other worker in it: it claims
 * attempts of jobs that have no home.
 */
#ifndef STUMPER_STORE_STORE_WORK_H
#define STUMPER_STORE_STORE_WORK_H

#include "core/problem.h"
#include "store/store_read.h"

/* --- workers */

/* Be a worker. */
struct store_join {
    struct store_op op;
    struct str name;    /* for people: "host/pid" */
    struct str version; /* of the program; may be empty */
    int64_t slots;
    int64_t ret_worker; /* larger than any before */
};
void store_join(struct store *s, struct store_join *o);

#define STORE_PART_WHOLE INT64_C(1000000000)

/* Be alive, claim parts of limits that all workers share, and hear whether one was asked to go
 * (store_worker_drain()). ERR_STALE: it was taken for dead; whatever it has is somebody else's:
 * drop it, join anew. */
struct store_beat {
    struct store_op op;
    int64_t worker;
    struct store_part {
        const char *name;            /* of a limit */
        int64_t demand, held, units; /* as in core/part.h; parts in billionths */
        int64_t ret_part;            /* to be used for PART_LEASE_MS from when it was asked */
        int64_t ret_others;          /* who share it */
    } * parts;                       /* borrowed */
    size_t parts_n;
    bool ret_drain;
};
void store_beat(struct store *s, struct store_beat *o);

/* Be gone: as if reaped, but no attempt counts as crashed. Unknown workers are passed over. */
struct store_quit {
    struct store_op op;
    int64_t worker;
};
void store_quit(struct store *s, struct store_quit *o);

#define STORE_SILENT_MS 15000
#define STORE_REAP_LATE_MS 10000

/* Take workers for dead that have been silent for longer, and processes whose connection has been
 * gone for two seconds, by the clock of the store, which they all see. Of the processes on a server
 * one looks for all; if it dies, whoever asks next goes on. When this process has stood still for
 * STORE_REAP_LATE_MS or its connection was lost, perhaps all were in the same case: they get
 * another silent_ms; or five seconds to connect again, if it was the server that restarted. */
struct store_reap {
    struct store_op op;
    int64_t silent_ms;    /* STORE_SILENT_MS */
    int64_t ret_n;        /* how many workers were found dead */
    int64_t ret_again_ms; /* ask again after that: 1000, or more if there are many to ask */
};
void store_reap(struct store *s, struct store_reap *o);

/* --- a job at home */

struct lease {
    int64_t attempt_no;
    int64_t token;
    int64_t worker;  /* whose it is: what its calls cost comes out of that one's purse */
    int64_t crashes; /* how often in a row a lease of it was lost; an answer recorded under a lease
                        begins the count anew */
    bool again;      /* it was leased before: there may be answers of it */
};

/* Take a queued job home; it is running from now on. One that is cancelling and has no home stays
 * so: its batches are to be cancelled, and what they have answered to be taken. One whose home
 * lends attempts (store_lend) is taken as a guest: nothing changes but that the worker may claim
 * what is lent. With it comes what the worker has to know, and for a job that was never begun the
 * lease of attempt 1, so that its first call waits for no other commit. ERR_NOT_FOUND |
 * ERR_CONFLICT: it has a home that lends nothing, or is not to be worked on | ERR_STALE: the worker
 * was taken for dead | ERR_TOO_BIG: it does not fit into the arena. */
struct store_take {
    struct store_op op;
    const char *job_id;
    int64_t worker;
    bool begin;             /* there is a slot for the first attempt */
    bool ret_lends;         /* it is at home elsewhere: the worker is a guest */
    bool ret_purse;         /* its key's day is limited: money for calls comes by store_purse() */
    int64_t ret_age_ms;     /* since its submission, by the store's clock; at least 0 */
    struct arena *a;        /* owns the results; not touched by the caller until done */
    struct job_row ret;     /* with its spec, as it was before */
    struct lease ret_lease; /* token 0: none */
};
void store_take(struct store *s, struct store_take *o);

/* Let it go, with the state that the worker would give it: queued (somebody else may go on),
 * paused, or a final one. What was asked meanwhile counts: a job that was to be cancelled ends
 * cancelled unless it has succeeded in full or in part, or goes on cancelling if it is left as
 * queued and answers are awaited from batches; queued becomes paused if it was paused, paused
 * becomes queued if it was resumed. Leases that are live still are given back; those of guests only
 * where the state is final. ERR_NOT_FOUND | ERR_STALE: its home is not here (any more). */
struct store_leave {
    struct store_op op;
    const char *job_id;
    int64_t worker;
    enum job_state state;
    struct str reason;        /* why partial or failed; may be empty */
    enum job_state ret_state; /* what it became */
};
void store_leave(struct store *s, struct store_leave *o);

/* Set a job's state; a final state stamps the end, another one clears it. ERR_NOT_FOUND |
 * ERR_STALE: its home is not here. */
struct store_job_set {
    struct store_op op;
    const char *job_id;
    int64_t worker;
    enum job_state state;
    struct str reason; /* why partial or failed; may be empty */
};
void store_job_set(struct store *s, struct store_job_set *o);

/* --- attempts */

#define STORE_CLAIM_MAX 1000

/* Lease attempts: first those whose lease was lost or released, lowest number first, then new ones,
 * numbered 1, 2, 3 … within the job. A guest borrows: new ones alone, and no more than its home
 * lends. ERR_NOT_FOUND | ERR_STALE: its home is not here; or the guest was taken for dead |
 * ERR_CONFLICT: the job is neither queued nor running, nor is it cancelling and @again asked for.
 */
struct store_claim {
    struct store_op op;
    const char *job_id;
    int64_t worker;
    int64_t n;             /* how many are wanted, 1..STORE_CLAIM_MAX */
    int64_t attempts_max;  /* never number an attempt past this; 0: no limit */
    bool borrow;           /* as a guest */
    bool again;            /* only those that were leased before */
    int64_t ret_each_nusd; /* guest: what each may cost; 0: no matter */
    struct lease *ret;     /* room for n; filled */
    int64_t ret_n;         /* may be fewer, down to 0: attempts_max is reached, or @again */
};
void store_claim(struct store *s, struct store_claim *o);

/* The home of a job lets others help: guests may have @n attempts between them, those included that
 * they have now. It counts until the next time, or until the home is gone. Tells what guests have
 * and what has become of the job. ERR_NOT_FOUND | ERR_STALE: its home is not here. */
struct store_lend {
    struct store_op op;
    const char *job_id;
    int64_t worker;
    int64_t n;
    int64_t each_nusd; /* what an attempt may cost; 0: no matter. It stays while guests have any */
    int64_t ret_each_nusd;
    int64_t ret_running;                                /* attempts that guests have */
    int64_t ret_running_nusd;                           /* what those have cost so far */
    int64_t ret_open;                                   /* attempts that they may still begin */
    int64_t ret_outcomes[OUTCOME_COUNT], ret_cost_nusd; /* of the whole job */
};
void store_lend(struct store *s, struct store_lend *o);

/* A paid call, for the ledger. Strings are borrowed until done. */
struct ledger_call {
    int64_t attempt_no, call_no;
    enum role role;
    struct str model;
    struct call_answer answer; /* err is ERR_OK */
    int64_t created_ms;
};
/* Write one answer to the ledger. Recording a call again under the same lease changes nothing;
 * under a later one it counts as paid, and the first answer stays the attempt's. ERR_STALE:
 * recorded, for money was paid, but the attempt is somebody else's: go no further | ERR_NOT_FOUND:
 * no such job, nothing is recorded. */
struct store_record {
    struct store_op op;
    const char *job_id;
    struct lease lease;
    const struct ledger_call *call;
};
void store_record(struct store *s, struct store_record *o);

/* Count tries whose end nobody saw, with the most that they may have cost: no answer came, but they
 * may be on the bill. ERR_NOT_FOUND. */
struct store_lose {
    struct store_op op;
    const char *job_id;
    int64_t tries, nusd; /* at least 1, 0 */
};
void store_lose(struct store *s, struct store_lose *o);

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

/* --- reading, by the reading thread */

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

/* The hashes of the problems of a job's ended attempts, for the duplicate check of who takes it.
 * (Those of attempts under way come up when their answers are replayed.) ERR_NOT_FOUND |
 * ERR_TOO_BIG: they do not fit into the arena. */
struct store_hashes {
    struct store_op op;
    const char *job_id;
    struct arena *a; /* owns the results */
    uint64_t *ret;
    size_t ret_n;
};
void store_hashes(struct store *s, struct store_hashes *o);

#define STORE_RUNNABLE_MAX 1000

struct runnable_row {
    char job_id[STORE_ID_BYTES];
    int64_t tenant, priority;
};
/* Jobs that could be worked on: those without a home, and those whose home lends attempts; of each
 * tenant those of the highest priority, the oldest first, so that a tenant with very many hides
 * nobody. */
struct store_runnable {
    struct store_op op;
    int64_t each_max;         /* of one tenant, at least 1 */
    struct runnable_row *ret; /* room for STORE_RUNNABLE_MAX */
    size_t ret_n;
};
void store_runnable(struct store *s, struct store_runnable *o);

#endif
