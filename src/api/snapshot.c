#include "api/snapshot.h"

#include "api/call.h"
#include "api/render.h"

#include <string.h>

#define SNAPSHOT_BYTES_MAX ((size_t)32 * 1024 * 1024) /* of all problems in one status */

#define BIT(outcome) (1u << (outcome))

static const struct {
    const char *name;
    unsigned mask;
} snapshot_lists[SNAPSHOT_LISTS] = {
    [SNAPSHOT_VALID] = {"valid_prompts", BIT(OUTCOME_ACCEPTED)},
    [SNAPSHOT_DISCARDED] = {"discarded_prompts", BIT(OUTCOME_REJECTED) | BIT(OUTCOME_SOLVED) |
                                                     BIT(OUTCOME_DUPLICATE) | BIT(OUTCOME_SURPLUS)},
};

static void snapshot_end(struct snapshot *s, enum err e, const struct errinfo *detail) {
    struct task *t = s->task;
    s->err = e;
    if (e != ERR_OK) {
        s->detail = *detail;
    }
    s->done(s->ctx, s);
    task_free(t);
}

static void snapshot_next_page(struct snapshot *s);

/* Pages are appended to what is there. */
static void snapshot_add(struct snapshot *s, const struct store_get_problems *page) {
    struct snapshot_problems *list = &s->lists[s->list];
    struct problem_row *rows = ARENA_ARRAY(&s->task->a, struct problem_row, list->n + page->ret_n);
    if (list->n > 0) {
        memcpy(rows, list->rows, list->n * sizeof *rows);
    }
    if (page->ret_n > 0) {
        memcpy(rows + list->n, page->ret, page->ret_n * sizeof *rows);
    }
    list->rows = rows;
    list->n += page->ret_n;
}

static void snapshot_on_page(struct store_op *op) {
    struct snapshot *s = CONTAINER_OF(op, struct snapshot, page.op);
    if (op->err == ERR_TOO_BIG || (op->err == ERR_OK && s->task->a.bytes > SNAPSHOT_BYTES_MAX)) {
        s->with_problems = false; /* results_url has them */
        snapshot_end(s, ERR_OK, NULL);
        return;
    }
    if (op->err != ERR_OK) {
        snapshot_end(s, op->err, &op->detail);
        return;
    }
    snapshot_add(s, &s->page);
    if (s->page.ret_more && s->page.ret_n > 0) {
        s->page.after_seq = s->page.ret[s->page.ret_n - 1].seq;
    } else if (s->list == SNAPSHOT_VALID) {
        s->list = SNAPSHOT_DISCARDED;
        s->page.after_seq = 0;
    } else {
        snapshot_end(s, ERR_OK, NULL);
        return;
    }
    snapshot_next_page(s);
}

static void snapshot_next_page(struct snapshot *s) {
    const struct store_get_problems from = s->page;
    s->page = (struct store_get_problems){
        .op = {.loop = s->task->api->loop, .done = snapshot_on_page},
        .job_id = s->job.ret.id,
        .tenant = STORE_TENANT_ANY,
        .after_seq = from.after_seq,
        .mask = snapshot_lists[s->list].mask,
        .limit = VIEW_PROBLEMS_MAX,
        .a = &s->task->a,
    };
    store_get_problems(s->task->api->o.store, &s->page);
}

static void snapshot_on_job(struct store_op *op) {
    struct snapshot *s = CONTAINER_OF(op, struct snapshot, job.op);
    if (op->err != ERR_OK) {
        snapshot_end(s, op->err, &op->detail);
        return;
    }
    int64_t problems = 0;
    for (int o = 0; o < OUTCOME_COUNT; o++) {
        problems += o == OUTCOME_FAILED ? 0 : s->job.ret.outcomes[o];
    }
    s->with_problems = job_state_is_final(s->job.ret.state) && problems <= VIEW_PROBLEMS_MAX;
    if (s->with_problems) {
        snapshot_next_page(s);
    } else {
        snapshot_end(s, ERR_OK, NULL);
    }
}

void snapshot_read(struct api *api, const char *job_id, bool with_spec,
                   void (*done)(void *ctx, const struct snapshot *s), void *ctx) {
    struct task *t = task_new(api, NULL);
    struct snapshot *s = ARENA_NEW(&t->a, struct snapshot);
    s->task = t;
    s->done = done;
    s->ctx = ctx;
    s->job = (struct store_get_job){
        .op = {.loop = api->loop, .done = snapshot_on_job},
        .job_id = job_id,
        .tenant = STORE_TENANT_ANY, /* who may see it is asked when it is shown */
        .with_spec = with_spec,
        .a = &t->a,
    };
    store_get_job(api->o.store, &s->job);
}

struct str snapshot_metadata(const struct snapshot *s) {
    const struct jnode *doc, *metadata = NULL;
    if (jnode_parse(s->job.ret.spec, &s->task->a, &doc, NULL) == ERR_OK) {
        metadata = jnode_get(doc, "metadata");
    }
    return jnode_type(metadata) == JNODE_OBJECT ? jnode_text(metadata, &s->task->a) : S("{}");
}

static void snapshot_render_list(const struct snapshot_problems *list, struct jwrite *w) {
    jwrite_array(w);
    for (size_t i = 0; i < list->n; i++) {
        jwrite_raw(w, list->rows[i].line);
    }
    jwrite_end(w);
}

void snapshot_render(const struct snapshot *s, struct str metadata, int64_t retain_ms,
                     struct sbuf *out) {
    const struct job_row *job = &s->job.ret;
    const struct render_extra extra = {
        .usage = s->job.ret_usage,
        .usage_n = s->job.ret_usage_n,
        .with_usage = true,
        .retain_ms = retain_ms,
    };
    struct jwrite w;
    jwrite_init(&w, out);
    jwrite_object(&w);
    render_job(&w, job, &extra);
    for (int l = 0; s->with_problems && l < SNAPSHOT_LISTS; l++) {
        jwrite_key(&w, snapshot_lists[l].name);
        snapshot_render_list(&s->lists[l], &w);
    }
    jwrite_key(&w, "metadata");
    jwrite_raw(&w, metadata);
    jwrite_end(&w);
}
