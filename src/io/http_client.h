/* http_client.h - the inside of the HTTP client: what its four files share.
 *
 *     http_send ─► WAITING ─► ACTIVE (in a shard) ─► FINISHED ─► `done` ─► back to the pool
 *                  (gate of        │ deadline, cancel ▲
 *                   its target)    └──────────────────┘
 *
 * A transfer is in exactly one list: the waiting list of its target, the client's active, finished
 * or idle list.
 */
#ifndef STUMPER_IO_HTTP_CLIENT_H
#define STUMPER_IO_HTTP_CLIENT_H

#include "base/sbuf.h"
#include "io/http.h"
#include "io/http_sockets.h"

#include <curl/curl.h>
#include <sys/queue.h>

#define HTTP_HEADER_BYTES_MAX ((size_t)64 * 1024)
#define HTTP_NO_CONNECTION "no connection" /* and then "within 10000 ms" */

/* Where a reply grows; only transfers whose reply has begun hold one. */
struct http_buffers {
    SLIST_ENTRY(http_buffers) link;
    struct sbuf headers, body;
};

struct http_shard {
    struct http_client *client;
    CURLM *multi;
    struct loop_timer timer; /* curl's own */
    int64_t transfers;
    char *origin; /* "host:port" that all of it goes to, over HTTP/2; NULL: HTTP/1.1, to any */
    bool touched; /* may have transfers that ended */
};

enum http_body { HTTP_BODY_UNKNOWN, HTTP_BODY_GATHERED, HTTP_BODY_STREAMED };

enum http_state { HTTP_IDLE, HTTP_WAITING, HTTP_ACTIVE, HTTP_FINISHED };

struct http_transfer {
    TAILQ_ENTRY(http_transfer) link;
    struct http_client *client;
    struct http_shard *shard;   /* while ACTIVE */
    struct http_target *target; /* NULL: the URL is invalid */
    CURL *easy;
    const struct http_request *request;
    http_done_fn *done;
    void *ctx;
    struct http_buffers *buffers; /* NULL until the first byte */
    struct loop_timer deadline;
    int64_t sent_ms, admitted_ms;               /* loop's clock; the deadlines count from these */
    int64_t started_us, first_byte_us, over_us; /* first_byte_us: 0 until it came */
    int64_t heard_ms;                           /* loop's clock: the last piece of a body */
    enum http_state state;
    enum http_body body; /* what becomes of the reply's body */
    bool begun;          /* an answer has begun: the first deadline is over */
    bool connected;      /* it has a connection and the request is on its way */
    bool repeated;       /* curl wanted to send it a second time */
    bool counted;        /* in target->connecting */
    enum err err;        /* how it ended */
    const char *why;     /* a fixed text beside err, or NULL: what curl says */
    int64_t why_ms;      /* the deadline that passed */
    struct curl_slist headers[HTTP_HEADERS_MAX + 1]; /* nodes only; the texts are the request's */
    char curl_text[CURL_ERROR_SIZE];
};

/** A list of transfers. */
TAILQ_HEAD(http_transfers, http_transfer);

/* One URL, parsed once. The gate in front of it keeps a burst of new connections from becoming
 * thousands of name look-ups (each a thread of curl's) or handshakes at once. */
struct http_target {
    struct http_target *next;
    CURLU *parsed;
    char *name;                    /* for messages: "api.openai.com", "127.0.0.1:8000" */
    struct http_transfers waiting; /* oldest first */
    int64_t connecting;            /* transfers let in that have no connection yet */
    bool resolved;                 /* its address is in the DNS cache */
    bool http1;                    /* HTTP/2 was offered, and not taken */
    bool joined;                   /* HTTP/2: a connection is there, others may wait for a place */
    size_t url_n;
    char url[];
};

struct http_client {
    struct loop *loop;
    int64_t in_flight_max, in_flight;
    char *user_agent;
    struct http_sockets *sockets;
    CURLSH *share; /* DNS cache and TLS sessions, for all shards */
    struct http_shard **shards;
    size_t shards_n, shards_room; /* first shard that may have room */
    struct http_target *targets;
    struct http_transfers active, finished, idle;
    SLIST_HEAD(, http_buffers) buffers;
    int64_t buffers_n;
    struct loop_timer tick; /* delivers what finished outside of curl's work */
    bool no_proxy;          /* none is configured in the environment, or none is wanted */
    bool public_only;
    const char *http_proxy; /* HTTP_PROXY, which curl reads in small letters only; or NULL */
    const char *roots_file; /* trusted certificates, or NULL: curl's own choice */
    bool gate_moved;        /* a target may let more in */
    bool closing;
};

/** After any work of curl's: take out the transfers that ended, call their `done`, let others in.
 */
void http_pump(struct http_client *c);

/** A shard that may take @t, made if need be. */
struct http_shard *http_shard_for(const struct http_transfer *t);

/** Take @t out of its shard; what it had under way is cut off. */
void http_shard_leave(struct http_transfer *t);

/** Free it and its connections; no transfer may be in it. */
void http_shard_free(struct http_shard *s);

/** Called by http_sockets: socket @fd of the shard @owner is ready. */
void http_shard_on_ready(void *ctx, void *owner, int fd, unsigned events);

/** The target of @url, made if need be; NULL if the URL is invalid. */
struct http_target *http_target_of(struct http_client *c, const char *url);

/** Free it; no transfer may be at it. */
void http_target_free(struct http_target *target);

/** A transfer with a handle whose lasting options are set. */
struct http_transfer *http_transfer_new(struct http_client *c);

/** Free it and its handle; it must be idle. */
void http_transfer_free(struct http_transfer *t);

/** Arm the deadline timer anew: other deadlines hold now. */
void http_deadline_moved(struct http_transfer *t);

/** Set the handle up for t->request. */
void http_transfer_prepare(struct http_transfer *t);

/** What curl's result means; keeps what was noted before. */
void http_transfer_note(struct http_transfer *t, CURLcode code);

/** Remember of its target whether HTTP/2 was taken where it was offered. */
void http_transfer_note_version(struct http_transfer *t);

/** Make the reply of a finished transfer; borrowed from it. */
void http_transfer_reply(const struct http_transfer *t, struct http_reply *ret);

/** Give the reply's memory back to the client. */
void http_transfer_drop_buffers(struct http_transfer *t);

#endif
