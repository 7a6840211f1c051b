/* What a store promises about what it keeps and for how long: pages, deletion, retention, keys and
 * their spend, webhooks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "contract/postgres_rig.h"
#include "contract/store_rig.h"
#include "store/store_key.h"
#include "store/store_outbox.h"

#include "base/clock.h"
#include "base/mem.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void submit_for(struct rig *r, const char *job_id, int64_t tenant, const char *webhook_url) {
    struct store_submit o = {.op = RIG_OP(r),
                             .job_id = job_id,
                             .tenant = tenant,
                             .spec = S("{}"),
                             .taxonomy = S("{\"Algebra\":[\"Roots\"]}"),
                             .wanted = 1,
                             .webhook_url = str_of(webhook_url),
                             .idem_key = str_of(job_id),
                             .fingerprint = S("f")};
    store_submit(r->store, &o);
    assert_int_equal(rig_wait(r, &o.op), ERR_OK);
}

static void end_job(struct rig *r, const char *job_id) {
    struct store_job_set o = {
        .op = RIG_OP(r), .job_id = job_id, .state = JOB_PARTIAL, .reason = S("enough")};
    store_job_set(r->store, &o);
    assert_int_equal(rig_wait(r, &o.op), ERR_OK);
}

static enum err delete_job(struct rig *r, const char *job_id, int64_t tenant) {
    struct store_delete o = {.op = RIG_OP(r), .job_id = job_id, .tenant = tenant};
    store_delete(r->store, &o);
    return rig_wait(r, &o.op);
}

static bool is_there(struct rig *r, const char *job_id) {
    struct store_get_job o = {
        .op = RIG_OP(r), .job_id = job_id, .tenant = STORE_TENANT_ANY, .a = &r->arena};
    store_get_job(r->store, &o);
    enum err e = rig_wait(r, &o.op);
    assert_true(e == ERR_OK || e == ERR_GONE); /* it was there */
    return e == ERR_OK;
}

/* One number out of the store, read as another program would. */
static int64_t ask_file(struct rig *r, const char *text) {
    if (r->schema[0] != '\0') {
        return postgres_rig_ask(r->path, text);
    }
    sqlite3 *db;
    sqlite3_stmt *q;
    assert_int_equal(sqlite3_open_v2(r->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    (void)sqlite3_busy_timeout(db, 5000);
    assert_int_equal(sqlite3_prepare_v2(db, text, -1, &q, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(q, 0);
    assert_int_equal(sqlite3_finalize(q), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return n;
}

#define ALL_ROWS                                                                                   \
    "SELECT (SELECT count(*) FROM jobs) + (SELECT count(*) FROM specs)"                            \
    " + (SELECT count(*) FROM texts) + (SELECT count(*) FROM calls)"                               \
    " + (SELECT count(*) FROM problems) + (SELECT count(*) FROM attempts)"                         \
    " + (SELECT count(*) FROM events) + (SELECT count(*) FROM usage)"                              \
    " + (SELECT count(*) FROM outbox)"

/* The store thread does it on its own; for as long as it may take. */
static void wait_for_rows(struct rig *r, int64_t expected) {
    struct timespec moment = {.tv_nsec = 5000000};
    int64_t n = -1;
    for (int i = 0; i < 2000 && n != expected; i++) {
        n = ask_file(r, ALL_ROWS);
        (void)nanosleep(&moment, NULL);
    }
    assert_int_equal(n, expected);
}

/* --- pages */

static void test_problems_come_in_pages_that_meet_without_gap_or_overlap(void **state) {
    enum { PROBLEMS = 40 };
    struct rig *r = *state;
    assert_int_equal(rig_submit(r, PROBLEMS), ERR_OK);
    for (int i = 0; i < PROBLEMS; i++) {
        enum outcome outcome = i % 4 == 0 ? OUTCOME_SOLVED : OUTCOME_ACCEPTED;
        assert_int_equal(rig_finish(r, rig_claim_one(r), outcome, NULL), ERR_OK);
    }
    for (int64_t limit = 1; limit <= 100; limit = limit * 3 + 1) {
        int64_t got = 0;
        struct store_get_problems o = {.op = RIG_OP(r),
                                       .job_id = RIG_JOB,
                                       .mask = 1u << OUTCOME_ACCEPTED,
                                       .limit = limit,
                                       .a = &r->arena};
        do {
            store_get_problems(r->store, &o);
            assert_int_equal(rig_wait(r, &o.op), ERR_OK);
            assert_int_equal(o.ret_state, JOB_QUEUED);
            for (size_t i = 0; i < o.ret_n; i++, got++) {
                assert_int_equal(o.ret[i].outcome, OUTCOME_ACCEPTED);
                assert_true(o.ret[i].seq > o.after_seq);
                o.after_seq = o.ret[i].seq;
            }
            assert_true(!o.ret_more || o.ret_n == (size_t)limit);
        } while (o.ret_more);
        assert_int_equal(got, PROBLEMS * 3 / 4);
    }
    struct store_get_problems other = {
        .op = RIG_OP(r), .job_id = RIG_JOB, .tenant = 2, .limit = 1, .a = &r->arena};
    store_get_problems(r->store, &other);
    assert_int_equal(rig_wait(r, &other.op), ERR_NOT_FOUND);
}

static void test_a_page_that_does_not_fit_is_refused_not_cut(void **state) {
    struct rig *r = *state;
    struct arena small;
    assert_int_equal(rig_submit(r, 1), ERR_OK);
    assert_int_equal(rig_finish(r, rig_claim_one(r), OUTCOME_ACCEPTED, NULL), ERR_OK);
    arena_init(&small, 1500);
    struct store_get_problems o = {
        .op = RIG_OP(r), .job_id = RIG_JOB, .mask = ~0u, .limit = 1, .a = &small};
    store_get_problems(r->store, &o);
    assert_int_equal(rig_wait(r, &o.op), ERR_TOO_BIG);
    arena_release(&small);
}

static void test_usage_is_summed_as_it_is_recorded(void **state) {
    struct rig *r = *state;
    assert_int_equal(rig_submit(r, 1), ERR_OK);
    struct lease lease = rig_claim_one(r);
    for (int64_t call_no = 0; call_no < 3; call_no++) {
        assert_int_equal(rig_record(r, lease, call_no, S("x")), ERR_OK);
        assert_int_equal(rig_record(r, lease, call_no, S("again")), ERR_OK);
    }
    struct store_get_job o = {.op = RIG_OP(r), .job_id = RIG_JOB, .a = &r->arena};
    store_get_job(r->store, &o);
    assert_int_equal(rig_wait(r, &o.op), ERR_OK);
    assert_int_equal(o.ret_usage_n, 1);
    assert_int_equal(o.ret_usage[0].role, ROLE_TARGET);
    assert_true(str_eq(o.ret_usage[0].model, S("lab/target")));
    assert_int_equal(o.ret_usage[0].calls, 3);
    assert_int_equal(o.ret_usage[0].input_tokens, 300);
    assert_int_equal(o.ret_usage[0].cost_nusd, 21);
    assert_int_equal(o.ret.in_flight, 1);
    assert_int_equal(o.ret.spec.n, 0); /* it was not asked for */
}

/* --- deletion */

static void make_large_job(struct rig *r) {
    assert_int_equal(rig_submit(r, 1500), ERR_OK);
    for (int i = 0; i < 1200; i++) {
        struct lease lease = rig_claim_one(r);
        assert_int_equal(rig_record(r, lease, 0, S("x")), ERR_OK);
        assert_int_equal(rig_finish(r, lease, OUTCOME_ACCEPTED, NULL), ERR_OK);
    }
    (void)rig_claim_one(r);
    end_job(r, RIG_JOB);
}

static void test_a_deleted_job_is_gone_at_once_and_its_rows_soon(void **state) {
    struct rig *r = *state;
    make_large_job(r);
    submit_for(r, "job_other", 1, "");
    assert_int_equal(delete_job(r, RIG_JOB, 1), ERR_NOT_FOUND); /* another tenant's */
    assert_int_equal(delete_job(r, "job_other", 1), ERR_CONFLICT);
    assert_non_null(strstr(r->detail.text, "queued"));
    assert_int_equal(delete_job(r, RIG_JOB, STORE_TENANT_NONE), ERR_OK);
    assert_false(is_there(r, RIG_JOB));
    assert_int_equal(rig_job_set(r, JOB_RUNNING, ""), ERR_NOT_FOUND);
    assert_int_equal(delete_job(r, RIG_JOB, STORE_TENANT_NONE), ERR_GONE);
    assert_int_equal(delete_job(r, RIG_JOB, STORE_TENANT_ANY), ERR_GONE);
    assert_int_equal(delete_job(r, RIG_JOB, 1), ERR_NOT_FOUND); /* still another tenant's */
    assert_int_equal(rig_check(r), ERR_OK);                     /* while its rows go, too */
    wait_for_rows(r, 4); /* the other's: job, spec, text, event */
    assert_true(is_there(r, "job_other"));
}

static void change_file(const struct rig *r, const char *text) {
    if (r->schema[0] != '\0') {
        (void)postgres_rig_ask(r->path, text);
        return;
    }
    sqlite3 *db;
    assert_int_equal(sqlite3_open(r->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Jobs that went are remembered, but not for ever: each that goes takes old ones along. */
static void test_what_is_gone_is_forgotten_one_day(void **state) {
    struct rig *r = *state;
    make_large_job(r);
    assert_int_equal(delete_job(r, RIG_JOB, STORE_TENANT_NONE), ERR_OK);
    rig_close(r);
    change_file(r, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 15)"
                   " INSERT INTO gone SELECT 'old_' || i, 0, i FROM n");
    assert_int_equal(rig_open(r), ERR_OK);
    assert_int_equal(delete_job(r, "old_15", STORE_TENANT_NONE), ERR_GONE);
    for (int i = 0; i < 2; i++) {
        const char *id = i == 0 ? "job_a" : "job_b";
        submit_for(r, id, 0, "");
        end_job(r, id);
        assert_int_equal(delete_job(r, id, STORE_TENANT_NONE), ERR_OK);
        assert_int_equal(ask_file(r, "SELECT count(*) FROM gone"), i == 0 ? 7 : 3);
    }
    assert_int_equal(delete_job(r, "old_15", STORE_TENANT_NONE), ERR_NOT_FOUND);
    assert_int_equal(delete_job(r, RIG_JOB, STORE_TENANT_NONE), ERR_GONE);
}

static void test_deletion_goes_on_after_a_restart(void **state) {
    struct rig *r = *state;
    make_large_job(r);
    struct store_delete o = {.op = RIG_OP(r), .job_id = RIG_JOB};
    store_delete(r->store, &o);
    rig_close(r); /* hardly begun */
    assert_int_equal(o.op.err, ERR_OK);
    assert_int_equal(rig_open(r), ERR_OK);
    assert_false(is_there(r, RIG_JOB));
    wait_for_rows(r, 0);
}

static void test_a_deleted_jobs_idempotency_key_may_be_used_anew(void **state) {
    struct rig *r = *state;
    submit_for(r, "job_a", 1, "");
    end_job(r, "job_a");
    assert_int_equal(delete_job(r, "job_a", 1), ERR_OK);
    wait_for_rows(r, 0);
    submit_for(r, "job_a", 1, "");
    assert_true(is_there(r, "job_a"));
}

/* --- retention */

static void test_retention_deletes_what_ended_too_long_ago_and_nothing_else(void **state) {
    struct rig *r = *state;
    static const char *const ids[] = {"job_0", "job_1", "job_2", "job_3"};
    for (int i = 0; i < 4; i++) {
        submit_for(r, ids[i], 1, "");
    }
    end_job(r, "job_2");
    end_job(r, "job_0");
    end_job(r, "job_1");
    change_file(r, "UPDATE jobs SET ended_ms = ended_ms - 3600000 WHERE id IN ('job_0', 'job_2')");
    struct store_sweep o = {.op = RIG_OP(r), .retain_ms = 3600000};
    store_sweep(r->store, &o);
    assert_int_equal(rig_wait(r, &o.op), ERR_OK);
    assert_int_equal(o.ret_n, 2);
    assert_false(is_there(r, "job_0"));
    assert_true(is_there(r, "job_1"));
    assert_false(is_there(r, "job_2"));
    assert_true(is_there(r, "job_3")); /* has not ended */
    store_sweep(r->store, &o);
    assert_int_equal(rig_wait(r, &o.op), ERR_OK);
    assert_int_equal(o.ret_n, 0);
    wait_for_rows(r, 2 + 2 + 1 + 3); /* jobs, specs, their one taxonomy, events */
}

/* --- keys */

static enum err add_key(struct rig *r, const char *id, const char *hash, int64_t *ret_number) {
    struct store_key_add o = {.op = RIG_OP(r),
                              .key = {.scopes = STORE_SCOPE_SUBMIT | STORE_SCOPE_READ,
                                      .requests_per_minute = 60,
                                      .jobs_max = 5,
                                      .day_nusd_max = 1000}};
    (void)snprintf(o.key.id, sizeof o.key.id, "%s", id);
    (void)snprintf(o.key.name, sizeof o.key.name, "name of %s", id);
    (void)snprintf(o.key.hash, sizeof o.key.hash, "%s", hash);
    store_key_add(r->store, &o);
    enum err e = rig_wait(r, &o.op);
    *ret_number = o.key.number;
    return e;
}

static enum err find_key(struct rig *r, const char *hash, struct key_row *ret) {
    struct store_key_find o = {.op = RIG_OP(r), .hash = hash};
    store_key_find(r->store, &o);
    enum err e = rig_wait(r, &o.op);
    *ret = o.ret;
    return e;
}

static enum err revoke_key(struct rig *r, const char *id) {
    struct store_key_revoke o = {.op = RIG_OP(r), .id = id};
    store_key_revoke(r->store, &o);
    return rig_wait(r, &o.op);
}

static void test_a_key_is_found_by_its_digest_until_it_is_revoked(void **state) {
    struct rig *r = *state;
    struct key_row key;
    int64_t first, second, again;
    assert_int_equal(find_key(r, "aa", &key), ERR_NOT_FOUND);
    assert_int_equal(add_key(r, "key_1", "aa", &first), ERR_OK);
    assert_int_equal(add_key(r, "key_2", "bb", &second), ERR_OK);
    assert_true(first >= 1 && second > first);
    assert_int_equal(add_key(r, "key_1", "cc", &again), ERR_EXISTS);
    assert_int_equal(add_key(r, "key_3", "aa", &again), ERR_EXISTS);
    assert_int_equal(find_key(r, "bb", &key), ERR_OK);
    assert_int_equal(key.number, second);
    assert_string_equal(key.id, "key_2");
    assert_string_equal(key.name, "name of key_2");
    assert_string_equal(key.hash, "bb");
    assert_int_equal(key.scopes, STORE_SCOPE_SUBMIT | STORE_SCOPE_READ);
    assert_int_equal(key.requests_per_minute, 60);
    assert_int_equal(key.jobs_max, 5);
    assert_int_equal(key.day_nusd_max, 1000);
    assert_int_equal(revoke_key(r, "key_2"), ERR_OK);
    assert_int_equal(find_key(r, "bb", &key), ERR_NOT_FOUND);
    assert_int_equal(revoke_key(r, "key_2"), ERR_OK); /* stays so */
    assert_int_equal(revoke_key(r, "key_9"), ERR_NOT_FOUND);
    assert_int_equal(find_key(r, "aa", &key), ERR_OK);
}

static void test_all_keys_are_listed_oldest_first_with_when_they_were_revoked(void **state) {
    enum { KEYS = 40 };
    struct rig *r = *state;
    for (int i = 0; i < KEYS; i++) {
        char id[16];
        int64_t number;
        (void)snprintf(id, sizeof id, "key_%d", i);
        assert_int_equal(add_key(r, id, id, &number), ERR_OK);
    }
    assert_int_equal(revoke_key(r, "key_7"), ERR_OK);
    struct store_key_list o = {.op = RIG_OP(r), .a = &r->arena};
    store_key_list(r->store, &o);
    assert_int_equal(rig_wait(r, &o.op), ERR_OK);
    assert_int_equal(o.ret_n, KEYS);
    for (int i = 0; i < KEYS; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "key_%d", i);
        assert_string_equal(o.ret[i].id, id);
        assert_true(i == 7 ? rig_is_now(o.ret[i].revoked_ms) : o.ret[i].revoked_ms == 0);
        assert_true(rig_is_now(o.ret[i].created_ms));
    }
}

/* Submit a job of a key with limits. */
static enum err submit_limited(struct rig *r, const char *job_id, int64_t tenant,
                               struct store_submit *ret) {
    *ret = (struct store_submit){.op = RIG_OP(r),
                                 .job_id = job_id,
                                 .tenant = tenant,
                                 .spec = S("{}"),
                                 .wanted = 1,
                                 .idem_key = str_of(job_id),
                                 .fingerprint = S("f"),
                                 .limited = true};
    store_submit(r->store, ret);
    return rig_wait(r, &ret->op);
}

static void record_one(struct rig *r, const char *job_id) {
    struct lease lease;
    struct store_claim claim = {.op = RIG_OP(r), .job_id = job_id, .n = 1, .ret = &lease};
    store_claim(r->store, &claim);
    assert_int_equal(rig_wait(r, &claim.op), ERR_OK);
    struct ledger_call call = rig_call(lease.attempt_no, 0, S("x"));
    struct store_record o = {.op = RIG_OP(r), .job_id = job_id, .lease = lease, .call = &call};
    store_record(r->store, &o);
    assert_int_equal(rig_wait(r, &o.op), ERR_OK);
}

static void test_a_key_gets_no_further_job_than_it_may_have_under_way(void **state) {
    struct rig *r = *state;
    struct store_submit o;
    int64_t key, other;
    char id[16];
    assert_int_equal(add_key(r, "key_1", "aa", &key), ERR_OK); /* five at a time */
    assert_int_equal(add_key(r, "key_2", "bb", &other), ERR_OK);
    for (int i = 0; i < 5; i++) {
        (void)snprintf(id, sizeof id, "job_%d", i);
        assert_int_equal(submit_limited(r, id, key, &o), ERR_OK);
        assert_int_equal(o.ret_use.jobs, i);
        assert_int_equal(o.ret_use.jobs_max, 5);
    }
    assert_int_equal(submit_limited(r, "job_x", key, &o), ERR_RATE_LIMIT);
    assert_int_equal(o.ret_limit, STORE_LIMIT_JOBS);
    assert_int_equal(submit_limited(r, "job_4", key, &o), ERR_OK); /* it was let in before */
    assert_true(o.ret_replayed);
    assert_int_equal(submit_limited(r, "job_y", other, &o), ERR_OK);
    end_job(r, "job_0");
    assert_int_equal(submit_limited(r, "job_x", key, &o), ERR_OK);
    assert_int_equal(submit_limited(r, "job_z", key, &o), ERR_RATE_LIMIT);
}

static void test_a_key_that_has_spent_its_day_gets_no_further_job(void **state) {
    struct rig *r = *state;
    struct store_submit o;
    struct store_key_add add = {.op = RIG_OP(r),
                                .key = {.id = "key_1", .hash = "aa", .day_nusd_max = 14}};
    store_key_add(r->store, &add);
    assert_int_equal(rig_wait(r, &add.op), ERR_OK);
    int64_t key = add.key.number, day_ms = INT64_C(86400000);
    assert_int_equal(submit_limited(r, "job_a", key, &o), ERR_OK);
    record_one(r, "job_a");
    assert_int_equal(submit_limited(r, "job_b", key, &o), ERR_OK);
    assert_int_equal(o.ret_use.day_nusd, 7);
    assert_int_equal(o.ret_use.day_nusd_max, 14);
    assert_int_equal(o.ret_use.next_day_ms % day_ms, 0);
    assert_in_range(o.ret_use.next_day_ms - clock_wall_ms(), 1, day_ms);
    record_one(r, "job_b");
    end_job(r, "job_a");
    assert_int_equal(delete_job(r, "job_a", key), ERR_OK);
    assert_int_equal(submit_limited(r, "job_c", key, &o), ERR_RATE_LIMIT); /* spent is spent */
    assert_int_equal(o.ret_limit, STORE_LIMIT_DAY);
    assert_int_equal(o.ret_use.day_nusd, 14);
}

static int64_t send_some(struct rig *r, int64_t key, int64_t n, int64_t *ret_ahead_us) {
    struct store_key_requests o = {.op = RIG_OP(r), .tenant = key, .n = n};
    store_key_requests(r->store, &o);
    assert_int_equal(rig_wait(r, &o.op), ERR_OK);
    *ret_ahead_us = o.ret_ahead_us;
    return o.ret_n;
}

static void test_a_minutes_requests_may_come_at_once_and_then_evenly(void **state) {
    struct rig *r = *state;
    int64_t key, other, ahead_us, began_ms = clock_wall_ms();
    assert_int_equal(add_key(r, "key_1", "aa", &key), ERR_OK); /* 60 a minute */
    assert_int_equal(add_key(r, "key_2", "bb", &other), ERR_OK);
    assert_int_equal(send_some(r, key, 50, &ahead_us), 50);
    assert_int_equal(ahead_us, 50 * 1000000);
    int64_t sent = 50 + send_some(r, key, 50, &ahead_us);
    sent += send_some(r, key, 50, &ahead_us);
    assert_in_range(sent, 60, 60 + (clock_wall_ms() - began_ms) / 1000 + 1);
    assert_true(ahead_us > 50 * 1000000);
    assert_int_equal(send_some(r, other, 60, &ahead_us), 60);
    assert_int_equal(send_some(r, 99, 1000, &ahead_us), 1000); /* there is no such limit */
    assert_int_equal(ahead_us, 0);
}

/* --- webhooks */

static size_t take_webhooks(struct rig *r, int64_t limit, struct outbox_row **ret,
                            int64_t *ret_next_in_ms) {
    struct store_outbox_take o = {.op = RIG_OP(r), .limit = limit, .a = &r->arena};
    store_outbox_take(r->store, &o);
    assert_int_equal(rig_wait(r, &o.op), ERR_OK);
    *ret = o.ret;
    *ret_next_in_ms = o.ret_next_in_ms;
    return o.ret_n;
}

static enum err tell(struct rig *r, int64_t number, enum outbox_end end, int64_t retry_in_ms) {
    struct store_outbox_tell o = {.op = RIG_OP(r),
                                  .number = number,
                                  .end = end,
                                  .retry_in_ms = retry_in_ms,
                                  .problem = S("500")};
    store_outbox_tell(r->store, &o);
    return rig_wait(r, &o.op);
}

static void test_a_job_that_ends_leaves_one_webhook_where_it_has_a_url(void **state) {
    struct rig *r = *state;
    struct outbox_row *rows;
    int64_t next_in_ms;
    submit_for(r, "job_a", 1, "https://example.org/hook");
    submit_for(r, "job_b", 1, "");
    assert_int_equal(take_webhooks(r, 10, &rows, &next_in_ms), 0);
    assert_int_equal(next_in_ms, -1);
    end_job(r, "job_a");
    end_job(r, "job_a"); /* the same state again is no news */
    end_job(r, "job_b");
    assert_int_equal(take_webhooks(r, 10, &rows, &next_in_ms), 1);
    assert_int_equal(next_in_ms, -1);
    assert_string_equal(rows[0].job_id, "job_a");
    assert_int_equal(strncmp(rows[0].id, "msg_", 4), 0);
    assert_true(str_eq(rows[0].url, S("https://example.org/hook")));
    assert_true(str_starts(rows[0].body, S("{\"type\":\"job.partial\",\"timestamp\":\"20")));
    assert_true(str_ends(rows[0].body,
                         S("Z\",\"data\":{\"job_id\":\"job_a\",\"status\":\"partial\",\"reason\":"
                           "\"enough\",\"counts\":{\"wanted\":1,\"accepted\":0,\"rejected\":0,"
                           "\"solved\":0,\"duplicate\":0,\"surplus\":0,\"failed\":0,\"attempts\":"
                           "0}}}")));
    assert_int_equal(rows[0].tries, 0);
    assert_int_equal(take_webhooks(r, 10, &rows, &next_in_ms), 0); /* it is taken */
}

static void test_a_webhook_is_due_again_until_it_is_delivered_or_given_up(void **state) {
    struct rig *r = *state;
    struct outbox_row *rows;
    int64_t next_in_ms;
    char id[STORE_ID_BYTES];
    submit_for(r, "job_a", 1, "https://example.org/hook");
    end_job(r, "job_a");
    assert_int_equal(take_webhooks(r, 10, &rows, &next_in_ms), 1);
    int64_t number = rows[0].number, told_ms = clock_mono_ms();
    memcpy(id, rows[0].id, sizeof id);
    assert_int_equal(tell(r, number, OUTBOX_RETRY, 500), ERR_OK);
    assert_int_equal(tell(r, number, OUTBOX_DELIVERED, 0), ERR_NOT_FOUND); /* nobody has it */
    while (take_webhooks(r, 10, &rows, &next_in_ms) == 0) {
        assert_in_range(next_in_ms, 0, 500);
        (void)usleep((useconds_t)next_in_ms * 1000); /* each look takes memory of the rig's */
    }
    assert_true(clock_mono_ms() - told_ms >= 499);
    assert_int_equal(rows[0].tries, 1);
    assert_string_equal(rows[0].id, id);
    rig_succeed(r); /* the process dies with it in its hands */
    assert_int_equal(take_webhooks(r, 10, &rows, &next_in_ms), 1);
    assert_string_equal(rows[0].id, id);
    assert_int_equal(rows[0].tries, 2);
    assert_int_equal(tell(r, number, OUTBOX_DELIVERED, 0), ERR_OK);
    assert_int_equal(tell(r, number, OUTBOX_GIVEN_UP, 0), ERR_NOT_FOUND);
    rig_succeed(r);
    assert_int_equal(take_webhooks(r, 10, &rows, &next_in_ms), 0);
    assert_int_equal(next_in_ms, -1);
}

static void test_webhooks_are_taken_the_longest_due_first(void **state) {
    struct rig *r = *state;
    struct outbox_row *rows;
    int64_t next_in_ms;
    static const char *const ids[] = {"job_1", "job_2", "job_0"};
    for (int i = 0; i < 3; i++) {
        submit_for(r, ids[i], 1, "https://example.org/hook");
        end_job(r, ids[i]);
    }
    assert_int_equal(take_webhooks(r, 2, &rows, &next_in_ms), 2);
    assert_string_equal(rows[0].job_id, "job_1");
    assert_string_equal(rows[1].job_id, "job_2");
    assert_int_equal(next_in_ms, 0);
    assert_int_equal(tell(r, rows[1].number, OUTBOX_RETRY, 50), ERR_OK); /* behind job_0 */
    assert_int_equal(delete_job(r, "job_1", 1), ERR_OK);
    assert_int_equal(tell(r, rows[0].number, OUTBOX_RETRY, 0), ERR_NOT_FOUND);
    (void)nanosleep(&(struct timespec){.tv_nsec = 60000000}, NULL);
    assert_int_equal(take_webhooks(r, 2, &rows, &next_in_ms), 2);
    assert_string_equal(rows[0].job_id, "job_0");
    assert_string_equal(rows[1].job_id, "job_2");
}

static void test_totals_count_what_is_under_way(void **state) {
    struct rig *r = *state;
    submit_for(r, "job_a", 1, "https://example.org/hook");
    submit_for(r, "job_b", 1, "");
    submit_for(r, "job_c", 2, "");
    record_one(r, "job_b");
    end_job(r, "job_a");
    struct store_totals o = {.op = RIG_OP(r)};
    store_totals(r->store, &o);
    assert_int_equal(rig_wait(r, &o.op), ERR_OK);
    assert_int_equal(o.ret_jobs[JOB_QUEUED], 2);
    assert_int_equal(o.ret_jobs[JOB_RUNNING], 0);
    assert_int_equal(o.ret_jobs[JOB_PARTIAL], 0);
    assert_int_equal(o.ret_in_flight, 1);
    assert_int_equal(o.ret_outbox, 1);
}

#define KEEP_TEST(f) cmocka_unit_test_setup_teardown(f, rig_set_up, rig_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        KEEP_TEST(test_problems_come_in_pages_that_meet_without_gap_or_overlap),
        KEEP_TEST(test_a_page_that_does_not_fit_is_refused_not_cut),
        KEEP_TEST(test_usage_is_summed_as_it_is_recorded),
        KEEP_TEST(test_a_deleted_job_is_gone_at_once_and_its_rows_soon),
        KEEP_TEST(test_deletion_goes_on_after_a_restart),
        KEEP_TEST(test_what_is_gone_is_forgotten_one_day),
        KEEP_TEST(test_a_deleted_jobs_idempotency_key_may_be_used_anew),
        KEEP_TEST(test_retention_deletes_what_ended_too_long_ago_and_nothing_else),
        KEEP_TEST(test_a_key_is_found_by_its_digest_until_it_is_revoked),
        KEEP_TEST(test_all_keys_are_listed_oldest_first_with_when_they_were_revoked),
        KEEP_TEST(test_a_key_gets_no_further_job_than_it_may_have_under_way),
        KEEP_TEST(test_a_key_that_has_spent_its_day_gets_no_further_job),
        KEEP_TEST(test_a_minutes_requests_may_come_at_once_and_then_evenly),
        KEEP_TEST(test_a_job_that_ends_leaves_one_webhook_where_it_has_a_url),
        KEEP_TEST(test_a_webhook_is_due_again_until_it_is_delivered_or_given_up),
        KEEP_TEST(test_webhooks_are_taken_the_longest_due_first),
        KEEP_TEST(test_totals_count_what_is_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
