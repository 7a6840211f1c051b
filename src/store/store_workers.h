/* store_workers.h - who works on the jobs of a store, for who looks after them. See store.h for
 * what holds for all operations. */
#ifndef STUMPER_STORE_STORE_WORKERS_H
#define STUMPER_STORE_STORE_WORKERS_H

#include "base/str.h"
#include "store/store.h"

struct worker_row {
    int64_t number; /* as store_join() gave it */
    struct str name, version;
    int64_t slots;
    int64_t in_flight, jobs; /* attempts leased / jobs at home */
    int64_t joined_ms;
    int64_t silent_ms; /* since it beat last */
    bool draining;     /* it was asked to go */
};

/* All workers, in the order they joined. ERR_TOO_BIG: they do not fit into the arena. */
struct store_worker_list {
    struct store_op op;
    struct arena *a; /* owns the results; not touched by the caller until done */
    struct worker_row *ret;
    size_t ret_n;
};
void store_worker_list(struct store *s, struct store_worker_list *o);

/* Ask a worker to go: it is told with its next beat. ERR_NOT_FOUND: there is none of that number.
 */
struct store_worker_drain {
    struct store_op op;
    int64_t worker;
};
void store_worker_drain(struct store *s, struct store_worker_drain *o);

#endif
