/* broker_rig.h - brokers, their servers, and consumers, for tests. */
#ifndef TESTS_BROKER_RIG_H
#define TESTS_BROKER_RIG_H

#include "broker/broker.h"
#include "server_rig.h"

#define SEEN_MAX 20000
#define LONG_MS 60000 /* on a slow machine; what is waited for ends the wait */

/* A kind of broker. */
struct backend {
    const char *name;
    enum err (*new)(const char *url, struct metrics *metrics, struct broker **ret,
                    struct errinfo *reterr); /* NULL: broker_local_new() */
    const char *url;                         /* without its port */
    const char *path;                        /* that follows it, or NULL */
    void (*start)(struct server *s, const char *const *more);
    /** All that is in it is lost. */
    void (*wipe)(const struct server *s, const char *fleet);
    int stop;   /* the signal that ends it and leaves it whole: RabbitMQ, killed, may never again
                   elect   a leader for a queue that is minutes old */
    bool exact; /* a job has one token in all, and all count for the bound; see broker_rabbit_new()
                 */
};

#define BACKENDS 4
extern const struct backend backends[BACKENDS]; /* the first needs no server */

/** A broker, once its server is reached. @fleet: its name there. */
struct broker *backend_open(const struct backend *backend, const struct server *s,
                            const char *fleet);

/** A broker at @before, a colon, @port and @after. */
struct broker *open_url(const struct backend *backend, const char *before, int port,
                        const char *after);

/** Within log_of(), opened last: it must tell why it does not come in, and stay out; free it. */
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

/* What the tests of one backend share: its server, and for each test a fleet of its own with a
 * broker and a consumer. */
struct broker_rig {
    const struct backend *backend;
    struct server server;
    char fleet[24];
    struct broker *b;
    struct eater one;
};

extern struct broker_rig rig;

/** Start the server of @backend, if it has one, with @more (see server_rig.h). / Stop it. */
void rig_start(const struct backend *backend, const char *const *more);
void rig_stop(void);

/** cmocka's fixtures of a test. */
int rig_set_up(void **state);
int rig_tear_down(void **state);
#define with_rig(name)                                                                             \
    { #name, name, rig_set_up, rig_tear_down, NULL }

/** Tokens that wait in rig.b, here or at its server: @n at once, or soon. */
void assert_waiting(size_t n);

/** @b comes in, and tokens pass by it; free it. */
void come_in(struct broker *b);

void pause_ms(int64_t ms);

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
