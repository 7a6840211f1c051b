#include "contract/store_rig.h"

#include "contract/postgres_rig.h"

#include "base/clock.h"
#include "base/mem.h"

#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void rig_make_schema(struct rig *r) {
    static int schemas;
    char server[128], text[64];
    const struct postgres_rig *p = postgres_rig();
    (void)snprintf(r->schema, sizeof r->schema, "rig%d", ++schemas);
    (void)snprintf(text, sizeof text, "CREATE SCHEMA %s", r->schema);
    postgres_rig_url(p, NULL, server, sizeof server);
    (void)postgres_rig_ask(server, text);
    postgres_rig_url(p, r->schema, r->path, sizeof r->path);
}

static void rig_drop_schema(const struct rig *r) {
    char text[128];
    (void)snprintf(text, sizeof text, "SET client_min_messages = warning; DROP SCHEMA %s CASCADE",
                   r->schema);
    (void)postgres_rig_ask(r->path, text);
}

void rig_init(struct rig *r) {
    const char *backend = getenv("STUMPER_TEST_STORE");
    const char *tmp = getenv("TMPDIR");
    *r = (struct rig){0};
    (void)snprintf(r->folder, sizeof r->folder, "%s/store-XXXXXX", tmp != NULL ? tmp : "/tmp");
    ASSERT(mkdtemp(r->folder) != NULL);
    arena_init(&r->arena, 64 << 20);
    if (backend != NULL && strcmp(backend, "postgres") == 0) {
        rig_make_schema(r);
    } else {
        (void)snprintf(r->path, sizeof r->path, "%s/it.db", r->folder);
    }
}

void rig_release(struct rig *r) {
    if (r->store != NULL) {
        rig_close(r);
    }
    arena_release(&r->arena);
    if (r->schema[0] != '\0') {
        rig_drop_schema(r);
    }
    DIR *folder = opendir(r->folder);
    ASSERT(folder != NULL);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char path[512];
        (void)snprintf(path, sizeof path, "%s/%s", r->folder, entry->d_name);
        (void)unlink(path); /* "." and ".." stay */
    }
    (void)closedir(folder);
    ASSERT(rmdir(r->folder) == 0);
}

enum err rig_open(struct rig *r) {
    ASSERT(r->store == NULL);
    r->loop = loop_new();
    enum err e = store_open(r->path, NULL, &r->store, &r->detail);
    if (e != ERR_OK) {
        loop_free(r->loop);
        r->loop = NULL;
    }
    return e;
}

void rig_close(struct rig *r) {
    store_close(r->store);
    loop_run(r->loop); /* what was not answered yet */
    loop_free(r->loop);
    r->store = NULL;
    r->loop = NULL;
}

static int rig_set_up_as(void **state, bool pooled) {
    struct rig *r = mem_new(sizeof *r);
    rig_init(r);
    *state = r;
    (void)snprintf(r->direct, sizeof r->direct, "%s", r->path);
    if (pooled) {
        r->pooler = postgres_rig_pooler(postgres_rig(), r->schema, r->path, sizeof r->path);
    }
    return rig_open(r) == ERR_OK ? 0 : -1;
}

int rig_set_up(void **state) {
    return rig_set_up_as(state, false);
}

int rig_set_up_pooled(void **state) {
    return rig_set_up_as(state, true);
}

static void rig_end_pooler(struct rig *r) {
    if (r->store != NULL) {
        rig_close(r);
    }
    ASSERT(kill(r->pooler, SIGQUIT) == 0 && waitpid(r->pooler, NULL, 0) == r->pooler);
    (void)snprintf(r->path, sizeof r->path, "%s", r->direct);
}

int rig_tear_down(void **state) {
    struct rig *r = *state;
    if (r->pooler > 0) {
        rig_end_pooler(r);
    }
    enum err e = rig_check(r);
    if (e != ERR_OK) {
        (void)fprintf(stderr, "%s\n", r->detail.text);
    }
    rig_release(r);
    free(r);
    return e == ERR_OK ? 0 : -1;
}

void rig_succeed(struct rig *r) {
    rig_close(r);
    ASSERT(rig_open(r) == ERR_OK);
}

void rig_done(struct store_op *op) {
    (void)op; /* the loop ends by itself when nothing is under way */
}

enum err rig_wait(struct rig *r, const struct store_op *op) {
    loop_run(r->loop);
    r->detail = op->detail;
    return op->err;
}

bool rig_is_now(int64_t at_ms) {
    int64_t past_ms = clock_wall_ms() - at_ms;
    return -1000 < past_ms && past_ms < 60000;
}

enum err rig_submit(struct rig *r, int64_t wanted) {
    struct store_submit o = {
        .op = RIG_OP(r), .job_id = RIG_JOB, .spec = S("{\"num_problems\":7}"), .wanted = wanted};
    store_submit(r->store, &o);
    return rig_wait(r, &o.op);
}

enum err rig_claim(struct rig *r, int64_t n, int64_t attempts_max, struct lease *ret,
                   int64_t *ret_n) {
    struct store_claim o = {
        .op = RIG_OP(r), .job_id = RIG_JOB, .n = n, .attempts_max = attempts_max, .ret = ret};
    store_claim(r->store, &o);
    enum err e = rig_wait(r, &o.op);
    *ret_n = e == ERR_OK ? o.ret_n : 0;
    return e;
}

struct lease rig_claim_one(struct rig *r) {
    struct lease lease;
    int64_t n;
    ASSERT(rig_claim(r, 1, 0, &lease, &n) == ERR_OK && n == 1);
    return lease;
}

struct ledger_call rig_call(int64_t attempt_no, int64_t call_no, struct str text) {
    return (struct ledger_call){.attempt_no = attempt_no,
                                .call_no = call_no,
                                .role = ROLE_TARGET,
                                .model = S("lab/target"),
                                .created_ms = 2000,
                                .answer = {.text = text,
                                           .finish = CALL_FINISH_STOP,
                                           .usage = {100, 10, 50, 5, 20},
                                           .cost_nusd = 7,
                                           .latency_ms = 100,
                                           .tries = 1}};
}

enum err rig_record(struct rig *r, struct lease lease, int64_t call_no, struct str text) {
    struct ledger_call call = rig_call(lease.attempt_no, call_no, text);
    struct store_record o = {.op = RIG_OP(r), .job_id = RIG_JOB, .lease = lease, .call = &call};
    store_record(r->store, &o);
    return rig_wait(r, &o.op);
}

enum err rig_finish(struct rig *r, struct lease lease, enum outcome outcome,
                    enum outcome *ret_outcome) {
    char id[32];
    (void)snprintf(id, sizeof id, "p%" PRId64, lease.attempt_no);
    struct problem problem = {.outcome = outcome,
                              .problem = S("Find $x$."),
                              .answer = S("1"),
                              .cost_nusd = 7,
                              .hash = 1000 + (uint64_t)lease.attempt_no};
    struct store_finish o = {
        .op = RIG_OP(r),
        .job_id = RIG_JOB,
        .lease = lease,
        .problem = &problem,
        .ids = {.id = id, .job_id = RIG_JOB, .attempt = lease.attempt_no, .created_ms = 3000}};
    store_finish(r->store, &o);
    enum err e = rig_wait(r, &o.op);
    if (e == ERR_OK && ret_outcome != NULL) {
        *ret_outcome = o.ret_outcome;
    }
    return e;
}

enum err rig_release_leases(struct rig *r, const struct lease *leases, size_t n) {
    struct store_release o = {.op = RIG_OP(r), .job_id = RIG_JOB, .leases = leases, .n = n};
    store_release(r->store, &o);
    return rig_wait(r, &o.op);
}

enum err rig_job_set(struct rig *r, enum job_state state, const char *reason) {
    struct store_job_set o = {
        .op = RIG_OP(r), .job_id = RIG_JOB, .state = state, .reason = str_of(reason)};
    store_job_set(r->store, &o);
    return rig_wait(r, &o.op);
}

enum err rig_calls(struct rig *r, int64_t attempt_no, struct arena *a, struct ledger_call **ret,
                   size_t *ret_n) {
    struct store_calls o = {.op = RIG_OP(r), .job_id = RIG_JOB, .attempt_no = attempt_no, .a = a};
    store_calls(r->store, &o);
    enum err e = rig_wait(r, &o.op);
    *ret = e == ERR_OK ? o.ret : NULL;
    *ret_n = e == ERR_OK ? o.ret_n : 0;
    return e;
}

struct job_row rig_job(struct rig *r, struct arena *a) {
    struct store_reader *reader;
    struct job_row row;
    ASSERT(store_reader_open(r->path, &reader, &r->detail) == ERR_OK);
    ASSERT(store_read_job(reader, RIG_JOB, a, &row, &r->detail) == ERR_OK);
    store_reader_close(reader);
    return row;
}

enum err rig_check(struct rig *r) {
    struct store_reader *reader;
    enum err e = store_reader_open(r->path, &reader, &r->detail);
    if (e == ERR_OK) {
        e = store_check(reader, &r->detail);
        store_reader_close(reader);
    }
    return e;
}
