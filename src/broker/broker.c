/* The broker within a process, and the part within a process of one that has a server.
 *
 * Tokens wait in one list, highest priority first, under one lock. Whenever there is a token and a
 * consumer that wants one, it is moved to that consumer's own list (to the one that wants most, so
 * that workers fill evenly) and a message is posted to its loop, at most one at a time, which
 * delivers all that is there by then.
 *
 * With a server the list is what has yet to be put there, and tokens for consumers come back from
 * there (remote.h); while it cannot be reached, all is as without one.
 */
#include "broker/remote.h"

#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct broker_consumer {
    LIST_ENTRY(broker_consumer) link;
    struct broker *broker;
    struct loop *loop;
    broker_fn *fn;
    void *ctx;
    struct loop_msg msg;
    /* under the broker's lock */
    struct remote_tokens inbox;
    struct remote_tokens held; /* delivered, a server's, not acknowledged */
    int64_t wanted;
    bool posted; /* msg is under way */
    bool left;   /* free it when msg comes home */
};

struct broker {
    struct remote *remote; /* NULL: all within this process */
    pthread_mutex_t lock;
    struct remote_tokens waiting;
    size_t waiting_n;
    LIST_HEAD(, broker_consumer) consumers;
    bool up; /* tokens go by the server */
    struct receipt *acks;
    size_t acks_n, acks_cap;
};

struct broker *broker_local_new(void) {
    struct broker *b = mem_new(sizeof *b);
    (void)pthread_mutex_init(&b->lock, NULL);
    TAILQ_INIT(&b->waiting);
    LIST_INIT(&b->consumers);
    return b;
}

struct broker *broker_remote_new(const struct remote_ops *ops, void *server, const char *name,
                                 struct metrics *metrics) {
    struct broker *b = broker_local_new();
    b->remote = remote_new(b, ops, server, name, metrics);
    remote_start(b->remote); /* whose thread looks at it from the first moment on */
    return b;
}

static void tokens_drop_all(struct remote_tokens *list) {
    struct remote_token *t;
    while ((t = TAILQ_FIRST(list)) != NULL) {
        TAILQ_REMOVE(list, t, link);
        free(t);
    }
}

void broker_free(struct broker *b) {
    ASSERT(LIST_EMPTY(&b->consumers));
    if (b->remote != NULL) {
        remote_stop(b->remote);
    }
    tokens_drop_all(&b->waiting);
    (void)pthread_mutex_destroy(&b->lock);
    free(b->acks);
    free(b);
}

/* --- what waits here; under the lock */

static struct remote_token *tokens_find(const struct remote_tokens *list, const char *job_id) {
    struct remote_token *t;
    TAILQ_FOREACH(t, list, link) {
        if (strcmp(t->token.job_id, job_id) == 0) {
            return t;
        }
    }
    return NULL;
}

static void waiting_remove(struct broker *b, struct remote_token *t) {
    TAILQ_REMOVE(&b->waiting, t, link);
    b->waiting_n--;
}

/* Behind all that are at least as urgent. Most come with the priority of the last. */
static void waiting_insert(struct broker *b, struct remote_token *t) {
    struct remote_token *before = TAILQ_LAST(&b->waiting, remote_tokens);
    while (before != NULL && before->token.priority < t->token.priority) {
        before = TAILQ_PREV(before, remote_tokens, link);
    }
    if (before == NULL) {
        TAILQ_INSERT_HEAD(&b->waiting, t, link);
    } else {
        TAILQ_INSERT_AFTER(&b->waiting, before, t, link);
    }
    if (++b->waiting_n > BROKER_TOKENS_MAX) {
        t = TAILQ_LAST(&b->waiting, remote_tokens);
        waiting_remove(b, t);
        free(t);
    }
}

/* A new token, or a higher priority for the one of that job. */
static void waiting_add(struct broker *b, const struct broker_token *token) {
    struct remote_token *t = tokens_find(&b->waiting, token->job_id);
    if (t == NULL) {
        t = mem_new(sizeof *t);
        t->token = *token;
    } else if (t->token.priority < token->priority) {
        waiting_remove(b, t);
        t->token.priority = token->priority;
    } else {
        return;
    }
    t->receipt.band = -1;
    waiting_insert(b, t);
}

/* --- from there to consumers; under the lock */

static void consumer_deliver(struct loop_msg *msg);

static struct broker_consumer *broker_hungriest(struct broker *b) {
    struct broker_consumer *best = NULL, *c;
    LIST_FOREACH(c, &b->consumers, link) {
        if (c->wanted > 0 && (best == NULL || c->wanted > best->wanted)) {
            best = c;
        }
    }
    return best;
}

static void consumer_give(struct broker_consumer *c, struct remote_token *t) {
    TAILQ_INSERT_TAIL(&c->inbox, t, link);
    c->wanted--;
    if (!c->posted) {
        c->posted = true;
        c->msg.fn = consumer_deliver;
        loop_post(c->loop, &c->msg);
    }
}

/* Something waits, or is wanted, that was not before. */
static void broker_match(struct broker *b) {
    struct broker_consumer *c;
    if (b->up) {
        remote_wake(b->remote);
        return;
    }
    while (b->waiting_n > 0 && (c = broker_hungriest(b)) != NULL) {
        struct remote_token *t = TAILQ_FIRST(&b->waiting);
        waiting_remove(b, t);
        consumer_give(c, t);
    }
}

static void broker_note_ack(struct broker *b, const struct receipt *receipt) {
    if (receipt->band < 0 || !b->up) { /* a lost server gives it to somebody again */
        return;
    }
    if (b->acks_n == b->acks_cap) {
        b->acks_cap = MAX(2 * b->acks_cap, 64);
        b->acks = mem_resize(b->acks, b->acks_cap, sizeof *b->acks);
    }
    b->acks[b->acks_n++] = *receipt;
    remote_wake(b->remote);
}

/* A token that nobody here has use for waits again: put first, then acknowledged where it came
 * from. */
static void broker_take_back(struct broker *b, struct remote_token *t) {
    waiting_add(b, &t->token);
    broker_note_ack(b, &t->receipt);
    free(t);
}

static void broker_take_all_back(struct broker *b, struct remote_tokens *list) {
    struct remote_token *t;
    while ((t = TAILQ_FIRST(list)) != NULL) {
        TAILQ_REMOVE(list, t, link);
        broker_take_back(b, t);
    }
}

/* --- the contract */

static void consumer_deliver(struct loop_msg *msg) {
    struct broker_consumer *c = CONTAINER_OF(msg, struct broker_consumer, msg);
    struct broker *b = c->broker;
    struct remote_token *t;
    (void)pthread_mutex_lock(&b->lock);
    while (!c->left && (t = TAILQ_FIRST(&c->inbox)) != NULL) {
        struct broker_token token = t->token;
        TAILQ_REMOVE(&c->inbox, t, link);
        if (t->receipt.band >= 0) {
            TAILQ_INSERT_TAIL(&c->held, t, link);
        } else {
            free(t);
        }
        (void)pthread_mutex_unlock(&b->lock);
        c->fn(c->ctx, &token);
        (void)pthread_mutex_lock(&b->lock);
    }
    c->posted = false;
    bool left = c->left;
    (void)pthread_mutex_unlock(&b->lock);
    if (left) {
        free(c);
    }
}

void broker_publish(struct broker *b, const struct broker_token *token) {
    (void)pthread_mutex_lock(&b->lock);
    waiting_add(b, token);
    broker_match(b);
    (void)pthread_mutex_unlock(&b->lock);
}

struct broker_consumer *broker_join(struct broker *b, struct loop *l, broker_fn *fn, void *ctx) {
    struct broker_consumer *c = mem_new(sizeof *c);
    *c = (struct broker_consumer){.broker = b, .loop = l, .fn = fn, .ctx = ctx};
    TAILQ_INIT(&c->inbox);
    TAILQ_INIT(&c->held);
    (void)pthread_mutex_lock(&b->lock);
    LIST_INSERT_HEAD(&b->consumers, c, link);
    (void)pthread_mutex_unlock(&b->lock);
    return c;
}

void broker_want(struct broker_consumer *c, int64_t n) {
    (void)pthread_mutex_lock(&c->broker->lock);
    c->wanted = n;
    broker_match(c->broker);
    (void)pthread_mutex_unlock(&c->broker->lock);
}

void broker_ack(struct broker_consumer *c, const char *job_id) {
    struct remote_token *t;
    (void)pthread_mutex_lock(&c->broker->lock);
    while ((t = tokens_find(&c->held, job_id)) != NULL) { /* a server may have sent it twice */
        TAILQ_REMOVE(&c->held, t, link);
        broker_note_ack(c->broker, &t->receipt);
        free(t);
    }
    (void)pthread_mutex_unlock(&c->broker->lock);
}

void broker_leave(struct broker_consumer *c) {
    struct broker *b = c->broker;
    (void)pthread_mutex_lock(&b->lock);
    LIST_REMOVE(c, link);
    c->left = true;
    broker_take_all_back(b, &c->inbox);
    broker_take_all_back(b, &c->held);
    broker_match(b);
    bool posted = c->posted;
    (void)pthread_mutex_unlock(&b->lock);
    if (!posted) {
        free(c);
    }
}

size_t broker_waiting(struct broker *b) {
    (void)pthread_mutex_lock(&b->lock);
    size_t n = b->waiting_n + (b->up ? remote_waiting(b->remote) : 0);
    (void)pthread_mutex_unlock(&b->lock);
    return n;
}

const char *broker_degraded(struct broker *b) {
    (void)pthread_mutex_lock(&b->lock);
    const char *name = b->remote != NULL && !b->up ? remote_name(b->remote) : NULL;
    (void)pthread_mutex_unlock(&b->lock);
    return name;
}

/* --- the server's thread */

static bool job_id_is_good(struct str id) {
    bool good = id.n > 0 && id.n < BROKER_JOB_ID_BYTES;
    for (size_t i = 0; good && i < id.n; i++) {
        good = id.p[i] > ' ' && id.p[i] < 0x7f;
    }
    return good;
}

bool broker_token_read(struct str job, struct str tenant, struct str priority,
                       struct broker_token *ret) {
    struct broker_token t = {0};
    if (!job_id_is_good(job) || !str_to_i64(tenant, &t.tenant) ||
        !str_to_i64(priority, &t.priority)) {
        return false;
    }
    memcpy(t.job_id, job.p, job.n);
    *ret = t;
    return true;
}

void broker_set_up(struct broker *b, bool up) {
    (void)pthread_mutex_lock(&b->lock);
    b->up = up;
    b->acks_n = 0; /* of another connection */
    broker_match(b);
    (void)pthread_mutex_unlock(&b->lock);
}

size_t broker_pick(struct broker *b, struct broker_token *ret) {
    struct remote_token *t;
    size_t n = 0;
    (void)pthread_mutex_lock(&b->lock);
    while (n < REMOTE_BATCH_MAX && (t = TAILQ_FIRST(&b->waiting)) != NULL) {
        waiting_remove(b, t);
        ret[n++] = t->token;
        free(t);
    }
    (void)pthread_mutex_unlock(&b->lock);
    return n;
}

size_t broker_pick_acks(struct broker *b, size_t max, struct receipt *ret) {
    (void)pthread_mutex_lock(&b->lock);
    size_t n = MIN(b->acks_n, max);
    b->acks_n -= n;
    if (n > 0) {
        memcpy(ret, b->acks, n * sizeof *ret);
        memmove(b->acks, b->acks + n, b->acks_n * sizeof *ret);
    }
    (void)pthread_mutex_unlock(&b->lock);
    return n;
}

size_t broker_wanted(struct broker *b) {
    const struct broker_consumer *c;
    size_t n = 0;
    (void)pthread_mutex_lock(&b->lock);
    LIST_FOREACH(c, &b->consumers, link) {
        n += MIN((size_t)MAX(c->wanted, 0), BROKER_TOKENS_MAX);
    }
    (void)pthread_mutex_unlock(&b->lock);
    return n;
}

void broker_give(struct broker *b, struct remote_tokens *tokens) {
    struct remote_token *t;
    (void)pthread_mutex_lock(&b->lock);
    while ((t = TAILQ_FIRST(tokens)) != NULL) {
        struct broker_consumer *c = broker_hungriest(b);
        TAILQ_REMOVE(tokens, t, link);
        if (c != NULL) {
            consumer_give(c, t);
        } else {
            broker_take_back(b, t);
        }
    }
    (void)pthread_mutex_unlock(&b->lock);
}
