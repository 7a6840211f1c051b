/* Which calls wait for which batch: two tables and a view (schema/0003.sql). */
#include "store/rules_job.h"
#include "store/store_batch.h"

static void rules_batch_call(struct rules *r, int64_t job_key, int64_t batch,
                             const struct batch_call *call) {
    struct sql_query *q = sql_use(r->db, Q_BATCH_CALL);
    sql_put_int(q, job_key);
    sql_put_int(q, call->attempt_no);
    sql_put_int(q, call->call_no);
    sql_put_int(q, batch);
    (void)sql_run(q);
}

bool rules_awaits(struct rules *r, const struct rules_job *job) {
    struct sql_query *q = sql_use(r->db, Q_AWAITS);
    bool awaits = false;
    sql_put_int(q, job->key);
    while (sql_next(q)) {
        awaits = true;
    }
    return awaits;
}

enum err rule_batch_intend(struct rules *r, struct store_op *op) {
    struct store_batch_intend *o = CONTAINER_OF(op, struct store_batch_intend, op);
    struct rules_job *job = rules_job(r, o->job_id, STORE_TENANT_ANY);
    int64_t batch = 0;
    if (job == NULL) {
        return rules_no_job(op, o->job_id);
    }
    struct sql_query *q = sql_use(r->db, Q_BATCH_ADD);
    sql_put_int(q, job->key);
    sql_put_str(q, o->mark);
    sql_put_str(q, o->model);
    sql_put_int(q, o->now_ms);
    while (sql_next(q)) {
        batch = sql_int(q, 0);
    }
    for (size_t i = 0; i < o->n; i++) {
        rules_batch_call(r, job->key, batch, &o->calls[i]);
    }
    (void)rules_run_int(r, Q_BATCH_CALLS_FORGET, job->key);
    (void)rules_run_int(r, Q_BATCHES_FORGET, job->key);
    return ERR_OK;
}

enum err rule_batch_made(struct rules *r, struct store_op *op) {
    struct store_batch_made *o = CONTAINER_OF(op, struct store_batch_made, op);
    struct sql_query *q = sql_use(r->db, Q_BATCH_MADE);
    sql_put_str(q, o->id);
    sql_put_str(q, o->mark);
    (void)sql_run(q);
    return ERR_OK;
}
