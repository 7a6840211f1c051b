#include "core/histogram.h"

#include "base/defs.h"

#include <math.h>

static int histogram_bucket(int64_t value) {
    int i = value <= 1 ? 0 : (int)(4 * log2((double)value));
    return MIN(i, HISTOGRAM_BUCKETS - 1);
}

/* The geometric middle of a bucket. */
static int64_t histogram_middle(int bucket) {
    return llround(exp2((bucket + 0.5) / 4));
}

void histogram_add(struct histogram *h, int64_t value) {
    ASSERT(value >= 0);
    h->counts[histogram_bucket(value)]++;
    h->min = h->n == 0 ? value : MIN(h->min, value);
    h->max = MAX(h->max, value);
    h->sum += value;
    h->n++;
}

int64_t histogram_quantile(const struct histogram *h, double q) {
    ASSERT(q >= 0 && q <= 1);
    if (h->n == 0) {
        return 0;
    }
    int64_t rank = MAX(1, (int64_t)ceil(q * (double)h->n));
    int bucket = 0;
    for (int64_t below = h->counts[0]; below < rank; below += h->counts[bucket]) {
        bucket++;
    }
    return MAX(h->min, MIN(h->max, histogram_middle(bucket)));
}
