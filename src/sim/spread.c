#include "sim/spread.h"

#include <math.h>

bool spread_read(struct str text, struct spread *ret) {
    static const struct str prefix = {"lognormal:", sizeof "lognormal:" - 1};
    struct spread s = {0};
    struct str rest = text;
    if (str_starts(text, prefix)) {
        rest = str_skip(text, prefix.n);
        struct str mean = str_split(&rest, ',');
        if (!str_to_double(rest, &s.sigma)) {
            return false;
        }
        rest = mean;
    }
    if (!str_to_double(rest, &s.mean) || s.mean < 0 || s.mean > SPREAD_MEAN_MAX || s.sigma < 0 ||
        s.sigma > SPREAD_SIGMA_MAX) {
        return false;
    }
    *ret = s;
    return true;
}

double spread_draw(const struct spread *s, struct rng *r) {
    if (s->sigma <= 0) {
        return s->mean;
    }
    return s->mean * exp(s->sigma * rng_normal(r) - s->sigma * s->sigma / 2);
}
