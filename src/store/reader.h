/* reader.h - the read-only connection and what is read with it. Inside the room only.
 *
 * The read_… functions are the reading operations: each runs inside a transaction that its caller
 * began, with @op as the head of its kind's struct, and returns its logical outcome; a failure of
 * the database sticks to the connection (sql.h). */
#ifndef STUMPER_STORE_READER_H
#define STUMPER_STORE_READER_H

#include "store/check.h"
#include "store/row.h"

enum {
    R_JOB,
    R_JOB_WITH_SPEC,
    R_JOB_NEWEST,
    R_JOB_KEY,
    R_JOBS,
    R_JOBS_OF_TENANT,
    R_JOBS_IN_STATE,
    R_JOBS_OF_TENANT_IN_STATE,
    R_JOBS_NAMED,
    R_JOBS_COUNT,
    R_USAGE,
    R_TENANT_NEXT,
    R_RUNNABLE,
    R_IN_FLIGHT,
    R_PROBLEMS,
    R_EVENTS,
    R_CALLS,
    R_HASHES_COUNT,
    R_HASHES,
    R_SPEND,
    R_AWAITED_COUNT,
    R_AWAITED,
    R_WORKERS,
    R_KEYS,
    R_KEY_OF_HASH,
    R_GONE,
    R_OUTBOX_COUNT,
#define X(name, text, query) R_CHECK_##name,
    STORE_CHECKS(X)
#undef X
        R_COUNT
};

struct store_reader {
    struct sql *db;
    char *path;
};

/* One reading operation. */
typedef enum err read_fn(struct store_reader *r, struct store_op *op);
read_fn read_get_job, read_list_jobs, read_totals, read_runnable;
read_fn read_get_problems, read_get_events, read_calls, read_hashes;
read_fn read_batches;
read_fn read_worker_list;
read_fn read_key_list, read_key_find;

/* What the reads need to know of a job first. */
struct reader_job {
    int64_t key, tenant;
    enum job_state state;
};

/** The job, if @tenant may see it; false: no, or the database failed. */
bool reader_find_job(struct store_reader *r, const char *job_id, int64_t tenant,
                     struct reader_job *ret);

/** Was there such a job, and whose? */
bool reader_is_gone(struct store_reader *r, const char *job_id, int64_t *ret_tenant);

/** The refusal where reader_find_job() was false, unless the database failed: that is found at the
 * end of the transaction. */
enum err reader_no_job(struct store_reader *r, const char *job_id, int64_t tenant,
                       struct errinfo *reterr);

/** For sorting: by role, then model. */
int reader_usage_order(const struct usage_row *a, const struct usage_row *b);

/** The hashes of a job's problems; see store_hashes(). */
enum err reader_get_hashes(struct store_reader *r, int64_t job, struct arena *a, uint64_t **ret,
                           size_t *ret_n, struct errinfo *reterr);

#endif
