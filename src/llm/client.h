/* client.h - inside the LLM client: what llm.c (models, life), calls.c (one call) and lanes.c (who
 * may go, with which key) share. Not for other rooms. */
#ifndef STUMPER_LLM_CLIENT_H
#define STUMPER_LLM_CLIENT_H

#include "base/rng.h"
#include "core/histogram.h"
#include "core/limit.h"
#include "core/turn.h"
#include "llm/stream.h"

#include <sys/queue.h>

#define LLM_HEADERS_MAX 32
/* Answers of an attempt lie in its arena together: ATTEMPT_CALLS_MAX of this size leave half of it
 * free. */
#define LLM_REPLY_BYTES_MAX ((size_t)2 * 1024 * 1024)
#define LLM_BODY_BYTES_MAX ((size_t)16 * 1024 * 1024)
#define LLM_TAG_BYTES 160
#define LLM_STREAM_FROM_TOKENS 2048 /* shorter answers come whole, unless told otherwise */

enum llm_call_state {
    LLM_CALL_IDLE,    /* in the pool */
    LLM_CALL_WAITING, /* in its model's queue */
    LLM_CALL_SENT,
    LLM_CALL_BATCHED, /* in a batch that has left, or is leaving */
    LLM_CALL_BACKOFF, /* its timer runs */
    LLM_CALL_ENDING,  /* it will not go any more: its timer brings it home */
};

struct llm_call {
    TAILQ_ENTRY(llm_call) link; /* in its model's queue while WAITING */
    LIST_ENTRY(llm_call) all;   /* in the client's list of calls, or its pool */
    struct llm_request request; /* chain, spec, priority, done */
    size_t chain_at;            /* its model's place in the chain */
    struct llm_model *model;
    const struct llm_transport *transport; /* how it gets to its provider */
    enum llm_call_state state;
    int64_t joined;                 /* its model's queue, as the how manieth; while WAITING there */
    struct http_transfer *transfer; /* while SENT */
    struct llm_lane *lane;          /* that it was sent on last */
    struct limit_ticket ticket;     /* of that sending */
    struct llm_batch *batch;        /* that it is gathered in, or BATCHED in */
    struct batch_member *member;    /* its place there while BATCHED */
    bool unwanted;                  /* relinquished */
    struct call_answer found;       /* an earlier job's answer; its texts are in `body` */
    enum err end_err;               /* while ENDING */
    const struct errinfo *end_why;
    int64_t sent_ms; /* on the loop's clock */
    bool late;       /* cut off because its model answers faster than this */
    struct http_request http;
    const char *headers[LLM_HEADERS_MAX];
    char tag[LLM_TAG_BYTES];    /* a whole header */
    struct sbuf body;           /* written once, kept for retries */
    struct wire_ask ask;        /* what the body was written by */
    struct wire_stream *stream; /* NULL until the first that this call reads */
    struct loop_timer timer;
    int64_t tries;        /* requests made */
    int64_t lost;         /* of them, those whose end nobody saw */
    int64_t lost_nusd;    /* the most that these may have cost */
    int64_t failures;     /* of them, those that count against tries_max */
    enum call_clue clue;  /* of the last failure */
    int64_t answers_seen; /* of the model, at the start or this call's last failure */
};

/** Calls that wait for their turn, oldest first. */
TAILQ_HEAD(llm_queue, llm_call);

/** Calls in no order. */
LIST_HEAD(llm_calls, llm_call);

/* One key of a model, with limits of its own. */
struct llm_lane {
    struct limit limit;
    const char *auth; /* the header that carries the key; NULL: none is sent */
    const char *part_name;
    enum err err; /* why it was stopped, or what its last failure was */
    struct errinfo why;
};

struct llm_model {
    struct llm_model *next;
    struct llm *llm;
    const struct llm_provider *provider;
    const struct wire *wire;
    const struct price *price;
    struct str name;      /* as the provider spells it */
    struct str full_name; /* "provider/model", or its alias */
    const struct llm_manner *manner;
    const char *url, *stream_url;
    bool is_near; /* on this machine: nothing between here and there forgets a connection */
    const char *headers[LLM_HEADERS_MAX]; /* those of every call; its tag and key come behind */
    size_t headers_n;
    unsigned quirks;
    int64_t cap; /* of output tokens, as the model itself said; 0: it did not */
    struct llm_lane *lanes;
    size_t lanes_n;
    size_t lane_last;                /* the lane that was used last: keys take turns */
    int64_t answers;                 /* ever; tells a call whether anybody got through meanwhile */
    char trouble[LLM_TROUBLE_BYTES]; /* why no lane lets calls through; "": one does */
    struct llm_queue waiting[LLM_PRIORITY_MAX + 1];
    struct turn turn;
    int64_t joined; /* calls that have waited, ever */
    struct loop_timer next_turn;
    struct histogram latency_ms;
};

/* How calls that wait get to their provider: each for itself (lanes.c), or many together
 * (waves.c). */
struct llm_transport {
    enum price_tariff tariff;
    bool streams; /* answers may come as streams */
    /** The call waits from now on / does not wait any more. */
    void (*join)(struct llm_call *c);
    void (*leave)(struct llm_call *c);
};

extern const struct llm_transport llm_lanes, llm_waves;

/** Send what waits at @model, each call for itself, and may go. */
void llm_lanes_pump(struct llm_model *model);

struct llm {
    struct loop *loop;
    const struct llm_config *config;
    LIST_HEAD(, llm_batch) batches;
    struct http_client *http;
    struct arena arena;   /* models */
    struct arena scratch; /* of the reply being read */
    struct llm_model *models;
    struct llm_calls calls, pool;
    struct rng rng; /* jitter */
    struct llm_stats stats;
    bool closing;
    void (*partless)(void *ctx); /* NULL: nobody is told */
    void *partless_ctx;
    struct loop_timer sweep; /* runs while a request is under way */
};

/* --- lanes.c */

/** Every key is stopped, or has let nobody through in too many probes. */
bool llm_model_is_dead(const struct llm_model *model);

/** What the reply to a call means for all others with its key. @result NULL: no whole reply came,
 * @e is why. */
void llm_lane_note(struct llm_call *c, const struct http_reply *reply,
                   const struct wire_result *result, enum err e);

/* --- reuse.c */

/** An earlier job's answer to it, with its texts in the call's body; false if there is none. */
bool llm_reuse_get(struct llm_call *c, struct call_answer *ret);

/** Keep an answer for later jobs. */
void llm_reuse_put(struct llm_call *c, const struct call_answer *answer);

/* --- calls.c */

/** Make it one for @model, which is its own or stands in further on in its chain; false: neither.
 */
bool llm_call_readdress(struct llm_call *c, const struct llm_model *model);

/** Write its body if it has none yet. */
void llm_call_prepare(struct llm_call *c);

/** Out of its queue and to the provider; false if the HTTP client is full: it stays. */
bool llm_call_send(struct llm_call *c, struct llm_lane *lane);

/** Out of its queue: the next of its chain takes it over, or it ends on a later tick with @e and
 * @why, which must live until then. */
void llm_call_pass_on(struct llm_call *c, enum err e, const struct errinfo *why);

/** It waits for its turn again. */
void llm_call_wait(struct llm_call *c);

/** It ends on a later tick. @why must live until then. */
void llm_call_end_soon(struct llm_call *c, enum err e, const struct errinfo *why);

/* Of a call that was BATCHED and is in no batch any more: */

/** Its answer, or its error, has come. */
void llm_call_deliver(struct llm_call *c, int status, struct str body);

/** Its batch came to nothing, @e says why: another one, or the end if it was one too many or @e
 * cannot be mended. */
void llm_call_return(struct llm_call *c, enum err e, const struct errinfo *why);

/** End a call that is not at the provider, now, with ERR_CANCELED: for llm_free(). */
void llm_call_abort(struct llm_call *c);

#endif
