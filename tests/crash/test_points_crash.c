/* Whatever operation a store is killed in, or the power is cut in: what was answered is there, and
 * of what was not there is all or nothing.
 *
 * A child process goes through the script of all operations and says on a pipe how far it came. The
 * parent opens what is left, and compares it to what it would be had the child died between two
 * operations. STUMPER_WHOLE=1 cuts the power at every write, several times; else at some. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/failpoint.h"
#include "base/mem.h"
#include "contract/fault_vfs.h"
#include "contract/store_script.h"
#include "store/ops.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STEPS_MAX 64

/* What a child does, and what kills it. */
struct fate {
    void (*work)(struct rig *r, const struct fate *fate); /* NULL: go through the script */
    const char *failpoint;                                /* NULL: none */
    enum fault fault;
    int64_t nth; /* write or fsync */
    uint64_t seed;
    int steps; /* then it kills itself; 0: it goes on to the end */
};

/* How a child ended. */
struct end {
    int answered; /* operations */
    bool killed;
};

static struct {
    struct arena arena;
    struct str after[STEPS_MAX + 1]; /* that many operations and a death: what the file says */
} known;

/* --- the child */

static int answers_fd;

static void answered(void) {
    ASSERT(write(answers_fd, "", 1) == 1);
}

static void go_through(struct rig *r, const struct fate *fate) {
    struct script s = {.rig = r};
    if (fate->fault != FAULT_SYNC) { /* also while it is made */
        fault_arm(fate->fault, fate->nth, 1, fate->seed);
    }
    ASSERT(rig_open(r) == ERR_OK);
    if (fate->fault == FAULT_SYNC) {
        fault_arm(fate->fault, fate->nth, 1, fate->seed);
    }
    for (int i = 0; i < script_steps_n; i++) {
        enum err e = script_steps[i].run(&s);
        if (e != ERR_OK && fate->fault == FAULT_SYNC) { /* once more; then the power goes as well */
            e = script_steps[i].run(&s);
            ASSERT(e == ERR_OK);
            answered();
            fault_cut_power();
        }
        ASSERT(e == ERR_OK);
        answered();
        if (i + 1 == fate->steps) {
            (void)kill(getpid(), SIGKILL);
        }
    }
    rig_close(r);
}

#define LARGE_CALLS 30
#define LARGE_BYTES ((size_t)400000)

/* Calls so large that the log is folded back into the file several times. */
static void record_large(struct rig *r, const struct fate *fate) {
    struct lease leases[LARGE_CALLS];
    int64_t n;
    char *text = mem_new(LARGE_BYTES);
    memset(text, 'x', LARGE_BYTES);
    ASSERT(rig_open(r) == ERR_OK && rig_submit(r, 1) == ERR_OK);
    ASSERT(rig_claim(r, LARGE_CALLS, 0, leases, &n) == ERR_OK);
    fault_arm(fate->fault, fate->nth, 1, fate->seed);
    for (int i = 0; i < LARGE_CALLS; i++) {
        if (rig_record(r, leases[i], 0, (struct str){text, LARGE_BYTES}) == ERR_OK) {
            answered();
        }
    }
    if (fate->fault == FAULT_SYNC) {
        fault_cut_power();
    }
    rig_close(r);
    free(text);
}

static void be_child(struct rig *r, const struct fate *fate) {
    failpoint_arm(fate->failpoint);
    if (fate->fault != FAULT_NONE) {
        fault_vfs_install(true);
    }
    if (fate->work != NULL) {
        fate->work(r, fate);
    } else {
        go_through(r, fate);
    }
    _exit(0);
}

/* --- the parent */

static struct end run_child(struct rig *r, const struct fate *fate) {
    struct end end = {0};
    char what[256];
    int fds[2], status;
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(fds[0]);
        answers_fd = fds[1];
        be_child(r, fate);
    }
    (void)close(fds[1]);
    for (ssize_t n; (n = read(fds[0], what, sizeof what)) > 0;) {
        end.answered += (int)n;
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    (void)close(fds[0]);
    end.killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    assert_true(end.killed || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
    return end;
}

/* What the next process finds. */
static struct str look(struct rig *r, struct arena *a) {
    if (rig_open(r) != ERR_OK || rig_check(r) != ERR_OK) {
        fail_msg("%s", r->detail.text);
    }
    rig_close(r);
    return script_dump(r->path, a);
}

static void learn(void) {
    arena_init(&known.arena, 64 << 20);
    assert_true(script_steps_n <= STEPS_MAX);
    for (int steps = 0; steps <= script_steps_n; steps++) {
        struct rig r;
        rig_init(&r);
        if (steps > 0) {
            struct end end = run_child(&r, &(struct fate){.steps = steps});
            assert_true(end.killed);
            assert_int_equal(end.answered, steps);
        }
        known.after[steps] = look(&r, &known.arena);
        rig_release(&r);
    }
}

static void expect_after(struct rig *r, const char *what, int from, int to) {
    struct arena a;
    arena_init(&a, 8 << 20);
    struct str found = look(r, &a);
    bool one_of_them = false;
    for (int steps = from; steps <= MIN(to, script_steps_n); steps++) {
        one_of_them |= str_eq(found, known.after[steps]);
    }
    if (!one_of_them) {
        fail_msg("%s: after %d to %d operations, expected the last of:\n%.*s\nfound:\n%.*s", what,
                 from, to, STR_ARG(known.after[MIN(to, script_steps_n)]), STR_ARG(found));
    }
    arena_release(&a);
}

/* --- killed */

static bool script_has(const char *failpoint) {
    for (int i = 0; i < script_steps_n; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "store.%s.before_commit", script_steps[i].kind);
        if (strcmp(name, failpoint) == 0) {
            return true;
        }
    }
    return false;
}

static void test_the_script_has_every_operation_that_writes(void **state) {
    struct store_op op = {.kind = 0};
    (void)state;
    for (; store_kind(&op)->rule != NULL; op.kind++) { /* they come before those that read */
        if (!script_has(store_kind(&op)->before_commit)) {
            fail_msg("no step hits %s", store_kind(&op)->before_commit);
        }
    }
    assert_true(op.kind >= 21);
}

/* Else a test of it could not fail. Who beats leaves none; who reaps, or asks a worker to go, none
 * that a death does not leave, too. */
static void test_every_operation_leaves_a_trace(void **state) {
    (void)state;
    for (int i = 0; i < script_steps_n; i++) {
        const char *kind = script_steps[i].kind;
        bool traceless = strcmp(kind, "beat") == 0 || strcmp(kind, "reap") == 0 ||
                         strcmp(kind, "worker_drain") == 0;
        if (!traceless && str_eq(known.after[i], known.after[i + 1])) {
            fail_msg("operation %d (%s) leaves no trace", i, kind);
        }
    }
}

static void test_killed_at_any_commit_there_is_all_of_it_or_nothing(void **state) {
    (void)state;
    for (int i = 0; i < script_steps_n; i++) {
        int hit = 1;
        for (int before = 0; before < i; before++) {
            hit += strcmp(script_steps[before].kind, script_steps[i].kind) == 0;
        }
        for (int committed = 0; committed <= 1; committed++) {
            char failpoint[64];
            struct rig r;
            (void)snprintf(failpoint, sizeof failpoint, "store.%s.%s_commit:%d",
                           script_steps[i].kind, committed ? "after" : "before", hit);
            rig_init(&r);
            struct end end = run_child(&r, &(struct fate){.failpoint = failpoint});
            assert_true(end.killed);
            assert_int_equal(end.answered, i);
            expect_after(&r, failpoint, i + committed, i + committed);
            rig_release(&r);
        }
    }
}

/* Hit after hit of a failpoint, until the script ends without one; how many there were. @more: of
 * the operation under way nothing is there (0), or all (1). */
static int kill_at_each(const char *name, int more) {
    for (int hit = 1;; hit++) {
        char failpoint[64];
        struct rig r;
        (void)snprintf(failpoint, sizeof failpoint, "%s:%d", name, hit);
        rig_init(&r);
        struct end end = run_child(&r, &(struct fate){.failpoint = failpoint});
        if (end.killed) {
            expect_after(&r, failpoint, end.answered + more, end.answered + more);
        }
        rig_release(&r);
        if (!end.killed) {
            assert_int_equal(end.answered, script_steps_n);
            return hit - 1;
        }
    }
}

static void
test_killed_where_events_and_webhooks_are_committed_they_are_there_with_their_cause(void **state) {
    (void)state;
    int events = kill_at_each("store.event.before_commit", 0);
    assert_true(events > 10);
    assert_int_equal(kill_at_each("store.event.after_commit", 1), events);
    enum { WEBHOOKS = 3 }; /* two are written, and one is to be tried again */
    assert_int_equal(kill_at_each("store.webhook.before_commit", 0), WEBHOOKS);
    assert_int_equal(kill_at_each("store.webhook.after_commit", 1), WEBHOOKS);
}

/* It goes on beside the operations that follow. */
static void
test_killed_while_a_deleted_jobs_rows_are_removed_the_next_process_goes_on(void **state) {
    struct timespec moment = {.tv_nsec = 2000000};
    (void)state;
    for (int committed = 0; committed <= 1; committed++) {
        for (int hit = 2; hit <= 3; hit++) /* the first is on opening */ {
            char failpoint[64];
            struct rig r;
            (void)snprintf(failpoint, sizeof failpoint, "store.purge.%s_commit:%d",
                           committed ? "after" : "before", hit);
            rig_init(&r);
            struct end end = run_child(&r, &(struct fate){.failpoint = failpoint});
            assert_true(end.killed);
            assert_true(script_deleted_rows(r.path) > 0);
            expect_after(&r, failpoint, end.answered, end.answered + 1);
            assert_int_equal(rig_open(&r), ERR_OK);
            for (int i = 0; i < 5000 && script_deleted_rows(r.path) > 0; i++) {
                (void)nanosleep(&moment, NULL);
            }
            assert_int_equal(script_deleted_rows(r.path), 0);
            rig_release(&r);
        }
    }
}

/* --- the power is cut */

static bool whole(void) {
    return getenv("STUMPER_WHOLE") != NULL;
}

/* Cut it at the @first write or fsync, and from then on at each @stride, until there are no more.
 */
static void cut_at_each(enum fault fault, int64_t first, int64_t stride, uint64_t seed) {
    bool killed = true;
    for (int64_t nth = first; killed; nth += stride) {
        char what[64];
        struct rig r;
        (void)snprintf(what, sizeof what, "the power cut %lld (seed %llu)", (long long)nth,
                       (unsigned long long)seed);
        rig_init(&r);
        struct end end =
            run_child(&r, &(struct fate){.fault = fault, .nth = nth, .seed = seed + (uint64_t)nth});
        killed = end.killed;
        assert_true(killed || nth > 40);
        expect_after(&r, what, end.answered, end.answered + 1);
        rig_release(&r);
    }
}

static void test_the_power_cut_in_any_write_takes_nothing_that_was_answered(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= (whole() ? 5 : 1); seed++) {
        cut_at_each(FAULT_POWER_WRITE, 1, whole() ? 1 : 31, seed * 100000);
    }
}

static void test_the_power_cut_before_any_fsync_takes_nothing_that_was_answered(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= (whole() ? 20 : 1); seed++) {
        cut_at_each(FAULT_POWER_SYNC, 1, whole() ? 1 : 5, seed * 100000);
    }
}

/* What was said to have failed may be there, if it was the last: its commit had reached the disk.
 */
static void
test_an_fsync_that_fails_and_then_the_power_take_nothing_that_was_answered(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= (whole() ? 10 : 1); seed++) {
        bool killed = true;
        for (int64_t nth = 1; killed; nth += whole() ? 1 : 4) {
            struct rig r;
            rig_init(&r);
            struct end end =
                run_child(&r, &(struct fate){.fault = FAULT_SYNC, .nth = nth, .seed = seed * 1000});
            killed = end.killed;
            assert_true(killed || nth > 30);
            expect_after(&r, "an fsync that failed", end.answered, end.answered);
            rig_release(&r);
        }
    }
}

/* At each @stride until the end; how many times. @unsure: operations that may be there or not. */
static int cut_large(enum fault fault, int64_t stride, int unsure) {
    bool killed = true;
    int times = 0;
    for (int64_t nth = stride; killed && times < 2000; nth += stride, times++) {
        struct rig r;
        rig_init(&r);
        struct end end = run_child(
            &r, &(struct fate){
                    .work = record_large, .fault = fault, .nth = nth, .seed = (uint64_t)nth});
        killed = end.killed;
        if (rig_open(&r) != ERR_OK || rig_check(&r) != ERR_OK) {
            fail_msg("cut %lld: %s", (long long)nth, r.detail.text);
        }
        int64_t calls = rig_job(&r, &r.arena).calls;
        if (calls < end.answered || calls > end.answered + unsure) {
            fail_msg("cut %lld: %d calls answered, %lld there", (long long)nth, end.answered,
                     (long long)calls);
        }
        rig_release(&r);
    }
    return times;
}

static void
test_the_power_cut_while_the_log_is_folded_back_takes_nothing_that_was_answered(void **state) {
    (void)state;
    assert_true(cut_large(FAULT_POWER_WRITE, whole() ? 31 : 613, 1) > 5);
    assert_true(cut_large(FAULT_POWER_SYNC, whole() ? 1 : 5, 1) > 5);
}

/* Each fsync in turn, those of the file among them; each time the power goes at the end. */
static void
test_a_fold_whose_fsync_failed_and_then_the_power_take_nothing_that_was_answered(void **state) {
    (void)state;
    for (int64_t nth = 1; nth <= LARGE_CALLS + 4; nth += whole() ? 1 : 6) {
        struct rig r;
        rig_init(&r);
        struct end end = run_child(
            &r, &(struct fate){
                    .work = record_large, .fault = FAULT_SYNC, .nth = nth, .seed = (uint64_t)nth});
        assert_true(end.killed);
        assert_in_range(end.answered, LARGE_CALLS - 1, LARGE_CALLS);
        if (rig_open(&r) != ERR_OK || rig_check(&r) != ERR_OK) {
            fail_msg("fsync %lld: %s", (long long)nth, r.detail.text);
        }
        assert_in_range(rig_job(&r, &r.arena).calls, end.answered, LARGE_CALLS);
        rig_release(&r);
    }
}

static int set_up(void **state) {
    (void)state;
    learn();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    arena_release(&known.arena);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_script_has_every_operation_that_writes),
        cmocka_unit_test(test_every_operation_leaves_a_trace),
        cmocka_unit_test(test_killed_at_any_commit_there_is_all_of_it_or_nothing),
        cmocka_unit_test(
            test_killed_where_events_and_webhooks_are_committed_they_are_there_with_their_cause),
        cmocka_unit_test(
            test_killed_while_a_deleted_jobs_rows_are_removed_the_next_process_goes_on),
        cmocka_unit_test(test_the_power_cut_in_any_write_takes_nothing_that_was_answered),
        cmocka_unit_test(test_the_power_cut_before_any_fsync_takes_nothing_that_was_answered),
        cmocka_unit_test(
            test_an_fsync_that_fails_and_then_the_power_take_nothing_that_was_answered),
        cmocka_unit_test(
            test_the_power_cut_while_the_log_is_folded_back_takes_nothing_that_was_answered),
        cmocka_unit_test(
            test_a_fold_whose_fsync_failed_and_then_the_power_take_nothing_that_was_answered),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
