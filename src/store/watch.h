/* watch.h - who watches, as the store thread sees it. Inside the room only. */
#ifndef STUMPER_STORE_WATCH_H
#define STUMPER_STORE_WATCH_H

#include "store/store.h"

#include <pthread.h>

struct watches {
    pthread_mutex_t lock;
    struct store_watch *first;
};

/* A job that has changed, borrowed for the call. */
struct watch_job {
    const char *id;
    int64_t tenant, priority;
    int64_t version; /* grows with every change of state: of two news the later are told */
    enum job_state state;
    unsigned what; /* STORE_CHANGED_… */
};

/* What a commit, or several, have changed. */
struct watch_news {
    const struct watch_job *jobs;
    size_t jobs_n;
    bool keys, outbox, lost; /* as in store_news */
};

void watches_init(struct watches *all);

/** Nobody watches any more. */
void watches_release(struct watches *all);

/** Tell all of them of what was committed. Any thread. */
void watches_tell(struct watches *all, const struct watch_news *news);

/** See store_watch(). */
struct store_watch *watches_add(struct watches *all, struct loop *l, store_watch_fn *fn, void *ctx);

#endif
