/* exchange.h - inside the room: a request with its answer, and the server.
 *
 *     server.c    when something is due            handler.c   which path means what
 *     ask.c       a question to a model            models.c    what models there are
 *     embed.c     embeddings                       batch_*.c   questions by the thousand
 *     files.c     what they are uploaded as
 *     exchange.c  what is sent in one piece        stream.c    what is sent bit by bit
 *     headers.c   each provider's headers
 */
#ifndef STUMPER_SIM_EXCHANGE_H
#define STUMPER_SIM_EXCHANGE_H

#include "httpd/buffer.h"
#include "httpd/httpd.h"
#include "sim/batch.h"
#include "sim/ledger.h"
#include "sim/server.h"
#include "sim/timers.h"

#define SIM_BODY_BYTES_MAX ((size_t)4 * 1024 * 1024)
#define SIM_STREAM_BYTES_MAX (SIM_BODY_BYTES_MAX * 8) /* events around every few words */
#define SIM_ANSWER_BYTES_MAX BATCH_KEPT_BYTES_MAX     /* embeddings, results of batches */
#define EMBED_MODEL "text-embedding"

/* What will be sent. */
struct answer {
    int status;
    struct buffer *body;
    const char *content_type;
    const char *allow;                       /* for 405, else NULL */
    int64_t wait_ms;                         /* for 429: retry-after; 0: none */
    struct quota_view limits[QUOTA_BUCKETS]; /* for the headers */
    bool reset;                              /* reset the connection instead */
    bool close;                              /* the connection is not used again */
    bool billed;
    uint64_t request_id;
    struct ledger_entry entry; /* if billed */
};

/* How far an answer that goes out bit by bit has come. */
struct stream {
    bool raw;     /* the bytes of the body as they are; otherwise the format's events */
    bool open;    /* the headers are sent */
    bool begun;   /* and the first event */
    bool ended;   /* and the last */
    size_t at;    /* bytes of the text that are out */
    size_t stop;  /* where the fault strikes; SIZE_MAX: nowhere */
    size_t piece; /* bytes at a time; 0: it goes out in one piece, no stream */
    int64_t begin_us, end_us;
};

/* The state of a request of httpd/. */
struct exchange {
    struct timer timer; /* running: something is sent when it is due */
    struct sim_server *server;
    struct httpd_request *q;
    enum dialect dialect;
    struct str name; /* what stands for "*" in the path: a model, an id */
    struct answer answer;
    struct quota_account *account; /* NULL: not admitted, or not by a limit */
    enum quota_rule rule;          /* of it */
    const struct format *format;   /* of a question to a model, else NULL */
    struct said said;
    struct stream stream;
};

struct sim_server {
    const struct sim_options *options;
    struct httpd *httpd;
    struct timers timers;
    struct buffers buffers;
    struct sbuf text;    /* what the model says, until it is wrapped */
    struct sbuf scratch; /* events on their way to a stream */
    struct truth truth;
    struct ledger ledger;
    struct quotas limits;
    struct brain brain;
    struct depot depot;
    struct sim_request request; /* the one in hand */
    uint64_t serial;            /* of requests, for their ids */
    bool stopping;
};

#define EXCHANGE_NEVER (-1.0)

/** What to do with a request of which all is read: fills in x->answer. Returns after how many
 * milliseconds to send it; EXCHANGE_NEVER: never. */
double handler_answer(struct exchange *x);

/** Set x->dialect, for one that is refused before it is read. */
void handler_identify(struct exchange *x);

/** A question to a model in format @f (and @stream, where the path tells). As handler_answer(). */
double ask(struct exchange *x, const struct format *f, bool stream);

/** Ask the limits to let in a request to @model; false: the answer says why not. */
NODISCARD bool ask_admit(struct exchange *x, struct str model, enum quota_rule rule, int64_t input,
                         int64_t output_max);

/** Is there such a model, and does it take these parameters? False: @reterr says why not. */
NODISCARD bool ask_check(const struct sim_server *s, enum dialect d, const struct sim_request *q,
                         struct sim_error *reterr);

/** POST /embeddings. As handler_answer(). */
double embed(struct exchange *x);

/** GET /models, /models/x->name. */
double models_list(struct exchange *x);
double models_one(struct exchange *x);

/** /files and /batches of OpenAI. */
double files_create(struct exchange *x);
double files_get(struct exchange *x);
double files_content(struct exchange *x);
double files_delete(struct exchange *x);
double batch_openai_create(struct exchange *x);
double batch_openai_list(struct exchange *x);
double batch_openai_get(struct exchange *x);
double batch_openai_cancel(struct exchange *x);

/** /messages/batches of Anthropic. */
double batch_anthropic_create(struct exchange *x);
double batch_anthropic_list(struct exchange *x);
double batch_anthropic_get(struct exchange *x);
double batch_anthropic_cancel(struct exchange *x);
double batch_anthropic_results(struct exchange *x);

/** How many a list may show: ?limit=, 1..1000, 20 without. */
int64_t exchange_limit(const struct exchange *x);

/** An answer made of an error, in x->dialect. */
void exchange_refuse(struct exchange *x, const struct sim_error *e);

/** What each provider says to what is larger than it takes. */
void exchange_too_large(struct exchange *x);

/** The key that came with a request, whichever way; empty: none. */
struct str exchange_key(const struct exchange *x);

/** Book the answer, if it is billed and was not yet. */
void exchange_bill(struct exchange *x);

/** Book what a stream has said that is broken off, by whomever. */
void stream_bill(struct exchange *x);

/** Tell the limits that output was produced. */
void exchange_produced(const struct exchange *x, int64_t tokens);

/** Send x->answer and hand its body over. */
void exchange_send(struct exchange *x);

/** Send what is due of a stream, and set the timer for the rest. */
void stream_send(struct exchange *x);

/** Prepare x->stream for the text or body in x->answer.body, to be sent by @end_us. */
void stream_init(struct exchange *x, bool raw, int64_t end_us);

/** When its first bytes go out, after stream_init(). */
int64_t stream_first_us(const struct exchange *x);

/** The headers of x->answer, as its provider sends them. */
void headers_add(const struct exchange *x, struct httpd_response *r);

/** The id of a request, in x's dialect. */
void exchange_request_id(const struct exchange *x, char *out, size_t n);

/** Refuse with an error in place. */
#define EXCHANGE_REFUSE(x, what, param, code, ...)                                                 \
    do {                                                                                           \
        struct sim_error e_;                                                                       \
        (void)sim_error_set(&e_, what, param, code, __VA_ARGS__);                                  \
        exchange_refuse(x, &e_);                                                                   \
    } while (0)

#endif
