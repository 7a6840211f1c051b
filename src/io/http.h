/* http.h - the HTTP client: thousands of POSTs in flight on one thread.
 *
 * libcurl's multi interface on the loop, in shards of at most HTTP_SHARD_TRANSFERS_MAX transfers
 * (its cost per transfer grows with the number of transfers in one handle). Connections are kept
 * alive and used again. This header is the seam: nothing above it knows curl.
 *
 * Ownership  everything in a request must live until its `done` was called, and is not copied.
 * Threading  loop thread only; `done` never runs inside http_send().
 * Invariants (1) `done` is called exactly once for every http_send(), also after http_cancel() and
 * http_free(); (2) no transfer outlives its total deadline; (3) a reply body never passes
 * body_bytes_max.
 */
#ifndef STUMPER_IO_HTTP_H
#define STUMPER_IO_HTTP_H

#include "base/err.h"
#include "base/str.h"
#include "io/loop.h"

#define HTTP_SHARD_TRANSFERS_MAX 1000
#define HTTP_HEADERS_MAX 32

struct http_client;
struct http_transfer;

struct http_client_options {
    int64_t in_flight_max; /* more are refused with ERR_BUSY: the queue is the caller's */
    const char *user_agent;
};

struct http_request {
    const char *method; /* "POST" or "GET" */
    const char *url;
    const char *const *headers; /* "Name: value", NULL-terminated; "Expect" is never sent */
    struct str body;            /* POST */
    int64_t connect_ms;         /* deadlines, each > 0 */
    int64_t first_byte_ms;      /* from the start to the first byte of the answer */
    int64_t total_ms;
    size_t body_bytes_max; /* of the reply */
};

struct http_reply {
    enum err err; /* OK: a whole reply, whatever its status | NETWORK | TIMEOUT | PROTOCOL | TOO_BIG
                     | CANCELED | INVALID (url) */
    struct errinfo detail; /* when err: which deadline, which host; never a key */
    bool sent;             /* the whole request had left: the peer may have done the work */
    int status;
    struct str body;
    struct str headers; /* raw header block, "Name: value\r\n…" */
    int64_t first_byte_us, total_us;
};

/** Called once; the reply is borrowed until it returns. */
typedef void http_done_fn(void *ctx, const struct http_reply *reply);

struct http_client *http_new(struct loop *l, const struct http_client_options *options);

/** Cancel what is in flight (its `done` is called with ERR_CANCELED, before this returns) and free.
 */
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

int64_t http_in_flight(const struct http_client *c);

/** The value of the last header @name (any case) in a reply, trimmed; empty if there is none. */
struct str http_reply_header(const struct http_reply *reply, struct str name);

#endif
