#include "store/desk.h"

#include "store/ops.h"

#include <signal.h>

/* Behind what waits already. */
static void desk_gather(struct desk *d, struct mailbox_msg *came) {
    struct store_op **last = &d->waiting;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    for (; came != NULL; came = came->next) {
        if (came == &d->stop) {
            d->stopping = true;
        } else {
            *last = CONTAINER_OF(came, struct store_op, msg.link);
            last = &(*last)->next;
        }
    }
    *last = NULL;
}

static size_t desk_bytes(const struct desk *d, struct store_op *op) {
    return d->bytes != NULL ? d->bytes(op) : 0;
}

/* Some do wait. */
static struct store_op *desk_take_batch(struct desk *d) {
    struct store_op *first = d->waiting, *last = first;
    size_t bytes = desk_bytes(d, first);
    for (size_t n = 1; last->next != NULL && n < d->batch_max && bytes < d->batch_bytes_max; n++) {
        last = last->next;
        bytes += desk_bytes(d, last);
    }
    d->waiting = last->next;
    last->next = NULL;
    return first;
}

static void desk_deliver(struct loop_msg *msg) {
    struct store_op *op = CONTAINER_OF(msg, struct store_op, msg);
    for (struct store_op *next; op != NULL; op = next) {
        struct store *s = op->store;
        struct loop *l = op->loop;
        next = op->next; /* done() may free or reuse the operation */
        op->done(op);
        loop_unhold(l);
        store_unref(s); /* only now: done() may have closed the store */
    }
}

struct store_op *desk_cut(struct store_op **batch, desk_pick_fn *pick, const void *ctx) {
    struct store_op *first = NULL, **last = &first, **at = batch;
    while (*at != NULL) {
        struct store_op *op = *at;
        if (pick(op, ctx)) {
            *at = op->next;
            op->next = NULL;
            *last = op;
            last = &op->next;
        } else {
            at = &op->next;
        }
    }
    return first;
}

static bool desk_is_of_loop(const struct store_op *op, const void *loop) {
    return op->loop == loop;
}

void desk_answer(struct store_op *batch) {
    while (batch != NULL) {
        struct loop *loop = batch->loop;
        struct store_op *part = desk_cut(&batch, desk_is_of_loop, loop);
        part->msg.fn = desk_deliver;
        loop_post(loop, &part->msg);
    }
}

struct store_op *desk_cut_waiting(struct desk *d, desk_pick_fn *pick, const void *ctx) {
    desk_gather(d, mailbox_take(&d->inbox));
    return desk_cut(&d->waiting, pick, ctx);
}

static struct mailbox_msg *desk_await(struct desk *d, bool more) {
    return more             ? mailbox_take(&d->inbox)
           : d->rest_ms > 0 ? mailbox_wait_ms(&d->inbox, d->rest_ms)
                            : mailbox_wait(&d->inbox);
}

static void *desk_thread(void *ctx) {
    struct desk *d = ctx;
    bool more = d->idle != NULL;
    for (;;) {
        desk_gather(d, desk_await(d, more));
        while (d->waiting != NULL) {
            desk_answer(d->serve(d->ctx, desk_take_batch(d)));
        }
        if (d->stopping) {
            return NULL;
        }
        more = d->idle != NULL && d->idle(d->ctx);
    }
}

/* Signals are for the threads of the loops. */
void desk_start(struct desk *d) {
    sigset_t all, before;
    mailbox_init(&d->inbox, NULL, NULL);
    (void)sigfillset(&all);
    ASSERT(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    ASSERT(pthread_create(&d->thread, NULL, desk_thread, d) == 0);
    ASSERT(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
}

void desk_stop(struct desk *d) {
    mailbox_send(&d->inbox, &d->stop);
    ASSERT(pthread_join(d->thread, NULL) == 0);
    mailbox_release(&d->inbox);
}

void desk_send(struct desk *d, struct store_op *op) {
    ASSERT(op->loop != NULL && op->done != NULL);
    op->err = ERR_OK;
    op->detail.text[0] = '\0';
    loop_hold(op->loop);
    mailbox_send(&d->inbox, &op->msg.link);
}

void desk_refuse(struct store_op *op, enum err e, const char *why) {
    ASSERT(op->loop != NULL && op->done != NULL);
    op->err = errinfo_set(&op->detail, e, "%s", why);
    op->next = NULL;
    loop_hold(op->loop);
    desk_answer(op);
}
