/* reconciler.h - makes every broker disposable: compares what the store says could be worked on
 * with what has a home, and publishes tokens for the difference; when something changed at once,
 * and every second in any case.
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

/** End it. What it asked of the store still comes back, on a later tick, and frees it. */
void reconciler_stop(struct reconciler *r);

#endif
