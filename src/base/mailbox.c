#include "base/mailbox.h"

#include "base/clock.h"

#include <time.h>

void mailbox_init(struct mailbox *m, void (*wake)(void *ctx), void *ctx) {
    *m = (struct mailbox){.wake = wake, .ctx = ctx};
    m->last = &m->first;
    pthread_condattr_t never_jumps;
    ASSERT(pthread_condattr_init(&never_jumps) == 0);
    ASSERT(pthread_condattr_setclock(&never_jumps, CLOCK_MONOTONIC) == 0);
    ASSERT(pthread_mutex_init(&m->lock, NULL) == 0);
    ASSERT(pthread_cond_init(&m->filled, &never_jumps) == 0);
    pthread_condattr_destroy(&never_jumps);
}

void mailbox_release(struct mailbox *m) {
    ASSERT(m->first == NULL);
    pthread_mutex_destroy(&m->lock);
    pthread_cond_destroy(&m->filled);
}

void mailbox_send(struct mailbox *m, struct mailbox_msg *msg) {
    msg->next = NULL;
    pthread_mutex_lock(&m->lock);
    bool was_empty = m->first == NULL;
    *m->last = msg;
    m->last = &msg->next;
    if (was_empty) {
        pthread_cond_signal(&m->filled);
    }
    pthread_mutex_unlock(&m->lock);
    if (was_empty && m->wake != NULL) {
        m->wake(m->ctx);
    }
}

/* Caller holds the lock. */
static struct mailbox_msg *mailbox_empty(struct mailbox *m) {
    struct mailbox_msg *all = m->first;
    m->first = NULL;
    m->last = &m->first;
    return all;
}

struct mailbox_msg *mailbox_take(struct mailbox *m) {
    pthread_mutex_lock(&m->lock);
    struct mailbox_msg *all = mailbox_empty(m);
    pthread_mutex_unlock(&m->lock);
    return all;
}

struct mailbox_msg *mailbox_wait(struct mailbox *m) {
    pthread_mutex_lock(&m->lock);
    while (m->first == NULL) {
        pthread_cond_wait(&m->filled, &m->lock);
    }
    struct mailbox_msg *all = mailbox_empty(m);
    pthread_mutex_unlock(&m->lock);
    return all;
}

struct mailbox_msg *mailbox_wait_ms(struct mailbox *m, int64_t ms) {
    int64_t until_ms = clock_mono_ms() + ms;
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    pthread_mutex_lock(&m->lock);
    while (m->first == NULL && pthread_cond_timedwait(&m->filled, &m->lock, &until) == 0) {
    }
    struct mailbox_msg *all = mailbox_empty(m);
    pthread_mutex_unlock(&m->lock);
    return all;
}
