/* Kill -9 at every commit, and anywhere: what was answered is there, what was not is whole or not
 * there at all.
 *
 * A child process works on a store and says on a pipe what it was answered; a failpoint or the
 * parent kills it; the parent opens what is left and compares. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/failpoint.h"
#include "base/mem.h"
#include "base/rng.h"
#include "contract/store_rig.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What was answered with ERR_OK, or what is in the store: how many of each. */
struct tally {
    int64_t opened, submitted, claimed, recorded, finished, released, set;
};

/* --- the child */

static int answers_fd; /* of the child: one letter an answer */

static void answered(char what) {
    ASSERT(write(answers_fd, &what, 1) == 1);
}

static void expect_ok(enum err e, char what) {
    ASSERT(e == ERR_OK);
    answered(what);
}

#define ATTEMPTS 8

/* Each operation of every kind, one after the other. */
static void work_one_by_one(struct rig *r) {
    struct lease leases[ATTEMPTS];
    int64_t n;
    expect_ok(rig_open(r), 'o');
    expect_ok(rig_submit(r, 2), 's');
    expect_ok(rig_claim(r, ATTEMPTS, 0, leases, &n), 'c');
    for (int i = 0; i < ATTEMPTS; i++) {
        expect_ok(rig_record(r, leases[i], 0, S("paid")), 'r');
    }
    for (int i = 0; i < 4; i++) {
        expect_ok(rig_finish(r, leases[i], OUTCOME_ACCEPTED, NULL), 'f');
    }
    for (int i = 4; i < 7; i++) {
        expect_ok(rig_release_leases(r, &leases[i], 1), 'l');
    }
    static const enum job_state states[] = {JOB_PAUSED, JOB_RUNNING, JOB_PAUSED};
    for (int i = 0; i < 3; i++) {
        expect_ok(rig_job_set(r, states[i], ""), 't');
    }
    rig_close(r);
}

#define SLOTS 64
#define TEXT_BYTES ((size_t)12000)

struct slot {
    struct rig *rig;
    struct lease lease;
    int64_t calls;
    struct arena arena; /* of what it reads */
    struct store_calls known;
    struct store_record record;
    struct store_finish finish;
    struct ledger_call call;
    struct problem problem;
};

static char slot_text[TEXT_BYTES];
static struct lease slot_leases[STORE_CLAIM_MAX];
static int64_t slot_leases_next;

static void slot_go_on(struct slot *s);

static void slot_recorded(struct store_op *op) {
    struct slot *s = CONTAINER_OF(op, struct slot, record.op);
    expect_ok(op->err, 'r');
    slot_go_on(s);
}

static void slot_calls_read(struct store_op *op) {
    struct slot *s = CONTAINER_OF(op, struct slot, known.op);
    ASSERT(op->err == ERR_OK);
    s->calls = (int64_t)s->known.ret_n;
    arena_reset(&s->arena);
    slot_go_on(s);
}

/* What an earlier process paid for is not asked for again. */
static void slot_begin(struct slot *s, struct lease lease) {
    s->lease = lease;
    s->known = (struct store_calls){.op = {.loop = s->rig->loop, .done = slot_calls_read},
                                    .job_id = RIG_JOB,
                                    .attempt_no = lease.attempt_no,
                                    .a = &s->arena};
    store_calls(s->rig->store, &s->known);
}

static void slot_finished(struct store_op *op) {
    struct slot *s = CONTAINER_OF(op, struct slot, finish.op);
    expect_ok(op->err, 'f');
    if (slot_leases_next < STORE_CLAIM_MAX) {
        slot_begin(s, slot_leases[slot_leases_next++]);
    }
}

/* Three calls, then the end, then the next attempt. */
static void slot_go_on(struct slot *s) {
    s->call = rig_call(s->lease.attempt_no, s->calls, (struct str){slot_text, TEXT_BYTES});
    if (s->calls++ < 3) {
        s->record = (struct store_record){.op = {.loop = s->rig->loop, .done = slot_recorded},
                                          .job_id = RIG_JOB,
                                          .lease = s->lease,
                                          .call = &s->call};
        store_record(s->rig->store, &s->record);
        return;
    }
    s->problem = (struct problem){
        .outcome = OUTCOME_ACCEPTED, .problem = S("p"), .hash = (uint64_t)s->lease.attempt_no};
    s->finish = (struct store_finish){
        .op = {.loop = s->rig->loop, .done = slot_finished},
        .job_id = RIG_JOB,
        .lease = s->lease,
        .problem = &s->problem,
        .ids = {.id = "p", .job_id = RIG_JOB, .attempt = s->lease.attempt_no}};
    store_finish(s->rig->store, &s->finish);
}

/* Many attempts at once, in groups, with a log that grows past its checkpoints. */
static void work_at_once(struct rig *r) {
    static struct slot slots[SLOTS];
    int64_t n;
    memset(slot_text, 'x', sizeof slot_text);
    expect_ok(rig_open(r), 'o');
    enum err e = rig_submit(r, 100);
    ASSERT(e == ERR_OK || e == ERR_EXISTS);
    expect_ok(rig_claim(r, STORE_CLAIM_MAX, 0, slot_leases, &n), 'c');
    slot_leases_next = SLOTS;
    for (int i = 0; i < SLOTS; i++) {
        slots[i] = (struct slot){.rig = r};
        arena_init(&slots[i].arena, 1 << 20);
        slot_begin(&slots[i], slot_leases[i]);
    }
    loop_run(r->loop);
    rig_close(r);
}

/* --- the parent */

static void count_answers(struct tally *t, const char *what, size_t n) {
    for (size_t i = 0; i < n; i++) {
        t->opened += what[i] == 'o';
        t->submitted += what[i] == 's';
        t->claimed += what[i] == 'c';
        t->recorded += what[i] == 'r';
        t->finished += what[i] == 'f';
        t->released += what[i] == 'l';
        t->set += what[i] == 't';
    }
}

/* Let a child do @work; kill it when it was given @kill_after answers (0: only its failpoint does,
 * if it comes there). Returns what it was answered. */
static struct tally run_child(struct rig *r, void (*work)(struct rig *r), const char *failpoint,
                              size_t kill_after, bool *ret_killed) {
    struct tally t = {0};
    char what[4096];
    int fds[2], status;
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(fds[0]);
        answers_fd = fds[1];
        failpoint_arm(failpoint);
        work(r);
        _exit(0);
    }
    (void)close(fds[1]);
    size_t answers = 0;
    for (ssize_t n; (n = read(fds[0], what, sizeof what)) > 0;) {
        count_answers(&t, what, (size_t)n);
        answers += (size_t)n;
        if (kill_after > 0 && answers >= kill_after) {
            (void)kill(pid, SIGKILL);
        }
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    (void)close(fds[0]);
    *ret_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    assert_true(*ret_killed || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
    return t;
}

static int64_t count_state_changes(const struct job_row *job) {
    return job->state == JOB_PAUSED; /* of the first; enough to tell 0 from 1 */
}

/* What the store holds, seen by the process that opens it next. */
static struct tally take_stock(struct rig *r) {
    struct arena a;
    struct store_reader *reader;
    struct job_row job;
    struct tally t = {0};
    arena_init(&a, 1 << 24);
    assert_int_equal(rig_open(r), ERR_OK);
    if (rig_check(r) != ERR_OK) {
        fail_msg("%s", r->detail.text);
    }
    assert_int_equal(store_reader_open(r->path, &reader, NULL), ERR_OK);
    enum err e = store_read_job(reader, RIG_JOB, &a, &job, NULL);
    store_reader_close(reader);
    if (e == ERR_OK) {
        t.submitted = 1;
        t.claimed = job.attempts / ATTEMPTS;
        t.recorded = job.calls;
        t.set = count_state_changes(&job);
        for (int outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
            t.finished += job.outcomes[outcome];
        }
        assert_int_equal(rig_job_set(r, JOB_RUNNING, ""), ERR_OK);
        struct lease *leases = ARENA_ARRAY(&a, struct lease, STORE_CLAIM_MAX);
        int64_t n = 0;
        if (job.leased > 0) {
            assert_int_equal(rig_claim(r, job.leased, 1, leases, &n), ERR_OK);
        }
        for (int64_t i = 0; i < n; i++) {
            assert_in_range(leases[i].crashes, 0, 1);
            t.released += leases[i].crashes == 0;
        }
    } else {
        assert_int_equal(e, ERR_NOT_FOUND);
    }
    rig_close(r);
    arena_release(&a);
    return t;
}

/* How many of an operation's kind are in the store beyond those answered: @more of the kind that
 * was hit, none of the others. */
static void expect_difference(const char *failpoint, const char *kind, int64_t in_store,
                              int64_t told, int64_t more) {
    int64_t expected = strstr(failpoint, kind) != NULL ? more : 0;
    if (in_store - told != expected) {
        fail_msg("killed at %s: %lld %s in the store, %lld answered", failpoint,
                 (long long)in_store, kind, (long long)told);
    }
}

static void crash_at(const char *kind, int hit, bool committed) {
    char failpoint[64];
    struct rig r;
    bool killed;
    (void)snprintf(failpoint, sizeof failpoint, "store.%s.%s_commit:%d", kind,
                   committed ? "after" : "before", hit);
    rig_init(&r);
    struct tally told = run_child(&r, work_one_by_one, failpoint, 0, &killed);
    assert_true(killed); /* it did come there */
    struct tally in_store = take_stock(&r);
    expect_difference(failpoint, "submit", in_store.submitted, told.submitted, committed);
    expect_difference(failpoint, "claim", in_store.claimed, told.claimed, committed);
    expect_difference(failpoint, "record", in_store.recorded, told.recorded, committed);
    expect_difference(failpoint, "finish", in_store.finished, told.finished, committed);
    expect_difference(failpoint, "release", in_store.released, told.released, committed);
    rig_release(&r);
}

static void test_killed_before_a_commit_nothing_of_the_operation_is_kept(void **state) {
    (void)state;
    crash_at("submit", 1, false);
    crash_at("claim", 1, false);
    crash_at("record", 1, false);
    crash_at("record", 5, false);
    crash_at("finish", 1, false);
    crash_at("finish", 3, false);
    crash_at("release", 2, false);
    crash_at("job_set", 1, false);
}

static void test_killed_after_a_commit_all_of_the_operation_is_kept(void **state) {
    (void)state;
    crash_at("submit", 1, true);
    crash_at("claim", 1, true);
    crash_at("record", 1, true);
    crash_at("record", 5, true);
    crash_at("finish", 1, true);
    crash_at("finish", 3, true);
    crash_at("release", 2, true);
    crash_at("job_set", 1, true);
}

static void test_a_state_is_set_with_its_commit_and_not_before(void **state) {
    (void)state;
    for (int committed = 0; committed <= 1; committed++) {
        struct rig r;
        bool killed;
        rig_init(&r);
        struct tally told =
            run_child(&r, work_one_by_one,
                      committed ? "store.job_set.after_commit:1" : "store.job_set.before_commit:1",
                      0, &killed);
        assert_true(killed);
        assert_int_equal(told.set, 0);
        assert_int_equal(take_stock(&r).set, committed);
        rig_release(&r);
    }
}

static void test_killed_while_the_store_is_made_or_opened_it_opens_all_the_same(void **state) {
    (void)state;
    static const char *const failpoints[] = {"store.migrate.before_commit",
                                             "store.migrate.after_commit",
                                             "store.open.before_commit", "store.open.after_commit"};
    for (size_t i = 0; i < ARRAY_LEN(failpoints); i++) {
        struct rig r;
        bool killed;
        rig_init(&r);
        struct tally told = run_child(&r, work_one_by_one, failpoints[i], 0, &killed);
        assert_true(killed);
        assert_int_equal(told.opened, 0);
        struct tally in_store = take_stock(&r);
        assert_int_equal(in_store.submitted, 0);
        told = run_child(&r, work_one_by_one, NULL, 0, &killed); /* and goes on as if new */
        assert_false(killed);
        assert_int_equal(told.set, 3);
        rig_release(&r);
    }
}

/* A process that dies at the reaping of the leases of another one that died. */
static void test_a_lease_is_lost_once_however_often_the_next_process_dies(void **state) {
    (void)state;
    struct rig r;
    bool killed;
    rig_init(&r);
    (void)run_child(&r, work_one_by_one, "store.finish.before_commit:1", 0, &killed);
    assert_true(killed);
    for (int i = 0; i < 5; i++) {
        (void)run_child(&r, work_one_by_one,
                        i % 2 == 0 ? "store.open.before_commit" : "store.open.after_commit", 0,
                        &killed);
        assert_true(killed);
    }
    assert_int_equal(take_stock(&r).released, 0); /* it sees to it that crashes are at most 1 */
    rig_release(&r);
}

static void expect_all_there(struct rig *r, const struct tally *told, struct tally *sum) {
    sum->recorded += told->recorded;
    sum->finished += told->finished;
    struct arena a;
    arena_init(&a, 1 << 24);
    assert_int_equal(rig_open(r), ERR_OK);
    if (rig_check(r) != ERR_OK) {
        fail_msg("%s", r->detail.text);
    }
    struct job_row job = rig_job(r, &a);
    int64_t finished = job.outcomes[OUTCOME_ACCEPTED] + job.outcomes[OUTCOME_SURPLUS];
    assert_true(job.calls >= sum->recorded);
    assert_true(job.calls <= sum->recorded + SLOTS); /* what was under way */
    assert_true(finished >= sum->finished);
    assert_true(finished <= sum->finished + SLOTS);
    sum->recorded = job.calls;
    sum->finished = finished;
    rig_close(r);
    arena_release(&a);
}

static void test_killed_around_a_checkpoint_nothing_is_missing(void **state) {
    (void)state;
    static const char *const failpoints[] = {"store.checkpoint.before", "store.checkpoint.after",
                                             "store.checkpoint.before:2"};
    for (size_t i = 0; i < ARRAY_LEN(failpoints); i++) {
        struct rig r;
        struct tally sum = {0};
        bool killed;
        rig_init(&r);
        struct tally told = run_child(&r, work_at_once, failpoints[i], 0, &killed);
        assert_true(killed);
        assert_true(told.recorded > 0);
        expect_all_there(&r, &told, &sum);
        rig_release(&r);
    }
}

static void test_killed_anywhere_again_and_again_nothing_is_missing(void **state) {
    (void)state;
    struct rig r;
    struct rng rng;
    struct tally sum = {0};
    rng_init(&rng, 20260728);
    rig_init(&r);
    for (int round = 0; round < 5; round++) {
        bool killed;
        size_t answers = (size_t)rng_range(&rng, 10, 600);
        struct tally told = run_child(&r, work_at_once, NULL, answers, &killed);
        assert_true(killed);
        expect_all_there(&r, &told, &sum);
    }
    assert_true(sum.finished > 0);
    rig_release(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed_before_a_commit_nothing_of_the_operation_is_kept),
        cmocka_unit_test(test_killed_after_a_commit_all_of_the_operation_is_kept),
        cmocka_unit_test(test_a_state_is_set_with_its_commit_and_not_before),
        cmocka_unit_test(test_killed_while_the_store_is_made_or_opened_it_opens_all_the_same),
        cmocka_unit_test(test_a_lease_is_lost_once_however_often_the_next_process_dies),
        cmocka_unit_test(test_killed_around_a_checkpoint_nothing_is_missing),
        cmocka_unit_test(test_killed_anywhere_again_and_again_nothing_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
