/* Who gets the next free slot: priorities first, then tenants alike, then jobs alike; none is left
 * empty. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/defs.h"
#include "base/rng.h"
#include "core/share.h"

#include <stdbool.h>
#include <stdio.h>

#define JOBS_MAX 8

struct world {
    struct share_tenant tenants[4];
    struct share_job jobs[JOBS_MAX];
    struct share_job *list[JOBS_MAX];
    size_t n;
};

static struct share_job *add(struct world *w, size_t tenant, int64_t priority, int64_t wants) {
    struct share_job *j = &w->jobs[w->n];
    *j = (struct share_job){.tenant = &w->tenants[tenant], .priority = priority, .wants = wants};
    w->list[w->n++] = j;
    return j;
}

/* Give up to @slots away; returns how many were taken. */
static int64_t give(struct world *w, int64_t slots) {
    int64_t given = 0;
    struct share_job *j;
    while (given < slots && (j = share_next(w->list, w->n)) != NULL) {
        j->wants--;
        j->in_flight++;
        j->tenant->in_flight++;
        given++;
    }
    return given;
}

static void end_one(struct share_job *j) {
    j->in_flight--;
    j->tenant->in_flight--;
}

static void test_a_small_job_that_comes_later_gets_the_next_slot(void **state) {
    struct world w = {0};
    (void)state;
    struct share_job *large = add(&w, 0, 0, 10000);
    assert_int_equal(give(&w, 20), 20);
    struct share_job *small = add(&w, 0, 0, 5);
    for (int64_t i = 1; i <= 5; i++) {
        end_one(large);
        assert_int_equal(give(&w, 1), 1);
        assert_int_equal(small->in_flight, i);
    }
    assert_int_equal(large->in_flight, 15);
}

static void test_a_tenant_with_many_jobs_gets_no_more_than_one_with_a_single_job(void **state) {
    struct world w = {0};
    (void)state;
    for (int i = 0; i < 6; i++) {
        add(&w, 0, 0, 100);
    }
    struct share_job *lone = add(&w, 1, 0, 100);
    assert_int_equal(give(&w, 40), 40);
    assert_int_equal(lone->in_flight, 20);
    assert_int_equal(w.tenants[0].in_flight, 20);
}

static void test_a_higher_priority_goes_before_whoever_has_less(void **state) {
    struct world w = {0};
    (void)state;
    struct share_job *usual = add(&w, 0, 0, 100), *urgent = add(&w, 1, 10, 30);
    assert_int_equal(give(&w, 40), 40);
    assert_int_equal(urgent->in_flight, 30);
    assert_int_equal(usual->in_flight, 10);
}

static void test_no_slot_stays_empty_while_anybody_wants_one(void **state) {
    struct rng rng;
    (void)state;
    rng_init(&rng, 7);
    for (int round = 0; round < 2000; round++) {
        struct world w = {0};
        int64_t wanted = 0;
        for (int i = 0; i < JOBS_MAX; i++) {
            int64_t wants = (int64_t)(rng_below(&rng, 30));
            wanted += wants;
            add(&w, (size_t)(rng_below(&rng, 4)), (int64_t)(rng_below(&rng, 3)), wants);
        }
        int64_t slots = (int64_t)(rng_below(&rng, 200));
        assert_int_equal(give(&w, slots), MIN(slots, wanted));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_small_job_that_comes_later_gets_the_next_slot),
        cmocka_unit_test(test_a_tenant_with_many_jobs_gets_no_more_than_one_with_a_single_job),
        cmocka_unit_test(test_a_higher_priority_goes_before_whoever_has_less),
        cmocka_unit_test(test_no_slot_stays_empty_while_anybody_wants_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
