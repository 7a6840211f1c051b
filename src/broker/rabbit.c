/* Tokens at a RabbitMQ server: a quorum queue for each of three priorities.
 *
 * A queue can be asked neither for one message of a job nor to forget one. So that a job which
 * waits is not put again every second, each process remembers what it has put: until it is taken
 * here, until its queue was seen empty, or until RABBIT_REMEMBER_MS have passed, shortly before the
 * token would be gone by age (RABBIT_TTL_MS). The memory is a table in which a later job may take
 * an earlier one's place; what is forgotten too early is put twice, which does no harm.
 *
 * Consumers are there only while somebody wants tokens, and prefetch no more than are wanted; what
 * arrives all the same is returned. Invariants: (1) prefetch is 0 if and only if there is no
 * consumer; (2) arrived[] are unacknowledged.
 */
#include "broker/rabbit_link.h"
#include "broker/remote.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RABBIT_BANDS 3
#define RABBIT_PREFETCH_MAX ((size_t)200)
#define RABBIT_SETTLE_MS 50 /* for the queues to deliver what waits: the best is to come first */
#define RABBIT_REMEMBER_MS 10000
#define RABBIT_TTL_MS 15000
#define RABBIT_RECOUNT_MS 50 /* before a token is held back by what was counted then */
#define RABBIT_SLOTS ((size_t)1 << 15)
#define RABBIT_QUEUE_BYTES (URL_NAME_BYTES + 24)

/* What was put. */
struct rabbit_slot {
    uint64_t job; /* hash; 0: nothing */
    int64_t at_ms;
    int band;
};

struct rabbit {
    struct broker_url url;
    struct rabbit_link link;
    uint64_t connection; /* how many there have been: tags are of one */
    char queues[RABBIT_BANDS][RABBIT_QUEUE_BYTES];
    size_t counts[RABBIT_BANDS];
    int64_t empty_at_ms[RABBIT_BANDS], counted_at_ms;
    size_t prefetch;
    struct remote_tokens arrived[RABBIT_BANDS];
    size_t arrived_n;
    uint64_t garbage[REMOTE_BATCH_MAX];
    size_t garbage_n;
    bool told_of_garbage;
    struct rabbit_slot slots[RABBIT_SLOTS];
};

static int rabbit_band(int64_t priority) {
    return priority > 0 ? 0 : priority == 0 ? 1 : 2;
}

/* --- counting */

static enum err rabbit_count(struct rabbit *r, struct errinfo *reterr) {
    int64_t now_ms = clock_mono_ms();
    enum err e = ERR_OK;
    for (int b = 0; b < RABBIT_BANDS && e == ERR_OK; b++) {
        e = rabbit_link_count(&r->link, r->queues[b], &r->counts[b], reterr);
        if (e == ERR_OK && r->counts[b] == 0) {
            r->empty_at_ms[b] = now_ms;
        }
    }
    r->counted_at_ms = now_ms;
    return e;
}

/* How many waited, of each priority @each_max at most. */
static size_t rabbit_counted(const struct rabbit *r, size_t each_max) {
    size_t n = 0;
    for (int b = 0; b < RABBIT_BANDS; b++) {
        n += MIN(r->counts[b], each_max);
    }
    return n;
}

/* --- remembering */

static uint64_t rabbit_hash(const char *job_id) {
    return str_hash(str_of(job_id)) | 1;
}

static struct rabbit_slot *rabbit_slot(struct rabbit *r, const char *job_id) {
    return &r->slots[(rabbit_hash(job_id) >> 1) % RABBIT_SLOTS];
}

/* Does it wait already, as far as we know, and at least as high? */
static bool rabbit_remembers(struct rabbit *r, const struct broker_token *t) {
    const struct rabbit_slot *s = rabbit_slot(r, t->job_id);
    return s->job == rabbit_hash(t->job_id) && s->band <= rabbit_band(t->priority) &&
           clock_mono_ms() - s->at_ms < RABBIT_REMEMBER_MS && s->at_ms >= r->empty_at_ms[s->band];
}

static void rabbit_remember(struct rabbit *r, const struct broker_token *t) {
    *rabbit_slot(r, t->job_id) = (struct rabbit_slot){
        .job = rabbit_hash(t->job_id), .at_ms = clock_mono_ms(), .band = rabbit_band(t->priority)};
}

static void rabbit_forget(struct rabbit *r, const char *job_id) {
    struct rabbit_slot *s = rabbit_slot(r, job_id);
    if (s->job == rabbit_hash(job_id)) {
        s->job = 0;
    }
}

/* --- putting */

static enum err rabbit_put_one(struct rabbit *r, const struct broker_token *t,
                               struct errinfo *reterr) {
    char body[RABBIT_BODY_BYTES_MAX];
    enum err e = ERR_OK;
    if (rabbit_remembers(r, t) && clock_mono_ms() - r->counted_at_ms > RABBIT_RECOUNT_MS) {
        e = rabbit_count(r, reterr);
    }
    if (e != ERR_OK || rabbit_remembers(r, t)) {
        return e;
    }
    int n =
        snprintf(body, sizeof body, "%s %" PRId64 " %" PRId64, t->job_id, t->tenant, t->priority);
    rabbit_remember(r, t);
    return rabbit_link_publish(&r->link, r->queues[rabbit_band(t->priority)],
                               (struct str){body, (size_t)n}, reterr);
}

static enum err rabbit_put(void *server, const struct broker_token *tokens, size_t n,
                           struct errinfo *reterr) {
    struct rabbit *r = server;
    enum err e = ERR_OK;
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        e = rabbit_put_one(r, &tokens[i], reterr);
    }
    return e == ERR_OK ? rabbit_link_confirm(&r->link, reterr) : e;
}

/* --- arriving */

/* "JOB TENANT PRIORITY". False: what somebody else put there. */
static bool rabbit_read_token(struct str body, struct broker_token *ret) {
    struct str job = str_split(&body, ' ');
    struct str tenant = str_split(&body, ' ');
    return broker_token_read(job, tenant, body, ret);
}

static void rabbit_on_delivery(void *ctx, int band, uint64_t tag, struct str body) {
    struct rabbit *r = ctx;
    struct broker_token token;
    if (band >= 0 && band < RABBIT_BANDS && rabbit_read_token(body, &token)) {
        struct remote_token *t = mem_new(sizeof *t);
        t->token = token;
        t->receipt = (struct receipt){.high = r->connection, .low = tag, .band = band};
        TAILQ_INSERT_TAIL(&r->arrived[band], t, link);
        r->arrived_n++;
        rabbit_forget(r, token.job_id);
        return;
    }
    if (r->garbage_n < ARRAY_LEN(r->garbage)) { /* more come again after the next connection */
        r->garbage[r->garbage_n++] = tag;
    }
    if (!r->told_of_garbage) {
        log_warn("%s: somebody else writes into the queues of '%s'; what is no token is dropped",
                 r->url.label, r->url.name);
        r->told_of_garbage = true;
    }
}

/* Take in all there is; wait for @enough tokens, but not longer than @wait_ms. */
static enum err rabbit_pump(struct rabbit *r, size_t enough, int64_t wait_ms,
                            struct errinfo *reterr) {
    int64_t until_ms = clock_mono_ms() + wait_ms;
    bool any = true;
    enum err e = ERR_OK;
    while (e == ERR_OK && any) {
        int64_t left_ms = r->arrived_n < enough ? MAX(until_ms - clock_mono_ms(), 0) : 0;
        e = rabbit_link_pump(&r->link, left_ms, &any, reterr);
    }
    while (e == ERR_OK && r->garbage_n > 0) {
        e = rabbit_link_ack(&r->link, r->garbage[--r->garbage_n], reterr);
    }
    return e;
}

static struct remote_token *rabbit_best(struct rabbit *r) {
    struct remote_token *t = NULL;
    for (int b = 0; b < RABBIT_BANDS && t == NULL; b++) {
        t = TAILQ_FIRST(&r->arrived[b]);
    }
    if (t != NULL) {
        TAILQ_REMOVE(&r->arrived[t->receipt.band], t, link);
        r->arrived_n--;
    }
    return t;
}

static size_t rabbit_hand_over(struct rabbit *r, size_t most, struct remote_tokens *to) {
    struct remote_token *t;
    size_t n = 0;
    while (n < most && (t = rabbit_best(r)) != NULL) {
        TAILQ_INSERT_TAIL(to, t, link);
        n++;
    }
    return n;
}

/* --- taking */

static enum err rabbit_begin(struct rabbit *r, size_t prefetch, struct errinfo *reterr) {
    enum err e = rabbit_count(r, reterr);
    for (int b = 0; b < RABBIT_BANDS && e == ERR_OK; b++) {
        e = rabbit_link_consume(&r->link, r->queues[b], b, prefetch, reterr);
    }
    r->prefetch = prefetch;
    return e == ERR_OK ? rabbit_pump(r, rabbit_counted(r, prefetch), RABBIT_SETTLE_MS, reterr) : e;
}

/* No consumer any more; what has arrived goes back. */
static enum err rabbit_rest(struct rabbit *r, struct errinfo *reterr) {
    struct remote_token *t;
    enum err e = ERR_OK;
    for (int b = 0; b < RABBIT_BANDS && e == ERR_OK; b++) {
        e = rabbit_link_cancel(&r->link, b, reterr);
    }
    r->prefetch = 0;
    e = e == ERR_OK ? rabbit_pump(r, 0, 0, reterr) : e;
    while (e == ERR_OK && (t = rabbit_best(r)) != NULL) {
        e = rabbit_link_return(&r->link, t->receipt.low, reterr);
        free(t);
    }
    return e;
}

/* Much less is wanted than may come, or much more. */
static bool rabbit_prefetch_is_off(const struct rabbit *r, size_t want) {
    return want == 0 || want < r->prefetch / 2 || MIN(want, RABBIT_PREFETCH_MAX) > 4 * r->prefetch;
}

static enum err rabbit_take(void *server, size_t want, struct remote_tokens *to,
                            struct errinfo *reterr) {
    struct rabbit *r = server;
    enum err e = rabbit_pump(r, 0, 0, reterr);
    want -= rabbit_hand_over(r, want, to);
    if (e == ERR_OK && r->prefetch > 0 && rabbit_prefetch_is_off(r, want)) {
        e = rabbit_rest(r, reterr);
    }
    if (e == ERR_OK && r->prefetch == 0 && want > 0) {
        e = rabbit_begin(r, MIN(want, RABBIT_PREFETCH_MAX), reterr);
        want -= rabbit_hand_over(r, want, to);
        if (e == ERR_OK && want == 0) { /* what is left is for others */
            e = rabbit_rest(r, reterr);
        }
    }
    return e;
}

static enum err rabbit_ack(void *server, const struct receipt *receipts, size_t n,
                           struct errinfo *reterr) {
    struct rabbit *r = server;
    enum err e = ERR_OK;
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        if (receipts[i].high == r->connection) {
            e = rabbit_link_ack(&r->link, receipts[i].low, reterr);
        }
    }
    return e;
}

static enum err rabbit_tend(void *server, struct remote_tokens *to, size_t *ret_waiting,
                            struct errinfo *reterr) {
    struct rabbit *r = server;
    (void)to; /* the server itself gives what was never acknowledged to another */
    enum err e = rabbit_count(r, reterr);
    *ret_waiting = rabbit_counted(r, SIZE_MAX);
    return e;
}

/* --- coming and going */

/* Asks for a token at once: a queue without a leader is there and can be counted, but gives none.
 */
static enum err rabbit_open(void *server, struct errinfo *reterr) {
    struct rabbit *r = server;
    r->connection++;
    r->prefetch = r->garbage_n = 0;
    memset(r->slots, 0, sizeof r->slots); /* who knows what it still has */
    enum err e = rabbit_link_open(&r->link, &r->url, reterr);
    for (int b = 0; b < RABBIT_BANDS && e == ERR_OK; b++) {
        e = rabbit_link_declare(&r->link, r->queues[b], BROKER_TOKENS_MAX, RABBIT_TTL_MS, reterr);
    }
    return e == ERR_OK ? rabbit_begin(r, 1, reterr) : e;
}

static void rabbit_close(void *server) {
    struct rabbit *r = server;
    struct remote_token *t;
    rabbit_link_close(&r->link);
    while ((t = rabbit_best(r)) != NULL) { /* the server gives them to another */
        free(t);
    }
}

static int rabbit_fd(void *server) {
    const struct rabbit *r = server;
    return rabbit_link_fd(&r->link);
}

static void rabbit_free(void *server) {
    struct rabbit *r = server;
    explicit_bzero(&r->url, sizeof r->url);
    free(r);
}

static const struct remote_ops rabbit_ops = {.open = rabbit_open,
                                             .close = rabbit_close,
                                             .put = rabbit_put,
                                             .take = rabbit_take,
                                             .ack = rabbit_ack,
                                             .tend = rabbit_tend,
                                             .fd = rabbit_fd,
                                             .free = rabbit_free};

enum err broker_rabbit_new(const char *url, struct metrics *metrics, struct broker **ret,
                           struct errinfo *reterr) {
    static const struct broker_scheme scheme = {"amqp", "amqps", "5672", "5671", "RabbitMQ"};
    static const char *const of[RABBIT_BANDS] = {"high", "normal", "low"};
    struct rabbit *r = mem_new(sizeof *r);
    enum err e = broker_url_read(url, &scheme, &r->url, reterr);
    if (e != ERR_OK) {
        free(r);
        return e;
    }
    r->link.deliver = rabbit_on_delivery;
    r->link.ctx = r;
    for (int b = 0; b < RABBIT_BANDS; b++) {
        TAILQ_INIT(&r->arrived[b]);
        (void)snprintf(r->queues[b], sizeof r->queues[b], "stumper.%s.%s", r->url.name, of[b]);
    }
    *ret = broker_remote_new(&rabbit_ops, r, r->url.label, metrics);
    return ERR_OK;
}
