/* broker.h - what wakes workers: tokens that say "this job has work and nobody has it". The
 * contract every backend keeps.
 *
 * A token is a hint, never the truth: whoever receives one takes the job in the store, which says
 * no if somebody else was quicker. So a broker may lose tokens, repeat them, or be wiped at any
 * moment; the reconciler (worker/reconciler.h) publishes again what the store says is needed.
 *
 * Delivery    a token goes to one consumer that has asked for some, and uses up one of what it
 *             asked for. Of those that wait the highest priority goes first, among equals the
 *             oldest.
 * Bounds      a job has at most one token waiting: publishing it again only moves it to the higher
 *             priority. At most BROKER_TOKENS_MAX wait; beyond that the lowest are dropped.
 * Threading   publish from any thread; a consumer belongs to the thread of its loop, and its `fn`
 *             runs there, never inside a call of this header.
 */
#ifndef STUMPER_BROKER_BROKER_H
#define STUMPER_BROKER_BROKER_H

#include "io/loop.h"

#define BROKER_JOB_ID_BYTES 48
#define BROKER_TOKENS_MAX ((size_t)10000)

struct broker_token {
    char job_id[BROKER_JOB_ID_BYTES];
    int64_t tenant;   /* whose job it is */
    int64_t priority; /* larger ones first */
};

struct broker;
struct broker_consumer;

/** In this process: tokens pass from thread to thread. Free with broker_free(). */
struct broker *broker_local_new(void);

/** All consumers have left. */
void broker_free(struct broker *b);

/** Hand in a token; copied. */
void broker_publish(struct broker *b, const struct broker_token *token);

typedef void broker_fn(void *ctx, const struct broker_token *token);

/** Be a consumer: @fn(@ctx) for every token from now on, as far as was asked for. Does not keep the
 * loop running. */
struct broker_consumer *broker_join(struct broker *b, struct loop *l, broker_fn *fn, void *ctx);

/** Ask for up to @n tokens from now on, whatever was asked for before; 0: none. */
void broker_want(struct broker_consumer *c, int64_t n);

/** Leave; @c is gone, and `fn` is not called any more. A token that was under way to it is handed
 * in again. */
void broker_leave(struct broker_consumer *c);

/** Tokens that wait for a consumer. */
size_t broker_waiting(struct broker *b);

#endif
