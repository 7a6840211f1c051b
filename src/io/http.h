/* http.h - the HTTP client: thousands of POSTs in flight on one thread.
 *
 * libcurl's multi interface on the loop, in shards of at most HTTP_SHARD_TRANSFERS_MAX transfers
 * (its cost per transfer grows with the number of transfers in one handle). HTTP/1.1, or HTTP/2
 * for those who ask for it; http and https only, no redirects; proxies as curl takes them from the
 * environment; certificates are checked against the system's roots, or those of SSL_CERT_FILE.
 * Connections are kept alive and used again. This header is the seam: nothing above it knows curl.
 *
 * Ownership  a request and everything in it must live until its `done` was called; nothing is
 *            copied.
 * Threading  loop thread only; `done` never runs inside http_send().
 * Invariants (1) `done` is called exactly once for every http_send(), also after http_cancel() and
 *            http_free();
 *            (2) no transfer outlives its total deadline;
 *            (3) a reply body never passes body_bytes_max;
 *            (4) a request is written to at most one connection: whether one that was lost without
 *            an answer is sent again is for the caller to say.
 */
#ifndef STUMPER_IO_HTTP_H
#define STUMPER_IO_HTTP_H

#include "base/err.h"
#include "base/str.h"
#include "io/loop.h"

#define HTTP_SHARD_TRANSFERS_MAX 256
#define HTTP_HEADERS_MAX 32
#define HTTP_STREAMS_MAX 100

struct http_client;
struct http_transfer;

struct http_client_options {
    int64_t in_flight_max; /* more are refused with ERR_BUSY: the queue is the caller's */
    const char *user_agent;
    bool public_only; /* connect to public addresses alone (address.h), and to no proxy */
};

/* What a taker says of the bytes of a stream. */
enum http_take {
    HTTP_TAKE_QUIET, /* nothing of an answer yet (comments, pings): the first deadline runs on */
    HTTP_TAKE_MORE,
    HTTP_TAKE_NO /* it can only fail: end it; the reply is ERR_TOO_BIG, the taker knows better */
};

/** Takes the next bytes of a stream, cut anywhere. Runs deep inside the client: it must not call
 * it. */
typedef enum http_take http_stream_fn(void *ctx, struct str bytes);

struct http_request {
    const char *method;         /* "POST", "GET" or "DELETE" */
    const char *url;            /* few different ones: what is known of each is kept */
    const char *const *headers; /* "Name: value", NULL-terminated, at most HTTP_HEADERS_MAX;
                                   "Expect" is never sent */
    struct str body;            /* POST */
    int64_t connect_ms;         /* deadlines, each > 0; this one from the first try to connect */
    int64_t first_byte_ms;      /* from the start to the first byte of the answer; of a stream: to
                                   the first that is not quiet */
    int64_t total_ms;           /* from the start to the last byte */
    size_t body_bytes_max;      /* of the reply */
    bool http2;                 /* over TLS: share few connections, HTTP_STREAMS_MAX requests on
                                   each at once; for servers that are known to speak it. One that
                                   turns out not to is served by HTTP/1.1 from its first reply on */
    http_stream_fn *stream;     /* takes the body of a 200 of the type text/event-stream as it
                                   comes; every other body is gathered as ever. NULL: all are */
    void *stream_ctx;
    int64_t idle_ms; /* of a stream that has begun: between two pieces; > 0 with `stream` */
};

struct http_reply {
    enum err err; /* OK: a whole reply, whatever its status | NETWORK (name, connection, TLS, cut
                     off) | TIMEOUT | PROTOCOL (not HTTP) | TOO_BIG | CANCELED | INVALID (url) |
                     REJECTED (public_only: an address of it is not public) */
    struct errinfo detail; /* when err: which deadline, which host; never a key */
    bool sent;             /* the whole request had left: the peer may have done the work */
    int status;
    struct str body;                 /* empty after an error, and of a stream */
    struct str headers;              /* raw header block, "Name: value\r\n…", as far as it came */
    int64_t first_byte_us, total_us; /* since http_send(); first_byte_us 0: none came */
};

/** Called once; the reply is borrowed until it returns. */
typedef void http_done_fn(void *ctx, const struct http_reply *reply);

/** Free with http_free(). Raises the soft limit on open files; in_flight_max is taken down to what
 * the hard one allows (limits_check_connections() tells beforehand). */
struct http_client *http_new(struct loop *l, const struct http_client_options *options);

/** Cancel what is in flight (its `done` is called with ERR_CANCELED, before this returns) and free.
 * Not from inside a `done`. */
void http_free(struct http_client *c);

/**
 * Start a transfer.
 *
 * @ret     valid until `done` is called
 * @return  ERR_BUSY if in_flight_max are in flight; `done` is then not called
 */
NODISCARD enum err http_send(struct http_client *c, const struct http_request *request,
                             http_done_fn *done, void *ctx, struct http_transfer **ret);

/** End a transfer early; `done` is called with ERR_CANCELED on a later tick. */
void http_cancel(struct http_transfer *t);

/** Transfers whose `done` was not called yet. */
int64_t http_in_flight(const struct http_client *c);

/** The value of the last header @name (any case) in a reply, trimmed; empty if there is none. */
struct str http_reply_header(const struct http_reply *reply, struct str name);

#endif
