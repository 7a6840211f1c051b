/* loop.h - the engine thread: one libuv loop that owns timers, sockets and signals.
 *
 * Threading  every function but loop_post() is for the thread that runs the loop. Nothing blocks on
 *            it.
 * Order      no callback runs inside the call that registered it. Timers run after the iteration's
 *            sockets, earliest due first; timers due at the same moment in the order of their
 *            start.
 */
#ifndef STUMPER_IO_LOOP_H
#define STUMPER_IO_LOOP_H

#include "base/mailbox.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;

/** Free with loop_free(). */
struct loop *loop_new(void);

/** Run until loop_stop(), or until nothing is left that could call back: no timer, no open socket,
 * no hold, no posted message. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

/** Free it. No timer may be running, no message under way and no handle of another room open (one
 * that is being closed is waited for). */
void loop_free(struct loop *l);

/** Milliseconds of the loop's clock (monotonic, refreshed once an iteration). */
int64_t loop_now_ms(const struct loop *l);

/** The uv_loop_t, for the rooms that drive a library from the same loop (io/ and httpd/ only). */
void *loop_uv(struct loop *l);

/* A timer that is part of its owner's struct. Zero-initialise it. */
struct loop_timer {
    struct loop *loop;
    void (*fn)(void *ctx);
    void *ctx;
    int64_t due_ms;
    size_t slot; /* place in the loop's heap + 1; 0: not running */
};

/** Call @fn(@ctx) once, after @ms (≥ 0; rounded up, never early); a running timer is moved. 0 means
 * on the next turn. */
void loop_timer_start(struct loop *l, struct loop_timer *t, int64_t ms, void (*fn)(void *ctx),
                      void *ctx);

/** Stop it; harmless if it is not running. After this the struct may be freed at once. */
void loop_timer_stop(struct loop_timer *t);

/* A message to the loop: part of the sender's struct, who owns it again when @fn is called. */
struct loop_msg {
    struct mailbox_msg link;
    void (*fn)(struct loop_msg *msg);
};

/** Any thread: run @msg->fn on the loop thread. */
void loop_post(struct loop *l, struct loop_msg *msg);

/** Keep loop_run() running while an answer is awaited from another thread / stop keeping it. Calls
 * nest. */
void loop_hold(struct loop *l);
void loop_unhold(struct loop *l);

/** Call @fn at every @signum (SIGINT, SIGTERM, SIGWINCH) until loop_free(). Does not keep the loop
 * running. */
void loop_on_signal(struct loop *l, int signum, void (*fn)(void *ctx, int signum), void *ctx);

#endif
