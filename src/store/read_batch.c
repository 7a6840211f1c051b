/* The batches that calls are awaited from. */
#include "store/reader.h"
#include "store/store_batch.h"

/* A row for a call: a batch's calls follow each other. */
static bool reader_add_batch_call(struct sql_query *q, struct store_batches *o,
                                  struct batch_call *call) {
    struct batch_row *row = o->ret_n > 0 ? &o->ret[o->ret_n - 1] : NULL;
    if (row == NULL || !str_eq(row->mark, sql_str(q, 0))) {
        row = &o->ret[o->ret_n++];
        *row = (struct batch_row){.created_ms = sql_int(q, 3), .calls = call};
        if (!row_get_str(q, 0, o->a, &row->mark) || !row_get_str(q, 1, o->a, &row->model) ||
            !row_get_str(q, 2, o->a, &row->id)) {
            return false;
        }
    }
    *call = (struct batch_call){sql_int(q, 4), sql_int(q, 5)};
    row->n++;
    return true;
}

enum err read_batches(struct store_reader *r, struct store_op *op) {
    struct store_batches *o = CONTAINER_OF(op, struct store_batches, op);
    struct reader_job job;
    size_t n = 0, at = 0;
    if (!reader_find_job(r, o->job_id, STORE_TENANT_ANY, &job)) {
        return reader_no_job(r, o->job_id, STORE_TENANT_ANY, &op->detail);
    }
    struct sql_query *q = sql_use(r->db, R_AWAITED_COUNT);
    sql_put_int(q, job.key);
    while (sql_next(q)) {
        n = (size_t)sql_int(q, 0);
    }
    bool fits = n < arena_room(o->a) / (sizeof(struct batch_call) + sizeof(struct batch_row));
    struct batch_call *calls = fits ? ARENA_ARRAY(o->a, struct batch_call, n) : NULL;
    o->ret = fits ? ARENA_ARRAY(o->a, struct batch_row, n) : NULL;
    o->ret_n = 0;
    q = fits ? sql_use(r->db, R_AWAITED) : NULL;
    if (fits) {
        sql_put_int(q, job.key);
    }
    while (fits && sql_next(q)) {
        fits = at < n && reader_add_batch_call(q, o, &calls[at++]);
        if (!fits) {
            sql_end(q);
        }
    }
    return fits ? ERR_OK
                : errinfo_set(&op->detail, ERR_TOO_BIG,
                              "the batches of job %s do not fit the memory given", o->job_id);
}
