/* A file that an older version left is taken over whole, whenever the taking over is broken off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/failpoint.h"
#include "base/file.h"
#include "base/mem.h"
#include "contract/store_rig.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A rig whose file is the one of data/store-v1.sql. */
static int set_up(void **state) {
    struct rig *r = mem_new(sizeof *r);
    struct str sql;
    sqlite3 *db;
    char *message = NULL;
    rig_init(r);
    *state = r;
    const char *path = str_fmt(&r->arena, "%s/contract/data/store-v1.sql", getenv("TESTS_DIR")).p;
    assert_int_equal(file_read(path, 1 << 20, &r->arena, &sql, NULL), ERR_OK);
    assert_int_equal(sqlite3_open(r->path, &db), SQLITE_OK);
    if (sqlite3_exec(db, str_cstr(&r->arena, sql), NULL, NULL, &message) != SQLITE_OK) {
        fail_msg("%s", message);
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return 0;
}

static int tear_down(void **state) {
    struct rig *r = *state;
    rig_release(r);
    free(r);
    return 0;
}

static void expect_whole(struct rig *r) {
    if (rig_check(r) != ERR_OK) {
        fail_msg("%s", r->detail.text);
    }
    struct job_row job = rig_job(r, &r->arena);
    assert_int_equal(job.state, JOB_QUEUED);
    assert_int_equal(job.wanted, 3);
    assert_int_equal(job.attempts, 4);
    assert_int_equal(job.leased, 2);
    assert_int_equal(job.in_flight, 0);
    assert_int_equal(job.outcomes[OUTCOME_ACCEPTED], 1);
    assert_int_equal(job.outcomes[OUTCOME_REJECTED], 1);
    assert_int_equal(job.calls, 6);
    assert_int_equal(job.input_tokens, 610);
    assert_int_equal(job.cost_nusd, 700);
    assert_int_equal(job.calls_unpriced, 1);
    assert_int_equal(job.created_ms, 1000);
    assert_int_equal(job.tenant, STORE_TENANT_NONE);
    assert_true(str_eq(job.spec, S("{\"num_problems\":3}")));
}

/* What older versions did not keep is made up from what they did. */
static void expect_sums_and_events(struct rig *r) {
    struct store_get_job job = {
        .op = RIG_OP(r), .job_id = RIG_JOB, .tenant = STORE_TENANT_NONE, .a = &r->arena};
    store_get_job(r->store, &job);
    assert_int_equal(rig_wait(r, &job.op), ERR_OK);
    assert_int_equal(job.ret_usage_n, 3);
    int64_t calls = 0, cached = 0;
    for (size_t i = 0; i < job.ret_usage_n; i++) {
        calls += job.ret_usage[i].calls;
        cached += job.ret_usage[i].cached_tokens;
    }
    assert_int_equal(calls, 6);
    assert_int_equal(cached, 10);
    struct store_get_events events = {.op = RIG_OP(r),
                                      .job_id = RIG_JOB,
                                      .tenant = STORE_TENANT_NONE,
                                      .limit = 100,
                                      .a = &r->arena};
    store_get_events(r->store, &events);
    assert_int_equal(rig_wait(r, &events.op), ERR_OK);
    assert_int_equal(events.ret_n, 4);
    assert_true(str_eq(events.ret[2].kind, S("problem.accepted")));
    assert_int_equal(events.ret[3].seq, 4); /* numbered on: it is queued again */
}

static void test_a_version_1_file_is_taken_over_whole_and_its_job_goes_on(void **state) {
    struct rig *r = *state;
    struct lease leases[3];
    struct ledger_call *calls;
    size_t calls_n;
    int64_t n;
    assert_int_equal(rig_open(r), ERR_OK);
    expect_whole(r);
    expect_sums_and_events(r);
    assert_int_equal(rig_claim(r, 3, 0, leases, &n), ERR_OK);
    assert_int_equal(n, 3);
    assert_int_equal(leases[0].attempt_no, 3);
    assert_int_equal(leases[0].crashes, 1);
    assert_int_equal(leases[1].attempt_no, 4);
    assert_int_equal(leases[1].crashes, 2);
    assert_int_equal(leases[2].attempt_no, 5);
    assert_true(leases[0].token > 5);
    assert_int_equal(rig_calls(r, 3, &r->arena, &calls, &calls_n), ERR_OK);
    assert_int_equal(calls_n, 1);
    assert_true(str_eq(calls[0].answer.text, S("of the third")));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(rig_finish(r, leases[i], OUTCOME_ACCEPTED, NULL), ERR_OK);
    }
    rig_succeed(r);
    assert_int_equal(rig_job(r, &r->arena).outcomes[OUTCOME_ACCEPTED], 3);
    assert_int_equal(rig_check(r), ERR_OK);
}

static void die_while_opening(struct rig *r, const char *failpoint) {
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        failpoint_arm(failpoint);
        _exit(rig_open(r) == ERR_OK ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* Between the versions and on both sides of each. */
static void test_killed_while_it_is_taken_over_it_is_taken_over_the_next_time(void **state) {
    static const char *const failpoints[] = {
        "store.migrate.before_commit:1", "store.migrate.after_commit:1",
        "store.migrate.before_commit:1", "store.migrate.after_commit:1",
        "store.migrate.before_commit:1", "store.migrate.after_commit:1",
        "store.migrate.before_commit:1", "store.migrate.after_commit:1",
        "store.open.before_commit",
    };
    struct rig *r = *state;
    for (size_t i = 0; i < ARRAY_LEN(failpoints); i++) {
        die_while_opening(r, failpoints[i]);
    }
    assert_int_equal(rig_open(r), ERR_OK);
    expect_whole(r);
    expect_sums_and_events(r);
}

static void test_who_only_reads_says_what_takes_it_over_and_changes_nothing(void **state) {
    struct rig *r = *state;
    struct store_reader *reader;
    assert_int_equal(store_reader_open(r->path, &reader, &r->detail), ERR_CORRUPT);
    assert_non_null(strstr(r->detail.text, "older Stumper (schema 1)"));
    assert_int_equal(rig_open(r), ERR_OK);
    expect_whole(r);
}

#define SCHEMA_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        SCHEMA_TEST(test_a_version_1_file_is_taken_over_whole_and_its_job_goes_on),
        SCHEMA_TEST(test_killed_while_it_is_taken_over_it_is_taken_over_the_next_time),
        SCHEMA_TEST(test_who_only_reads_says_what_takes_it_over_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
