#include "api/follow.h"

#include "api/call.h"
#include "api/problem.h"
#include "api/render.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLLOW_BUCKETS ((size_t)256)
#define FOLLOW_PAGE 100
#define FOLLOW_HEARTBEAT_MS 15000
#define FOLLOW_RETRY_S 5
#define FOLLOW_HELLO "retry: 3000\n\n" /* how long a client waits before it comes again */
#define FOLLOW_HEARTBEAT ": still here\n\n"

LIST_HEAD(follow_list, follow);

/* A read of the next page; it may outlive its follow. */
struct follow_read {
    struct task *task;
    struct follow *follow; /* NULL: gone */
    char job_id[STORE_ID_BYTES];
    union {
        struct store_get_events events;
        struct store_get_problems problems;
    } op;
};

struct follow {
    LIST_ENTRY(follow) in_bucket;
    struct follow_options o;
    struct call *call;
    struct follow_read *reading; /* NULL: none is under way */
    bool answered;               /* the head is sent */
    bool more;                   /* there may be more than was read */
    bool over;                   /* there is none to come */
    struct loop_timer heartbeat;
};

struct follows {
    struct api *api;
    struct follow_list buckets[FOLLOW_BUCKETS];
    unsigned n;
};

struct follows *follows_new(struct api *api) {
    struct follows *f = mem_new(sizeof *f);
    f->api = api;
    for (size_t i = 0; i < FOLLOW_BUCKETS; i++) {
        LIST_INIT(&f->buckets[i]);
    }
    return f;
}

void follows_free(struct follows *f) {
    free(f);
}

static struct follow_list *follows_bucket(struct follows *f, const char *job_id) {
    return &f->buckets[str_hash(str_of(job_id)) % FOLLOW_BUCKETS];
}

static void follow_read(struct follow *f);

static void follow_on_heartbeat(void *ctx) {
    struct follow *f = ctx;
    if (httpd_unsent(f->call->q) == 0 && !f->over) {
        ASSERT(httpd_write(f->call->q, S(FOLLOW_HEARTBEAT)));
    }
    loop_timer_start(f->call->api->loop, &f->heartbeat, FOLLOW_HEARTBEAT_MS, follow_on_heartbeat,
                     f);
}

/* --- what a page becomes */

static void follow_write_event(struct sbuf *out, const struct event_row *e) {
    sbuf_addf(out, "id: %" PRId64 "\nevent: %.*s\ndata: %.*s\n\n", e->seq, STR_ARG(e->kind),
              STR_ARG(e->data));
}

static void follow_write_page(struct follow *f, const struct follow_read *r, struct sbuf *out) {
    if (f->o.kind == FOLLOW_EVENTS) {
        for (size_t i = 0; i < r->op.events.ret_n; i++) {
            follow_write_event(out, &r->op.events.ret[i]);
            f->o.after_seq = r->op.events.ret[i].seq;
        }
        return;
    }
    for (size_t i = 0; i < r->op.problems.ret_n; i++) {
        render_problem(out, &r->op.problems.ret[i]);
        sbuf_add_char(out, '\n');
        f->o.after_seq = r->op.problems.ret[i].seq;
    }
}

/* The head, once the store has said that there is such a job. */
static void follow_answer(struct follow *f) {
    struct call *c = f->call;
    struct httpd_response *r = httpd_stream_new(c->q, 200);
    bool events = f->o.kind == FOLLOW_EVENTS;
    f->answered = true;
    c->status = 200;
    httpd_response_header(r, "content-type", events ? "text/event-stream" : "application/jsonl");
    httpd_response_header(r, "cache-control", "no-store");
    httpd_response_header(r, "x-accel-buffering", "no");
    call_rate_headers(c, r);
    call_send(c, r);
    httpd_watch(c->q);
    if (events) {
        ASSERT(httpd_write(c->q, S(FOLLOW_HELLO))); /* the first bytes fit */
        loop_timer_start(c->api->loop, &f->heartbeat, FOLLOW_HEARTBEAT_MS, follow_on_heartbeat, f);
    }
}

static void follow_take(struct follow *f, const struct follow_read *r) {
    bool events = f->o.kind == FOLLOW_EVENTS;
    enum job_state state = events ? r->op.events.ret_state : r->op.problems.ret_state;
    size_t n = events ? r->op.events.ret_n : r->op.problems.ret_n;
    struct sbuf page;
    bool more = events ? r->op.events.ret_more : r->op.problems.ret_more;
    bool over = !more && (job_state_is_final(state) || !f->o.to_end);
    if (!f->answered && events && over && n == 0 && f->o.after_seq > 0) {
        call_send(f->call, call_response(f->call, 204, NULL)); /* do not come again */
        return;
    }
    if (!f->answered) {
        follow_answer(f);
    }
    sbuf_init(&page, API_STREAM_BYTES_MAX / 2);
    follow_write_page(f, r, &page);
    f->more = f->more || more;
    f->over = over;
    bool fits = !sbuf_overflowed(&page) && httpd_write(f->call->q, sbuf_str(&page));
    sbuf_release(&page);
    if (!fits) {
        httpd_reset(f->call->q); /* one line is larger than a stream may hold */
    } else if (over) {
        httpd_end(f->call->q);
    } else if (f->more && httpd_unsent(f->call->q) == 0) {
        follow_read(f);
    }
}

/* --- asking */

static void follow_on_read(struct store_op *op, struct follow_read *r) {
    struct follow *f = r->follow;
    if (f != NULL) {
        f->reading = NULL;
        if (op->err == ERR_OK) {
            follow_take(f, r);
        } else if (!f->answered) {
            problem_send_store(f->call, op->err, &op->detail);
        } else if (op->err == ERR_NOT_FOUND || op->err == ERR_GONE) {
            httpd_end(f->call->q); /* deleted meanwhile */
        } else {
            httpd_reset(f->call->q); /* the client comes again with what it has seen last */
        }
    }
    task_free(r->task);
}

static void follow_on_events(struct store_op *op) {
    follow_on_read(op, CONTAINER_OF(op, struct follow_read, op.events.op));
}

static void follow_on_problems(struct store_op *op) {
    follow_on_read(op, CONTAINER_OF(op, struct follow_read, op.problems.op));
}

static void follow_read(struct follow *f) {
    struct api *api = f->call->api;
    struct task *t = task_new(api, NULL);
    struct follow_read *r = ARENA_NEW(&t->a, struct follow_read);
    ASSERT(f->reading == NULL && !f->over);
    r->task = t;
    r->follow = f;
    (void)snprintf(r->job_id, sizeof r->job_id, "%s", f->call->id);
    f->reading = r;
    f->more = false;
    if (f->o.kind == FOLLOW_EVENTS) {
        r->op.events =
            (struct store_get_events){.op = {.loop = api->loop, .done = follow_on_events},
                                      .job_id = r->job_id,
                                      .tenant = f->call->tenant,
                                      .after_seq = f->o.after_seq,
                                      .limit = FOLLOW_PAGE,
                                      .a = &t->a};
        store_get_events(api->o.store, &r->op.events);
    } else {
        r->op.problems =
            (struct store_get_problems){.op = {.loop = api->loop, .done = follow_on_problems},
                                        .job_id = r->job_id,
                                        .tenant = f->call->tenant,
                                        .after_seq = f->o.after_seq,
                                        .mask = f->o.mask,
                                        .limit = FOLLOW_PAGE,
                                        .a = &t->a};
        store_get_problems(api->o.store, &r->op.problems);
    }
}

/* Read on if there is more, nothing is being read and the client has taken what it was given. */
void follow_more(struct follow *f) {
    if (f->more && f->answered && !f->over && f->reading == NULL && httpd_unsent(f->call->q) == 0) {
        follow_read(f);
    }
}

void follow_begin(struct call *c, const struct follow_options *options) {
    struct follows *all = c->api->follows;
    if (all->n == API_STREAMS_MAX) {
        problem_send_later(c, PROBLEM_STREAMS, FOLLOW_RETRY_S,
                           "The server keeps at most %d streams open; poll the job's status.",
                           API_STREAMS_MAX);
        return;
    }
    struct follow *f = mem_new(sizeof *f);
    f->o = *options;
    f->call = c;
    c->follow = f;
    store_attend(c->api->o.store);
    LIST_INSERT_HEAD(follows_bucket(all, c->id), f, in_bucket);
    metric_set(c->api->meters.streams, ++all->n);
    follow_read(f);
}

void follow_end(struct call *c) {
    struct follow *f = c->follow;
    if (f == NULL) {
        return;
    }
    if (f->reading != NULL) {
        f->reading->follow = NULL;
    }
    store_unattend(c->api->o.store);
    loop_timer_stop(&f->heartbeat);
    LIST_REMOVE(f, in_bucket);
    metric_set(c->api->meters.streams, --c->api->follows->n);
    c->follow = NULL;
    free(f);
}

static void follow_end_refused(struct follow *f) {
    if (f->reading != NULL) {
        f->reading->follow = NULL;
        f->reading = NULL;
    }
    f->over = true;
    if (f->answered) {
        httpd_reset(f->call->q);
    } else if (f->call->status == 0) {
        call_send_refused(f->call);
    }
}

void follows_end_refused(struct follows *all) {
    struct follow *f;
    for (size_t i = 0; i < FOLLOW_BUCKETS; i++) {
        LIST_FOREACH(f, &all->buckets[i], in_bucket) {
            if (!call_may_go_on(f->call)) {
                follow_end_refused(f);
            }
        }
    }
}

/* --- news */

static void follow_on_change(struct follow *f) {
    f->more = true;
    follow_more(f);
}

void follows_on_news(struct follows *all, const struct store_news *news) {
    struct follow *f;
    for (size_t i = 0; i < news->jobs_n && all->n > 0; i++) {
        const char *id = news->jobs[i].job_id;
        LIST_FOREACH(f, follows_bucket(all, id), in_bucket) {
            if (strcmp(f->call->id, id) == 0) {
                follow_on_change(f);
            }
        }
    }
    for (size_t i = 0; news->lost && i < FOLLOW_BUCKETS; i++) {
        LIST_FOREACH(f, &all->buckets[i], in_bucket) {
            follow_on_change(f);
        }
    }
}
