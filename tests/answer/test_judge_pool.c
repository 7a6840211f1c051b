/* The helper processes: verdicts come back, in any number, and a helper that dies or hangs costs
 * one undecided pair and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/judge_pool.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CALLS 500

static void test_a_pair_is_compared_in_another_process(void **state) {
    (void)state;
    struct judge_pool *pool;
    assert_int_equal(judge_pool_new(1, 1000, &pool, NULL), ERR_OK);
    struct judge_call call = {.gold = S("\\frac{1}{2}"), .given = S("0.5")};
    struct answer_result r = judge_pool_compare(pool, &call);
    assert_int_equal(r.verdict, ANSWER_EQUAL);
    assert_int_equal(r.certainty, ANSWER_PROOF);
    assert_true(strlen(r.reason) > 0);
    judge_pool_free(pool);
}

static void test_a_key_is_definite_if_it_is_read_whole_as_mathematics(void **state) {
    static const struct {
        const char *key;
        enum answer_verdict is;
    } cases[] = {{"\\frac{3}{4}", ANSWER_EQUAL},
                 {"it depends on the reader", ANSWER_UNDECIDED},
                 {"", ANSWER_UNDECIDED}};
    (void)state;
    struct judge_pool *pool;
    assert_int_equal(judge_pool_new(1, 1000, &pool, NULL), ERR_OK);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct judge_call call = {.gold = str_of(cases[i].key), .question = JUDGE_DEFINITE};
        assert_int_equal(judge_pool_compare(pool, &call).verdict, cases[i].is);
        assert_int_equal(call.result.certainty,
                         cases[i].is == ANSWER_EQUAL ? ANSWER_PROOF : ANSWER_NONE);
    }
    judge_pool_free(pool);
}

struct batch {
    pthread_mutex_t lock;
    pthread_cond_t progress;
    int done;
};

static void count(struct judge_call *call) {
    struct batch *b = call->ctx;
    (void)pthread_mutex_lock(&b->lock);
    b->done++;
    (void)pthread_cond_signal(&b->progress);
    (void)pthread_mutex_unlock(&b->lock);
}

static void test_many_pairs_are_all_answered(void **state) {
    (void)state;
    struct judge_pool *pool;
    struct batch b = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
    struct judge_call *calls = calloc(CALLS, sizeof *calls);
    assert_int_equal(judge_pool_new(2, 2000, &pool, NULL), ERR_OK);
    for (int i = 0; i < CALLS; i++) {
        calls[i] = (struct judge_call){
            .gold = S("12"), .given = i % 2 == 0 ? S("24/2") : S("13"), .done = count, .ctx = &b};
        judge_pool_submit(pool, &calls[i]);
    }
    (void)pthread_mutex_lock(&b.lock);
    while (b.done < CALLS) {
        (void)pthread_cond_wait(&b.progress, &b.lock);
    }
    (void)pthread_mutex_unlock(&b.lock);
    for (int i = 0; i < CALLS; i++) {
        assert_int_equal(calls[i].result.verdict, i % 2 == 0 ? ANSWER_EQUAL : ANSWER_DIFFERENT);
    }
    judge_pool_free(pool);
    free(calls);
}

/* The parent of process @pid, from /proc. */
static pid_t parent_of(const char *pid) {
    char path[300], line[512] = "";
    (void)snprintf(path, sizeof path, "/proc/%s/stat", pid);
    FILE *f = fopen(path, "r");
    int parent = 0;
    if (f != NULL) {
        if (fgets(line, sizeof line, f) != NULL && strrchr(line, ')') != NULL) {
            (void)sscanf(strrchr(line, ')'), ") %*c %d", &parent);
        }
        (void)fclose(f);
    }
    return parent;
}

/* A child of @parent, or 0. */
static pid_t child_of(pid_t parent) {
    DIR *proc = opendir("/proc");
    pid_t found = 0;
    for (struct dirent *d; proc != NULL && (d = readdir(proc)) != NULL;) {
        if (d->d_name[0] >= '1' && d->d_name[0] <= '9' && parent_of(d->d_name) == parent) {
            found = (pid_t)strtol(d->d_name, NULL, 10);
        }
    }
    if (proc != NULL) {
        (void)closedir(proc);
    }
    return found;
}

static void test_a_helper_that_is_killed_is_replaced(void **state) {
    (void)state;
    struct judge_pool *pool;
    assert_int_equal(judge_pool_new(1, 2000, &pool, NULL), ERR_OK);
    for (int round = 0; round < 5; round++) {
        struct judge_call call = {.gold = S("2"), .given = S("4/2")};
        assert_int_equal(judge_pool_compare(pool, &call).verdict, ANSWER_EQUAL);
        pid_t helper = child_of(child_of(getpid()));
        assert_true(helper > 0);
        assert_int_equal(kill(helper, SIGKILL), 0);
    }
    struct judge_call call = {.gold = S("2"), .given = S("3")};
    assert_int_equal(judge_pool_compare(pool, &call).verdict, ANSWER_DIFFERENT);
    judge_pool_free(pool);
}

static void test_a_pair_past_the_deadline_is_undecided_and_the_next_one_is_not(void **state) {
    (void)state;
    struct judge_pool *pool;
    assert_int_equal(judge_pool_new(1, 1, &pool, NULL), ERR_OK);
    struct judge_call late = {
        .gold = S("\\sum_{k=1}^{2900} \\sin(k^{1/3}) + \\sum_{k=1}^{2800} \\cos(k^{1/3})"),
        .given = S("\\tan 3 + \\sum_{k=1}^{2900} \\sin k"),
        .options = {.work_max = INT64_MAX / 4}};
    struct answer_result r = judge_pool_compare(pool, &late);
    assert_int_equal(r.verdict, ANSWER_UNDECIDED);
    assert_string_equal(r.reason, "the deadline passed");
    assert_int_equal(judge_pool_restarts(pool), 1);
    judge_pool_free(pool);
    assert_int_equal(judge_pool_new(1, 1000, &pool, NULL), ERR_OK);
    struct judge_call next = {.gold = S("2"), .given = S("4/2")};
    assert_int_equal(judge_pool_compare(pool, &next).verdict, ANSWER_EQUAL);
    judge_pool_free(pool);
}

static void test_texts_too_long_for_a_message_are_undecided_or_cut_to_their_answer(void **state) {
    (void)state;
    struct judge_pool *pool;
    size_t n = (size_t)300 * 1024;
    char *text = malloc(n + 1);
    memset(text, ' ', n);
    text[0] = 'a';
    memcpy(text + n - 30, "so the answer is \\boxed{\\pi}. ", 30);
    assert_int_equal(judge_pool_new(1, 1000, &pool, NULL), ERR_OK);
    struct judge_call call = {.gold = S("\\pi"), .given = {text, n}};
    assert_int_equal(judge_pool_compare(pool, &call).verdict, ANSWER_EQUAL);
    memset(text, '1', n);
    call = (struct judge_call){.gold = S("\\pi"), .given = {text, n}};
    assert_int_equal(judge_pool_compare(pool, &call).verdict, ANSWER_UNDECIDED);
    judge_pool_free(pool);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_pair_is_compared_in_another_process),
        cmocka_unit_test(test_a_key_is_definite_if_it_is_read_whole_as_mathematics),
        cmocka_unit_test(test_many_pairs_are_all_answered),
        cmocka_unit_test(test_a_helper_that_is_killed_is_replaced),
        cmocka_unit_test(test_a_pair_past_the_deadline_is_undecided_and_the_next_one_is_not),
        cmocka_unit_test(test_texts_too_long_for_a_message_are_undecided_or_cut_to_their_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
