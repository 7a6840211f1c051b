/* broker.h - what wakes workers: tokens that say "this job has work and nobody has it". The
 * contract every backend keeps.
 *
 * A token is a hint, never the truth: whoever receives one takes the job in the store, which says
 * no if somebody else was quicker. So a broker may lose tokens, repeat them, or be wiped at any
 * moment; the reconciler (worker/reconciler.h) publishes again what the store says is needed.
 *
 * Delivery    a token goes to one consumer that has asked for some, and uses up one of what it
 *             asked for. Of those that wait the highest priority goes first, among equals the
 *             oldest; Redis and RabbitMQ know three priorities only: above 0, 0, below 0. Consumers
 * say with broker_ack() when the store has decided about the job; the tokens of a process that died
 * before are given to another by the server. Bounds      a job has at most one token waiting:
 * publishing it again only moves it to the higher priority. At most BROKER_TOKENS_MAX wait; beyond
 * that the lowest are dropped. Outages     while its server cannot be reached a broker passes
 * tokens within this process, so that what the reconciler publishes here is worked on here, and
 * says that it is degraded. It connects again by itself. Secrets     the password of a URL is in no
 * error and no line of the log. Threading   publish from any thread; a consumer belongs to the
 * thread of its loop, and its `fn` runs there, never inside a call of this header. A server has a
 * thread of its own (broker/remote.h): nothing here waits for the network.
 */
#ifndef STUMPER_BROKER_BROKER_H
#define STUMPER_BROKER_BROKER_H

#include "base/err.h"
#include "base/metrics.h"
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

/**
 * Over a Redis server (6.2 or later, or what speaks like it): a stream for each priority, read by a
 * consumer group. Returns at once; the server need not be there yet. Free with broker_free().
 *
 * @url      redis://[USER[:PASSWORD]@]HOST[:PORT][/DB][?name=FLEET][&ca=FILE], rediss:// over TLS
 * @metrics  or NULL
 * @return   ERR_USAGE: the URL, with a text that tells why
 */
NODISCARD enum err broker_redis_new(const char *url, struct metrics *metrics, struct broker **ret,
                                    struct errinfo *reterr);

/**
 * Over a RabbitMQ server (3.10 or later): a quorum queue for each priority. Otherwise as
 * broker_redis_new().
 *
 * @url  amqp://[USER[:PASSWORD]@]HOST[:PORT][/VHOST][?name=FLEET][&ca=FILE], amqps:// over TLS
 */
NODISCARD enum err broker_rabbit_new(const char *url, struct metrics *metrics, struct broker **ret,
                                     struct errinfo *reterr);

/**
 * Over a PostgreSQL server (13 or later): a table in a schema of its own, stumper_broker, which is
 * made if it is not there. Knows all priorities. Otherwise as broker_redis_new().
 *
 * @url  postgresql://[USER[:PASSWORD]@]HOST[:PORT]/NAME[?name=FLEET][&…], with all that libpq
 * knows; without name= the fleet is that of the schema which the connection is in, as the store's
 *       tables are
 */
NODISCARD enum err broker_postgres_new(const char *url, struct metrics *metrics,
                                       struct broker **ret, struct errinfo *reterr);

/** All consumers have left. What waits is given to the server if it can be reached. */
void broker_free(struct broker *b);

/** Hand in a token; copied. */
void broker_publish(struct broker *b, const struct broker_token *token);

typedef void broker_fn(void *ctx, const struct broker_token *token);

/** Be a consumer: @fn(@ctx) for every token from now on, as far as was asked for. Does not keep the
 * loop running. */
struct broker_consumer *broker_join(struct broker *b, struct loop *l, broker_fn *fn, void *ctx);

/** Ask for up to @n tokens from now on, whatever was asked for before; 0: none. */
void broker_want(struct broker_consumer *c, int64_t n);

/** The store has decided about the job of a token that @c was given: a lease is committed, or there
 * is nothing to be had. Harmless for any other job. */
void broker_ack(struct broker_consumer *c, const char *job_id);

/** Leave; @c is gone, and `fn` is not called any more. Tokens that were under way to it, or given
 * and not acknowledged, are handed in again. */
void broker_leave(struct broker_consumer *c);

/** Tokens that wait for a consumer, as far as is known here: a server is asked once a second. */
size_t broker_waiting(struct broker *b);

/** NULL, or how it is with a server that cannot be reached: "Redis at HOST:PORT". */
const char *broker_degraded(struct broker *b);

#endif
