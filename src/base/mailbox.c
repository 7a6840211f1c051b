#include "base/mailbox.h"

void mailbox_init(struct mailbox *m, void (*wake)(void *ctx), void *ctx) {
    *m = (struct mailbox){.wake = wake, .ctx = ctx};
    m->last = &m->first;
    ASSERT(pthread_mutex_init(&m->lock, NULL) == 0);
    ASSERT(pthread_cond_init(&m->filled, NULL) == 0);
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
