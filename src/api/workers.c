/* Who works on the jobs, for those with the scope admin: look, and ask one to go. */
#include "api/call.h"
#include "api/problem.h"
#include "api/render.h"
#include "store/store_workers.h"

#include <inttypes.h>

#define MS_PER_S 1000.0

/* Its name is "host/pid". */
static void workers_render(struct jwrite *w, const struct worker_row *row) {
    size_t slash = str_rfind(row->name, S("/"));
    int64_t pid = 0;
    bool named = slash != STR_NPOS && str_to_i64(str_skip(row->name, slash + 1), &pid);
    jwrite_object(w);
    jwrite_key(w, "id");
    jwrite_int(w, row->number);
    jwrite_key(w, "name");
    jwrite_str(w, row->name);
    jwrite_key(w, "host");
    jwrite_str(w, named ? str_take(row->name, slash) : row->name);
    jwrite_key(w, "pid");
    jwrite_int(w, pid);
    jwrite_key(w, "version");
    jwrite_str(w, row->version);
    jwrite_key(w, "slots");
    jwrite_int(w, row->slots);
    jwrite_key(w, "in_flight");
    jwrite_int(w, row->in_flight);
    jwrite_key(w, "jobs");
    jwrite_int(w, row->jobs);
    jwrite_key(w, "draining");
    jwrite_bool(w, row->draining);
    jwrite_key(w, "silent_seconds");
    jwrite_real(w, (double)row->silent_ms / MS_PER_S);
    render_time(w, "joined_at", row->joined_ms);
    jwrite_end(w);
}

/* --- list */

struct workers_page {
    struct task *task;
    struct store_worker_list op;
};

static void workers_on_list(struct store_op *op) {
    struct workers_page *page = CONTAINER_OF(op, struct workers_page, op.op);
    struct call *c = page->task->call;
    if (c != NULL && op->err == ERR_OK) {
        struct jwrite *w = call_list(c);
        for (size_t i = 0; i < page->op.ret_n; i++) {
            workers_render(w, &page->op.ret[i]);
        }
        call_send_list(c);
    } else if (c != NULL) {
        problem_send_store(c, op->err, &op->detail);
    }
    task_free(page->task);
}

void workers_list(struct call *c) {
    struct task *t = task_new(c->api, c);
    struct workers_page *page = ARENA_NEW(&t->a, struct workers_page);
    page->task = t;
    page->op = (struct store_worker_list){.op = {.loop = c->api->loop, .done = workers_on_list},
                                          .a = &t->a};
    store_worker_list(c->api->o.store, &page->op);
}

/* --- drain */

struct workers_drain {
    struct task *task;
    struct store_worker_drain op;
};

static void workers_send_unknown(struct call *c) {
    problem_send(c, PROBLEM_NOT_FOUND, "There is no such worker.");
}

static void workers_on_asked(struct store_op *op) {
    struct workers_drain *d = CONTAINER_OF(op, struct workers_drain, op.op);
    struct call *c = d->task->call;
    if (c != NULL && op->err == ERR_OK) {
        call_send(c, call_response(c, 202, NULL));
    } else if (c != NULL && op->err == ERR_NOT_FOUND) {
        workers_send_unknown(c);
    } else if (c != NULL) {
        problem_send_store(c, op->err, &op->detail);
    }
    task_free(d->task);
}

void workers_drain(struct call *c) {
    int64_t number;
    if (!str_to_i64(str_of(c->id), &number)) {
        workers_send_unknown(c);
        return;
    }
    struct task *t = task_new(c->api, c);
    struct workers_drain *d = ARENA_NEW(&t->a, struct workers_drain);
    d->task = t;
    d->op = (struct store_worker_drain){.op = {.loop = c->api->loop, .done = workers_on_asked},
                                        .worker = number};
    store_worker_drain(c->api->o.store, &d->op);
}
