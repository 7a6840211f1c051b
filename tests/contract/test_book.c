/* Promises of worker/book.h: once it is closed nobody is told anything, and it is gone only when
 * all is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "contract/store_rig.h"
#include "worker/book.h"

static void noted(void *ctx, enum err err, const struct errinfo *why) {
    (void)ctx, (void)err, (void)why;
    fail_msg("nobody is there any more");
}

static void closed(void *ctx) {
    struct rig *r = ctx;
    loop_stop(r->loop);
}

static void test_what_is_noted_while_it_closes_is_written_first(void **state) {
    struct rig *r = *state;
    struct lease lease;
    int64_t n;
    const char *const tags[] = {RIG_JOB "/1/0"};
    assert_int_equal(rig_submit(r, 1), ERR_OK);
    assert_int_equal(rig_claim(r, 1, 0, &lease, &n), ERR_OK);
    struct book *b = book_open(r->loop, r->store, RIG_JOB);
    const struct llm_book *for_llm = book_for_llm(b);
    book_close(b, closed, r);
    for_llm->intend(
        for_llm->ctx,
        &(struct llm_note){.mark = "batch_1", .model = S("sim/target"), .tags = tags, .n = 1},
        noted, NULL);
    loop_run(r->loop);
    book_free(b); /* which nothing may be under way for */
    struct store_batches op = {.op = RIG_OP(r), .job_id = RIG_JOB, .a = &r->arena};
    store_batches(r->store, &op);
    assert_int_equal(rig_wait(r, &op.op), ERR_OK);
    assert_int_equal(op.ret_n, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_noted_while_it_closes_is_written_first,
                                        rig_set_up, rig_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
