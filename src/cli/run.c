/* The order of things: open the store and see what an earlier run left ─► resolve the models ─►
 * submit the job if it is new ─► a worker runs it until it is done ─► the worker quits ─► close.
 * The first Ctrl-C lets what is in flight finish, the second ends it at once; either way the same
 * command goes on later. */
#include "cli/run.h"

#include "base/clock.h"
#include "base/id.h"
#include "base/rng.h"
#include "store/store_batch.h"
#include "store/store_job.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define RUN_TICK_MS 100
#define RUN_PATIENCE_MS INT64_C(604800000)    /* with what is in flight at a first Ctrl-C */
#define RUN_ARENA_BYTES_MAX ((size_t)4 << 30) /* seeds and hashes of millions of problems */

struct run {
    const struct run_options *options;
    struct run_result *result;
    struct arena arena;
    struct loop *loop;
    struct store *store;
    struct llm *llm;
    struct judge_pool *judge; /* NULL: the job does without */
    struct worker *worker;
    struct job_spec spec; /* the request's, with the draws' seed filled in */
    struct job_row job;
    char job_id[ID_BYTES];
    union {
        struct store_submit submit;
        struct store_job_set requeue;
        struct store_batches batches;
    } op;
    struct loop_timer tick;
    bool interrupted; /* once at least */
    enum err begin_err;
    struct errinfo *reterr;
};

static void run_tick(struct run *r, const struct work_view *view) {
    if (r->options->tick != NULL && view != NULL && view->sched.wanted > 0) {
        struct llm_stats stats = llm_stats(r->llm);
        r->options->tick(r->options->ctx, view, &stats);
    }
}

static void run_on_tick(void *ctx) {
    struct run *r = ctx;
    run_tick(r, worker_view(r->worker, r->job.id));
    loop_timer_start(r->loop, &r->tick, RUN_TICK_MS, run_on_tick, r);
}

static void run_on_drained(void *ctx) {
    struct run *r = ctx;
    loop_stop(r->loop);
}

static void run_on_signal(void *ctx, int signum) {
    struct run *r = ctx;
    (void)signum;
    if (r->worker == NULL) {
        r->interrupted = true; /* the job is being submitted */
        return;
    }
    const struct work_view *view = worker_view(r->worker, r->job.id);
    bool first = !r->interrupted && view != NULL && view->sched.stop == STOP_NOT_YET;
    r->interrupted = true;
    worker_drain(r->worker, first ? RUN_PATIENCE_MS : 0, run_on_drained, r);
    if (first && r->options->interrupted != NULL) {
        r->options->interrupted(r->options->ctx, view);
    }
}

static void run_on_done(void *ctx, const struct work_view *view) {
    struct run *r = ctx;
    loop_timer_stop(&r->tick);
    run_tick(r, view);
    r->result->view = *view;
    worker_drain(r->worker, 0, run_on_drained, r);
}

static void run_start_worker(struct run *r) {
    r->worker = worker_start(&(struct worker_options){.loop = r->loop,
                                                      .store = r->store,
                                                      .llm = r->llm,
                                                      .prompts = r->options->prompts,
                                                      .judge = r->judge,
                                                      .slots = r->spec.concurrency,
                                                      .batch_slots = r->spec.concurrency});
    worker_run(
        r->worker,
        &(struct worker_run){.job_id = r->job.id, .spec = &r->spec, .done = run_on_done, .ctx = r});
    loop_timer_start(r->loop, &r->tick, RUN_TICK_MS, run_on_tick, r);
    if (r->interrupted) {
        worker_drain(r->worker, RUN_PATIENCE_MS, run_on_drained, r);
    }
}

static void run_fail(struct run *r, enum err e, const struct errinfo *why) {
    r->begin_err = e;
    (void)errinfo_set(r->reterr, e, "%s", errinfo_text(why, e));
    loop_stop(r->loop);
}

/* What an earlier run has in batches is paid for: it is not left there. */
static void run_batches_read(struct store_op *op) {
    struct run *r = CONTAINER_OF(op, struct run, op.batches.op);
    size_t n = op->err == ERR_OK ? r->op.batches.ret_n : 0;
    struct errinfo why = op->detail;
    enum err e = op->err;
    if (n > 0) {
        e = errinfo_set(&why, ERR_CONFLICT,
                        "%s: calls of this job are in %zu batch%s at their providers, and will be "
                        "paid for: go on with --mode batch, or start over with --fresh",
                        r->options->state_path, n, n == 1 ? "" : "es");
    }
    if (e != ERR_OK) {
        run_fail(r, e, &why);
    } else {
        run_start_worker(r);
    }
}

static void run_begin_work(struct run *r) {
    if (r->spec.batches) {
        run_start_worker(r);
        return;
    }
    r->op.batches = (struct store_batches){
        .op = {.loop = r->loop, .done = run_batches_read}, .job_id = r->job.id, .a = &r->arena};
    store_batches(r->store, &r->op.batches);
}

/* The job waits for a worker, on disk. */
static void run_begun(struct store_op *op) {
    struct run *r = CONTAINER_OF(op, struct run, op.submit.op);
    if (op->err != ERR_OK) {
        run_fail(r, op->err, &op->detail);
    } else {
        run_begin_work(r);
    }
}

/* A job that had ended, short of N, goes on. */
static void run_requeue(struct run *r) {
    r->op.requeue = (struct store_job_set){
        .op = {.loop = r->loop, .done = run_begun}, .job_id = r->job.id, .state = JOB_QUEUED};
    store_job_set(r->store, &r->op.requeue);
}

static void run_submit(struct run *r) {
    struct sbuf text;
    struct jwrite w;
    sbuf_init(&text, RUN_ARENA_BYTES_MAX);
    jwrite_init(&w, &text);
    if (r->spec.seed == 0) {
        rng_os(&r->spec.seed, sizeof r->spec.seed);
        r->spec.seed >>= 1; /* JSON integers are signed */
    }
    job_spec_write(&r->spec, &w);
    id_new("job", r->job_id);
    r->job.id = r->job_id;
    r->op.submit = (struct store_submit){.op = {.loop = r->loop, .done = run_begun},
                                         .job_id = r->job_id,
                                         .spec = str_dup(&r->arena, sbuf_str(&text)),
                                         .wanted = r->spec.num_problems};
    sbuf_release(&text);
    store_submit(r->store, &r->op.submit);
}

/* ERR_CONFLICT if the stored job is another one than is asked for now. */
static enum err run_compare(struct run *r) {
    const struct jnode *doc;
    struct job_spec stored;
    struct jcheck c;
    enum err e = jnode_parse(r->job.spec, &r->arena, &doc, r->reterr);
    if (e != ERR_OK) {
        return errinfo_wrap(r->reterr, ERR_CORRUPT, "%s: the stored job", r->options->state_path);
    }
    jcheck_init(&c, &r->arena);
    if (!job_spec_read(&c, doc, &r->spec.taxonomy, &r->arena, &stored)) {
        return errinfo_set(r->reterr, ERR_CORRUPT, "%s: the stored job: %s", r->options->state_path,
                           jcheck_text(&c, &r->arena).p);
    }
    if (r->spec.seed == 0) {
        r->spec.seed = stored.seed;
    }
    const char *field = job_spec_difference(&stored, &r->spec);
    if (field != NULL) {
        return errinfo_set(r->reterr, ERR_CONFLICT,
                           "%s holds another job (its %s differs); run it with the same settings, "
                           "choose another output, or start over with --fresh",
                           r->options->state_path, field);
    }
    return ERR_OK;
}

/* What an earlier run left: r->job; id NULL if nothing. */
static enum err run_look_back(struct run *r) {
    struct store_reader *reader;
    enum err e = store_reader_open(r->options->state_path, &reader, r->reterr);
    if (e != ERR_OK) {
        return e;
    }
    e = store_read_job(reader, NULL, &r->arena, &r->job, r->reterr);
    if (e == ERR_NOT_FOUND) {
        r->job = (struct job_row){0};
        e = ERR_OK;
    } else if (e == ERR_OK) {
        e = run_compare(r);
    }
    store_reader_close(reader);
    return e;
}

/* A model that cannot be asked is an error before anything is written. */
static enum err run_resolve(struct run *r) {
    struct llm_chain chain;
    for (int role = 0; role < ROLE_COUNT; role++) {
        enum err e = llm_chain_resolve(r->llm, &r->spec.models[role], &chain, r->reterr);
        if (e != ERR_OK) {
            return errinfo_wrap(r->reterr, e, "%s model", role_name((enum role)role));
        }
    }
    return ERR_OK;
}

static void run_until_done(struct run *r) {
    if (r->job.id == NULL) {
        run_submit(r);
    } else if (r->job.state != JOB_QUEUED) {
        run_requeue(r);
    } else {
        run_begin_work(r);
    }
    loop_on_signal(r->loop, SIGINT, run_on_signal, r);
    loop_on_signal(r->loop, SIGTERM, run_on_signal, r);
    loop_run(r->loop);
    loop_timer_stop(&r->tick);
    if (r->worker != NULL) {
        worker_free(r->worker);
    }
}

/* Nothing is left to do: what is shown is what the store has. */
static void run_show_done(struct run *r) {
    struct work_view *v = &r->result->view;
    v->sched.wanted = r->job.wanted;
    v->sched.stop = STOP_DONE;
    memcpy(v->sched.outcomes, r->job.outcomes, sizeof v->sched.outcomes);
    v->budget.spent_nusd = r->job.cost_nusd;
    v->budget.max_nusd = r->spec.max_cost_nusd;
    v->calls_unpriced = r->job.calls_unpriced;
    run_tick(r, v);
}

static enum err run_with_store(struct run *r) {
    enum err e = run_look_back(r);
    if (e != ERR_OK) {
        return e;
    }
    r->result->resumed = r->job.id != NULL;
    r->result->was_done = r->job.id != NULL && r->job.state == JOB_SUCCEEDED;
    if (r->result->was_done) {
        run_show_done(r);
    } else {
        run_until_done(r);
    }
    return r->begin_err;
}

enum err run_job(const struct run_options *options, struct run_result *ret,
                 struct errinfo *reterr) {
    struct run r = {.options = options, .spec = *options->spec, .result = ret, .reterr = reterr};
    *ret = (struct run_result){0};
    arena_init(&r.arena, RUN_ARENA_BYTES_MAX);
    bool compares = r.spec.judge != JOB_JUDGE_LLM || !r.spec.allow_text_answers;
    enum err e =
        compares ? judge_pool_new_default(&r.judge, reterr) : ERR_OK; /* before any thread */
    if (e != ERR_OK) {
        arena_release(&r.arena);
        return e;
    }
    r.loop = loop_new();
    r.llm = llm_new(r.loop, options->llm);
    e = run_resolve(&r); /* before anything is written */
    if (e == ERR_OK) {
        e = store_open(options->state_path, NULL, &r.store, reterr);
    }
    if (e == ERR_OK) {
        e = run_with_store(&r);
        store_close(r.store);
    }
    llm_free(r.llm);
    if (r.judge != NULL) {
        judge_pool_free(r.judge);
    }
    loop_free(r.loop);
    arena_release(&r.arena);
    return e;
}
