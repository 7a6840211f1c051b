/* GET /jobs/{id}/results: a page of JSON, or lines of JSON. */
#include "api/call.h"
#include "api/follow.h"
#include "api/problem.h"
#include "api/query.h"
#include "api/render.h"

#include <stdio.h>
#include <string.h>

#define RESULTS_PAGE_MAX 1000
#define RESULTS_PAGE 100
#define RESULTS_STATUS_BYTES_MAX ((size_t)120)

struct results {
    struct task *task;
    char job_id[STORE_ID_BYTES];
    struct store_get_problems op;
};

static void results_render(struct call *c, const struct store_get_problems *page) {
    struct jwrite *w = call_json(c);
    struct sbuf *out = &c->body->data;
    bool more = page->ret_more && page->ret_n > 0;
    jwrite_object(w);
    jwrite_key(w, "object");
    jwrite_cstr(w, "list");
    jwrite_key(w, "job_status");
    jwrite_cstr(w, job_state_name(page->ret_state));
    jwrite_key(w, "has_more");
    jwrite_bool(w, more);
    jwrite_key(w, "next");
    jwrite_int(w, page->ret_n > 0 ? page->ret[page->ret_n - 1].seq : page->after_seq);
    jwrite_key(w, "data");
    jwrite_raw(w, S("["));
    for (size_t i = 0; i < page->ret_n; i++) {
        sbuf_add(out, i > 0 ? S(",") : S(""));
        render_problem(out, &page->ret[i]);
    }
    sbuf_add_char(out, ']');
    jwrite_end(w);
    if (job_state_is_final(page->ret_state)) {
        call_send_fixed(c);
    } else {
        call_send_json(c, 200);
    }
}

static void results_on_page(struct store_op *op) {
    struct results *r = CONTAINER_OF(op, struct results, op.op);
    struct call *c = r->task->call;
    if (c != NULL && op->err == ERR_OK) {
        results_render(c, &r->op);
    } else if (c != NULL) {
        problem_send_store(c, op->err, &op->detail);
    }
    task_free(r->task);
}

/* "accepted", "rejected,solved", "all". */
static unsigned results_mask(struct query *q) {
    struct str text = query_str(q, "status", RESULTS_STATUS_BYTES_MAX);
    unsigned mask = 0;
    if (text.n == 0) {
        return 1u << OUTCOME_ACCEPTED;
    }
    while (text.n > 0) {
        struct str name = str_split(&text, ',');
        enum outcome o = outcome_from_name(name);
        if (str_eq(name, S("all"))) {
            mask |= (1u << OUTCOME_COUNT) - 1;
        } else if (o != OUTCOME_COUNT) {
            mask |= 1u << o;
        } else {
            query_fail(q,
                       "status must be of accepted, rejected, solved, duplicate, surplus, failed, "
                       "or all.");
            return 0;
        }
    }
    return mask;
}

static bool results_as_lines(struct query *q) {
    struct str format = query_str(q, "format", 16);
    struct str accept = httpd_header(q->c->q, "accept");
    if (format.n > 0 && !str_eq(format, S("json")) && !str_eq(format, S("jsonl"))) {
        query_fail(q, "format must be json or jsonl.");
    }
    return format.n > 0 ? str_eq(format, S("jsonl"))
                        : str_find(accept, S("jsonl")) != STR_NPOS ||
                              str_find(accept, S("ndjson")) != STR_NPOS;
}

static bool results_follow(struct query *q) {
    struct str follow = query_str(q, "follow", 8);
    if (follow.n > 0 && !str_eq(follow, S("true")) && !str_eq(follow, S("false"))) {
        query_fail(q, "follow must be true or false.");
    }
    return str_eq(follow, S("true"));
}

void results_run(struct call *c) {
    static const char *const known[] = {"status", "limit",  "starting_after",
                                        "format", "follow", NULL};
    struct query q;
    query_begin(&q, c, known);
    struct follow_options o = {.kind = FOLLOW_PROBLEMS};
    o.mask = results_mask(&q);
    o.after_seq = query_int(&q, "starting_after", 0, INT64_MAX, 0);
    o.to_end = results_follow(&q);
    int64_t limit = query_int(&q, "limit", 1, RESULTS_PAGE_MAX, RESULTS_PAGE);
    bool lines = results_as_lines(&q);
    if (!query_end(&q)) {
        return;
    }
    if (lines) {
        follow_begin(c, &o);
        return;
    }
    struct task *t = task_new(c->api, c);
    struct results *r = ARENA_NEW(&t->a, struct results);
    r->task = t;
    (void)snprintf(r->job_id, sizeof r->job_id, "%s", c->id);
    r->op = (struct store_get_problems){.op = {.loop = c->api->loop, .done = results_on_page},
                                        .job_id = r->job_id,
                                        .tenant = c->tenant,
                                        .after_seq = o.after_seq,
                                        .mask = o.mask,
                                        .limit = limit,
                                        .a = &t->a};
    store_get_problems(c->api->o.store, &r->op);
}
