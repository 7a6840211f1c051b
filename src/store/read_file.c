/* Reading the file of a store, for commands: the same rows as the operations give, at once.
 * Problems are copied out page by page, and what the caller does with a page happens outside of any
 * transaction. */
#include "store/reader.h"

#include "core/histogram.h"
#include "store/names.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define READER_ARENA_BYTES_MAX ((size_t)1024 * 1024 * 1024)
#define READER_PAGE_ROWS 64

/* End the transaction that was begun; the database's failure is the reason, if there is one. */
static enum err reader_end(struct store_reader *r, enum err e, struct errinfo *reterr) {
    enum err failed = sql_commit(r->db, reterr);
    return failed != ERR_OK ? failed : e;
}

static enum err reader_end_without_job(struct store_reader *r, const char *job_id,
                                       struct errinfo *reterr) {
    enum err e = job_id == NULL
                     ? errinfo_set(reterr, ERR_NOT_FOUND, "%s holds no job", r->path)
                     : errinfo_set(reterr, ERR_NOT_FOUND, "%s holds no job %s", r->path, job_id);
    return reader_end(r, e, reterr);
}

enum err store_read_job(struct store_reader *r, const char *job_id, struct arena *a,
                        struct job_row *ret, struct errinfo *reterr) {
    struct job_row row;
    sql_begin(r->db);
    struct sql_query *q = sql_use(r->db, job_id != NULL ? R_JOB_WITH_SPEC : R_JOB_NEWEST);
    if (job_id != NULL) {
        sql_put_str(q, str_of(job_id));
    }
    if (!sql_next(q)) {
        return reader_end_without_job(r, job_id, reterr);
    }
    enum err e = row_get_job(r->db, q, a, &row);
    sql_end(q);
    if (e != ERR_OK) {
        (void)errinfo_set(reterr, e, "%s: the stored job: %s", r->path, err_text(e));
    }
    e = reader_end(r, e, reterr);
    if (e == ERR_OK) {
        *ret = row;
    }
    return e;
}

enum err store_read_problems(struct store_reader *r, const char *job_id, unsigned mask,
                             bool (*each)(void *ctx, const struct problem_row *row), void *ctx,
                             struct errinfo *reterr) {
    struct arena a;
    struct store_get_problems page = {.job_id = job_id,
                                      .tenant = STORE_TENANT_ANY,
                                      .mask = mask,
                                      .limit = READER_PAGE_ROWS,
                                      .a = &a};
    enum err e = ERR_OK;
    arena_init(&a, READER_ARENA_BYTES_MAX);
    for (bool more = true; more;) {
        arena_reset(&a);
        sql_begin(r->db);
        e = read_get_problems(r, &page.op);
        e = e == ERR_NOT_FOUND ? reader_end_without_job(r, job_id, reterr)
                               : reader_end(r, e, reterr);
        more = e == ERR_OK && page.ret_n > 0; /* some may come while these are looked at */
        for (size_t i = 0; more && i < page.ret_n; i++) {
            page.after_seq = page.ret[i].seq;
            more = each(ctx, &page.ret[i]);
        }
    }
    arena_release(&a);
    return e;
}

enum err store_read_hashes(struct store_reader *r, const char *job_id, struct arena *a,
                           uint64_t **ret, size_t *ret_n, struct errinfo *reterr) {
    struct reader_job job;
    sql_begin(r->db);
    if (!reader_find_job(r, job_id, STORE_TENANT_ANY, &job)) {
        return reader_end_without_job(r, job_id, reterr);
    }
    enum err e = reader_get_hashes(r, job.key, a, ret, ret_n, reterr);
    return reader_end(r, e, reterr);
}

/* --- spend */

#define READER_SPEND_MAX 256 /* roles times models of one job */

struct reader_spend {
    struct spend_row rows[READER_SPEND_MAX];
    struct histogram latency_ms[READER_SPEND_MAX];
    size_t n;
};

/* The index of the row of @role and @model, made if need be; READER_SPEND_MAX if there are too
 * many. */
static size_t reader_spend_of(struct reader_spend *spend, enum role role, struct str model,
                              struct arena *a) {
    size_t i = 0;
    while (i < spend->n &&
           !(spend->rows[i].usage.role == role && str_eq(spend->rows[i].usage.model, model))) {
        i++;
    }
    if (i == spend->n && spend->n < READER_SPEND_MAX) {
        spend->rows[spend->n++] =
            (struct spend_row){.usage = {.role = role, .model = str_dup(a, model)}};
    }
    return i;
}

static void reader_add_spend(struct store_reader *r, struct sql_query *q, struct arena *a,
                             struct reader_spend *spend) {
    enum role role = names_role(sql_str(q, 0));
    size_t i =
        role == ROLE_COUNT ? READER_SPEND_MAX : reader_spend_of(spend, role, sql_str(q, 1), a);
    if (i == READER_SPEND_MAX) {
        sql_found_corrupt(r->db, "the ledger names unknown roles or too many models");
        return;
    }
    struct spend_row *row = &spend->rows[i];
    row->usage.calls++;
    row->usage.input_tokens += sql_int(q, 3);
    row->usage.cached_tokens += sql_int(q, 4);
    row->usage.output_tokens += sql_int(q, 5);
    row->usage.reasoning_tokens += sql_int(q, 6);
    row->usage.cost_nusd += sql_int(q, 7);
    row->usage.calls_unpriced += sql_is_null(q, 7);
    histogram_add(&spend->latency_ms[i], sql_int(q, 8));
    row->cache_write_tokens += sql_int(q, 10);
    row->calls_reused += sql_int(q, 11) == 0;
    bool stale = sql_int(q, 2) != 0;
    enum outcome outcome = outcome_from_name(sql_str(q, 9)); /* OUTCOME_COUNT: it has not ended */
    if (stale || outcome == OUTCOME_FAILED || outcome == OUTCOME_COUNT) {
        row->wasted_nusd += sql_int(q, 7);
    }
}

static int reader_spend_order(const void *left, const void *right) {
    const struct spend_row *a = left, *b = right;
    return reader_usage_order(&a->usage, &b->usage);
}

enum err store_read_spend(struct store_reader *r, const char *job_id, struct arena *a,
                          struct spend_row **ret, size_t *ret_n, struct errinfo *reterr) {
    struct reader_job job;
    sql_begin(r->db);
    if (!reader_find_job(r, job_id, STORE_TENANT_ANY, &job)) {
        return reader_end_without_job(r, job_id, reterr);
    }
    struct reader_spend *spend = mem_new(sizeof *spend);
    struct sql_query *q = sql_use(r->db, R_SPEND);
    sql_put_int(q, job.key);
    while (sql_next(q)) {
        reader_add_spend(r, q, a, spend);
    }
    enum err e = reader_end(r, ERR_OK, reterr);
    if (e == ERR_OK) {
        for (size_t i = 0; i < spend->n; i++) {
            spend->rows[i].p50_ms = histogram_quantile(&spend->latency_ms[i], 0.5);
            spend->rows[i].p95_ms = histogram_quantile(&spend->latency_ms[i], 0.95);
        }
        *ret = ARENA_ARRAY(a, struct spend_row, spend->n);
        *ret_n = spend->n;
        if (spend->n > 0) {
            memcpy(*ret, spend->rows, spend->n * sizeof **ret);
            qsort(*ret, spend->n, sizeof **ret, reader_spend_order);
        }
    }
    free(spend);
    return e;
}
