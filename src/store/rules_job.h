/* rules_job.h - what the files of the rules share: a job as the running transaction knows it.
 * Inside the room only. */
#ifndef STUMPER_STORE_RULES_JOB_H
#define STUMPER_STORE_RULES_JOB_H

#include "store/queries.h"
#include "store/rules.h"

#define RULES_LINE_BYTES_MAX ((size_t)256 * 1024 * 1024)

struct rules_job {
    struct rules_job *next;
    const char *id;
    int64_t key;
    enum job_state state;
    int64_t wanted, attempts, outcomes[OUTCOME_COUNT];
    int64_t calls, input_tokens, output_tokens, cost_nusd, calls_unpriced;
    bool changed;
};

/** The job, with what the transaction has counted so far; NULL if there is none, or if the database
 * failed. */
struct rules_job *rules_job(struct rules *r, const char *id);

/** The two refusals that several rules know, as their errors. */
enum err rules_no_job(struct store_op *op, const char *id);
enum err rules_stale(struct store_op *op, const struct lease *lease);

/** Is the lease live? / End it with its attempt; false if it was not live. */
bool rules_lease_is_live(struct rules *r, const struct rules_job *job, const struct lease *lease);
bool rules_lease_end(struct rules *r, const struct rules_job *job, const struct lease *lease);

/** Write a problem's line into r->line; false if it is too long to be kept. */
bool rules_write_line(struct rules *r, const struct problem *p, const struct problem_ids *ids);

/** Store the problem whose line was just written, and count it. */
void rules_add_problem(struct rules *r, struct rules_job *job, const struct problem *p,
                       const struct problem_ids *ids);

#endif
