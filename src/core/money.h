/* money.h - money is an int64 of nano-dollars (`cost_nusd`), so that a price in dollars per million
 * tokens with three decimals times a token count is exact. -1 (MONEY_UNKNOWN) is "nobody knows",
 * never 0. */
#ifndef STUMPER_CORE_MONEY_H
#define STUMPER_CORE_MONEY_H

#include <stdint.h>

#define MONEY_UNKNOWN INT64_C(-1)
#define NUSD_PER_USD INT64_C(1000000000)

/** What calls have cost of which @unpriced told no price: the sum of the others, if there is any. */
static inline int64_t money_told(int64_t nusd, int64_t unpriced) {
    return unpriced > 0 && nusd == 0 ? MONEY_UNKNOWN : nusd;
}

#endif
