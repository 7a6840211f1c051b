/* A disk that fails: whatever was answered with ERR_OK is there, whatever was answered with an
 * error is not, and the store is usable as soon as the disk is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "contract/fault_vfs.h"
#include "contract/store_rig.h"

#include "base/file.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is in the store, as far as the answers tell. */
struct known {
    bool submitted;
    int64_t calls, accepted, events, failed; /* failed: operations */
};

static void note(struct known *k, enum err e, enum err expected, int64_t *count) {
    assert_true(e == ERR_OK || e == expected);
    k->failed += e != ERR_OK;
    *count += e == ERR_OK;
}

/* Operations of every weight; one that fails is tried once more, and then it must not fail. */
static struct known work(struct rig *r, enum err expected) {
    struct known k = {0};
    struct lease leases[4];
    int64_t n, submitted = 0, claimed = 0;
    for (int i = 0; i < 2 && submitted == 0; i++) {
        note(&k, rig_submit(r, 3), expected, &submitted);
    }
    assert_int_equal(submitted, 1);
    for (int i = 0; i < 2 && claimed == 0; i++) {
        note(&k, rig_claim(r, 4, 0, leases, &n), expected, &claimed);
    }
    assert_int_equal(claimed, 1);
    for (int i = 0; i < 4; i++) {
        note(&k, rig_record(r, leases[i], 0, S("paid")), expected, &k.calls);
    }
    for (int i = 0; i < 2; i++) {
        note(&k, rig_finish(r, leases[i], OUTCOME_ACCEPTED, NULL), expected, &k.accepted);
    }
    k.submitted = true;
    k.events = 1 + k.accepted;
    return k;
}

static void expect_known(struct rig *r, const struct known *k) {
    struct job_row job = rig_job(r, &r->arena);
    assert_int_equal(job.calls, k->calls);
    assert_int_equal(job.outcomes[OUTCOME_ACCEPTED], k->accepted);
    assert_int_equal(job.events, k->events);
    if (rig_check(r) != ERR_OK) {
        fail_msg("%s", r->detail.text);
    }
}

/* A store that was made is copied: making one writes more than the work does. */
static void copy_new_store(const struct rig *new_one, struct rig *r) {
    struct str bytes;
    assert_int_equal(file_read(new_one->path, 1 << 20, &r->arena, &bytes, NULL), ERR_OK);
    FILE *to = fopen(r->path, "we");
    assert_non_null(to);
    assert_int_equal(fwrite(bytes.p, 1, bytes.n, to), bytes.n);
    assert_int_equal(fclose(to), 0);
}

/* Let the 1st, 2nd, 3rd … write or fsync of the work fail, until it comes to its end without one.
 */
static void fail_at_each(enum fault fault, int64_t times, enum err expected) {
    struct rig new_one;
    int64_t nth = 1;
    rig_init(&new_one);
    assert_int_equal(rig_open(&new_one), ERR_OK);
    rig_close(&new_one);
    for (bool hit = true; hit; nth++) {
        struct rig r;
        rig_init(&r);
        copy_new_store(&new_one, &r);
        assert_int_equal(rig_open(&r), ERR_OK);
        fault_arm(fault, nth, times, 0);
        struct known k = work(&r, expected);
        hit = fault_disarm();
        assert_true(k.failed <= 2);
        expect_known(&r, &k);
        rig_succeed(&r);
        expect_known(&r, &k);
        rig_release(&r);
    }
    assert_true(nth > 5); /* there were that many places */
    rig_release(&new_one);
}

static void test_a_disk_that_is_full_at_any_write_loses_and_invents_nothing(void **state) {
    (void)state;
    fail_at_each(FAULT_FULL, 1, ERR_DISK_FULL);
}

static void test_a_write_that_is_torn_anywhere_loses_and_invents_nothing(void **state) {
    (void)state;
    fail_at_each(FAULT_TORN, 1, ERR_IO);
}

static void test_an_fsync_that_fails_anywhere_loses_and_invents_nothing(void **state) {
    (void)state;
    fail_at_each(FAULT_SYNC, 1, ERR_IO);
}

/* A fault while the log is folded back into the file costs nobody anything. */
static void test_a_fault_of_the_file_itself_is_no_operations_fault(void **state) {
    static const enum fault faults[] = {FAULT_FULL, FAULT_TORN, FAULT_SYNC};
    (void)state;
    char *text = mem_new(200000);
    memset(text, 'x', 200000);
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        struct rig r;
        struct known k = {.submitted = true, .events = 1};
        int64_t n;
        struct lease leases[120];
        rig_init(&r);
        assert_int_equal(rig_open(&r), ERR_OK);
        assert_int_equal(rig_submit(&r, 3), ERR_OK);
        assert_int_equal(rig_claim(&r, 120, 0, leases, &n), ERR_OK);
        for (int call = 0; call < 120; call++) {
            enum err e = rig_record(&r, leases[call], 0, (struct str){text, 200000});
            if (call == 20) { /* from here on every second one fails for a while */
                fault_arm(faults[i], 1, 40, 0);
            }
            if (call == 60) {
                (void)fault_disarm();
            }
            k.calls += e == ERR_OK;
            k.failed += e != ERR_OK;
        }
        assert_true(k.failed > 0 && k.calls > 60);
        expect_known(&r, &k);
        rig_succeed(&r);
        expect_known(&r, &k);
        rig_release(&r);
    }
    free(text);
}

static void test_reads_go_on_while_nothing_can_be_written(void **state) {
    struct rig *r = *state;
    assert_int_equal(rig_submit(r, 3), ERR_OK);
    fault_arm(FAULT_FULL, 1, INT64_MAX, 0);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(rig_job_set(r, JOB_PAUSED, ""), ERR_DISK_FULL);
        assert_non_null(strstr(r->detail.text, r->path));
        struct store_get_job o = {.op = RIG_OP(r), .job_id = RIG_JOB, .a = &r->arena};
        store_get_job(r->store, &o);
        assert_int_equal(rig_wait(r, &o.op), ERR_OK);
        assert_int_equal(o.ret.state, JOB_QUEUED);
        assert_int_equal(store_trouble(r->store), ERR_DISK_FULL);
    }
    (void)fault_disarm();
    assert_int_equal(rig_job_set(r, JOB_PAUSED, ""), ERR_OK);
    assert_int_equal(store_trouble(r->store), ERR_OK);
}

static void test_a_group_fails_as_one_and_tells_no_watcher(void **state) {
    enum { GROUP = 20 };
    struct rig *r = *state;
    struct store_submit all[GROUP];
    char ids[GROUP][STORE_ID_BYTES];
    fault_arm(FAULT_SYNC, 1, 1, 0);
    for (int i = 0; i < GROUP; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "job_%d", i);
        all[i] =
            (struct store_submit){.op = RIG_OP(r), .job_id = ids[i], .spec = S("{}"), .wanted = 1};
        store_submit(r->store, &all[i]);
    }
    loop_run(r->loop);
    assert_true(fault_disarm());
    int64_t kept = 0;
    for (int i = 0; i < GROUP; i++) {
        struct store_get_job o = {.op = RIG_OP(r), .job_id = ids[i], .a = &r->arena};
        store_get_job(r->store, &o);
        enum err e = rig_wait(r, &o.op);
        assert_int_equal(e, all[i].op.err == ERR_OK ? ERR_OK : ERR_NOT_FOUND);
        kept += e == ERR_OK;
    }
    assert_true(kept < GROUP);
}

static int install(void **state) {
    (void)state;
    fault_vfs_install(false);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_disk_that_is_full_at_any_write_loses_and_invents_nothing),
        cmocka_unit_test(test_a_write_that_is_torn_anywhere_loses_and_invents_nothing),
        cmocka_unit_test(test_an_fsync_that_fails_anywhere_loses_and_invents_nothing),
        cmocka_unit_test(test_a_fault_of_the_file_itself_is_no_operations_fault),
        cmocka_unit_test_setup_teardown(test_reads_go_on_while_nothing_can_be_written, rig_set_up,
                                        rig_tear_down),
        cmocka_unit_test_setup_teardown(test_a_group_fails_as_one_and_tells_no_watcher, rig_set_up,
                                        rig_tear_down),
    };
    return cmocka_run_group_tests(tests, install, NULL);
}
