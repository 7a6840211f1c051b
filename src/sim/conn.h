/* conn.h - inside the room: a connection and the server, shared by server.c (the life of
 * connections) and handler.c (what a request means).
 *
 *   IDLE ── request line ──► HEAD ── headers fine ──► BODY ── all read ──► WAITING ── due ──► READY
 *     ▲                       │ refused                        (suspended)  HANGING ─ gone ─► GONE
 *     └────── answered ◄──────┴──────────────────────────────────────────────── queued ◄──────┘
 */
#ifndef STUMPER_SIM_CONN_H
#define STUMPER_SIM_CONN_H

#include "sim/buffer.h"
#include "sim/guard.h"
#include "sim/ledger.h"
#include "sim/server.h"
#include "sim/timers.h"

#define SIM_BODY_BYTES_MAX ((size_t)4 * 1024 * 1024)

enum conn_state {
    CONN_IDLE,
    CONN_HEAD,    /* the request line is read */
    CONN_BODY,    /* headers are read and fine */
    CONN_WAITING, /* suspended until the timer fires */
    CONN_HANGING, /* suspended until the client goes */
    CONN_READY,   /* resumed: the answer is to be queued */
    CONN_GONE,    /* resumed: to be closed without an answer */
};

enum conn_route { ROUTE_NONE, ROUTE_CHAT, ROUTE_MODELS, ROUTE_MODEL, ROUTE_HEALTH, ROUTE_LEDGER };

/* What will be sent. */
struct conn_answer {
    int status;
    struct buffer *body;
    const char *content_type;
    const char *allow; /* for 405, else NULL */
    int64_t wait_ms;   /* for 429: retry-after; 0: none */
    bool limits;       /* send the x-ratelimit headers */
    bool reset;        /* reset the connection instead */
    bool close;        /* the connection is not used again */
    bool billed;
    uint64_t request_id;       /* for x-request-id */
    struct ledger_entry entry; /* if billed */
};

struct conn {
    struct guard_conn guard;
    struct timer timer;
    struct sim_server *server;
    struct MHD_Connection *mhd;
    enum conn_state state;
    enum conn_route route;
    bool too_big;
    struct buffer *body; /* of the request; NULL outside of BODY */
    struct conn_answer answer;
    int64_t started_us;
};

struct sim_server {
    const struct sim_options *options;
    struct MHD_Daemon *daemon;
    struct guard guard;
    struct timers timers;
    struct buffers buffers;
    struct sbuf text; /* what the model says, until it is wrapped */
    struct truth truth;
    struct ledger ledger;
    struct brain brain;
    struct sim_request request; /* the one in hand */
    uint64_t serial;            /* of requests, for their ids */
    int hangup_fd;              /* epoll of clients that are left hanging */
    int port;
    bool stopping;
};

/** What to do with a request of which all is read: fills in c->answer. Returns after how many
 * milliseconds to send it; negative: never. */
double handler_answer(struct conn *c, const char *method, const char *url);

/** An answer made of an error. */
void handler_refuse(struct conn *c, const struct sim_error *e);

/** Queue c->answer on its connection and hand its body over. */
enum MHD_Result handler_send(struct conn *c);

#endif
