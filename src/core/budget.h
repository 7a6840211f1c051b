/* budget.h - money that is spent and money that is set aside for calls in flight; promise G4.
 *
 * Invariant  spent + lost + reserved <= max, always. A settlement above its reservation (a provider
 * that reports more usage than the request allowed) counts as the reservation: the excess is kept
 * apart in `excess_nusd` and told.
 */
#ifndef STUMPER_CORE_BUDGET_H
#define STUMPER_CORE_BUDGET_H

#include "base/defs.h"
#include "core/money.h"

#include <stdbool.h>

struct budget {
    int64_t max_nusd; /* MONEY_UNKNOWN: no cap */
    int64_t spent_nusd;
    int64_t reserved_nusd;
    int64_t lost_nusd; /* may have been spent on calls whose end nobody saw */
    int64_t excess_nusd;
};

/** @spent_nusd: by earlier runs; what of it lies above the cap (a cap that was lowered since) is
 * excess too. */
void budget_init(struct budget *b, int64_t max_nusd, int64_t spent_nusd);

/** What is neither spent, perhaps spent, nor set aside; INT64_MAX without a cap. */
int64_t budget_left(const struct budget *b);

/** Set @nusd aside; false if it does not fit (nothing changes then). */
NODISCARD bool budget_reserve(struct budget *b, int64_t nusd);

/** Turn a reservation of @reserved_nusd into a cost; MONEY_UNKNOWN cost counts as the whole
 * reservation. */
void budget_settle(struct budget *b, int64_t reserved_nusd, int64_t cost_nusd);

/** @nusd more may have been spent: counted as far as there is room. */
void budget_lose(struct budget *b, int64_t nusd);

/** Give a reservation back: the call was never answered. */
void budget_release(struct budget *b, int64_t reserved_nusd);

#endif
