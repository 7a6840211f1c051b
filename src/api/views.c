/* A view is read ("loading") when somebody asks and it is not fresh. Whoever asks gets a reading
 * that began after the last change that they can know of:
 *
 *     news ─► fresh = false, or while loading: again = true
 *     asked while loading, again not yet set ─► this reading will do; set ─► only the next
 *
 * so a busy job cannot keep its askers waiting for ever, and nobody is told less than they know.
 * What other processes did is known when the store tells it: STORE_NEWS_NEAR_MS while somebody asks.
 */
#include "api/views.h"

#include "api/call.h"
#include "api/render.h"
#include "api/snapshot.h"
#include "base/clock.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VIEW_BUCKETS ((size_t)16384)
#define VIEW_RETRY_AFTER "2"

LIST_HEAD(view_calls, call);

struct view {
    struct view *next; /* in its bucket */
    TAILQ_ENTRY(view) used;
    struct views *views;
    char id[STORE_ID_BYTES];
    struct view_calls calls; /* that wait for a reading, a change or the end */
    int64_t reading;         /* number of the reading that was begun last */
    bool loading, again;
    bool fresh, behind; /* behind: counts have changed since */
    int64_t loaded_ms;
    struct loop_timer refresh;
    /* as read last; nothing before the first time */
    int64_t tenant;
    enum job_state state;
    char *metadata; /* owned; NULL: not read yet */
    char etag[32];
    struct str body; /* ok's */
    struct httpd_response *ok, *unchanged;
    size_t bytes;
};

struct views {
    struct api *api;
    struct view *buckets[VIEW_BUCKETS];
    TAILQ_HEAD(, view) used; /* the longest unused first */
    size_t n, bytes;
    bool stopped;
};

struct views *views_new(struct api *api) {
    struct views *v = mem_new(sizeof *v);
    v->api = api;
    TAILQ_INIT(&v->used);
    return v;
}

static struct view **views_bucket(struct views *v, const char *id) {
    return &v->buckets[str_hash(str_of(id)) % VIEW_BUCKETS];
}

static struct view *views_find(struct views *v, const char *id) {
    struct view *view = *views_bucket(v, id);
    while (view != NULL && strcmp(view->id, id) != 0) {
        view = view->next;
    }
    return view;
}

static void view_free(struct view *view) {
    struct view **at = views_bucket(view->views, view->id);
    while (*at != view) {
        at = &(*at)->next;
    }
    *at = view->next;
    TAILQ_REMOVE(&view->views->used, view, used);
    view->views->n--;
    view->views->bytes -= view->bytes;
    loop_timer_stop(&view->refresh);
    httpd_response_free(view->ok);
    httpd_response_free(view->unchanged);
    free(view->metadata);
    free(view);
}

static bool view_is_idle(const struct view *view) {
    return !view->loading && LIST_EMPTY(&view->calls);
}

/* Make room: those in use stay. */
static void views_trim(struct views *v) {
    struct view *view = TAILQ_FIRST(&v->used);
    while (view != NULL && (v->n > VIEWS_MAX || v->bytes > VIEWS_BYTES_MAX)) {
        struct view *next = TAILQ_NEXT(view, used);
        if (view_is_idle(view)) {
            view_free(view);
        }
        view = next;
    }
}

static struct view *views_get(struct views *v, const char *id) {
    struct view *view = views_find(v, id);
    if (view != NULL) {
        TAILQ_REMOVE(&v->used, view, used);
        TAILQ_INSERT_TAIL(&v->used, view, used);
        return view;
    }
    struct view **bucket = views_bucket(v, id);
    view = mem_new(sizeof *view);
    view->views = v;
    view->next = *bucket;
    *bucket = view;
    LIST_INIT(&view->calls);
    (void)snprintf(view->id, sizeof view->id, "%s", id);
    TAILQ_INSERT_TAIL(&v->used, view, used);
    v->n++;
    views_trim(v);
    return view;
}

/* --- answering */

static void call_leave(struct call *c) {
    store_unattend(c->api->o.store);
    loop_timer_stop(&c->patience);
    LIST_REMOVE(c, in_view);
    c->view = NULL;
}

static struct view_facts view_facts(const struct view *view) {
    return (struct view_facts){.state = view->state,
                               .etag = view->etag,
                               .body = view->body,
                               .ok = view->ok,
                               .unchanged = view->unchanged};
}

void view_headers(const struct view_facts *facts, bool unchanged, struct httpd_response *r) {
    if (!unchanged) {
        httpd_response_header(r, "content-type", "application/json");
    }
    httpd_response_header(r, "etag", facts->etag);
    httpd_response_header(r, "cache-control", "private, no-cache");
    if (!job_state_is_final(facts->state)) {
        httpd_response_header(r, "retry-after", VIEW_RETRY_AFTER);
    }
}

static void view_answer(struct view *view, struct call *c, enum err e,
                        const struct errinfo *detail) {
    bool visible = c->tenant == STORE_TENANT_ANY || c->tenant == view->tenant;
    struct view_facts facts = view_facts(view);
    facts.err = (e != ERR_OK && e != ERR_GONE) || visible ? e : ERR_NOT_FOUND;
    facts.detail = detail;
    view_fn *fn = c->on_view;
    call_leave(c);
    fn(c, &facts);
}

/* Has it got what it waits for? */
static bool view_satisfies(const struct view *view, const struct call *c) {
    bool visible = c->tenant == STORE_TENANT_ANY || c->tenant == view->tenant;
    return c->wait.ms == 0 || !visible || job_state_is_final(view->state) ||
           (c->wait.not .n > 0 && str_find(c->wait.not, str_of(view->etag)) == STR_NPOS);
}

/* Answer those whose time has come; an error is for all of them. */
static void view_answer_all(struct view *view, enum err e, const struct errinfo *detail) {
    struct call *c = LIST_FIRST(&view->calls);
    while (c != NULL) {
        struct call *next = LIST_NEXT(c, in_view);
        if (c->reading <= view->reading && (e != ERR_OK || view_satisfies(view, c))) {
            view_answer(view, c, e, detail);
        }
        c = next;
    }
}

/* --- reading */

static void view_load(struct view *view);

/* Counts that changed are read for those who wait, but not too often. */
static void view_on_refresh(void *ctx) {
    struct view *view = ctx;
    if (!LIST_EMPTY(&view->calls)) {
        view_load(view);
    }
}

static void view_refresh_later(struct view *view) {
    int64_t ms = view->loaded_ms + VIEW_COUNTS_MS - clock_mono_ms();
    if (!view->loading && view->refresh.slot == 0) {
        loop_timer_start(view->views->api->loop, &view->refresh, MAX(ms, INT64_C(0)),
                         view_on_refresh, view);
    }
}

static void view_give(void *buffer) {
    buffer_give(buffer);
}

/* The bytes and what is made of them. */
static void view_keep(struct view *view, struct buffer *body) {
    struct str text = sbuf_str(&body->data);
    (void)snprintf(view->etag, sizeof view->etag, "\"%016" PRIx64 "\"", str_hash(text));
    httpd_response_free(view->ok);
    httpd_response_free(view->unchanged);
    view->ok = httpd_response_new(200, text, view_give, body);
    view->unchanged = httpd_response_new(304, S(""), NULL, NULL);
    view->body = text;
    const struct view_facts facts = view_facts(view);
    view_headers(&facts, false, view->ok);
    view_headers(&facts, true, view->unchanged);
    size_t bytes = body->data.capacity + sizeof *view;
    view->views->bytes += bytes - view->bytes;
    view->bytes = bytes;
}

static void view_take(struct view *view, const struct snapshot *s) {
    struct buffer *body = buffer_take(&view->views->api->buffers);
    view->tenant = s->job.ret.tenant;
    view->state = s->job.ret.state;
    if (view->metadata == NULL) {
        struct str metadata = snapshot_metadata(s);
        view->metadata = mem_dup_cstr(metadata.p, metadata.n);
    }
    snapshot_render(s, str_of(view->metadata), view->views->api->o.retain_ms, &body->data);
    view_keep(view, body);
}

static void view_on_read(void *ctx, const struct snapshot *s) {
    struct view *view = ctx;
    struct views *v = view->views;
    view->loading = false;
    view->loaded_ms = clock_mono_ms();
    if (s->err == ERR_OK) {
        view_take(view, s);
    } else if (s->err == ERR_GONE) {
        view->tenant = s->job.ret.tenant;
    }
    view->fresh = s->err == ERR_OK && !view->again;
    view_answer_all(view, s->err, &s->detail);
    if (v->stopped) {
        return;
    }
    if (s->err != ERR_OK && LIST_EMPTY(&view->calls)) {
        view_free(view);
        return;
    }
    if (view->again && !LIST_EMPTY(&view->calls)) {
        view_load(view);
    } else if (view->behind && !LIST_EMPTY(&view->calls)) {
        view_refresh_later(view);
    }
    views_trim(v);
}

static void view_load(struct view *view) {
    if (view->loading || view->views->stopped) {
        return;
    }
    loop_timer_stop(&view->refresh);
    view->loading = true;
    view->again = view->behind = false;
    view->reading++;
    snapshot_read(view->views->api, view->id, view->metadata == NULL, view_on_read, view);
}

/* --- asking */

static bool view_is_fresh(const struct view *view) {
    return view->fresh && (!view->behind || clock_mono_ms() - view->loaded_ms < VIEW_COUNTS_MS);
}

/* The best there is. */
static void call_on_patience_over(void *ctx) {
    struct call *c = ctx;
    if (c->view->ok != NULL) {
        view_answer(c->view, c, ERR_OK, NULL);
    } else {
        view_answer(c->view, c, ERR_TIMEOUT, NULL);
    }
}

void view_ask(struct call *c, const char *id, const struct view_wait *wait, view_fn *fn) {
    struct view *view = views_get(c->api->views, id);
    bool fresh = view_is_fresh(view);
    store_attend(c->api->o.store);
    c->view = view;
    c->wait = *wait;
    c->on_view = fn;
    c->reading = view->reading + (fresh || (view->loading && !view->again) ? 0 : 1);
    LIST_INSERT_HEAD(&view->calls, c, in_view);
    if (fresh && view_satisfies(view, c)) {
        view_answer(view, c, ERR_OK, NULL);
        return;
    }
    if (wait->ms > 0) {
        loop_timer_start(c->api->loop, &c->patience, wait->ms, call_on_patience_over, c);
    }
    if (!fresh) {
        view_load(view);
    } else if (view->behind) {
        view_refresh_later(view);
    }
}

void view_forget_call(struct call *c) {
    if (c->view != NULL) {
        call_leave(c);
    }
}

static void view_end_refused(struct view *view) {
    struct call *c = LIST_FIRST(&view->calls);
    while (c != NULL) {
        struct call *next = LIST_NEXT(c, in_view);
        if (!call_may_go_on(c)) {
            call_leave(c);
            call_send_refused(c);
        }
        c = next;
    }
}

void views_end_refused(struct views *v) {
    struct view *view;
    TAILQ_FOREACH(view, &v->used, used) {
        view_end_refused(view);
    }
}

/* --- news */

static void view_on_change(struct view *view, unsigned what) {
    if ((what & (STORE_CHANGED_STATE | STORE_CHANGED_DELETED)) != 0) {
        view->fresh = false;
        view->again = view->loading;
        if (!LIST_EMPTY(&view->calls)) {
            view_load(view);
        }
    } else if ((what & STORE_CHANGED_COUNTS) != 0) {
        view->behind = true;
        if (!LIST_EMPTY(&view->calls)) {
            view_refresh_later(view);
        }
    }
}

void views_on_news(struct views *v, const struct store_news *news) {
    for (size_t i = 0; i < news->jobs_n; i++) {
        struct view *view = views_find(v, news->jobs[i].job_id);
        if (view != NULL) {
            view_on_change(view, news->jobs[i].what);
        }
    }
    struct view *view;
    TAILQ_FOREACH(view, &v->used, used) {
        if (!news->lost) {
            break;
        }
        view_on_change(view, STORE_CHANGED_STATE);
    }
}

void views_stop(struct views *v) {
    struct view *view;
    v->stopped = true;
    TAILQ_FOREACH(view, &v->used, used) {
        loop_timer_stop(&view->refresh);
    }
}

void views_free(struct views *v) {
    struct view *view = TAILQ_FIRST(&v->used);
    while (view != NULL) {
        struct view *next = TAILQ_NEXT(view, used);
        view_free(view);
        view = next;
    }
    free(v);
}
