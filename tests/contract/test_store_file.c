/* What a store that is a file promises: one writer, no harm to foreign files, nothing lost when the
 * disk is full, one plain file at rest; and that store_check() finds what is broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "contract/store_rig.h"
#include "store/check.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534

static int set_up(void **state) {
    struct rig *r = mem_new(sizeof *r);
    rig_init(r);
    *state = r;
    return 0;
}

static void limit_file_size(rlim_t bytes) {
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = MIN(bytes, limit.rlim_max);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static int tear_down(void **state) {
    struct rig *r = *state;
    limit_file_size(RLIM_INFINITY);
    if (r->store != NULL) {
        rig_close(r);
    }
    (void)umount2(r->folder, MNT_DETACH); /* where a test has mounted something */
    rig_release(r);
    free(r);
    return 0;
}

static void write_file(const char *path, const char *text) {
    assert_int_equal(file_replace(path, str_of(text), NULL), ERR_OK);
}

static bool exists(const char *path, const char *suffix) {
    char name[256];
    (void)snprintf(name, sizeof name, "%s%s", path, suffix);
    return access(name, F_OK) == 0;
}

/* Run statements on a file as another program would. */
static void run_sql(const char *path, const char *text) {
    sqlite3 *db;
    char *message = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, &message) != SQLITE_OK) {
        fail_msg("%s: %s", text, message);
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* --- one writer */

static void test_a_second_opener_is_told_who_has_the_store(void **state) {
    struct rig *r = *state, second = *r;
    char pid[32];
    assert_int_equal(rig_open(r), ERR_OK);
    assert_int_equal(rig_open(&second), ERR_BUSY);
    (void)snprintf(pid, sizeof pid, "process %ld ", (long)getpid());
    assert_non_null(strstr(second.detail.text, pid));
    assert_non_null(strstr(second.detail.text, "it.db-lock"));
    assert_int_equal(rig_submit(r, 1), ERR_OK); /* the first one is none the worse */
    rig_close(r);
    assert_int_equal(rig_open(r), ERR_OK);
}

static void test_a_lock_file_that_was_left_behind_is_no_lock(void **state) {
    struct rig *r = *state;
    char lock[256];
    (void)snprintf(lock, sizeof lock, "%s-lock", r->path);
    write_file(lock, "4194304999\n");
    assert_int_equal(rig_open(r), ERR_OK);
}

static void test_a_store_at_rest_is_one_file_readable_from_a_read_only_folder(void **state) {
    struct rig *r = *state;
    struct arena a;
    arena_init(&a, 1 << 20);
    assert_int_equal(rig_open(r), ERR_OK);
    assert_int_equal(rig_submit(r, 5), ERR_OK);
    assert_true(exists(r->path, "-wal"));
    rig_close(r);
    static const char *const companions[] = {"-wal", "-shm", "-journal", "-lock"};
    for (size_t i = 0; i < ARRAY_LEN(companions); i++) {
        assert_false(exists(r->path, companions[i]));
    }
    assert_int_equal(chmod(r->folder, 0555), 0);
    assert_int_equal(rig_job(r, &a).wanted, 5);
    assert_int_equal(chmod(r->folder, 0755), 0);
    arena_release(&a);
}

static void test_a_reader_that_stays_does_not_keep_the_writer_from_closing(void **state) {
    struct rig *r = *state;
    struct store_reader *reader;
    struct arena a;
    struct job_row job;
    arena_init(&a, 1 << 20);
    assert_int_equal(rig_open(r), ERR_OK);
    assert_int_equal(rig_submit(r, 5), ERR_OK);
    assert_int_equal(store_reader_open(r->path, &reader, NULL), ERR_OK);
    rig_close(r);
    assert_int_equal(store_read_job(reader, RIG_JOB, &a, &job, NULL), ERR_OK);
    assert_int_equal(rig_open(r), ERR_OK);
    assert_int_equal(rig_job_set(r, JOB_PARTIAL, "x"), ERR_OK);
    assert_int_equal(store_read_job(reader, RIG_JOB, &a, &job, NULL), ERR_OK);
    assert_int_equal(job.state, JOB_PARTIAL);
    store_reader_close(reader);
    arena_release(&a);
}

/* --- whose file it is */

static void expect_refused(struct rig *r, const char *why) {
    struct store_reader *reader;
    struct arena a;
    struct str before, after;
    arena_init(&a, 1 << 22);
    assert_int_equal(file_read(r->path, 1 << 20, &a, &before, NULL), ERR_OK);
    assert_int_equal(rig_open(r), ERR_CORRUPT);
    assert_non_null(strstr(r->detail.text, r->path));
    assert_non_null(strstr(r->detail.text, why));
    assert_int_equal(store_reader_open(r->path, &reader, &r->detail), ERR_CORRUPT);
    assert_non_null(strstr(r->detail.text, why));
    assert_int_equal(file_read(r->path, 1 << 20, &a, &after, NULL), ERR_OK);
    assert_true(str_eq(before, after));
    assert_false(exists(r->path, "-wal"));
    assert_false(exists(r->path, "-lock"));
    arena_release(&a);
}

static void test_a_foreign_file_is_refused_and_left_as_it_is(void **state) {
    struct rig *r = *state;
    write_file(r->path, "{\"id\":\"p1\"}\n");
    expect_refused(r, "no SQLite database");
    assert_int_equal(unlink(r->path), 0);
    run_sql(r->path, "CREATE TABLE songs (title TEXT)");
    expect_refused(r, "another program's");
    assert_int_equal(unlink(r->path), 0);
    run_sql(r->path, "PRAGMA application_id = 1");
    expect_refused(r, "another program's");
}

static void test_a_newer_store_is_refused_and_left_as_it_is(void **state) {
    struct rig *r = *state;
    assert_int_equal(rig_open(r), ERR_OK);
    rig_close(r);
    run_sql(r->path, "PRAGMA user_version = 99");
    expect_refused(r, "newer Stumper (its schema is 99");
}

static void test_an_empty_file_is_a_new_store_to_a_writer_and_nothing_to_a_reader(void **state) {
    struct rig *r = *state;
    struct store_reader *reader;
    assert_int_equal(store_reader_open(r->path, &reader, &r->detail), ERR_NOT_FOUND);
    assert_non_null(strstr(r->detail.text, r->path));
    assert_false(exists(r->path, ""));
    write_file(r->path, "");
    assert_int_equal(store_reader_open(r->path, &reader, &r->detail), ERR_NOT_FOUND);
    assert_int_equal(rig_open(r), ERR_OK);
    assert_int_equal(rig_submit(r, 1), ERR_OK);
}

static void test_a_path_is_a_path_whatever_sqlite_would_make_of_it(void **state) {
    struct rig *r = *state, other = *r;
    static const char *const names[] = {":memory:", "file:x?mode=memory"};
    char home[4096];
    assert_non_null(getcwd(home, sizeof home));
    assert_int_equal(chdir(r->folder), 0);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        (void)snprintf(other.path, sizeof other.path, "%s", names[i]);
        assert_int_equal(rig_open(&other), ERR_OK);
        rig_close(&other);
        assert_true(exists(names[i], ""));
    }
    assert_int_equal(chdir(home), 0);
}

static void test_a_folder_that_is_not_there_is_named(void **state) {
    struct rig *r = *state, other = *r;
    (void)snprintf(other.path, sizeof other.path, "%s/no/such.db", r->folder);
    assert_int_equal(rig_open(&other), ERR_IO);
    assert_non_null(strstr(other.detail.text, "no/such.db"));
}

/* --- nowhere to write */

/* store_open() by somebody whom permissions bind. */
static enum err open_as_nobody(struct rig *r) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        bool bound = geteuid() != 0 || setresuid(NOBODY, NOBODY, NOBODY) == 0;
        _exit(bound ? (int)rig_open(r) : ERR_COUNT);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return (enum err)WEXITSTATUS(status);
}

static void test_a_read_only_folder_or_file_is_said_to_be_so(void **state) {
    struct rig *r = *state;
    assert_int_equal(chmod(r->folder, 0555), 0);
    assert_int_equal(open_as_nobody(r), ERR_READ_ONLY);
    assert_int_equal(chmod(r->folder, 0777), 0);
    assert_int_equal(rig_open(r), ERR_OK);
    rig_close(r);
    assert_int_equal(chmod(r->path, 0444), 0);
    assert_int_equal(open_as_nobody(r), ERR_READ_ONLY);
}

#define FULL_TEXT_BYTES ((size_t)100 * 1000)

struct writer {
    struct store_record record;
    struct ledger_call call;
};

static void note_done(struct store_op *op) {
    (void)op;
}

/* Record calls @from … @from + @n - 1 of the attempts 1, 2, 3 …, together. Returns how many were
 * kept; all that were not must have failed with ERR_DISK_FULL. */
static int64_t record_group(struct rig *r, const struct lease *leases, struct str text, size_t from,
                            size_t n) {
    struct writer *all = mem_new_array(n, sizeof *all);
    int64_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        struct lease lease = leases[from + i];
        all[i].call = rig_call(lease.attempt_no, 0, text);
        all[i].record = (struct store_record){.op = {.loop = r->loop, .done = note_done},
                                              .job_id = RIG_JOB,
                                              .lease = lease,
                                              .call = &all[i].call};
        store_record(r->store, &all[i].record);
    }
    loop_run(r->loop);
    for (size_t i = 0; i < n; i++) {
        const struct store_op *op = &all[i].record.op;
        assert_true(op->err == ERR_OK || op->err == ERR_DISK_FULL);
        assert_true(op->err == ERR_OK || strstr(op->detail.text, r->path) != NULL);
        kept += op->err == ERR_OK;
    }
    free(all);
    return kept;
}

/* Write until the disk is full, make room, write on: nothing that was answered is missing, nothing
 * that failed is there. */
static void fill_disk_and_go_on(struct rig *r, void (*make_room)(struct rig *r)) {
    enum { GROUP = 5, GROUPS_MAX = 100 };
    struct lease leases[STORE_CLAIM_MAX];
    struct arena a;
    int64_t n, kept = 0;
    size_t from = 0;
    char *bytes = mem_new(FULL_TEXT_BYTES);
    memset(bytes, 'x', FULL_TEXT_BYTES);
    struct str text = {bytes, FULL_TEXT_BYTES};
    arena_init(&a, 1 << 20);
    assert_int_equal(rig_submit(r, 1), ERR_OK);
    assert_int_equal(rig_claim(r, STORE_CLAIM_MAX, 0, leases, &n), ERR_OK);
    for (; kept == (int64_t)from && from < (size_t)GROUP * GROUPS_MAX; from += GROUP) {
        kept += record_group(r, leases, text, from, GROUP);
    }
    assert_true(kept < (int64_t)from);                  /* the disk did become full */
    kept += record_group(r, leases, text, from, GROUP); /* one of them may just fit */
    assert_int_equal(rig_job(r, &a).calls, kept);
    make_room(r);
    assert_int_equal(record_group(r, leases, text, from + GROUP, GROUP), GROUP);
    assert_int_equal(rig_job(r, &a).calls, kept + GROUP);
    assert_int_equal(rig_check(r), ERR_OK);
    rig_close(r);
    assert_int_equal(rig_open(r), ERR_OK);
    assert_int_equal(rig_job(r, &a).calls, kept + GROUP);
    assert_int_equal(rig_check(r), ERR_OK);
    arena_release(&a);
    free(bytes);
}

static void lift_file_size(struct rig *r) {
    (void)r;
    limit_file_size(RLIM_INFINITY);
}

static void test_a_file_size_limit_loses_nothing_and_can_be_lifted(void **state) {
    struct rig *r = *state;
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    assert_int_equal(rig_open(r), ERR_OK);
    limit_file_size(3 << 20);
    fill_disk_and_go_on(r, lift_file_size);
}

static void ballast_path(const struct rig *r, char ret[256]) {
    (void)snprintf(ret, 256, "%s/ballast", r->folder);
}

static void drop_ballast(struct rig *r) {
    char path[256];
    ballast_path(r, path);
    assert_int_equal(unlink(path), 0);
}

/* A disk of 16 MB in the rig's folder, 12 MB of it taken; only this process sees it. */
static bool mount_small_disk(const struct rig *r) {
    char path[256];
    if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", r->folder, "tmpfs", 0, "size=16m") != 0) {
        return false;
    }
    ballast_path(r, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(posix_fallocate(fd, 0, 12 << 20), 0);
    assert_int_equal(close(fd), 0);
    return true;
}

static void test_a_full_disk_loses_nothing_and_is_usable_again_with_room(void **state) {
    struct rig *r = *state;
    if (!mount_small_disk(r)) {
        skip();
    }
    assert_int_equal(rig_open(r), ERR_OK);
    fill_disk_and_go_on(r, drop_ballast);
}

static void test_a_store_cannot_be_made_on_a_full_disk(void **state) {
    struct rig *r = *state;
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    limit_file_size(8192);
    enum err e = rig_open(r);
    limit_file_size(RLIM_INFINITY);
    assert_int_equal(e, ERR_DISK_FULL);
    assert_non_null(strstr(r->detail.text, r->path));
    assert_int_equal(rig_open(r), ERR_OK);
    assert_int_equal(rig_submit(r, 1), ERR_OK);
}

/* --- setting aside */

static void test_a_store_is_set_aside_whole_under_the_first_free_name(void **state) {
    struct rig *r = *state, old = *r;
    struct arena a;
    char moved_to[4096], expected[256];
    arena_init(&a, 1 << 20);
    for (int64_t n = 1; n <= 3; n++) {
        assert_int_equal(rig_open(r), ERR_OK);
        assert_int_equal(rig_submit(r, n), ERR_OK);
        assert_int_equal(store_set_aside(r->path, moved_to, &r->detail), ERR_BUSY);
        rig_close(r);
        assert_int_equal(store_set_aside(r->path, moved_to, &r->detail), ERR_OK);
        (void)snprintf(expected, sizeof expected, "%s.old-%d", r->path, (int)n);
        assert_string_equal(moved_to, expected);
        assert_false(exists(r->path, ""));
        assert_false(exists(r->path, "-lock"));
        (void)snprintf(old.path, sizeof old.path, "%.120s", moved_to);
        assert_int_equal(rig_job(&old, &a).wanted, n);
    }
    assert_int_equal(store_set_aside(r->path, moved_to, &r->detail), ERR_NOT_FOUND);
    assert_non_null(strstr(r->detail.text, r->path));
    arena_release(&a);
}

static void test_a_foreign_file_can_be_set_aside_too(void **state) {
    struct rig *r = *state;
    char moved_to[4096];
    write_file(r->path, "no database");
    assert_int_equal(store_set_aside(r->path, moved_to, &r->detail), ERR_OK);
    assert_int_equal(rig_open(r), ERR_OK);
}

/* --- the log stays small */

#define LOG_TEXT_BYTES ((size_t)1024 * 1024)
#define LOG_SMALL_BYTES ((int64_t)24 * 1024 * 1024) /* it is folded back at 8 MB */

static int64_t log_bytes(const struct rig *r) {
    char name[256];
    struct stat st;
    (void)snprintf(name, sizeof name, "%s-wal", r->path);
    assert_int_equal(stat(name, &st), 0);
    return st.st_size;
}

struct slow_look {
    struct rig *rig;
    char *text;
    struct lease lease;
    int64_t calls, log_most;
};

static void write_much(struct slow_look *s) {
    assert_int_equal(
        rig_record(s->rig, s->lease, s->calls++, (struct str){s->text, LOG_TEXT_BYTES}), ERR_OK);
    s->log_most = MAX(s->log_most, log_bytes(s->rig));
}

/* While one problem is looked at, much is written. */
static bool look_slowly(void *ctx, const struct problem_row *row) {
    (void)row;
    write_much(ctx);
    return true;
}

static void begin_slow_look(struct rig *r, struct slow_look *s) {
    enum { PROBLEMS = 70 }; /* more than a page */
    assert_int_equal(rig_open(r), ERR_OK);
    assert_int_equal(rig_submit(r, PROBLEMS), ERR_OK);
    for (int i = 0; i < PROBLEMS; i++) {
        assert_int_equal(rig_finish(r, rig_claim_one(r), OUTCOME_ACCEPTED, NULL), ERR_OK);
    }
    *s = (struct slow_look){.rig = r, .text = mem_new(LOG_TEXT_BYTES), .lease = rig_claim_one(r)};
    memset(s->text, 'x', LOG_TEXT_BYTES);
}

static void test_a_slow_reader_of_ours_does_not_make_the_log_grow(void **state) {
    struct rig *r = *state;
    struct slow_look s;
    struct store_reader *reader;
    begin_slow_look(r, &s);
    assert_int_equal(store_reader_open(r->path, &reader, NULL), ERR_OK);
    assert_int_equal(store_read_problems(reader, RIG_JOB, ~0u, look_slowly, &s, NULL), ERR_OK);
    store_reader_close(reader);
    assert_int_equal(s.calls, 70);
    assert_true(s.log_most < LOG_SMALL_BYTES);
    free(s.text);
}

/* Nobody can take its view from it; but nothing waits for it, and when it goes the log begins
 * anew. */
static void test_a_foreign_reader_that_stays_makes_the_log_grow_only_while_it_stays(void **state) {
    struct rig *r = *state;
    struct slow_look s;
    sqlite3 *db;
    begin_slow_look(r, &s);
    assert_int_equal(sqlite3_open_v2(r->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN; SELECT count(*) FROM jobs", NULL, NULL, NULL),
                     SQLITE_OK);
    while (s.calls < 30) {
        write_much(&s);
    }
    int64_t most = s.log_most;
    assert_true(most > LOG_SMALL_BYTES);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    while (s.calls < 90) {
        write_much(&s);
    }
    assert_true(s.log_most < most + LOG_SMALL_BYTES);
    free(s.text);
}

/* --- what store_check() finds */

static void make_small_store(struct rig *r) {
    assert_int_equal(rig_open(r), ERR_OK);
    assert_int_equal(rig_submit(r, 1), ERR_OK);
    struct lease lease = rig_claim_one(r);
    assert_int_equal(rig_record(r, lease, 0, S("x")), ERR_OK);
    assert_int_equal(rig_finish(r, lease, OUTCOME_ACCEPTED, NULL), ERR_OK);
    assert_int_equal(rig_finish(r, rig_claim_one(r), OUTCOME_REJECTED, NULL), ERR_OK);
    (void)rig_claim_one(r);
    (void)rig_claim_one(r);
    rig_close(r);
}

enum {
#define X(name, text, query) CHECK_##name,
    STORE_CHECKS(X)
#undef X
        CHECKS
};

static void test_a_check_finds_each_kind_of_damage(void **state) {
    static const struct {
        int check;
        const char *sql, *found;
    } damages[] = {
        {CHECK_ACCEPTED_BEYOND, "UPDATE jobs SET wanted = 0",
         "1 problems are accepted, more than wanted"},
        {CHECK_ATTEMPT_TWICE, "INSERT INTO attempts (job, no) VALUES (1, 1)",
         "attempt 1 has ended and is open too"},
        {CHECK_ATTEMPT_LOST, "DELETE FROM attempts WHERE no = 3",
         "some are neither open nor ended"},
        {CHECK_ATTEMPT_UNNUMBERED, "UPDATE attempts SET no = 9 WHERE no = 3",
         "attempt 9 has a number that was never given"},
        {CHECK_TOKEN_TWICE, "UPDATE attempts SET token = 4", "lease 4 is held by two attempts"},
        {CHECK_TOKEN_UNNUMBERED, "UPDATE calls SET token = 5", "lease 5 was never given"},
        {CHECK_OUTCOMES, "UPDATE jobs SET rejected = 0, solved = 1", "the counters of outcomes"},
        {CHECK_SPEND, "UPDATE jobs SET cost_nusd = 8", "the counters of calls"},
        {CHECK_SPEND, "UPDATE calls SET input_tokens = 101", "the counters of calls"},
        {CHECK_CALL_TWICE,
         "UPDATE jobs SET calls = 2; INSERT INTO calls SELECT job, attempt_no, call_no, 2, stale,"
         " role, model, finish, input_tokens, cached_tokens, output_tokens, reasoning_tokens,"
         " cost_nusd, latency_ms, tries, created_ms, model_id, request_id, text,"
         " cache_write_tokens FROM calls",
         "attempt 1 has two answers to one call"},
        {CHECK_ORDER, "UPDATE problems SET seq = 3 WHERE seq = 2", "not numbered 1, 2, 3"},
        {CHECK_USAGE, "UPDATE usage SET output_tokens = 51", "not summed up as its ledger says"},
        {CHECK_REUSED, "UPDATE usage SET calls_reused = 1", "its reused calls"},
        {CHECK_EVENTS, "UPDATE events SET seq = 99 WHERE seq = 1", "event 99 has a number"},
        {CHECK_LENDING, "UPDATE jobs SET lent = 3", "lends 3 attempts, but no worker has it"},
        {CHECK_CANCELLING, "UPDATE jobs SET state = 'cancelling'", "but no worker has it"},
        {CHECK_BATCH, "INSERT INTO batch_calls VALUES (1, 3, 0, 9)", "attempt 3 awaits a batch"},
        {CHECK_HOME, "UPDATE jobs SET worker = 77", "at home with worker 77, which is none"},
    };
    bool shown[CHECKS] = {false};
    struct rig *r = *state;
    for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
        make_small_store(r);
        assert_int_equal(rig_check(r), ERR_OK);
        run_sql(r->path, damages[i].sql);
        assert_int_equal(rig_check(r), ERR_CORRUPT);
        if (strstr(r->detail.text, damages[i].found) == NULL) {
            fail_msg("\"%s\" was found as: %s", damages[i].sql, r->detail.text);
        }
        assert_non_null(strstr(r->detail.text, RIG_JOB));
        assert_int_equal(unlink(r->path), 0);
        shown[damages[i].check] = true;
    }
    for (int check = 0; check < CHECKS; check++) {
        assert_true(shown[check]); /* a new check wants a damage above */
    }
}

static void test_rows_that_cannot_be_are_reported_not_believed(void **state) {
    struct rig *r = *state;
    struct arena a;
    struct ledger_call *calls;
    struct store_reader *reader;
    struct job_row job;
    size_t n;
    arena_init(&a, 1 << 20);
    make_small_store(r);
    run_sql(r->path, "UPDATE calls SET role = 'clown'");
    assert_int_equal(rig_open(r), ERR_OK);
    assert_int_equal(rig_calls(r, 1, &a, &calls, &n), ERR_CORRUPT);
    assert_int_equal(rig_job_set(r, JOB_RUNNING, ""), ERR_OK); /* usable still */
    rig_close(r);
    run_sql(r->path, "UPDATE jobs SET state = 'asleep'");
    assert_int_equal(store_reader_open(r->path, &reader, NULL), ERR_OK);
    assert_int_equal(store_read_job(reader, NULL, &a, &job, NULL), ERR_CORRUPT);
    store_reader_close(reader);
    assert_int_equal(rig_open(r), ERR_OK);
    assert_int_equal(rig_job_set(r, JOB_RUNNING, ""), ERR_CORRUPT);
    arena_release(&a);
}

static void test_a_torn_page_is_found(void **state) {
    struct rig *r = *state;
    char noise[4096];
    make_small_store(r);
    memset(noise, 0xA5, sizeof noise);
    int fd = open(r->path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, noise, sizeof noise, 8192), sizeof noise);
    assert_int_equal(close(fd), 0);
    assert_int_equal(rig_check(r), ERR_CORRUPT);
}

#define FILE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        FILE_TEST(test_a_second_opener_is_told_who_has_the_store),
        FILE_TEST(test_a_lock_file_that_was_left_behind_is_no_lock),
        FILE_TEST(test_a_store_at_rest_is_one_file_readable_from_a_read_only_folder),
        FILE_TEST(test_a_reader_that_stays_does_not_keep_the_writer_from_closing),
        FILE_TEST(test_a_foreign_file_is_refused_and_left_as_it_is),
        FILE_TEST(test_a_newer_store_is_refused_and_left_as_it_is),
        FILE_TEST(test_an_empty_file_is_a_new_store_to_a_writer_and_nothing_to_a_reader),
        FILE_TEST(test_a_path_is_a_path_whatever_sqlite_would_make_of_it),
        FILE_TEST(test_a_folder_that_is_not_there_is_named),
        FILE_TEST(test_a_read_only_folder_or_file_is_said_to_be_so),
        FILE_TEST(test_a_file_size_limit_loses_nothing_and_can_be_lifted),
        FILE_TEST(test_a_full_disk_loses_nothing_and_is_usable_again_with_room),
        FILE_TEST(test_a_store_cannot_be_made_on_a_full_disk),
        FILE_TEST(test_a_store_is_set_aside_whole_under_the_first_free_name),
        FILE_TEST(test_a_foreign_file_can_be_set_aside_too),
        FILE_TEST(test_a_slow_reader_of_ours_does_not_make_the_log_grow),
        FILE_TEST(test_a_foreign_reader_that_stays_makes_the_log_grow_only_while_it_stays),
        FILE_TEST(test_a_check_finds_each_kind_of_damage),
        FILE_TEST(test_rows_that_cannot_be_are_reported_not_believed),
        FILE_TEST(test_a_torn_page_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
