/* Jobs: one, many, those to be worked on. */
#include "store/reader.h"

#include "store/names.h"
#include "store/store_work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READER_USAGE_MAX 256 /* roles times models of one job */

int reader_usage_order(const struct usage_row *a, const struct usage_row *b) {
    if (a->role != b->role) {
        return a->role < b->role ? -1 : 1;
    }
    int order = memcmp(a->model.p, b->model.p, MIN(a->model.n, b->model.n));
    return order != 0 ? order : (a->model.n > b->model.n) - (a->model.n < b->model.n);
}

static int reader_compare_usage(const void *left, const void *right) {
    return reader_usage_order(left, right);
}

static enum err reader_get_usage(struct store_reader *r, int64_t job, struct arena *a,
                                 struct usage_row **ret, size_t *ret_n) {
    struct usage_row *rows = ARENA_ARRAY(a, struct usage_row, READER_USAGE_MAX);
    size_t n = 0;
    bool fits = true;
    struct sql_query *q = sql_use(r->db, R_USAGE);
    sql_put_int(q, job);
    while (sql_next(q)) {
        struct usage_row *row = &rows[n];
        fits = n < READER_USAGE_MAX && row_get_str(q, 1, a, &row->model);
        if (!fits) {
            sql_end(q);
            return ERR_TOO_BIG;
        }
        row->role = names_role(sql_str(q, 0));
        row->calls = sql_int(q, 2);
        row->input_tokens = sql_int(q, 3);
        row->cached_tokens = sql_int(q, 4);
        row->output_tokens = sql_int(q, 5);
        row->reasoning_tokens = sql_int(q, 6);
        row->cost_nusd = sql_int(q, 7);
        row->calls_unpriced = sql_int(q, 8);
        row->calls_reused = sql_int(q, 9);
        n++;
    }
    qsort(rows, n, sizeof *rows, reader_compare_usage);
    *ret = rows;
    *ret_n = n;
    return ERR_OK;
}

enum err read_get_job(struct store_reader *r, struct store_op *op) {
    struct store_get_job *o = CONTAINER_OF(op, struct store_get_job, op);
    struct sql_query *q = sql_use(r->db, o->with_spec ? R_JOB_WITH_SPEC : R_JOB);
    sql_put_str(q, str_of(o->job_id));
    if (!sql_next(q)) {
        o->ret = (struct job_row){.tenant = STORE_TENANT_NONE};
        (void)reader_is_gone(r, o->job_id, &o->ret.tenant); /* what if it is, says the next line */
        return reader_no_job(r, o->job_id, o->tenant, &op->detail);
    }
    int64_t key = sql_int(q, 29);
    enum err e = row_get_job(r->db, q, o->a, &o->ret);
    sql_end(q);
    if (e == ERR_OK && o->tenant != STORE_TENANT_ANY && o->tenant != o->ret.tenant) {
        return reader_no_job(r, o->job_id, o->tenant, &op->detail);
    }
    if (e == ERR_OK) {
        e = reader_get_usage(r, key, o->a, &o->ret_usage, &o->ret_usage_n);
    }
    return e == ERR_OK
               ? e
               : errinfo_set(&op->detail, e, "job %s does not fit the memory given", o->job_id);
}

/* --- lists */

/* Put what the list's query wants, in its order: the filters that choose the text come first. */
static struct sql_query *reader_use_list(struct store_reader *r, const struct store_list_jobs *o,
                                         int64_t before_key) {
    bool of_tenant = o->tenant != STORE_TENANT_ANY, in_state = o->state != JOB_STATES;
    struct str state = in_state ? str_of(job_state_name(o->state)) : S("");
    bool named = o->name.n > 0;
    struct sql_query *q = sql_use(r->db, named                   ? R_JOBS_NAMED
                                         : of_tenant && in_state ? R_JOBS_OF_TENANT_IN_STATE
                                         : of_tenant             ? R_JOBS_OF_TENANT
                                         : in_state              ? R_JOBS_IN_STATE
                                                                 : R_JOBS);
    if (named) {
        sql_put_str(q, o->name);
        sql_put_int(q, before_key);
        sql_put_int(q, o->tenant);
        sql_put_str(q, state);
    } else {
        if (in_state) {
            sql_put_str(q, state);
        }
        if (of_tenant) {
            sql_put_int(q, o->tenant);
        }
        sql_put_int(q, before_key);
    }
    sql_put_int(q, o->limit + 1);
    return q;
}

enum err read_list_jobs(struct store_reader *r, struct store_op *op) {
    struct store_list_jobs *o = CONTAINER_OF(op, struct store_list_jobs, op);
    struct reader_job after = {.key = INT64_MAX};
    ASSERT(o->limit >= 1 && o->limit <= STORE_PAGE_ROWS_MAX);
    if (o->after != NULL && !reader_find_job(r, o->after, o->tenant, &after)) {
        return reader_no_job(r, o->after, o->tenant, &op->detail);
    }
    o->ret = ARENA_ARRAY(o->a, struct job_row, (size_t)o->limit);
    o->ret_n = 0;
    o->ret_more = false;
    struct sql_query *q = reader_use_list(r, o, after.key);
    while (sql_next(q)) {
        o->ret_more = o->ret_n == (size_t)o->limit;
        enum err e = o->ret_more ? ERR_OK : row_get_job(r->db, q, o->a, &o->ret[o->ret_n++]);
        if (e != ERR_OK) {
            sql_end(q);
            return errinfo_set(&op->detail, e, "the jobs do not fit the memory given");
        }
    }
    return ERR_OK;
}

static int64_t reader_ask_int(struct store_reader *r, size_t query) {
    struct sql_query *q = sql_use(r->db, query);
    int64_t n = 0;
    while (sql_next(q)) {
        n = sql_int(q, 0);
    }
    return n;
}

enum err read_totals(struct store_reader *r, struct store_op *op) {
    struct store_totals *o = CONTAINER_OF(op, struct store_totals, op);
    for (int state = 0; state < JOB_STATES; state++) {
        o->ret_jobs[state] = 0;
        if (!job_state_is_final((enum job_state)state)) {
            struct sql_query *q = sql_use(r->db, R_JOBS_COUNT);
            sql_put_str(q, str_of(job_state_name((enum job_state)state)));
            while (sql_next(q)) {
                o->ret_jobs[state] = sql_int(q, 0);
            }
        }
    }
    o->ret_in_flight = reader_ask_int(r, R_IN_FLIGHT);
    o->ret_outbox = reader_ask_int(r, R_OUTBOX_COUNT);
    return ERR_OK;
}

/* --- to be worked on */

/* The next tenant after @tenant that has such jobs; @tenant itself if there is none. */
static int64_t reader_next_tenant(struct store_reader *r, int64_t tenant) {
    struct sql_query *q = sql_use(r->db, R_TENANT_NEXT);
    int64_t next = tenant;
    sql_put_int(q, tenant);
    while (sql_next(q)) {
        next = sql_is_null(q, 0) ? tenant : sql_int(q, 0);
    }
    return next;
}

enum err read_runnable(struct store_reader *r, struct store_op *op) {
    struct store_runnable *o = CONTAINER_OF(op, struct store_runnable, op);
    ASSERT(o->each_max >= 1);
    o->ret_n = 0;
    int64_t tenant = -1;
    for (int64_t next; o->ret_n < STORE_RUNNABLE_MAX; tenant = next) {
        next = reader_next_tenant(r, tenant);
        if (next == tenant) {
            break;
        }
        struct sql_query *q = sql_use(r->db, R_RUNNABLE);
        sql_put_int(q, next);
        sql_put_int(q, MIN(o->each_max, STORE_RUNNABLE_MAX - (int64_t)o->ret_n));
        while (sql_next(q)) {
            struct runnable_row *row = &o->ret[o->ret_n++];
            *row = (struct runnable_row){.tenant = next, .priority = sql_int(q, 1)};
            (void)snprintf(row->job_id, sizeof row->job_id, "%.*s", STR_ARG(sql_str(q, 0)));
        }
    }
    return ERR_OK;
}
