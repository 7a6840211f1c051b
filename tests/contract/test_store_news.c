/* What one process on a server learns of the commits of others: each here a store of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "contract/postgres_rig.h"
#include "contract/store_rig.h"

#include "base/clock.h"
#include "store/store_key.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_MS 30000
#define JOBS_MAX 200

/* All that came so far, each job once. */
struct heard {
    struct rig *r;
    struct store_watch *watch;
    struct store_change jobs[JOBS_MAX];
    size_t n, calls;
    bool keys, outbox, lost;
    struct loop_timer tick;
    int64_t until_ms;
    bool (*enough)(const struct heard *h);
};

static const struct store_change *heard_of(const struct heard *h, const char *job_id) {
    for (size_t i = 0; i < h->n; i++) {
        if (strcmp(h->jobs[i].job_id, job_id) == 0) {
            return &h->jobs[i];
        }
    }
    return NULL;
}

static void hear(void *ctx, const struct store_news *news) {
    struct heard *h = ctx;
    for (size_t i = 0; i < news->jobs_n; i++) {
        const struct store_change *known = heard_of(h, news->jobs[i].job_id);
        size_t at = known != NULL ? (size_t)(known - h->jobs) : h->n++;
        ASSERT(at < JOBS_MAX);
        unsigned what = h->jobs[at].what | news->jobs[i].what;
        h->jobs[at] = news->jobs[i];
        h->jobs[at].what = what;
    }
    h->keys |= news->keys;
    h->outbox |= news->outbox;
    h->lost |= news->lost;
    h->calls++;
}

static void listen_to(struct heard *h, struct rig *r) {
    *h = (struct heard){.r = r};
    h->watch = store_watch(r->store, r->loop, hear, h);
    store_attend(r->store);
}

static void deafen(struct heard *h) {
    store_unattend(h->r->store);
    store_unwatch(h->watch);
}

static void look(void *ctx) {
    struct heard *h = ctx;
    if (!h->enough(h) && clock_mono_ms() < h->until_ms) {
        loop_timer_start(h->r->loop, &h->tick, 5, look, h);
    }
}

static bool never(const struct heard *h) {
    (void)h;
    return false;
}

/* Until there is @enough; false: it did not come. */
static bool wait_for(struct heard *h, bool (*enough)(const struct heard *h)) {
    h->enough = enough;
    h->until_ms = clock_mono_ms() + (enough == never ? 600 : DEADLINE_MS);
    look(h);
    loop_run(h->r->loop);
    return enough(h);
}

static void open_other(const struct rig *first, struct rig *ret) {
    *ret = (struct rig){.loop = NULL};
    (void)snprintf(ret->path, sizeof ret->path, "%s", first->path);
    ASSERT(rig_open(ret) == ERR_OK);
}

static void submit(struct rig *r, const char *job_id) {
    struct store_submit o = {
        .op = RIG_OP(r), .job_id = job_id, .spec = S("{}"), .wanted = 10, .priority = 7};
    store_submit(r->store, &o);
    ASSERT(rig_wait(r, &o.op) == ERR_OK);
}

static enum job_state ask(struct rig *r, const char *job_id, enum store_wish wish) {
    struct store_ask o = {.op = RIG_OP(r), .job_id = job_id, .wish = wish};
    store_ask(r->store, &o);
    ASSERT(rig_wait(r, &o.op) == ERR_OK);
    return o.ret_state;
}

static int64_t join_and_take(struct rig *r, const char *job_id) {
    struct store_join j = {.op = RIG_OP(r), .name = S("here"), .slots = 4};
    store_join(r->store, &j);
    ASSERT(rig_wait(r, &j.op) == ERR_OK);
    struct store_take t = {
        .op = RIG_OP(r), .job_id = job_id, .worker = j.ret_worker, .a = &r->arena};
    store_take(r->store, &t);
    ASSERT(rig_wait(r, &t.op) == ERR_OK);
    return j.ret_worker;
}

/* --- what is told */

static bool has_job_1(const struct heard *h) {
    return heard_of(h, "job_1") != NULL;
}

static bool has_job_2(const struct heard *h) {
    return heard_of(h, "job_2") != NULL;
}

static bool is_cancelled(const struct heard *h) {
    const struct store_change *job = heard_of(h, "job_1");
    return job != NULL && job->state == JOB_CANCELLED;
}

static bool is_deleted(const struct heard *h) {
    const struct store_change *job = heard_of(h, "job_1");
    return job != NULL && (job->what & STORE_CHANGED_DELETED) != 0;
}

static void test_what_another_process_commits_is_told(void **state) {
    struct rig *r = *state, other;
    struct heard h;
    open_other(r, &other);
    listen_to(&h, r);
    submit(&other, "job_1");
    assert_true(wait_for(&h, has_job_1));
    const struct store_change *job = heard_of(&h, "job_1");
    assert_int_equal(job->state, JOB_QUEUED);
    assert_int_equal(job->priority, 7);
    assert_true(job->what & STORE_CHANGED_EVENTS);
    assert_int_equal(ask(&other, "job_1", STORE_CANCEL), JOB_CANCELLED);
    assert_true(wait_for(&h, is_cancelled));
    struct store_delete o = {.op = RIG_OP(&other), .job_id = "job_1"};
    store_delete(other.store, &o);
    assert_int_equal(rig_wait(&other, &o.op), ERR_OK);
    assert_true(wait_for(&h, is_deleted));
    assert_false(h.keys || h.outbox || h.lost);
    deafen(&h);
    rig_close(&other);
}

static bool has_keys(const struct heard *h) {
    return h->keys;
}

static bool has_webhooks(const struct heard *h) {
    return h->outbox;
}

static void test_keys_and_webhooks_of_another_process_are_told(void **state) {
    struct rig *r = *state, other;
    struct heard h;
    open_other(r, &other);
    listen_to(&h, r);
    struct store_key_add k = {.op = RIG_OP(&other),
                              .key = {.id = "key_1", .name = "me", .hash = "1234567890"}};
    store_key_add(other.store, &k);
    assert_int_equal(rig_wait(&other, &k.op), ERR_OK);
    assert_true(wait_for(&h, has_keys));
    h.keys = false;
    struct store_key_revoke v = {.op = RIG_OP(&other), .id = "key_1"};
    store_key_revoke(other.store, &v);
    assert_int_equal(rig_wait(&other, &v.op), ERR_OK);
    assert_true(wait_for(&h, has_keys));
    assert_false(h.outbox);
    struct store_submit o = {.op = RIG_OP(&other),
                             .job_id = "job_1",
                             .spec = S("{}"),
                             .wanted = 1,
                             .webhook_url = S("https://example.com/")};
    store_submit(other.store, &o);
    assert_int_equal(rig_wait(&other, &o.op), ERR_OK);
    (void)ask(&other, "job_1", STORE_CANCEL);
    assert_true(wait_for(&h, has_webhooks));
    assert_false(h.lost);
    deafen(&h);
    rig_close(&other);
}

static void test_ones_own_commits_do_not_come_back(void **state) {
    struct rig *r = *state, other;
    struct heard h;
    open_other(r, &other);
    listen_to(&h, r);
    submit(r, "job_1");
    assert_true(wait_for(&h, has_job_1));
    size_t calls = h.calls;
    (void)wait_for(&h, never);
    assert_int_equal(h.calls, calls);
    submit(&other, "job_2");
    assert_true(wait_for(&h, has_job_2));
    assert_int_equal(h.calls, calls + 1);
    deafen(&h);
    rig_close(&other);
}

/* --- what must not be missed */

static void run(PGconn *conn, const char *text) {
    PGresult *result = PQexec(conn, text);
    assert_int_equal(PQresultStatus(result), PGRES_COMMAND_OK);
    PQclear(result);
}

/* It has the lower number, and others have ended before it. */
static void test_a_transaction_that_ends_late_is_told_when_it_ends(void **state) {
    struct rig *r = *state, other;
    struct heard h;
    submit(r, "job_1");
    open_other(r, &other);
    PGconn *late = PQconnectdb(r->direct);
    run(late, "BEGIN; INSERT INTO changes (process, job, what) VALUES (1, 'job_1', 1)");
    listen_to(&h, r);
    submit(&other, "job_2");
    assert_true(wait_for(&h, has_job_2));
    assert_null(heard_of(&h, "job_1"));
    run(late, "COMMIT");
    assert_true(wait_for(&h, has_job_1));
    size_t calls = h.calls;
    (void)wait_for(&h, never);
    assert_int_equal(h.calls, calls); /* each once */
    PQfinish(late);
    deafen(&h);
    rig_close(&other);
}

static void test_what_many_commit_at_once_is_told_whole(void **state) {
    struct rig *r = *state, other;
    struct heard h;
    open_other(r, &other);
    listen_to(&h, r);
    for (int i = 0; i < 100; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "job_%d", i + 3);
        submit(&other, id);
    }
    submit(&other, "job_2");
    assert_true(wait_for(&h, has_job_2));
    assert_int_equal(h.n, 101);
    deafen(&h);
    rig_close(&other);
}

static bool is_lost(const struct heard *h) {
    return h->lost;
}

static bool is_told_to_halt(const struct heard *h) {
    const struct store_change *job = heard_of(h, "job_1");
    return h->lost && job != NULL && job->state == JOB_CANCELLING;
}

/* A worker would go on with a job that is cancelled meanwhile. */
static void test_after_a_loss_all_is_taken_for_changed_and_what_is_to_halt_named(void **state) {
    struct rig *r = *state, other;
    struct heard h;
    submit(r, "job_1");
    submit(r, "job_2");
    (void)join_and_take(r, "job_1");
    (void)join_and_take(r, "job_2");
    open_other(r, &other);
    listen_to(&h, r);
    assert_int_equal(ask(&other, "job_1", STORE_CANCEL), JOB_CANCELLING);
    assert_true(postgres_rig_ask(r->direct, "SELECT count(pg_terminate_backend(pid))"
                                            " FROM pg_stat_activity WHERE application_name LIKE"
                                            " 'stumper-%'") > 0);
    assert_true(wait_for(&h, is_told_to_halt));
    assert_true(h.keys && h.outbox);
    assert_null(heard_of(&h, "job_2"));
    deafen(&h);
    rig_close(&other);
}

static void test_whoever_was_away_while_news_were_removed_takes_all_for_changed(void **state) {
    struct rig *r = *state, other;
    struct heard h;
    open_other(r, &other);
    listen_to(&h, r);
    (void)postgres_rig_ask(r->direct, "UPDATE changes_swept SET xid ="
                                      " (pg_current_xact_id()::text::bigint + 1)::text::xid8");
    assert_true(wait_for(&h, is_lost));
    h.lost = false;
    submit(&other, "job_2");
    assert_true(wait_for(&h, has_job_2));
    assert_false(h.lost);
    deafen(&h);
    rig_close(&other);
}

#define NEWS_TEST(f) cmocka_unit_test_setup_teardown(f, rig_set_up, rig_tear_down)
#define POOLED_TEST(f) cmocka_unit_test_setup_teardown(f, rig_set_up_pooled, rig_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        NEWS_TEST(test_what_another_process_commits_is_told),
        NEWS_TEST(test_keys_and_webhooks_of_another_process_are_told),
        NEWS_TEST(test_ones_own_commits_do_not_come_back),
        NEWS_TEST(test_a_transaction_that_ends_late_is_told_when_it_ends),
        NEWS_TEST(test_what_many_commit_at_once_is_told_whole),
        NEWS_TEST(test_after_a_loss_all_is_taken_for_changed_and_what_is_to_halt_named),
        NEWS_TEST(test_whoever_was_away_while_news_were_removed_takes_all_for_changed),
        POOLED_TEST(test_what_another_process_commits_is_told),
        POOLED_TEST(test_a_transaction_that_ends_late_is_told_when_it_ends),
        POOLED_TEST(test_whoever_was_away_while_news_were_removed_takes_all_for_changed),
    };
    assert_int_equal(setenv("STUMPER_TEST_STORE", "postgres", 1), 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
