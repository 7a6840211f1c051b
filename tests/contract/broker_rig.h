/* broker_rig.h - brokers, their servers, and consumers, for tests. */
#ifndef TESTS_BROKER_RIG_H
#define TESTS_BROKER_RIG_H

#include "broker/broker.h"
#include "server_rig.h"

#define SEEN_MAX 20000
#define SOON_MS 3000 /* a server is asked once a second how many tokens wait */

/* A kind of broker. */
struct backend {
    const char *name;
    enum err (*new)(const char *url, struct metrics *metrics, struct broker **ret,
                    struct errinfo *reterr); /* NULL: broker_local_new() */
    const char *url;                         /* without its port */
    void (*start)(struct server *s, const char *const *more);
    /** All that is in it is lost. */
    void (*wipe)(const struct server *s, const char *fleet);
    int stop;   /* the signal that ends it and leaves it whole: RabbitMQ, killed, may never again
                   elect   a leader for a queue that is minutes old */
    bool exact; /* a job has one token in all, and all count for the bound; see broker_rabbit_new()
                 */
};

#define BACKENDS 3
extern const struct backend backends[BACKENDS]; /* the first needs no server */

/** A broker, once its server is reached. @fleet: its name there. */
struct broker *backend_open(const struct backend *backend, const struct server *s,
                            const char *fleet);

/** A broker at @before, a colon, @port and @after. */
struct broker *open_url(const struct backend *backend, const char *before, int port,
                        const char *after);

/** It must not come in for a while that is enough to come in; free it. */
void stay_out(struct broker *b);

/** Everything that is written to stderr while @fn runs, in @ret of @size bytes. */
void log_of(void (*fn)(void), char *ret, size_t size);

/* A consumer on a loop of its own, and what it was given. It acknowledges all at once. */
struct eater {
    struct broker *broker;
    struct loop *loop;
    struct broker_consumer *consumer;
    char seen[SEEN_MAX][BROKER_JOB_ID_BYTES];
    int n, stop_at;
    bool silent; /* it acknowledges nothing */
};

void eater_begin(struct eater *e, struct broker *b);

/** Run until there are @n tokens, or for @ms. */
void eater_run(struct eater *e, int n, int64_t ms);
void eater_leave(struct eater *e);
void eater_end(struct eater *e);

void publish(struct broker *b, const char *job_id, int64_t priority);

/** Until @condition is true of @b, for 20 s at most. */
void await_broker(struct broker *b, bool (*condition)(struct broker *b));
bool is_degraded(struct broker *b);
bool is_well(struct broker *b);

#endif
