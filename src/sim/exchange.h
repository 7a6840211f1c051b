/* exchange.h - inside the room: a request with its answer, and the server, shared by server.c (when
 * an answer is sent) and handler.c (what a request means). */
#ifndef STUMPER_SIM_EXCHANGE_H
#define STUMPER_SIM_EXCHANGE_H

#include "httpd/buffer.h"
#include "httpd/httpd.h"
#include "sim/ledger.h"
#include "sim/server.h"
#include "sim/timers.h"

#define SIM_BODY_BYTES_MAX ((size_t)4 * 1024 * 1024)

enum route { ROUTE_NONE, ROUTE_CHAT, ROUTE_MODELS, ROUTE_MODEL, ROUTE_HEALTH, ROUTE_LEDGER };

/* What will be sent. */
struct answer {
    int status;
    struct buffer *body;
    const char *content_type;
    const char *allow;                       /* for 405, else NULL */
    int64_t wait_ms;                         /* for 429: retry-after; 0: none */
    struct limit_view limits[LIMIT_BUCKETS]; /* for the x-ratelimit headers */
    bool reset;                              /* reset the connection instead */
    bool close;                              /* the connection is not used again */
    bool billed;
    uint64_t request_id;       /* for x-request-id */
    struct ledger_entry entry; /* if billed */
};

/* The state of a request of httpd/. */
struct exchange {
    struct timer timer; /* running: the answer is sent when it is due */
    struct sim_server *server;
    struct httpd_request *q;
    struct answer answer;
    struct limit_account *account; /* NULL: not admitted, or not by a limit */
};

struct sim_server {
    const struct sim_options *options;
    struct httpd *httpd;
    struct timers timers;
    struct buffers buffers;
    struct sbuf text; /* what the model says, until it is wrapped */
    struct truth truth;
    struct ledger ledger;
    struct limits limits;
    struct brain brain;
    struct sim_request request; /* the one in hand */
    uint64_t serial;            /* of requests, for their ids */
    bool stopping;
};

/** What to do with a request of which all is read: fills in x->answer. Returns after how many
 * milliseconds to send it; negative: never. */
double handler_answer(struct exchange *x);

/** An answer made of an error. */
void handler_refuse(struct exchange *x, const struct sim_error *e);

/** Send x->answer and hand its body over. */
void handler_send(struct exchange *x);

#endif
