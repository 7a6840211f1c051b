/* Each transaction leaves a row of `changes` for each job that it touches, with its own number. Who
 * asks brings the snapshot of the time before and gets the rows of the transactions that were not
 * visible in it and are now: exactly those that have ended since, in whatever order they began.
 * What a job is by now is read in the same view, so old rows cannot tell old states.
 *
 * Rows go when their transactions had ended a minute before: the mark for that is an old snapshot's
 * lowest number. It is kept in `changes_swept` in the transaction that removes them, so whoever was
 * away for longer sees that it has missed some. A server that was started since the last time may
 * be another one, with other numbers: all may have changed, too.
 */
#include "store/news.h"

#include "store/queries.h"
#include "store/rules_job.h"
#include "store/schema.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/metrics.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NEWS_LINGER_MS 2000 /* somebody who looked just now will look again */
#define NEWS_KEEP_MS 60000
#define NEWS_SWEEP_MS 10000
#define NEWS_SWEEP_ROWS 50000
#define NEWS_TEXT_BYTES_MAX ((size_t)1024 * 1024) /* a snapshot: twenty for each transaction */
#define NEWS_ARENA_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define NEWS_XID_BYTES 24

/* Beside STORE_CHANGED_…, in rows without a job. */
#define NEWS_KEYS (1u << 16)
#define NEWS_OUTBOX (1u << 17)

enum { N_ASK, N_HALTED, N_SWEEP, N_COUNT };

static const char *const news_texts[N_COUNT] = {
    [N_ASK] =
        "SELECT pg_current_snapshot(), pg_snapshot_xmin(pg_current_snapshot()),"
        " pg_postmaster_start_time(), (s.xid > pg_snapshot_xmin(nullif($1, '')::pg_snapshot))::int,"
        " c.job, c.what, j.tenant, j.priority, j.state, j.events FROM changes_swept s"
        " LEFT JOIN (SELECT job, bit_or(what) AS what FROM changes"
        " WHERE xid >= pg_snapshot_xmin(nullif($1, '')::pg_snapshot)"
        " AND NOT pg_visible_in_snapshot(xid, nullif($1, '')::pg_snapshot) AND process <> $2"
        " GROUP BY job LIMIT $3) c ON true"
        " LEFT JOIN jobs j ON j.id = c.job AND j.deleted_ms IS NULL",
    /* What whoever works on it has to know. */
    [N_HALTED] = "SELECT id, tenant, priority, state, events FROM jobs WHERE worker IS NOT NULL"
                 " AND state IN ('paused', 'cancelling') LIMIT $1",
    /* One for all, every now and then. Rows that are ahead of the server were restored from a copy
     * of another. */
    [N_SWEEP] = "WITH turn AS (UPDATE changes_swept SET at = now(),"
                " xid = CASE WHEN xid >= pg_snapshot_xmax(pg_current_snapshot())"
                " THEN $1::xid8 ELSE greatest(xid, $1::xid8) END"
                " WHERE at < now() - $2 * interval '1 millisecond' OR at > now() RETURNING 1)"
                " DELETE FROM changes WHERE EXISTS (SELECT 1 FROM turn) AND ctid = ANY (ARRAY("
                "SELECT ctid FROM changes WHERE xid < $1::xid8"
                " OR xid >= pg_snapshot_xmax(pg_current_snapshot()) LIMIT $3))",
};

/* The lowest number of a snapshot, and when it was taken. */
struct news_mark {
    char xid[NEWS_XID_BYTES];
    int64_t mono_ms; /* 0: there is none */
};

struct news {
    struct sql *db;
    struct watches *watches;
    int64_t process; /* this one's number */
    pthread_t thread;
    pthread_mutex_t lock; /* of `stop`, and for `wake` */
    pthread_cond_t wake;
    bool stop;
    atomic_bool resting;    /* it sleeps for long, and may be woken */
    atomic_int attended;    /* who waits for news */
    atomic_llong looked_ms; /* when somebody began to, last */
    /* of the thread */
    struct sbuf snapshot, server; /* of the time before; empty: there was none */
    struct news_mark old, young;  /* old: taken NEWS_KEEP_MS ago or earlier */
    int64_t swept_ms;             /* when that was tried */
    struct watch_job *jobs;       /* to be told; their ids are in the arena */
    size_t jobs_n, jobs_room;
    bool keys, outbox, lost;
    struct arena arena;
    struct metric *asked, *losses;
};

/* --- writing */

void news_gather(struct rules *r, struct watch_news *ret) {
    size_t n = 0;
    for (const struct rules_job *job = r->jobs; job != NULL; job = job->next) {
        n += job->what != 0;
    }
    struct watch_job *jobs = ARENA_ARRAY(&r->arena, struct watch_job, n);
    *ret = (struct watch_news){.jobs = jobs, .jobs_n = n, .keys = r->keys, .outbox = r->outbox};
    for (const struct rules_job *job = r->jobs; job != NULL; job = job->next) {
        if (job->what != 0) {
            *jobs++ = (struct watch_job){.id = job->id,
                                         .tenant = job->tenant,
                                         .priority = job->priority,
                                         .version = job->events,
                                         .state = job->state,
                                         .what = job->what};
        }
    }
}

/* "id:what,…"; an id has neither sign in it. */
void news_write(struct rules *r, const struct watch_news *told) {
    unsigned rest = (told->keys ? NEWS_KEYS : 0) | (told->outbox ? NEWS_OUTBOX : 0);
    if (told->jobs_n == 0 && rest == 0) {
        return;
    }
    sbuf_clear(&r->line);
    for (size_t i = 0; i < told->jobs_n; i++) {
        sbuf_addf(&r->line, "%s%s:%u", i > 0 ? "," : "", told->jobs[i].id, told->jobs[i].what);
    }
    if (rest != 0) {
        sbuf_addf(&r->line, "%s:%u", r->line.n > 0 ? "," : "", rest);
    }
    struct sql_query *q = sql_use(r->db, Q_CHANGES_ADD);
    sql_put_int(q, sql_process(r->db));
    sql_put_str(q, sbuf_str(&r->line));
    (void)sql_run(q);
}

/* --- asking */

static struct watch_job *news_new_job(struct news *n, struct sql_query *q, int id_column) {
    if (n->jobs_n == n->jobs_room) {
        n->jobs_room = MAX(2 * n->jobs_room, (size_t)64);
        n->jobs = mem_resize(n->jobs, n->jobs_room, sizeof *n->jobs);
    }
    struct watch_job *job = &n->jobs[n->jobs_n++];
    *job = (struct watch_job){.id = str_cstr(&n->arena, sql_str(q, id_column))};
    return job;
}

/* From a column on: tenant, priority, state, events. */
static void news_take_job(struct news *n, struct watch_job *job, struct sql_query *q, int column) {
    job->tenant = sql_int(q, column);
    job->priority = sql_int(q, column + 1);
    job->state = job_state_from_name(sql_str(q, column + 2));
    job->version = sql_int(q, column + 3);
    if (job->state == JOB_STATES) {
        sql_found_corrupt(n->db, "a job has an unknown state");
    }
}

/* One that was deleted has no row, perhaps. */
static void news_take_row(struct news *n, struct sql_query *q) {
    unsigned what = (unsigned)sql_int(q, 5);
    n->keys = n->keys || (what & NEWS_KEYS) != 0;
    n->outbox = n->outbox || (what & NEWS_OUTBOX) != 0;
    if (sql_str(q, 4).n == 0) {
        return;
    }
    struct watch_job *job = news_new_job(n, q, 4);
    job->what = what;
    if (sql_is_null(q, 8)) {
        job->what |= STORE_CHANGED_DELETED;
        job->version = INT64_MAX;
        job->state = JOB_CANCELLED;
    } else {
        news_take_job(n, job, q, 6);
    }
}

static void news_mark(struct news *n, struct str xid) {
    int64_t now_ms = clock_mono_ms();
    if (n->young.mono_ms != 0 && now_ms - n->young.mono_ms < NEWS_KEEP_MS) {
        return;
    }
    n->old = n->young;
    n->young.mono_ms = now_ms;
    (void)snprintf(n->young.xid, sizeof n->young.xid, "%.*s", STR_ARG(xid));
}

static void news_forget(struct news *n) {
    n->old = n->young = (struct news_mark){.mono_ms = 0};
    sbuf_clear(&n->snapshot);
    sbuf_clear(&n->server);
}

/* What every row begins with: when we are. */
static void news_take_head(struct news *n, struct sql_query *q) {
    bool first = n->snapshot.n == 0;
    if (!first && !str_eq(sbuf_str(&n->server), sql_str(q, 2))) {
        news_forget(n);
        n->lost = true;
    }
    n->lost = n->lost || (!first && sql_int(q, 3) != 0);
    sbuf_clear(&n->snapshot);
    sbuf_add(&n->snapshot, sql_str(q, 0));
    sbuf_clear(&n->server);
    sbuf_add(&n->server, sql_str(q, 2));
    news_mark(n, sql_str(q, 1));
}

static void news_ask_changes(struct news *n) {
    struct sql_query *q = sql_use(n->db, N_ASK);
    sql_put_str(q, sbuf_str(&n->snapshot));
    sql_put_int(q, n->process);
    sql_put_int(q, STORE_NEWS_JOBS_MAX);
    for (int64_t rows = 0; sql_next(q); rows++) {
        if (rows == 0) {
            news_take_head(n, q);
        }
        if (!sql_is_null(q, 4)) {
            news_take_row(n, q);
        }
        n->lost = n->lost || rows + 1 == (int64_t)STORE_NEWS_JOBS_MAX;
    }
}

static void news_ask_halted(struct news *n) {
    struct sql_query *q = sql_use(n->db, N_HALTED);
    sql_put_int(q, STORE_NEWS_JOBS_MAX);
    while (sql_next(q)) {
        struct watch_job *job = news_new_job(n, q, 0);
        job->what = STORE_CHANGED_STATE;
        news_take_job(n, job, q, 1);
    }
}

static void news_sweep(struct news *n) {
    int64_t now_ms = clock_mono_ms();
    if (n->old.mono_ms == 0 || now_ms - n->swept_ms < NEWS_SWEEP_MS) {
        return;
    }
    n->swept_ms = now_ms;
    struct sql_query *q = sql_use(n->db, N_SWEEP);
    sql_put_str(q, str_of(n->old.xid));
    sql_put_int(q, NEWS_SWEEP_MS);
    sql_put_int(q, NEWS_SWEEP_ROWS);
    (void)sql_run(q);
}

static void news_tell(struct news *n) {
    metric_add(n->losses, n->lost);
    watches_tell(n->watches, &(struct watch_news){.jobs = n->jobs,
                                                  .jobs_n = n->jobs_n,
                                                  .keys = n->keys || n->lost,
                                                  .outbox = n->outbox || n->lost,
                                                  .lost = n->lost});
    n->keys = n->outbox = n->lost = false;
}

static enum err news_ask(struct news *n, struct errinfo *reterr) {
    metric_add(n->asked, 1);
    arena_reset(&n->arena);
    n->jobs_n = 0;
    sql_connect(n->db);
    news_ask_changes(n);
    if (n->lost) {
        news_ask_halted(n);
    }
    news_sweep(n);
    enum err e = sql_take_err(n->db, reterr);
    if (e == ERR_OK) {
        news_tell(n);
    } else { /* what was told of it so far comes again, as lost */
        news_forget(n);
        n->lost = true;
    }
    return e;
}

/* --- the thread */

static bool news_is_near(struct news *n) {
    return atomic_load(&n->attended) > 0 ||
           clock_mono_ms() - atomic_load(&n->looked_ms) < NEWS_LINGER_MS;
}

/* Until it is time to ask again, or to end. */
static bool news_rest(struct news *n) {
    int64_t began_ms = clock_mono_ms();
    pthread_mutex_lock(&n->lock);
    for (;;) {
        atomic_store(&n->resting, true); /* before the look: whoever comes after it will wake us */
        bool near = news_is_near(n);
        atomic_store(&n->resting, !near);
        int64_t rest_ms = near ? STORE_NEWS_NEAR_MS : STORE_NEWS_FAR_MS;
        int64_t left_ms = began_ms + rest_ms - clock_mono_ms();
        if (n->stop || left_ms <= 0) {
            break;
        }
        int64_t until_ms = began_ms + rest_ms;
        struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
        (void)pthread_cond_timedwait(&n->wake, &n->lock, &until);
    }
    atomic_store(&n->resting, false);
    bool stop = n->stop;
    pthread_mutex_unlock(&n->lock);
    return !stop;
}

static void *news_main(void *ctx) {
    struct news *n = ctx;
    while (news_rest(n)) {
        struct errinfo why;
        (void)news_ask(n, &why); /* away: who reads or writes is told that */
    }
    return NULL;
}

void news_attend(struct news *n) {
    (void)atomic_fetch_add(&n->attended, 1);
    atomic_store(&n->looked_ms, clock_mono_ms());
    if (atomic_load(&n->resting) && atomic_exchange(&n->resting, false)) {
        pthread_mutex_lock(&n->lock);
        pthread_cond_signal(&n->wake);
        pthread_mutex_unlock(&n->lock);
    }
}

void news_unattend(struct news *n) {
    (void)atomic_fetch_sub(&n->attended, 1);
}

/* --- open and close */

static void news_measure(struct news *n, struct metrics *m) {
    static const struct metric_family asked = {
        .name = "stumper_store_news_asked_total",
        .help = "How often the database was asked for commits of other processes.",
        .kind = METRIC_COUNTER};
    static const struct metric_family losses = {
        .name = "stumper_store_news_lost_total",
        .help = "How often some may have been missed, and all was taken for changed.",
        .kind = METRIC_COUNTER};
    n->asked = metric_get(m, &asked, NULL, 0);
    n->losses = metric_get(m, &losses, NULL, 0);
}

static void news_free(struct news *n) {
    sql_close(n->db);
    sbuf_release(&n->snapshot);
    sbuf_release(&n->server);
    arena_release(&n->arena);
    pthread_cond_destroy(&n->wake);
    pthread_mutex_destroy(&n->lock);
    free(n->jobs);
    free(n);
}

static void news_start(struct news *n) {
    sigset_t all, before; /* signals are for the threads of the loops */
    (void)sigfillset(&all);
    ASSERT(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    ASSERT(pthread_create(&n->thread, NULL, news_main, n) == 0);
    ASSERT(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
}

enum err news_open(const char *path, int64_t process, struct watches *watches,
                   struct metrics *metrics, struct news **ret, struct errinfo *reterr) {
    struct sql *db;
    enum err e = sql_open(path, SQL_READER, &store_schema, news_texts, N_COUNT, &db, reterr);
    if (e != ERR_OK) {
        return e;
    }
    struct news *n = mem_new(sizeof *n);
    pthread_condattr_t attributes;
    n->db = db;
    n->watches = watches;
    n->process = process;
    sbuf_init(&n->snapshot, NEWS_TEXT_BYTES_MAX);
    sbuf_init(&n->server, NEWS_TEXT_BYTES_MAX);
    arena_init(&n->arena, NEWS_ARENA_BYTES_MAX);
    ASSERT(pthread_mutex_init(&n->lock, NULL) == 0);
    ASSERT(pthread_condattr_init(&attributes) == 0);
    ASSERT(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    ASSERT(pthread_cond_init(&n->wake, &attributes) == 0);
    ASSERT(pthread_condattr_destroy(&attributes) == 0);
    news_measure(n, metrics);
    e = news_ask(n, reterr); /* from here on: nobody watches yet */
    if (e != ERR_OK) {
        news_free(n);
        return e;
    }
    news_start(n);
    *ret = n;
    return ERR_OK;
}

void news_close(struct news *n) {
    pthread_mutex_lock(&n->lock);
    n->stop = true;
    pthread_cond_signal(&n->wake);
    pthread_mutex_unlock(&n->lock);
    ASSERT(pthread_join(n->thread, NULL) == 0);
    news_free(n);
}
