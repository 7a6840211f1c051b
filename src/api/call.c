/* A request's way: from httpd/ to its route's function, and the answer's way back. */
#include "api/call.h"

#include "api/follow.h"
#include "api/problem.h"
#include "api/quota.h"
#include "api/views.h"
#include "base/clock.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TASKS_IDLE_MAX ((size_t)256)
#define TASK_KEEP_BYTES ((size_t)32 * 1024) /* a larger one is not worth keeping */

/* --- before the body */

static bool call_route(struct call *c) {
    char allow[ROUTE_ALLOW_BYTES];
    c->route = route_find(c->q->method, c->q->path, c->id, allow);
    if (c->api->o.health_only && (c->route == NULL || !c->route->health)) {
        problem_send(c, PROBLEM_NOT_FOUND, "Here are /livez, /readyz and /metrics only.");
        return false;
    }
    if (c->route != NULL) {
        return true;
    }
    if (*allow != '\0') {
        problem_send_method(c, allow);
    } else {
        problem_send(c, PROBLEM_NOT_FOUND, "There is no such path; see /docs.");
    }
    return false;
}

/* Numbers about everybody's jobs are for whoever is on this machine, or has a key. */
static unsigned call_scope(const struct call *c) {
    return c->route->run == pages_metrics && !c->api->near ? STORE_SCOPE_READ : c->route->scope;
}

/* Without its port. */
static struct str host_name(struct str host) {
    bool v6 = str_starts(host, S("["));
    size_t end = v6 ? str_rfind(host, S("]:")) : str_find_char(host, ':');
    return end == STR_NPOS ? host : str_take(host, v6 ? end + 1 : end);
}

static bool host_is_number(struct str name) {
    bool digits = true;
    for (size_t i = 0; i < name.n; i++) {
        digits = digits && ((name.p[i] >= '0' && name.p[i] <= '9') || name.p[i] == '.');
    }
    return digits || str_starts(name, S("["));
}

/* A page of another site that makes a browser send this: from an origin of its own, or under a name
 * of its own that it lets point here. While no key protects the server, its address has to. */
static bool call_is_foreign(const struct call *c) {
    struct str origin = httpd_header(c->q, "origin"), host = httpd_header(c->q, "host");
    struct str name = host_name(host);
    size_t scheme = str_find(origin, S("://"));
    bool ours = host_is_number(name) || str_eq_nocase(name, S("localhost")) ||
                c->api->o.listen.unix_path != NULL;
    bool same = origin.p == NULL ||
                (scheme != STR_NPOS && str_eq_nocase(str_skip(origin, scheme + 3), host));
    return !ours || !same;
}

bool call_may_go_on(const struct call *c) {
    return c->key != NULL ? c->key->row.revoked_ms == 0 : !c->api->auth.any;
}

void call_send_refused(struct call *c) {
    problem_send(c, PROBLEM_UNAUTHORIZED, "%s",
                 c->key != NULL ? "This key was revoked." : "This server wants a key by now.");
}

void call_end_refused(struct api *api) {
    views_end_refused(api->views);
    follows_end_refused(api->follows);
}

static bool call_allow(struct call *c) {
    const struct auth *auth = &c->api->auth;
    unsigned scope = call_scope(c);
    c->tenant = auth->any ? STORE_TENANT_ANY : STORE_TENANT_NONE;
    if (scope == 0) {
        return true;
    }
    if (!auth->any) {
        bool foreign = call_is_foreign(c);
        if (foreign) {
            problem_send(c, PROBLEM_FORBIDDEN,
                         "Other sites' pages may not use this server while it has no key.");
        }
        return !foreign;
    }
    struct str given = httpd_header(c->q, "authorization");
    c->key = auth_find(auth, given);
    if (c->key == NULL) {
        problem_send(c, PROBLEM_UNAUTHORIZED, "%s",
                     given.n == 0 ? "This server wants a key: Authorization: Bearer sk-stumper-…"
                                  : "This key is not known here, or was revoked.");
        return false;
    }
    unsigned scopes = c->key->row.scopes;
    bool admin = (scopes & STORE_SCOPE_ADMIN) != 0;
    if (!admin && (scopes & scope) == 0) {
        problem_send(c, PROBLEM_FORBIDDEN, "This key lacks the scope \"%s\".",
                     key_scope_name(scope));
        return false;
    }
    c->tenant = admin ? STORE_TENANT_ANY : c->key->row.number;
    return true;
}

static bool call_refuse_rate(struct call *c) {
    problem_send_later(c, PROBLEM_RATE, c->rate.retry_s,
                       "This key may send %" PRId64 " requests a minute.", c->rate.quota);
    return false;
}

/* Whether it may go on may have to be asked for, when its body is there. */
static bool call_count(struct call *c) {
    if (c->key == NULL) {
        return true;
    }
    c->rate = auth_count(c->key, c->q->started_us);
    return c->rate.retry_s == 0 || call_refuse_rate(c);
}

/* "application/json" with or without parameters; nothing at all is taken for it. */
static bool call_media_type(struct call *c) {
    struct str type = httpd_header(c->q, "content-type");
    if (!c->route->body || type.p == NULL ||
        str_eq_nocase(str_trim(str_split(&type, ';')), S("application/json"))) {
        return true;
    }
    problem_send(c, PROBLEM_MEDIA_TYPE, "The body must be application/json.");
    return false;
}

static void call_begin(struct api *api, struct httpd_request *q) {
    struct call *c = q->state;
    c->api = api;
    c->q = q;
}

/* Nobody can get rid of a request that is refused here but by sending another one. */
static void call_head(void *ctx, struct httpd_request *q) {
    struct call *c = q->state;
    call_begin(ctx, q);
    (void)(call_route(c) && call_allow(c) && call_count(c) && call_media_type(c));
}

static void call_refuse(void *ctx, struct httpd_request *q, int status, const char *reason) {
    call_begin(ctx, q);
    problem_send_refused(q->state, status, reason);
}

/* A key may be revoked while the body comes. */
void call_go(struct call *c) {
    if (call_scope(c) != 0 && !call_may_go_on(c)) {
        call_send_refused(c);
    } else if (c->rate.retry_s != 0) {
        (void)call_refuse_rate(c);
    } else if (c->rate.ask) {
        quota_wait(c);
    } else {
        c->route->run(c);
    }
}

static void call_run(void *ctx, struct httpd_request *q) {
    (void)ctx;
    call_go(q->state);
}

static void call_drained(void *ctx, struct httpd_request *q) {
    struct call *c = q->state;
    (void)ctx;
    if (c->follow != NULL) {
        follow_more(c->follow);
    }
}

static void call_over(void *ctx, struct httpd_request *q, bool whole) {
    struct call *c = q->state;
    (void)ctx;
    (void)whole;
    if (c->task != NULL) {
        c->task->call = NULL;
        c->task = NULL;
    }
    quota_forget(c);
    view_forget_call(c);
    follow_end(c);
    buffer_give(c->body);
    c->body = NULL;
}

const struct httpd_handler call_handler = {.head = call_head,
                                           .request = call_run,
                                           .refuse = call_refuse,
                                           .drained = call_drained,
                                           .over = call_over};

/* --- the answer */

struct jwrite *call_json(struct call *c) {
    if (c->body == NULL) {
        c->body = buffer_take(&c->api->buffers);
    }
    sbuf_clear(&c->body->data);
    jwrite_init(&c->w, &c->body->data);
    return &c->w;
}

struct jwrite *call_list(struct call *c) {
    struct jwrite *w = call_json(c);
    jwrite_object(w);
    jwrite_key(w, "object");
    jwrite_cstr(w, "list");
    jwrite_key(w, "data");
    jwrite_array(w);
    return w;
}

void call_send_list(struct call *c) {
    jwrite_end(&c->w);
    jwrite_end(&c->w);
    call_send_json(c, 200);
}

static void call_give(void *buffer) {
    buffer_give(buffer);
}

void call_rate_headers(const struct call *c, struct httpd_response *r) {
    char policy[AUTH_FIELD_BYTES], left[AUTH_FIELD_BYTES];
    if (auth_fields(&c->rate, &c->share, policy, left)) {
        httpd_response_header(r, "ratelimit-policy", policy);
        httpd_response_header(r, "ratelimit", left);
    }
}

static struct httpd_response *call_make(struct call *c, int status, const char *content_type,
                                        const char *cache_control) {
    struct str body = S("");
    struct buffer *buffer = c->body;
    c->body = NULL;
    if (buffer != NULL) {
        ASSERT(!sbuf_overflowed(&buffer->data)); /* whoever writes one bounds what goes in */
        body = sbuf_str(&buffer->data);
    }
    struct httpd_response *r =
        httpd_response_new(status, body, buffer != NULL ? call_give : NULL, buffer);
    if (content_type != NULL) {
        httpd_response_header(r, "content-type", content_type);
    }
    httpd_response_header(r, "cache-control", cache_control);
    call_rate_headers(c, r);
    c->status = status;
    return r;
}

struct httpd_response *call_response(struct call *c, int status, const char *content_type) {
    return call_make(c, status, content_type, "no-store");
}

bool call_knows(const struct call *c, const char *etag) {
    struct str known = httpd_header(c->q, "if-none-match");
    return str_eq(known, S("*")) || str_find(known, str_of(etag)) != STR_NPOS;
}

void call_send_fixed(struct call *c) {
    char etag[32];
    (void)snprintf(etag, sizeof etag, "\"%016" PRIx64 "\"", str_hash(sbuf_str(&c->body->data)));
    bool known = call_knows(c, etag);
    if (known) {
        sbuf_clear(&c->body->data);
    }
    struct httpd_response *r =
        call_make(c, known ? 304 : 200, known ? NULL : "application/json", "private, no-cache");
    httpd_response_header(r, "etag", etag);
    call_send(c, r);
}

void call_send(struct call *c, struct httpd_response *r) {
    meters_request(&c->api->meters, c->route, c->status, clock_mono_us() - c->q->started_us);
    httpd_respond(c->q, r);
    httpd_response_free(r);
}

void call_send_json(struct call *c, int status) {
    call_send(c, call_response(c, status, "application/json"));
}

/* --- tasks */

struct task *task_new(struct api *api, struct call *c) {
    struct task *t = api->idle_tasks;
    if (t != NULL) {
        api->idle_tasks = t->next;
        api->idle_tasks_n--;
    } else {
        t = mem_new(sizeof *t);
        arena_init(&t->a, TASK_BYTES_MAX);
        t->api = api;
    }
    t->call = c;
    if (c != NULL) {
        ASSERT(c->task == NULL);
        c->task = t;
    }
    return t;
}

void task_free(struct task *t) {
    struct api *api = t->api;
    if (t->call != NULL) {
        t->call->task = NULL;
    }
    if (api->idle_tasks_n == TASKS_IDLE_MAX || t->a.bytes > TASK_KEEP_BYTES) {
        arena_release(&t->a);
        free(t);
        return;
    }
    arena_reset(&t->a);
    t->next = api->idle_tasks;
    api->idle_tasks = t;
    api->idle_tasks_n++;
}
