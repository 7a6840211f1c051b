/* store_job.h - operations of who orders problems. See store.h for what holds for all of them. */
#ifndef STUMPER_STORE_STORE_JOB_H
#define STUMPER_STORE_STORE_JOB_H

#include "base/str.h"
#include "store/store_key.h"

/* What kept a job from being submitted. */
enum store_limit {
    STORE_LIMIT_NONE,
    STORE_LIMIT_JOBS, /* the key has as many jobs under way as it may */
    STORE_LIMIT_DAY,  /* it has spent its day, or a job was paused today since the rest would not do
                       */
    STORE_LIMIT_QUEUED /* queued_max jobs are queued */
};

/* Begin a job in state queued: its row, its specification and its first event in one transaction.
 *
 * With an idempotency key a second submission of the tenant is no second job: the same fingerprint
 * gives the first job's id and ret_replayed, another one ERR_CONFLICT. The key lives as long as its
 * job. What an API key may have under way and spend is looked at in the same transaction, one of a
 * key after the other, whichever processes they come from. ERR_EXISTS: there is a job of that id |
 * ERR_RATE_LIMIT: ret_limit says which. */
struct store_submit {
    struct store_op op;
    const char *job_id;  /* shorter than STORE_ID_BYTES */
    int64_t tenant;      /* a key's number or STORE_TENANT_NONE */
    struct str spec;     /* canonical JSON (job_spec_write) */
    struct str taxonomy; /* kept once for all jobs that have the same: the taxonomy that the spec
                            leaves out; may be empty: the spec names its own */
    int64_t wanted;
    int64_t priority;             /* larger ones first */
    int64_t concurrency;          /* cap on attempts in flight, for who shares the slots; 0: none */
    struct str name, webhook_url; /* may be empty */
    struct str idem_key, fingerprint; /* both empty, or a key and a digest of the request */
    int64_t queued_max;               /* 0: any number */
    bool limited;                     /* the tenant is a key that may have limits */
    char ret_job_id[STORE_ID_BYTES];  /* job_id, or the first job's */
    int64_t ret_created_ms;
    bool ret_replayed;
    enum store_limit ret_limit;
    struct key_use ret_use; /* before this job; where it is limited and no replay */
};
void store_submit(struct store *s, struct store_submit *o);

enum store_wish { STORE_CANCEL, STORE_PAUSE, STORE_RESUME };

/* Ask for a change. ret_state is what the job is after it, which tells whether the wish was heard:
 * a final state stays; a job that is cancelling is neither paused nor resumed. Without a home a
 * job is cancelled at once, unless answers are awaited from batches: then, as with a home, it is
 * cancelling until a worker leaves it; resumed without a home it is queued. ERR_NOT_FOUND |
 * ERR_GONE. */
struct store_ask {
    struct store_op op;
    const char *job_id;
    int64_t tenant;
    enum store_wish wish;
    struct str reason; /* for the row and the event; may be empty */
    enum job_state ret_state;
};
void store_ask(struct store *s, struct store_ask *o);

/* Delete a job that has ended: it is gone for every reader at once; its rows are removed bit by
 * bit, between other operations, also after a restart. Its webhooks still under way are dropped.
 * Who asks for it later is told ERR_GONE, for a while. ERR_NOT_FOUND | ERR_GONE | ERR_CONFLICT: it
 * has not ended. */
struct store_delete {
    struct store_op op;
    const char *job_id;
    int64_t tenant;
};
void store_delete(struct store *s, struct store_delete *o);

#define STORE_SWEEP_MAX 1000

/* Retention: delete jobs that ended longer ago than @retain_ms, oldest first, at most
 * STORE_SWEEP_MAX at once (ask again while ret_n is that), and what else is only kept for a while:
 * webhooks that were delivered or given up before that, the daily spend of keys two months after.
 */
struct store_sweep {
    struct store_op op;
    int64_t retain_ms;
    int64_t ret_n;
};
void store_sweep(struct store *s, struct store_sweep *o);

#endif
