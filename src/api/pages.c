/* What is not about a job: health, numbers, documents. */
#include "api/call.h"
#include "api/problem.h"
#include "base/log.h"
#include "store/store_read.h"

#include <stdio.h>

#define PAGES_POLICY                                                                               \
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "   \
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

extern const unsigned char api_docs_html[], api_openapi_json[];
extern const size_t api_docs_html_size, api_openapi_json_size;

static void pages_text(struct call *c, int status, const char *text) {
    (void)call_json(c);
    sbuf_add_cstr(&c->body->data, text);
    call_send(c, call_response(c, status, "text/plain; charset=utf-8"));
}

/* The thread runs; whether it can work is for /readyz to say. */
void pages_livez(struct call *c) {
    pages_text(c, 200, "ok\n");
}

void pages_root(struct call *c) {
    struct httpd_response *r = call_response(c, 302, NULL);
    httpd_response_header(r, "location", "/docs");
    call_send(c, r);
}

static void pages_static(struct call *c, const unsigned char *bytes, size_t n, const char *type) {
    struct httpd_response *r =
        httpd_response_new(200, (struct str){(const char *)bytes, n}, NULL, NULL);
    c->status = 200;
    httpd_response_header(r, "content-type", type);
    httpd_response_header(r, "cache-control", "no-cache");
    httpd_response_header(r, "x-content-type-options", "nosniff");
    httpd_response_header(r, "content-security-policy", PAGES_POLICY);
    call_send(c, r);
}

void pages_docs(struct call *c) {
    pages_static(c, api_docs_html, api_docs_html_size, "text/html; charset=utf-8");
}

void pages_openapi(struct call *c) {
    pages_static(c, api_openapi_json, api_openapi_json_size, "application/json");
}

/* --- what asks the store how it is */

struct pages_totals {
    struct task *task;
    struct store_totals op;
};

static void pages_ask(struct call *c, void (*done)(struct store_op *op)) {
    struct task *t = task_new(c->api, c);
    struct pages_totals *p = ARENA_NEW(&t->a, struct pages_totals);
    p->task = t;
    p->op.op = (struct store_op){.loop = c->api->loop, .done = done};
    store_totals(c->api->o.store, &p->op);
}

/* Who can read only is still asked: for the jobs there are. */
static void pages_ready(struct call *c) {
    const struct api_options *o = &c->api->o;
    enum err e = store_trouble(o->store);
    (void)call_json(c);
    struct sbuf *out = &c->body->data;
    sbuf_add_cstr(out, "ready");
    if (e != ERR_OK) {
        sbuf_addf(out, ", degraded: nothing can be stored: %s", err_text(e));
    } else if (o->degraded != NULL && o->degraded(o->degraded_ctx)) {
        sbuf_add_cstr(out, ", degraded: the broker cannot be reached");
    }
    sbuf_add_cstr(out, "\n");
    call_send(c, call_response(c, 200, "text/plain; charset=utf-8"));
}

static void pages_on_ready(struct store_op *op) {
    struct pages_totals *p = CONTAINER_OF(op, struct pages_totals, op.op);
    struct call *c = p->task->call;
    if (c != NULL && op->err == ERR_OK) {
        pages_ready(c);
    } else if (c != NULL) {
        log_warn("not ready: %s", errinfo_text(&op->detail, op->err));
        pages_text(c, 503, "the store does not answer\n");
    }
    task_free(p->task);
}

void pages_readyz(struct call *c) {
    if (atomic_load(&c->api->draining)) {
        pages_text(c, 503, "about to stop\n");
        return;
    }
    pages_ask(c, pages_on_ready);
}

static void pages_render_totals(const struct store_totals *t, struct sbuf *out) {
    sbuf_add_cstr(out, "# HELP stumper_jobs Jobs that have not ended, by state.\n"
                       "# TYPE stumper_jobs gauge\n");
    for (int s = 0; s < JOB_STATES; s++) {
        if (!job_state_is_final((enum job_state)s)) {
            sbuf_addf(out, "stumper_jobs{state=\"%s\"} %lld\n", job_state_name((enum job_state)s),
                      (long long)t->ret_jobs[s]);
        }
    }
    sbuf_addf(out,
              "# HELP stumper_attempts_leased Attempts that a worker has.\n"
              "# TYPE stumper_attempts_leased gauge\n"
              "stumper_attempts_leased %lld\n"
              "# HELP stumper_webhooks_pending Webhooks to be delivered.\n"
              "# TYPE stumper_webhooks_pending gauge\n"
              "stumper_webhooks_pending %lld\n",
              (long long)t->ret_in_flight, (long long)t->ret_outbox);
}

static void pages_on_totals(struct store_op *op) {
    struct pages_totals *p = CONTAINER_OF(op, struct pages_totals, op.op);
    struct call *c = p->task->call;
    if (c != NULL) {
        struct api *api = c->api;
        (void)call_json(c);
        metric_set(api->meters.connections, httpd_connections(api->httpd));
        meters_render(&api->meters, &c->body->data);
        if (op->err == ERR_OK) {
            pages_render_totals(&p->op, &c->body->data);
        }
        call_send(c, call_response(c, 200, "text/plain; version=0.0.4; charset=utf-8"));
    }
    task_free(p->task);
}

void pages_metrics(struct call *c) {
    pages_ask(c, pages_on_totals);
}
