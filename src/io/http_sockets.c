#include "io/http_sockets.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <uv.h>

#define HTTP_SOCKETS_BATCH 256

struct http_socket {
    void *owner;
    unsigned char wanted, registered; /* sets of enum http_socket_events */
    bool ours;                        /* see http_sockets_opened() */
};

struct http_sockets {
    uv_poll_t poll;
    int epoll_fd;
    struct http_sockets_calls calls;
    struct http_socket *by_fd;
    size_t by_fd_n;
};

static struct http_socket *http_sockets_at(struct http_sockets *s, int fd) {
    ASSERT(fd >= 0);
    size_t i = (size_t)fd;
    if (i >= s->by_fd_n) {
        size_t n = MAX(i + 1, s->by_fd_n * 2);
        s->by_fd = mem_resize(s->by_fd, n, sizeof *s->by_fd);
        for (size_t j = s->by_fd_n; j < n; j++) {
            s->by_fd[j] = (struct http_socket){.owner = NULL};
        }
        s->by_fd_n = n;
    }
    return &s->by_fd[i];
}

static void http_sockets_register(struct http_sockets *s, int fd, unsigned events) {
    struct http_socket *socket = http_sockets_at(s, fd);
    if (socket->registered == events) {
        return;
    }
    struct epoll_event e = {.data.fd = fd};
    e.events |= (events & HTTP_SOCKET_READ) != 0 ? (uint32_t)EPOLLIN : 0;
    e.events |= (events & HTTP_SOCKET_WRITE) != 0 ? (uint32_t)EPOLLOUT : 0;
    int op = events == 0 ? EPOLL_CTL_DEL : socket->registered == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    ASSERT(epoll_ctl(s->epoll_fd, op, fd, &e) == 0 || op == EPOLL_CTL_DEL);
    socket->registered = (unsigned char)events;
}

void http_sockets_want(struct http_sockets *s, int fd, void *owner, unsigned events) {
    struct http_socket *socket = http_sockets_at(s, fd);
    socket->owner = owner;
    socket->wanted = (unsigned char)events;
    if (events != 0 || !socket->ours) {
        http_sockets_register(s, fd, events);
    }
}

void http_sockets_opened(struct http_sockets *s, int fd) {
    *http_sockets_at(s, fd) = (struct http_socket){.ours = true};
}

void http_sockets_close(struct http_sockets *s, int fd) {
    *http_sockets_at(s, fd) = (struct http_socket){.owner = NULL}; /* epoll forgets a closed one */
    (void)close(fd);                                               /* nothing was buffered in it */
}

static void http_sockets_dispatch(struct http_sockets *s, const struct epoll_event *e) {
    int fd = e->data.fd;
    struct http_socket *socket = http_sockets_at(s, fd);
    if (socket->wanted == 0) {
        /* A quiet connection that the peer closed: the HTTP library finds out when it looks for one
         * to use. */
        http_sockets_register(s, fd, 0);
        return;
    }
    unsigned events = 0;
    events |= (e->events & (uint32_t)EPOLLIN) != 0 ? HTTP_SOCKET_READ : 0u;
    events |= (e->events & (uint32_t)EPOLLOUT) != 0 ? HTTP_SOCKET_WRITE : 0u;
    if ((e->events & (uint32_t)(EPOLLERR | EPOLLHUP)) != 0) {
        events = socket->wanted; /* the next read or write tells what happened */
    }
    s->calls.ready(s->calls.ctx, socket->owner, fd, events);
}

static void http_sockets_on_poll(uv_poll_t *poll, int status, int events) {
    (void)status; /* an epoll descriptor has no errors of its own */
    (void)events;
    struct http_sockets *s = poll->data;
    struct epoll_event ready[HTTP_SOCKETS_BATCH];
    int n = epoll_wait(s->epoll_fd, ready, HTTP_SOCKETS_BATCH, 0);
    ASSERT(n >= 0 || errno == EINTR);
    for (int i = 0; i < n; i++) {
        http_sockets_dispatch(s, &ready[i]);
    }
    s->calls.batch_over(s->calls.ctx);
}

struct http_sockets *http_sockets_new(struct loop *l, const struct http_sockets_calls *calls) {
    struct http_sockets *s = mem_new(sizeof *s);
    s->calls = *calls;
    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    ASSERT(s->epoll_fd >= 0);
    ASSERT(uv_poll_init(loop_uv(l), &s->poll, s->epoll_fd) == 0);
    s->poll.data = s;
    ASSERT(uv_poll_start(&s->poll, UV_READABLE, http_sockets_on_poll) == 0);
    uv_unref((uv_handle_t *)&s->poll);
    return s;
}

static void http_sockets_on_closed(uv_handle_t *poll) {
    struct http_sockets *s = poll->data;
    free(s->by_fd);
    free(s);
}

void http_sockets_free(struct http_sockets *s) {
    uv_close((uv_handle_t *)&s->poll, http_sockets_on_closed);
    (void)close(s->epoll_fd); /* nothing was buffered in it */
}
