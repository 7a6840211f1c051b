/* server.h - a provider that is not there: an HTTP server that speaks the formats of OpenAI,
 * Anthropic and Gemini.
 *
 *     POST /v1/chat/completions, /v1/responses, /v1/embeddings           OpenAI
 *     POST /v1/messages                                                  Anthropic
 *     POST /v1/files, /v1/batches; GET /v1/batches/{id} …                OpenAI's batches
 *     POST /v1/messages/batches; GET /v1/messages/batches/{id} …         Anthropic's
 *     POST /v1beta/models/{model}:generateContent, :streamGenerateContent?alt=sse   Gemini
 *     GET  /v1/models, /v1/models/{id}, /v1beta/models, /v1beta/models/{id}
 *     GET  /healthz               "ok"
 *     GET  /ledger/summary        what was billed so far
 *
 * One thread does everything. A request is read and answered in memory at once; the connection is
 * then suspended until its latency has passed, or written to as time goes on. Ten thousand may be
 * waiting.
 */
#ifndef STUMPER_SIM_SERVER_H
#define STUMPER_SIM_SERVER_H

#include "sim/brain.h"
#include "sim/quota.h"

struct sim_options {
    const char *listen;             /* IPv4 or IPv6 address */
    int port;                       /* 0: any free one */
    const char *truth_path;         /* NULL: none */
    const char *ledger_path;        /* NULL: none */
    const char *tls_cert, *tls_key; /* PEM texts, both or none: http or https */
    const char *key;                /* bearer key that is asked for; NULL: none is */
    bool reasoning; /* refuse max_tokens, temperature and top_p, as reasoning models do */
    struct quota_options limits;
    int64_t spend_nusd; /* once the bill is so high, nothing is answered any more; 0: no limit */
    struct spread latency_ms;
    struct spread batch_s; /* seconds that a batch takes */
    double batch_expire;   /* share of its questions that expire */
    int64_t keep_alive_ms; /* sign of life while a model thinks; 0: none */
    size_t piece_bytes;    /* of text in one event of a stream; at least 4 */
    struct brain_options brain;
    const struct price_table *prices; /* for the ledger; may be NULL */
    int64_t input_ms, idle_ms;        /* deadlines of guard.h; 0: a minute, the usual one */
    int stop_fd;                      /* readable: end (a signalfd, an eventfd) */
};

struct sim_server;

/**
 * Listen. Free with sim_server_free().
 *
 * @options  must outlive the server
 * @return   ERR_USAGE (address), ERR_BUSY (port in use), ERR_IO, ERR_READ_ONLY (files)
 */
NODISCARD enum err sim_server_new(const struct sim_options *options, struct sim_server **ret,
                                  struct errinfo *reterr);

/** The port it listens on. */
int sim_server_port(const struct sim_server *s);

/** Serve until stop_fd is readable. What is still unanswered then stays so. */
void sim_server_run(struct sim_server *s);

/** Closes all connections, writes out truth and ledger. */
void sim_server_free(struct sim_server *s);

#endif
