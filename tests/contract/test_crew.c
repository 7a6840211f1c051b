/* The crew at work: a real store, broker and LLM client, and the real simulator on a loopback port.
 * Run under ThreadSanitizer too, since all threads of the service but the API's meet here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "contract/jumping_clock.h"
#include "core/builtin.h"
#include "sim_thread.h"
#include "store/store_job.h"
#include "store_rig.h"
#include "worker/crew.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#define ENDED_MS 60000

struct crew_rig {
    struct rig rig; /* store and its loop, the one that does the chores */
    struct arena arena;
    struct arena looked; /* what the last look found */
    struct sim_thread *sim;
    struct llm_config llm;
    struct prompts prompts;
    struct broker *broker;
    struct crew *crew;
    struct judge_pool *judge;
    char url[64];
    bool drained;
};

static struct crew_rig r;

static int set_up(void **state) {
    struct errinfo why = {0};
    int port;
    (void)state;
    memset(&r, 0, sizeof r);
    arena_init(&r.arena, (size_t)64 << 20);
    arena_init(&r.looked, (size_t)1 << 20);
    assert_int_equal(judge_pool_new_default(&r.judge, &why), ERR_OK); /* before any thread */
    r.sim = sim_thread_start(&port);
    (void)snprintf(r.url, sizeof r.url, "http://127.0.0.1:%d/v1", port);
    llm_config_init(&r.llm);
    r.llm.in_flight_max = 64;
    r.llm.providers[r.llm.providers_n++] =
        (struct llm_provider){.name = "sim", .type = "openai-chat", .base_url = r.url};
    for (int kind = 0; kind < PROMPT_COUNT; kind++) {
        assert_int_equal(prompt_parse((enum prompt_kind)kind,
                                      builtin_prompt((enum prompt_kind)kind), &r.arena,
                                      &r.prompts.templates[kind], &why),
                         ERR_OK);
    }
    rig_init(&r.rig);
    assert_int_equal(rig_open(&r.rig), ERR_OK);
    r.broker = broker_local_new();
    return 0;
}

static void hire(int64_t workers, int64_t slots) {
    struct errinfo why = {0};
    assert_int_equal(crew_start(&(struct crew_options){.loop = r.rig.loop,
                                                       .store = r.rig.store,
                                                       .broker = r.broker,
                                                       .llm = &r.llm,
                                                       .prompts = &r.prompts,
                                                       .judge = r.judge,
                                                       .workers = workers,
                                                       .slots = slots},
                                &r.crew, &why),
                     ERR_OK);
}

static void on_drained(void *ctx) {
    (void)ctx;
    r.drained = true;
    loop_stop(r.rig.loop);
}

static void dismiss(int64_t grace_ms) {
    r.drained = false;
    crew_drain(r.crew, grace_ms, on_drained, NULL);
    while (!r.drained) {
        loop_run(r.rig.loop);
    }
    crew_free(r.crew);
}

static int tear_down(void **state) {
    (void)state;
    broker_free(r.broker);
    rig_release(&r.rig);
    sim_thread_stop(r.sim);
    judge_pool_free(r.judge);
    arena_release(&r.looked);
    arena_release(&r.arena);
    return 0;
}

/* --- jobs */

static void on_done(struct store_op *op) {
    loop_stop(op->loop);
}

static void submit(const char *id, const char *spec, int64_t wanted, int64_t tenant) {
    struct store_submit o = {.op = {.loop = r.rig.loop, .done = on_done},
                             .job_id = id,
                             .tenant = tenant,
                             .spec = str_of(spec),
                             .wanted = wanted};
    store_submit(r.rig.store, &o);
    loop_run(r.rig.loop);
    assert_int_equal(o.op.err, ERR_OK);
}

static const char *spec_of(int n) {
    return str_fmt(&r.arena,
                   "{\"num_problems\": %d, \"engineer_model\": \"sim/engineer\", "
                   "\"checker_model\": \"sim/checker\", \"target_model\": \"sim/target\", "
                   "\"topics\": [\"Algebra/Quadratics\", \"Calculus/Derivatives\"]}",
                   n)
        .p;
}

static struct job_row look(const char *id) {
    struct store_get_job o = {.op = {.loop = r.rig.loop, .done = on_done},
                              .job_id = id,
                              .tenant = STORE_TENANT_ANY,
                              .a = &r.looked};
    arena_reset(&r.looked);
    store_get_job(r.rig.store, &o);
    loop_run(r.rig.loop);
    assert_int_equal(o.op.err, ERR_OK);
    return o.ret;
}

static void ask(const char *id, enum store_wish wish) {
    struct store_ask o = {.op = {.loop = r.rig.loop, .done = on_done},
                          .job_id = id,
                          .tenant = STORE_TENANT_ANY,
                          .wish = wish};
    store_ask(r.rig.store, &o);
    loop_run(r.rig.loop);
    assert_int_equal(o.op.err, ERR_OK);
}

static void on_time(void *ctx) {
    loop_stop(ctx);
}

static void sleep_ms(int64_t ms) {
    struct loop_timer t = {0};
    loop_timer_start(r.rig.loop, &t, ms, on_time, r.rig.loop);
    loop_run(r.rig.loop);
    loop_timer_stop(&t);
}

static struct job_row wait_for(const char *id, enum job_state state) {
    struct job_row row = look(id);
    for (int64_t waited = 0; row.state != state; waited += 20) {
        if (waited > ENDED_MS) {
            fail_msg("job %s is %s after a minute", id, job_state_name(row.state));
        }
        sleep_ms(20);
        row = look(id);
    }
    return row;
}

static void test_two_workers_end_many_jobs_each_with_exactly_what_was_wanted(void **state) {
    char id[32];
    (void)state;
    hire(2, 16);
    for (int i = 0; i < 8; i++) {
        (void)snprintf(id, sizeof id, "job_%d", i);
        submit(id, spec_of(2 + i), 2 + i, i % 3);
    }
    for (int i = 0; i < 8; i++) {
        (void)snprintf(id, sizeof id, "job_%d", i);
        struct job_row row = wait_for(id, JOB_SUCCEEDED);
        assert_int_equal(row.outcomes[OUTCOME_ACCEPTED], 2 + i);
        assert_int_equal(row.in_flight, 0);
    }
    dismiss(10000);
    assert_int_equal(rig_check(&r.rig), ERR_OK);
}

static void
test_one_job_has_the_slots_of_several_workers_and_exactly_what_was_wanted(void **state) {
    int64_t most = 0;
    (void)state;
    hire(3, 4);
    submit("job_1", spec_of(400), 400, 0);
    struct job_row row = look("job_1");
    for (; !job_state_is_final(row.state); row = look("job_1")) {
        most = MAX(most, row.in_flight);
        sleep_ms(2);
    }
    assert_int_equal(row.state, JOB_SUCCEEDED);
    assert_int_equal(row.outcomes[OUTCOME_ACCEPTED], 400);
    assert_true(most > 4 && most <= 12);
    dismiss(10000);
    assert_int_equal(rig_check(&r.rig), ERR_OK);
}

static void test_a_drain_lets_jobs_go_and_another_crew_goes_on(void **state) {
    (void)state;
    hire(2, 8);
    submit("job_1", spec_of(60), 60, 0);
    (void)wait_for("job_1", JOB_RUNNING);
    while (look("job_1").calls < 20) {
        sleep_ms(5);
    }
    dismiss(0);
    struct job_row row = look("job_1");
    assert_int_equal(row.state, JOB_QUEUED);
    assert_int_equal(row.in_flight, 0);
    hire(1, 16);
    row = wait_for("job_1", JOB_SUCCEEDED);
    assert_int_equal(row.outcomes[OUTCOME_ACCEPTED], 60);
    dismiss(10000);
    assert_int_equal(rig_check(&r.rig), ERR_OK);
}

static void test_pause_resume_and_cancel_reach_the_worker(void **state) {
    (void)state;
    hire(1, 8);
    submit("job_1", spec_of(1000), 1000, 0);
    while (look("job_1").calls < 20) {
        sleep_ms(5);
    }
    ask("job_1", STORE_PAUSE);
    while (look("job_1").in_flight > 0) {
        sleep_ms(5);
    }
    int64_t attempts = look("job_1").attempts;
    sleep_ms(100);
    assert_int_equal(look("job_1").attempts, attempts);
    ask("job_1", STORE_RESUME);
    while (look("job_1").attempts == attempts) {
        sleep_ms(5);
    }
    ask("job_1", STORE_CANCEL);
    struct job_row row = wait_for("job_1", JOB_CANCELLED);
    assert_int_equal(row.in_flight, 0);
    assert_true(row.outcomes[OUTCOME_ACCEPTED] > 0); /* what is finished is kept */
    dismiss(10000);
    assert_int_equal(rig_check(&r.rig), ERR_OK);
}

static void test_a_job_whose_model_is_not_there_fails_and_says_so(void **state) {
    (void)state;
    hire(1, 4);
    submit("job_1",
           "{\"num_problems\": 1, \"engineer_model\": \"nobody/x\", \"checker_model\": "
           "\"sim/checker\", \"target_model\": \"sim/target\", \"topics\": [\"A/B\"]}",
           1, 0);
    struct job_row row = wait_for("job_1", JOB_FAILED);
    assert_non_null(memmem(row.reason.p, row.reason.n, "nobody", 6));
    dismiss(1000);
}

/* Take everybody for dead who has not just beaten; how many. */
static int64_t reap(void) {
    struct store_reap o = {.op = {.loop = r.rig.loop, .done = on_done}, .silent_ms = 0};
    store_reap(r.rig.store, &o);
    loop_run(r.rig.loop);
    assert_int_equal(o.op.err, ERR_OK);
    return o.ret_n;
}

static void test_a_worker_that_was_taken_for_dead_drops_its_jobs_and_joins_anew(void **state) {
    (void)state;
    hire(1, 8);
    submit("job_1", spec_of(300), 300, 0);
    while (look("job_1").calls < 20) {
        sleep_ms(5);
    }
    (void)reap(); /* the first spares everybody: nobody looked for a while */
    sleep_ms(5);
    assert_int_equal(reap(), 1);
    struct job_row row = wait_for("job_1", JOB_SUCCEEDED);
    assert_int_equal(row.outcomes[OUTCOME_ACCEPTED], 300);
    dismiss(10000);
    assert_int_equal(rig_check(&r.rig), ERR_OK);
}

static void skip_on_a_server(void) {
    if (r.rig.schema[0] != '\0') {
        skip();
    }
}

/* Behind the store's back. */
static void change(const char *text) {
    sqlite3 *db;
    assert_int_equal(sqlite3_open(r.rig.path, &db), SQLITE_OK);
    (void)sqlite3_busy_timeout(db, 5000);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* As on a full disk: nobody's row can be written. */
static void test_a_worker_that_cannot_join_can_be_sent_away(void **state) {
    (void)state;
    skip_on_a_server();
    change("CREATE TRIGGER closed BEFORE INSERT ON workers"
           " BEGIN SELECT RAISE(ABORT, 'closed'); END");
    submit("job_1", spec_of(1), 1, 0);
    hire(1, 4);
    sleep_ms(500); /* the job has been brought to it, and waits */
    dismiss(600000);
    assert_int_equal(look("job_1").state, JOB_QUEUED);
}

static void test_a_drain_ends_although_nothing_can_be_written(void **state) {
    (void)state;
    skip_on_a_server();
    hire(1, 8);
    submit("job_1", spec_of(1000), 1000, 0);
    while (look("job_1").calls < 20) {
        sleep_ms(5);
    }
    change("CREATE TRIGGER closed BEFORE UPDATE ON jobs"
           " BEGIN SELECT RAISE(ABORT, 'closed'); END");
    dismiss(100);
    assert_int_equal(look("job_1").state, JOB_RUNNING);
    change("DROP TRIGGER closed");
    rig_succeed(&r.rig);
    assert_int_equal(look("job_1").state, JOB_QUEUED);
    assert_int_equal(rig_check(&r.rig), ERR_OK);
}

static int events_of_kind(const char *id, const char *kind) {
    struct store_get_events o = {.job_id = id, .tenant = STORE_TENANT_ANY};
    int n = 0;
    do {
        o.op = (struct store_op){.loop = r.rig.loop, .done = on_done};
        o.limit = STORE_PAGE_ROWS_MAX;
        o.a = &r.arena;
        store_get_events(r.rig.store, &o);
        loop_run(r.rig.loop);
        assert_int_equal(o.op.err, ERR_OK);
        for (size_t i = 0; i < o.ret_n; i++) {
            n += str_eq(o.ret[i].kind, str_of(kind));
            o.after_seq = o.ret[i].seq;
        }
    } while (o.ret_more);
    return n;
}

/* Nobody is taken for dead, no deadline passes, nothing is paid again. */
static void test_the_time_of_day_may_jump_while_jobs_are_worked_on(void **state) {
    static const int64_t jumps_ms[] = {5 * HOUR_MS, -10 * HOUR_MS, 24 * HOUR_MS, -48 * HOUR_MS};
    (void)state;
    hire(2, 8);
    submit("job_1",
           "{\"num_problems\": 100000, \"engineer_model\": \"sim/engineer\", \"checker_model\": "
           "\"sim/checker\", \"target_model\": \"sim/target\", \"topics\": [\"A/B\"], "
           "\"concurrency\": 4, \"deadline_seconds\": 300}",
           100000, 0);
    for (size_t i = 0; i < ARRAY_LEN(jumps_ms); i++) {
        int64_t calls = look("job_1").calls;
        while (look("job_1").calls < calls + 20) {
            sleep_ms(2);
        }
        clock_jump(jumps_ms[i]);
        sleep_ms(1100); /* the reaper has looked */
    }
    struct job_row row = look("job_1");
    assert_int_equal(row.state, JOB_RUNNING);
    assert_int_equal(row.outcomes[OUTCOME_FAILED], 0);
    assert_int_equal(events_of_kind("job_1", "job.running"), 1);
    ask("job_1", STORE_CANCEL);
    (void)wait_for("job_1", JOB_CANCELLED);
    submit("job_2", spec_of(5), 5, 0); /* made at a time that was before */
    (void)wait_for("job_2", JOB_SUCCEEDED);
    dismiss(10000);
    assert_int_equal(rig_check(&r.rig), ERR_OK);
}

#define crew_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        crew_test(test_two_workers_end_many_jobs_each_with_exactly_what_was_wanted),
        crew_test(test_one_job_has_the_slots_of_several_workers_and_exactly_what_was_wanted),
        crew_test(test_a_drain_lets_jobs_go_and_another_crew_goes_on),
        crew_test(test_pause_resume_and_cancel_reach_the_worker),
        crew_test(test_a_worker_that_was_taken_for_dead_drops_its_jobs_and_joins_anew),
        crew_test(test_a_worker_that_cannot_join_can_be_sent_away),
        crew_test(test_a_drain_ends_although_nothing_can_be_written),
        crew_test(test_the_time_of_day_may_jump_while_jobs_are_worked_on),
        crew_test(test_a_job_whose_model_is_not_there_fails_and_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
