/* What the jobs of one key may spend in a day, together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/defs.h"
#include "worker/purse.h"

#include <pthread.h>

#define KEY INT64_C(7)
#define NOW_MS INT64_C(1000)
#define DAY_MS INT64_C(86400000)

static struct purses *all;

static int set_up(void **state) {
    (void)state;
    all = purses_new();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    purses_free(all); /* asserts that all were given back */
    return 0;
}

static void test_a_key_without_a_limit_has_no_purse_and_may_spend_all(void **state) {
    (void)state;
    struct purse *p = purse_get(all, KEY, 0, 0, DAY_MS);
    assert_null(p);
    assert_true(purse_reserve(p, INT64_MAX, NOW_MS));
    assert_true(purse_is_idle(p));
    purse_settle(p, INT64_MAX, 1);
    purse_release(p, 1);
    purse_put(p);
}

static void test_jobs_of_a_key_share_its_money_and_another_key_has_its_own(void **state) {
    (void)state;
    struct purse *one = purse_get(all, KEY, 100, 30, DAY_MS);
    struct purse *same = purse_get(all, KEY, 100, 30, DAY_MS);
    struct purse *other = purse_get(all, KEY + 1, 100, 0, DAY_MS);
    assert_true(purse_reserve(one, 50, NOW_MS)); /* 30 were spent before */
    assert_false(purse_reserve(same, 21, NOW_MS));
    assert_true(purse_reserve(same, 20, NOW_MS));
    assert_true(purse_reserve(other, 100, NOW_MS));
    purse_settle(one, 50, 40); /* it cost less than was set aside */
    assert_true(purse_reserve(same, 10, NOW_MS));
    assert_false(purse_reserve(one, 1, NOW_MS));
    purse_release(same, 20);
    assert_true(purse_reserve(one, 20, NOW_MS));
    purse_put(one);
    purse_put(same);
    purse_put(other);
}

static void test_what_the_store_knows_counts_only_where_no_job_knows_better(void **state) {
    (void)state;
    struct purse *first = purse_get(all, KEY, 100, 0, DAY_MS);
    assert_true(purse_reserve(first, 90, NOW_MS)); /* the store does not know of it yet */
    struct purse *later = purse_get(all, KEY, 100, 0, DAY_MS);
    assert_false(purse_reserve(later, 11, NOW_MS));
    purse_settle(first, 90, 90);
    purse_put(first);
    purse_put(later);
    struct purse *anew = purse_get(all, KEY, 100, 90, DAY_MS);
    assert_false(purse_reserve(anew, 11, NOW_MS));
    purse_put(anew);
}

static void test_a_new_day_begins_with_a_full_purse_less_what_is_set_aside(void **state) {
    (void)state;
    struct purse *p = purse_get(all, KEY, 100, 70, DAY_MS);
    assert_true(purse_reserve(p, 30, DAY_MS - 1));
    assert_false(purse_reserve(p, 1, DAY_MS - 1));
    assert_false(purse_reserve(p, 71, DAY_MS));
    assert_true(purse_reserve(p, 70, DAY_MS));
    purse_settle(p, 100, 100);
    assert_false(purse_reserve(p, 1, 2 * DAY_MS - 1));
    assert_true(purse_reserve(p, 100, 2 * DAY_MS));
    purse_put(p);
}

static void test_it_is_idle_when_nothing_can_come_back(void **state) {
    (void)state;
    struct purse *p = purse_get(all, KEY, 100, 100, DAY_MS);
    assert_true(purse_is_idle(p));
    assert_false(purse_reserve(p, 1, NOW_MS));
    assert_true(purse_is_idle(p));
    assert_true(purse_reserve(p, 60, DAY_MS));
    assert_false(purse_is_idle(p));
    purse_settle(p, 60, 10);
    assert_true(purse_is_idle(p));
    purse_put(p);
}

/* --- from many threads */

#define SPENDERS 4
#define TRIES 20000

/* Spend one at a time for as long as there is any; returns how much. */
static void *spend(void *arg) {
    intptr_t spent = 0;
    (void)arg;
    struct purse *p = purse_get(all, KEY, TRIES, 0, DAY_MS);
    for (int i = 0; i < TRIES; i++) {
        if (purse_reserve(p, 2, NOW_MS)) {
            purse_settle(p, 2, 1);
            spent++;
        }
    }
    purse_put(p);
    return (void *)spent;
}

static void test_threads_together_spend_no_more_than_there_is(void **state) {
    pthread_t threads[SPENDERS];
    int64_t spent = 0;
    (void)state;
    struct purse *kept = purse_get(all, KEY, TRIES, 0, DAY_MS); /* while threads come and go */
    for (int i = 0; i < SPENDERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, spend, NULL), 0);
    }
    for (int i = 0; i < SPENDERS; i++) {
        void *part;
        assert_int_equal(pthread_join(threads[i], &part), 0);
        spent += (intptr_t)part;
    }
    assert_in_range(spent, TRIES - 1 - 2 * SPENDERS,
                    TRIES); /* the last ones found too little free */
    assert_true(purse_is_idle(kept));
    assert_false(purse_reserve(kept, TRIES - spent + 1, NOW_MS));
    assert_true(purse_reserve(kept, TRIES - spent, NOW_MS));
    purse_put(kept);
}

#define purse_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        purse_test(test_a_key_without_a_limit_has_no_purse_and_may_spend_all),
        purse_test(test_jobs_of_a_key_share_its_money_and_another_key_has_its_own),
        purse_test(test_what_the_store_knows_counts_only_where_no_job_knows_better),
        purse_test(test_a_new_day_begins_with_a_full_purse_less_what_is_set_aside),
        purse_test(test_it_is_idle_when_nothing_can_come_back),
        purse_test(test_threads_together_spend_no_more_than_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
