/* What a store promises to a service: orders of tenants, their pages and lists, events, news for
 * who watches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "contract/store_rig.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- orders */

/* A job of tenant 1, with everything that can be given. */
static struct store_submit an_order(struct rig *r, const char *job_id) {
    return (struct store_submit){.op = RIG_OP(r),
                                 .job_id = job_id,
                                 .tenant = 1,
                                 .spec = S("{\"num_problems\":3}"),
                                 .taxonomy = S("{\"Algebra\":[\"Roots\"]}"),
                                 .wanted = 3,
                                 .priority = 5,
                                 .concurrency = 8,
                                 .name = S("exam"),
                                 .webhook_url = S("https://example.org/hook")};
}

static enum err submit(struct rig *r, struct store_submit *o) {
    store_submit(r->store, o);
    return rig_wait(r, &o->op);
}

static enum err get_job(struct rig *r, const char *job_id, int64_t tenant, struct job_row *ret) {
    struct store_get_job o = {
        .op = RIG_OP(r), .job_id = job_id, .tenant = tenant, .with_spec = true, .a = &r->arena};
    store_get_job(r->store, &o);
    enum err e = rig_wait(r, &o.op);
    *ret = o.ret;
    return e;
}

static enum err ask(struct rig *r, const char *job_id, int64_t tenant, enum store_wish wish,
                    enum job_state *ret) {
    struct store_ask o = {
        .op = RIG_OP(r), .job_id = job_id, .tenant = tenant, .wish = wish, .reason = S("asked to")};
    store_ask(r->store, &o);
    enum err e = rig_wait(r, &o.op);
    *ret = o.ret_state;
    return e;
}

static void test_an_order_is_read_back_as_it_was_given(void **state) {
    struct rig *r = *state;
    struct job_row job;
    struct store_submit o = an_order(r, "job_a");
    assert_int_equal(submit(r, &o), ERR_OK);
    assert_false(o.ret_replayed);
    assert_string_equal(o.ret_job_id, "job_a");
    assert_int_equal(get_job(r, "job_a", 1, &job), ERR_OK);
    assert_string_equal(job.id, "job_a");
    assert_int_equal(job.tenant, 1);
    assert_int_equal(job.state, JOB_QUEUED);
    assert_true(str_eq(job.spec, o.spec));
    assert_true(str_eq(job.taxonomy, o.taxonomy));
    assert_true(str_eq(job.name, o.name));
    assert_true(str_eq(job.webhook_url, o.webhook_url));
    assert_int_equal(job.priority, 5);
    assert_int_equal(job.concurrency, 8);
    assert_int_equal(job.wanted, 3);
    assert_true(rig_is_now(job.created_ms));
    assert_int_equal(job.created_ms, o.ret_created_ms);
    assert_int_equal(job.started_ms, 0);
    assert_int_equal(job.ended_ms, 0);
    assert_int_equal(job.events, 1);
}

static void test_another_tenants_job_does_not_exist(void **state) {
    struct rig *r = *state;
    struct job_row job;
    enum job_state now;
    struct store_submit o = an_order(r, "job_a");
    assert_int_equal(submit(r, &o), ERR_OK);
    assert_int_equal(get_job(r, "job_a", 2, &job), ERR_NOT_FOUND);
    assert_int_equal(get_job(r, "job_a", STORE_TENANT_NONE, &job), ERR_NOT_FOUND);
    assert_int_equal(ask(r, "job_a", 2, STORE_CANCEL, &now), ERR_NOT_FOUND);
    assert_non_null(strstr(r->detail.text, "job_a"));
    assert_int_equal(get_job(r, "job_a", STORE_TENANT_ANY, &job), ERR_OK);
    assert_int_equal(job.state, JOB_QUEUED);
}

static void test_an_idempotency_key_makes_one_job_of_many_orders(void **state) {
    enum { ORDERS = 100 };
    struct rig *r = *state;
    struct store_submit *all = mem_new_array(ORDERS, sizeof *all);
    char ids[ORDERS][STORE_ID_BYTES];
    int64_t created = 0;
    for (int i = 0; i < ORDERS; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "job_%d", i);
        all[i] = an_order(r, ids[i]);
        all[i].idem_key = S("key");
        all[i].fingerprint = S("same");
        store_submit(r->store, &all[i]);
    }
    loop_run(r->loop);
    for (int i = 0; i < ORDERS; i++) {
        assert_int_equal(all[i].op.err, ERR_OK);
        assert_string_equal(all[i].ret_job_id, "job_0");
        created += !all[i].ret_replayed;
    }
    assert_int_equal(created, 1);
    struct store_submit other = an_order(r, "job_x");
    other.idem_key = S("key");
    other.fingerprint = S("other");
    assert_int_equal(submit(r, &other), ERR_CONFLICT);
    other.tenant = 2; /* has keys of its own */
    assert_int_equal(submit(r, &other), ERR_OK);
    assert_false(other.ret_replayed);
    free(all);
}

/* What a wish makes of a job without a home. */
static void test_a_job_without_a_home_follows_a_wish_at_once(void **state) {
    static const struct {
        enum job_state from;
        enum store_wish wish;
        enum job_state to;
    } wishes[] = {
        {JOB_QUEUED, STORE_PAUSE, JOB_PAUSED},       {JOB_PAUSED, STORE_PAUSE, JOB_PAUSED},
        {JOB_PAUSED, STORE_RESUME, JOB_QUEUED},      {JOB_QUEUED, STORE_RESUME, JOB_QUEUED},
        {JOB_PAUSED, STORE_CANCEL, JOB_CANCELLED},   {JOB_QUEUED, STORE_CANCEL, JOB_CANCELLED},
        {JOB_PARTIAL, STORE_CANCEL, JOB_PARTIAL},    {JOB_CANCELLED, STORE_RESUME, JOB_CANCELLED},
        {JOB_SUCCEEDED, STORE_PAUSE, JOB_SUCCEEDED}, {JOB_FAILED, STORE_RESUME, JOB_FAILED},
    };
    struct rig *r = *state;
    struct job_row job;
    assert_int_equal(rig_submit(r, 3), ERR_OK);
    for (size_t i = 0; i < ARRAY_LEN(wishes); i++) {
        enum job_state now;
        assert_int_equal(rig_job_set(r, wishes[i].from, ""), ERR_OK);
        assert_int_equal(ask(r, RIG_JOB, STORE_TENANT_NONE, wishes[i].wish, &now), ERR_OK);
        assert_int_equal(now, wishes[i].to);
        assert_int_equal(get_job(r, RIG_JOB, STORE_TENANT_NONE, &job), ERR_OK);
        assert_int_equal(job.state, wishes[i].to);
        assert_int_equal(job.ended_ms != 0, job_state_is_final(job.state));
    }
}

/* --- lists */

static void submit_many(struct rig *r, int n) {
    for (int i = 0; i < n; i++) {
        char id[STORE_ID_BYTES];
        (void)snprintf(id, sizeof id, "job_%d", i);
        struct store_submit o = an_order(r, id);
        o.tenant = 1 + i % 2;
        o.name = i % 3 == 0 ? S("third") : S("");
        assert_int_equal(submit(r, &o), ERR_OK);
    }
}

/* The ids of a list, page by page of @limit, as one text. */
static struct str list_all(struct rig *r, struct store_list_jobs filter, int64_t limit) {
    struct sbuf out;
    sbuf_init(&out, 1 << 20);
    struct store_list_jobs o = filter;
    do {
        o.op = (struct store_op)RIG_OP(r);
        o.limit = limit;
        o.a = &r->arena;
        store_list_jobs(r->store, &o);
        assert_int_equal(rig_wait(r, &o.op), ERR_OK);
        assert_true(o.ret_n <= (size_t)limit);
        assert_true(!o.ret_more || o.ret_n == (size_t)limit);
        for (size_t i = 0; i < o.ret_n; i++) {
            sbuf_addf(&out, "%s ", o.ret[i].id);
            assert_int_equal(o.ret[i].spec.n, 0);
        }
        o.after = o.ret_n > 0 ? o.ret[o.ret_n - 1].id : NULL;
    } while (o.ret_more);
    struct str text = str_dup(&r->arena, sbuf_str(&out));
    sbuf_release(&out);
    return text;
}

static void test_lists_are_newest_first_filtered_and_whole_over_pages(void **state) {
    static const struct {
        struct store_list_jobs filter;
        const char *expected;
    } lists[] = {
        {{.tenant = STORE_TENANT_ANY, .state = JOB_STATES},
         "job_9 job_8 job_7 job_6 job_5 job_4 job_3 job_2 job_1 job_0 "},
        {{.tenant = 2, .state = JOB_STATES}, "job_9 job_7 job_5 job_3 job_1 "},
        {{.tenant = STORE_TENANT_ANY, .state = JOB_CANCELLED}, "job_5 job_4 "},
        {{.tenant = 1, .state = JOB_QUEUED}, "job_8 job_6 job_2 job_0 "},
        {{.tenant = STORE_TENANT_ANY, .state = JOB_STATES, .name = {"third", 5}},
         "job_9 job_6 job_3 job_0 "},
        {{.tenant = 2, .state = JOB_QUEUED, .name = {"third", 5}}, "job_9 job_3 "},
        {{.tenant = 3, .state = JOB_STATES}, ""},
    };
    struct rig *r = *state;
    enum job_state now;
    submit_many(r, 10);
    assert_int_equal(ask(r, "job_4", 1, STORE_CANCEL, &now), ERR_OK);
    assert_int_equal(ask(r, "job_5", 2, STORE_CANCEL, &now), ERR_OK);
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        for (int64_t limit = 1; limit <= 100; limit = limit * 3 + 1) {
            struct str got = list_all(r, lists[i].filter, limit);
            assert_string_equal(got.n > 0 ? got.p : "", lists[i].expected);
        }
    }
}

/* --- events */

static struct str read_events(struct rig *r, int64_t limit) {
    struct sbuf out;
    struct store_get_events o = {.op = RIG_OP(r),
                                 .job_id = RIG_JOB,
                                 .tenant = STORE_TENANT_NONE,
                                 .limit = limit,
                                 .a = &r->arena};
    sbuf_init(&out, 1 << 20);
    do {
        store_get_events(r->store, &o);
        assert_int_equal(rig_wait(r, &o.op), ERR_OK);
        for (size_t i = 0; i < o.ret_n; i++) {
            sbuf_addf(&out, "%" PRId64 " %.*s %.*s\n", o.ret[i].seq, STR_ARG(o.ret[i].kind),
                      STR_ARG(o.ret[i].data));
            o.after_seq = o.ret[i].seq;
        }
    } while (o.ret_more);
    struct str text = str_dup(&r->arena, sbuf_str(&out));
    sbuf_release(&out);
    return text;
}

#define COUNTS(accepted, rejected, solved, attempts)                                               \
    "\"counts\":{\"wanted\":2,\"accepted\":" #accepted ",\"rejected\":" #rejected                  \
    ",\"solved\":" #solved ",\"duplicate\":0,\"surplus\":0,\"failed\":0,\"attempts\":" #attempts   \
    "}}\n"

static void test_events_tell_the_whole_story_but_only_the_latest_progress(void **state) {
    static const char expected[] = "1 job.queued {\"reason\":\"\"," COUNTS(
        0, 0, 0,
        0) "2 job.running {\"reason\":\"\"," COUNTS(0, 0, 0,
                                                    0) "4 problem.accepted "
                                                       "{\"id\":\"p2\",\"seq\":2,\"attempt\":"
                                                       "2," COUNTS(1, 1, 0,
                                                                   2) "6 job.progress "
                                                                      "{" COUNTS(1, 1, 2,
                                                                                 4) "7 "
                                                                                    "job."
                                                                                    "partial "
                                                                                    "{\"reaso"
                                                                                    "n\":"
                                                                                    "\"said "
                                                                                    "\\\"why"
                                                                                    "\\\"\""
                                                                                    "," COUNTS(
                                                                                        1, 1, 2, 4);
    static const enum outcome outcomes[] = {OUTCOME_REJECTED, OUTCOME_ACCEPTED, OUTCOME_SOLVED,
                                            OUTCOME_SOLVED};
    struct rig *r = *state;
    assert_int_equal(rig_submit(r, 2), ERR_OK);
    assert_int_equal(rig_job_set(r, JOB_RUNNING, ""), ERR_OK);
    assert_int_equal(rig_job_set(r, JOB_RUNNING, "again"), ERR_OK); /* no change */
    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
        struct lease lease = rig_claim_one(r);
        assert_int_equal(rig_finish(r, lease, outcomes[i], NULL), ERR_OK);
    }
    assert_int_equal(rig_job_set(r, JOB_PARTIAL, "said \"why\""), ERR_OK);
    for (int64_t limit = 1; limit < 10; limit++) {
        assert_string_equal(read_events(r, limit).p, expected);
    }
}

/* --- news */

struct watcher {
    int calls;
    unsigned what;
    enum job_state state;
    char job_id[STORE_ID_BYTES];
    size_t jobs;
    bool done_came_first;
    struct store_ask ask;
};

static void on_news(void *ctx, const struct store_news *news) {
    struct watcher *w = ctx;
    w->calls++;
    w->jobs += news->jobs_n;
    for (size_t i = 0; i < news->jobs_n; i++) {
        w->what |= news->jobs[i].what;
        w->state = news->jobs[i].state;
        memcpy(w->job_id, news->jobs[i].job_id, sizeof w->job_id);
    }
}

static void ask_done(struct store_op *op) {
    struct watcher *w = CONTAINER_OF(op, struct watcher, ask.op);
    w->done_came_first = w->calls == 0;
}

static void test_a_watcher_hears_of_a_change_before_who_made_it(void **state) {
    struct rig *r = *state;
    struct watcher w = {0};
    assert_int_equal(rig_submit(r, 2), ERR_OK);
    struct store_watch *watch = store_watch(r->store, r->loop, on_news, &w);
    w.ask = (struct store_ask){
        .op = {.loop = r->loop, .done = ask_done}, .job_id = RIG_JOB, .wish = STORE_PAUSE};
    store_ask(r->store, &w.ask);
    loop_run(r->loop);
    assert_int_equal(w.ask.op.err, ERR_OK);
    assert_false(w.done_came_first);
    assert_int_equal(w.calls, 1);
    assert_string_equal(w.job_id, RIG_JOB);
    assert_int_equal(w.state, JOB_PAUSED);
    assert_int_equal(w.what, STORE_CHANGED_STATE | STORE_CHANGED_EVENTS);
    store_unwatch(watch);
    assert_int_equal(rig_job_set(r, JOB_QUEUED, ""), ERR_OK);
    assert_int_equal(w.calls, 1);
}

static void test_a_slow_watcher_gets_few_news_with_each_job_once(void **state) {
    enum { JOBS = 500 };
    struct rig *r = *state;
    struct watcher w = {0};
    struct store_submit *all = mem_new_array(JOBS, sizeof *all);
    char ids[JOBS][STORE_ID_BYTES];
    struct loop *slow = loop_new();
    struct store_watch *watch = store_watch(r->store, slow, on_news, &w);
    for (int i = 0; i < JOBS; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "job_%d", i);
        all[i] = an_order(r, ids[i]);
        store_submit(r->store, &all[i]);
    }
    loop_run(r->loop);
    for (int i = 0; i < JOBS; i++) {
        enum job_state now;
        if (i % 10 == 0) {
            assert_int_equal(ask(r, ids[i], 1, STORE_PAUSE, &now), ERR_OK);
        }
    }
    loop_run(slow);
    assert_int_equal(w.calls, 1);
    assert_int_equal(w.jobs, JOBS);
    store_unwatch(watch);
    loop_free(slow);
    free(all);
}

#define SERVICE_TEST(f) cmocka_unit_test_setup_teardown(f, rig_set_up, rig_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        SERVICE_TEST(test_an_order_is_read_back_as_it_was_given),
        SERVICE_TEST(test_another_tenants_job_does_not_exist),
        SERVICE_TEST(test_an_idempotency_key_makes_one_job_of_many_orders),
        SERVICE_TEST(test_a_job_without_a_home_follows_a_wish_at_once),
        SERVICE_TEST(test_lists_are_newest_first_filtered_and_whole_over_pages),
        SERVICE_TEST(test_events_tell_the_whole_story_but_only_the_latest_progress),
        SERVICE_TEST(test_a_watcher_hears_of_a_change_before_who_made_it),
        SERVICE_TEST(test_a_slow_watcher_gets_few_news_with_each_job_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
