/* reconciler.h - makes every broker disposable: compares what the store says could be worked on
 * with what has a home, and publishes tokens for the difference; when something changed at once,
 * and every second in any case, or as often as it is told.
 *
 * Threading  the thread of its loop.
 */
#ifndef STUMPER_WORKER_RECONCILER_H
#define STUMPER_WORKER_RECONCILER_H

#include "broker/broker.h"
#include "store/store.h"

struct reconciler;

/** Begin. Store and broker outlive it. */
struct reconciler *reconciler_start(struct loop *l, struct store *s, struct broker *b);

/** Look every @every_ms, in place of each second: others look as well. */
void reconciler_pace(struct reconciler *r, int64_t every_ms);

/** End it. @stopped is called once, on a later tick: what it asked of the store has come back then,
 * and it is freed. */
void reconciler_stop(struct reconciler *r, void (*stopped)(void *ctx), void *ctx);

#endif
