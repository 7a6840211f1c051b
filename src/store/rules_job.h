/* rules_job.h - what the files of the rules share: a job as the running transaction knows it.
 * Inside the room only. */
#ifndef STUMPER_STORE_RULES_JOB_H
#define STUMPER_STORE_RULES_JOB_H

#include "store/queries.h"
#include "store/rules.h"
#include "store/store_job.h"
#include "store/store_read.h"
#include "store/store_work.h"

#define RULES_LINE_BYTES_MAX ((size_t)256 * 1024 * 1024)

/* What the transaction adds to a row of `usage`. */
struct rules_usage {
    struct rules_usage *next;
    struct usage_row row;
};

struct rules_job {
    struct rules_job *next;           /* of the transaction */
    struct rules_job *next_in_bucket; /* of those with a similar hash */
    const char *id;
    int64_t key, tenant, priority;
    int64_t worker; /* its home; 0: none */
    int64_t lent;   /* attempts that guests may still begin */
    enum job_state state;
    int64_t wanted, attempts, outcomes[OUTCOME_COUNT];
    int64_t calls, input_tokens, output_tokens, cost_nusd, calls_unpriced;
    int64_t events, progress_seq;
    struct rules_usage *usage;
    unsigned what; /* STORE_CHANGED_…, for the watchers */
    bool count;    /* its counters are to be written */
    bool progress; /* outcomes changed that no event tells yet */
    bool deleted;
};

/** The job, with what the transaction has counted so far; NULL if there is none, or it is another
 * tenant's, or if the database failed. */
struct rules_job *rules_job(struct rules *r, const char *id, int64_t tenant);

/** Write what the transaction has counted for the job. */
void rules_flush_job(struct rules *r, struct rules_job *job);

/** Know a job that was just written: the caller fills in the rest. */
struct rules_job *rules_know_job(struct rules *r, const char *id);

/** The refusals that several rules know, as their errors. */
enum err rules_no_job(struct store_op *op, const char *id);
enum err rules_no_job_of(struct rules *r, struct store_op *op, const char *id, int64_t tenant);
enum err rules_stale(struct store_op *op, const struct lease *lease);
enum err rules_not_home(struct store_op *op, const char *id, int64_t worker);
enum err rules_no_worker(struct store_op *op, int64_t worker);

/** Give a job a state, its home (job->worker) and what follows: times, an event, a webhook. All
 * changes of state pass here. */
void rules_set_state(struct rules *r, struct rules_job *job, enum job_state state,
                     struct str reason);

/** Is an answer of it still to come out of a batch? Then it is cancelled by a worker, at home or
 * not.
 */
bool rules_awaits(struct rules *r, const struct rules_job *job);

/** Take its home away: queued if it was running, cancelled if it was cancelling and awaits nothing.
 */
void rules_set_homeless(struct rules *r, struct rules_job *job);

/** Add an event. @data: in r->line. */
void rules_add_event(struct rules *r, struct rules_job *job, const char *kind);

/** Begin the data of an event in r->line: an object that is still open. / Add the job's counts. */
void rules_begin_data(struct rules *r, struct jwrite *w);
void rules_write_counts(const struct rules_job *job, struct jwrite *w);

/** The worker is alive, and says so; false if it was taken for dead. @ret_drain: it was asked to
 * go. */
bool rules_worker_beats(struct rules *r, int64_t worker, bool *ret_drain);

/** @n new numbers from the counter of leases; the first of them. */
int64_t rules_take_numbers(struct rules *r, int64_t n);

/** The lease of attempt 1, of a job that has none yet. */
struct lease rules_lease_first(struct rules *r, struct rules_job *job);

/** Is the lease live? / End it with its attempt; false if it was not live. */
bool rules_lease_is_live(struct rules *r, const struct rules_job *job, const struct lease *lease);
bool rules_lease_end(struct rules *r, const struct rules_job *job, const struct lease *lease);

/** Take the live leases back that a worker has of a job, or all of them (RULES_ALL); where they
 * were lost by a crash, count it and set aside what crashed too often. */
#define RULES_ALL INT64_C(-1)
void rules_take_leases_back(struct rules *r, struct rules_job *job, int64_t worker, bool crashed);

/** Write a problem's line into r->line; false if it is too long to be kept. */
bool rules_write_line(struct rules *r, const struct problem *p, const struct problem_ids *ids);

/** Store the problem whose line was just written, count it, tell of it. */
void rules_add_problem(struct rules *r, struct rules_job *job, const struct problem *p,
                       const struct problem_ids *ids);

#define RULES_DAY_MS INT64_C(86400000)

/** A call of @tenant's was paid for under a lease of @worker's: it comes out of that one's purse.
 */
void rules_spend(struct rules *r, int64_t tenant, int64_t worker, int64_t nusd);

/** What of its limits keeps the key from a further job; LIMIT_NONE if there is no such key. */
enum store_limit rules_key_limit(struct rules *r, int64_t tenant, struct key_use *ret);

/** May the key spend so much a day only? */
bool rules_has_day_limit(struct rules *r, int64_t tenant);

/** At the end of the transaction: write down what was spent, then fill the purses asked for. */
void rules_settle_purses(struct rules *r);

/** Now, on the schedule of webhooks. */
int64_t rules_due_ms(const struct rules *r);

/** The last parameter of a query that on a server asks for the process. */
void rules_put_process(const struct rules *r, struct sql_query *q);

/** For the number of rows that matches a query without parameters but one. */
int64_t rules_run_int(struct rules *r, size_t query, int64_t value);

#endif
