/* Promises of store/cache.h: only the very same question of another job finds an answer, whole and
 * unpaid; a file that is none of ours or in use is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "store/cache.h"

#include <inttypes.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fixture {
    char folder[64], path[128];
    struct sbuf text;
    struct call_answer answer;
};

static int set_up(void **state) {
    static struct fixture f;
    (void)snprintf(f.folder, sizeof f.folder, "/tmp/stumper-cache-XXXXXX");
    assert_non_null(mkdtemp(f.folder));
    (void)snprintf(f.path, sizeof f.path, "%s/cache.db", f.folder);
    sbuf_init(&f.text, 1 << 24);
    *state = &f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    char command[128];
    sbuf_release(&f->text);
    (void)snprintf(command, sizeof command, "rm -r %s", f->folder);
    return system(command);
}

static struct cache *opened(const struct fixture *f) {
    struct cache *c;
    struct errinfo why = {0};
    if (cache_open(f->path, &c, &why) != ERR_OK) {
        fail_msg("%s", why.text);
    }
    return c;
}

static void closed(struct cache *c) {
    assert_int_equal(cache_close(c, NULL), ERR_OK);
}

static const struct call_answer paid = {.finish = CALL_FINISH_LENGTH,
                                        .text = {"four \xe2\x88\x9a", 8},
                                        .model_id = {"m-1", 3},
                                        .usage = {.input_tokens = 100, .output_tokens = 5},
                                        .cost_nusd = 17,
                                        .tries = 3};

static void test_a_later_opening_finds_the_whole_answer_unpaid(void **state) {
    struct fixture *f = *state;
    struct cache *c = opened(f);
    cache_put(c, S("2+2?"), S("first"), &paid);
    closed(c);
    c = opened(f);
    assert_true(cache_get(c, S("2+2?"), S("later"), &f->text, &f->answer));
    assert_true(str_eq(f->answer.text, paid.text));
    assert_true(str_eq(f->answer.model_id, paid.model_id));
    assert_int_equal(f->answer.finish, CALL_FINISH_LENGTH);
    assert_int_equal(f->answer.err, ERR_OK);
    assert_int_equal(f->answer.cost_nusd, 0);
    assert_int_equal(f->answer.usage.input_tokens, 0);
    assert_int_equal(f->answer.tries, 0);
    assert_true(f->answer.reused);
    assert_false(cache_get(c, S("2+2"), S("later"), &f->text, &f->answer));
    assert_false(cache_get(c, S("2+2? "), S("later"), &f->text, &f->answer));
    closed(c);
}

/* What was added is found once it is on disk. */
static bool gets(struct fixture *f, struct cache *c, const char *request, const char *job) {
    bool found = false;
    for (int i = 0; i < 500 && !found; i++) {
        found = cache_get(c, str_of(request), str_of(job), &f->text, &f->answer);
        usleep(found ? 0 : 10000);
    }
    return found;
}

static void test_another_job_is_served_while_the_first_goes_on(void **state) {
    struct fixture *f = *state;
    struct cache *c = opened(f);
    cache_put(c, S("2+2?"), S("first"), &paid);
    assert_true(gets(f, c, "2+2?", "later"));
    assert_true(str_eq(f->answer.text, paid.text));
    assert_true(f->answer.reused);
    closed(c);
}

static void test_a_job_is_not_served_with_its_own_answers(void **state) {
    struct fixture *f = *state;
    struct cache *c = opened(f);
    cache_put(c, S("2+2?"), S("first"), &paid);
    assert_true(gets(f, c, "2+2?", "later"));
    assert_false(cache_get(c, S("2+2?"), S("first"), &f->text, &f->answer));
    closed(c);
    c = opened(f);
    assert_false(cache_get(c, S("2+2?"), S("first"), &f->text, &f->answer));
    closed(c);
}

#define ASKERS 4
#define QUESTIONS 300

struct asker {
    struct cache *cache;
    pthread_t thread;
    char job[16];
    int wrong, found;
};

/* Asks what its neighbours pay for, and pays for what it does not find. */
static void *ask(void *ctx) {
    struct asker *a = ctx;
    struct sbuf text;
    sbuf_init(&text, 1 << 16);
    for (int i = 0; i < QUESTIONS; i++) {
        char request[32];
        struct call_answer answer = paid;
        answer.text = (struct str){request, (size_t)snprintf(request, sizeof request, "q%d", i)};
        if (!cache_get(a->cache, answer.text, str_of(a->job), &text, &answer)) {
            cache_put(a->cache, answer.text, str_of(a->job), &answer);
            continue;
        }
        a->found++;
        a->wrong += !str_eq(answer.text, str_of(request));
    }
    sbuf_release(&text);
    return NULL;
}

static int ask_all(struct cache *c) {
    struct asker askers[ASKERS] = {0};
    int found = 0;
    for (int i = 0; i < ASKERS; i++) {
        askers[i].cache = c;
        (void)snprintf(askers[i].job, sizeof askers[i].job, "job-%d", i);
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask, &askers[i]), 0);
    }
    for (int i = 0; i < ASKERS; i++) {
        assert_int_equal(pthread_join(askers[i].thread, NULL), 0);
        assert_int_equal(askers[i].wrong, 0);
        found += askers[i].found;
    }
    return found;
}

static void test_threads_share_it(void **state) {
    struct fixture *f = *state;
    struct cache *c = opened(f);
    (void)ask_all(c);
    for (int i = 0; i < QUESTIONS; i++) {
        char request[32];
        (void)snprintf(request, sizeof request, "q%d", i);
        assert_true(gets(f, c, request, "later"));
    }
    assert_int_equal(ask_all(c), (ASKERS - 1) * QUESTIONS); /* one paid for each */
    closed(c);
}

static void test_the_first_answer_to_a_question_stays(void **state) {
    struct fixture *f = *state;
    struct call_answer other = paid;
    other.text = S("five");
    for (int i = 0; i < 2; i++) {
        struct cache *c = opened(f);
        cache_put(c, S("2+2?"), S("first"), i == 0 ? &paid : &other);
        cache_put(c, S("2+2?"), S("first"), &other);
        closed(c);
    }
    struct cache *c = opened(f);
    assert_true(cache_get(c, S("2+2?"), S("later"), &f->text, &f->answer));
    assert_true(str_eq(f->answer.text, paid.text));
    closed(c);
}

static void test_many_answers_and_large_ones_come_back(void **state) {
    struct fixture *f = *state;
    struct cache *c = opened(f);
    static char large[1 << 20];
    memset(large, 'x', sizeof large);
    for (int i = 0; i < 2000; i++) {
        char request[32];
        struct call_answer a = paid;
        int n = snprintf(request, sizeof request, "question %d", i);
        a.text = (struct str){large, (size_t)(i == 1000 ? sizeof large : (size_t)i)};
        cache_put(c, (struct str){request, (size_t)n}, S("first"), &a);
    }
    closed(c);
    c = opened(f);
    assert_true(cache_get(c, S("question 1000"), S("later"), &f->text, &f->answer));
    assert_int_equal(f->answer.text.n, sizeof large);
    assert_true(cache_get(c, S("question 0"), S("later"), &f->text, &f->answer));
    assert_int_equal(f->answer.text.n, 0);
    assert_true(cache_get(c, S("question 1999"), S("later"), &f->text, &f->answer));
    assert_int_equal(f->answer.text.n, 1999);
    assert_false(cache_get(c, S("question 2000"), S("later"), &f->text, &f->answer));
    closed(c);
}

static void test_an_answer_that_cannot_be_given_leaves_nothing(void **state) {
    struct fixture *f = *state;
    struct cache *c = opened(f);
    struct sbuf small;
    cache_put(c, S("2+2?"), S("first"), &paid);
    closed(c);
    c = opened(f);
    sbuf_init(&small, 4);
    assert_false(cache_get(c, S("2+2?"), S("later"), &small, &f->answer));
    assert_int_equal(small.n, 0);
    sbuf_release(&small);
    closed(c);
}

static void test_one_process_at_a_time_has_it(void **state) {
    struct fixture *f = *state;
    struct cache *c = opened(f), *second;
    struct errinfo why = {0};
    assert_int_equal(cache_open(f->path, &second, &why), ERR_BUSY);
    assert_non_null(strstr(why.text, "cache.db"));
    closed(c);
    closed(opened(f));
}

/* Version 1 did not know whose an answer was: everybody's. */
static void test_a_file_of_version_1_is_taken_over_with_its_answers(void **state) {
    struct fixture *f = *state;
    char row[160];
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db,
                     "PRAGMA application_id = 0x53544d43; PRAGMA user_version = 1;"
                     "CREATE TABLE answers (hash INTEGER NOT NULL, finish TEXT NOT NULL,"
                     " model_id TEXT NOT NULL, created_ms INTEGER NOT NULL, request TEXT NOT NULL,"
                     " text TEXT NOT NULL) STRICT;"
                     "CREATE INDEX answers_by_hash ON answers (hash)",
                     NULL, NULL, NULL),
        SQLITE_OK);
    (void)snprintf(row, sizeof row,
                   "INSERT INTO answers VALUES (%" PRId64 ", 'stop', 'm-1', 1000, '1+1?', 'two')",
                   (int64_t)str_hash(S("1+1?")));
    assert_int_equal(sqlite3_exec(db, row, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    struct cache *c = opened(f);
    cache_put(c, S("2+2?"), S("job_1"), &paid);
    closed(c);
    c = opened(f);
    assert_true(cache_get(c, S("2+2?"), S("job_2"), &f->text, &f->answer));
    assert_true(cache_get(c, S("1+1?"), S("job_1"), &f->text, &f->answer));
    assert_true(str_eq(f->answer.text, S("two")));
    closed(c);
}

static void note_failure(void *ctx, const char *why) {
    char *told = ctx;
    (void)snprintf(told, 200, "%s", why);
}

static void test_a_failure_is_told_when_it_happens(void **state) {
    struct fixture *f = *state;
    static char told[200];
    struct errinfo why = {0};
    sqlite3 *db;
    struct cache *c = opened(f);
    cache_on_failure(c, note_failure, told);
    cache_put(c, S("2+2?"), S("first"), &paid);
    assert_true(gets(f, c, "2+2?", "later"));
    assert_string_equal(told, "");
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DROP TABLE answers", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_false(cache_get(c, S("2+2?"), S("later"), &f->text, &f->answer));
    assert_non_null(strstr(told, "answers"));
    assert_int_not_equal(cache_close(c, &why), ERR_OK);
    assert_string_equal(why.text, told);
}

static void test_another_file_is_refused_and_left_alone(void **state) {
    struct fixture *f = *state;
    struct cache *c;
    struct errinfo why = {0};
    FILE *file = fopen(f->path, "w");
    assert_true(file != NULL && fputs("my diary, longer than a header of a database is", file) > 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(cache_open(f->path, &c, &why), ERR_CORRUPT);
    assert_non_null(strstr(why.text, f->path));
    file = fopen(f->path, "r");
    char line[16];
    assert_non_null(fgets(line, sizeof line, file));
    assert_int_equal(fclose(file), 0);
    assert_memory_equal(line, "my diary", 8);
}

#define CACHE_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        CACHE_TEST(test_a_later_opening_finds_the_whole_answer_unpaid),
        CACHE_TEST(test_another_job_is_served_while_the_first_goes_on),
        CACHE_TEST(test_a_job_is_not_served_with_its_own_answers),
        CACHE_TEST(test_threads_share_it),
        CACHE_TEST(test_the_first_answer_to_a_question_stays),
        CACHE_TEST(test_many_answers_and_large_ones_come_back),
        CACHE_TEST(test_an_answer_that_cannot_be_given_leaves_nothing),
        CACHE_TEST(test_one_process_at_a_time_has_it),
        CACHE_TEST(test_a_file_of_version_1_is_taken_over_with_its_answers),
        CACHE_TEST(test_a_failure_is_told_when_it_happens),
        CACHE_TEST(test_another_file_is_refused_and_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
