/* ops.h - the kinds of operations, and how the store's parts hang together. Inside the room only.
 */
#ifndef STUMPER_STORE_OPS_H
#define STUMPER_STORE_OPS_H

#include "store/desk.h"
#include "store/lock.h"
#include "store/news.h"
#include "store/reader.h"
#include "store/rules.h"

#include "base/metrics.h"

#include <stdatomic.h>

struct store {
    struct store_lock lock;
    struct desk writing, reading;
    struct sql *db; /* of the writing thread while it runs; so are the rules */
    struct rules rules;
    struct sbuf job_ids, keys;   /* of the batch */
    struct store_reader *reader; /* of the reading thread */
    atomic_int waiting;          /* desks that wait for the database, with operations in hand */
    atomic_int trouble;          /* an enum err: of the last transaction */
    struct watches watches;
    struct news *news; /* of other processes; NULL: there are none */
    struct {
        struct metric *commits, *operations, *reads, *failures, *log_bytes;
    } measured;
    atomic_llong refs; /* the owner's, and one for each operation whose `done` was not called yet */
};

/** Give up a reference; the last one frees. Any thread. */
void store_unref(struct store *s);

/* A kind that writes has a rule and the places where a test kills it; one that reads has a read.
 * While the database is away a patient one waits for it: there is a paid answer in it, or a worker
 * would give its job up. The others fail, so that whoever asks is told at once. */
struct store_kind {
    bool patient;
    rule_fn *rule;
    const char *before_commit, *after_commit;
    read_fn *read;
    size_t job_at; /* where in the operation's struct the job's id is; 0: it names none */
};

/** The kind of an operation that was begun. */
const struct store_kind *store_kind(const struct store_op *op);

/** The job that an operation names; NULL: none. Its op is the first member of its struct. */
const char *store_op_job(const struct store_op *op);

/** The API key whose limits it looks at; 0: none. Likewise. */
int64_t store_op_key(const struct store_op *op);

/** About how many bytes an operation will write. */
size_t store_op_bytes(struct store_op *op);

#endif
