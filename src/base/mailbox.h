/* mailbox.h - where threads meet: messages go in from any thread, one owner takes them all out in
 * order.
 *
 * A message is owned by exactly one side at a time: the sender until mailbox_send() returns, the
 * owner after it took it. Messages are links inside the sender's own struct; the mailbox allocates
 * nothing.
 */
#ifndef STUMPER_BASE_MAILBOX_H
#define STUMPER_BASE_MAILBOX_H

#include "base/defs.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct mailbox_msg {
    struct mailbox_msg *next;
};

struct mailbox {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct mailbox_msg *first, **last;
    void (*wake)(void *ctx); /* called after a message came into an empty box; may be NULL */
    void *ctx;
};

/** @wake is called on the sending thread and must be safe there (uv_async_send is). */
void mailbox_init(struct mailbox *m, void (*wake)(void *ctx), void *ctx);

/** The mailbox must be empty. */
void mailbox_release(struct mailbox *m);

/** Any thread. The message belongs to the owner of the mailbox from now on. */
void mailbox_send(struct mailbox *m, struct mailbox_msg *msg);

/** Owner only. All messages, first sent first, linked by `next`; NULL if there is none. Never
 * blocks. */
struct mailbox_msg *mailbox_take(struct mailbox *m);

/** Owner only. Like mailbox_take, but waits until there is one. / For @ms milliseconds at most. */
struct mailbox_msg *mailbox_wait(struct mailbox *m);
struct mailbox_msg *mailbox_wait_ms(struct mailbox *m, int64_t ms);

#endif
