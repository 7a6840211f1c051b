/* client.h - inside the LLM client: what llm.c (models, life) and calls.c (one call) share. Not for
 * other rooms. */
#ifndef STUMPER_LLM_CLIENT_H
#define STUMPER_LLM_CLIENT_H

#include "base/rng.h"
#include "core/histogram.h"
#include "llm/gate.h"
#include "llm/wire.h"

#include <sys/queue.h>

#define LLM_HEADERS_MAX 32
/* Answers of an attempt lie in its arena together: ATTEMPT_CALLS_MAX of this size leave half of it
 * free. */
#define LLM_REPLY_BYTES_MAX ((size_t)2 * 1024 * 1024)
#define LLM_BODY_BYTES_MAX ((size_t)16 * 1024 * 1024)
#define LLM_TAG_BYTES 160

enum llm_call_state {
    LLM_CALL_IDLE,    /* in the pool */
    LLM_CALL_WAITING, /* in its model's queue: the gate is shut or the HTTP client full */
    LLM_CALL_SENT,
    LLM_CALL_BACKOFF, /* its timer runs */
    LLM_CALL_ENDING,  /* cancelled while it was not at the provider: its timer brings it home */
};

struct llm_call {
    TAILQ_ENTRY(llm_call) link; /* in its model's queue while WAITING */
    LIST_ENTRY(llm_call) all;   /* in the client's list of calls, or its pool */
    struct llm_request request; /* chain, spec, priority, done */
    size_t chain_at;            /* its model's place in the chain */
    struct llm_model *model;
    enum llm_call_state state;
    struct http_transfer *transfer; /* while SENT */
    int64_t sent_ms;                /* on the loop's clock */
    bool late;                      /* cut off because its model answers faster than this */
    struct http_request http;
    const char *headers[LLM_HEADERS_MAX];
    char tag[LLM_TAG_BYTES];  /* a whole header */
    struct sbuf body;         /* written once, kept for retries */
    struct wire_quirks asked; /* what the body was written by */
    struct loop_timer timer;
    int64_t tries;        /* requests made */
    int64_t failures;     /* of them, those that count against tries_max */
    int64_t answers_seen; /* of the model, at the start or this call's last failure */
};

/** Calls that wait for their turn, oldest first. */
TAILQ_HEAD(llm_queue, llm_call);

/** Calls in no order. */
LIST_HEAD(llm_calls, llm_call);

struct llm_model {
    struct llm_model *next;
    struct llm *llm;
    const struct llm_provider *provider;
    const struct wire *wire;
    const struct price *price;
    struct str name;      /* as the provider spells it */
    struct str full_name; /* "provider/model" */
    const char *url;
    const char *headers[LLM_HEADERS_MAX]; /* those of every call; its tag and key come behind */
    size_t headers_n;
    const char *auth[LLM_KEYS_MAX]; /* the header of each of the provider's keys */
    size_t key_next;                /* whose turn it is */
    struct wire_quirks quirks;
    struct gate gate;
    struct llm_queue waiting[LLM_PRIORITY_MAX + 1];
    int64_t backing_off; /* calls whose timer runs before they queue again */
    struct loop_timer reopen;
    struct histogram first_byte_ms;
};

struct llm {
    struct loop *loop;
    const struct llm_config *config;
    struct http_client *http;
    struct arena arena;   /* models */
    struct arena scratch; /* of the reply being read */
    struct llm_model *models;
    struct llm_calls calls, pool;
    struct rng rng; /* jitter */
    struct llm_stats stats;
    bool closing;
    struct loop_timer sweep; /* runs while a request is under way */
};

/** Send what waits at @model as far as its gate and the HTTP client allow. */
void llm_model_pump(struct llm_model *model);

/** End a call that is not at the provider, now, with ERR_CANCELED: for llm_free(). */
void llm_call_abort(struct llm_call *c);

#endif
