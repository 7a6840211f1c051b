/* The list of jobs, and what can be asked of one. */
#include "api/call.h"
#include "api/problem.h"
#include "api/query.h"
#include "api/render.h"
#include "store/store_job.h"

#include <stdio.h>

#define JOBS_PAGE_MAX 100
#define JOBS_PAGE 20

/* --- list */

struct jobs_page {
    struct task *task;
    struct store_list_jobs op;
};

static void jobs_render_page(struct call *c, const struct store_list_jobs *page) {
    const struct render_extra extra = {.retain_ms = c->api->o.retain_ms};
    struct jwrite *w = call_list(c);
    for (size_t i = 0; i < page->ret_n; i++) {
        jwrite_object(w);
        render_job(w, &page->ret[i], &extra);
        jwrite_end(w);
    }
    jwrite_end(w);
    jwrite_key(w, "has_more");
    jwrite_bool(w, page->ret_more);
    jwrite_key(w, "next");
    jwrite_cstr(w, page->ret_more && page->ret_n > 0 ? page->ret[page->ret_n - 1].id : NULL);
    jwrite_end(w);
    call_send_json(c, 200);
}

static void jobs_on_page(struct store_op *op) {
    struct jobs_page *page = CONTAINER_OF(op, struct jobs_page, op.op);
    struct call *c = page->task->call;
    if (c != NULL && op->err == ERR_OK) {
        jobs_render_page(c, &page->op);
    } else if (c != NULL) {
        problem_send_store(c, op->err, &op->detail);
    }
    task_free(page->task);
}

static enum job_state jobs_query_state(struct query *q) {
    struct str name = query_str(q, "status", STORE_ID_BYTES);
    enum job_state state = job_state_from_name(name);
    if (name.n > 0 && state == JOB_STATES) {
        query_fail(q, "status must be queued, running, paused, cancelling, succeeded, partial, "
                      "failed or cancelled.");
    }
    return state;
}

void jobs_list(struct call *c) {
    static const char *const known[] = {"status", "name", "limit", "starting_after", NULL};
    struct query q;
    query_begin(&q, c, known);
    enum job_state state = jobs_query_state(&q);
    struct str name = query_str(&q, "name", JOB_NAME_BYTES_MAX);
    struct str after = query_str(&q, "starting_after", STORE_ID_BYTES - 1);
    int64_t limit = query_int(&q, "limit", 1, JOBS_PAGE_MAX, JOBS_PAGE);
    if (!query_end(&q)) {
        return;
    }
    struct task *t = task_new(c->api, c);
    struct jobs_page *page = ARENA_NEW(&t->a, struct jobs_page);
    page->task = t;
    page->op = (struct store_list_jobs){
        .op = {.loop = c->api->loop, .done = jobs_on_page},
        .tenant = c->tenant,
        .state = state,
        .name = str_dup(&t->a, name),
        .after = after.n > 0 ? str_cstr(&t->a, after) : NULL,
        .limit = limit,
        .a = &t->a,
    };
    store_list_jobs(c->api->o.store, &page->op);
}

/* --- cancel, pause, resume */

struct jobs_ask {
    struct task *task;
    char job_id[STORE_ID_BYTES];
    struct store_ask op;
};

/* Cancelling one that has ended is no error: it will not go on. 202 while a worker has still to let
 * go. */
static void jobs_answer_ask(struct call *c, enum store_wish wish, enum job_state state) {
    bool heard = !job_state_is_final(state) && state != JOB_CANCELLING;
    if (wish != STORE_CANCEL && !heard) {
        problem_send(c, PROBLEM_CONFLICT, "The job is %s; it cannot be %s.", job_state_name(state),
                     wish == STORE_PAUSE ? "paused" : "resumed");
        return;
    }
    struct jwrite *w = call_json(c);
    jwrite_object(w);
    jwrite_key(w, "job_id");
    jwrite_cstr(w, c->id);
    jwrite_key(w, "status");
    jwrite_cstr(w, job_state_name(state));
    render_links(w, c->id);
    jwrite_end(w);
    call_send_json(c, state == JOB_CANCELLING ? 202 : 200);
}

static void jobs_on_ask(struct store_op *op) {
    struct jobs_ask *ask = CONTAINER_OF(op, struct jobs_ask, op.op);
    struct call *c = ask->task->call;
    if (c != NULL && op->err == ERR_OK) {
        jobs_answer_ask(c, ask->op.wish, ask->op.ret_state);
    } else if (c != NULL) {
        problem_send_store(c, op->err, &op->detail);
    }
    task_free(ask->task);
}

static void jobs_ask(struct call *c, enum store_wish wish) {
    struct task *t = task_new(c->api, c);
    struct jobs_ask *ask = ARENA_NEW(&t->a, struct jobs_ask);
    ask->task = t;
    (void)snprintf(ask->job_id, sizeof ask->job_id, "%s", c->id);
    ask->op = (struct store_ask){.op = {.loop = c->api->loop, .done = jobs_on_ask},
                                 .job_id = ask->job_id,
                                 .tenant = c->tenant,
                                 .wish = wish};
    store_ask(c->api->o.store, &ask->op);
}

void jobs_cancel(struct call *c) {
    jobs_ask(c, STORE_CANCEL);
}

void jobs_pause(struct call *c) {
    jobs_ask(c, STORE_PAUSE);
}

void jobs_resume(struct call *c) {
    jobs_ask(c, STORE_RESUME);
}

/* --- delete */

struct jobs_deletion {
    struct task *task;
    char job_id[STORE_ID_BYTES];
    struct store_delete op;
};

static void jobs_on_deleted(struct store_op *op) {
    struct jobs_deletion *d = CONTAINER_OF(op, struct jobs_deletion, op.op);
    struct call *c = d->task->call;
    if (c != NULL && op->err == ERR_OK) {
        call_send(c, call_response(c, 204, NULL));
    } else if (c != NULL && op->err == ERR_CONFLICT) {
        problem_send(c, PROBLEM_CONFLICT, "The job has not ended; cancel it first.");
    } else if (c != NULL) {
        problem_send_store(c, op->err, &op->detail);
    }
    task_free(d->task);
}

void jobs_delete(struct call *c) {
    struct task *t = task_new(c->api, c);
    struct jobs_deletion *d = ARENA_NEW(&t->a, struct jobs_deletion);
    d->task = t;
    (void)snprintf(d->job_id, sizeof d->job_id, "%s", c->id);
    d->op = (struct store_delete){.op = {.loop = c->api->loop, .done = jobs_on_deleted},
                                  .job_id = d->job_id,
                                  .tenant = c->tenant};
    store_delete(c->api->o.store, &d->op);
}
