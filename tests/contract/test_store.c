/* What every store promises, whatever it stands on. The suite runs over a table of backends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "contract/store_rig.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct backend {
    const char *name;
    void (*init)(struct rig *r);
};

static const struct backend backends[] = {
    {"sqlite", rig_init},
};

static const struct backend *backend; /* of the group that runs */

/* A test's rig and an arena for what it reads. */
struct bench {
    struct rig rig;
    struct arena arena;
};

static int bench_set_up(void **state) {
    struct bench *b = mem_new(sizeof *b);
    backend->init(&b->rig);
    arena_init(&b->arena, 64 << 20);
    *state = b;
    return rig_open(&b->rig) == ERR_OK ? 0 : -1;
}

/* After every test: counters equal rows, and all the rest that store_check() looks at. */
static int bench_tear_down(void **state) {
    struct bench *b = *state;
    enum err e = rig_check(&b->rig);
    if (e != ERR_OK) {
        print_error("%s\n", b->rig.detail.text);
    }
    rig_release(&b->rig);
    arena_release(&b->arena);
    free(b);
    return e == ERR_OK ? 0 : -1;
}

/* The process that had the store is gone, and another one opens it. */
static void bench_succeed(struct bench *b) {
    rig_close(&b->rig);
    assert_int_equal(rig_open(&b->rig), ERR_OK);
}

static void bench_start(struct bench *b, int64_t wanted) {
    assert_int_equal(rig_submit(&b->rig, wanted), ERR_OK);
}

static void note_done(struct store_op *op) {
    (void)op;
}

/* --- jobs */

static void test_a_submitted_job_is_read_back_whole(void **state) {
    struct bench *b = *state;
    bench_start(b, 7);
    struct job_row job = rig_job(&b->rig, &b->arena);
    assert_string_equal(job.id, RIG_JOB);
    assert_int_equal(job.state, JOB_QUEUED);
    assert_true(str_eq(job.spec, S("{\"num_problems\":7}")));
    assert_int_equal(job.reason.n, 0);
    assert_int_equal(job.wanted, 7);
    assert_true(rig_is_now(job.created_ms));
    assert_int_equal(job.ended_ms, 0);
    assert_int_equal(job.attempts, 0);
    assert_int_equal(rig_submit(&b->rig, 9), ERR_EXISTS);
    assert_int_equal(rig_job(&b->rig, &b->arena).wanted, 7);
}

static void test_an_unknown_job_is_named_in_the_error(void **state) {
    struct bench *b = *state;
    struct lease lease = {.attempt_no = 1, .token = 1};
    struct ledger_call *calls;
    int64_t n;
    size_t calls_n;
    assert_int_equal(rig_claim(&b->rig, 1, 0, &lease, &n), ERR_NOT_FOUND);
    assert_non_null(strstr(b->rig.detail.text, RIG_JOB));
    assert_int_equal(rig_record(&b->rig, lease, 0, S("x")), ERR_NOT_FOUND);
    assert_int_equal(rig_finish(&b->rig, lease, OUTCOME_SOLVED, NULL), ERR_NOT_FOUND);
    assert_int_equal(rig_release_leases(&b->rig, &lease, 1), ERR_NOT_FOUND);
    assert_int_equal(rig_job_set(&b->rig, JOB_FAILED, ""), ERR_NOT_FOUND);
    assert_int_equal(rig_calls(&b->rig, 1, &b->arena, &calls, &calls_n), ERR_NOT_FOUND);
}

static void test_a_final_state_stamps_the_end_and_another_clears_it(void **state) {
    struct bench *b = *state;
    bench_start(b, 7);
    for (int s = 0; s < JOB_STATES; s++) {
        enum job_state to = (enum job_state)s;
        assert_int_equal(rig_job_set(&b->rig, to, "because"), ERR_OK);
        struct job_row job = rig_job(&b->rig, &b->arena);
        assert_int_equal(job.state, to);
        assert_true(str_eq(job.reason, S("because")));
        assert_true(job_state_is_final(to) ? rig_is_now(job.ended_ms) : job.ended_ms == 0);
    }
    assert_int_equal(rig_job_set(&b->rig, JOB_RUNNING, ""), ERR_OK);
    assert_int_equal(rig_job(&b->rig, &b->arena).ended_ms, 0);
}

/* --- leases */

static void test_attempts_are_numbered_from_one_and_tokens_only_grow(void **state) {
    struct bench *b = *state;
    struct lease leases[STORE_CLAIM_MAX];
    int64_t n, number = 0, token = 0;
    bench_start(b, 7);
    for (int64_t want = 1; want <= STORE_CLAIM_MAX; want *= 10) {
        assert_int_equal(rig_claim(&b->rig, want, 0, leases, &n), ERR_OK);
        assert_int_equal(n, want);
        for (int64_t i = 0; i < n; i++) {
            assert_int_equal(leases[i].attempt_no, ++number);
            assert_int_equal(leases[i].crashes, 0);
            assert_true(leases[i].token > token);
            token = leases[i].token;
        }
    }
    assert_int_equal(rig_job(&b->rig, &b->arena).attempts, number);
    assert_int_equal(rig_job(&b->rig, &b->arena).leased, number);
}

static void test_no_attempt_is_numbered_past_the_limit(void **state) {
    struct bench *b = *state;
    struct lease leases[10];
    int64_t n;
    bench_start(b, 7);
    assert_int_equal(rig_claim(&b->rig, 4, 6, leases, &n), ERR_OK);
    assert_int_equal(n, 4);
    assert_int_equal(rig_claim(&b->rig, 4, 6, leases, &n), ERR_OK);
    assert_int_equal(n, 2);
    assert_int_equal(rig_claim(&b->rig, 4, 6, leases, &n), ERR_OK);
    assert_int_equal(n, 0);
    assert_int_equal(rig_claim(&b->rig, 4, 3, leases, &n), ERR_OK); /* lowered since */
    assert_int_equal(n, 0);
}

static void test_only_a_queued_or_running_job_is_claimed(void **state) {
    struct bench *b = *state;
    struct lease lease;
    int64_t n;
    bench_start(b, 7);
    for (int s = 0; s < JOB_STATES; s++) {
        assert_int_equal(rig_job_set(&b->rig, (enum job_state)s, ""), ERR_OK);
        bool may = s == JOB_QUEUED || s == JOB_RUNNING;
        assert_int_equal(rig_claim(&b->rig, 1, 0, &lease, &n), may ? ERR_OK : ERR_CONFLICT);
    }
}

static void test_released_attempts_come_first_lowest_number_first_and_are_no_crash(void **state) {
    struct bench *b = *state;
    struct lease leases[10], again[5];
    int64_t n;
    bench_start(b, 7);
    assert_int_equal(rig_claim(&b->rig, 10, 0, leases, &n), ERR_OK);
    struct lease back[] = {leases[7], leases[2], leases[4]};
    assert_int_equal(rig_release_leases(&b->rig, back, 3), ERR_OK);
    assert_int_equal(rig_claim(&b->rig, 5, 0, again, &n), ERR_OK);
    const int64_t expected[] = {3, 5, 8, 11, 12};
    for (int i = 0; i < 5; i++) {
        assert_int_equal(again[i].attempt_no, expected[i]);
        assert_int_equal(again[i].crashes, 0);
        assert_true(again[i].token > leases[9].token);
    }
}

static void test_a_lost_lease_counts_as_a_crash_and_is_claimed_first(void **state) {
    struct bench *b = *state;
    struct lease leases[3], again[4];
    int64_t n;
    bench_start(b, 7);
    assert_int_equal(rig_claim(&b->rig, 3, 0, leases, &n), ERR_OK);
    assert_int_equal(rig_release_leases(&b->rig, &leases[1], 1), ERR_OK);
    assert_int_equal(rig_finish(&b->rig, leases[0], OUTCOME_SOLVED, NULL), ERR_OK);
    bench_succeed(b);
    assert_int_equal(rig_job(&b->rig, &b->arena).leased, 2);
    assert_int_equal(rig_claim(&b->rig, 3, 0, again, &n), ERR_OK);
    assert_int_equal(again[0].attempt_no, 2);
    assert_int_equal(again[0].crashes, 0);
    assert_int_equal(again[1].attempt_no, 3);
    assert_int_equal(again[1].crashes, 1);
    assert_int_equal(again[2].attempt_no, 4);
    assert_int_equal(rig_record(&b->rig, leases[2], 0, S("late")), ERR_STALE);
}

static bool collect_row(void *ctx, const struct problem_row *row) {
    struct sbuf *out = ctx;
    sbuf_addf(out, "%" PRId64 ":%" PRId64 ":%s %.*s\n", row->seq, row->attempt_no,
              outcome_name(row->outcome), STR_ARG(row->line));
    return true;
}

/* All problems of the wanted outcomes, as text. */
static struct str read_problems(struct bench *b, unsigned mask) {
    struct store_reader *reader;
    struct sbuf out;
    sbuf_init(&out, 1 << 24);
    assert_int_equal(store_reader_open(b->rig.path, &reader, NULL), ERR_OK);
    assert_int_equal(store_read_problems(reader, RIG_JOB, mask, collect_row, &out, NULL), ERR_OK);
    store_reader_close(reader);
    struct str text = str_dup(&b->arena, sbuf_str(&out));
    sbuf_release(&out);
    return text;
}

static void test_an_attempt_that_gets_on_between_deaths_is_not_set_aside(void **state) {
    struct bench *b = *state;
    bench_start(b, 7);
    for (int64_t call_no = 0; call_no < 6; call_no++) {
        struct lease lease = rig_claim_one(&b->rig);
        assert_int_equal(lease.attempt_no, 1);
        assert_in_range(lease.crashes, 0, 1);
        assert_int_equal(rig_record(&b->rig, lease, call_no, S("paid")), ERR_OK);
        bench_succeed(b);
    }
}

static void test_an_attempt_that_kills_its_process_is_set_aside(void **state) {
    struct bench *b = *state;
    bench_start(b, 7);
    assert_int_equal(rig_record(&b->rig, rig_claim_one(&b->rig), 0, S("paid")), ERR_OK);
    bench_succeed(b);
    for (int64_t crashes = 1; crashes < 3; crashes++) {
        struct lease lease = rig_claim_one(&b->rig);
        assert_int_equal(lease.attempt_no, 1);
        assert_int_equal(lease.crashes, crashes);
        bench_succeed(b);
    }
    struct job_row job = rig_job(&b->rig, &b->arena);
    assert_int_equal(job.outcomes[OUTCOME_FAILED], 1);
    assert_int_equal(job.leased, 0);
    struct str problems = read_problems(b, 1u << OUTCOME_FAILED);
    assert_true(str_find(problems, S("1:1:failed")) != STR_NPOS);
    assert_true(str_find(problems, S("died 3 times")) != STR_NPOS);
    assert_true(str_find(problems, S("\"calls\":1")) != STR_NPOS);
    assert_int_equal(rig_claim_one(&b->rig).attempt_no, 2);
}

/* --- the ledger */

static void expect_call(const struct ledger_call *got, const struct ledger_call *put) {
    assert_int_equal(got->attempt_no, put->attempt_no);
    assert_int_equal(got->call_no, put->call_no);
    assert_int_equal(got->role, put->role);
    assert_true(str_eq(got->model, put->model));
    assert_int_equal(got->created_ms, put->created_ms);
    assert_int_equal(got->answer.err, ERR_OK);
    assert_true(str_eq(got->answer.text, put->answer.text));
    assert_int_equal(got->answer.finish, put->answer.finish);
    assert_memory_equal(&got->answer.usage, &put->answer.usage, sizeof put->answer.usage);
    assert_int_equal(got->answer.cost_nusd, put->answer.cost_nusd);
    assert_int_equal(got->answer.latency_ms, put->answer.latency_ms);
    assert_int_equal(got->answer.tries, put->answer.tries);
    assert_true(str_eq(got->answer.model_id, put->answer.model_id));
    assert_true(str_eq(got->answer.request_id, put->answer.request_id));
}

static void test_recorded_calls_come_back_as_they_were(void **state) {
    struct bench *b = *state;
    struct ledger_call puts[4], *got;
    size_t n;
    bench_start(b, 7);
    struct lease lease = rig_claim_one(&b->rig);
    char *large = mem_new(3 << 20);
    memset(large, 'x', 3 << 20);
    for (int i = 3; i >= 0; i--) { /* backwards: they are read in order of call_no */
        puts[i] = rig_call(lease.attempt_no, i, S("$\\frac{1}{2}$ \xE2\x82\xAC \"quoted\"\n"));
        puts[i].role = (enum role)(i % ROLE_COUNT);
        puts[i].answer.finish = (enum call_finish)i;
        puts[i].answer.request_id = i == 1 ? S("req_1") : S("");
        puts[i].answer.model_id = i == 1 ? S("target-2026") : S("");
        if (i == 2) { /* nobody knows: not nothing */
            puts[i].answer.usage = (struct call_usage){-1, -1, -1, -1, 0};
            puts[i].answer.cost_nusd = MONEY_UNKNOWN;
        }
        if (i == 3) {
            puts[i].answer.text = (struct str){large, 3 << 20};
            puts[i].answer.cost_nusd = INT64_C(1) << 40;
        }
        struct store_record o = {.op = {.loop = b->rig.loop, .done = note_done},
                                 .job_id = RIG_JOB,
                                 .lease = lease,
                                 .call = &puts[i]};
        store_record(b->rig.store, &o);
        loop_run(b->rig.loop);
        assert_int_equal(o.op.err, ERR_OK);
    }
    bench_succeed(b);
    assert_int_equal(rig_calls(&b->rig, lease.attempt_no, &b->arena, &got, &n), ERR_OK);
    assert_int_equal(n, 4);
    for (int i = 0; i < 4; i++) {
        expect_call(&got[i], &puts[i]);
    }
    struct job_row job = rig_job(&b->rig, &b->arena);
    assert_int_equal(job.calls, 4);
    assert_int_equal(job.calls_unpriced, 1);
    assert_int_equal(job.input_tokens, 300);
    assert_int_equal(job.cost_nusd, 14 + (INT64_C(1) << 40));
    free(large);
}

static void test_lost_tries_are_counted_beside_the_ledger(void **state) {
    struct bench *b = *state;
    bench_start(b, 1);
    for (int64_t i = 1; i <= 2; i++) {
        struct store_lose o = {.op = {.loop = b->rig.loop, .done = note_done},
                               .job_id = RIG_JOB,
                               .tries = i,
                               .nusd = 100 * i};
        store_lose(b->rig.store, &o);
        loop_run(b->rig.loop);
        assert_int_equal(o.op.err, ERR_OK);
    }
    struct job_row job = rig_job(&b->rig, &b->arena);
    assert_int_equal(job.tries_lost, 3);
    assert_int_equal(job.lost_nusd, 300);
    assert_int_equal(job.calls, 0);
    assert_int_equal(job.cost_nusd, 0);
}

static void test_a_call_recorded_twice_is_kept_and_counted_once(void **state) {
    struct bench *b = *state;
    struct ledger_call *got;
    size_t n;
    bench_start(b, 7);
    struct lease lease = rig_claim_one(&b->rig);
    assert_int_equal(rig_record(&b->rig, lease, 0, S("first")), ERR_OK);
    assert_int_equal(rig_record(&b->rig, lease, 0, S("second")), ERR_OK);
    assert_int_equal(rig_calls(&b->rig, 1, &b->arena, &got, &n), ERR_OK);
    assert_int_equal(n, 1);
    assert_true(str_eq(got[0].answer.text, S("first")));
    assert_int_equal(rig_job(&b->rig, &b->arena).calls, 1);
}

static void test_an_attempt_without_calls_has_none(void **state) {
    struct bench *b = *state;
    struct ledger_call *got;
    size_t n = 9;
    bench_start(b, 7);
    assert_int_equal(rig_calls(&b->rig, 1, &b->arena, &got, &n), ERR_OK);
    assert_int_equal(n, 0);
}

static void test_calls_too_large_for_the_arena_are_refused_not_cut(void **state) {
    struct bench *b = *state;
    struct ledger_call *got;
    struct arena small;
    size_t n;
    bench_start(b, 7);
    char *large = mem_new(1 << 20);
    memset(large, 'x', 1 << 20);
    struct lease lease = rig_claim_one(&b->rig);
    assert_int_equal(rig_record(&b->rig, lease, 0, (struct str){large, 1 << 20}), ERR_OK);
    arena_init(&small, 1 << 19);
    assert_int_equal(rig_calls(&b->rig, 1, &small, &got, &n), ERR_TOO_BIG);
    arena_release(&small);
    assert_int_equal(rig_calls(&b->rig, 1, &b->arena, &got, &n), ERR_OK); /* still usable */
    assert_int_equal(got[0].answer.text.n, 1 << 20);
    free(large);
}

static void test_a_stale_lease_changes_nothing_but_the_ledger(void **state) {
    struct bench *b = *state;
    struct ledger_call *got;
    size_t n;
    bench_start(b, 7);
    struct lease old = rig_claim_one(&b->rig);
    assert_int_equal(rig_record(&b->rig, old, 0, S("zero")), ERR_OK);
    assert_int_equal(rig_release_leases(&b->rig, &old, 1), ERR_OK);
    assert_int_equal(rig_record(&b->rig, old, 1, S("nobody's")), ERR_STALE);
    struct lease live = rig_claim_one(&b->rig);
    assert_int_equal(live.attempt_no, old.attempt_no);
    assert_int_equal(rig_record(&b->rig, live, 1, S("one")), ERR_OK);
    assert_int_equal(rig_record(&b->rig, old, 2, S("late")), ERR_STALE);
    assert_int_equal(rig_finish(&b->rig, old, OUTCOME_ACCEPTED, NULL), ERR_STALE);
    assert_int_equal(rig_release_leases(&b->rig, &old, 1), ERR_OK); /* passed over */

    struct job_row job = rig_job(&b->rig, &b->arena);
    assert_int_equal(job.calls, 4); /* all were paid */
    assert_int_equal(job.outcomes[OUTCOME_ACCEPTED], 0);
    assert_int_equal(job.leased, 1);
    assert_int_equal(rig_calls(&b->rig, 1, &b->arena, &got, &n), ERR_OK);
    assert_int_equal(n, 2); /* what the attempt went on with */
    assert_true(str_eq(got[1].answer.text, S("one")));
    assert_int_equal(rig_finish(&b->rig, live, OUTCOME_ACCEPTED, NULL), ERR_OK);
}

/* --- ends */

static void test_an_attempt_ends_once_and_is_never_leased_again(void **state) {
    struct bench *b = *state;
    bench_start(b, 7);
    struct lease lease = rig_claim_one(&b->rig);
    assert_int_equal(rig_finish(&b->rig, lease, OUTCOME_REJECTED, NULL), ERR_OK);
    assert_int_equal(rig_finish(&b->rig, lease, OUTCOME_REJECTED, NULL), ERR_STALE);
    assert_int_equal(rig_record(&b->rig, lease, 3, S("late")), ERR_STALE);
    bench_succeed(b);
    assert_int_equal(rig_claim_one(&b->rig).attempt_no, 2);
}

static void test_a_finish_brings_its_last_call_along(void **state) {
    struct bench *b = *state;
    bench_start(b, 7);
    struct lease lease = rig_claim_one(&b->rig);
    struct ledger_call call = rig_call(1, 3, S("verdict"));
    struct problem problem = {.outcome = OUTCOME_SOLVED, .problem = S("p"), .hash = 5};
    struct store_finish o = {.op = {.loop = b->rig.loop, .done = note_done},
                             .job_id = RIG_JOB,
                             .lease = lease,
                             .call = &call,
                             .problem = &problem,
                             .ids = {.id = "p1", .job_id = RIG_JOB, .attempt = 1}};
    store_finish(b->rig.store, &o);
    loop_run(b->rig.loop);
    assert_int_equal(o.op.err, ERR_OK);
    assert_int_equal(o.ret_outcome, OUTCOME_SOLVED);
    store_finish(b->rig.store, &o); /* once more: stale, and the call is known */
    loop_run(b->rig.loop);
    assert_int_equal(o.op.err, ERR_STALE);
    assert_int_equal(rig_job(&b->rig, &b->arena).calls, 1);
}

struct racer {
    struct store_finish finish;
    int64_t *order; /* how many were answered before */
    int64_t place;
};

static void racer_done(struct store_op *op) {
    struct racer *r = CONTAINER_OF(op, struct racer, finish.op);
    r->place = (*r->order)++;
}

static void test_exactly_n_are_accepted_under_racing_finishes(void **state) {
    enum { RACERS = 50, WANTED = 7 };
    struct bench *b = *state;
    struct lease leases[RACERS];
    struct racer *racers = mem_new_array(RACERS, sizeof *racers);
    struct problem problems[RACERS];
    int64_t n, order = 0, accepted = 0, surplus = 0;
    bench_start(b, WANTED);
    assert_int_equal(rig_claim(&b->rig, RACERS, 0, leases, &n), ERR_OK);
    for (int i = 0; i < RACERS; i++) {
        problems[i] = (struct problem){
            .outcome = OUTCOME_ACCEPTED, .problem = S("p"), .hash = 5 + (uint64_t)i};
        racers[i] = (struct racer){
            .order = &order,
            .finish = {.op = {.loop = b->rig.loop, .done = racer_done},
                       .job_id = RIG_JOB,
                       .lease = leases[i],
                       .problem = &problems[i],
                       .ids = {.id = "p", .job_id = RIG_JOB, .attempt = leases[i].attempt_no}}};
        store_finish(b->rig.store, &racers[i].finish);
    }
    loop_run(b->rig.loop);
    for (int i = 0; i < RACERS; i++) {
        const struct store_finish *o = &racers[i].finish;
        assert_int_equal(o->op.err, ERR_OK);
        assert_int_equal(racers[i].place, i); /* answered in the order of submission */
        accepted += o->ret_outcome == OUTCOME_ACCEPTED;
        surplus += o->ret_outcome == OUTCOME_SURPLUS;
        assert_int_equal(o->ret_accepted, accepted);
    }
    assert_int_equal(accepted, WANTED);
    assert_int_equal(surplus, RACERS - WANTED);
    struct str lines = read_problems(b, 1u << OUTCOME_SURPLUS);
    assert_true(str_find(lines, S("\"status\":\"surplus\"")) != STR_NPOS);
    assert_true(str_find(lines, S("\"status\":\"accepted\"")) == STR_NPOS);
    free(racers);
}

/* --- reading */

static void test_problems_come_in_order_of_finishing_and_by_outcome(void **state) {
    enum { PROBLEMS = 200 }; /* more than a reader takes at once */
    struct bench *b = *state;
    struct lease leases[PROBLEMS];
    struct sbuf expected;
    int64_t n;
    sbuf_init(&expected, 1 << 20);
    bench_start(b, PROBLEMS);
    assert_int_equal(rig_claim(&b->rig, PROBLEMS, 0, leases, &n), ERR_OK);
    for (int64_t seq = 1; seq <= PROBLEMS; seq++) {
        struct lease lease = leases[PROBLEMS - seq];
        enum outcome outcome = seq % 3 == 0 ? OUTCOME_SOLVED : OUTCOME_ACCEPTED;
        assert_int_equal(rig_finish(&b->rig, lease, outcome, NULL), ERR_OK);
        if (outcome == OUTCOME_SOLVED) {
            sbuf_addf(&expected, "%" PRId64 ":%" PRId64 ":solved \n", seq, lease.attempt_no);
        }
    }
    struct str rest = read_problems(b, 1u << OUTCOME_SOLVED | 1u << OUTCOME_FAILED);
    struct str heads = sbuf_str(&expected);
    while (heads.n > 0) {
        struct str head = str_split(&heads, '\n'), row = str_split(&rest, '\n');
        assert_true(str_starts(row, head));
    }
    assert_int_equal(rest.n, 0);
    sbuf_release(&expected);
}

static bool stop_after_two(void *ctx, const struct problem_row *row) {
    int64_t *seq = ctx;
    *seq = row->seq;
    return row->seq < 2;
}

static void test_a_reader_may_stop_early_and_names_what_is_missing(void **state) {
    struct bench *b = *state;
    struct store_reader *reader;
    struct job_row job;
    int64_t seq = 0;
    assert_int_equal(store_reader_open(b->rig.path, &reader, NULL), ERR_OK);
    assert_int_equal(store_read_job(reader, NULL, &b->arena, &job, NULL), ERR_NOT_FOUND);
    bench_start(b, 7);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(rig_finish(&b->rig, rig_claim_one(&b->rig), OUTCOME_SOLVED, NULL), ERR_OK);
    }
    assert_int_equal(store_read_job(reader, NULL, &b->arena, &job, NULL), ERR_OK); /* newest */
    assert_string_equal(job.id, RIG_JOB);
    assert_int_equal(store_read_problems(reader, RIG_JOB, ~0u, stop_after_two, &seq, NULL), ERR_OK);
    assert_int_equal(seq, 2);
    struct errinfo detail = {0};
    assert_int_equal(store_read_problems(reader, "job_x", ~0u, stop_after_two, &seq, &detail),
                     ERR_NOT_FOUND);
    assert_non_null(strstr(detail.text, "job_x"));
    assert_int_equal(store_read_job(reader, "job_x", &b->arena, &job, &detail), ERR_NOT_FOUND);
    store_reader_close(reader);
}

struct intruder {
    struct bench *bench;
    int64_t rows;
};

/* Writes a problem for each one that is read. */
static bool write_while_reading(void *ctx, const struct problem_row *row) {
    struct intruder *in = ctx;
    struct rig *rig = &in->bench->rig;
    assert_int_equal(row->seq, ++in->rows);
    if (row->seq < 150) {
        assert_int_equal(rig_finish(rig, rig_claim_one(rig), OUTCOME_SOLVED, NULL), ERR_OK);
    }
    return true;
}

static void test_a_reader_never_blocks_the_writer_and_sees_what_was_committed(void **state) {
    struct bench *b = *state;
    struct intruder in = {.bench = b};
    struct store_reader *reader;
    bench_start(b, 7);
    assert_int_equal(rig_finish(&b->rig, rig_claim_one(&b->rig), OUTCOME_SOLVED, NULL), ERR_OK);
    assert_int_equal(store_reader_open(b->rig.path, &reader, NULL), ERR_OK);
    assert_int_equal(store_read_problems(reader, RIG_JOB, ~0u, write_while_reading, &in, NULL),
                     ERR_OK);
    assert_int_equal(in.rows, 150);
    store_reader_close(reader);
}

static void test_hashes_of_ended_attempts_are_given(void **state) {
    struct bench *b = *state;
    struct store_reader *reader;
    uint64_t *hashes, sum = 0;
    size_t n;
    bench_start(b, 7);
    for (int i = 0; i < 5; i++) {
        struct lease lease = rig_claim_one(&b->rig);
        assert_int_equal(rig_finish(&b->rig, lease, OUTCOME_REJECTED, NULL), ERR_OK);
    }
    (void)rig_claim_one(&b->rig);
    assert_int_equal(store_reader_open(b->rig.path, &reader, NULL), ERR_OK);
    assert_int_equal(store_read_hashes(reader, RIG_JOB, &b->arena, &hashes, &n, NULL), ERR_OK);
    assert_int_equal(n, 5);
    for (size_t i = 0; i < n; i++) {
        sum += hashes[i];
    }
    assert_int_equal(sum, 1001 + 1002 + 1003 + 1004 + 1005);
    assert_int_equal(store_read_hashes(reader, "job_x", &b->arena, &hashes, &n, NULL),
                     ERR_NOT_FOUND);
    store_reader_close(reader);
}

static void record_spend(struct bench *b, struct lease lease, int64_t call_no, enum role role,
                         struct str model, int64_t cost_nusd, int64_t latency_ms) {
    struct ledger_call call = rig_call(lease.attempt_no, call_no, S("x"));
    call.role = role;
    call.model = model;
    call.answer.cost_nusd = cost_nusd;
    call.answer.latency_ms = latency_ms;
    call.answer.tries = role == ROLE_ENGINEER ? 0 : 1; /* from the cache */
    struct store_record o = {.op = {.loop = b->rig.loop, .done = note_done},
                             .job_id = RIG_JOB,
                             .lease = lease,
                             .call = &call};
    store_record(b->rig.store, &o);
    loop_run(b->rig.loop);
    assert_int_equal(o.op.err, ERR_OK);
}

static void test_spend_is_summed_by_role_and_model(void **state) {
    struct bench *b = *state;
    struct store_reader *reader;
    struct spend_row *rows;
    struct lease leases[3];
    int64_t n_leases;
    size_t n;
    bench_start(b, 7);
    assert_int_equal(rig_claim(&b->rig, 3, 0, leases, &n_leases), ERR_OK);
    for (int i = 0; i < 3; i++) { /* ends well, ends failed, does not end */
        record_spend(b, leases[i], 0, ROLE_TARGET, S("lab/b"), 100, 1000);
        record_spend(b, leases[i], 1, ROLE_TARGET, S("lab/a"), MONEY_UNKNOWN, 2000);
        record_spend(b, leases[i], 2, ROLE_ENGINEER, S("lab/b"), 1, i == 2 ? 9000 : 10);
    }
    assert_int_equal(rig_finish(&b->rig, leases[0], OUTCOME_SOLVED, NULL), ERR_OK);
    assert_int_equal(rig_finish(&b->rig, leases[1], OUTCOME_FAILED, NULL), ERR_OK);

    assert_int_equal(store_reader_open(b->rig.path, &reader, NULL), ERR_OK);
    assert_int_equal(store_read_spend(reader, RIG_JOB, &b->arena, &rows, &n, NULL), ERR_OK);
    store_reader_close(reader);
    assert_int_equal(n, 3);
    assert_int_equal(rows[0].usage.role, ROLE_ENGINEER);
    assert_int_equal(rows[0].usage.cost_nusd, 3);
    assert_int_equal(rows[0].wasted_nusd, 2);
    assert_in_range(rows[0].p50_ms, 9, 11);
    assert_in_range(rows[0].p95_ms, 8000, 10000);
    assert_true(str_eq(rows[1].usage.model, S("lab/a")));
    assert_int_equal(rows[1].usage.calls, 3);
    assert_int_equal(rows[1].usage.calls_unpriced, 3);
    assert_int_equal(rows[1].usage.cost_nusd, 0);
    assert_true(str_eq(rows[2].usage.model, S("lab/b")));
    assert_int_equal(rows[2].usage.cost_nusd, 300);
    assert_int_equal(rows[2].wasted_nusd, 200);
    assert_int_equal(rows[2].usage.input_tokens, 300);
    assert_int_equal(rows[2].usage.cached_tokens, 30);
    assert_int_equal(rows[2].usage.output_tokens, 150);
    assert_int_equal(rows[2].usage.reasoning_tokens, 15);
    assert_int_equal(rows[2].cache_write_tokens, 60);
    assert_int_equal(rows[2].calls_reused, 0);
    assert_int_equal(rows[0].calls_reused, 3);
}

/* --- many at once, and the end */

struct counted {
    struct store_record record;
    struct ledger_call call;
    int64_t *answered;
};

static void count_ok(struct store_op *op) {
    struct counted *c = CONTAINER_OF(op, struct counted, record.op);
    *c->answered += op->err == ERR_OK;
}

/* Begin @n records, each a call of an attempt of its own. */
static struct counted *begin_records(struct bench *b, int64_t n, int64_t *answered) {
    struct counted *all = mem_new_array((size_t)n, sizeof *all);
    struct lease leases[STORE_CLAIM_MAX];
    int64_t got = 0;
    for (int64_t i = 0; i < n; i++) {
        if (i % STORE_CLAIM_MAX == 0) {
            assert_int_equal(rig_claim(&b->rig, STORE_CLAIM_MAX, 0, leases, &got), ERR_OK);
        }
        all[i].answered = answered;
        all[i].record.lease = leases[i % STORE_CLAIM_MAX];
    }
    for (int64_t i = 0; i < n; i++) {
        struct lease lease = all[i].record.lease;
        all[i].call = rig_call(lease.attempt_no, 0, S("x"));
        all[i].record = (struct store_record){.op = {.loop = b->rig.loop, .done = count_ok},
                                              .job_id = RIG_JOB,
                                              .lease = lease,
                                              .call = &all[i].call};
        store_record(b->rig.store, &all[i].record);
    }
    return all;
}

static void test_more_operations_than_fit_a_batch_are_all_answered(void **state) {
    struct bench *b = *state;
    int64_t answered = 0;
    bench_start(b, 7);
    struct counted *all = begin_records(b, 10000, &answered);
    loop_run(b->rig.loop);
    assert_int_equal(answered, 10000);
    assert_int_equal(rig_job(&b->rig, &b->arena).calls, 10000);
    free(all);
}

static void test_closing_finishes_and_answers_what_was_submitted(void **state) {
    struct bench *b = *state;
    int64_t answered = 0;
    bench_start(b, 7);
    struct counted *all = begin_records(b, 500, &answered);
    store_close(b->rig.store);
    assert_int_equal(answered, 0); /* no callback from inside a call */
    loop_run(b->rig.loop);
    assert_int_equal(answered, 500);
    assert_int_equal(rig_job(&b->rig, &b->arena).calls, 500);
    free(all);
    loop_free(b->rig.loop);
    b->rig.store = NULL;
}

struct closer {
    struct store_job_set set;
    struct rig *rig;
};

static void close_store(struct store_op *op) {
    struct closer *c = CONTAINER_OF(op, struct closer, set.op);
    store_close(c->rig->store);
    c->rig->store = NULL;
}

static void test_a_store_may_be_closed_from_an_answer(void **state) {
    struct bench *b = *state;
    bench_start(b, 7);
    struct closer c = {.set = {.op = {.loop = b->rig.loop, .done = close_store},
                               .job_id = RIG_JOB,
                               .state = JOB_QUEUED},
                       .rig = &b->rig};
    struct store_job_set after = {
        .op = {.loop = b->rig.loop, .done = note_done}, .job_id = RIG_JOB, .state = JOB_PARTIAL};
    store_job_set(b->rig.store, &c.set);
    store_job_set(b->rig.store, &after);
    loop_run(b->rig.loop);
    assert_null(b->rig.store);
    assert_int_equal(rig_job(&b->rig, &b->arena).state, JOB_PARTIAL);
    loop_free(b->rig.loop);
}

static void test_two_jobs_in_one_store_do_not_mix(void **state) {
    struct bench *b = *state;
    struct store_submit other = {.op = {.loop = b->rig.loop, .done = note_done},
                                 .job_id = "job_2",
                                 .spec = S("{}"),
                                 .wanted = 1};
    struct lease lease;
    bench_start(b, 7);
    struct lease mine = rig_claim_one(&b->rig);
    struct store_claim claim = {
        .op = {.loop = b->rig.loop, .done = note_done}, .job_id = "job_2", .n = 1, .ret = &lease};
    store_submit(b->rig.store, &other);
    store_claim(b->rig.store, &claim);
    loop_run(b->rig.loop);
    assert_int_equal(claim.op.err, ERR_OK);
    assert_int_equal(lease.attempt_no, 1);
    assert_true(lease.token > mine.token);
    assert_int_equal(rig_record(&b->rig, lease, 0, S("x")), ERR_STALE); /* not of RIG_JOB */
    assert_int_equal(rig_finish(&b->rig, mine, OUTCOME_ACCEPTED, NULL), ERR_OK);
    assert_int_equal(rig_job(&b->rig, &b->arena).attempts, 1);
    assert_int_equal(rig_job(&b->rig, &b->arena).leased, 0);
}

#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, bench_set_up, bench_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_a_submitted_job_is_read_back_whole),
        STORE_TEST(test_an_unknown_job_is_named_in_the_error),
        STORE_TEST(test_a_final_state_stamps_the_end_and_another_clears_it),
        STORE_TEST(test_attempts_are_numbered_from_one_and_tokens_only_grow),
        STORE_TEST(test_no_attempt_is_numbered_past_the_limit),
        STORE_TEST(test_only_a_queued_or_running_job_is_claimed),
        STORE_TEST(test_released_attempts_come_first_lowest_number_first_and_are_no_crash),
        STORE_TEST(test_a_lost_lease_counts_as_a_crash_and_is_claimed_first),
        STORE_TEST(test_an_attempt_that_gets_on_between_deaths_is_not_set_aside),
        STORE_TEST(test_an_attempt_that_kills_its_process_is_set_aside),
        STORE_TEST(test_recorded_calls_come_back_as_they_were),
        STORE_TEST(test_lost_tries_are_counted_beside_the_ledger),
        STORE_TEST(test_a_call_recorded_twice_is_kept_and_counted_once),
        STORE_TEST(test_an_attempt_without_calls_has_none),
        STORE_TEST(test_calls_too_large_for_the_arena_are_refused_not_cut),
        STORE_TEST(test_a_stale_lease_changes_nothing_but_the_ledger),
        STORE_TEST(test_an_attempt_ends_once_and_is_never_leased_again),
        STORE_TEST(test_a_finish_brings_its_last_call_along),
        STORE_TEST(test_exactly_n_are_accepted_under_racing_finishes),
        STORE_TEST(test_problems_come_in_order_of_finishing_and_by_outcome),
        STORE_TEST(test_a_reader_may_stop_early_and_names_what_is_missing),
        STORE_TEST(test_a_reader_never_blocks_the_writer_and_sees_what_was_committed),
        STORE_TEST(test_hashes_of_ended_attempts_are_given),
        STORE_TEST(test_spend_is_summed_by_role_and_model),
        STORE_TEST(test_more_operations_than_fit_a_batch_are_all_answered),
        STORE_TEST(test_closing_finishes_and_answers_what_was_submitted),
        STORE_TEST(test_a_store_may_be_closed_from_an_answer),
        STORE_TEST(test_two_jobs_in_one_store_do_not_mix),
    };
    int failed = 0;
    for (size_t i = 0; i < ARRAY_LEN(backends); i++) {
        backend = &backends[i];
        failed += cmocka_run_group_tests_name(backend->name, tests, NULL, NULL);
    }
    return failed;
}
