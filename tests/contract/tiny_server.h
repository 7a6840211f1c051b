/* tiny_server.h - an HTTP server for tests, on a thread of its own and a port of its own: each
 * request goes to a handler that says what bytes to send back, when, and what becomes of the
 * connection. It frames requests only by Content-Length and knows nothing else of HTTP. */
#ifndef TESTS_TINY_SERVER_H
#define TESTS_TINY_SERVER_H

#include "base/str.h"

struct tiny_request {
    struct str head; /* request line and headers; NUL-terminated after the body */
    struct str body;
    int64_t no;         /* 0, 1, 2 … over all connections */
    int64_t connection; /* 0, 1, 2 … */
};

enum tiny_then { TINY_KEEP, TINY_CLOSE, TINY_RESET };

struct tiny_reply {
    char *bytes; /* malloc'ed, freed by the server; NULL: say nothing */
    size_t n;
    int64_t delay_ms; /* before the bytes and what follows */
    enum tiny_then then;
};

/** Runs on the server's thread. */
typedef void tiny_handler(void *ctx, const struct tiny_request *request, struct tiny_reply *ret);

struct tiny_server;

struct tiny_server *tiny_server_start(tiny_handler *handler, void *ctx);
void tiny_server_stop(struct tiny_server *s);

/** "http://127.0.0.1:PORT", borrowed. */
const char *tiny_server_url(const struct tiny_server *s);

/** Any thread: so far. */
int64_t tiny_server_requests(const struct tiny_server *s);
int64_t tiny_server_connections(const struct tiny_server *s);

/** Set the bytes of a whole answer with Content-Length. @headers: "Name: value\r\n…" or "". */
void tiny_reply_set(struct tiny_reply *r, int status, const char *headers, struct str body);

/** Set the bytes as they are. */
void tiny_reply_raw(struct tiny_reply *r, struct str bytes);

#endif
