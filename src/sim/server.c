/* The life of connections, and the loop.
 *
 * libmicrohttpd is driven from outside: our ppoll() waits for its epoll descriptor, for the next
 * timer, for the order to stop. A request whose answer is due later is suspended; the library walks
 * over all suspended connections whenever one is resumed, so with many waiting they are resumed in
 * batches: all that are due within half a batch before or after (at most 0.5 ms), which keeps the
 * latency right on average.
 *
 * Suspended connections are not watched by the library. That suits a latency (a provider bills an
 * answer whether it is read or not); clients that are left hanging are watched by an epoll of ours.
 */
#include "sim/conn.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#define SERVER_CONNECTIONS_MAX 60000
#define SERVER_FILES_KEPT 64 /* descriptors for everything but connections */
#define SERVER_CONN_MEMORY ((size_t)8 * 1024)
#define SERVER_BACKLOG 16384
#define SERVER_BATCH_US 500
#define SERVER_PER_US 8 /* a microsecond of batch for so many waiting */
#define SERVER_SWEEP_US 100000
#define SERVER_FLUSH_US 100000

static void conn_reset_answer(struct conn *c) {
    buffer_give(c->body);
    buffer_give(c->answer.body);
    c->body = NULL;
    c->answer.body = NULL;
}

static void server_notify(void *cls, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode what) {
    struct sim_server *s = cls;
    struct conn *c = *context;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        c = mem_new(sizeof *c);
        c->server = s;
        c->mhd = mhd;
        int fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        guard_add(&s->guard, &c->guard, fd, clock_mono_ms());
        *context = c;
        return;
    }
    timers_remove(&s->timers, &c->timer);
    guard_remove(&c->guard);
    conn_reset_answer(c);
    free(c);
    *context = NULL;
}

/* The request line is there: the rest of the header has GUARD_INPUT_MS to come. */
static void *server_request_line(void *cls, const char *uri, struct MHD_Connection *mhd) {
    struct sim_server *s = cls;
    (void)uri;
    struct conn *c =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    c->state = CONN_HEAD;
    guard_enter(&s->guard, &c->guard, GUARD_INPUT, clock_mono_ms());
    return c;
}

static void server_completed(void *cls, struct MHD_Connection *mhd, void **con_cls,
                             enum MHD_RequestTerminationCode how) {
    struct sim_server *s = cls;
    struct conn *c = *con_cls;
    (void)mhd;
    (void)how;
    if (c != NULL) {
        timers_remove(&s->timers, &c->timer);
        conn_reset_answer(c);
        c->state = CONN_IDLE;
        guard_enter(&s->guard, &c->guard, GUARD_IDLE, clock_mono_ms());
    }
}

static void conn_begin_answer(struct conn *c) {
    c->answer.status = 200;
    c->answer.body = buffer_take(&c->server->buffers);
    c->answer.content_type = "application/json";
    c->answer.allow = NULL;
    c->answer.wait_ms = 0;
    c->answer.limits = c->answer.reset = c->answer.close = c->answer.billed = false;
    c->answer.request_id = rng_mix(++c->server->serial);
}

/* Headers are read. */
static enum MHD_Result conn_head(struct conn *c, const char *version) {
    struct guard_verdict v = guard_headers(c->mhd, version);
    struct sim_error e;
    c->started_us = clock_mono_us();
    c->too_big = false;
    if (v.status == 0 && v.body_bytes > SIM_BODY_BYTES_MAX) {
        v = (struct guard_verdict){.status = 413, .reason = "The request body is too large."};
    }
    if (v.status == 0) {
        c->state = CONN_BODY;
        c->body = buffer_take(&c->server->buffers);
        guard_enter(&c->server->guard, &c->guard, GUARD_INPUT, clock_mono_ms());
        return MHD_YES;
    }
    conn_begin_answer(c);
    (void)sim_error_set(&e, v.status, "invalid_request_error", NULL, NULL, "%s", v.reason);
    handler_refuse(c, &e);
    c->answer.close = true;
    return handler_send(c);
}

static enum MHD_Result conn_more(struct conn *c, const char *data, size_t *n) {
    struct sbuf *body = &c->body->data;
    if (*n <= SIM_BODY_BYTES_MAX - body->n) {
        sbuf_add(body, (struct str){data, *n});
    } else {
        c->too_big = true;
    }
    *n = 0;
    return MHD_YES;
}

/* The client sees a reset, not an orderly end. */
static enum MHD_Result conn_cut(struct conn *c) {
    const struct sockaddr none = {.sa_family = AF_UNSPEC};
    (void)connect(c->guard.fd, &none, sizeof none); /* Linux: drops the connection with a RST */
    return MHD_NO;
}

static enum MHD_Result conn_respond(struct conn *c) {
    if (c->answer.reset) {
        return conn_cut(c);
    }
    return handler_send(c);
}

/* All is read: answer now or later. */
static enum MHD_Result conn_body(struct conn *c, const char *method, const char *url) {
    struct sim_server *s = c->server;
    conn_begin_answer(c);
    double delay_ms = handler_answer(c, method, url);
    buffer_give(c->body);
    c->body = NULL;
    guard_enter(&s->guard, &c->guard, GUARD_BUSY, clock_mono_ms());
    c->state = CONN_READY;
    if (delay_ms < 0) {
        struct epoll_event event = {.events = EPOLLRDHUP | EPOLLONESHOT, .data.ptr = c};
        c->state = CONN_HANGING;
        MHD_suspend_connection(c->mhd);
        if (epoll_ctl(s->hangup_fd, EPOLL_CTL_ADD, c->guard.fd, &event) != 0) {
            log_warn("cannot watch a hanging client: %s", strerror(errno));
        }
        return MHD_YES;
    }
    if (delay_ms > 0) {
        c->state = CONN_WAITING;
        MHD_suspend_connection(c->mhd);
        timers_add(&s->timers, &c->timer, c->started_us + (int64_t)(delay_ms * 1000));
        return MHD_YES;
    }
    return conn_respond(c);
}

static enum MHD_Result server_handle(void *cls, struct MHD_Connection *mhd, const char *url,
                                     const char *method, const char *version, const char *upload,
                                     size_t *upload_n, void **con_cls) {
    const struct sim_server *s = cls;
    struct conn *c = *con_cls;
    (void)mhd;
    if (s->stopping) {
        return MHD_NO; /* nothing may be suspended any more */
    }
    switch (c->state) {
    case CONN_HEAD:
        return conn_head(c, version);
    case CONN_BODY:
        return *upload_n > 0 ? conn_more(c, upload, upload_n) : conn_body(c, method, url);
    case CONN_READY:
        return conn_respond(c);
    case CONN_WAITING:
    case CONN_HANGING:
    case CONN_IDLE:
    case CONN_GONE:
        break;
    }
    return MHD_NO;
}

/* As many files as we may have; gives how many connections fit. */
static unsigned server_files(void) {
    struct rlimit limit = {0};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit); /* what it is now is asked below */
        (void)getrlimit(RLIMIT_NOFILE, &limit);
    }
    rlim_t most = SERVER_CONNECTIONS_MAX + SERVER_FILES_KEPT;
    return (unsigned)(MAX(MIN(limit.rlim_cur, most), (rlim_t)SERVER_FILES_KEPT * 2) -
                      SERVER_FILES_KEPT);
}

static bool server_address(const struct sim_options *o, struct sockaddr_storage *ret) {
    struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
    *ret = (struct sockaddr_storage){0};
    if (inet_pton(AF_INET, o->listen, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)o->port);
        return true;
    }
    if (inet_pton(AF_INET6, o->listen, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)o->port);
        return true;
    }
    return false;
}

static enum err server_listen(struct sim_server *s, struct errinfo *reterr) {
    const struct sim_options *o = s->options;
    struct sockaddr_storage address;
    if (!server_address(o, &address)) {
        return errinfo_set(reterr, ERR_USAGE, "'%s' is not an IP address to listen on", o->listen);
    }
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO;
    flags |= address.ss_family == AF_INET6 ? MHD_USE_IPv6 : 0;
    errno = 0;
    s->daemon = MHD_start_daemon(
        flags, (uint16_t)o->port, NULL, NULL, server_handle, s, MHD_OPTION_SOCK_ADDR,
        (struct sockaddr *)&address, MHD_OPTION_CONNECTION_LIMIT, server_files(),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, SERVER_CONN_MEMORY, MHD_OPTION_LISTEN_BACKLOG_SIZE,
        SERVER_BACKLOG, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_CONNECTION,
        server_notify, s, MHD_OPTION_NOTIFY_COMPLETED, server_completed, s,
        MHD_OPTION_URI_LOG_CALLBACK, server_request_line, s, MHD_OPTION_END);
    if (s->daemon == NULL) {
        return errinfo_set(reterr, errno == EADDRINUSE ? ERR_BUSY : ERR_IO,
                           "cannot listen on %s port %d: %s", o->listen, o->port,
                           errno != 0 ? strerror(errno) : "no reason given");
    }
    s->port = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    return ERR_OK;
}

enum err sim_server_new(const struct sim_options *options, struct sim_server **ret,
                        struct errinfo *reterr) {
    struct sim_server *s = mem_new(sizeof *s);
    s->options = options;
    s->hangup_fd = -1;
    enum err e = truth_open(&s->truth, options->truth_path, reterr);
    if (e != ERR_OK) {
        free(s);
        return e;
    }
    e = ledger_open(&s->ledger, options->ledger_path, options->prices, reterr);
    if (e != ERR_OK) {
        truth_close(&s->truth);
        free(s);
        return e;
    }
    brain_init(&s->brain, &options->brain, &s->truth);
    guard_init(&s->guard, options->input_ms, options->idle_ms);
    buffers_init(&s->buffers, SIM_BODY_BYTES_MAX * 2);
    sbuf_init(&s->text, SIM_BODY_BYTES_MAX);
    s->hangup_fd = epoll_create1(EPOLL_CLOEXEC);
    e = server_listen(s, reterr);
    if (e != ERR_OK) {
        sim_server_free(s);
        return e;
    }
    *ret = s;
    return ERR_OK;
}

int sim_server_port(const struct sim_server *s) {
    return s->port;
}

static void conn_resume(struct conn *c, enum conn_state state) {
    c->state = state;
    MHD_resume_connection(c->mhd);
}

static int64_t server_batch_us(const struct sim_server *s) {
    return MIN((int64_t)s->timers.n / SERVER_PER_US, (int64_t)SERVER_BATCH_US);
}

static void server_resume_due(struct sim_server *s, int64_t now_us) {
    int64_t until_us = now_us + server_batch_us(s);
    struct timer *t;
    while ((t = timers_first(&s->timers)) != NULL && t->due_us <= until_us) {
        timers_remove(&s->timers, t);
        conn_resume(CONTAINER_OF(t, struct conn, timer), CONN_READY);
    }
}

static void server_hangups(struct sim_server *s) {
    struct epoll_event events[64];
    int n = epoll_wait(s->hangup_fd, events, ARRAY_LEN(events), 0);
    for (int i = 0; i < n; i++) {
        struct conn *c = events[i].data.ptr;
        (void)epoll_ctl(s->hangup_fd, EPOLL_CTL_DEL, c->guard.fd, NULL);
        conn_resume(c, CONN_GONE);
    }
}

/* Wait for sockets, the next timer, the next chore or the order to stop. */
static void server_wait(struct sim_server *s, int64_t chore_us) {
    MHD_UNSIGNED_LONG_LONG mhd_ms;
    struct timer *t = timers_first(&s->timers);
    int64_t now_us = clock_mono_us(), until_us = chore_us;
    if (t != NULL) {
        until_us = MIN(until_us, t->due_us + server_batch_us(s));
    }
    if (MHD_get_timeout(s->daemon, &mhd_ms) == MHD_YES) {
        until_us = MIN(until_us, now_us + (int64_t)MIN(mhd_ms, 1000) * 1000);
    }
    int64_t wait_us = MAX(until_us - now_us, INT64_C(0));
    struct timespec wait = {wait_us / 1000000, wait_us % 1000000 * 1000};
    struct pollfd fds[] = {
        {.fd = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd,
         .events = POLLIN},
        {.fd = s->options->stop_fd, .events = POLLIN},
        {.fd = s->hangup_fd, .events = POLLIN},
    };
    if (ppoll(fds, ARRAY_LEN(fds), &wait, NULL) > 0) {
        s->stopping = fds[1].revents != 0;
        if (fds[2].revents != 0) {
            server_hangups(s);
        }
    }
}

void sim_server_run(struct sim_server *s) {
    int64_t sweep_us = 0, flush_us = 0;
    while (!s->stopping) {
        int64_t now_us = clock_mono_us();
        server_resume_due(s, now_us);
        (void)MHD_run(s->daemon);
        journal_flush(&s->truth.file); /* at the latest by handler_send(); here in one go */
        if (now_us >= sweep_us) {
            guard_sweep(&s->guard, now_us / 1000);
            sweep_us = now_us + SERVER_SWEEP_US;
        }
        if (now_us >= flush_us) {
            journal_flush(&s->ledger.file);
            flush_us = now_us + SERVER_FLUSH_US;
        }
        server_wait(s, MIN(sweep_us, s->ledger.file.pending.n > 0 ? flush_us : sweep_us));
    }
}

/* The library can stop only when nothing is suspended. */
static void server_drop_all(struct sim_server *s) {
    s->stopping = true;
    struct guard_conn *busy = &s->guard.lists[GUARD_BUSY];
    for (struct guard_conn *g = busy->next; g != busy; g = g->next) {
        struct conn *c = CONTAINER_OF(g, struct conn, guard);
        if (c->state == CONN_WAITING || c->state == CONN_HANGING) {
            timers_remove(&s->timers, &c->timer);
            conn_resume(c, CONN_GONE);
        }
    }
    (void)MHD_run(s->daemon);
    MHD_stop_daemon(s->daemon);
}

void sim_server_free(struct sim_server *s) {
    if (s->daemon != NULL) {
        server_drop_all(s);
    }
    if (s->hangup_fd >= 0) {
        (void)close(s->hangup_fd);
    }
    buffers_release(&s->buffers);
    timers_release(&s->timers);
    sbuf_release(&s->text);
    brain_release(&s->brain);
    ledger_close(&s->ledger);
    truth_close(&s->truth);
    free(s);
}
