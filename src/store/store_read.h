/* store_read.h - what can be read of jobs: as operations (store_get_…, store_list_…; run by the
 * reading thread) and from the file of a store, by commands (store_read_…; they block). */
#ifndef STUMPER_STORE_STORE_READ_H
#define STUMPER_STORE_STORE_READ_H

#include "core/problem.h"
#include "store/store.h"

/* What calls of one role to one model have cost. */
struct usage_row {
    enum role role;
    struct str model;
    int64_t calls, input_tokens, cached_tokens, output_tokens, reasoning_tokens;
    int64_t cost_nusd;      /* of the calls whose cost is known */
    int64_t calls_unpriced; /* calls whose cost is unknown */
    int64_t calls_reused;   /* calls that an earlier job paid for: they cost nothing */
};

struct job_row {
    const char *id;
    int64_t tenant;
    enum job_state state;
    struct str spec;     /* without: empty (see the reads) */
    struct str taxonomy; /* what the spec leaves out; empty: it names its own */
    struct str name, webhook_url, reason;
    int64_t priority, concurrency;
    int64_t wanted, attempts; /* attempts ever numbered */
    int64_t outcomes[OUTCOME_COUNT];
    int64_t created_ms;
    int64_t started_ms, paused_ms, cancelling_ms,
        ended_ms;       /* of the last such change; 0: not yet */
    int64_t running_ms; /* since started_ms when it was read, by the store's clock; 0: not yet */
    int64_t leased;     /* attempts now leased or waiting to be leased again */
    int64_t in_flight;  /* those of them that are leased */
    int64_t calls, input_tokens, output_tokens;
    int64_t cost_nusd;      /* of the calls whose cost is known */
    int64_t calls_unpriced; /* calls whose cost is unknown */
    int64_t tries_lost;     /* whose end nobody saw: they may be on the bill, too, */
    int64_t lost_nusd;      /* with as much as this, as far as there is a price */
    int64_t events;         /* the number of its last event */
};

/* One stored problem. */
struct problem_row {
    int64_t seq; /* place in the order of finishing */
    int64_t attempt_no;
    enum outcome outcome;
    struct str id, line; /* line: with its final outcome in "status" */
};

struct event_row {
    int64_t seq;
    struct str kind; /* job.queued, …, job.progress, problem.accepted */
    struct str data; /* a JSON object */
    int64_t at_ms;
};

#define STORE_PAGE_ROWS_MAX 1000
/* A page ends with the row that passes this. */
#define STORE_PAGE_BYTES ((size_t)1024 * 1024)

/* --- operations. @a owns the results and is not touched by the caller until done; ERR_TOO_BIG:
 * they do not fit into it. */

/* A job and its usage by role and model. ERR_NOT_FOUND | ERR_GONE: it was deleted not long ago, as
 * below; ret.tenant says whose it was. */
struct store_get_job {
    struct store_op op;
    const char *job_id;
    int64_t tenant;
    bool with_spec;
    struct arena *a;
    struct job_row ret;
    struct usage_row *ret_usage; /* ordered by role, then model */
    size_t ret_usage_n;
};
void store_get_job(struct store *s, struct store_get_job *o);

/* Jobs without their specs, newest first. ERR_NOT_FOUND: there is no job `after`. */
struct store_list_jobs {
    struct store_op op;
    int64_t tenant;
    enum job_state state; /* only those; JOB_STATES: all */
    struct str name;      /* only those of exactly this name; empty: all */
    const char *after;    /* only those older than this job; NULL: from the newest */
    int64_t limit;        /* 1..STORE_PAGE_ROWS_MAX */
    struct arena *a;
    struct job_row *ret;
    size_t ret_n;
    bool ret_more;
};
void store_list_jobs(struct store *s, struct store_list_jobs *o);

/* A page of problems, in order of seq. ERR_NOT_FOUND. */
struct store_get_problems {
    struct store_op op;
    const char *job_id;
    int64_t tenant;
    int64_t after_seq; /* 0: from the first */
    unsigned mask;     /* 1u << OUTCOME_… of those wanted */
    int64_t limit;     /* 1..STORE_PAGE_ROWS_MAX; fewer come if they are large */
    struct arena *a;
    struct problem_row *ret;
    size_t ret_n;
    bool ret_more;
    enum job_state ret_state; /* in the same view: if final and not ret_more, this was the end */
};
void store_get_problems(struct store *s, struct store_get_problems *o);

/* A page of events, in order of seq. Of job.progress only the latest is kept. ERR_NOT_FOUND. */
struct store_get_events {
    struct store_op op;
    const char *job_id;
    int64_t tenant;
    int64_t after_seq; /* 0: from the first */
    int64_t limit;     /* 1..STORE_PAGE_ROWS_MAX; fewer come if they are large */
    struct arena *a;
    struct event_row *ret;
    size_t ret_n;
    bool ret_more;
    enum job_state ret_state; /* in the same view */
};
void store_get_events(struct store *s, struct store_get_events *o);

/* What there is in the whole store, for metrics. */
struct store_totals {
    struct store_op op;
    int64_t ret_jobs[JOB_STATES]; /* those that have not ended are counted; 0 for final states */
    int64_t ret_in_flight;        /* leased attempts */
    int64_t ret_outbox;           /* webhooks to be delivered */
};
void store_totals(struct store *s, struct store_totals *o);

/* --- reading a file */

/* A read-only connection of its own, for commands. Never blocks the writer, if there is one. Any
 * one thread at a time. Each read may also give ERR_IO | ERR_CORRUPT | ERR_BUSY. */
struct store_reader;

/** ERR_NOT_FOUND (no file, or an empty one) | ERR_CORRUPT (names the file and what it is not). */
NODISCARD enum err store_reader_open(const char *path, struct store_reader **ret,
                                     struct errinfo *reterr);
void store_reader_close(struct store_reader *r);

/** The newest job of the store (a `generate` store holds one), or the one with @job_id if not NULL,
 * with its spec. ERR_NOT_FOUND | ERR_TOO_BIG: it does not fit into @a. */
NODISCARD enum err store_read_job(struct store_reader *r, const char *job_id, struct arena *a,
                                  struct job_row *ret, struct errinfo *reterr);

/** Call @each for every problem of a job, in order of seq; stop early when it returns false. Rows
 * are borrowed for the call, which may take its time: no transaction is open. @mask:
 * 1u << OUTCOME_… of those wanted. ERR_NOT_FOUND. */
NODISCARD enum err store_read_problems(struct store_reader *r, const char *job_id, unsigned mask,
                                       bool (*each)(void *ctx, const struct problem_row *row),
                                       void *ctx, struct errinfo *reterr);

/* Spend and time by role and model. */
struct spend_row {
    struct usage_row usage;
    int64_t calls_reused;       /* of the calls: an earlier job paid for them */
    int64_t cache_write_tokens; /* of the input: written to the provider's cache, as far as told */
    int64_t wasted_nusd; /* calls of attempts that ended FAILED or have not ended, and stale ones */
    int64_t p50_ms, p95_ms;
};
/** Ordered by role, then model. Reads the whole ledger of the job. ERR_NOT_FOUND. */
NODISCARD enum err store_read_spend(struct store_reader *r, const char *job_id, struct arena *a,
                                    struct spend_row **ret, size_t *ret_n, struct errinfo *reterr);

/** The hashes of the problems of a job's ended attempts: see store_hashes(). ERR_NOT_FOUND |
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
