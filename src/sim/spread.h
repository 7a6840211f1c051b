/* spread.h - a quantity that is constant or log-normally distributed: "120", "lognormal:800,0.7".
 */
#ifndef STUMPER_SIM_SPREAD_H
#define STUMPER_SIM_SPREAD_H

#include "base/rng.h"
#include "base/str.h"

struct spread {
    double mean, sigma; /* of the quantity / of its logarithm; sigma 0: constant */
};

#define SPREAD_MEAN_MAX 1e9
#define SPREAD_SIGMA_MAX 4.0

/** Returns false and leaves *@ret alone if @text is neither form or out of range. */
NODISCARD bool spread_read(struct str text, struct spread *ret);

/** One value; never negative. */
double spread_draw(const struct spread *s, struct rng *r);

#endif
