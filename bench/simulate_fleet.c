/* What a fleet would do, by discrete events: simulate_fleet [WORKERSxSLOTS]...
 *
 * The scheduler (core/sched), the limiter (core/limit), whose turn it is (core/turn) and the parts
 * of limits (core/part) are the real ones, in simulated time. Around them: workers, who come within
 * ten seconds, with jobs at home; attempts of up to four calls; a provider that keeps a limit of
 * requests a minute, and takes a while to answer; for each worker a store thread that commits all
 * that waits at once; beats, which claim a part of the limit as worker/worker.c has it; a database
 * of so many cores, where one transaction that claims waits for the other. What these cost is
 * measured elsewhere (docs/scaling.md) and stands in `costs`.
 *
 * One JSON line for each fleet; it fails if the parts in use are ever more than the limit, or if
 * more than REFUSED_MAX is refused or less than USED_MIN of the limit used. It says nothing about
 * what is not modelled: other locks that transactions wait for, attempts that are lent, deaths,
 * vacuum, networks that lose things, memory.
 */
#include "base/mem.h"
#include "base/rng.h"
#include "core/limit.h"
#include "core/part.h"
#include "core/sched.h"
#include "core/turn.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define JOBS_A_WORKER 10 /* each with its part of the slots */
#define COME_MS 10000.0
#define SHIFT_MS 60000.0 /* how often a worker has other jobs, where demand is uneven */
#define WARM_MS 300000
#define MEASURED_MS 60000
#define ANSWER_MS 20000.0 /* mean; half of it is the least */
#define REFUSAL_MS 50.0
#define REFUSED_MAX 1.0 /* percent */
#define USED_MIN 90.0
#define SAMPLES_MAX 65536
/* As in worker/worker.c. */
#define BEAT_MS 5000.0

/* Milliseconds. */
static const struct {
    double call_cpu;    /* of a worker's core */
    double commit_trip; /* journeys of a transaction, and its flush */
    double commit_cpu;  /* of the database, for a transaction, */
    double op_cpu;      /* for each answer or end in it, */
    double claim_cpu;   /* for a claim of a part, … */
    double claim_row;   /* … for each worker, too */
    double tick_cpu;    /* and for a process that asks for news and looks around */
    double tick_every;
} costs = {0.15, 3, 0.35, 0.13, 0.6, 0.0003, 0.5, 250};

/* --- time */

enum what { ANSWERED, REFUSED, COMES, TRY, BEAT, COMMITTED, SHIFT, SECOND };

struct event {
    double at_ms;
    int32_t whose; /* an attempt's, of ANSWERED and REFUSED; or a worker's */
    enum what what;
};

static struct event *heap;
static size_t heap_n, heap_cap;
static double now_ms;
static struct rng rng;

static void plan(double in_ms, enum what what, int32_t whose) {
    struct event e = {now_ms + in_ms, whose, what};
    if (heap_n == heap_cap) {
        heap_cap = MAX(2 * heap_cap, 1024);
        heap = mem_resize(heap, heap_cap, sizeof *heap);
    }
    size_t i = heap_n++;
    for (; i > 0 && heap[(i - 1) / 2].at_ms > e.at_ms; i = (i - 1) / 2) {
        heap[i] = heap[(i - 1) / 2];
    }
    heap[i] = e;
}

static struct event next_event(void) {
    struct event first = heap[0], last = heap[--heap_n];
    size_t i = 0, k;
    while ((k = 2 * i + 1) < heap_n) {
        k += k + 1 < heap_n && heap[k + 1].at_ms < heap[k].at_ms;
        if (heap[k].at_ms >= last.at_ms) {
            break;
        }
        heap[i] = heap[k];
        i = k;
    }
    heap[i] = last;
    return first;
}

/* --- what there is */

struct attempt_now {
    int32_t job, next; /* in the queue that it waits in; -1: the last */
    enum attempt_stage stage;
    int64_t index;
    int64_t joined;  /* its queue */
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
    struct queue calls[ATTEMPT_STAGES]; /* wait for the limiter */
    struct turn turn;
    int64_t joined;
    struct queue done, commits; /* answers that wait for a commit / are in one */
    bool committing, beating;   /* a beat waits for a commit … */
    bool beats, claims;         /* … / is in the one under way, and claims */
    double beat_ms, asked_ms;   /* the last one was wanted / begun */
    int64_t demand, held;       /* as it said */
    double beat_due_ms, try_due_ms;
    double core_free_ms;
    int32_t jobs; /* that have work now, the first of its own */
};

/* What the store keeps of a part. In billionths, as there. */
#define WHOLE INT64_C(1000000000)
struct row {
    int64_t counted, demand;
    double until_ms; /* 0: there is no row */
};

static struct attempt_now *attempts;
static int32_t free_attempt;
static struct job_now *jobs;
static struct worker_now *workers;
static struct row *rows;
static int workers_n, slots; /* attempts in flight in a worker */
static double per_minute;
static bool uneven;
/* the provider's bucket: of a second's calls */
static double bucket, bucket_ms;
/* the database: when each of its cores is free; who claims, and who waits to */
static double *db_free_ms, db_cores, ticks_busy; /* cores, with what all processes ask for */
static int32_t *line;                            /* a ring of all workers; its head claims */
static int line_first, line_n;
static double line_since_ms;
static const struct limit_cost call_cost = {2000, 1000};

/* Milliseconds, a sample of them. */
struct times {
    double ms[SAMPLES_MAX];
    size_t n, seen;
};

/* counted while measured */
static struct counted {
    int64_t calls, refused, transactions, operations, claims;
    double db_busy_ms, core_busy_ms, line_ms, flying_ms;
    double most_used; /* of the limit, by the parts; since the beginning */
    struct times commit, claim;
} is;
static int64_t in_flight;

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

static void note(struct times *t, double ms) {
    if (!measured()) {
        return;
    }
    size_t at = t->n < SAMPLES_MAX ? t->n++ : (size_t)rng_below(&rng, t->seen + 1);
    t->seen++;
    if (at < SAMPLES_MAX) {
        t->ms[at] = ms;
    }
}

/* --- the database */

/* When @cpu_ms of work that is handed in now are done: on the core that is free first. */
static double db_do(double cpu_ms) {
    double slowed_ms = cpu_ms * db_cores / (db_cores - ticks_busy);
    int best = 0;
    for (int i = 1; i < (int)db_cores; i++) {
        best = db_free_ms[i] < db_free_ms[best] ? i : best;
    }
    db_free_ms[best] = fmax(db_free_ms[best], now_ms) + slowed_ms;
    is.db_busy_ms += measured() ? cpu_ms : 0;
    return db_free_ms[best] - now_ms;
}

static void run_transaction(int32_t w) {
    const struct worker_now *worker = &workers[w];
    double cpu_ms = costs.commit_cpu + costs.op_cpu * (double)worker->commits.n;
    if (worker->claims) {
        cpu_ms += costs.claim_cpu + costs.claim_row * workers_n;
        line_since_ms = fmax(now_ms, WARM_MS);
    }
    plan(costs.commit_trip + db_do(cpu_ms), COMMITTED, w);
}

static int64_t waiting(const struct worker_now *worker) {
    int64_t n = 0;
    for (int i = 0; i < ATTEMPT_STAGES; i++) {
        n += worker->calls[i].n;
    }
    return n;
}

/* All that waits; llm/parts.c says what is claimed. */
static void commit(int32_t w) {
    struct worker_now *worker = &workers[w];
    if (worker->committing || (worker->done.n == 0 && !worker->beating)) {
        return;
    }
    worker->committing = true;
    worker->commits = worker->done;
    worker->done = (struct queue){-1, -1, 0};
    worker->beats = worker->beating;
    worker->beating = false;
    is.transactions += measured();
    is.operations += measured() ? worker->commits.n : 0;
    if (worker->claims) {
        line[(line_first + line_n++) % workers_n] = w;
    }
    if (!worker->claims || line_n == 1) {
        run_transaction(w);
    }
}

/* --- the provider */

static void send(int32_t w, int32_t a) {
    struct worker_now *worker = &workers[w];
    limit_send(&worker->limit, (int64_t)now_ms, &call_cost, &attempts[a].ticket);
    worker->core_free_ms = fmax(worker->core_free_ms, now_ms) + costs.call_cpu;
    is.core_busy_ms += measured() ? costs.call_cpu : 0;
    double in_ms = worker->core_free_ms - now_ms;
    bucket = fmin(bucket + (now_ms - bucket_ms) * per_minute / 60000, per_minute / 60);
    bucket_ms = now_ms;
    bool fits = per_minute <= 0 || bucket >= 1;
    bucket -= fits;
    is.calls += measured();
    is.refused += measured() && !fits;
    in_flight++;
    plan(in_ms + (fits ? ANSWER_MS * (0.5 - 0.5 * log(1 - rng_unit(&rng))) : REFUSAL_MS),
         fits ? ANSWERED : REFUSED, a);
}

/* --- workers: calls */

static void ask(int32_t w, int32_t a) {
    attempts[a].joined = workers[w].joined++;
    queue_add(&workers[w].calls[attempts[a].stage], a);
}

static struct queue *whose_turn(struct worker_now *worker) {
    int64_t oldest[ATTEMPT_STAGES];
    for (int i = 0; i < ATTEMPT_STAGES; i++) {
        const struct queue *q = &worker->calls[i];
        oldest[i] = q->n > 0 ? attempts[q->first].joined : -1;
    }
    size_t next = turn_next(&worker->turn, oldest, ATTEMPT_STAGES);
    return next == TURN_NOBODY ? NULL : &worker->calls[next];
}

static void plan_beat(int32_t w, double in_ms) {
    workers[w].beat_due_ms = now_ms + in_ms;
    plan(in_ms, BEAT, w);
}

static bool is_asking(const struct worker_now *worker) {
    return worker->beating || worker->beats;
}

/* The next beat comes @ms after the last. */
static void beat_within(int32_t w, double ms) {
    double in_ms = fmax(ms - (now_ms - workers[w].beat_ms), 0);
    if (!is_asking(&workers[w]) && workers[w].beat_due_ms > now_ms + in_ms) {
        plan_beat(w, in_ms);
    }
}

static void try_calls(int32_t w) {
    struct worker_now *worker = &workers[w];
    struct queue *q;
    while ((q = whose_turn(worker)) != NULL) {
        int64_t wait_ms = limit_wait_ms(&worker->limit, (int64_t)now_ms, &call_cost);
        if (wait_ms > 0) {
            if (worker->limit.part <= 0) {
                beat_within(w, (double)part_claim_soon_ms(workers_n - 1));
            }
            if (worker->try_due_ms <= now_ms || worker->try_due_ms > now_ms + (double)wait_ms) {
                worker->try_due_ms = now_ms + (double)wait_ms;
                plan((double)wait_ms, TRY, w);
            }
            return;
        }
        send(w, queue_take(q));
        turn_use(&worker->turn);
    }
}

static void launch(int32_t j) {
    struct job_now *job = &jobs[j];
    int32_t w = job->worker;
    if (j / workers_n >= workers[w].jobs) {
        return;
    }
    for (int64_t n = sched_launch_now(&job->sched, (int64_t)now_ms); n > 0; n--) {
        int32_t a = free_attempt;
        ASSERT(a >= 0); /* as many as slots */
        free_attempt = attempts[a].next;
        attempts[a] = (struct attempt_now){
            .job = j, .stage = ATTEMPT_STAGE_ENGINEER, .index = sched_launched(&job->sched)};
        ask(w, a);
    }
}

/* It has other jobs: how many is drawn, where demand is uneven. */
static void shift(int32_t w) {
    workers[w].jobs = uneven ? (int32_t)rng_range(&rng, 0, JOBS_A_WORKER) : JOBS_A_WORKER;
    for (int32_t i = 0; i < workers[w].jobs; i++) {
        launch(i * workers_n + w);
    }
    if (workers[w].jobs > 0) {
        beat_within(w, (double)part_claim_every_ms(workers_n - 1));
    }
    try_calls(w);
    if (uneven) {
        plan(SHIFT_MS, SHIFT, w);
    }
}

static void replied(int32_t w, int32_t a) {
    static const struct limit_told nothing;
    in_flight--;
    limit_tell(&workers[w].limit, (int64_t)now_ms, &attempts[a].ticket, &nothing);
}

/* Four of five are valid, half of those are too hard; then a judge is asked. */
static void answered(int32_t a) {
    struct attempt_now *at = &attempts[a];
    int32_t w = jobs[at->job].worker;
    const struct call_usage usage = {.input_tokens = 500, .output_tokens = 500};
    at->ends = at->stage == ATTEMPT_STAGE_JUDGE ||
               (at->stage == ATTEMPT_STAGE_CHECK && rng_chance(&rng, 0.2)) ||
               (at->stage == ATTEMPT_STAGE_TARGET && rng_chance(&rng, 0.5));
    at->accepted = at->stage == ATTEMPT_STAGE_JUDGE;
    at->since_ms = now_ms;
    replied(w, a);
    limit_answered(&workers[w].limit, (int64_t)now_ms, &at->ticket, &usage);
    queue_add(&workers[w].done, a);
    commit(w);
    try_calls(w);
}

static void refused(int32_t a) {
    static const struct limit_words none;
    int32_t w = jobs[attempts[a].job].worker;
    replied(w, a);
    limit_refused(&workers[w].limit, (int64_t)now_ms, &attempts[a].ticket, 1000, &none);
    ask(w, a);
    try_calls(w);
}

static void go_on(int32_t a) {
    struct attempt_now *at = &attempts[a];
    struct job_now *job = &jobs[at->job];
    note(&is.commit, now_ms - at->since_ms);
    if (!at->ends) {
        sched_moved(&job->sched, at->stage, at->stage + 1);
        at->stage++;
        ask(job->worker, a);
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

/* --- workers: parts of the limit */

static int64_t used(const struct worker_now *worker) {
    const struct limit *l = &worker->limit;
    return now_ms < (double)l->part_to_ms ? (int64_t)ceil(l->part * (double)WHOLE) : 0;
}

static void beat(int32_t w) {
    struct worker_now *worker = &workers[w];
    if (is_asking(worker) || now_ms < worker->beat_due_ms) {
        return; /* it was wanted sooner, or later */
    }
    worker->beat_due_ms = HUGE_VAL;
    worker->beat_ms = now_ms;
    worker->demand = worker->limit.in_flight + waiting(worker);
    worker->claims = worker->demand > 0 || worker->limit.seq > 0;
    worker->held = MIN(used(worker), WHOLE);
    worker->beating = true;
    commit(w);
}

/* As the store has it (store/rules_part.c). */
static int64_t claim(int32_t w) {
    int64_t counted = 0;
    struct part_others others = {0};
    for (int32_t o = 0; o < workers_n; o++) {
        rows[o] = rows[o].until_ms > now_ms ? rows[o] : (struct row){0};
        if (o != w) {
            others.n++;
            others.idle += rows[o].demand == 0;
            others.demand += rows[o].demand;
            counted += rows[o].counted;
        }
    }
    others.counted = (double)counted / (double)WHOLE;
    struct part_claim c =
        part_claim(&others, workers[w].demand, (double)workers[w].held / (double)WHOLE, 0);
    int64_t part = (int64_t)(c.grant * (double)WHOLE);
    rows[w] = (struct row){MAX(part, workers[w].held), workers[w].demand, now_ms + PART_LEASE_MS};
    return part;
}

/* As a worker takes it (worker/worker.c); the next in line may claim. */
static void beaten(int32_t w) {
    struct worker_now *worker = &workers[w];
    bool shrank = false;
    worker->beats = false;
    if (worker->claims) {
        int64_t part = claim(w);
        shrank = part < worker->held / 10 * 9;
        limit_share(&worker->limit, (int64_t)now_ms, (double)part / (double)WHOLE,
                    (int64_t)worker->beat_ms + PART_LEASE_MS);
        note(&is.claim, now_ms - worker->beat_ms);
        is.claims += measured();
        is.line_ms += measured() ? now_ms - line_since_ms : 0;
        line_first = (line_first + 1) % workers_n;
        if (--line_n > 0) {
            run_transaction(line[line_first]);
        }
    }
    bool works = worker->jobs > 0 || worker->demand > 0;
    plan_beat(w, shrank                    ? (double)part_claim_soon_ms(workers_n - 1)
                 : worker->claims && works ? (double)part_claim_every_ms(workers_n - 1)
                                           : BEAT_MS);
    worker->claims = false;
}

static void committed(int32_t w) {
    struct queue q = workers[w].commits;
    workers[w].committing = false;
    if (workers[w].beats) {
        beaten(w);
    }
    while (q.n > 0) {
        go_on(queue_take(&q));
    }
    commit(w);
    try_calls(w);
}

/* No more is used than there is. */
static void each_second(void) {
    int64_t sum = 0;
    for (int32_t w = 0; w < workers_n; w++) {
        sum += used(&workers[w]);
    }
    ASSERT(sum <= WHOLE + workers_n);
    is.most_used = fmax(is.most_used, (double)sum / (double)WHOLE);
    plan(1000, SECOND, 0);
}

/* --- a fleet */

static void set_up(void) {
    const struct limit_set set = {.per_minute = {[LIMIT_REQUESTS] = (int64_t)per_minute},
                                  .shared = true};
    struct job_spec spec = {.num_problems = INT64_C(1000000), .concurrency = slots / JOBS_A_WORKER};
    workers = mem_new_array((size_t)workers_n, sizeof *workers);
    rows = mem_new_array((size_t)workers_n, sizeof *rows);
    line = mem_new_array((size_t)workers_n, sizeof *line);
    jobs = mem_new_array((size_t)workers_n * JOBS_A_WORKER, sizeof *jobs);
    attempts = mem_new_array((size_t)workers_n * (size_t)slots, sizeof *attempts);
    db_free_ms = mem_new_array((size_t)db_cores, sizeof *db_free_ms);
    free_attempt = -1;
    for (int32_t i = 0; i < workers_n * slots; i++) {
        attempts[i].next = free_attempt;
        free_attempt = i;
    }
    rng_init(&rng, 1);
    heap_n = 0;
    now_ms = bucket_ms = 0;
    bucket = per_minute / 60;
    in_flight = line_first = line_n = 0;
    is = (struct counted){0};
    for (int32_t j = 0; j < workers_n * JOBS_A_WORKER; j++) {
        jobs[j].worker = j % workers_n;
        sched_init(&jobs[j].sched, &spec, 0, 0, 0);
    }
    for (int32_t w = 0; w < workers_n; w++) {
        limit_init(&workers[w].limit, LIMIT_AS_PRODUCED, &set);
        plan(COME_MS * rng_unit(&rng), COMES, w);
    }
    plan(1000, SECOND, 0);
}

static void tear_down(void) {
    free(workers);
    free(rows);
    free(line);
    free(jobs);
    free(attempts);
    free(db_free_ms);
}

static void happen(struct event e) {
    switch (e.what) {
    case ANSWERED:
        answered(e.whose);
        break;
    case REFUSED:
        refused(e.whose);
        break;
    case COMES:
        plan_beat(e.whose, BEAT_MS);
        shift(e.whose);
        break;
    case TRY:
        try_calls(e.whose);
        break;
    case BEAT:
        beat(e.whose);
        break;
    case COMMITTED:
        committed(e.whose);
        break;
    case SHIFT:
        shift(e.whose);
        break;
    case SECOND:
        each_second();
        break;
    }
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void tell_times(const char *name, struct times *t) {
    qsort(t->ms, t->n, sizeof t->ms[0], by_size);
    (void)printf(",\"%s_p50_ms\":%.1f,\"%s_p99_ms\":%.1f", name, t->n > 0 ? t->ms[t->n / 2] : 0,
                 name, t->n > 0 ? t->ms[t->n * 99 / 100] : 0);
}

static double refused_percent(void) {
    return 100 * (double)is.refused / (double)MAX(is.calls, 1);
}

static double used_percent(void) {
    return 100 * (double)(is.calls - is.refused) / (per_minute / 60000 * MEASURED_MS);
}

static void tell(void) {
    double s = MEASURED_MS / 1000.0;
    (void)printf("{\"workers\":%d,\"slots\":%d,\"limit_rpm\":%.0f,\"demand\":\"%s\",\"database_"
                 "cores\":%.0f",
                 workers_n, slots, per_minute, uneven ? "uneven" : "even", db_cores);
    (void)printf(",\"in_flight\":%.0f,\"calls_per_s\":%.0f,\"refused_percent\":%.3f",
                 is.flying_ms / MEASURED_MS, (double)is.calls / s, refused_percent());
    if (per_minute > 0) {
        (void)printf(",\"limit_used_percent\":%.1f", used_percent());
    }
    (void)printf(",\"parts_max_percent\":%.4f,\"worker_core_percent\":%.1f", 100 * is.most_used,
                 100 * is.core_busy_ms / MEASURED_MS / workers_n);
    (void)printf(",\"transactions_per_s\":%.0f,\"answers_per_transaction\":%.1f,\"database_cores_"
                 "busy\":%.2f",
                 (double)is.transactions / s,
                 (double)is.operations / (double)MAX(is.transactions, 1),
                 is.db_busy_ms / MEASURED_MS + ticks_busy);
    tell_times("commit", &is.commit);
    (void)printf(",\"claims_per_s\":%.0f,\"claims_busy_percent\":%.0f", (double)is.claims / s,
                 100 * is.line_ms / MEASURED_MS);
    tell_times("claim", &is.claim);
    (void)printf("}\n");
    (void)fflush(stdout);
}

/* False: too much was refused, or too little used of the limit. */
static bool run(int n, int each, double limit_rpm, bool is_uneven, double cores) {
    workers_n = n;
    slots = each;
    per_minute = limit_rpm;
    uneven = is_uneven;
    db_cores = cores;
    ticks_busy = fmin(costs.tick_cpu * n / costs.tick_every, cores * 0.9);
    set_up();
    while (heap_n > 0 && now_ms < WARM_MS + MEASURED_MS) {
        struct event e = next_event();
        is.flying_ms += measured() ? (double)in_flight * (e.at_ms - now_ms) : 0;
        now_ms = e.at_ms;
        happen(e);
    }
    tell();
    tear_down();
    return per_minute <= 0 || (refused_percent() <= REFUSED_MAX && used_percent() >= USED_MIN);
}

int main(int argc, char **argv) {
    static const char *const usual[] = {"1x1000", "10x1000", "100x1000", "1000x1000", "100x10000"};
    size_t runs = argc > 1 ? (size_t)argc - 1 : ARRAY_LEN(usual);
    bool kept = true;
    for (size_t i = 0; i < runs; i++) {
        int n = 0, each = 0;
        if (sscanf(argc > 1 ? argv[i + 1] : usual[i], "%dx%d", &n, &each) != 2 || n < 1 ||
            each < JOBS_A_WORKER || n > 5000 || each > 20000) {
            (void)fprintf(stderr,
                          "usage: simulate_fleet [WORKERSxSLOTS]... (1x10 to 5000x20000)\n");
            return 2;
        }
        double limit_rpm = 1.0 * n * each;        /* a third of what goes without one */
        kept = run(n, each, 0, false, 4) && kept; /* as much as goes, with a database of 4 cores */
        kept = run(n, each, 0, false, 32) && kept;
        kept = run(n, each, limit_rpm, false, 32) && kept;
        kept = (n == 1 || run(n, each, limit_rpm, true, 32)) && kept;
    }
    free(heap);
    return kept ? 0 : 1;
}
