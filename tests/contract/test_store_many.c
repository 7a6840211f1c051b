/* What a server's store promises to processes that have it at the same time, each here a store of
 * its own: connections, threads, a loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "contract/postgres_rig.h"
#include "contract/store_rig.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"

#include <inttypes.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PARTIES_MAX 4

static char direct[128]; /* the address of the schema, without a pooler */

static int64_t ask_server(const char *text) {
    return postgres_rig_ask(direct, text);
}

static void pause_ms(int64_t ms) {
    (void)nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static void open_other(const struct rig *first, struct rig *ret) {
    *ret = (struct rig){.loop = NULL};
    (void)snprintf(ret->path, sizeof ret->path, "%s", first->path);
    ASSERT(rig_open(ret) == ERR_OK);
}

static int64_t join(struct rig *r) {
    struct store_join o = {.op = RIG_OP(r), .name = S("here/1/0"), .slots = 4};
    store_join(r->store, &o);
    ASSERT(rig_wait(r, &o.op) == ERR_OK);
    return o.ret_worker;
}

static enum err take(struct rig *r, const char *job_id, int64_t worker) {
    struct arena a;
    struct store_take o = {.op = RIG_OP(r), .job_id = job_id, .worker = worker, .a = &a};
    arena_init(&a, (size_t)1 << 20);
    store_take(r->store, &o);
    enum err e = rig_wait(r, &o.op);
    arena_release(&a);
    return e;
}

static enum err claim(struct rig *r, const char *job_id, int64_t worker, struct lease *ret) {
    struct store_claim o = {
        .op = RIG_OP(r), .job_id = job_id, .worker = worker, .n = 1, .ret = ret};
    store_claim(r->store, &o);
    return rig_wait(r, &o.op);
}

static enum err submit(struct rig *r, const char *job_id, int64_t tenant) {
    struct store_submit o = {.op = RIG_OP(r),
                             .job_id = job_id,
                             .tenant = tenant,
                             .spec = S("{}"),
                             .taxonomy = S("[\"all of it\"]"),
                             .wanted = 10};
    store_submit(r->store, &o);
    return rig_wait(r, &o.op);
}

/* --- one truth */

static void test_two_processes_see_and_change_the_same_jobs(void **state) {
    struct rig *r = *state, other;
    struct lease lease;
    open_other(r, &other);
    assert_int_equal(rig_submit(r, 2), ERR_OK);
    int64_t here = join(r), there = join(&other);
    assert_true(there > here);
    assert_int_equal(take(&other, RIG_JOB, there), ERR_OK);
    assert_int_equal(take(r, RIG_JOB, here), ERR_CONFLICT);
    assert_int_equal(claim(r, RIG_JOB, here, &lease), ERR_STALE);
    assert_int_equal(claim(&other, RIG_JOB, there, &lease), ERR_OK);
    assert_int_equal(rig_finish(&other, lease, OUTCOME_ACCEPTED, NULL), ERR_OK);
    assert_int_equal(rig_job(r, &r->arena).outcomes[OUTCOME_ACCEPTED], 1);
    rig_close(&other);
}

static void test_a_process_that_closes_leaves_its_jobs_to_the_others(void **state) {
    struct rig *r = *state, other;
    struct lease lease, again;
    open_other(r, &other);
    assert_int_equal(rig_submit(r, 2), ERR_OK);
    int64_t here = join(r), there = join(&other);
    assert_int_equal(take(&other, RIG_JOB, there), ERR_OK);
    assert_int_equal(claim(&other, RIG_JOB, there, &lease), ERR_OK);
    rig_close(&other);
    assert_int_equal(take(r, RIG_JOB, here), ERR_OK);
    assert_int_equal(claim(r, RIG_JOB, here, &again), ERR_OK);
    assert_int_equal(again.attempt_no, lease.attempt_no);
    assert_int_equal(rig_finish(r, lease, OUTCOME_ACCEPTED, NULL), ERR_STALE);
}

static void test_a_process_that_opens_takes_nothing_from_the_living(void **state) {
    struct rig *r = *state, other;
    struct lease lease;
    assert_int_equal(rig_submit(r, 2), ERR_OK);
    int64_t here = join(r);
    assert_int_equal(take(r, RIG_JOB, here), ERR_OK);
    assert_int_equal(claim(r, RIG_JOB, here, &lease), ERR_OK);
    open_other(r, &other);
    assert_int_equal(rig_finish(r, lease, OUTCOME_ACCEPTED, NULL), ERR_OK);
    rig_close(&other);
}

static enum err submit_once(struct rig *r, const char *job_id, const char *key, char *ret) {
    struct store_submit o = {.op = RIG_OP(r),
                             .job_id = job_id,
                             .spec = S("{}"),
                             .wanted = 1,
                             .idem_key = str_of(key),
                             .fingerprint = S("same")};
    store_submit(r->store, &o);
    enum err e = rig_wait(r, &o.op);
    (void)snprintf(ret, STORE_ID_BYTES, "%s", o.ret_job_id);
    return e;
}

enum { ORDERS = 60 };

struct orderer {
    struct rig *rig;
    pthread_t thread;
    const char *name;
    char got[ORDERS][STORE_ID_BYTES];
};

static void *order_with_keys(void *ctx) {
    struct orderer *o = ctx;
    char job_id[32], key[32];
    for (int i = 0; i < ORDERS; i++) {
        (void)snprintf(job_id, sizeof job_id, "job_%s_%d", o->name, i);
        (void)snprintf(key, sizeof key, "key %d", i);
        ASSERT(submit_once(o->rig, job_id, key, o->got[i]) == ERR_OK);
    }
    return NULL;
}

static void test_an_idempotency_key_gives_one_job_whichever_process_is_asked(void **state) {
    struct rig *r = *state, other;
    struct orderer a = {.rig = r, .name = "a"}, b = {.rig = &other, .name = "b"};
    open_other(r, &other);
    assert_int_equal(pthread_create(&a.thread, NULL, order_with_keys, &a), 0);
    assert_int_equal(pthread_create(&b.thread, NULL, order_with_keys, &b), 0);
    assert_int_equal(pthread_join(a.thread, NULL), 0);
    assert_int_equal(pthread_join(b.thread, NULL), 0);
    assert_int_equal(ask_server("SELECT count(*) FROM jobs"), ORDERS);
    for (int i = 0; i < ORDERS; i++) {
        assert_string_equal(a.got[i], b.got[i]);
    }
    rig_close(&other);
}

enum { TRIES = 60, KEY_JOBS = 50, KEY_NUSD = 40, KEY_REQUESTS = 30 };

/* A process that takes all that a key may have. */
struct taker {
    struct rig *rig;
    pthread_t thread;
    const char *name;
    int64_t key, worker, jobs, held_nusd, requests;
};

static void take_job(struct taker *t, int i) {
    char job_id[32];
    (void)snprintf(job_id, sizeof job_id, "job_%s_%d", t->name, i);
    struct store_submit o = {.op = RIG_OP(t->rig),
                             .job_id = job_id,
                             .tenant = t->key,
                             .spec = S("{}"),
                             .wanted = 1,
                             .limited = true};
    store_submit(t->rig->store, &o);
    enum err e = rig_wait(t->rig, &o.op);
    ASSERT(e == ERR_OK || (e == ERR_RATE_LIMIT && o.ret_limit == STORE_LIMIT_JOBS));
    t->jobs += e == ERR_OK;
}

static void *take_all(void *ctx) {
    struct taker *t = ctx;
    for (int i = 0; i < TRIES; i++) {
        take_job(t, i);
        struct store_purse purse = {.op = RIG_OP(t->rig),
                                    .tenant = t->key,
                                    .worker = t->worker,
                                    .keep_nusd = t->held_nusd,
                                    .need_nusd = t->held_nusd + 1,
                                    .want_nusd = t->held_nusd + 1};
        store_purse(t->rig->store, &purse);
        ASSERT(rig_wait(t->rig, &purse.op) == ERR_OK);
        t->held_nusd = purse.ret_nusd;
        struct store_key_requests ask = {.op = RIG_OP(t->rig), .tenant = t->key, .n = 1};
        store_key_requests(t->rig->store, &ask);
        ASSERT(rig_wait(t->rig, &ask.op) == ERR_OK);
        t->requests += ask.ret_n;
    }
    return NULL;
}

static void test_limits_of_a_key_hold_whichever_processes_are_asked(void **state) {
    struct rig *r = *state, other;
    struct store_key_add add = {.op = RIG_OP(r),
                                .key = {.id = "key_1",
                                        .hash = "aa",
                                        .jobs_max = KEY_JOBS,
                                        .day_nusd_max = KEY_NUSD,
                                        .requests_per_minute = KEY_REQUESTS}};
    store_key_add(r->store, &add);
    assert_int_equal(rig_wait(r, &add.op), ERR_OK);
    open_other(r, &other);
    struct taker a = {.rig = r, .name = "a", .key = add.key.number, .worker = join(r)};
    struct taker b = {.rig = &other, .name = "b", .key = add.key.number, .worker = join(&other)};
    int64_t began_ms = clock_mono_ms();
    assert_int_equal(pthread_create(&a.thread, NULL, take_all, &a), 0);
    assert_int_equal(pthread_create(&b.thread, NULL, take_all, &b), 0);
    assert_int_equal(pthread_join(a.thread, NULL), 0);
    assert_int_equal(pthread_join(b.thread, NULL), 0);
    assert_int_equal(a.jobs + b.jobs, KEY_JOBS);
    assert_int_equal(a.held_nusd + b.held_nusd, KEY_NUSD);
    int64_t refilled = (clock_mono_ms() - began_ms) * KEY_REQUESTS / 60000 + 1;
    assert_in_range(a.requests + b.requests, KEY_REQUESTS, KEY_REQUESTS + refilled);
    rig_close(&other);
}

/* Another client of the server holds one row and wants the other: a ring, which the server breaks.
 */
static void test_a_batch_that_ends_in_a_ring_of_locks_is_run_again(void **state) {
    struct rig *r = *state;
    PGconn *c = PQconnectdb(direct);
    assert_int_equal(submit(r, "job_a", 0), ERR_OK);
    assert_int_equal(submit(r, "job_b", 0), ERR_OK);
    PQclear(PQexec(c, "SET deadlock_timeout = '1h'; BEGIN; UPDATE jobs SET name = 'x'"
                      " WHERE id = 'job_b'"));
    struct store_ask asks[2] = {
        {.op = RIG_OP(r), .job_id = "job_a", .wish = STORE_PAUSE, .tenant = STORE_TENANT_ANY},
        {.op = RIG_OP(r), .job_id = "job_b", .wish = STORE_PAUSE, .tenant = STORE_TENANT_ANY}};
    struct store_sweep sweep = {.op = RIG_OP(r)};
    store_sweep(r->store, &sweep); /* while that is done, the others gather */
    store_ask(r->store, &asks[1]);
    store_ask(r->store, &asks[0]);
    while (ask_server("SELECT count(*) FROM pg_locks WHERE NOT granted") == 0) {
        pause_ms(5);
    }
    assert_int_equal(PQsendQuery(c, "UPDATE jobs SET name = 'x' WHERE id = 'job_a'; COMMIT"), 1);
    for (PGresult *result; (result = PQgetResult(c)) != NULL; PQclear(result)) {
        assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
    }
    PQfinish(c);
    loop_run(r->loop);
    assert_int_equal(asks[0].op.err, ERR_OK);
    assert_int_equal(asks[1].op.err, ERR_OK);
    assert_int_equal(asks[0].ret_state, JOB_PAUSED);
}

/* --- who lives */

static int64_t reap(struct rig *r, int64_t silent_ms) {
    struct store_reap o = {.op = RIG_OP(r), .silent_ms = silent_ms};
    store_reap(r->store, &o);
    return rig_wait(r, &o.op) == ERR_OK ? o.ret_n : -1;
}

static enum err beat(struct rig *r, int64_t worker) {
    struct store_beat o = {.op = RIG_OP(r), .worker = worker};
    store_beat(r->store, &o);
    return rig_wait(r, &o.op);
}

/* This program, as a process that has the job at home and an attempt of it leased. */
static int live(const char *url) {
    struct rig r = {.loop = NULL};
    struct lease lease;
    (void)snprintf(r.path, sizeof r.path, "%s", url);
    ASSERT(rig_open(&r) == ERR_OK);
    int64_t worker = join(&r);
    ASSERT(take(&r, RIG_JOB, worker) == ERR_OK);
    ASSERT(claim(&r, RIG_JOB, worker, &lease) == ERR_OK);
    (void)pause(); /* until it is killed */
    return 1;
}

static pid_t start_process(const struct rig *r) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)execl("/proc/self/exe", "process", r->path, (char *)NULL);
        _exit(127);
    }
    while (ask_server("SELECT count(*) FROM attempts") == 0) {
        assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
        pause_ms(10);
    }
    return pid;
}

static void test_what_a_killed_process_had_goes_on_in_seconds(void **state) {
    struct rig *r = *state;
    struct lease lease;
    assert_int_equal(rig_submit(r, 2), ERR_OK);
    pid_t pid = start_process(r);
    for (int i = 0; i < 5; i++) { /* as long as it lives, nothing is taken */
        assert_int_equal(reap(r, STORE_SILENT_MS), 0);
        pause_ms(500);
    }
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    int64_t killed_ms = clock_mono_ms();
    while (reap(r, STORE_SILENT_MS) == 0) {
        pause_ms(100);
        assert_true(clock_mono_ms() - killed_ms < STORE_SILENT_MS);
    }
    assert_true(clock_mono_ms() - killed_ms > 1000); /* it might have come back */
    int64_t worker = join(r);
    assert_int_equal(take(r, RIG_JOB, worker), ERR_OK);
    assert_int_equal(claim(r, RIG_JOB, worker, &lease), ERR_OK);
    assert_int_equal(lease.attempt_no, 1);
    assert_int_equal(lease.crashes, 1);
}

static void test_a_process_that_stands_still_is_buried_when_it_is_silent(void **state) {
    enum { SILENT_MS = 1500 };
    struct rig *r = *state;
    assert_int_equal(rig_submit(r, 2), ERR_OK);
    pid_t pid = start_process(r);
    int64_t looked_ms = clock_mono_ms(), buried;
    assert_int_equal(reap(r, SILENT_MS), 0);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    while ((buried = reap(r, SILENT_MS)) == 0) {
        pause_ms(100);
    }
    assert_int_equal(buried, 1);
    assert_true(clock_mono_ms() - looked_ms > SILENT_MS - 50); /* by two clocks */
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* As an administrator might. */
static void kill_connection_of(int64_t worker) {
    char text[256];
    (void)snprintf(text, sizeof text,
                   "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity, workers"
                   " WHERE application_name = 'stumper-' || to_hex(process) AND key = %" PRId64,
                   worker);
    assert_int_equal(ask_server(text), 1);
}

static void test_a_process_whose_connection_was_killed_is_not_dead(void **state) {
    struct rig *r = *state, other;
    struct lease lease;
    assert_int_equal(rig_submit(r, 2), ERR_OK);
    open_other(r, &other);
    int64_t worker = join(&other);
    assert_int_equal(take(&other, RIG_JOB, worker), ERR_OK);
    assert_int_equal(claim(&other, RIG_JOB, worker, &lease), ERR_OK);
    for (int round = 0; round < 2; round++) {
        kill_connection_of(worker);
        for (int i = 0; i < 15; i++) {
            assert_int_equal(reap(r, STORE_SILENT_MS), 0);
            pause_ms(200);
        }
    }
    assert_int_equal(rig_finish(&other, lease, OUTCOME_ACCEPTED, NULL), ERR_OK);
    rig_close(&other);
}

static void test_when_the_server_was_away_for_long_nobody_is_buried_for_it(void **state) {
    enum { SILENT_MS = 2000 };
    struct rig *r = *state, other;
    struct postgres_rig *server = postgres_rig();
    assert_int_equal(rig_submit(r, 2), ERR_OK);
    open_other(r, &other);
    int64_t worker = join(&other);
    assert_int_equal(take(&other, RIG_JOB, worker), ERR_OK);
    assert_int_equal(reap(r, SILENT_MS), 0);
    postgres_rig_stop(server, SIGQUIT);
    pause_ms(SILENT_MS + 500);
    postgres_rig_start(server);
    while (reap(r, SILENT_MS) < 0) { /* it does not know yet that the server is back */
        pause_ms(20);
    }
    assert_int_equal(reap(r, SILENT_MS), 0);
    while (beat(&other, worker) == ERR_UNAVAILABLE) {
        pause_ms(20);
    }
    assert_int_equal(beat(&other, worker), ERR_OK);
    assert_int_equal(reap(r, SILENT_MS), 0);
    rig_close(&other);
}

static void test_who_was_killed_while_the_server_was_away_is_missed_soon_after(void **state) {
    struct rig *r = *state;
    struct postgres_rig *server = postgres_rig();
    assert_int_equal(rig_submit(r, 2), ERR_OK);
    pid_t pid = start_process(r);
    assert_int_equal(reap(r, STORE_SILENT_MS), 0);
    postgres_rig_stop(server, SIGQUIT);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    postgres_rig_start(server);
    int64_t back_ms = clock_mono_ms();
    while (reap(r, STORE_SILENT_MS) <= 0) { /* negative: it does not know yet that it is back */
        pause_ms(100);
        assert_true(clock_mono_ms() - back_ms < STORE_SILENT_MS);
    }
}

static void
test_who_lost_its_own_connection_misses_nobody_until_all_had_time_to_return(void **state) {
    enum { SILENT_MS = 8000 };
    struct rig *r = *state;
    assert_int_equal(rig_submit(r, 2), ERR_OK);
    int64_t own = join(r), buried = 0;
    pid_t pid = start_process(r);
    assert_int_equal(reap(r, SILENT_MS), 0);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    int64_t cut_ms = clock_mono_ms();
    kill_connection_of(own);
    while (buried <= 0) { /* negative: not connected again */
        pause_ms(100);
        (void)beat(r, own);
        buried = reap(r, SILENT_MS);
    }
    assert_int_equal(buried, 1);
    assert_true(clock_mono_ms() - cut_ms >= SILENT_MS);
}

/* --- anything, by many at once */

enum { JOBS = 5, STEPS = 150, OPS = 6, TOKENS_MAX = STEPS * OPS * 2 };

struct party {
    struct rig *rig;
    pthread_t thread;
    struct rng rng;
    int64_t worker;
    struct lease leases[JOBS][4]; /* live or stale */
    int64_t tokens[TOKENS_MAX];   /* that it was given */
    size_t tokens_n;
    int64_t accepted[JOBS], calls;
};

static void job_name(uint64_t n, char ret[16]) {
    (void)snprintf(ret, 16, "job_%d", (int)n);
}

static bool flip(struct party *p, double chance) {
    return rng_chance(&p->rng, chance);
}

/* Several operations on several jobs, which are one batch or few. */
static void step(struct party *p) {
    struct store_finish finish[OPS];
    struct store_claim claims[OPS];
    struct store_record record[OPS];
    struct store_ask ask[OPS];
    struct lease given[OPS];
    struct ledger_call calls[OPS];
    struct problem problems[OPS];
    char ids[OPS][16], problem_ids[OPS][32];
    int kinds[OPS];
    uint64_t jobs[OPS];
    struct rig *r = p->rig;
    for (int i = 0; i < OPS; i++) {
        jobs[i] = rng_below(&p->rng, JOBS);
        job_name(jobs[i], ids[i]);
        kinds[i] = (int)rng_below(&p->rng, 4);
        struct lease lease = p->leases[jobs[i]][rng_below(&p->rng, 4)];
        calls[i] = rig_call(lease.attempt_no, (int64_t)rng_below(&p->rng, 3), S("x"));
        switch (kinds[i]) {
        case 0:
            (void)snprintf(problem_ids[i], sizeof problem_ids[i], "p%" PRId64, lease.token);
            problems[i] = (struct problem){.outcome = OUTCOME_ACCEPTED, .problem = S("?")};
            finish[i] = (struct store_finish){
                .op = RIG_OP(r),
                .job_id = ids[i],
                .lease = lease,
                .problem = &problems[i],
                .ids = {.id = problem_ids[i], .job_id = ids[i], .attempt = lease.attempt_no}};
            store_finish(r->store, &finish[i]);
            break;
        case 1:
            claims[i] = (struct store_claim){
                .op = RIG_OP(r), .job_id = ids[i], .worker = p->worker, .n = 1, .ret = &given[i]};
            store_claim(r->store, &claims[i]);
            break;
        case 2:
            record[i] = (struct store_record){
                .op = RIG_OP(r), .job_id = ids[i], .lease = lease, .call = &calls[i]};
            store_record(r->store, &record[i]);
            break;
        default:
            ask[i] = (struct store_ask){.op = RIG_OP(r),
                                        .job_id = ids[i],
                                        .tenant = STORE_TENANT_ANY,
                                        .wish = flip(p, 0.4) ? STORE_PAUSE : STORE_RESUME};
            store_ask(r->store, &ask[i]);
            break;
        }
    }
    loop_run(r->loop);
    for (int i = 0; i < OPS; i++) {
        if (kinds[i] == 0) {
            ASSERT(finish[i].op.err == ERR_OK || finish[i].op.err == ERR_STALE);
            p->accepted[jobs[i]] +=
                finish[i].op.err == ERR_OK && finish[i].ret_outcome == OUTCOME_ACCEPTED;
        } else if (kinds[i] == 1) {
            ASSERT(claims[i].op.err == ERR_OK || claims[i].op.err == ERR_STALE ||
                   claims[i].op.err == ERR_CONFLICT);
            if (claims[i].op.err == ERR_OK && claims[i].ret_n == 1) {
                p->leases[jobs[i]][rng_below(&p->rng, 4)] = given[i];
                p->tokens[p->tokens_n++] = given[i].token;
            }
        } else if (kinds[i] == 2) {
            ASSERT(record[i].op.err == ERR_OK || record[i].op.err == ERR_STALE);
        } else {
            ASSERT(ask[i].op.err == ERR_OK);
        }
    }
}

/* A job changes hands now and then. */
static void move(struct party *p) {
    char id[16];
    job_name(rng_below(&p->rng, JOBS), id);
    if (flip(p, 0.7)) {
        (void)take(p->rig, id, p->worker);
        return;
    }
    struct store_leave o = {
        .op = RIG_OP(p->rig), .job_id = id, .worker = p->worker, .state = JOB_QUEUED};
    store_leave(p->rig->store, &o);
    enum err e = rig_wait(p->rig, &o.op);
    ASSERT(e == ERR_OK || e == ERR_STALE);
}

static void *make_a_mess(void *ctx) {
    struct party *p = ctx;
    p->worker = join(p->rig);
    for (int i = 0; i < STEPS; i++) {
        move(p);
        step(p);
    }
    return NULL;
}

static int compare(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void check_tokens(const struct party *parties) {
    int64_t *all = mem_new_array((size_t)PARTIES_MAX * TOKENS_MAX, sizeof *all);
    size_t n = 0;
    for (int i = 0; i < PARTIES_MAX; i++) {
        for (size_t k = 0; k < parties[i].tokens_n; k++) {
            all[n++] = parties[i].tokens[k];
        }
    }
    assert_true(n > 50);
    qsort(all, n, sizeof *all, compare);
    for (size_t i = 1; i < n; i++) {
        assert_true(all[i] > all[i - 1]);
    }
    free(all);
}

static void test_whatever_many_processes_do_at_once_the_invariants_hold(void **state) {
    struct rig *r = *state, *others = mem_new_array(PARTIES_MAX, sizeof *others);
    struct party *parties = mem_new_array(PARTIES_MAX, sizeof *parties);
    char id[16], text[128];
    for (uint64_t i = 0; i < JOBS; i++) {
        job_name(i, id);
        assert_int_equal(submit(r, id, 1 + (int64_t)i % 2), ERR_OK);
    }
    for (int i = 0; i < PARTIES_MAX; i++) {
        parties[i].rig = i == 0 ? r : &others[i];
        rng_init(&parties[i].rng, 20261126 + (uint64_t)i);
        for (int j = 0; j < JOBS * 4; j++) {
            parties[i].leases[j / 4][j % 4] = (struct lease){.attempt_no = 1, .token = 1};
        }
        if (i > 0) {
            open_other(r, &others[i]);
        }
        assert_int_equal(pthread_create(&parties[i].thread, NULL, make_a_mess, &parties[i]), 0);
    }
    for (int i = 0; i < PARTIES_MAX; i++) {
        assert_int_equal(pthread_join(parties[i].thread, NULL), 0);
    }
    check_tokens(parties);
    int64_t total = 0;
    for (int j = 0; j < JOBS; j++) {
        int64_t accepted = 0;
        for (int i = 0; i < PARTIES_MAX; i++) {
            accepted += parties[i].accepted[j];
        }
        (void)snprintf(text, sizeof text, "SELECT accepted FROM jobs WHERE id = 'job_%d'", j);
        assert_int_equal(ask_server(text), accepted);
        total += accepted;
    }
    assert_true(total > 20);
    assert_int_equal(ask_server("SELECT sum(cost_nusd) FROM key_spend"),
                     ask_server("SELECT sum(cost_nusd) FROM calls"));
    assert_int_equal(rig_check(r), ERR_OK);
    for (int i = 1; i < PARTIES_MAX; i++) {
        rig_close(&others[i]);
    }
    free(others);
    free(parties);
}

/* --- behind a pooler */

static void test_behind_a_pooler_a_killed_process_is_seen_by_its_silence(void **state) {
    struct rig *r = *state;
    struct lease lease;
    assert_int_equal(rig_submit(r, 2), ERR_OK);
    pid_t pid = start_process(r);
    for (int i = 0; i < 8; i++) { /* it lives, and nobody misses a lock */
        assert_int_equal(reap(r, STORE_SILENT_MS), 0);
        pause_ms(500);
    }
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(reap(r, 1000), 1);
    int64_t worker = join(r);
    assert_int_equal(take(r, RIG_JOB, worker), ERR_OK);
    assert_int_equal(claim(r, RIG_JOB, worker, &lease), ERR_OK);
    assert_int_equal(lease.attempt_no, 1);
    assert_int_equal(ask_server("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), 0);
}

static int set_up_direct(void **state, int (*how)(void **state)) {
    int failed = how(state);
    (void)snprintf(direct, sizeof direct, "%s", ((struct rig *)*state)->direct);
    return failed;
}

static int set_up(void **state) {
    return set_up_direct(state, rig_set_up);
}

static int set_up_pooled(void **state) {
    return set_up_direct(state, rig_set_up_pooled);
}

#define MANY_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, rig_tear_down)
#define POOLED_TEST(f) cmocka_unit_test_setup_teardown(f, set_up_pooled, rig_tear_down)

/* --- parts of limits */

static void claim_part(struct rig *r, int64_t worker, struct store_part *p) {
    struct store_beat o = {.op = RIG_OP(r), .worker = worker, .parts = p, .parts_n = 1};
    store_beat(r->store, &o);
    assert_int_equal(rig_wait(r, &o.op), ERR_OK);
    p->held = p->ret_part; /* used from now on */
}

static void test_workers_of_many_processes_never_have_more_than_the_whole_of_a_limit(void **state) {
    struct rig *r = *state, other;
    open_other(r, &other);
    int64_t here = join(r), there = join(&other);
    struct store_part a = {.name = "lab/checker#1", .demand = 30};
    struct store_part b = {.name = "lab/checker#1", .demand = 10};
    claim_part(r, here, &a);
    assert_int_equal(a.held, STORE_PART_WHOLE / 20 * 19); /* the other one has not asked yet */
    claim_part(&other, there, &b);
    assert_int_equal(b.held, STORE_PART_WHOLE / 20);
    claim_part(r, here, &a);
    claim_part(&other, there, &b);
    /* what is used is counted until its worker says that it is not */
    assert_int_equal(b.held, STORE_PART_WHOLE / 20);
    claim_part(r, here, &a);
    claim_part(&other, there, &b);
    assert_int_equal(a.held, STORE_PART_WHOLE * 3 / 4);
    assert_int_equal(b.held, STORE_PART_WHOLE / 4);
    struct store_part apart = {.name = "lab/target#1", .demand = 1};
    claim_part(&other, there, &apart);
    assert_int_equal(apart.held, STORE_PART_WHOLE / 20 * 19);
    struct store_quit quit = {.op = RIG_OP(r), .worker = here};
    store_quit(r->store, &quit);
    assert_int_equal(rig_wait(r, &quit.op), ERR_OK);
    claim_part(&other, there, &b);
    assert_int_equal(b.held, STORE_PART_WHOLE);
    rig_close(&other);
}

static void
test_a_newcomer_has_some_of_a_limit_at_once_though_a_dead_worker_is_counted(void **state) {
    struct rig *r = *state, other;
    open_other(r, &other);
    int64_t dies = join(r), heir = join(&other);
    struct store_part a = {.name = "lab/checker#1", .demand = 30}, b = a;
    claim_part(r, dies, &a);
    claim_part(r, dies, &a); /* and nothing more is heard of it */
    claim_part(&other, heir, &b);
    assert_int_equal(a.held + b.held, STORE_PART_WHOLE);
    assert_int_equal(b.held, STORE_PART_WHOLE / 20);
    rig_close(&other);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        MANY_TEST(test_two_processes_see_and_change_the_same_jobs),
        MANY_TEST(test_a_process_that_closes_leaves_its_jobs_to_the_others),
        MANY_TEST(test_a_process_that_opens_takes_nothing_from_the_living),
        MANY_TEST(test_an_idempotency_key_gives_one_job_whichever_process_is_asked),
        MANY_TEST(test_limits_of_a_key_hold_whichever_processes_are_asked),
        MANY_TEST(test_a_batch_that_ends_in_a_ring_of_locks_is_run_again),
        MANY_TEST(test_what_a_killed_process_had_goes_on_in_seconds),
        MANY_TEST(test_a_process_that_stands_still_is_buried_when_it_is_silent),
        MANY_TEST(test_a_process_whose_connection_was_killed_is_not_dead),
        MANY_TEST(test_when_the_server_was_away_for_long_nobody_is_buried_for_it),
        MANY_TEST(test_who_was_killed_while_the_server_was_away_is_missed_soon_after),
        MANY_TEST(test_who_lost_its_own_connection_misses_nobody_until_all_had_time_to_return),
        MANY_TEST(test_workers_of_many_processes_never_have_more_than_the_whole_of_a_limit),
        MANY_TEST(test_a_newcomer_has_some_of_a_limit_at_once_though_a_dead_worker_is_counted),
        MANY_TEST(test_whatever_many_processes_do_at_once_the_invariants_hold),
        POOLED_TEST(test_two_processes_see_and_change_the_same_jobs),
        POOLED_TEST(test_behind_a_pooler_a_killed_process_is_seen_by_its_silence),
        POOLED_TEST(test_whatever_many_processes_do_at_once_the_invariants_hold),
    };
    if (argc == 2) {
        return live(argv[1]);
    }
    assert_int_equal(setenv("STUMPER_TEST_STORE", "postgres", 1), 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
