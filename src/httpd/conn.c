/* The life of a connection: from the library's callbacks to the handler's. */
#include "httpd/conn.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static const struct httpd_handler *conn_handler(const struct conn *c) {
    return c->httpd->options.handler;
}

static void conn_forget_request(struct conn *c) {
    httpd_response_free(c->answer);
    buffer_give(c->body);
    buffer_give(c->stream);
    c->answer = NULL;
    c->body = c->stream = NULL;
    c->q.body = NULL;
    c->stream_sent = 0;
    c->too_big = c->watched = c->ended = c->reset = c->told = false;
    c->state = CONN_IDLE;
}

void conn_notify(void *httpd, struct MHD_Connection *mhd, void **context,
                 enum MHD_ConnectionNotificationCode what) {
    struct httpd *h = httpd;
    struct conn *c = *context;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        c = mem_new(sizeof *c + h->options.state_bytes);
        c->httpd = h;
        c->mhd = mhd;
        c->q.state = c->state_area;
        int fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        guard_add(&h->guard, &c->guard, fd, clock_mono_ms());
        *context = c;
        return;
    }
    guard_remove(&c->guard);
    conn_forget_request(c);
    free(c);
    *context = NULL;
}

/* The request line is there: the rest of the header has GUARD_INPUT_MS to come. */
void *conn_request_line(void *httpd, const char *uri, struct MHD_Connection *mhd) {
    struct httpd *h = httpd;
    (void)uri;
    struct conn *c =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    c->state = CONN_HEAD;
    memset(c->q.state, 0, h->options.state_bytes);
    guard_enter(&h->guard, &c->guard, GUARD_INPUT, clock_mono_ms());
    return c;
}

void conn_completed(void *httpd, struct MHD_Connection *mhd, void **con_cls,
                    enum MHD_RequestTerminationCode how) {
    struct httpd *h = httpd;
    struct conn *c = *con_cls;
    (void)mhd;
    if (c == NULL) {
        return;
    }
    if (c->watched) {
        (void)epoll_ctl(h->poll_fd, EPOLL_CTL_DEL, c->guard.fd, NULL);
        h->watched--;
    }
    if (c->state >= CONN_BODY && conn_handler(c)->over != NULL) {
        bool whole = how == MHD_REQUEST_TERMINATED_COMPLETED_OK && !c->reset;
        conn_handler(c)->over(h->options.ctx, &c->q, whole);
    }
    conn_forget_request(c);
    guard_enter(&h->guard, &c->guard, GUARD_IDLE, clock_mono_ms());
}

/* After a handler was called: send what it answered or wait for it. */
static enum MHD_Result conn_after(struct conn *c) {
    if (c->state == CONN_GONE) {
        return MHD_NO;
    }
    if (c->answer != NULL) {
        return conn_send(c);
    }
    c->suspended = true;
    MHD_suspend_connection(c->mhd);
    return MHD_YES;
}

static enum MHD_Result conn_refuse(struct conn *c, int status, const char *reason) {
    c->state = CONN_OPEN;
    guard_enter(&c->httpd->guard, &c->guard, GUARD_BUSY, clock_mono_ms());
    c->in_call = true;
    conn_handler(c)->refuse(c->httpd->options.ctx, &c->q, status, reason);
    c->in_call = false;
    ASSERT(c->answer != NULL || c->state == CONN_GONE);
    return conn_after(c);
}

/* There may be no request yet, or half of one, and the library has dropped what it has read. */
struct httpd_response *conn_refusal(struct conn *c, int status, const char *reason) {
    struct httpd *h = c->httpd;
    if (c->state < CONN_BODY) {
        memset(c->q.state, 0, h->options.state_bytes);
        c->q.method = c->q.path = "";
        c->q.started_us = clock_mono_us();
        c->body = buffer_take(&h->bodies);
        c->q.body = &c->body->data;
    }
    sbuf_clear(c->q.body);
    c->state = CONN_OPEN;
    guard_enter(&h->guard, &c->guard, GUARD_BUSY, clock_mono_ms());
    c->in_call = true;
    conn_handler(c)->refuse(h->options.ctx, &c->q, status, reason);
    c->in_call = false;
    struct httpd_response *r = c->answer;
    c->answer = NULL;
    if (conn_handler(c)->over != NULL) {
        conn_handler(c)->over(h->options.ctx, &c->q, false);
    }
    conn_forget_request(c);
    return r;
}

/* The handler's look at the headers; true if it answered. */
static bool conn_look(struct conn *c) {
    if (conn_handler(c)->head != NULL) {
        c->in_call = true;
        conn_handler(c)->head(c->httpd->options.ctx, &c->q);
        c->in_call = false;
    }
    return c->answer != NULL || c->state == CONN_GONE;
}

/* Headers are read. An answer before the body costs the connection, so it is given only where a
 * body would follow. */
static enum MHD_Result conn_head(struct conn *c, const char *version) {
    struct httpd *h = c->httpd;
    struct guard_verdict v = guard_headers(c->mhd, version, HTTPD_HEADER_BYTES_MAX);
    c->q.started_us = clock_mono_us();
    c->body = buffer_take(&h->bodies);
    c->q.body = &c->body->data;
    if (v.status == 0 && v.body_bytes > h->options.body_bytes_max) {
        v = (struct guard_verdict){.status = 413, .reason = "The request body is too large."};
    }
    if (v.status != 0) {
        return conn_refuse(c, v.status, v.reason);
    }
    c->state = CONN_BODY;
    c->headed = v.has_body;
    if (v.has_body && conn_look(c)) {
        guard_enter(&h->guard, &c->guard, GUARD_BUSY, c->q.started_us / 1000);
        return conn_after(c);
    }
    guard_enter(&h->guard, &c->guard, GUARD_INPUT, c->q.started_us / 1000);
    return MHD_YES;
}

static enum MHD_Result conn_more(struct conn *c, const char *data, size_t *n) {
    if (*n <= c->httpd->options.body_bytes_max - c->q.body->n) {
        sbuf_add(c->q.body, (struct str){data, *n});
    } else {
        c->too_big = true;
    }
    *n = 0;
    return MHD_YES;
}

/* All is read. */
static enum MHD_Result conn_whole(struct conn *c) {
    struct httpd *h = c->httpd;
    if (c->too_big) {
        sbuf_clear(c->q.body);
        return conn_refuse(c, 413, "The request body is too large.");
    }
    guard_enter(&h->guard, &c->guard, GUARD_BUSY, clock_mono_ms());
    c->state = CONN_OPEN;
    if (c->headed || !conn_look(c)) {
        c->in_call = true;
        conn_handler(c)->request(h->options.ctx, &c->q);
        c->in_call = false;
    }
    return conn_after(c);
}

enum MHD_Result conn_handle(void *httpd, struct MHD_Connection *mhd, const char *url,
                            const char *method, const char *version, const char *upload,
                            size_t *upload_n, void **con_cls) {
    const struct httpd *h = httpd;
    struct conn *c = *con_cls;
    (void)mhd;
    if (h->stopping) {
        return MHD_NO; /* nothing may be suspended any more */
    }
    switch (c->state) {
    case CONN_HEAD:
        c->q.method = method;
        c->q.path = url;
        return conn_head(c, version);
    case CONN_BODY:
        return *upload_n > 0 ? conn_more(c, upload, upload_n) : conn_whole(c);
    case CONN_OPEN:
        return conn_after(c);
    case CONN_SENT:
    case CONN_IDLE:
    case CONN_GONE:
        break;
    }
    return MHD_NO;
}

void conn_resume(struct conn *c) {
    if (c->suspended) {
        c->suspended = false;
        MHD_resume_connection(c->mhd);
        drive_soon(c->httpd);
    }
}

void conn_drop(struct conn *c) {
    c->state = CONN_GONE;
    conn_resume(c);
}

void httpd_watch(struct httpd_request *q) {
    struct conn *c = CONTAINER_OF(q, struct conn, q);
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLONESHOT, .data.ptr = c};
    if (!c->watched && epoll_ctl(c->httpd->poll_fd, EPOLL_CTL_ADD, c->guard.fd, &event) == 0) {
        c->watched = true; /* without the memory for it the next write will tell */
        c->httpd->watched++;
    }
}

void httpd_reset(struct httpd_request *q) {
    struct conn *c = CONTAINER_OF(q, struct conn, q);
    const struct sockaddr none = {.sa_family = AF_UNSPEC};
    c->reset = true;
    (void)connect(c->guard.fd, &none, sizeof none); /* Linux: drops the connection with a RST */
    conn_drop(c);
}

static struct str conn_value(const struct httpd_request *q, enum MHD_ValueKind kind,
                             const char *name) {
    const struct conn *c = conn_of(q);
    const char *value = NULL;
    size_t n = 0;
    if (MHD_lookup_connection_value_n(c->mhd, kind, name, strlen(name), &value, &n) != MHD_YES) {
        return (struct str){0};
    }
    return value != NULL ? (struct str){value, n} : S("");
}

struct str httpd_header(const struct httpd_request *q, const char *name) {
    return conn_value(q, MHD_HEADER_KIND, name);
}

struct str httpd_query(const struct httpd_request *q, const char *name) {
    return conn_value(q, MHD_GET_ARGUMENT_KIND, name);
}

struct conn_each {
    bool (*fn)(void *ctx, struct str name, struct str value);
    void *ctx;
};

static enum MHD_Result conn_on_argument(void *cls, enum MHD_ValueKind kind, const char *key,
                                        size_t key_n, const char *value, size_t value_n) {
    const struct conn_each *each = cls;
    (void)kind;
    struct str v = value != NULL ? (struct str){value, value_n} : S("");
    return each->fn(each->ctx, (struct str){key, key_n}, v) ? MHD_YES : MHD_NO;
}

void httpd_query_each(const struct httpd_request *q,
                      bool (*fn)(void *ctx, struct str name, struct str value), void *ctx) {
    const struct conn *c = conn_of(q);
    struct conn_each each = {fn, ctx};
    (void)MHD_get_connection_values_n(c->mhd, MHD_GET_ARGUMENT_KIND, conn_on_argument, &each);
}
