/* How fast a server's store is when several processes have it: bench_fleet postgresql://… [STORES]
 * [SECONDS] [WORKERS] prints a JSON line. Each store is as a process has it, with connections and
 * threads of its own, a worker, eight jobs at home, and 64 operations in flight.
 *
 * claim   one attempt of a job
 * finish  it, with a last call of 1 KB and an accepted problem
 * beat    of one of WORKERS that share a limit, each claiming its part; one in flight a store, as a
 *         worker's process has it
 */
#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"
#include "store/store_job.h"
#include "store/store_work.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 64, JOBS = 8, LEASES_MAX = 1 << 18, SHARERS_MAX = 10000 };

static char answer_text[1024];

struct given {
    int job;
    struct lease lease;
};

struct party {
    const char *path;
    int64_t ms;
    pthread_t thread;
    struct loop *loop;
    struct store *store;
    int64_t worker, until_ms, claims, finishes, beats, claim_ms, finish_ms, beat_ms;
    int64_t *sharers; /* workers that share a limit */
    int64_t sharers_n;
    struct store_beat beat;
    struct store_part part;
    char jobs[JOBS][STORE_ID_BYTES];
    struct given *given; /* claimed, not finished yet */
    size_t given_n;
    struct slot {
        struct party *party;
        struct store_claim claim;
        struct store_finish finish;
        struct given given;
        struct ledger_call call;
        struct problem problem;
        char id[ID_BYTES];
    } slots[SLOTS];
};

static void nothing(struct store_op *op) {
    ASSERT(op->err == ERR_OK);
}

#define OP(p, fn)                                                                                  \
    { .loop = (p)->loop, .done = fn }

static void claim(struct slot *s);

static void claimed(struct store_op *op) {
    struct slot *s = CONTAINER_OF(op, struct slot, claim.op);
    struct party *p = s->party;
    ASSERT(op->err == ERR_OK && s->claim.ret_n == 1);
    p->claims++;
    p->given[p->given_n++] = s->given;
    claim(s);
}

static void claim(struct slot *s) {
    struct party *p = s->party;
    if (clock_mono_ms() >= p->until_ms || p->given_n + SLOTS > LEASES_MAX) {
        return;
    }
    s->given.job = (s->given.job + 1) % JOBS;
    s->claim = (struct store_claim){.op = OP(p, claimed),
                                    .job_id = p->jobs[s->given.job],
                                    .worker = p->worker,
                                    .n = 1,
                                    .ret = &s->given.lease};
    store_claim(p->store, &s->claim);
}

static void finish(struct slot *s);

static void finished(struct store_op *op) {
    struct slot *s = CONTAINER_OF(op, struct slot, finish.op);
    ASSERT(op->err == ERR_OK);
    s->party->finishes++;
    finish(s);
}

static void finish(struct slot *s) {
    struct party *p = s->party;
    if (clock_mono_ms() >= p->until_ms || p->given_n == 0) {
        return;
    }
    s->given = p->given[--p->given_n];
    s->call = (struct ledger_call){.attempt_no = s->given.lease.attempt_no,
                                   .call_no = 3,
                                   .role = ROLE_TARGET,
                                   .model = S("lab/target"),
                                   .created_ms = clock_wall_ms(),
                                   .answer = {.text = {answer_text, sizeof answer_text},
                                              .usage = {1000, 0, 500, 0, 0},
                                              .cost_nusd = 7,
                                              .tries = 1}};
    s->problem = (struct problem){.outcome = OUTCOME_ACCEPTED, .problem = S("?"), .answer = S("1")};
    id_new("p", s->id);
    s->finish = (struct store_finish){.op = OP(p, finished),
                                      .job_id = p->jobs[s->given.job],
                                      .lease = s->given.lease,
                                      .call = &s->call,
                                      .problem = &s->problem,
                                      .ids = {.id = s->id,
                                              .job_id = p->jobs[s->given.job],
                                              .attempt = s->given.lease.attempt_no}};
    store_finish(p->store, &s->finish);
}

static void beat(struct party *p);

static void beaten(struct store_op *op) {
    struct party *p = CONTAINER_OF(op, struct party, beat.op);
    ASSERT(op->err == ERR_OK);
    p->beats++;
    beat(p);
}

static void beat(struct party *p) {
    if (clock_mono_ms() >= p->until_ms) {
        return;
    }
    p->part = (struct store_part){.name = "lab/target#1", .demand = SLOTS};
    p->beat = (struct store_beat){.op = OP(p, beaten),
                                  .worker = p->sharers[p->beats % p->sharers_n],
                                  .parts = &p->part,
                                  .parts_n = 1};
    store_beat(p->store, &p->beat);
}

static int64_t join(struct party *p) {
    struct store_join o = {.op = OP(p, nothing), .name = S("bench"), .slots = SLOTS};
    store_join(p->store, &o);
    loop_run(p->loop);
    return o.ret_worker;
}

static void settle(struct party *p) {
    p->worker = join(p);
    p->sharers = mem_new_array((size_t)p->sharers_n, sizeof *p->sharers);
    for (int64_t i = 0; i < p->sharers_n; i++) {
        p->sharers[i] = join(p);
    }
    for (int i = 0; i < JOBS; i++) {
        id_new("job", p->jobs[i]);
        struct store_submit submit = {.op = OP(p, nothing),
                                      .job_id = p->jobs[i],
                                      .tenant = 1 + i % 2,
                                      .spec = S("{}"),
                                      .wanted = 1000000};
        store_submit(p->store, &submit);
        loop_run(p->loop);
        struct arena a;
        arena_init(&a, (size_t)1 << 20);
        struct store_take take = {
            .op = OP(p, nothing), .job_id = p->jobs[i], .worker = p->worker, .a = &a};
        store_take(p->store, &take);
        loop_run(p->loop);
        arena_release(&a);
    }
}

static void *work(void *ctx) {
    struct party *p = ctx;
    int64_t began_ms = clock_mono_ms();
    p->until_ms = began_ms + p->ms;
    for (int i = 0; i < SLOTS; i++) {
        p->slots[i].party = p;
        p->slots[i].given.job = i % JOBS;
        claim(&p->slots[i]);
    }
    loop_run(p->loop);
    p->claim_ms = clock_mono_ms() - began_ms;
    began_ms = clock_mono_ms();
    p->until_ms = began_ms + p->ms;
    for (int i = 0; i < SLOTS; i++) {
        finish(&p->slots[i]);
    }
    loop_run(p->loop);
    p->finish_ms = clock_mono_ms() - began_ms;
    began_ms = clock_mono_ms();
    p->until_ms = began_ms + p->ms;
    beat(p);
    loop_run(p->loop);
    p->beat_ms = clock_mono_ms() - began_ms;
    return NULL;
}

static double per_second(int64_t n, int64_t ms) {
    return (double)n * 1000.0 / (double)MAX(ms, INT64_C(1));
}

int main(int argc, char **argv) {
    int64_t stores = argc > 2 ? atoll(argv[2]) : 1, seconds = argc > 3 ? atoll(argv[3]) : 5;
    int64_t sharers = argc > 4 ? atoll(argv[4]) : stores;
    double claims = 0, finishes = 0, beats = 0;
    struct errinfo why = {0};
    if (argc < 2 || stores < 1 || stores > 64 || seconds < 1 || sharers < stores ||
        sharers > SHARERS_MAX) {
        (void)fprintf(stderr, "usage: bench_fleet postgresql://… [STORES] [SECONDS] [WORKERS]\n");
        return 2;
    }
    struct party *parties = mem_new_array((size_t)stores, sizeof *parties);
    memset(answer_text, 'a', sizeof answer_text);
    for (struct party *p = parties; p < parties + stores; p++) {
        *p = (struct party){.path = argv[1],
                            .ms = seconds * 1000,
                            .loop = loop_new(),
                            .sharers_n = sharers / stores};
        p->given = mem_new_array(LEASES_MAX, sizeof *p->given);
        if (store_open(p->path, NULL, &p->store, &why) != ERR_OK) {
            (void)fprintf(stderr, "%s\n", why.text);
            return 1;
        }
        settle(p);
    }
    for (struct party *p = parties; p < parties + stores; p++) {
        ASSERT(pthread_create(&p->thread, NULL, work, p) == 0);
    }
    for (struct party *p = parties; p < parties + stores; p++) {
        ASSERT(pthread_join(p->thread, NULL) == 0);
        claims += per_second(p->claims, p->claim_ms);
        finishes += per_second(p->finishes, p->finish_ms);
        beats += per_second(p->beats, p->beat_ms);
    }
    (void)printf("{\"stores\":%" PRId64 ",\"claims_per_second\":%.0f,\"finishes_per_second\":%.0f"
                 ",\"workers\":%" PRId64 ",\"beats_per_second\":%.0f}\n",
                 stores, claims, finishes, sharers, beats);
    for (struct party *p = parties; p < parties + stores; p++) {
        store_close(p->store);
        loop_run(p->loop);
        loop_free(p->loop);
        free(p->given);
        free(p->sharers);
    }
    free(parties);
    return 0;
}
