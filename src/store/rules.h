/* rules.h - what the store's operations mean, once, in SQL. Inside the room only.
 *
 * Every function runs inside a transaction that its caller began and will end. It returns the
 * operation's logical outcome; a failure of the database sticks to the connection (sql.h) and is
 * found at the commit. A refusal is known before anything is written, so no operation has to be
 * undone alone; of a stale record or finish, the ledger's part is meant to stay.
 */
#ifndef STUMPER_STORE_RULES_H
#define STUMPER_STORE_RULES_H

#include "store/sql.h"
#include "store/store.h"

/* An attempt that was lost more often is set aside as failed: it may be what kills the process. */
#define RULES_CRASHES_MAX 3

struct rules_job;

struct rules {
    struct sql *db;
    struct arena arena;     /* of the running transaction */
    struct rules_job *jobs; /* that it has touched, the latest first */
    struct sbuf line;       /* the problem being written */
};

/** @db is borrowed; it was opened with queries_texts. / Free the memory. */
void rules_init(struct rules *r, struct sql *db);
void rules_release(struct rules *r);

/* One rule a kind of operation; @op is the head of that kind's struct. */
typedef enum err rule_fn(struct rules *r, struct store_op *op);
rule_fn rule_submit, rule_claim, rule_record, rule_finish, rule_release, rule_job_set, rule_calls;

/** Every lease belongs to a process that is gone: take them all back. */
void rules_reap(struct rules *r, int64_t now_ms);

/** Before the commit: write the counters that have changed. */
void rules_flush(struct rules *r);

/** After the commit or the rollback: nothing is known any more. */
void rules_forget(struct rules *r);

#endif
