/* The broker within a process.
 *
 * Tokens wait in one list, highest priority first, under one lock. Whenever there is a token and a
 * consumer that wants one, it is moved to that consumer's own list (to the one that wants most, so
 * that workers fill evenly) and a message is posted to its loop, at most one at a time, which
 * delivers all that is there by then.
 */
#include "broker/broker.h"

#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

struct local_token {
    TAILQ_ENTRY(local_token) link;
    struct broker_token token;
};

TAILQ_HEAD(local_tokens, local_token);

struct broker_consumer {
    LIST_ENTRY(broker_consumer) link;
    struct broker *broker;
    struct loop *loop;
    broker_fn *fn;
    void *ctx;
    struct loop_msg msg;
    /* under the broker's lock */
    struct local_tokens inbox;
    int64_t wanted;
    bool posted; /* msg is under way */
    bool left;   /* free it when msg comes home */
};

struct broker {
    pthread_mutex_t lock;
    struct local_tokens waiting;
    size_t waiting_n;
    LIST_HEAD(, broker_consumer) consumers;
};

struct broker *broker_local_new(void) {
    struct broker *b = mem_new(sizeof *b);
    (void)pthread_mutex_init(&b->lock, NULL);
    TAILQ_INIT(&b->waiting);
    LIST_INIT(&b->consumers);
    return b;
}

static void local_drop_all(struct local_tokens *list) {
    struct local_token *t;
    while ((t = TAILQ_FIRST(list)) != NULL) {
        TAILQ_REMOVE(list, t, link);
        free(t);
    }
}

void broker_free(struct broker *b) {
    ASSERT(LIST_EMPTY(&b->consumers));
    local_drop_all(&b->waiting);
    (void)pthread_mutex_destroy(&b->lock);
    free(b);
}

static struct local_token *local_find(struct broker *b, const char *job_id) {
    struct local_token *t;
    TAILQ_FOREACH(t, &b->waiting, link) {
        if (strcmp(t->token.job_id, job_id) == 0) {
            return t;
        }
    }
    return NULL;
}

/* Behind all that are at least as urgent. Most come with the priority of the last. */
static void local_put(struct broker *b, struct local_token *t) {
    struct local_token *before = TAILQ_LAST(&b->waiting, local_tokens);
    while (before != NULL && before->token.priority < t->token.priority) {
        before = TAILQ_PREV(before, local_tokens, link);
    }
    if (before == NULL) {
        TAILQ_INSERT_HEAD(&b->waiting, t, link);
    } else {
        TAILQ_INSERT_AFTER(&b->waiting, before, t, link);
    }
    if (++b->waiting_n > BROKER_TOKENS_MAX) {
        t = TAILQ_LAST(&b->waiting, local_tokens);
        TAILQ_REMOVE(&b->waiting, t, link);
        free(t);
        b->waiting_n--;
    }
}

static struct broker_consumer *local_hungriest(struct broker *b) {
    struct broker_consumer *best = NULL, *c;
    LIST_FOREACH(c, &b->consumers, link) {
        if (c->wanted > 0 && (best == NULL || c->wanted > best->wanted)) {
            best = c;
        }
    }
    return best;
}

static void local_deliver(struct loop_msg *msg);

static void local_match(struct broker *b) {
    struct broker_consumer *c;
    while (b->waiting_n > 0 && (c = local_hungriest(b)) != NULL) {
        struct local_token *t = TAILQ_FIRST(&b->waiting);
        TAILQ_REMOVE(&b->waiting, t, link);
        b->waiting_n--;
        TAILQ_INSERT_TAIL(&c->inbox, t, link);
        c->wanted--;
        if (!c->posted) {
            c->posted = true;
            c->msg.fn = local_deliver;
            loop_post(c->loop, &c->msg);
        }
    }
}

static void local_deliver(struct loop_msg *msg) {
    struct broker_consumer *c = CONTAINER_OF(msg, struct broker_consumer, msg);
    struct broker *b = c->broker;
    struct local_token *t;
    (void)pthread_mutex_lock(&b->lock);
    while (!c->left && (t = TAILQ_FIRST(&c->inbox)) != NULL) {
        TAILQ_REMOVE(&c->inbox, t, link);
        (void)pthread_mutex_unlock(&b->lock);
        c->fn(c->ctx, &t->token);
        free(t);
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
    struct local_token *t = local_find(b, token->job_id);
    if (t == NULL) {
        t = mem_new(sizeof *t);
        t->token = *token;
        local_put(b, t);
    } else if (t->token.priority < token->priority) {
        TAILQ_REMOVE(&b->waiting, t, link);
        b->waiting_n--;
        t->token.priority = token->priority;
        local_put(b, t);
    }
    local_match(b);
    (void)pthread_mutex_unlock(&b->lock);
}

struct broker_consumer *broker_join(struct broker *b, struct loop *l, broker_fn *fn, void *ctx) {
    struct broker_consumer *c = mem_new(sizeof *c);
    *c = (struct broker_consumer){.broker = b, .loop = l, .fn = fn, .ctx = ctx};
    TAILQ_INIT(&c->inbox);
    (void)pthread_mutex_lock(&b->lock);
    LIST_INSERT_HEAD(&b->consumers, c, link);
    (void)pthread_mutex_unlock(&b->lock);
    return c;
}

void broker_want(struct broker_consumer *c, int64_t n) {
    (void)pthread_mutex_lock(&c->broker->lock);
    c->wanted = n;
    local_match(c->broker);
    (void)pthread_mutex_unlock(&c->broker->lock);
}

void broker_leave(struct broker_consumer *c) {
    struct broker *b = c->broker;
    struct local_token *t;
    (void)pthread_mutex_lock(&b->lock);
    LIST_REMOVE(c, link);
    c->left = true;
    while ((t = TAILQ_FIRST(&c->inbox)) != NULL) {
        TAILQ_REMOVE(&c->inbox, t, link);
        local_put(b, t);
    }
    local_match(b);
    bool posted = c->posted;
    (void)pthread_mutex_unlock(&b->lock);
    if (!posted) {
        free(c);
    }
}

size_t broker_waiting(struct broker *b) {
    (void)pthread_mutex_lock(&b->lock);
    size_t n = b->waiting_n;
    (void)pthread_mutex_unlock(&b->lock);
    return n;
}
