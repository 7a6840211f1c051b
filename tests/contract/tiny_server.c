#include "tiny_server.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/sbuf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define TINY_REQUEST_BYTES_MAX ((size_t)8 * 1024 * 1024)

struct tiny_connection {
    struct tiny_connection *next;
    int fd;
    int64_t no;
    struct sbuf in;
    bool answering; /* `reply` is due at due_ms */
    struct tiny_reply reply;
    int64_t due_ms;
};

struct tiny_server {
    tiny_handler *handler;
    void *ctx;
    pthread_t thread;
    int listen_fd, stop_fd, epoll_fd;
    char url[64];
    _Atomic int64_t requests, connections;
    struct tiny_connection *open;
};

void tiny_reply_raw(struct tiny_reply *r, struct str bytes) {
    r->bytes = mem_dup_cstr(bytes.p != NULL ? bytes.p : "", bytes.n);
    r->n = bytes.n;
}

void tiny_reply_set(struct tiny_reply *r, int status, const char *headers, struct str body) {
    struct sbuf b;
    sbuf_init(&b, TINY_REQUEST_BYTES_MAX);
    sbuf_addf(&b, "HTTP/1.1 %d Status\r\nContent-Length: %zu\r\n%s\r\n", status, body.n, headers);
    sbuf_add(&b, body);
    r->bytes = b.p;
    r->n = b.n;
}

static void tiny_watch(struct tiny_server *s, int fd, void *ptr) {
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = ptr};
    ASSERT(epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &e) == 0);
}

static void tiny_drop(struct tiny_server *s, struct tiny_connection *c, bool reset) {
    struct tiny_connection **at = &s->open;
    while (*at != c) {
        at = &(*at)->next;
    }
    *at = c->next;
    if (reset) {
        const struct linger now = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    (void)close(c->fd);
    free(c->reply.bytes);
    sbuf_release(&c->in);
    free(c);
}

static void tiny_accept(struct tiny_server *s) {
    int fd;
    while ((fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        const int on = 1;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct tiny_connection *c = mem_new(sizeof *c);
        *c = (struct tiny_connection){.next = s->open, .fd = fd, .no = s->connections++};
        sbuf_init(&c->in, TINY_REQUEST_BYTES_MAX);
        s->open = c;
        tiny_watch(s, fd, c);
    }
}

/* Send all of it, although the socket does not block: tests read what they asked for. */
static void tiny_send(int fd, const char *p, size_t n) {
    while (n > 0) {
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) {
            return; /* the client is gone, as some tests want it */
        }
        p += MAX(sent, 0);
        n -= (size_t)MAX(sent, 0);
    }
}

static void tiny_answer(struct tiny_server *s, struct tiny_connection *c) {
    tiny_send(c->fd, c->reply.bytes, c->reply.n);
    free(c->reply.bytes);
    enum tiny_then then = c->reply.then;
    c->reply = (struct tiny_reply){.bytes = NULL};
    c->answering = false;
    if (then != TINY_KEEP) {
        tiny_drop(s, c, then == TINY_RESET);
    }
}

/* Hand a whole request to the handler; true if there was one. */
static bool tiny_take_request(struct tiny_server *s, struct tiny_connection *c) {
    struct str all = sbuf_str(&c->in);
    size_t head_n = str_find(all, S("\r\n\r\n"));
    if (head_n == STR_NPOS) {
        return false;
    }
    struct tiny_request r = {.head = str_take(all, head_n), .connection = c->no};
    int64_t body_n = 0;
    size_t length_at = str_find(r.head, S("Content-Length: "));
    if (length_at != STR_NPOS) {
        struct str rest = str_skip(r.head, length_at + strlen("Content-Length: "));
        ASSERT(str_to_i64(str_trim(str_split(&rest, '\r')), &body_n));
    }
    if (all.n < head_n + 4 + (size_t)body_n) {
        return false;
    }
    r.body = str_take(str_skip(all, head_n + 4), (size_t)body_n);
    r.no = s->requests++;
    s->handler(s->ctx, &r, &c->reply);
    sbuf_clear(&c->in);
    c->answering = true;
    c->due_ms = clock_mono_ms() + c->reply.delay_ms;
    return true;
}

static void tiny_read(struct tiny_server *s, struct tiny_connection *c) {
    char *to = sbuf_reserve(&c->in, 65536);
    ASSERT(to != NULL);
    ssize_t n = recv(c->fd, to, 65536, 0);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN) {
            tiny_drop(s, c, false);
        }
        return;
    }
    sbuf_grew(&c->in, (size_t)n);
    if (tiny_take_request(s, c) && c->reply.delay_ms == 0) {
        tiny_answer(s, c);
    }
}

/* Answers that are due; returns how long until the next. */
static int tiny_answer_due(struct tiny_server *s) {
    int64_t now_ms = clock_mono_ms(), next_ms = 1000;
    for (struct tiny_connection *c = s->open, *next; c != NULL; c = next) {
        next = c->next;
        if (c->answering && c->due_ms <= now_ms) {
            tiny_answer(s, c);
        } else if (c->answering) {
            next_ms = MIN(next_ms, c->due_ms - now_ms);
        }
    }
    return (int)next_ms;
}

static void *tiny_serve(void *arg) {
    struct tiny_server *s = arg;
    for (;;) {
        struct epoll_event ready[256];
        int n = epoll_wait(s->epoll_fd, ready, 256, tiny_answer_due(s));
        for (int i = 0; i < n; i++) {
            if (ready[i].data.ptr == &s->stop_fd) {
                return NULL;
            }
            if (ready[i].data.ptr == s) {
                tiny_accept(s);
            } else {
                tiny_read(s, ready[i].data.ptr);
            }
        }
    }
}

struct tiny_server *tiny_server_start(tiny_handler *handler, void *ctx) {
    struct tiny_server *s = mem_new(sizeof *s);
    s->handler = handler;
    s->ctx = ctx;
    s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t at_n = sizeof at;
    ASSERT(bind(s->listen_fd, (struct sockaddr *)&at, sizeof at) == 0);
    ASSERT(listen(s->listen_fd, 4096) == 0);
    ASSERT(getsockname(s->listen_fd, (struct sockaddr *)&at, &at_n) == 0);
    (void)snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d", ntohs(at.sin_port));
    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    s->stop_fd = eventfd(0, EFD_CLOEXEC);
    tiny_watch(s, s->listen_fd, s);
    tiny_watch(s, s->stop_fd, &s->stop_fd);
    ASSERT(pthread_create(&s->thread, NULL, tiny_serve, s) == 0);
    return s;
}

void tiny_server_stop(struct tiny_server *s) {
    ASSERT(eventfd_write(s->stop_fd, 1) == 0);
    pthread_join(s->thread, NULL);
    while (s->open != NULL) {
        tiny_drop(s, s->open, false);
    }
    (void)close(s->listen_fd);
    (void)close(s->stop_fd);
    (void)close(s->epoll_fd);
    free(s);
}

const char *tiny_server_url(const struct tiny_server *s) {
    return s->url;
}

int64_t tiny_server_requests(const struct tiny_server *s) {
    return s->requests;
}

int64_t tiny_server_connections(const struct tiny_server *s) {
    return s->connections;
}
