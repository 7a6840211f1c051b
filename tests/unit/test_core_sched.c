/* Promises of the scheduler, tried on simulated jobs: each attempt takes one to a few ticks a
 * stage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "core/sched.h"

#define SIM_SLOTS_MAX 256

struct sim {
    struct sched sched;
    struct rng rng;
    double pass[ATTEMPT_STAGES];
    struct {
        bool busy;
        int64_t index, ticks_left;
        enum attempt_stage stage;
    } slots[SIM_SLOTS_MAX];
    int64_t tick;
};

static void sim_init(struct sim *sim, int64_t wanted, int64_t slots, double pass_check,
                     double pass_judge) {
    struct job_spec spec = {.num_problems = wanted, .concurrency = slots};
    *sim = (struct sim){.pass = {0.98, pass_check, 0.99, pass_judge}};
    rng_init(&sim->rng, (uint64_t)(wanted * 1000 + slots));
    sched_init(&sim->sched, &spec, 0, 0, 0);
}

static void sim_end(struct sim *sim, int i, bool passed_all) {
    enum outcome o = !passed_all                                                 ? OUTCOME_REJECTED
                     : sim->sched.outcomes[OUTCOME_ACCEPTED] < sim->sched.wanted ? OUTCOME_ACCEPTED
                                                                                 : OUTCOME_SURPLUS;
    sched_ended(&sim->sched, sim->slots[i].index, sim->slots[i].stage, o, NULL);
    sim->slots[i].busy = false;
}

static void sim_advance(struct sim *sim, int i) {
    enum attempt_stage stage = sim->slots[i].stage;
    if (--sim->slots[i].ticks_left > 0) {
        return;
    }
    bool passed = rng_chance(&sim->rng, sim->pass[stage]);
    if (!passed || stage == ATTEMPT_STAGE_JUDGE) {
        sim_end(sim, i, passed);
        return;
    }
    sim->slots[i].stage = stage + 1;
    sim->slots[i].ticks_left = rng_range(&sim->rng, 1, 5);
    sched_moved(&sim->sched, stage, stage + 1);
}

/* Runs until the scheduler stops and nothing is in flight; false if it hangs. */
static bool sim_run(struct sim *sim) {
    struct sched *s = &sim->sched;
    while (s->stop == STOP_NOT_YET || sched_in_flight(s) > 0) {
        int64_t n = sched_launch_now(s, sim->tick);
        for (int i = 0; i < s->concurrency && n > 0; i++) {
            if (!sim->slots[i].busy) {
                sim->slots[i].busy = true;
                sim->slots[i].stage = ATTEMPT_STAGE_ENGINEER;
                sim->slots[i].ticks_left = rng_range(&sim->rng, 1, 5);
                sim->slots[i].index = sched_launched(s);
                n--;
            }
        }
        for (int i = 0; i < s->concurrency; i++) {
            if (sim->slots[i].busy) {
                sim_advance(sim, i);
            }
        }
        if (++sim->tick > 10000000) {
            return false;
        }
    }
    return true;
}

static void test_a_job_ends_with_exactly_n_whatever_the_acceptance_rate(void **state) {
    (void)state;
    static const double rates[] = {0.05, 0.3, 0.9, 1.0};
    static const int64_t wanted[] = {1, 7, 300}, slots[] = {1, 20, 256};
    for (size_t r = 0; r < ARRAY_LEN(rates); r++) {
        for (size_t w = 0; w < ARRAY_LEN(wanted); w++) {
            for (size_t c = 0; c < ARRAY_LEN(slots); c++) {
                struct sim sim;
                sim_init(&sim, wanted[w], slots[c], 1.0, rates[r]);
                assert_true(sim_run(&sim));
                assert_int_equal(sim.sched.outcomes[OUTCOME_ACCEPTED], wanted[w]);
                assert_int_equal(sim.sched.stop, STOP_DONE);
            }
        }
    }
}

static void test_surplus_stays_small_near_n(void **state) {
    (void)state;
    int64_t surplus = 0, accepted = 0;
    for (int64_t wanted = 200; wanted < 240; wanted++) {
        struct sim sim;
        sim_init(&sim, wanted, 128, 0.6, 0.5);
        assert_true(sim_run(&sim));
        surplus += sim.sched.outcomes[OUTCOME_SURPLUS];
        accepted += wanted;
    }
    assert_true(surplus * 100 <
                accepted * 2); /* under 2 %; saturating to the end would give 15 % */
}

static void test_slots_are_full_while_far_from_n(void **state) {
    (void)state;
    struct job_spec spec = {.num_problems = 1000, .concurrency = 50};
    struct sched s;
    sched_init(&s, &spec, 0, 0, 0);
    assert_int_equal(sched_launch_now(&s, 0), 50);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(sched_launched(&s), i);
    }
    assert_int_equal(sched_launch_now(&s, 0), 0);
    sched_ended(&s, 0, ATTEMPT_STAGE_ENGINEER, OUTCOME_DUPLICATE, NULL);
    assert_int_equal(sched_launch_now(&s, 0), 1);
}

static void test_without_observations_no_more_than_n_are_launched(void **state) {
    (void)state;
    struct job_spec spec = {.num_problems = 3, .concurrency = 50};
    struct sched s;
    sched_init(&s, &spec, 0, 0, 0);
    assert_int_equal(sched_launch_now(&s, 0), 3);
}

static void test_attempts_that_are_owed_are_launched_though_fewer_would_do(void **state) {
    (void)state;
    struct job_spec spec = {.num_problems = 10, .concurrency = 40};
    struct sched s;
    sched_init(&s, &spec, 0, 0, 0);
    sched_owe(&s, 50);
    assert_int_equal(sched_launch_now(&s, 0), 40); /* no more than there is room for */
    for (int i = 0; i < 40; i++) {
        (void)sched_launched(&s);
    }
    assert_int_equal(sched_launch_now(&s, 0), 0);
    for (int i = 0; i < 9; i++) {
        sched_ended(&s, i, ATTEMPT_STAGE_ENGINEER, OUTCOME_ACCEPTED, NULL);
        assert_int_equal(sched_launch_now(&s, 0), 1); /* none is needed, ten are owed still */
        (void)sched_launched(&s);
    }
    sched_ended(&s, 9, ATTEMPT_STAGE_ENGINEER, OUTCOME_ACCEPTED, NULL);
    assert_int_equal(sched_launch_now(&s, 0), 0);
    assert_int_equal(s.stop, STOP_DONE);
}

static void test_what_is_owed_is_launched_although_all_are_there(void **state) {
    (void)state;
    struct job_spec spec = {.num_problems = 1, .concurrency = 4};
    struct sched s;
    sched_init(&s, &spec, 0, 0, 0);
    sched_owe(&s, 6);
    for (int i = 0; i < 4; i++) {
        (void)sched_launched(&s);
    }
    sched_ended(&s, 0, ATTEMPT_STAGE_ENGINEER, OUTCOME_ACCEPTED, NULL);
    assert_int_equal(sched_launch_now(&s, 0), 0);
    assert_int_equal(sched_collect_now(&s), 1); /* there is room for one */
    sched_dropped(&s, ATTEMPT_STAGE_ENGINEER);
    sched_dropped(&s, ATTEMPT_STAGE_ENGINEER);
    assert_int_equal(sched_collect_now(&s), 2);
    sched_owe(&s, 0);
    assert_int_equal(sched_collect_now(&s), 0);
}

static void test_early_rejections_of_a_wide_run_are_not_a_stall(void **state) {
    (void)state;
    struct job_spec spec = {.num_problems = 1000, .concurrency = 500, .stall_attempts = 100};
    struct sched s;
    sched_init(&s, &spec, 0, 0, 0);
    for (int i = 0; i < 500; i++) {
        (void)sched_launched(&s);
    }
    for (int64_t i = 1; i < 500; i++) { /* the first launched is still running */
        sched_ended(&s, i, ATTEMPT_STAGE_ENGINEER, OUTCOME_REJECTED, NULL);
    }
    (void)sched_launch_now(&s, 0);
    assert_int_equal(s.stop, STOP_NOT_YET);
    sched_ended(&s, 0, ATTEMPT_STAGE_ENGINEER, OUTCOME_REJECTED, NULL);
    assert_int_equal(sched_launch_now(&s, 0), 0);
    assert_int_equal(s.stop, STOP_STALLED);
}

static void test_errors_with_one_cause_stop_the_job_and_name_it(void **state) {
    (void)state;
    struct job_spec spec = {.num_problems = 10, .concurrency = 10, .stall_errors = 3};
    struct sched s;
    sched_init(&s, &spec, 0, 0, 0);
    static const char *const causes[] = {"a", "a", "b", "b", "b"};
    for (int64_t i = 0; i < 5; i++) {
        assert_int_equal(s.stop, STOP_NOT_YET);
        int64_t index = sched_launched(&s);
        sched_ended(&s, index, ATTEMPT_STAGE_ENGINEER, OUTCOME_FAILED, causes[i]);
        (void)sched_launch_now(&s, 0);
    }
    assert_int_equal(s.stop, STOP_ERRORS);
    assert_string_equal(s.cause, "b");
}

static void test_max_attempts_is_never_passed_and_ends_the_job_when_all_are_back(void **state) {
    (void)state;
    struct job_spec spec = {.num_problems = 100, .concurrency = 8, .max_attempts = 5};
    struct sched s;
    sched_init(&s, &spec, 0, 0, 2);
    assert_int_equal(sched_launch_now(&s, 0), 3);
    for (int i = 0; i < 3; i++) {
        (void)sched_launched(&s);
    }
    for (int64_t i = 2; i < 5; i++) {
        assert_int_equal(s.stop, STOP_NOT_YET);
        sched_ended(&s, i, ATTEMPT_STAGE_ENGINEER, OUTCOME_REJECTED, NULL);
        assert_int_equal(sched_launch_now(&s, 0), 0);
    }
    assert_int_equal(s.stop, STOP_MAX_ATTEMPTS);
}

static void test_reaching_n_wins_over_an_interruption(void **state) {
    (void)state;
    struct job_spec spec = {.num_problems = 1, .concurrency = 1};
    struct sched s;
    sched_init(&s, &spec, 0, 0, 0);
    int64_t index = sched_launched(&s);
    sched_stop_for(&s, STOP_INTERRUPTED);
    sched_ended(&s, index, ATTEMPT_STAGE_ENGINEER, OUTCOME_ACCEPTED, NULL);
    assert_int_equal(s.stop, STOP_DONE);
}

static void test_near_n_an_attempt_that_hangs_is_replaced_not_waited_for(void **state) {
    (void)state;
    struct job_spec spec = {.num_problems = 2, .concurrency = 10};
    struct sched s;
    sched_init(&s, &spec, 0, 0, 0);
    (void)sched_launched(&s);
    (void)sched_launched(&s);
    assert_int_equal(sched_launch_now(&s, 0), 0);
    sched_set_late(&s, (const int64_t[ATTEMPT_STAGES]){[ATTEMPT_STAGE_ENGINEER] = 1});
    assert_int_equal(sched_launch_now(&s, 0), 1);
}

static void test_the_deadline_stops_launching(void **state) {
    (void)state;
    struct job_spec spec = {.num_problems = 10, .concurrency = 1, .deadline_ms = 1000};
    struct sched s;
    sched_init(&s, &spec, 500, 0, 0);
    assert_int_equal(sched_launch_now(&s, 1499), 1);
    assert_int_equal(sched_launch_now(&s, 1500), 0);
    assert_int_equal(s.stop, STOP_DEADLINE);
}

static void test_attempts_lent_to_others_count_as_in_flight(void **state) {
    (void)state;
    struct job_spec spec = {.num_problems = 100, .concurrency = 10};
    struct sched s;
    sched_init(&s, &spec, 0, 0, 0);
    sched_tell_lent(&s, 4, (const int64_t[OUTCOME_COUNT]){0});
    assert_int_equal(sched_launch_now(&s, 0), 6);
    s.wanted = 5; /* as many as there will be with those that are lent, and one more */
    assert_int_equal(sched_launch_now(&s, 0), 1);
}

static void test_what_others_accept_ends_the_job_and_a_streak(void **state) {
    (void)state;
    struct job_spec spec = {.num_problems = 3, .concurrency = 10, .stall_attempts = 2};
    struct sched s;
    sched_init(&s, &spec, 0, 0, 0);
    (void)sched_launched(&s);
    (void)sched_launched(&s);
    sched_ended(&s, 0, ATTEMPT_STAGE_ENGINEER, OUTCOME_REJECTED, NULL);
    sched_tell_lent(&s, 2, (const int64_t[OUTCOME_COUNT]){[OUTCOME_ACCEPTED] = 2});
    sched_ended(&s, 1, ATTEMPT_STAGE_ENGINEER, OUTCOME_REJECTED, NULL);
    (void)sched_launch_now(&s, 0);
    assert_int_equal(s.stop, STOP_NOT_YET);
    sched_tell_lent(&s, 1, (const int64_t[OUTCOME_COUNT]){[OUTCOME_ACCEPTED] = 1});
    assert_int_equal(s.stop, STOP_DONE);
}

static void test_a_job_taken_over_goes_on_with_the_rates_it_had(void **state) {
    (void)state;
    struct job_spec spec = {.num_problems = 12, .concurrency = 8};
    struct sched s;
    sched_init(&s, &spec, 0, 11, 41);
    sched_recall(&s, (const int64_t[OUTCOME_COUNT]){
                         [OUTCOME_ACCEPTED] = 11, [OUTCOME_REJECTED] = 11, [OUTCOME_SOLVED] = 19});
    sched_tell_lent(&s, 1, (const int64_t[OUTCOME_COUNT]){0}); /* it may hang */
    assert_int_equal(sched_launch_now(&s, 0), 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_job_ends_with_exactly_n_whatever_the_acceptance_rate),
        cmocka_unit_test(test_surplus_stays_small_near_n),
        cmocka_unit_test(test_slots_are_full_while_far_from_n),
        cmocka_unit_test(test_without_observations_no_more_than_n_are_launched),
        cmocka_unit_test(test_attempts_that_are_owed_are_launched_though_fewer_would_do),
        cmocka_unit_test(test_what_is_owed_is_launched_although_all_are_there),
        cmocka_unit_test(test_early_rejections_of_a_wide_run_are_not_a_stall),
        cmocka_unit_test(test_errors_with_one_cause_stop_the_job_and_name_it),
        cmocka_unit_test(test_max_attempts_is_never_passed_and_ends_the_job_when_all_are_back),
        cmocka_unit_test(test_reaching_n_wins_over_an_interruption),
        cmocka_unit_test(test_near_n_an_attempt_that_hangs_is_replaced_not_waited_for),
        cmocka_unit_test(test_the_deadline_stops_launching),
        cmocka_unit_test(test_attempts_lent_to_others_count_as_in_flight),
        cmocka_unit_test(test_what_others_accept_ends_the_job_and_a_streak),
        cmocka_unit_test(test_a_job_taken_over_goes_on_with_the_rates_it_had),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
