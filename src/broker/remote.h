/* remote.h - inside the room: a broker's server, and the thread that talks with it.
 *
 * A broker with a server is the broker within a process (broker.c) whose tokens make a detour: what
 * is published here is put to the server, and what consumers here want is taken from it. One thread
 * does both, with the blocking functions of `struct remote_ops`; when the server is lost, the
 * detour is closed and the thread connects again, after pauses that grow.
 *
 *     publish ─► waiting here ─► put ─► the server ─► take ─► a consumer here ─► ack
 *
 * Threading  the functions of remote_ops on that thread only (but `free`, after its end); the
 *            others from any.
 */
#ifndef STUMPER_BROKER_REMOTE_H
#define STUMPER_BROKER_REMOTE_H

#include "base/str.h"
#include "broker/broker.h"

#include <stdbool.h>
#include <sys/queue.h>

#define REMOTE_BATCH_MAX 100
#define REMOTE_DEADLINE_MS 5000 /* of every exchange with a server */

/* What a server knows a delivered token by. */
struct receipt {
    uint64_t high, low;
    int band; /* whose queue; -1: the token came from no server */
};

struct remote_token {
    TAILQ_ENTRY(remote_token) link;
    struct broker_token token;
    struct receipt receipt;
};

TAILQ_HEAD(remote_tokens, remote_token);

/* All but `free`, `close` and `fd` return an error of the connection: it is closed then, and opened
 * again. */
struct remote_ops {
    /** Connect, and make what is needed there. */
    enum err (*open)(void *server, struct errinfo *reterr);
    void (*close)(void *server);
    /** Hand in up to REMOTE_BATCH_MAX tokens. */
    enum err (*put)(void *server, const struct broker_token *tokens, size_t n,
                    struct errinfo *reterr);
    /** Append to @to what is there of up to @want tokens, without waiting; called whenever `fd` is
     * readable, and when anything else has changed. */
    enum err (*take)(void *server, size_t want, struct remote_tokens *to, struct errinfo *reterr);
    enum err (*ack)(void *server, const struct receipt *receipts, size_t n, struct errinfo *reterr);
    /** Once a second: is it alive, how many tokens wait there? Tokens that others were given and
     * never acknowledged may be appended to @to. */
    enum err (*tend)(void *server, struct remote_tokens *to, size_t *ret_waiting,
                     struct errinfo *reterr);
    int (*fd)(void *server);
    void (*free)(void *server);
};

/** Over @server, which it frees. @name: for people, "Redis at HOST:PORT"; copied. */
struct broker *broker_remote_new(const struct remote_ops *ops, void *server, const char *name,
                                 struct metrics *metrics);

/** What a server says of a token. False, if that is no token: others may write there, too. */
NODISCARD bool broker_token_read(struct str job, struct str tenant, struct str priority,
                                 struct broker_token *ret);

/* --- the thread */

struct remote;

/** Takes @server over; nobody talks with it yet. Free with remote_stop(). */
struct remote *remote_new(struct broker *b, const struct remote_ops *ops, void *server,
                          const char *name, struct metrics *metrics);

/** Start talking. The broker must know it by now: its thread calls back. Once. */
void remote_start(struct remote *r);

/** Put what waits, if the server is there; end the thread, free all. */
void remote_stop(struct remote *r);

/** Something waits to be put, to be acknowledged, or is wanted. */
void remote_wake(struct remote *r);

/** Tokens that waited at the server when it was last asked. */
size_t remote_waiting(struct remote *r);
const char *remote_name(const struct remote *r);

/* --- what the thread does to its broker */

/** The detour is open or closed. */
void broker_set_up(struct broker *b, bool up);

/** Move up to REMOTE_BATCH_MAX of the tokens that wait here out of it, most urgent first. */
size_t broker_pick(struct broker *b, struct broker_token *ret);

/** Take over up to @max receipts of tokens that were acknowledged. */
size_t broker_pick_acks(struct broker *b, size_t max, struct receipt *ret);

/** How many tokens consumers here want. */
size_t broker_wanted(struct broker *b);

/** Hand the tokens on to consumers, and in again what none wants. Empties the list. */
void broker_give(struct broker *b, struct remote_tokens *tokens);

#endif
