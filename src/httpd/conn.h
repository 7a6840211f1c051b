/* conn.h - inside the room: a connection, shared by server.c (listening, turns), conn.c (what
 * happens to a request) and respond.c (what is sent).
 *
 *   IDLE ── request line ──► HEAD ── headers fine ──► BODY ── all read ──► OPEN ── answered ──►
 * SENT ▲                       │ refused                         (suspended until answered)       │
 *     │                       └──────────────────────────────────────────────────────────► SENT  │
 *     └───────────────────────────────────── all sent, over() ───────────────────────────────────┘
 *
 * GONE: resumed only to be closed. A stream is SENT and suspended whenever it has nothing to send.
 */
#ifndef STUMPER_HTTPD_CONN_H
#define STUMPER_HTTPD_CONN_H

#include "httpd/buffer.h"
#include "httpd/guard.h"
#include "httpd/httpd.h"

enum conn_state { CONN_IDLE, CONN_HEAD, CONN_BODY, CONN_OPEN, CONN_SENT, CONN_GONE };

struct conn {
    struct httpd_request q; /* first: what the handler sees */
    struct guard_conn guard;
    struct httpd *httpd;
    struct MHD_Connection *mhd;
    struct buffer *body;           /* q.body is in it; NULL while IDLE or HEAD */
    struct buffer *stream;         /* NULL: no stream */
    struct httpd_response *answer; /* held until it is queued */
    size_t stream_sent;            /* bytes of stream that are the library's */
    enum conn_state state;
    bool in_call;   /* inside a callback of the library: no need to resume */
    bool suspended; /* the library leaves it alone until it is resumed */
    bool headed;    /* the handler has had its look at the headers */
    bool too_big, watched, ended, reset, told;
    _Alignas(max_align_t) char state_area[];
};

static inline const struct conn *conn_of(const struct httpd_request *q) {
    return (const void *)q; /* its first member */
}

/* As MHD_queue_response(). */
typedef enum MHD_Result queue_fn(struct MHD_Connection *connection, unsigned status,
                                 struct MHD_Response *response);

struct httpd {
    struct httpd_options options;
    queue_fn *queue; /* the library's */
    struct MHD_Daemon *daemon;
    struct guard guard;
    struct buffers bodies, streams;
    int64_t sweep_ms; /* when to look for what is past its deadline */
    int poll_fd;      /* epoll of the library's epoll and of watched clients */
    int port;
    unsigned watched; /* clients in it */
    bool stopping;
    struct httpd_drive *drive; /* by a loop; NULL: by the owner */
};

struct httpd_response {
    struct MHD_Response *mhd;
    int status;
    int holds;
};

/** The callbacks that the library is given. */
void conn_notify(void *httpd, struct MHD_Connection *mhd, void **context,
                 enum MHD_ConnectionNotificationCode what);
void *conn_request_line(void *httpd, const char *uri, struct MHD_Connection *mhd);
void conn_completed(void *httpd, struct MHD_Connection *mhd, void **con_cls,
                    enum MHD_RequestTerminationCode how);
enum MHD_Result conn_handle(void *httpd, struct MHD_Connection *mhd, const char *url,
                            const char *method, const char *version, const char *upload,
                            size_t *upload_n, void **con_cls);

/** Let the library go on with a suspended connection. */
void conn_resume(struct conn *c);

/** Resume it only to be closed. */
void conn_drop(struct conn *c);

/** Give the answer to the library. */
enum MHD_Result conn_send(struct conn *c);

/** The handler's refusal of what the library cannot read; the request is over with it. NULL: the
 * handler gave none. To be freed. */
struct httpd_response *conn_refusal(struct conn *c, int status, const char *reason);

/** The library's own MHD_queue_response(), behind the one that we put before it. */
queue_fn *own_errors_queue(void);

/** A socket that listens, non-blocking. @ret_port: 0 for a unix socket. Errors: httpd_new(). */
NODISCARD enum err listen_open(const struct httpd_listen *l, int *ret_fd, int *ret_port,
                               struct errinfo *reterr);

/** Something is to be done soon: a turn on the next tick of the loop, if there is one. */
void drive_soon(struct httpd *h);

/** Stop being driven and free. */
void drive_free(struct httpd *h);

#endif
