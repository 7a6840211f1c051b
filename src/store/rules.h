/* rules.h - what the store's writing operations mean, once, in SQL. Inside the room only.
 *
 * Every function runs inside a transaction that its caller began and will end. It returns the
 * operation's logical outcome; a failure of the database sticks to the connection (sql.h) and is
 * found at the commit. A refusal is known before anything is written, so no operation has to be
 * undone alone; of a stale record or finish, the ledger's part is meant to stay.
 */
#ifndef STUMPER_STORE_RULES_H
#define STUMPER_STORE_RULES_H

#include "base/sbuf.h"
#include "store/sql.h"
#include "store/store.h"

/* An attempt that was lost so often is set aside as failed: it may be what kills the process. */
#define RULES_CRASHES_MAX 3

#define RULES_BUCKETS 256 /* power of two */

struct rules_job;
struct rules_spend;

/* The taxonomy that was submitted last: most jobs have the same. */
struct rules_text {
    struct sbuf text;
    int64_t key; /* 0: none is known */
    bool kept;   /* nobody can delete it in the running transaction */
};

struct rules {
    struct sql *db;
    int64_t wall_ahead_ms; /* of the clock that never jumps, when we began */
    int64_t reaped_ms;     /* when rule_reap() ran last */
    int64_t connected_ms;  /* on which connection */
    int64_t leads_ms;  /* on which connection this process was made the one that looks; 0: none */
    int64_t spared_ms; /* when all had their time begin anew */
    int64_t rested_ms; /* when this process, which was away, may look for locks again; or 0 */
    struct rules_text taxonomy;
    int64_t queued; /* jobs in that state, as committed, where counted_ms tells that they were */
    int64_t counted_ms;
    bool deleted; /* rows of deleted jobs are left; see rules_purge() */
    /* of the running transaction */
    struct arena arena;
    struct rules_job *jobs; /* that it has touched */
    struct rules_job *buckets[RULES_BUCKETS];
    struct rules_spend *spends; /* of keys; rules_purse.c */
    int64_t queued_more;        /* by so many, or so many fewer */
    bool events, outbox, keys;  /* it adds such rows */
    struct sbuf line;           /* the problem, event or webhook being written */
};

/** @db is borrowed; it was opened with queries_texts. / Free the memory. */
void rules_init(struct rules *r, struct sql *db);
void rules_release(struct rules *r);

/* One rule a kind of operation; @op is the head of that kind's struct. */
typedef enum err rule_fn(struct rules *r, struct store_op *op);
rule_fn rule_submit, rule_ask, rule_delete, rule_sweep;
rule_fn rule_join, rule_beat, rule_worker_drain, rule_quit, rule_reap, rule_take, rule_leave,
    rule_job_set;
rule_fn rule_claim, rule_lend, rule_record, rule_lose, rule_finish, rule_release;
rule_fn rule_batch_intend, rule_batch_made;
rule_fn rule_key_add, rule_key_revoke, rule_key_requests, rule_purse, rule_outbox_take,
    rule_outbox_tell;

struct store_part;

/** A worker that is alive claims @n parts (store_work.h). */
void rules_claim_parts(struct rules *r, int64_t worker, struct store_part *parts, size_t n);

/** Nobody else has the store: take back what others left under way. On a server, where somebody may
 * be, nothing is done unless this process is alone. */
void rules_take_over(struct rules *r);

/** On a server: this process goes, and gives back what it still has. */
void rules_sign_out(struct rules *r);

/** On a server, at the beginning of a transaction: lock the rows of the jobs that it will touch
 * (their @ids, each ended by a newline), always in the same order, and know them. */
void rules_lock_jobs(struct rules *r, struct str ids);

/** … then those of the API keys whose limits it looks at: their numbers in @keys, likewise. */
void rules_lock_keys(struct rules *r, struct str keys);

/** Remove some rows of deleted jobs; r->deleted tells whether there are more. */
void rules_purge(struct rules *r);

/** Before the commit: write the counters that have changed. */
void rules_flush(struct rules *r);

/** After the commit (@committed) or the rollback: nothing of the transaction is known any more. */
void rules_forget(struct rules *r, bool committed);

#endif
