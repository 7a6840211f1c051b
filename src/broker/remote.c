/* The thread that talks with a broker's server.
 *
 *     away ── open ──► here ── turn, turn, … ──► away       any error of a turn closes the
 * connection └─ pause ─┘
 *
 * A turn puts what waits, acknowledges, takes what is wanted, and then sleeps until the server or
 * somebody here has news. A state is told once in the log, not at every try.
 */
#include "broker/remote.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define REMOTE_TEND_MS 1000
#define REMOTE_PAUSE_MS 100 /* before the second try to connect; doubled at each, up to */
#define REMOTE_PAUSE_MS_MAX 5000
#define REMOTE_NAME_BYTES 320

struct remote {
    struct broker *broker;
    const struct remote_ops *ops;
    void *server;
    char name[REMOTE_NAME_BYTES];
    pthread_t thread;
    int bell; /* eventfd */
    atomic_bool rung, stopping;
    atomic_size_t waiting;
    /* the thread's own */
    int64_t tend_at_ms, pause_ms;
    int64_t since_ms; /* it is here, or away */
    bool told;        /* that it is away */
    struct rng rng;
    struct broker_token batch[REMOTE_BATCH_MAX];
    struct receipt receipts[REMOTE_BATCH_MAX];
    struct metric *up, *waits, *put, *taken, *losses;
};

static const struct metric_family remote_up = {
    .name = "stumper_broker_up",
    .help = "1 while the broker's server can be reached; while 0, jobs are found in the store.",
    .kind = METRIC_GAUGE};
static const struct metric_family remote_waits = {
    .name = "stumper_broker_tokens_waiting",
    .help = "Tokens that wait at the broker's server for a worker.",
    .kind = METRIC_GAUGE};
static const struct metric_family remote_tokens_total = {
    .name = "stumper_broker_tokens_total",
    .help = "Tokens put to the broker's server and taken from it by this process.",
    .kind = METRIC_COUNTER};
static const struct metric_family remote_losses = {
    .name = "stumper_broker_losses_total",
    .help = "Times that the connection to the broker's server was lost.",
    .kind = METRIC_COUNTER};

/* --- news */

void remote_wake(struct remote *r) {
    if (!atomic_exchange(&r->rung, true)) {
        (void)eventfd_write(r->bell, 1); /* cannot fail before 2^64 */
    }
}

/* Until somebody rings, the server has news, or for @ms. */
static void remote_sleep(struct remote *r, int fd, int64_t ms) {
    struct pollfd fds[] = {{.fd = r->bell, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    eventfd_t rung;
    (void)poll(fds, 2, (int)MAX(ms, 0)); /* interrupted: an early turn */
    if (fds[0].revents != 0) {
        (void)eventfd_read(r->bell, &rung);
        atomic_store(&r->rung, false);
    }
}

/* --- a turn */

static enum err remote_put(struct remote *r, struct errinfo *reterr) {
    enum err e = ERR_OK;
    size_t n;
    while (e == ERR_OK && (n = broker_pick(r->broker, r->batch)) > 0) {
        e = r->ops->put(r->server, r->batch, n, reterr);
        for (size_t i = 0; e != ERR_OK && i < n; i++) {
            broker_publish(r->broker, &r->batch[i]); /* perhaps once more */
        }
        metric_add(r->put, e == ERR_OK ? (int64_t)n : 0);
    }
    return e;
}

static enum err remote_ack(struct remote *r, struct errinfo *reterr) {
    enum err e = ERR_OK;
    size_t n;
    while (e == ERR_OK && (n = broker_pick_acks(r->broker, REMOTE_BATCH_MAX, r->receipts)) > 0) {
        e = r->ops->ack(r->server, r->receipts, n, reterr);
    }
    return e;
}

static void remote_give(struct remote *r, struct remote_tokens *tokens) {
    const struct remote_token *t;
    TAILQ_FOREACH(t, tokens, link) {
        metric_add(r->taken, 1);
    }
    broker_give(r->broker, tokens);
}

static enum err remote_take(struct remote *r, struct errinfo *reterr) {
    struct remote_tokens tokens = TAILQ_HEAD_INITIALIZER(tokens);
    enum err e = r->ops->take(r->server, broker_wanted(r->broker), &tokens, reterr);
    remote_give(r, &tokens); /* also those before an error */
    return e;
}

static enum err remote_tend(struct remote *r, struct errinfo *reterr) {
    struct remote_tokens tokens = TAILQ_HEAD_INITIALIZER(tokens);
    size_t waiting = 0;
    enum err e = r->ops->tend(r->server, &tokens, &waiting, reterr);
    remote_give(r, &tokens);
    if (e == ERR_OK) {
        atomic_store(&r->waiting, waiting);
        metric_set(r->waits, (int64_t)waiting);
        r->tend_at_ms = clock_mono_ms() + REMOTE_TEND_MS;
    }
    return e;
}

static enum err remote_turn(struct remote *r, struct errinfo *reterr) {
    enum err (*const steps[])(struct remote *, struct errinfo *) = {remote_put, remote_ack,
                                                                    remote_take};
    enum err e = ERR_OK;
    for (size_t i = 0; i < ARRAY_LEN(steps) && e == ERR_OK; i++) {
        e = steps[i](r, reterr);
    }
    if (e == ERR_OK && clock_mono_ms() >= r->tend_at_ms) {
        e = remote_tend(r, reterr);
    }
    return e;
}

/* --- here and away */

static void remote_arrive(struct remote *r) {
    if (r->told) {
        log_info("%s is back after %.1f s; tokens go by it again", r->name,
                 (double)(clock_mono_ms() - r->since_ms) / 1000);
    }
    r->told = false;
    r->since_ms = clock_mono_ms();
    r->tend_at_ms = 0;
    metric_set(r->up, 1);
    broker_set_up(r->broker, true);
}

static void remote_depart(struct remote *r, enum err e, const struct errinfo *why) {
    r->ops->close(r->server);
    broker_set_up(r->broker, false);
    metric_set(r->up, 0);
    if (!r->told) {
        log_warn("%s: %s; until it is back, this process finds work by asking the store", r->name,
                 errinfo_text(why, e));
        r->told = true;
        r->since_ms = clock_mono_ms();
    }
}

/* Turn after turn, until the connection fails or somebody stops the thread: then one more, for what
 * was handed in before. */
static void remote_stay(struct remote *r) {
    struct errinfo why = {0};
    enum err e = remote_turn(r, &why);
    for (bool last = false; e == ERR_OK && !last;) {
        remote_sleep(r, r->ops->fd(r->server), r->tend_at_ms - clock_mono_ms());
        last = atomic_load(&r->stopping);
        e = remote_turn(r, &why);
    }
    if (e == ERR_OK) {
        r->ops->close(r->server);
        return;
    }
    if (clock_mono_ms() - r->since_ms > REMOTE_PAUSE_MS_MAX) {
        r->pause_ms = 0;
    }
    metric_add(r->losses, 1);
    remote_depart(r, e, &why);
}

/* Grows by doubling, and is spread, so that a server that comes back is not asked by all at once.
 */
static void remote_pause(struct remote *r) {
    r->pause_ms = MIN(MAX(2 * r->pause_ms, REMOTE_PAUSE_MS), REMOTE_PAUSE_MS_MAX);
    int64_t until_ms = clock_mono_ms() + rng_range(&r->rng, r->pause_ms / 2, r->pause_ms);
    int64_t left_ms;
    while (!atomic_load(&r->stopping) && (left_ms = until_ms - clock_mono_ms()) > 0) {
        remote_sleep(r, -1, left_ms);
    }
}

static void *remote_main(void *arg) {
    struct remote *r = arg;
    while (!atomic_load(&r->stopping)) {
        struct errinfo why = {0};
        enum err e = r->ops->open(r->server, &why);
        if (e == ERR_OK) {
            remote_arrive(r);
            remote_stay(r);
        } else {
            remote_depart(r, e, &why);
        }
        remote_pause(r);
    }
    return NULL;
}

/* --- for the broker */

static void remote_meter(struct remote *r, struct metrics *m) {
    const struct metric_label put = {"way", S("put")}, taken = {"way", S("taken")};
    r->up = metric_get(m, &remote_up, NULL, 0);
    r->waits = metric_get(m, &remote_waits, NULL, 0);
    r->put = metric_get(m, &remote_tokens_total, &put, 1);
    r->taken = metric_get(m, &remote_tokens_total, &taken, 1);
    r->losses = metric_get(m, &remote_losses, NULL, 0);
}

struct remote *remote_new(struct broker *b, const struct remote_ops *ops, void *server,
                          const char *name, struct metrics *metrics) {
    struct remote *r = mem_new(sizeof *r);
    uint64_t seed;
    r->broker = b;
    r->ops = ops;
    r->server = server;
    (void)snprintf(r->name, sizeof r->name, "%s", name);
    rng_os(&seed, sizeof seed);
    rng_init(&r->rng, seed);
    remote_meter(r, metrics);
    r->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ASSERT(r->bell >= 0);
    return r;
}

void remote_start(struct remote *r) {
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the main thread */
    int failed = pthread_create(&r->thread, NULL, remote_main, r);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    ASSERT(failed == 0);
}

void remote_stop(struct remote *r) {
    atomic_store(&r->stopping, true);
    remote_wake(r);
    (void)pthread_join(r->thread, NULL);
    (void)close(r->bell);
    r->ops->free(r->server);
    free(r);
}

size_t remote_waiting(struct remote *r) {
    return atomic_load(&r->waiting);
}

const char *remote_name(const struct remote *r) {
    return r->name;
}
