/* watch.h - who watches, as the store thread sees it. Inside the room only. */
#ifndef STUMPER_STORE_WATCH_H
#define STUMPER_STORE_WATCH_H

#include "store/rules_job.h"

#include <pthread.h>

struct watches {
    pthread_mutex_t lock;
    struct store_watch *first;
};

void watches_init(struct watches *all);

/** Nobody watches any more. */
void watches_release(struct watches *all);

/** Tell all of them of a transaction that was just committed. On the store thread. */
void watches_tell(struct watches *all, const struct rules *r);

/** See store_watch(). */
struct store_watch *watches_add(struct watches *all, struct loop *l, store_watch_fn *fn, void *ctx);

#endif
