/* How fast a store is, in one process: bench_store FOLDER [JOBS] prints one JSON line per
 * measurement. FOLDER must be on the disk to be measured: every submit waits for an fsync.
 *
 * submit    JOBS orders, so many in flight, each with an idempotency key and the built-in
 *           taxonomy, as the service sends them
 * record    answers of 1 KB, so many in flight
 * get, list, runnable   one at a time on the reading thread, with JOBS jobs stored
 */
#include "base/clock.h"
#include "base/mem.h"
#include "core/builtin.h"
#include "store/store_job.h"
#include "store/store_read.h"
#include "store/store_work.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct loop *loop;
static struct store *store;
static char spec_text[600], answer_text[1024];

/* A measurement: @n operations, each slot begins the next one when it is answered. */
struct run {
    const char *name;
    int64_t n, begun, ended;
    int64_t *us; /* of each operation */
    void (*begin)(struct run *r, int slot);
    struct slot {
        struct run *run;
        int no;
        int64_t began_us;
        union {
            struct store_op op;
            struct store_submit submit;
            struct store_claim claim;
            struct store_record record;
            struct store_get_job get;
            struct store_list_jobs list;
            struct store_runnable runnable;
        };
        char job_id[STORE_ID_BYTES], idem_key[STORE_ID_BYTES];
        struct lease lease;
        struct ledger_call call;
        struct arena arena;
    } * slots;
};

static void slot_next(struct slot *s) {
    struct run *r = s->run;
    if (r->begun < r->n) {
        s->no = (int)r->begun++;
        s->began_us = clock_mono_us();
        r->begin(r, (int)(s - r->slots));
    }
}

static void slot_done(struct store_op *op) {
    struct slot *s = CONTAINER_OF(op, struct slot, op);
    ASSERT(op->err == ERR_OK);
    s->run->us[s->no] = clock_mono_us() - s->began_us;
    s->run->ended++;
    slot_next(s);
}

#define OP                                                                                         \
    { .loop = loop, .done = slot_done }

static int order(const void *x, const void *y) {
    const int64_t *a = x, *b = y;
    return (*a > *b) - (*a < *b);
}

static void measure(const char *name, int64_t n, int in_flight,
                    void (*begin)(struct run *r, int slot)) {
    struct run r = {.name = name,
                    .n = n,
                    .begin = begin,
                    .us = mem_new_array((size_t)n, sizeof *r.us),
                    .slots = mem_new_array((size_t)in_flight, sizeof *r.slots)};
    int64_t began_us = clock_mono_us();
    for (int i = 0; i < in_flight; i++) {
        r.slots[i].run = &r;
        arena_init(&r.slots[i].arena, 64 << 20);
        slot_next(&r.slots[i]);
    }
    loop_run(loop);
    int64_t took_us = clock_mono_us() - began_us;
    ASSERT(r.ended == n);
    qsort(r.us, (size_t)n, sizeof *r.us, order);
    (void)printf("{\"what\":\"%s\",\"n\":%" PRId64 ",\"in_flight\":%d,\"per_second\":%" PRId64
                 ",\"p50_us\":%" PRId64 ",\"p99_us\":%" PRId64 ",\"max_us\":%" PRId64 "}\n",
                 name, n, in_flight, n * 1000000 / took_us, r.us[n / 2], r.us[n * 99 / 100],
                 r.us[n - 1]);
    for (int i = 0; i < in_flight; i++) {
        arena_release(&r.slots[i].arena);
    }
    free(r.slots);
    free(r.us);
}

static int64_t submitted;

static void begin_submit(struct run *r, int slot) {
    struct slot *s = &r->slots[slot];
    (void)snprintf(s->job_id, sizeof s->job_id, "job_%020" PRId64, ++submitted);
    (void)snprintf(s->idem_key, sizeof s->idem_key, "%" PRIu64 "-%" PRId64,
                   str_hash(str_of(s->job_id)), submitted);
    s->submit = (struct store_submit){.op = OP,
                                      .job_id = s->job_id,
                                      .tenant = 1 + submitted % 10,
                                      .spec = {spec_text, sizeof spec_text},
                                      .taxonomy = builtin_taxonomy(),
                                      .wanted = 100,
                                      .idem_key = str_of(s->idem_key),
                                      .fingerprint = S("0123456789abcdef0123456789abcdef")};
    store_submit(store, &s->submit);
}

static void begin_record(struct run *r, int slot) {
    struct slot *s = &r->slots[slot];
    s->call = (struct ledger_call){.attempt_no = s->no / 4 % 500 + 1,
                                   .call_no = s->no,
                                   .role = ROLE_TARGET,
                                   .model = S("lab/target"),
                                   .created_ms = clock_wall_ms(),
                                   .answer = {.text = {answer_text, sizeof answer_text},
                                              .usage = {1000, 0, 500, 0, 0},
                                              .cost_nusd = 7,
                                              .tries = 1}};
    s->record = (struct store_record){.op = OP,
                                      .job_id = "job_00000000000000000001",
                                      .lease = {s->call.attempt_no, s->call.attempt_no, 0},
                                      .call = &s->call};
    store_record(store, &s->record);
}

static const char *any_job(struct slot *s) {
    int64_t no =
        (int64_t)(str_hash((struct str){(const char *)&s->no, sizeof s->no}) % (uint64_t)submitted);
    (void)snprintf(s->job_id, sizeof s->job_id, "job_%020" PRId64, no + 1);
    return s->job_id;
}

static void begin_get(struct run *r, int slot) {
    struct slot *s = &r->slots[slot];
    arena_reset(&s->arena);
    s->get = (struct store_get_job){
        .op = OP, .job_id = any_job(s), .tenant = STORE_TENANT_ANY, .a = &s->arena};
    store_get_job(store, &s->get);
}

static void begin_list(struct run *r, int slot) {
    struct slot *s = &r->slots[slot];
    arena_reset(&s->arena);
    s->list = (struct store_list_jobs){
        .op = OP, .tenant = 1 + s->no % 10, .state = JOB_QUEUED, .limit = 20, .a = &s->arena};
    store_list_jobs(store, &s->list);
}

static void begin_runnable(struct run *r, int slot) {
    static struct runnable_row rows[STORE_RUNNABLE_MAX];
    struct slot *s = &r->slots[slot];
    s->runnable = (struct store_runnable){.op = OP, .each_max = 10, .ret = rows};
    store_runnable(store, &s->runnable);
}

static void claim_done(struct store_op *op) {
    ASSERT(op->err == ERR_OK);
}

static void claim_attempts(void) {
    static struct lease leases[500];
    struct store_claim o = {.op = {.loop = loop, .done = claim_done},
                            .job_id = "job_00000000000000000001",
                            .n = 500,
                            .ret = leases};
    store_claim(store, &o);
    loop_run(loop);
}

int main(int argc, char **argv) {
    char path[4096];
    struct errinfo why = {0};
    int64_t jobs = argc > 2 ? atoll(argv[2]) : 100000;
    if (argc < 2 || jobs < 1000) {
        (void)fprintf(stderr, "usage: bench_store FOLDER|postgresql://… [JOBS]\n");
        return 2;
    }
    bool is_server = store_is_server(argv[1]);
    (void)snprintf(path, sizeof path, "%s%s", argv[1], is_server ? "" : "/bench.db");
    memset(spec_text, 's', sizeof spec_text);
    memset(answer_text, 'a', sizeof answer_text);
    loop = loop_new();
    if (store_open(path, NULL, &store, &why) != ERR_OK) {
        (void)fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    measure("submit", 1000, 1, begin_submit);
    measure("submit", jobs / 2, 64, begin_submit);
    measure("submit", jobs / 2, 256, begin_submit);
    claim_attempts();
    measure("record", 1000, 1, begin_record);
    measure("record", 50000, 256, begin_record);
    measure("get", 50000, 1, begin_get);
    measure("get", 50000, 64, begin_get);
    measure("list", 5000, 1, begin_list);
    measure("runnable", 1000, 1, begin_runnable);
    store_close(store);
    loop_free(loop);
    return 0;
}
