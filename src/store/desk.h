/* desk.h - a thread that takes operations and answers them, in groups. Inside the room only.
 *
 *     a loop's thread                       the desk's thread
 *     desk_send(op) ── inbox ─────────────► take all that wait, up to a cap: one batch
 *                                           serve(batch)
 *     done(op), done(op) … ◄── one message for each loop that has operations in the batch
 *
 * An operation belongs to the desk from desk_send() until its batch is answered; the message that
 * carries a loop's part of it is the one inside its first operation, so nothing is allocated.
 */
#ifndef STUMPER_STORE_DESK_H
#define STUMPER_STORE_DESK_H

#include "store/store.h"

#include <pthread.h>

struct desk {
    struct mailbox inbox;
    pthread_t thread;
    size_t batch_max, batch_bytes_max;
    /** About how many bytes an operation will write or read, for the cap; may be NULL. */
    size_t (*bytes)(struct store_op *op);
    /** Do what a batch (linked by `next`) asks for; what is returned is answered after that: all of
     * it, but for what desk_answer() was called for. */
    struct store_op *(*serve)(void *ctx, struct store_op *batch);
    /** Do a little of what need not be done at once; true if there is more. Called between batches
     * and, while it is true, as long as no operation waits; else every `rest_ms` (0: not). May be
     * NULL. */
    bool (*idle)(void *ctx);
    int64_t rest_ms;
    void *ctx;
    struct store_op *waiting; /* taken from the inbox, not served yet; the desk's own */
    struct mailbox_msg stop;
    bool stopping;
};

/** Start the thread; the functions, the caps and ctx are set. */
void desk_start(struct desk *d);

/** Serve what was sent, end the thread. */
void desk_stop(struct desk *d);

/** On the thread of the operation's loop. */
void desk_send(struct desk *d, struct store_op *op);

/** Cut those that @pick takes out of *@batch (linked by `next`), in their order. */
typedef bool desk_pick_fn(const struct store_op *op, const void *ctx);
struct store_op *desk_cut(struct store_op **batch, desk_pick_fn *pick, const void *ctx);

/** On the desk's thread, in serve(): cut them out of all that waits behind the batch. */
struct store_op *desk_cut_waiting(struct desk *d, desk_pick_fn *pick, const void *ctx);

/** On the desk's thread: answer these (linked by `next`) before the rest of their batch. */
void desk_answer(struct store_op *batch);

/** Instead of desk_send(): answer on a later tick that it fails. */
void desk_refuse(struct store_op *op, enum err e, const char *why);

#endif
