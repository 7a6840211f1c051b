/* store_rig.h - a store of its own, driven one operation at a time, for the contract and the crash
 * tests: a file in a folder, or, with STUMPER_TEST_STORE=postgres in the environment, a schema in
 * the program's PostgreSQL. */
#ifndef STUMPER_TESTS_STORE_RIG_H
#define STUMPER_TESTS_STORE_RIG_H

#include "store/store_job.h"
#include "store/store_read.h"
#include "store/store_work.h"

#include <sys/types.h>

#define RIG_JOB "job_1"

struct rig {
    char folder[64];
    char path[128];   /* the file, or the address */
    char schema[32];  /* in PostgreSQL; "": it is a file */
    char direct[128]; /* the address without a pooler */
    pid_t pooler;     /* 0: there is none */
    struct loop *loop;
    struct store *store;   /* NULL while it is closed */
    struct errinfo detail; /* of the operation that failed last */
    struct arena arena;    /* for what a test reads; goes with the rig */
};

/** A new folder below TMPDIR or /tmp, no store in it yet. */
void rig_init(struct rig *r);

/** Close what is open, remove the folder. */
void rig_release(struct rig *r);

/** Open the store in the folder / close it. */
NODISCARD enum err rig_open(struct rig *r);
void rig_close(struct rig *r);

/** cmocka's set-up and tear-down: *@state is an open rig; at the end store_check() must find
 * nothing amiss. */
int rig_set_up(void **state);
int rig_tear_down(void **state);

/** As rig_set_up(), with a pgbouncer before the server that pools transactions, which goes with
 * rig_tear_down(). */
int rig_set_up_pooled(void **state);

/** The process that had the store is gone, and another one opens it. */
void rig_succeed(struct rig *r);

/** For the head of an operation that rig_wait() waits for. */
#define RIG_OP(r)                                                                                  \
    { .loop = (r)->loop, .done = rig_done }
void rig_done(struct store_op *op);

/** Run the loop until nothing is under way; the error of @op. */
enum err rig_wait(struct rig *r, const struct store_op *op);

/** May the store have given this time, a moment ago? */
bool rig_is_now(int64_t at_ms);

/* Operations on RIG_JOB, each waited for. */
enum err rig_submit(struct rig *r, int64_t wanted);
enum err rig_claim(struct rig *r, int64_t n, int64_t attempts_max, struct lease *ret,
                   int64_t *ret_n);
struct lease rig_claim_one(struct rig *r);
enum err rig_record(struct rig *r, struct lease lease, int64_t call_no, struct str text);
enum err rig_finish(struct rig *r, struct lease lease, enum outcome outcome,
                    enum outcome *ret_outcome);
enum err rig_release_leases(struct rig *r, const struct lease *leases, size_t n);
enum err rig_job_set(struct rig *r, enum job_state state, const char *reason);
enum err rig_calls(struct rig *r, int64_t attempt_no, struct arena *a, struct ledger_call **ret,
                   size_t *ret_n);

/** A call as rig_record() writes it. */
struct ledger_call rig_call(int64_t attempt_no, int64_t call_no, struct str text);

/** The job's row, read by a reader; its texts are in @a. */
struct job_row rig_job(struct rig *r, struct arena *a);

/** store_check(), whether the store is open or not. */
enum err rig_check(struct rig *r);

#endif
