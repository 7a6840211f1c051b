/* purse.h - what the jobs of one API key may spend today, together, whichever worker of the process
 * has them: a lock around core/budget, begun anew at midnight UTC.
 *
 * Threading  any thread.
 */
#ifndef STUMPER_WORKER_PURSE_H
#define STUMPER_WORKER_PURSE_H

#include "core/budget.h"

struct purses; /* of a process */
struct purse;  /* of a key */

struct purses *purses_new(void);
/** All purses were given back. */
void purses_free(struct purses *p);

/**
 * The purse of @tenant, to be given back with purse_put().
 *
 * @max_nusd     a day; 0: no limit
 * @spent_nusd   today, says the store; taken over only if no job of the process has the purse yet,
 *               which knows better
 * @next_day_ms  when the day ends, by the wall clock
 */
struct purse *purse_get(struct purses *p, int64_t tenant, int64_t max_nusd, int64_t spent_nusd,
                        int64_t next_day_ms);
void purse_put(struct purse *p);

/** As budget_…(), on a purse that may be NULL (no limit). @now_ms: wall clock. */
NODISCARD bool purse_reserve(struct purse *p, int64_t nusd, int64_t now_ms);
void purse_settle(struct purse *p, int64_t reserved_nusd, int64_t cost_nusd);
void purse_release(struct purse *p, int64_t reserved_nusd);

/** True if nothing is set aside that could still be given back. */
bool purse_is_idle(struct purse *p);

#endif
