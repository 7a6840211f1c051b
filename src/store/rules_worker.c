/* Workers come, beat, and go; a job is at home with one of them at a time.
 *
 * On a server workers belong to processes. A process lives while the lock of its connection is
 * held; if that was missing at two looks, RULES_MISSING_MS apart, it is buried with all it has. One
 * that has merely lost its connection has it back by then. A worker that is silent is buried
 * wherever it is. Whoever looks after a time when nobody could (it stood still, or the server was
 * away) gives all others the time to beat again first.
 */
#include "store/row.h"
#include "store/rules_job.h"
#include "store/store_workers.h"

#include <inttypes.h>

#define RULES_REAP_MAX 100 /* at one look, of workers and of processes each */
#define RULES_REAP_MS 1000
#define RULES_REAP_TIMES_MAX 5 /* so much later ask those who wait for their turn */
#define RULES_MISSING_MS 2000
#define RULES_LOOK_LATE_MS 2500
#define RULES_RETURN_MS 5000 /* all are back so long after the server was */

bool rules_worker_beats(struct rules *r, int64_t worker, bool *ret_drain) {
    struct sql_query *q = sql_use(r->db, Q_WORKER_BEAT);
    bool there = false;
    sql_put_int(q, sql_clock_ms(r->db));
    sql_put_int(q, worker);
    while (sql_next(q)) {
        there = true;
        *ret_drain = sql_int(q, 0) != 0;
    }
    return there;
}

void rules_put_process(const struct rules *r, struct sql_query *q) {
    if (sql_process(r->db) != 0) {
        sql_put_int(q, sql_process(r->db));
    }
}

enum err rule_join(struct rules *r, struct store_op *op) {
    struct store_join *o = CONTAINER_OF(op, struct store_join, op);
    o->ret_worker = rules_take_numbers(r, 1);
    struct sql_query *q = sql_use(r->db, Q_WORKER_ADD);
    sql_put_int(q, o->ret_worker);
    sql_put_str(q, o->name);
    sql_put_str(q, o->version);
    sql_put_int(q, o->slots);
    sql_put_int(q, sql_wall_ms(r->db));
    sql_put_int(q, sql_clock_ms(r->db));
    rules_put_process(r, q);
    (void)sql_run(q);
    return ERR_OK;
}

enum err rule_beat(struct rules *r, struct store_op *op) {
    struct store_beat *o = CONTAINER_OF(op, struct store_beat, op);
    if (!rules_worker_beats(r, o->worker, &o->ret_drain)) {
        return rules_no_worker(op, o->worker);
    }
    rules_claim_parts(r, o->worker, o->parts, o->parts_n);
    return ERR_OK;
}

enum err rule_worker_drain(struct rules *r, struct store_op *op) {
    const struct store_worker_drain *o = CONTAINER_OF(op, struct store_worker_drain, op);
    return rules_run_int(r, Q_WORKER_DRAIN, o->worker) > 0
               ? ERR_OK
               : errinfo_set(&op->detail, ERR_NOT_FOUND, "there is no worker %" PRId64, o->worker);
}

/* The ids that a query gives (with @value as its parameter, if it is not negative), in the
 * transaction's arena: what is done to them may change what the query would give. */
static size_t rules_list_ids(struct rules *r, size_t query, int64_t value, const char ***ret) {
    struct id_link {
        struct id_link *next;
        const char *id;
    } *links = NULL;
    size_t n = 0;
    struct sql_query *q = sql_use(r->db, query);
    if (value >= 0) {
        sql_put_int(q, value);
    }
    while (sql_next(q)) {
        struct id_link *link = ARENA_NEW(&r->arena, struct id_link);
        *link = (struct id_link){links, str_cstr(&r->arena, sql_str(q, 0))};
        links = link;
        n++;
    }
    const char **ids = ARENA_ARRAY(&r->arena, const char *, n);
    for (size_t i = n; i-- > 0; links = links->next) {
        ids[i] = links->id;
    }
    *ret = ids;
    return n;
}

/* --- burials */

/* What is locked by another process is left for the next time, if it was a crash; then the worker
 * stays too. */
static void rules_bury_worker(struct rules *r, int64_t worker, bool crashed) {
    const char **ids;
    size_t n = rules_list_ids(r, crashed ? Q_JOBS_WITH_FREE : Q_JOBS_WITH, worker, &ids);
    for (size_t i = 0; i < n; i++) {
        struct rules_job *job = rules_job(r, ids[i], STORE_TENANT_ANY);
        if (job != NULL) {
            rules_take_leases_back(r, job, worker, crashed);
            if (job->worker == worker) {
                rules_set_homeless(r, job);
            }
        }
    }
    (void)rules_run_int(r, Q_WORKER_DROP, worker);
}

/* The workers that a query finds, whose parameter is @value; how many there were. */
static int64_t rules_bury_workers(struct rules *r, size_t query, int64_t value) {
    int64_t workers[RULES_REAP_MAX], n = 0;
    struct sql_query *q = sql_use(r->db, query);
    sql_put_int(q, value);
    sql_put_int(q, RULES_REAP_MAX);
    while (sql_next(q)) {
        workers[n++] = sql_int(q, 0);
    }
    for (int64_t i = 0; i < n; i++) {
        rules_bury_worker(r, workers[i], true);
    }
    return n;
}

static int64_t rules_bury_process(struct rules *r, int64_t process) {
    int64_t n = 0, more;
    do {
        more = rules_bury_workers(r, Q_WORKERS_OF, process);
        n += more;
    } while (more == RULES_REAP_MAX);
    struct sql_query *q = sql_use(r->db, Q_OUTBOX_UNTAKE_OF);
    sql_put_int(q, rules_due_ms(r));
    sql_put_int(q, process);
    r->outbox |= sql_run(q) > 0;
    (void)rules_run_int(r, Q_PROCESS_BURY, process);
    return n;
}

enum err rule_quit(struct rules *r, struct store_op *op) {
    const struct store_quit *o = CONTAINER_OF(op, struct store_quit, op);
    rules_bury_worker(r, o->worker, false);
    (void)rules_run_int(r, Q_PARTS_DROP, o->worker);
    (void)rules_run_int(r, Q_PURSES_DROP, o->worker);
    return ERR_OK;
}

/* Processes that did nothing since @silent_since_ms, or whose lock is not held by anybody. */
static int64_t rules_reap_processes(struct rules *r, int64_t now_ms, int64_t silent_since_ms) {
    struct {
        int64_t process, missing_ms;
        bool silent;
    } found[RULES_REAP_MAX];
    int64_t n = 0, buried = 0;
    struct sql_query *q = sql_use(r->db, Q_PROCESSES_GONE);
    sql_put_int(q, sql_process(r->db));
    sql_put_int(q, silent_since_ms);
    sql_put_int(q, now_ms - RULES_RETURN_MS);
    sql_put_int(q, RULES_REAP_MAX);
    for (; sql_next(q); n++) {
        found[n].process = sql_int(q, 0);
        found[n].missing_ms = sql_int(q, 1);
        found[n].silent = sql_int(q, 2) == 1;
    }
    for (int64_t i = 0; i < n; i++) {
        bool fresh = found[i].missing_ms == 0 || found[i].missing_ms > now_ms;
        if (found[i].silent || (!fresh && now_ms - found[i].missing_ms >= RULES_MISSING_MS)) {
            buried += rules_bury_process(r, found[i].process);
        } else if (fresh) {
            q = sql_use(r->db, Q_PROCESS_MISSED);
            sql_put_int(q, now_ms);
            sql_put_int(q, found[i].process);
            (void)sql_run(q);
        }
    }
    return buried;
}

/* How many other processes there are, and when one of them looked last. */
static int64_t rules_count_others(struct rules *r, int64_t *ret_looked_ms) {
    struct sql_query *q = sql_use(r->db, Q_PROCESS_OTHERS);
    int64_t others = 0;
    *ret_looked_ms = 0;
    sql_put_int(q, sql_process(r->db));
    while (sql_next(q)) {
        others = sql_int(q, 0);
        *ret_looked_ms = sql_int(q, 1);
    }
    return others;
}

static bool rules_leads(struct rules *r) {
    if (r->leads_ms == sql_connected_ms(r->db)) {
        return true;
    }
    struct sql_query *q = sql_use(r->db, Q_PROCESS_LEADS);
    bool leads = false;
    sql_put_int(q, sql_process(r->db));
    while (sql_next(q)) {
        leads = sql_int(q, 0) == 1;
    }
    r->leads_ms = leads ? sql_connected_ms(r->db) : 0;
    return leads;
}

/* One process looks for all: who leads, as long as it has its connection; if that stands still, or
 * was away itself (@rested is false), whoever comes next. @ret_others: how many wait for a turn. */
static bool rules_has_turn(struct rules *r, int64_t now_ms, bool rested, int64_t *ret_others) {
    int64_t looked_ms = 0;
    *ret_others = 1;
    if (sql_process(r->db) == 0 || !rested) {
        return rested;
    }
    if (!rules_leads(r)) {
        *ret_others = rules_count_others(r, &looked_ms);
        if (now_ms >= looked_ms && now_ms - looked_ms <= RULES_LOOK_LATE_MS) {
            return false;
        }
    }
    struct sql_query *q = sql_use(r->db, Q_PROCESS_LOOKS);
    sql_put_int(q, now_ms);
    sql_put_int(q, sql_process(r->db));
    (void)sql_run(q);
    return true;
}

/* Has the server started since @since_ms? While it did so everybody was told, and asks again soon.
 */
static bool rules_server_restarted(struct rules *r, int64_t since_ms) {
    struct sql_query *q = sql_process(r->db) != 0 ? sql_use(r->db, Q_SERVER_STARTED) : NULL;
    int64_t started_ms = 0;
    while (q != NULL && sql_next(q)) {
        started_ms = sql_int(q, 0);
    }
    return started_ms > since_ms;
}

/* Was this process away, or is it new, so that it cannot tell who is silent? Or was the time set
 * back, so that nobody can? */
static void rules_note_absence(struct rules *r, int64_t now_ms, int64_t silent_ms) {
    bool first = r->reaped_ms == 0, set_back = now_ms < r->reaped_ms;
    bool was_away = !first && (set_back || now_ms - r->reaped_ms > STORE_REAP_LATE_MS ||
                               r->connected_ms != sql_connected_ms(r->db));
    if (set_back) {
        (void)rules_run_int(r, Q_WORKERS_CALM, now_ms);
    }
    r->connected_ms = sql_connected_ms(r->db);
    r->spared_ms = first || was_away ? now_ms : r->spared_ms;
    if (was_away) {
        bool restarted = rules_server_restarted(r, r->reaped_ms);
        r->rested_ms = now_ms + (restarted ? RULES_RETURN_MS : silent_ms);
    }
    r->reaped_ms = now_ms;
}

enum err rule_reap(struct rules *r, struct store_op *op) {
    struct store_reap *o = CONTAINER_OF(op, struct store_reap, op);
    int64_t now_ms = sql_clock_ms(r->db), others;
    rules_note_absence(r, now_ms, o->silent_ms);
    bool rested = now_ms >= r->rested_ms;
    bool spared = r->spared_ms == now_ms || now_ms - r->spared_ms < o->silent_ms;
    bool has_turn = rules_has_turn(r, now_ms, rested, &others);
    o->ret_n = 0;
    o->ret_again_ms = RULES_REAP_MS * MIN(MAX(others, INT64_C(1)), (int64_t)RULES_REAP_TIMES_MAX);
    if (has_turn && sql_process(r->db) != 0) {
        o->ret_n += rules_reap_processes(r, now_ms, spared ? 0 : now_ms - o->silent_ms);
    }
    if (has_turn && !spared) {
        o->ret_n += rules_bury_workers(r, Q_WORKERS_SILENT, now_ms - o->silent_ms);
    }
    return ERR_OK;
}

/* --- a process comes and goes */

static bool rules_is_alone(struct rules *r) {
    int64_t looked_ms;
    if (sql_process(r->db) == 0) {
        return true;
    }
    (void)sql_run(sql_use(r->db, Q_PROCESSES_FORGET));
    struct sql_query *q = sql_use(r->db, Q_PROCESS_ALONE);
    while (sql_next(q)) { /* one after the other from here */
    }
    return rules_count_others(r, &looked_ms) == 0;
}

void rules_sign_out(struct rules *r) {
    (void)rules_bury_process(r, sql_process(r->db));
    (void)rules_run_int(r, Q_PROCESS_SIGN_OUT, sql_process(r->db));
}

void rules_take_over(struct rules *r) {
    const char **ids;
    r->deleted = true; /* perhaps: rules_purge() will see */
    if (!rules_is_alone(r)) {
        return;
    }
    size_t n = rules_list_ids(r, Q_JOBS_LEASED, -1, &ids);
    for (size_t i = 0; i < n; i++) {
        struct rules_job *job = rules_job(r, ids[i], STORE_TENANT_ANY);
        if (job != NULL) {
            rules_take_leases_back(r, job, RULES_ALL, true);
        }
    }
    n = rules_list_ids(r, Q_JOBS_UNDER_WAY, -1, &ids);
    for (size_t i = 0; i < n; i++) {
        struct rules_job *job = rules_job(r, ids[i], STORE_TENANT_ANY);
        if (job != NULL) {
            rules_set_homeless(r, job);
        }
    }
    (void)sql_run(sql_use(r->db, Q_WORKERS_DROP));
    (void)sql_run(sql_use(r->db, Q_PARTS_FORGET)); /* the dead hold nobody up */
    (void)rules_run_int(r, Q_OUTBOX_UNTAKE, rules_due_ms(r));
}

/* --- homes */

/* The job's row and spec, as it is now: what this transaction has counted is written first. */
static enum err rules_read_row(struct rules *r, struct rules_job *job, struct store_take *o) {
    enum err e = ERR_OK;
    rules_flush_job(r, job);
    struct sql_query *q = sql_use(r->db, Q_JOB_TAKEN);
    sql_put_int(q, job->key);
    if (sql_next(q)) {
        e = row_get_job(r->db, q, o->a, &o->ret);
        sql_end(q);
    }
    o->ret_age_ms = MAX(sql_wall_ms(r->db) - o->ret.created_ms, INT64_C(0));
    o->ret_purse = job->tenant != STORE_TENANT_NONE && rules_has_day_limit(r, job->tenant);
    return e == ERR_OK
               ? e
               : errinfo_set(&o->op.detail, e, "job %s does not fit the memory given", o->job_id);
}

enum err rule_take(struct rules *r, struct store_op *op) {
    struct store_take *o = CONTAINER_OF(op, struct store_take, op);
    bool drain;
    ASSERT(o->worker > 0);
    if (!rules_worker_beats(r, o->worker, &drain)) {
        return rules_no_worker(op, o->worker);
    }
    struct rules_job *job = rules_job(r, o->job_id, STORE_TENANT_ANY);
    if (job == NULL) {
        return rules_no_job(op, o->job_id);
    }
    o->ret_lends = job->worker != 0 && job->worker != o->worker && job->lent > 0;
    o->ret_lease = (struct lease){.token = 0};
    if (o->ret_lends) {
        return rules_read_row(r, job, o);
    }
    if (job->worker != 0) {
        return errinfo_set(&op->detail, ERR_CONFLICT, "job %s is at home with worker %" PRId64,
                           o->job_id, job->worker);
    }
    if (job->state != JOB_QUEUED && job->state != JOB_RUNNING && job->state != JOB_CANCELLING) {
        return errinfo_set(&op->detail, ERR_CONFLICT, "job %s is %s", o->job_id,
                           job_state_name(job->state));
    }
    enum err e = rules_read_row(r, job, o);
    if (e != ERR_OK) {
        return e;
    }
    job->worker = o->worker;
    job->what |= STORE_CHANGED_HOME;
    rules_set_state(r, job, job->state == JOB_CANCELLING ? JOB_CANCELLING : JOB_RUNNING, S(""));
    if (o->begin && job->attempts == 0) {
        o->ret_lease = rules_lease_first(r, job);
    }
    return ERR_OK;
}

/* What a job becomes that its worker leaves with @state. */
static enum job_state rules_left_as(struct rules *r, const struct rules_job *job,
                                    enum job_state state) {
    if (job->state == JOB_CANCELLING && state == JOB_FAILED) {
        return JOB_CANCELLED;
    }
    if (job_state_is_final(state)) {
        return state;
    }
    if (job->state == JOB_CANCELLING) {
        return rules_awaits(r, job) ? JOB_CANCELLING : JOB_CANCELLED;
    }
    return job->state == JOB_PAUSED ? JOB_PAUSED : JOB_QUEUED;
}

enum err rule_leave(struct rules *r, struct store_op *op) {
    struct store_leave *o = CONTAINER_OF(op, struct store_leave, op);
    ASSERT(o->state == JOB_QUEUED || o->state == JOB_PAUSED || job_state_is_final(o->state));
    struct rules_job *job = rules_job(r, o->job_id, STORE_TENANT_ANY);
    if (job == NULL) {
        return rules_no_job(op, o->job_id);
    }
    if (job->worker != o->worker) {
        return rules_not_home(op, o->job_id, o->worker);
    }
    rules_take_leases_back(r, job, o->worker, false);
    job->worker = 0;
    job->what |= STORE_CHANGED_HOME;
    rules_set_state(r, job, rules_left_as(r, job, o->state), o->reason);
    o->ret_state = job->state;
    return ERR_OK;
}

enum err rule_job_set(struct rules *r, struct store_op *op) {
    const struct store_job_set *o = CONTAINER_OF(op, struct store_job_set, op);
    struct rules_job *job = rules_job(r, o->job_id, STORE_TENANT_ANY);
    if (job == NULL) {
        return rules_no_job(op, o->job_id);
    }
    if (job->worker != o->worker) {
        return rules_not_home(op, o->job_id, o->worker);
    }
    rules_set_state(r, job, o->state, o->reason);
    return ERR_OK;
}
