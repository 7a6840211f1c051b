/* redis_link.h - inside the room: one connection to a Redis server, plain or TLS, on which the
 * caller waits with deadlines. hiredis formats and parses; the socket is ours, because Debian 12's
 * hiredis knows no TLS. */
#ifndef STUMPER_BROKER_REDIS_LINK_H
#define STUMPER_BROKER_REDIS_LINK_H

#include "base/str.h"
#include "broker/url.h"

#include <hiredis/hiredis.h>

struct redis_link {
    int fd; /* -1: closed */
    void *tls_context, *tls;
    redisReader *reader;
    size_t fed_bytes; /* of the answer that is coming in */
};

/* A command: as many parts as were made room for. */
struct redis_command {
    const char **parts;
    size_t *sizes;
    int n, max;
};

/** Room for @max parts in @a. */
void redis_command_init(struct redis_command *c, int max, struct arena *a);
/** Borrows @part. */
void redis_command_add(struct redis_command *c, struct str part);

/** Connect within REMOTE_DEADLINE_MS. Close it with redis_link_close() also after an error. */
NODISCARD enum err redis_link_open(struct redis_link *l, const struct broker_url *url,
                                   struct errinfo *reterr);
void redis_link_close(struct redis_link *l);

NODISCARD enum err redis_link_send(struct redis_link *l, const struct redis_command *c,
                                   struct errinfo *reterr);

/** The next answer, if there is one by @wait_ms; else NULL. Free it with freeReplyObject(). */
NODISCARD enum err redis_link_receive(struct redis_link *l, int64_t wait_ms, redisReply **ret,
                                      struct errinfo *reterr);

/** Send, and wait for the answer; what it refuses is an error, too. */
NODISCARD enum err redis_link_ask(struct redis_link *l, const struct redis_command *c,
                                  redisReply **ret, struct errinfo *reterr);

#endif
