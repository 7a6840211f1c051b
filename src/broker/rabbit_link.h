/* rabbit_link.h - inside the room: one AMQP connection to a RabbitMQ server, plain or TLS, and what
 * is done on it: queues declared and counted, messages published and confirmed, deliveries taken.
 * librabbitmq does nothing by itself, so the thread of the broker calls in at least once a second,
 * which keeps the heartbeats.
 *
 * Errors  of the connection: it is to be closed. Texts never hold the password.
 */
#ifndef STUMPER_BROKER_RABBIT_LINK_H
#define STUMPER_BROKER_RABBIT_LINK_H

#include "base/str.h"
#include "broker/url.h"

#include <amqp.h>

#define RABBIT_UNCONFIRMED_MAX 128
#define RABBIT_CONSUMERS_MAX 10
#define RABBIT_BODY_BYTES_MAX 256 /* a longer one is no token */

struct rabbit_link {
    amqp_connection_state_t amqp; /* NULL: closed */
    bool broken;                  /* no good bye can be said on it */
    uint64_t published, confirmed_below;
    bool confirmed[RABBIT_UNCONFIRMED_MAX];
    size_t unconfirmed;
    uint64_t consumers[RABBIT_CONSUMERS_MAX]; /* their numbers */
    /** A delivery has come; @body is borrowed, and empty if it was too long. */
    void (*deliver)(void *ctx, int consumer, uint64_t tag, struct str body);
    void *ctx;
};

/** Connect and log in within REMOTE_DEADLINE_MS. Close it with rabbit_link_close() also after an
 * error. Keeps `deliver` and `ctx`. */
NODISCARD enum err rabbit_link_open(struct rabbit_link *l, const struct broker_url *url,
                                    struct errinfo *reterr);
void rabbit_link_close(struct rabbit_link *l);
int rabbit_link_fd(const struct rabbit_link *l);

/** A quorum queue of at most @most messages that live for @ttl_ms; beyond that it takes none. */
NODISCARD enum err rabbit_link_declare(struct rabbit_link *l, const char *queue, size_t most,
                                       int64_t ttl_ms, struct errinfo *reterr);

/** How many messages wait in it for a consumer. ERR_PROTOCOL also when it is gone. */
NODISCARD enum err rabbit_link_count(struct rabbit_link *l, const char *queue, size_t *ret,
                                     struct errinfo *reterr);

/** Send; at most RABBIT_UNCONFIRMED_MAX before the next rabbit_link_confirm(). */
NODISCARD enum err rabbit_link_publish(struct rabbit_link *l, const char *queue, struct str body,
                                       struct errinfo *reterr);

/** Wait until the server has all that was sent, or has no room for it. */
NODISCARD enum err rabbit_link_confirm(struct rabbit_link *l, struct errinfo *reterr);

/** Ask for deliveries of a queue to @consumer (0..RABBIT_CONSUMERS_MAX-1), up to @prefetch
 * unacknowledged ones / for no more. */
NODISCARD enum err rabbit_link_consume(struct rabbit_link *l, const char *queue, int consumer,
                                       size_t prefetch, struct errinfo *reterr);
NODISCARD enum err rabbit_link_cancel(struct rabbit_link *l, int consumer, struct errinfo *reterr);

/** It is done with / is to be given to somebody else. */
NODISCARD enum err rabbit_link_ack(struct rabbit_link *l, uint64_t tag, struct errinfo *reterr);
NODISCARD enum err rabbit_link_return(struct rabbit_link *l, uint64_t tag, struct errinfo *reterr);

/** Take in one frame, if there is one by @wait_ms; @ret_any tells. */
NODISCARD enum err rabbit_link_pump(struct rabbit_link *l, int64_t wait_ms, bool *ret_any,
                                    struct errinfo *reterr);

#endif
