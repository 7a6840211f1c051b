/* http_sockets.h - which sockets libcurl waits for: one epoll set of our own, polled by the loop.
 *
 * A connection that is kept alive goes quiet between two requests and is then wanted for reading
 * again; a set of our own can leave it registered meanwhile, so a request on a warm connection
 * costs no epoll_ctl at all. (uv_poll takes two of them for every change.)
 *
 * Threading  loop thread only.
 */
#ifndef STUMPER_IO_HTTP_SOCKETS_H
#define STUMPER_IO_HTTP_SOCKETS_H

#include "io/loop.h"

struct http_sockets;

enum http_socket_events { HTTP_SOCKET_READ = 1u << 0, HTTP_SOCKET_WRITE = 1u << 1 };

struct http_sockets_calls {
    void *ctx;
    /** Socket @fd, wanted by @owner, is ready for @events (of those wanted). */
    void (*ready)(void *ctx, void *owner, int fd, unsigned events);
    /** After the last of a batch. */
    void (*batch_over)(void *ctx);
};

/** Does not keep the loop running: a deadline timer does, as long as something is awaited. */
struct http_sockets *http_sockets_new(struct loop *l, const struct http_sockets_calls *calls);

/** Every socket must be closed or forgotten. The memory goes once the loop has let go of it. */
void http_sockets_free(struct http_sockets *s);

/** @owner waits for @events of @fd (0: for nothing, and @fd may be closed next). */
void http_sockets_want(struct http_sockets *s, int fd, void *owner, unsigned events);

/** @fd was opened by us and will be closed through http_sockets_close(): it may stay registered
 * while nobody waits for it. */
void http_sockets_opened(struct http_sockets *s, int fd);
void http_sockets_close(struct http_sockets *s, int fd);

#endif
