/* purse.h - what a worker may spend of what an API key may spend today, together with all other
 * workers of the store: a portion of it that the store has set aside for this one
 * (store_purse()). More is asked for when a call has to wait for it, and what calls do not need
 * goes back, so that others can have it.
 *
 * Threading  that of the worker's loop.
 */
#ifndef STUMPER_WORKER_PURSE_H
#define STUMPER_WORKER_PURSE_H

#include "store/store_key.h"

#include <sys/queue.h>

struct purse; /* of a key */

/* Of a worker. */
struct purses {
    struct loop *loop;
    struct store *store;
    /** Something came of what @p had asked for, or it is gone: NULL. */
    void (*told)(void *ctx, const struct purse *p);
    void *ctx;
    LIST_HEAD(, purse) list;
};

/** All purses were given back, and are gone: nothing of them is under way in the store. */
bool purses_are_gone(const struct purses *all);

/** The purse of @tenant, of the store's @worker; to be given back with purse_put(). */
struct purse *purse_get(struct purses *all, int64_t tenant, int64_t worker);
void purse_put(struct purse *p);

/* On a purse that may be NULL: the key has no limit. */

/** Set money aside for a call. False: it has to wait until more is there, see purse_ask(). */
NODISCARD bool purse_reserve(struct purse *p, int64_t nusd);

/** Turn what was set aside into a cost, which is recorded next, under a lease of the worker's. */
void purse_settle(struct purse *p, int64_t reserved_nusd, int64_t cost_nusd);

/** Give it back: the call was never answered. */
void purse_release(struct purse *p, int64_t reserved_nusd);

/** @n calls wait. Ask the store, unless it was just asked in vain and nothing came back since. */
void purse_ask(struct purse *p, int64_t n);

/** Now and then: give back what is far more than the calls under way may cost. */
void purse_rest(struct purse *p);

/** True if the store had too little, and nothing is set aside anywhere that could come back. */
bool purse_is_spent(const struct purse *p);

#endif
