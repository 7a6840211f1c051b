/* What a fleet would do, by discrete events: simulate_fleet [WORKERSxSLOTS]...
 *
 * The scheduler (core/sched) and the limiter (core/limit) are the real ones, in simulated time.
 * Around them: jobs at home with workers; attempts of up to four calls; a provider that keeps a
 * limit of requests a minute, and takes a while to answer; for each worker a store thread that
 * commits all that waits at once; a database of so many cores. What these cost is measured
 * elsewhere (docs/scaling.md) and stands in `costs`.
 *
 * One JSON line for each fleet. It says nothing about what is not modelled: locks that
 * transactions wait for, vacuum, networks that lose things, memory.
 */
#include "base/mem.h"
#include "base/rng.h"
#include "core/limit.h"
#include "core/sched.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOBS_A_WORKER 10 /* each with its part of the slots */
#define WARM_MS 300000
#define MEASURED_MS 60000
#define ANSWER_MS 20000.0 /* mean; half of it is the least */
#define FLUSH_LOGS 65536

/* Milliseconds. */
static const struct {
    double call_cpu;    /* of a worker's core */
    double commit_trip; /* journeys of a transaction, and its flush */
    double commit_cpu;  /* of the database, for a transaction, */
    double op_cpu;      /* and for each answer or end in it */
    double tick_cpu;    /* of the database, for a process that asks for news, beats, looks around */
    double tick_every;
} costs = {0.15, 3, 0.35, 0.13, 0.5, 250};

/* --- time */

enum what { ANSWERED, REFUSED, TRY, COMMITTED };

struct event {
    double at_ms;
    int32_t attempt; /* or the worker, of TRY and COMMITTED */
    enum what what;
};

static struct event *heap;
static size_t heap_n, heap_cap;
static double now_ms;
static struct rng rng;

static void swap(size_t a, size_t b) {
    struct event e = heap[a];
    heap[a] = heap[b];
    heap[b] = e;
}

static void plan(double in_ms, enum what what, int32_t whose) {
    if (heap_n == heap_cap) {
        heap_cap = MAX(2 * heap_cap, 1024);
        heap = mem_resize(heap, heap_cap, sizeof *heap);
    }
    size_t i = heap_n++;
    heap[i] = (struct event){now_ms + in_ms, whose, what};
    for (; i > 0 && heap[(i - 1) / 2].at_ms > heap[i].at_ms; i = (i - 1) / 2) {
        swap(i, (i - 1) / 2);
    }
}

static struct event next_event(void) {
    struct event first = heap[0];
    heap[0] = heap[--heap_n];
    for (size_t i = 0, least;; i = least) {
        least = i;
        for (size_t k = 2 * i + 1; k <= 2 * i + 2 && k < heap_n; k++) {
            least = heap[k].at_ms < heap[least].at_ms ? k : least;
        }
        if (least == i) {
            return first;
        }
        swap(i, least);
    }
}

static double chance(void) {
    return (double)rng_range(&rng, 0, 999999) / 1e6;
}

/* --- what there is */

struct attempt_now {
    int32_t job, next; /* in the queue that it waits in; -1: the last */
    enum attempt_stage stage;
    int64_t index;
    double since_ms; /* its answer waits for the commit */
    bool accepted, ends;
    struct limit_ticket ticket;
};

struct queue {
    int32_t first, last;
    int64_t n;
};

struct job_now {
    struct sched sched;
    int32_t worker;
};

struct worker_now {
    struct limit limit;
    struct queue calls;         /* wait for the limiter */
    struct queue done, commits; /* answers that wait for a commit / are in one */
    bool committing, trying;
    double core_free_ms;
};

static struct attempt_now *attempts;
static int32_t free_attempt = -1;
static struct job_now *jobs;
static struct worker_now *workers;
static int workers_n, jobs_n, slots; /* attempts in flight in a worker */
static double per_minute;
static double db_cores;
/* the provider's bucket: of a second's calls */
static double bucket, bucket_ms;
/* the database: when each of its cores is free */
static double *db_free_ms;
/* counted while measured */
static int64_t calls, refused, transactions, operations, in_flight, launched_n;
static double waited_ms[FLUSH_LOGS], db_busy_ms, core_busy_ms;
static size_t waited_n;
static const struct limit_cost call_cost = {2000, 1000};

static void queue_add(struct queue *q, int32_t a) {
    attempts[a].next = -1;
    if (q->n++ == 0) {
        q->first = a;
    } else {
        attempts[q->last].next = a;
    }
    q->last = a;
}

static int32_t queue_take(struct queue *q) {
    int32_t a = q->first;
    q->first = attempts[a].next;
    q->n--;
    return a;
}

static bool measured(void) {
    return now_ms >= WARM_MS;
}

/* --- the database */

/* When @cpu_ms of work that is handed in now are done: on the core that is free first. */
static double db_do(double cpu_ms) {
    int best = 0;
    for (int i = 1; i < (int)db_cores; i++) {
        best = db_free_ms[i] < db_free_ms[best] ? i : best;
    }
    db_free_ms[best] = fmax(db_free_ms[best], now_ms) + cpu_ms;
    db_busy_ms += measured() ? cpu_ms : 0;
    return db_free_ms[best] - now_ms;
}

static void commit(int32_t w) {
    struct worker_now *worker = &workers[w];
    if (worker->committing || worker->done.n == 0) {
        return;
    }
    worker->committing = true;
    worker->commits = worker->done;
    worker->done = (struct queue){-1, -1, 0};
    double cpu_ms = costs.commit_cpu + costs.op_cpu * (double)worker->commits.n;
    plan(costs.commit_trip + db_do(cpu_ms), COMMITTED, w);
    transactions += measured();
    operations += measured() ? worker->commits.n : 0;
}

/* --- the provider */

static void send(int32_t w, int32_t a) {
    struct worker_now *worker = &workers[w];
    limit_send(&worker->limit, (int64_t)now_ms, &call_cost, &attempts[a].ticket);
    worker->core_free_ms = fmax(worker->core_free_ms, now_ms) + costs.call_cpu;
    core_busy_ms += measured() ? costs.call_cpu : 0;
    double in_ms = worker->core_free_ms - now_ms;
    bucket = fmin(bucket + (now_ms - bucket_ms) * per_minute / 60000, per_minute / 60);
    bucket_ms = now_ms;
    bool fits = per_minute <= 0 || bucket >= 1;
    bucket -= fits;
    calls += measured();
    refused += measured() && !fits;
    in_flight++;
    plan(in_ms + (fits ? ANSWER_MS * (0.5 - 0.5 * log(1 - chance())) : 50),
         fits ? ANSWERED : REFUSED, a);
}

/* --- workers */

static void try_calls(int32_t w) {
    struct worker_now *worker = &workers[w];
    int64_t wait_ms = 0;
    while (worker->calls.n > 0 &&
           (wait_ms = limit_wait_ms(&worker->limit, (int64_t)now_ms, &call_cost)) == 0) {
        send(w, queue_take(&worker->calls));
    }
    if (worker->calls.n > 0 && !worker->trying) {
        worker->trying = true;
        plan((double)MAX(wait_ms, 1), TRY, w);
    }
}

static void launch(int32_t j) {
    struct job_now *job = &jobs[j];
    for (int64_t n = sched_launch_now(&job->sched, (int64_t)now_ms); n > 0; n--) {
        int32_t a = free_attempt;
        ASSERT(a >= 0); /* as many as slots */
        free_attempt = attempts[a].next;
        attempts[a] = (struct attempt_now){
            .job = j, .stage = ATTEMPT_STAGE_ENGINEER, .index = sched_launched(&job->sched)};
        queue_add(&workers[job->worker].calls, a);
        launched_n++;
    }
}

/* Four of five are valid, half of those are too hard; then a judge is asked. */
static void answered(int32_t a) {
    struct attempt_now *at = &attempts[a];
    int32_t w = jobs[at->job].worker;
    const struct call_usage usage = {.input_tokens = 500, .output_tokens = 500};
    at->ends = at->stage == ATTEMPT_STAGE_JUDGE ||
               (at->stage == ATTEMPT_STAGE_CHECK && chance() < 0.2) ||
               (at->stage == ATTEMPT_STAGE_TARGET && chance() < 0.5);
    at->accepted = at->stage == ATTEMPT_STAGE_JUDGE;
    at->since_ms = now_ms;
    in_flight--;
    limit_answered(&workers[w].limit, (int64_t)now_ms, &at->ticket, &usage);
    queue_add(&workers[w].done, a);
    commit(w);
    try_calls(w);
}

static void refused_call(int32_t a) {
    static const struct limit_words none;
    int32_t w = jobs[attempts[a].job].worker;
    in_flight--;
    limit_refused(&workers[w].limit, (int64_t)now_ms, &attempts[a].ticket, 1000, &none);
    queue_add(&workers[w].calls, a);
    try_calls(w);
}

static void go_on(int32_t a) {
    struct attempt_now *at = &attempts[a];
    struct job_now *job = &jobs[at->job];
    if (measured() && waited_n < FLUSH_LOGS) {
        waited_ms[waited_n++] = now_ms - at->since_ms;
    }
    if (!at->ends) {
        sched_moved(&job->sched, at->stage, at->stage + 1);
        at->stage++;
        queue_add(&workers[job->worker].calls, a);
        return;
    }
    sched_ended(&job->sched, at->index, at->stage,
                at->accepted                       ? OUTCOME_ACCEPTED
                : at->stage == ATTEMPT_STAGE_CHECK ? OUTCOME_REJECTED
                                                   : OUTCOME_SOLVED,
                NULL);
    at->next = free_attempt;
    free_attempt = a;
    launch((int32_t)(job - jobs));
}

static void committed(int32_t w) {
    struct queue q = workers[w].commits;
    workers[w].committing = false;
    while (q.n > 0) {
        go_on(queue_take(&q));
    }
    commit(w);
    try_calls(w);
}

/* --- a fleet */

static void set_up(void) {
    const struct limit_set set = {.per_minute = {[LIMIT_REQUESTS] = (int64_t)per_minute},
                                  .sharers = workers_n};
    struct job_spec spec = {.num_problems = INT64_C(1000000), .concurrency = slots / JOBS_A_WORKER};
    jobs_n = workers_n * JOBS_A_WORKER;
    workers = mem_new_array((size_t)workers_n, sizeof *workers);
    jobs = mem_new_array((size_t)jobs_n, sizeof *jobs);
    attempts = mem_new_array((size_t)workers_n * (size_t)slots, sizeof *attempts);
    db_free_ms = mem_new_array((size_t)db_cores, sizeof *db_free_ms);
    free_attempt = -1;
    for (int32_t i = 0; i < workers_n * slots; i++) {
        attempts[i].next = free_attempt;
        free_attempt = i;
    }
    heap_n = 0;
    now_ms = bucket_ms = 0;
    bucket = per_minute / 60;
    calls = refused = transactions = operations = in_flight = launched_n = 0;
    waited_n = 0;
    db_busy_ms = core_busy_ms = 0;
    for (int32_t w = 0; w < workers_n; w++) {
        limit_init(&workers[w].limit, LIMIT_AS_PRODUCED, &set);
        workers[w].calls = workers[w].done = (struct queue){-1, -1, 0};
    }
    for (int32_t j = 0; j < jobs_n; j++) {
        jobs[j].worker = j % workers_n;
        sched_init(&jobs[j].sched, &spec, 0, 0, 0);
        launch(j);
    }
    for (int32_t w = 0; w < workers_n; w++) {
        try_calls(w);
    }
}

static void tear_down(void) {
    free(workers);
    free(jobs);
    free(attempts);
    free(db_free_ms);
}

static void happen(struct event e) {
    switch (e.what) {
    case ANSWERED:
        answered(e.attempt);
        break;
    case REFUSED:
        refused_call(e.attempt);
        break;
    case TRY:
        workers[e.attempt].trying = false;
        try_calls(e.attempt);
        break;
    case COMMITTED:
        committed(e.attempt);
        break;
    }
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void tell(double flying) {
    double s = MEASURED_MS / 1000.0;
    double ticks = costs.tick_cpu * (double)workers_n / costs.tick_every;
    qsort(waited_ms, waited_n, sizeof waited_ms[0], by_size);
    (void)printf("{\"workers\":%d,\"slots\":%d,\"limit_rpm\":%.0f,\"database_cores\":%.0f,\"in_"
                 "flight\":%.0f,"
                 "\"calls_per_s\":%.0f,\"refused_percent\":%.3f,\"limit_used_percent\":%.1f,"
                 "\"worker_core_percent\":%.1f,\"transactions_per_s\":%.0f,\"answers_per_"
                 "transaction\":%.1f,\"database_cores_busy\":%.2f,\"commit_p50_ms\":%.1f,"
                 "\"commit_p99_ms\":%.1f}\n",
                 workers_n, slots, per_minute, db_cores, flying, (double)calls / s,
                 100 * (double)refused / (double)MAX(calls, 1),
                 per_minute > 0 ? 100 * (double)(calls - refused) / (per_minute / 60 * s) : 0,
                 100 * core_busy_ms / MEASURED_MS / workers_n, (double)transactions / s,
                 (double)operations / (double)MAX(transactions, 1),
                 db_busy_ms / MEASURED_MS + ticks, waited_n > 0 ? waited_ms[waited_n / 2] : 0,
                 waited_n > 0 ? waited_ms[waited_n * 99 / 100] : 0);
    (void)fflush(stdout);
}

static void run(int n, int each, double limit_rpm, double cores) {
    double flying = 0;
    int64_t samples = 0;
    workers_n = n;
    slots = each;
    per_minute = limit_rpm;
    db_cores = cores;
    set_up();
    while (heap_n > 0 && now_ms < WARM_MS + MEASURED_MS) {
        struct event e = next_event();
        now_ms = e.at_ms;
        happen(e);
        if (measured()) {
            flying += (double)in_flight;
            samples++;
        }
    }
    tell(flying / (double)MAX(samples, 1));
    tear_down();
}

int main(int argc, char **argv) {
    static const char *const usual[] = {"1x1000", "10x1000", "100x1000", "1000x1000", "100x10000"};
    size_t runs = argc > 1 ? (size_t)argc - 1 : ARRAY_LEN(usual);
    rng_init(&rng, 1);
    for (size_t i = 0; i < runs; i++) {
        int n = 0, each = 0;
        if (sscanf(argc > 1 ? argv[i + 1] : usual[i], "%dx%d", &n, &each) != 2 || n < 1 ||
            each < JOBS_A_WORKER || n > 5000 || each > 20000) {
            (void)fprintf(stderr,
                          "usage: simulate_fleet [WORKERSxSLOTS]... (1x10 to 5000x20000)\n");
            return 2;
        }
        run(n, each, 0, 4);               /* as much as goes, with a database of four cores */
        run(n, each, 0, 32);              /* of thirty-two */
        run(n, each, 1.0 * n * each, 32); /* a limit that is a third of that */
    }
    free(heap);
    return 0;
}
