/* Reading beside the writer. Every read is one short transaction: a long one would keep the
 * writer's log from being folded back into the file. So problems are copied out page by page, and
 * what the caller does with a page happens outside of any transaction. */
#include "store/reader.h"

#include "core/histogram.h"
#include "store/names.h"
#include "store/schema.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define READER_PAGE_ROWS 64
#define READER_PAGE_BYTES ((size_t)1024 * 1024)
#define READER_ARENA_BYTES_MAX ((size_t)1024 * 1024 * 1024)

#define READER_JOB_COLUMNS                                                                         \
    "SELECT j.id, j.state, s.spec, j.reason, j.wanted, j.attempts, j.accepted, j.rejected,"        \
    " j.solved, j.duplicate, j.surplus, j.failed, j.created_ms, j.ended_ms,"                       \
    " (SELECT count(*) FROM attempts a WHERE a.job = j.key), j.calls, j.input_tokens,"             \
    " j.output_tokens, j.cost_nusd, j.calls_unpriced FROM jobs j JOIN specs s ON s.job = j.key"

static const char *const reader_texts[R_COUNT] = {
    [R_JOB] = READER_JOB_COLUMNS " WHERE j.id = $1",
    [R_JOB_NEWEST] = READER_JOB_COLUMNS " ORDER BY j.key DESC LIMIT 1",
    [R_JOB_KEY] = "SELECT key FROM jobs WHERE id = $1",
    [R_PROBLEMS] = "SELECT seq, attempt_no, outcome, id, line FROM problems"
                   " WHERE job = $1 AND seq > $2 AND outcome IN ($3, $4, $5, $6, $7, $8)"
                   " ORDER BY seq LIMIT $9",
    [R_HASHES_COUNT] = "SELECT count(*) FROM problems WHERE job = $1 AND hash <> 0"
                       " AND outcome <> 'duplicate'",
    [R_HASHES] = "SELECT hash FROM problems WHERE job = $1 AND hash <> 0"
                 " AND outcome <> 'duplicate'",
    [R_SPEND] = "SELECT c.role, c.model, c.stale, c.input_tokens, c.cached_tokens, c.output_tokens,"
                " c.reasoning_tokens, c.cost_nusd, c.latency_ms, p.outcome FROM calls c"
                " LEFT JOIN problems p ON p.job = c.job AND p.attempt_no = c.attempt_no"
                " WHERE c.job = $1",
#define X(name, text, query) [R_CHECK_##name] = (query),
    STORE_CHECKS(X)
#undef X
};

enum err store_reader_open(const char *path, struct store_reader **ret, struct errinfo *reterr) {
    struct sql *db;
    enum err e = sql_open(path, SQL_READER, &store_schema, reader_texts, R_COUNT, &db, reterr);
    if (e != ERR_OK) {
        return e;
    }
    struct store_reader *r = mem_new(sizeof *r);
    *r = (struct store_reader){.db = db, .path = mem_dup_cstr(path, strlen(path))};
    *ret = r;
    return ERR_OK;
}

void store_reader_close(struct store_reader *r) {
    sql_close(r->db);
    free(r->path);
    free(r);
}

static enum err reader_no_job(struct store_reader *r, const char *job_id, struct errinfo *reterr) {
    enum err e = sql_take_err(r->db, reterr);
    if (e != ERR_OK) {
        return e;
    }
    return job_id == NULL
               ? errinfo_set(reterr, ERR_NOT_FOUND, "%s holds no job", r->path)
               : errinfo_set(reterr, ERR_NOT_FOUND, "%s holds no job %s", r->path, job_id);
}

/* False: there is none, or the database failed; see reader_no_job(). */
static bool reader_job_key(struct store_reader *r, const char *job_id, int64_t *ret) {
    struct sql_query *q = sql_use(r->db, R_JOB_KEY);
    sql_put_str(q, str_of(job_id));
    if (!sql_next(q)) {
        return false;
    }
    *ret = sql_int(q, 0);
    sql_end(q);
    return true;
}

/* --- the job */

static enum err reader_get_job(struct sql_query *q, struct arena *a, struct job_row *ret) {
    int column = 0;
    struct str id = sql_str(q, column++);
    *ret = (struct job_row){.state = names_job_state(sql_str(q, column++))};
    struct str spec = sql_str(q, column++);
    struct str reason = sql_str(q, column++);
    if (ret->state == JOB_STATES) {
        return ERR_CORRUPT;
    }
    if (id.n + spec.n + reason.n + 4 * ARENA_CHUNK_BYTES_MIN > arena_room(a)) {
        return ERR_TOO_BIG;
    }
    ret->id = str_cstr(a, id);
    ret->spec = str_dup(a, spec);
    ret->reason = str_dup(a, reason);
    ret->wanted = sql_int(q, column++);
    ret->attempts = sql_int(q, column++);
    for (int outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
        ret->outcomes[outcome] = sql_int(q, column++);
    }
    ret->created_ms = sql_int(q, column++);
    ret->ended_ms = sql_int(q, column++);
    ret->leased = sql_int(q, column++);
    ret->calls = sql_int(q, column++);
    ret->input_tokens = sql_int(q, column++);
    ret->output_tokens = sql_int(q, column++);
    ret->cost_nusd = sql_int(q, column++);
    ret->calls_unpriced = sql_int(q, column++);
    return ERR_OK;
}

enum err store_read_job(struct store_reader *r, const char *job_id, struct arena *a,
                        struct job_row *ret, struct errinfo *reterr) {
    struct sql_query *q = sql_use(r->db, job_id != NULL ? R_JOB : R_JOB_NEWEST);
    if (job_id != NULL) {
        sql_put_str(q, str_of(job_id));
    }
    if (!sql_next(q)) {
        return reader_no_job(r, job_id, reterr);
    }
    struct job_row row;
    enum err e = reader_get_job(q, a, &row);
    sql_end(q);
    if (e != ERR_OK) {
        return errinfo_set(reterr, e, "%s: the stored job: %s", r->path, err_text(e));
    }
    *ret = row;
    return ERR_OK;
}

/* --- problems */

struct reader_page {
    int64_t job, after_seq;
    unsigned mask;
    struct arena arena;
    struct problem_row rows[READER_PAGE_ROWS];
    size_t n;
};

static void reader_read_page(struct store_reader *r, struct reader_page *page) {
    struct sql_query *q = sql_use(r->db, R_PROBLEMS);
    arena_reset(&page->arena);
    page->n = 0;
    sql_put_int(q, page->job);
    sql_put_int(q, page->after_seq);
    for (int outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
        bool wanted = (page->mask & 1u << outcome) != 0;
        sql_put_str(q, wanted ? str_of(outcome_name((enum outcome)outcome)) : S(""));
    }
    sql_put_int(q, READER_PAGE_ROWS);
    while (sql_next(q)) {
        page->rows[page->n++] = (struct problem_row){.seq = sql_int(q, 0),
                                                     .attempt_no = sql_int(q, 1),
                                                     .outcome = outcome_from_name(sql_str(q, 2)),
                                                     .id = str_dup(&page->arena, sql_str(q, 3)),
                                                     .line = str_dup(&page->arena, sql_str(q, 4))};
        if (page->n == READER_PAGE_ROWS || page->arena.bytes > READER_PAGE_BYTES) {
            sql_end(q);
            break;
        }
    }
}

enum err store_read_problems(struct store_reader *r, const char *job_id, unsigned mask,
                             bool (*each)(void *ctx, const struct problem_row *row), void *ctx,
                             struct errinfo *reterr) {
    struct reader_page page = {.mask = mask};
    if (!reader_job_key(r, job_id, &page.job)) {
        return reader_no_job(r, job_id, reterr);
    }
    arena_init(&page.arena, READER_ARENA_BYTES_MAX);
    bool more = true;
    while (more) {
        reader_read_page(r, &page);
        more = page.n > 0 && !sql_failed(r->db);
        for (size_t i = 0; more && i < page.n; i++) {
            page.after_seq = page.rows[i].seq;
            more = each(ctx, &page.rows[i]);
        }
    }
    arena_release(&page.arena);
    return sql_take_err(r->db, reterr);
}

/* --- hashes */

enum err store_read_hashes(struct store_reader *r, const char *job_id, struct arena *a,
                           uint64_t **ret, size_t *ret_n, struct errinfo *reterr) {
    int64_t job, n = 0;
    if (!reader_job_key(r, job_id, &job)) {
        return reader_no_job(r, job_id, reterr);
    }
    sql_begin(r->db);
    struct sql_query *q = sql_use(r->db, R_HASHES_COUNT);
    sql_put_int(q, job);
    while (sql_next(q)) {
        n = sql_int(q, 0);
    }
    bool fits = (size_t)n < arena_room(a) / sizeof **ret;
    uint64_t *hashes = ARENA_ARRAY(a, uint64_t, fits ? (size_t)n : 0);
    size_t got = 0;
    if (fits) {
        q = sql_use(r->db, R_HASHES);
        sql_put_int(q, job);
        while (sql_next(q)) {
            hashes[got++] = (uint64_t)sql_int(q, 0);
        }
    }
    enum err e = sql_commit(r->db, reterr);
    if (e != ERR_OK) {
        return e;
    }
    if (!fits) {
        return errinfo_set(reterr, ERR_TOO_BIG, "%s holds too many problems", r->path);
    }
    *ret = hashes;
    *ret_n = got;
    return ERR_OK;
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
    while (i < spend->n && !(spend->rows[i].role == role && str_eq(spend->rows[i].model, model))) {
        i++;
    }
    if (i == spend->n && spend->n < READER_SPEND_MAX) {
        spend->rows[spend->n++] = (struct spend_row){.role = role, .model = str_dup(a, model)};
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
    row->calls++;
    row->input_tokens += sql_int(q, 3);
    row->cached_tokens += sql_int(q, 4);
    row->output_tokens += sql_int(q, 5);
    row->reasoning_tokens += sql_int(q, 6);
    row->cost_nusd += sql_int(q, 7);
    row->calls_unpriced += sql_is_null(q, 7);
    histogram_add(&spend->latency_ms[i], sql_int(q, 8));
    bool stale = sql_int(q, 2) != 0;
    enum outcome outcome = outcome_from_name(sql_str(q, 9)); /* OUTCOME_COUNT: it has not ended */
    if (stale || outcome == OUTCOME_FAILED || outcome == OUTCOME_COUNT) {
        row->wasted_nusd += sql_int(q, 7);
    }
}

static int reader_spend_order(const void *left, const void *right) {
    const struct spend_row *a = left, *b = right;
    if (a->role != b->role) {
        return a->role < b->role ? -1 : 1;
    }
    int order = memcmp(a->model.p, b->model.p, MIN(a->model.n, b->model.n));
    return order != 0 ? order : (a->model.n > b->model.n) - (a->model.n < b->model.n);
}

enum err store_read_spend(struct store_reader *r, const char *job_id, struct arena *a,
                          struct spend_row **ret, size_t *ret_n, struct errinfo *reterr) {
    int64_t job;
    if (!reader_job_key(r, job_id, &job)) {
        return reader_no_job(r, job_id, reterr);
    }
    struct reader_spend *spend = mem_new(sizeof *spend);
    struct sql_query *q = sql_use(r->db, R_SPEND);
    sql_put_int(q, job);
    while (sql_next(q)) {
        reader_add_spend(r, q, a, spend);
    }
    enum err e = sql_take_err(r->db, reterr);
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
