/* What only a server can do to a store: be another's, go away in the middle of things, come back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "contract/postgres_rig.h"
#include "contract/store_rig.h"

#include "base/clock.h"
#include "base/mem.h"
#include "io/pq.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KILL_SESSIONS                                                                              \
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"                                \
    " WHERE application_name LIKE 'stumper-%'"

static void pause_ms(int64_t ms) {
    (void)nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static void server_url(char ret[128]) {
    postgres_rig_url(postgres_rig(), NULL, ret, 128);
}

/* --- what is told */

static void test_who_forgot_that_a_pooler_is_between_is_told(void **state) {
    struct pq p;
    struct errinfo why;
    char url[128];
    (void)state;
    server_url(url);
    assert_int_equal(pq_init(&p, str_of(url), 1000, &why), ERR_OK);
    assert_int_equal(pq_connect(&p, "test", true, &why), ERR_OK);
    assert_int_equal(pq_do(&p, "EXECUTE prepared_elsewhere", &why), ERR_INTERNAL);
    assert_non_null(strstr(why.text, "?pool_mode=transaction"));
    assert_int_equal(pq_do(&p, "PREPARE again AS SELECT 1; PREPARE again AS SELECT 1", &why),
                     ERR_INTERNAL);
    assert_non_null(strstr(why.text, "?pool_mode=transaction"));
    pq_release(&p);
}

/* --- whose it is */

static void test_a_store_that_an_older_stumper_has_for_itself_is_not_migrated(void **state) {
    struct rig *r = *state;
    rig_close(r);
    PGconn *older = PQconnectdb(r->path);
    PQclear(PQexec(older, "SELECT pg_advisory_lock(1398033744, hashtext(current_schema()))"));
    (void)postgres_rig_ask(r->path,
                           "UPDATE stumper_schema SET version = -version WHERE version > 2");
    assert_int_equal(rig_open(r), ERR_BUSY);
    assert_non_null(strstr(r->detail.text, "older Stumper"));
    (void)postgres_rig_ask(r->path,
                           "UPDATE stumper_schema SET version = -version WHERE version < 0");
    PQfinish(older);
    assert_int_equal(rig_open(r), ERR_OK);
}

static void test_a_newer_schema_is_refused(void **state) {
    struct rig *r = *state;
    rig_close(r);
    (void)postgres_rig_ask(r->path, "INSERT INTO stumper_schema VALUES (99)");
    assert_int_equal(rig_open(r), ERR_CORRUPT);
    assert_non_null(strstr(r->detail.text, "newer Stumper"));
    assert_int_equal(rig_check(r), ERR_CORRUPT);
    (void)postgres_rig_ask(r->path, "DELETE FROM stumper_schema WHERE version = 99");
    assert_int_equal(rig_open(r), ERR_OK);
}

static void test_another_programs_tables_are_left_alone(void **state) {
    struct rig *r = *state, other;
    rig_init(&other);
    assert_int_equal(rig_check(&other), ERR_NOT_FOUND);
    (void)postgres_rig_ask(other.path, "CREATE TABLE songs (title TEXT)");
    assert_int_equal(rig_open(&other), ERR_CORRUPT);
    assert_non_null(strstr(other.detail.text, "another program"));
    assert_int_equal(postgres_rig_ask(other.path, "SELECT count(*) FROM pg_tables"
                                                  " WHERE schemaname = current_schema()"),
                     1);
    rig_release(&other);
    assert_non_null(r->store);
}

static void test_no_error_repeats_a_password(void **state) {
    static const char *const urls[] = {
        "postgresql://me:hunter22@127.0.0.1:1/none",
        "postgresql://me:hunter22@no-such-host.invalid/none",
        "postgresql://me:hun@ter22@127.0.0.1/none",
        "postgresql://me:hun/ter22@127.0.0.1/none",
        "postgresql://me@127.0.0.1:1/none?password=hunter22",
        "postgresql://me@127.0.0.1:1/none?hunter22=1",
        "postgresql://me:hunter22%zz@127.0.0.1/none",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        struct rig other = {.loop = NULL};
        (void)snprintf(other.path, sizeof other.path, "%s", urls[i]);
        enum err e = rig_open(&other);
        assert_true(e == ERR_UNAVAILABLE || e == ERR_USAGE);
        assert_null(strstr(other.detail.text, "ter22"));
    }
}

static void test_what_postgresql_cannot_store_is_mended(void **state) {
    struct rig *r = *state;
    struct ledger_call *calls;
    size_t n;
    assert_int_equal(rig_submit(r, 1), ERR_OK);
    struct lease lease = rig_claim_one(r);
    assert_int_equal(rig_record(r, lease, 1, (struct str){"a\0b\xff\xc3\xa9\xc3", 7}), ERR_OK);
    assert_int_equal(rig_calls(r, lease.attempt_no, &r->arena, &calls, &n), ERR_OK);
    assert_int_equal(n, 1);
    assert_true(str_eq(calls[0].answer.text, S("a\xEF\xBF\xBD"
                                               "b\xEF\xBF\xBD\xc3\xa9\xEF\xBF\xBD")));
}

/* --- losses */

struct killer {
    pthread_t thread;
    atomic_bool stop;
    int64_t killed;
};

static void *kill_sessions(void *ctx) {
    struct killer *k = ctx;
    char url[128];
    server_url(url);
    for (int64_t ms = 150; !atomic_load(&k->stop); ms += 10) { /* however long a connect takes */
        k->killed += postgres_rig_ask(url, KILL_SESSIONS);
        pause_ms(ms);
    }
    return NULL;
}

static void test_a_read_that_fails_fails_none_of_those_beside_it(void **state) {
    enum { READS = 40 };
    struct rig *r = *state;
    struct store_totals totals[READS];
    struct store_get_job jobs[READS];
    assert_int_equal(rig_submit(r, 2), ERR_OK);
    (void)postgres_rig_ask(r->direct, "ALTER TABLE outbox RENAME TO elsewhere");
    for (int i = 0; i < READS; i++) {
        totals[i] = (struct store_totals){.op = RIG_OP(r)};
        jobs[i] = (struct store_get_job){
            .op = RIG_OP(r), .job_id = RIG_JOB, .tenant = STORE_TENANT_ANY, .a = &r->arena};
        store_totals(r->store, &totals[i]);
        store_get_job(r->store, &jobs[i]);
    }
    loop_run(r->loop);
    (void)postgres_rig_ask(r->direct, "ALTER TABLE elsewhere RENAME TO outbox");
    for (int i = 0; i < READS; i++) {
        assert_int_not_equal(totals[i].op.err, ERR_OK);
        assert_int_equal(jobs[i].op.err, ERR_OK);
    }
}

static void test_sessions_may_be_killed_at_any_moment(void **state) {
    enum { PROBLEMS = 150 };
    struct rig *r = *state;
    struct killer k = {.killed = 0};
    assert_int_equal(rig_submit(r, PROBLEMS), ERR_OK);
    assert_int_equal(pthread_create(&k.thread, NULL, kill_sessions, &k), 0);
    for (int i = 0; i < PROBLEMS; i++) {
        struct lease lease = rig_claim_one(r);
        assert_int_equal(rig_record(r, lease, 1, S("one")), ERR_OK);
        assert_int_equal(rig_finish(r, lease, OUTCOME_ACCEPTED, NULL), ERR_OK);
    }
    atomic_store(&k.stop, true);
    assert_int_equal(pthread_join(k.thread, NULL), 0);
    assert_true(k.killed > 2);
    struct job_row row = rig_job(r, &r->arena);
    assert_int_equal(row.outcomes[OUTCOME_ACCEPTED], PROBLEMS);
    assert_int_equal(row.attempts, PROBLEMS);
    assert_int_equal(row.calls, PROBLEMS);
}

static void stop_loop(struct store_op *op) {
    loop_stop(op->loop);
}

static void test_while_the_server_is_away_a_worker_waits_and_all_others_are_told(void **state) {
    struct rig *r = *state;
    struct postgres_rig *server = postgres_rig();
    assert_int_equal(rig_submit(r, 1), ERR_OK);
    struct lease lease = rig_claim_one(r);
    struct ledger_call call = rig_call(lease.attempt_no, 1, S("paid"));
    struct store_record record = {
        .op = RIG_OP(r), .job_id = RIG_JOB, .lease = lease, .call = &call};
    postgres_rig_stop(server, SIGQUIT);
    record.op.err = ERR_COUNT;
    store_record(r->store, &record);
    for (int i = 0; i < 20; i++) {
        struct store_submit submit = {.op = {.loop = r->loop, .done = stop_loop},
                                      .job_id = "job_2",
                                      .spec = S("{}"),
                                      .wanted = 1};
        struct store_get_job get = {.op = {.loop = r->loop, .done = stop_loop},
                                    .job_id = RIG_JOB,
                                    .tenant = STORE_TENANT_ANY,
                                    .a = &r->arena};
        int64_t began_ms = clock_mono_ms();
        store_submit(r->store, &submit);
        loop_run(r->loop);
        assert_int_equal(submit.op.err, ERR_UNAVAILABLE);
        store_get_job(r->store, &get);
        loop_run(r->loop);
        assert_int_equal(get.op.err, ERR_UNAVAILABLE);
        assert_true(clock_mono_ms() - began_ms < 10000); /* who waits, waits for 15 s or more */
    }
    postgres_rig_start(server);
    assert_int_equal(rig_wait(r, &record.op), ERR_OK);
    assert_int_equal(rig_finish(r, lease, OUTCOME_ACCEPTED, NULL), ERR_OK);
    struct job_row row = rig_job(r, &r->arena);
    assert_int_equal(row.calls, 1);
    assert_int_equal(postgres_rig_ask(r->path, "SELECT count(*) FROM jobs"), 1);
}

/* What a worker writes waits for a lock; behind it is an order; then the server goes away. */
static void test_who_came_before_the_server_went_away_is_told_too(void **state) {
    struct rig *r = *state;
    struct postgres_rig *server = postgres_rig();
    assert_int_equal(rig_submit(r, 1), ERR_OK);
    struct lease lease = rig_claim_one(r);
    PGconn *in_the_way = PQconnectdb(r->path);
    PQclear(PQexec(in_the_way, "BEGIN; LOCK TABLE calls"));
    struct ledger_call call = rig_call(lease.attempt_no, 1, S("paid"));
    struct store_record record = {
        .op = RIG_OP(r), .job_id = RIG_JOB, .lease = lease, .call = &call};
    struct store_submit submit = {.op = {.loop = r->loop, .done = stop_loop},
                                  .job_id = "job_2",
                                  .spec = S("{}"),
                                  .wanted = 1};
    store_record(r->store, &record);
    while (postgres_rig_ask(r->path, "SELECT count(*) FROM pg_locks WHERE NOT granted") == 0) {
        pause_ms(1);
    }
    store_submit(r->store, &submit);
    postgres_rig_stop(server, SIGQUIT);
    loop_run(r->loop);
    assert_int_equal(submit.op.err, ERR_UNAVAILABLE);
    PQfinish(in_the_way);
    postgres_rig_start(server);
    assert_int_equal(rig_wait(r, &record.op), ERR_OK);
}

/* The session ends itself, once, at the very end of a transaction: nothing of it is kept. */
static void test_a_commit_that_was_lost_is_done_again(void **state) {
    struct rig *r = *state;
    assert_int_equal(rig_submit(r, 1), ERR_OK);
    struct lease lease = rig_claim_one(r);
    (void)postgres_rig_ask(
        r->path, "CREATE SEQUENCE once; CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS"
                 " 'BEGIN IF nextval(''once'') = 1 THEN"
                 " PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN NULL; END';"
                 "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON calls DEFERRABLE INITIALLY DEFERRED"
                 " FOR EACH ROW EXECUTE FUNCTION die()");
    assert_int_equal(rig_record(r, lease, 1, S("paid")), ERR_OK);
    assert_int_equal(postgres_rig_ask(r->path, "SELECT last_value FROM once"), 2);
    struct job_row row = rig_job(r, &r->arena);
    assert_int_equal(row.calls, 1);
}

/* Until the server has heeded that commits are to wait for a standby: one of another session waits.
 */
static void await_waiting_commits(const char *url) {
    PGconn *conn = PQconnectdb(url);
    int64_t waiting = 0;
    while (waiting == 0) {
        if (PQconsumeInput(conn) == 1 && PQisBusy(conn) == 0) {
            PQclear(PQgetResult(conn));
            (void)PQsendQuery(conn, "SELECT pg_logical_emit_message(true, '', '')");
        }
        pause_ms(10);
        waiting = postgres_rig_ask(url, "SELECT count(*) FROM pg_stat_activity"
                                        " WHERE wait_event = 'SyncRep'");
    }
    PQfinish(conn);
}

/* The transaction is committed, but its answer waits for a standby that is none; then the session
 * is killed. */
static void test_a_commit_whose_answer_was_lost_is_not_done_again(void **state) {
    struct rig *r = *state;
    char url[128];
    server_url(url);
    assert_int_equal(rig_submit(r, 1), ERR_OK);
    struct lease lease = rig_claim_one(r);
    (void)postgres_rig_ask(url, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    (void)postgres_rig_ask(url, "SELECT pg_reload_conf()");
    await_waiting_commits(url);
    struct store_submit submit = {
        .op = {.loop = r->loop, .done = rig_done}, .job_id = "job_2", .spec = S("{}"), .wanted = 1};
    submit.op.err = ERR_COUNT;
    store_submit(r->store, &submit);
    int64_t killed = 0;
    for (int i = 0; i < 1000 && killed == 0; i++) {
        pause_ms(20);
        killed = postgres_rig_ask(url, KILL_SESSIONS " AND wait_event = 'SyncRep'");
    }
    (void)postgres_rig_ask(url, "ALTER SYSTEM RESET synchronous_standby_names");
    (void)postgres_rig_ask(url, "SELECT pg_reload_conf()");
    assert_int_equal(killed, 1);
    assert_int_equal(rig_wait(r, &submit.op), ERR_OK);
    assert_int_equal(postgres_rig_ask(r->path, "SELECT count(*) FROM jobs WHERE id = 'job_2'"), 1);
    assert_int_equal(rig_finish(r, lease, OUTCOME_SOLVED, NULL), ERR_OK);
}

#define POSTGRES_TEST(f) cmocka_unit_test_setup_teardown(f, rig_set_up, rig_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        POSTGRES_TEST(test_who_forgot_that_a_pooler_is_between_is_told),
        POSTGRES_TEST(test_a_store_that_an_older_stumper_has_for_itself_is_not_migrated),
        POSTGRES_TEST(test_a_newer_schema_is_refused),
        POSTGRES_TEST(test_another_programs_tables_are_left_alone),
        POSTGRES_TEST(test_no_error_repeats_a_password),
        POSTGRES_TEST(test_what_postgresql_cannot_store_is_mended),
        POSTGRES_TEST(test_a_read_that_fails_fails_none_of_those_beside_it),
        POSTGRES_TEST(test_sessions_may_be_killed_at_any_moment),
        POSTGRES_TEST(test_while_the_server_is_away_a_worker_waits_and_all_others_are_told),
        POSTGRES_TEST(test_who_came_before_the_server_went_away_is_told_too),
        POSTGRES_TEST(test_a_commit_that_was_lost_is_done_again),
        POSTGRES_TEST(test_a_commit_whose_answer_was_lost_is_not_done_again),
    };
    assert_int_equal(setenv("STUMPER_TEST_STORE", "postgres", 1), 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
